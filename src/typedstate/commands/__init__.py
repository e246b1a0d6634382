"""The commands of ``typedstate``: each module has an `add_parser`; Flax is imported by what runs."""
