"""What other libraries give without types, or only where they are installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, cast

import jax

jax_: Final[Any] = cast(Any, jax)


def orbax() -> Any:
    """The package ``orbax.checkpoint``."""
    return import_module("orbax.checkpoint")


def place_of(path: str) -> Any:
    """A path as an object that knows local files and the URLs that Orbax knows."""
    return import_module("etils.epath").Path(path)


def shaped(shape: tuple[int, ...], dtype: Any, sharding: Any = None) -> Any:
    """A ``jax.ShapeDtypeStruct``."""
    return jax_.ShapeDtypeStruct(shape, dtype, sharding=sharding)


def is_key_dtype(dtype: Any) -> bool:
    """Whether an array of this dtype holds PRNG keys."""
    return bool(jax_.dtypes.issubdtype(dtype, jax_.dtypes.prng_key))
