"""The commands of ``typedstate``: each is a module with an `add_parser`; running imports Flax."""
