"""`Bind`, `Scoped`, `Same`: how the dims of a schema belong to those around it."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from .._spec.describe import describe
from .._spec.dims import Expr, Name, evaluate
from .._spec.nodes import (
    Anything,
    Argument,
    Bound,
    FlatSpec,
    Likeness,
    Map,
    SameSpec,
    ScopedSpec,
    Spec,
    StateOfSpec,
)
from ..errors import SchemaError
from .form_class import FormMeta, is_tree, parse_size


def _links(text: Any, owner: str) -> tuple[tuple[str, Expr[str]], ...]:
    if not isinstance(text, str):
        raise SchemaError(f'{owner}: write the dims as one string, e.g. "din=d dout=4*d"')
    links: dict[str, Expr[str]] = {}
    for token in text.split():
        name, equals, value = token.partition("=")
        if not name.isidentifier():
            raise SchemaError(f"{owner}: {name!r} is no dim name; write name or name=size")
        if name in links:
            raise SchemaError(f"{owner}: {name!r} stands there twice")
        expr = parse_size(value, owner) if equals else Name(name)
        if (evaluate(expr, {}) or 0) < 0:
            raise SchemaError(f"{owner}: {value} is no size, as it is below 0")
        links[name] = expr
    return tuple(links.items())


class Bind(metaclass=FormMeta):
    """``Bind[S, "din=d dout=4*d"]``: links, renames and fixes the dims of a schema.

    Left of ``=`` stand dims of S; right of it names of the class or call that writes the
    form, sizes or expressions. ``d`` is short for ``d=d``. On a `StateMap` the only dim is
    ``len``, its number of entries.
    """

    __typedstate_keeps_keys__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, text: str) -> Spec:
        owner = f"Bind[{describe(inner)}, {text!r}]"
        links = _links(text, owner)
        if isinstance(inner, Argument) and isinstance(inner.inner, Map):
            inner = inner.inner
        if isinstance(inner, Map):
            if [name for name, _ in links] != ["len"]:
                raise SchemaError(f"{owner}: the only dim of a StateMap is 'len'")
            return Map(inner.key, inner.entry, links[0][1], inner.container, inner.extra)
        if inner in (Anything(), StateOfSpec(Anything())):  # an open type variable, say
            return inner
        if isinstance(inner, FlatSpec):
            return FlatSpec(Bound(inner.inner, links), inner.separator)
        if not is_tree(inner):
            raise SchemaError(f"{owner}: a leaf names its dims itself; Bind takes a schema")
        return Bound(inner, links)


class Scoped(metaclass=FormMeta):
    """``Scoped[S, "teacher"]``: the names of S, kept apart from those of the call."""

    __typedstate_keeps_keys__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, scope: Any) -> Spec:
        if not isinstance(scope, str) or not scope:
            raise SchemaError(f'Scoped[{describe(inner)}, {scope!r}]: give a name, "teacher"')
        return ScopedSpec(inner, scope)


class Same(metaclass=FormMeta):
    """``Same[H, "T"]``: all trees of a call with this name have like keys, kinds and shapes.

    ``Same[H, "T", "shapes"]`` agrees with them in keys and shapes, an average in float32 of
    bfloat16 parameters say; ``Same[H, "T", "keys"]`` in keys, shardings beside their state say.
    """

    __typedstate_keeps_keys__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, group: Any, by: Any = "structure") -> Spec:
        if not isinstance(group, str) or not group:
            raise SchemaError(f'Same[{describe(inner)}, {group!r}]: give a name, "T"')
        if by not in get_args(Likeness):
            known = ", ".join(map(repr, get_args(Likeness)))
            raise SchemaError(f"Same[{describe(inner)}, {group!r}, {by!r}]: give one of {known}")
        return SameSpec(inner, group, by)
