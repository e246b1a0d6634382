"""Makes schemas of values: `infer` of a model, `optimizer_state` of an optimizer."""
