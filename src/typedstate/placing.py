"""Where arrays are: what `Placed` and `Sharded` do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from .dims import Axes, Axis, Expr, Name, names_of, show, substitute
from .spec import (
    Array,
    Bound,
    Leaf,
    Node,
    Path,
    Placed,
    SchemaRef,
    Spec,
    parts,
)
from .transform import Derived, Unchanged


@dataclass(frozen=True, slots=True, eq=False)
class Placing(Unchanged):
    """`Placed`: every array is where its names say.

    Attributes:
      placed: with the rules for logical names.
      form: the name of the form.
    """

    placed: Placed
    form: str = "Placed"

    def title(self, name: str) -> str:
        """``Placed[S]``."""
        return f"{self.form}[{name}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Arrays, also raw ones, are looked at."""
        if isinstance(spec, Leaf):
            return replace(spec, placed=self.placed)
        return Leaf(None, spec, placed=self.placed) if isinstance(spec, Array) else spec


@dataclass(frozen=True, slots=True, eq=False)
class Naming(Unchanged):
    """`Sharded`: axis names by dims, where a leaf declares none.

    A dim is found by its name where it is written, or by that of a schema that links it.

    Attributes:
      text: what the user wrote.
      table: the axis names of each dim, by its text.
      groups: the links around each schema that was entered, the innermost first.
      pending: the links since then, the innermost first.
    """

    text: str
    table: Mapping[str, Any]
    groups: tuple[tuple[Links, ...], ...] = ()
    pending: tuple[Links, ...] = ()

    def title(self, name: str) -> str:
        """``Sharded[S, "d=fsdp"]``."""
        return f"Sharded[{name}, {self.text!r}]"

    def entered(self) -> Naming:
        """A new schema: only what is linked is known outside of it."""
        return replace(self, groups=(self.pending, *self.groups), pending=())

    def bound(self, links: Links) -> Naming:
        """Names stand for expressions over the outer ones."""
        return replace(self, pending=(links, *self.pending))

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The leaf with names for all its axes; a mesh axis splits the first that has it."""
        if isinstance(spec, Leaf) and spec.names is not None:
            return spec
        array = spec.value if isinstance(spec, Leaf) else spec
        if not isinstance(array, Array) or array.shape is None:
            return spec
        names: list[Any] = []
        used: set[Any] = set()
        for dim in array.shape:
            entry = ... if isinstance(dim, Axes) else self._entry(dim)
            axes: set[Any] = (
                set(cast(Any, entry)) if isinstance(entry, tuple) else {entry} - {None, ...}
            )
            names.append(None if axes & used else entry)
            used |= axes
        leaf = spec if isinstance(spec, Leaf) else Leaf(None, spec)
        return replace(leaf, names=tuple(names), by_dims=True)

    def _entry(self, dim: Axis) -> Any:
        if dim.expr is None:
            return None
        found = {text: self.table[text] for text in self._spellings(dim.expr) if text in self.table}
        return list(found.values())[-1] if found else None

    def _spellings(self, expr: Expr[str]) -> Iterator[str]:
        """The dim as it is written here, and in every schema that links it, outwards."""
        yield show(expr)
        for links in self.pending:
            expr = _relinked(expr, links)
            yield show(expr)
        for group in self.groups:
            own = set(names_of(expr))
            for links in group:
                own -= {name for name, _ in links}
                expr = _relinked(expr, links)
                yield show(expr)
            if own:
                return


Links = tuple[tuple[str, Expr[str]], ...]


def _relinked(expr: Expr[str], links: Links) -> Expr[str]:
    table = dict(links)
    return substitute(expr, lambda name: table.get(name) or Name(name))


def spellings(spec: Spec, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """Yields every dim that is written in a spec or in a schema below it.

    Raises:
      SchemaError: a schema below is not defined yet.
    """
    match spec:
        case Array(shape=shape) if shape is not None:
            for dim in shape:
                if isinstance(dim, Axis) and dim.expr is not None:
                    yield show(dim.expr)
        case Node(ref) if id(_root(ref)) not in seen:
            schema = ref.resolve()
            below = seen | {id(_root(ref))}
            for item in schema.fields:
                yield from spellings(item.spec, below)
            for _, inner in schema.extra.patterns:
                yield from spellings(inner, below)
        case Bound(inner, links):
            for name, expr in links:
                yield from (name, show(expr))
            yield from spellings(inner, seen)
        case _:
            for part in parts(spec):
                yield from spellings(part, seen)


def _root(ref: SchemaRef) -> SchemaRef:
    while isinstance(ref, Derived):
        ref = ref.base
    return ref
