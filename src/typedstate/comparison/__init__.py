"""Compares two schemas or values: `diff` and its result."""
