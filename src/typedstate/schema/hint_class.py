"""Hint classes: what `TypedState`, `StateMap` and every form are at run time.

A hint class is an ordinary class whose metaclass answers ``isinstance`` by its spec, so
that beartype, typeguard, pydantic and plain Python enforce it. It is never instantiated.
"""

from __future__ import annotations

import copyreg
import operator
from collections.abc import Callable, Hashable, Mapping
from typing import Any, cast
from weakref import WeakValueDictionary

from flax import nnx

from .. import checking as checks
from .._annotations.context import Context
from .._compat import variables
from .._fastpath import judge
from .._spec.composition import transformed
from .._spec.nodes import Spec
from .._spec.selecting import Selecting
from ..errors import SchemaError


class HintMeta(type):
    """The metaclass of hint classes.

    Attributes:
      __typedstate_build__: makes the spec; called once, at the first use of the hint.
      __typedstate_known__: the cache of accepted values; not shared with a base.
      __typedstate_written__: for a subscription, the form or generic class, and its arguments.
    """

    __typedstate_build__: Callable[[], Spec] | None
    __typedstate_cached__: Spec | None
    __typedstate_known__: judge.Known | None
    __typedstate_written__: tuple[Any, tuple[Any, ...]] | None

    def __init__(cls, *args: Any, **kwargs: Any) -> None:
        """Knows nothing yet."""
        super().__init__(*args)
        cls.__typedstate_known__ = None
        cls.__typedstate_written__ = None

    def __typedstate_spec__(cls, context: Context | None = None) -> Spec:
        """The spec of this hint; raises SchemaError if it means nothing."""
        spec = cls.__dict__.get("__typedstate_cached__")
        if spec is None:
            build = cls.__dict__.get("__typedstate_build__")
            if build is None:
                where = "" if context is None or context.owner == cls.__name__ else context.owner
                text = f"{cls.__name__} alone describes nothing: {_usage(cls)}"
                raise SchemaError(f"{where}: {text}" if where else text)
            spec = build()
            cls.__typedstate_cached__ = spec
        return cast(Spec, spec)

    def __instancecheck__(cls, value: object) -> bool:
        """Whether a value is a tree of this kind."""
        if value is None:  # beartype asks this of every hint when it decorates
            return False
        return judge.holds(value, cls)

    def __instancecheck_str__(cls, value: object) -> str:
        """Why a value is none, for beartype and jaxtyping; empty where it is one."""
        report = checks.explain(value, cls)
        return "" if report else _reason(report.lines(indent=""), report.hint)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Checks a mapping and returns it as a plain ``nnx.State``."""
        if len(args) != 1 or kwargs:
            raise TypeError(f"{cls.__name__} takes one mapping of keys to leaves")
        value: Any = args[0]
        mapping = None if variables.is_state(value) else variables.mapping_of(value)
        return checks.check(value if mapping is None else nnx.State(mapping), cast(Any, cls))

    def of(cls, node_or_state: Any, *filters: Any, dims: Mapping[str, int] | None = None) -> Any:
        """The state of a node, or a state itself, once it is checked.

        Args:
          node_or_state: a module or another node, or its state.
          filters: only the leaves that any of them selects, as in ``Only[S, *filters]``.
          dims: sizes of the outermost names, e.g. from a configuration.

        Raises:
          StateTypeError: it does not fit.
        """
        return checks.checked_state(_selected(cls, filters), node_or_state, filters, dims)

    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """The validator for fields of pydantic models: the same check as everywhere."""
        from .pydantic import field_schema

        return field_schema(cls)

    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        """The JSON schema that ``model_json_schema`` shows for a field of this type."""
        from .pydantic import json_schema

        return json_schema(cls)


def _selected(hint: HintMeta, filters: tuple[Any, ...]) -> HintMeta:
    """The hint class of ``Only[hint, *filters]``; the hint itself if there are no filters."""
    if not filters:
        return hint
    selecting = Selecting(filters, keep=True)
    spec = transformed(hint.__typedstate_spec__(), selecting)
    return make(selecting.title(hint.__name__), (selecting,), lambda: spec, _Selected)


def _reason(lines: list[str], hint: str) -> str:
    shown = "; ".join(lines[:3])
    more = f"; and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"does not fit {hint}: {shown}{more}"


def _usage(cls: type) -> str:
    return (cls.__doc__ or "subscript it").splitlines()[0].replace("``", "")


made: WeakValueDictionary[Hashable, HintMeta] = WeakValueDictionary()


def reduced(hint: type) -> Any:
    """For ``pickle``: a hint class is stored by its name, or as form and arguments."""
    written: tuple[Any, Any] | None = hint.__dict__.get("__typedstate_written__")
    return hint.__qualname__ if written is None else (operator.getitem, written)


copyreg.pickle(cast(Any, HintMeta), reduced)


def make(
    name: str,
    key: Hashable,
    build: Callable[[], Spec],
    base: type,
) -> HintMeta:
    """Makes the hint class of a subscription, or gives the one that lives already."""
    found = made.get(key)
    if found is None:
        body = {
            "__module__": base.__module__,
            "__typedstate_build__": staticmethod(build),
        }
        found = HintMeta(name, (base,), body)
        made[key] = found
    return found


class _Selected(metaclass=HintMeta):
    """A hint of the leaves that ``S.of(node, *filters)`` selects."""
