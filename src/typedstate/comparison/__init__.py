"""How two schemas or values differ: `diff` and what it answers."""
