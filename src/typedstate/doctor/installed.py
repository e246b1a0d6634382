"""The installed Flax and JAX, as the probes reach them.

Every name here is `Any` on purpose: the doctor runs on versions whose names differ, and asks
instead of assuming.
"""

from __future__ import annotations

import warnings
from importlib import metadata
from typing import Any

from typedstate._compat.requirement import require

require()
from typedstate._compat.private_modules import (  # noqa: E402  # a Flax that is too old comes first
    graphlib as graphlib,
    module as module,
    statelib as statelib,
    variablelib as variablelib,
)


def named(owner: Any, *names: str) -> Any:
    """The first of these attributes that `owner` has, or `None`; shows no deprecation warning."""
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = getattr(owner, name, None)
        if found is not None:
            return found
    return None


def own_names(owner: Any) -> dict[str, Any]:
    """The names in a module, without the aliases that its `__getattr__` would give."""
    names: dict[str, Any] = owner.__dict__
    return dict(names)


def has(owner: Any, name: str) -> bool:
    """Whether `owner` has the attribute, also where reading it warns."""
    return named(owner, name) is not None


jax: Any = module("jax")
jnp: Any = module("jax.numpy")
nnx: Any = module("flax.nnx")

FLAX: str = metadata.version("flax")
JAX: str = metadata.version("jax")
