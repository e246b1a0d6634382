"""PRNG keys that formats keep as plain ``uint32`` numbers."""

from __future__ import annotations

from typing import Any, Final

import jax

from .libraries import jax_

#: The implementation of a key by its count of numbers, for checkpoints that don't name one.
IMPLEMENTATIONS: Final = {2: "threefry2x32", 4: "rbg"}


def key_size(implementation: str) -> int:
    """The count of ``uint32`` numbers in one key."""
    data: Any = jax_.eval_shape(lambda: jax.random.key_data(jax.random.key(0, impl=implementation)))
    return int(data.shape[-1])


def key_dtype(implementation: str) -> Any:
    """The dtype of an array of keys."""
    key: Any = jax_.eval_shape(lambda: jax.random.key(0, impl=implementation))
    return key.dtype
