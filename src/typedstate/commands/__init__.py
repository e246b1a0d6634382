"""The commands of ``typedstate``: each a module with an `add_parser`; what runs imports Flax."""
