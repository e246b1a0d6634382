"""`Bind`, `Scoped`, `Same`: link the dims of a schema to those around it, or keep them apart."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from .._spec.describe import describe
from .._spec.dims import Expr, Name, evaluate
from .._spec.nodes import (
    Anything,
    Argument,
    Bound,
    FlatSpec,
    Map,
    SameSpec,
    ScopedSpec,
    Spec,
    StateOfSpec,
)
from .._spec.rewrite import rewrite
from .._spec.unrolling import Links, Unrolling, links_of_run, texts
from .._spec.words import Likeness
from ..errors import SchemaError
from .form_class import FormMeta, is_tree, parse_size


def _links(text: Any, owner: str) -> tuple[Links, dict[str, tuple[Expr[str], ...]]]:
    """The links of single names, and those of runs to the sizes of their axes."""
    if not isinstance(text, str):
        raise SchemaError(f'{owner}: write the dims as one string, e.g. "din=d dout=4*d"')
    links: dict[str, Expr[str]] = {}
    runs: dict[str, tuple[Expr[str], ...]] = {}
    open_: str | None = None
    for token in text.split():
        name, equals, value = token.partition("=")
        is_run, name = name.startswith("*"), name.removeprefix("*")
        if open_ is not None and not equals and not is_run:
            runs[open_] += (_size(token, owner),)
            continue
        if not name.isidentifier():
            raise SchemaError(f"{owner}: {name!r} is no dim name; write name or name=size")
        if name in links or name in runs:
            raise SchemaError(f"{owner}: {name!r} stands there twice")
        open_ = None
        if is_run and equals and not value.startswith("*"):
            runs[name] = (_size(value, owner),) if value else ()
            open_ = name
        elif not is_run and value.startswith("*"):
            raise SchemaError(f"{owner}: {value} is a run of axes; write *{name}={value}")
        else:
            value = value.removeprefix("*")
            links[name] = _size(value, owner) if equals else Name(name)
    return tuple(links.items()), runs


def _size(text: str, owner: str) -> Expr[str]:
    size = parse_size(text, owner)
    if (evaluate(size, {}) or 0) < 0:
        raise SchemaError(f"{owner}: {text} is no size, as it is below 0")
    return size


def _unrolled(inner: Spec, links: Links, runs: dict[str, tuple[Expr[str], ...]]) -> Spec:
    """A schema with links for its names; runs that are fixed are single axes in it."""
    if runs:
        asked = tuple((name, texts(axes)) for name, axes in runs.items())
        inner = rewrite(inner, Unrolling(asked)) or inner
        links += tuple(link for name, axes in runs.items() for link in links_of_run(name, axes))
    return Bound(inner, links)


class Bind(metaclass=FormMeta):
    """``Bind[S, "din=d dout=4*d"]``: links, renames and fixes the dims of a schema.

    Left of ``=`` are dims of S; right of it are names of the class or call that contains the
    form, sizes or expressions. ``d`` is short for ``d=d``. On a `StateMap` the only dim is
    ``len``, its number of entries.

    A run of axes takes all sizes up to the next ``=``: ``Bind[ConvState, "din=3 *window=3 k"]``
    has two axes in the place of ``*window``, and none with ``*window=``.
    """

    __typedstate_keeps_keys__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, text: str) -> Spec:
        owner = f"Bind[{describe(inner)}, {text!r}]"
        links, runs = _links(text, owner)
        if isinstance(inner, Argument) and isinstance(inner.inner, Map):
            inner = inner.inner
        if isinstance(inner, Map):
            if [name for name, _ in links] != ["len"] or runs:
                raise SchemaError(f"{owner}: the only dim of a StateMap is 'len'")
            return Map(inner.key, inner.entry, links[0][1], inner.container, inner.extra)
        if inner in (Anything(), StateOfSpec(Anything())):  # an open type variable, say
            return inner
        if isinstance(inner, FlatSpec):
            return FlatSpec(_unrolled(inner.inner, links, runs), inner.separator)
        if not is_tree(inner):
            raise SchemaError(f"{owner}: a leaf names its dims itself; Bind takes a schema")
        return _unrolled(inner, links, runs)


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
