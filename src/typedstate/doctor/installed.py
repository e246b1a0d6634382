"""The installed Flax and JAX, as the probes reach them.

Every name here is `Any` on purpose: the doctor runs on versions whose names differ, and asks
instead of assuming.
"""

from __future__ import annotations

import importlib
import warnings
from importlib import metadata
from typing import Any

from typedstate._compat.requirement import require


def module(*names: str) -> Any:
    """The first of these modules that exists here, or `None`."""
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return importlib.import_module(name)
            except ImportError:
                continue
    return None


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
    """What a module holds by name, without the aliases that its `__getattr__` would give."""
    names: dict[str, Any] = owner.__dict__
    return dict(names)


def has(owner: Any, name: str) -> bool:
    """Whether `owner` has the attribute, also where reading it warns."""
    return named(owner, name) is not None


require()
jax: Any = module("jax")
jnp: Any = module("jax.numpy")
nnx: Any = module("flax.nnx")
variablelib: Any = module("flax.nnx.variablelib")
statelib: Any = module("flax.nnx.statelib")
graphlib: Any = module("flax.nnx.graphlib", "flax.nnx.graph")

FLAX: str = metadata.version("flax")
JAX: str = metadata.version("jax")
