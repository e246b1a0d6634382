"""Pictures of models, states, checkpoints and schemas, and what notebooks do with schemas."""
