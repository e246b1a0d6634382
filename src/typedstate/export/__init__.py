"""Writes schemas as text: Python source, JSON documents, and stubs for other type checkers."""
