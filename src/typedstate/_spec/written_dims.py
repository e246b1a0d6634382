"""Every dim that is written in a spec or in a schema below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from .dim_grammar import show_expr
from .dims import Dim, Name, SingleDim, VariadicDim, names_of
from .node_groups import StateSpec, ValueSpec
from .nodes import Anything, Array, Bound, Node, Spec, Union
from .questions import all_dims, parts, root_of


def spellings(spec: Spec) -> Iterator[str]:
    """Yields every axis that is written in a spec or in a schema below it, as it is written.

    Raises:
      SchemaError: a schema below is not defined yet.
    """
    for dim in _written(spec):
        if isinstance(dim, SingleDim) and dim.expr is not None:
            yield show_expr(dim.expr)


def written_names(spec: Spec) -> Iterator[str]:
    """Yields every name of a dim in a spec or in a schema below it.

    Raises:
      SchemaError: a schema below is not defined yet.
    """
    for dim in _written(spec):
        match dim:
            case VariadicDim(name) if name is not None:
                yield name
            case SingleDim(expr=expr) if expr is not None:
                yield from names_of(expr)
            case _:
                continue


def _written(spec: Spec, seen: frozenset[int] = frozenset()) -> Iterator[Dim]:
    match spec:
        case Array():
            yield from all_dims(spec)
        case Node(ref) if id(root_of(ref)) not in seen:
            schema = ref.resolve()
            below = seen | {id(root_of(ref))}
            for item in schema.fields:
                yield from _written(item.spec, below)
            for pattern in schema.extra.patterns:
                yield from _written(pattern.entry, below)
                if pattern.length is not None:
                    yield SingleDim(show_expr(pattern.length), pattern.length)
        case Bound(inner, links):
            for name, expr in links:
                yield from (SingleDim(name, Name(name)), SingleDim(show_expr(expr), expr))
            yield from _written(inner, seen)
        case Anything() | Union() | ValueSpec() | StateSpec():
            for part in parts(spec):
                yield from _written(part, seen)
        case _:
            assert_never(spec)
