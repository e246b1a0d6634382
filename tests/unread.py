"""What mypy reads longest and no test asks of it: sections for its configuration."""

#: What Flax and JAX import beside what states are made of; half of what mypy would read.
UNASKED = """
[mypy-IPython.*,filelock.*,rich.*,jaxlib.mlir.dialects.*,jax.scipy.*,jax._src.scipy.*,jax._src.pallas.*]
follow_imports = skip
"""
#: For files in which nothing is asked of JAX either.
SKIPPED = f"""{UNASKED}[mypy-jax.*,jaxlib.*,numpy.*,optax.*,orbax.*,pydantic.*]
follow_imports = skip
follow_imports_for_stubs = true
"""
