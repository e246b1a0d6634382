"""Schemas as Python source: `to_source`, and what a checker without a plugin reads."""
