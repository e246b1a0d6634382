"""Calls functions that make modules, for `infer` and commands; with ``rngs`` if they need some."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from flax import nnx

from .._compat import modules, variables
from ..errors import SchemaError


def abstract_of(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """The abstract module that a function makes.

    Raises:
      SchemaError: the function takes other arguments, or makes no module and no state. Errors of
        its own code are not wrapped.
    """
    try:
        return nnx.eval_shape(lambda: _tree(factory, call(factory, arguments)))
    except TypeError as error:
        if _binds(factory, arguments) or _binds(factory, {**arguments, "rngs": None}):
            raise
        raise SchemaError(f"infer can't call this function: {error}") from None


def call(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """What a function makes; if it needs ``rngs`` and they are not given, it gets some."""
    if "rngs" in arguments or not _asks_for_rngs(factory):
        try:
            return factory(**arguments)
        except TypeError as error:
            if "rngs" not in str(error) or "rngs" in arguments:
                raise
    return factory(**arguments, rngs=nnx.Rngs(0))


def takes(factory: Callable[..., Any], name: str) -> bool:
    """Whether a parameter of a function has this name, as far as its signature says."""
    found = _signature(factory)
    return found is not None and name in found.parameters


def _tree(factory: Callable[..., Any], made: Any) -> Any:
    if modules.is_module(made) or variables.mapping_of(made) is not None:
        return made
    name = getattr(factory, "__name__", type(factory).__name__)
    raise SchemaError(f"infer: {name} makes no module and no state, but {type(made).__name__}")


def _asks_for_rngs(factory: Callable[..., Any]) -> bool:
    found = _signature(factory)
    asked = None if found is None else found.parameters.get("rngs")
    return asked is not None and asked.default is inspect.Parameter.empty


def _binds(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> bool:
    """Whether a function can be called with these arguments alone, as far as its signature says."""
    found = _signature(factory)
    if found is None:
        return False
    try:
        found.bind(**arguments)
    except TypeError:
        return False
    return True


def _signature(factory: Callable[..., Any]) -> inspect.Signature | None:
    """The signature of a function, or of a class's constructor; None if it is not known.

    Flax's metaclass hides that of a module class.
    """
    try:
        if isinstance(factory, type):
            init = cast(Any, factory).__init__
            return inspect.signature(functools.partial(init, None))
        return inspect.signature(factory)
    except (TypeError, ValueError):
        return None
