"""What the installed Flax and JAX are: the only package that reads what is private to them.

It imports nothing itself, so that `requirement` is found without Flax.
"""
