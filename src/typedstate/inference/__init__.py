"""The other way: a schema of a state, a module or an abstract model."""
