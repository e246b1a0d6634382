"""PRNG keys as the plain numbers that formats keep of them."""

from __future__ import annotations

from typing import Any, Final

import jax

from .libraries import jax_

#: How keys of so many numbers are implemented, where nothing else says it.
IMPLEMENTATIONS: Final = {2: "threefry2x32", 4: "rbg"}


def key_size(implementation: str) -> int:
    """How many numbers make one PRNG key."""
    data: Any = jax_.eval_shape(lambda: jax.random.key_data(jax.random.key(0, impl=implementation)))
    return int(data.shape[-1])


def key_dtype(implementation: str) -> Any:
    """The dtype of PRNG keys."""
    key: Any = jax_.eval_shape(lambda: jax.random.key(0, impl=implementation))
    return key.dtype
