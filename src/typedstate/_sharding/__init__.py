"""Compares placements with declared axis names: match, mismatch, or unknown."""
