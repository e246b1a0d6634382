"""What a schema is written to: documents."""
