"""Enforces schemas: at decorated functions, in covered packages, in `merge` and `update`."""
