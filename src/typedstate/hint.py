"""Hint classes: what `TypedState`, `StateMap` and every form are at run time.

A hint class is an ordinary class whose metaclass answers ``isinstance`` by its spec, so
that beartype, typeguard, pydantic and plain Python enforce it. It is never instantiated.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast
from weakref import WeakValueDictionary

from flax import nnx

from . import checking as checks, leaves
from .describe import class_name, describe
from .errors import SchemaError
from .parse import Context, NotYet, array, is_jaxtyped, parse
from .spec import Spec


class HintMeta(type):
    """The metaclass of hint classes.

    Attributes:
      __typedstate_build__: makes the spec; called once, when the hint is first used.
      __typedstate_known__: what was accepted; never that of a base.
    """

    __typedstate_build__: Callable[[], Spec] | None
    __typedstate_cached__: Spec | None
    __typedstate_known__: checks.Known | None

    def __init__(cls, *args: Any, **kwargs: Any) -> None:
        """Knows nothing yet."""
        super().__init__(*args)
        cls.__typedstate_known__ = None

    def __typedstate_spec__(cls, context: Context | None = None) -> Spec:
        """The spec of this hint; raises SchemaError where it means nothing."""
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
        return checks.holds(value, cls)

    def __instancecheck_str__(cls, value: object) -> str:
        """Why a value is none, for beartype and jaxtyping; empty where it is one."""
        report = checks.explain(value, cls)
        return "" if report else _reason(report.lines(indent=""), report.hint)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Checks a mapping and returns it as a plain ``nnx.State``."""
        if len(args) != 1 or kwargs:
            raise TypeError(f"{cls.__name__} takes one mapping of keys to leaves")
        value: Any = args[0]
        mapping = None if leaves.is_state(value) else leaves.mapping_of(value)
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
        return checks.of(cls, node_or_state, filters, dims)

    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """How pydantic validates a field of this type: by the same check."""
        from .integrations.pydantic import field_schema

        return field_schema(cls)

    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        """How ``model_json_schema`` shows a field of this type."""
        from .integrations.pydantic import json_schema

        return json_schema(cls)


def _reason(lines: list[str], hint: str) -> str:
    shown = "; ".join(lines[:3])
    more = f"; and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"does not fit {hint}: {shown}{more}"


def _usage(cls: type) -> str:
    return (cls.__doc__ or "subscript it").splitlines()[0].replace("``", "")


_made: WeakValueDictionary[Hashable, HintMeta] = WeakValueDictionary()


def make(name: str, key: Hashable, build: Callable[[], Spec], base: type) -> HintMeta:
    """Makes the hint class of a subscription, or gives the one that lives already."""
    found = _made.get(key)
    if found is None:
        body = {"__module__": base.__module__, "__typedstate_build__": staticmethod(build)}
        found = HintMeta(name, (base,), body)
        _made[key] = found
    return found


class Deferred:
    """A form applied to a type variable or to a name that is not there yet.

    It becomes a spec where the generic schema is subscripted or the name is looked up.
    """

    def __init__(self, form: Any, args: tuple[Any, ...]) -> None:
        """Keeps what was subscripted with what."""
        self.form = form
        self.args = args
        self.__parameters__ = tuple(dict.fromkeys(_type_variables(args)))

    def __typedstate_spec__(self, context: Context) -> Spec:
        """The form's spec, once its arguments have one."""
        args = tuple(_resolved(arg, context) for arg in self.args)
        # type variables that are left are those of the class itself, not of a base
        return parse(self.form[args], replace(context, typevars={}))

    def __getitem__(self, items: Any) -> Any:
        """Puts types in the place of the type variables."""
        given: tuple[Any, ...] = cast(Any, items if isinstance(items, tuple) else (items,))
        table = dict(zip(self.__parameters__, given, strict=True))
        return self.form[tuple(_substitute(arg, table) for arg in self.args)]

    def __or__(self, other: Any) -> Any:
        """A union."""
        return typing.Union[self, other]  # noqa: UP007

    def __ror__(self, other: Any) -> Any:
        """A union."""
        return typing.Union[other, self]  # noqa: UP007

    def __call__(self) -> Any:
        """Never: ``typing`` wants types to be callable."""
        raise TypeError(f"{self!r} is a hint")

    def __repr__(self) -> str:
        """As its user wrote it."""
        return f"{self.form.__name__}[{', '.join(map(show_argument, self.args))}]"


def is_open(arg: Any) -> bool:
    """Whether an argument of a form can't be parsed before a name or type is known."""
    return isinstance(arg, TypeVar | Deferred | typing.ForwardRef) or bool(
        getattr(arg, "__parameters__", ()) and not isinstance(arg, type)
    )


def _type_variables(args: tuple[Any, ...]) -> list[TypeVar]:
    found: list[TypeVar] = []
    for arg in args:
        found += [arg] if isinstance(arg, TypeVar) else getattr(arg, "__parameters__", ())
    return found


def _resolved(arg: Any, context: Context) -> Any:
    """An argument with its names looked up and its type variables replaced."""
    if isinstance(arg, TypeVar):
        return context.typevars.get(arg, arg.__bound__ or Any)
    if isinstance(arg, typing.ForwardRef):
        return context.resolve(arg.__forward_arg__)
    if isinstance(arg, Deferred):
        return arg.form[tuple(_resolved(inner, context) for inner in arg.args)]
    if is_open(arg):
        return arg[tuple(context.typevars.get(var, Any) for var in arg.__parameters__)]
    return arg


def _substitute(arg: Any, table: dict[TypeVar, Any]) -> Any:
    if isinstance(arg, TypeVar):
        return table.get(arg, arg)
    if isinstance(arg, Deferred):
        return arg.form[tuple(_substitute(inner, table) for inner in arg.args)]
    if is_open(arg) and not isinstance(arg, typing.ForwardRef):
        return arg[tuple(table.get(var, var) for var in arg.__parameters__)]
    return arg


def show_argument(arg: Any) -> str:
    """An argument of a subscription as its user wrote it."""
    if isinstance(arg, typing.ForwardRef):
        return repr(arg.__forward_arg__)
    if arg is Ellipsis:
        return "..."
    origin, args = typing.get_origin(arg), typing.get_args(arg)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(show_argument, args))
    if isinstance(origin, type) and args:
        return f"{origin.__name__}[{', '.join(map(show_argument, args))}]"
    if isinstance(arg, type):
        if is_jaxtyped(arg):
            return describe(array(arg, Context("")))
        return "None" if arg is types.NoneType else class_name(arg)
    return repr(arg).replace("typing.", "")


__all__ = ["Deferred", "HintMeta", "NotYet", "is_open", "make", "show_argument"]
