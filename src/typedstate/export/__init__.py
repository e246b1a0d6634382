"""A schema as text: Python source, JSON documents, stubs for checkers without a plugin."""
