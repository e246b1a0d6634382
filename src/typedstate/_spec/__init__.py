"""The spec (an annotation as a small frozen tree) and questions about it that need no value."""
