"""A schema as text: Python source, and stubs for checkers without a plugin."""
