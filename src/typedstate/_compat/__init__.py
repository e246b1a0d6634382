"""Facts about the installed Flax and JAX; no other package reads their private names.

It imports nothing itself, so that `requirement` is found without Flax.
"""
