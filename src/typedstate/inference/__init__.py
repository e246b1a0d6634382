"""From values to schemas: `infer` for a model, `optimizer_state` for an optimizer."""
