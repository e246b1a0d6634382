"""What an annotation says, as a small frozen tree, and what can be asked of it without a value."""
