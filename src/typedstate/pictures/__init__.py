"""Draws models, states, checkpoints and schemas, and registers schemas with notebooks."""
