"""Where arrays are: what `Placed` and `Sharded` do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from .axis_names import axes_of
from .dataclass import dataclass
from .describe import describe
from .dims import Axes, Axis, Dim, Expr, Name, names_of, show, substitute
from .errors import SchemaError
from .spec import (
    Array,
    Bound,
    Guarded,
    Leaf,
    Node,
    OneOf,
    Path,
    Placed,
    Spec,
    all_dims,
    parts,
)
from .transform import Unchanged, root_of


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
            known = spec.placed is not None and self.placed.rules is None
            return spec if known else replace(spec, placed=self.placed)
        return Leaf(None, spec, placed=self.placed) if isinstance(spec, Array) else spec


@dataclass(frozen=True, slots=True, eq=False)
class Naming(Unchanged):
    """`Sharded`: axis names by dims, where a leaf declares none of its own.

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
        """The leaf with names for all its axes; a mesh axis splits the first that has it.

        Names of another `Sharded`, or that a `Like` took over, stay where this one is silent.
        """
        leaf = spec if isinstance(spec, Leaf) else Leaf(None, spec)
        shape = _shape_of(leaf.value)
        if shape is None or (leaf.names is not None and not leaf.by_dims):
            return spec
        self._refuse_open_places(leaf.value)
        before = leaf.names or ()
        if any(isinstance(dim, Axes) for dim in shape) and before and len(before) != len(shape):
            return spec  # names of each axis, over a run of which the number is open
        names = [... if isinstance(dim, Axes) else self._entry(dim) for dim in shape]
        used: set[Any] = set()
        for axis in sorted(range(len(names)), key=lambda axis: names[axis] is _SILENT):
            if names[axis] is _SILENT:
                names[axis] = before[axis] if axis < len(before) else None
            axes = {name for name in axes_of(names[axis]) if name is not ...}
            names[axis] = None if axes & used else names[axis]
            used |= axes
        return replace(leaf, names=tuple(names), by_dims=True)

    def _refuse_open_places(self, value: Spec) -> None:
        for index, dim in value.inserted if isinstance(value, Array) else ():
            if self._entry(dim) is not _SILENT:
                text = f"Axis({index}) of {describe(value)} can't be given a name"
                raise SchemaError(f"Sharded[..., {self.text!r}]: {text}: its place is open")

    def _entry(self, dim: Axis) -> Any:
        if dim.expr is None:
            return _SILENT
        found = [self.table[text] for text in self._spellings(dim.expr) if text in self.table]
        return found[-1] if found else _SILENT

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
_SILENT: Final[Any] = object()


def _shape_of(value: Spec) -> tuple[Dim, ...] | None:
    """The shape of the array that a leaf holds; None where it is open, or holds several."""
    match value:
        case Array(shape=shape):
            return shape
        case Guarded(inner=inner):
            return _shape_of(inner)
        case OneOf(options):
            shapes = {_shape_of(option) for option in options} - {None}
            return shapes.pop() if len(shapes) == 1 else None
        case _:
            return None


def _relinked(expr: Expr[str], links: Links) -> Expr[str]:
    table = dict(links)
    return substitute(expr, lambda name: table.get(name) or Name(name))


def spellings(spec: Spec) -> Iterator[str]:
    """Yields every axis that is written in a spec or in a schema below it, as it is written.

    Raises:
      SchemaError: a schema below is not defined yet.
    """
    for dim in _written(spec):
        if isinstance(dim, Axis) and dim.expr is not None:
            yield show(dim.expr)


def written_names(spec: Spec) -> Iterator[str]:
    """Yields every name of a dim in a spec or in a schema below it.

    Raises:
      SchemaError: a schema below is not defined yet.
    """
    for dim in _written(spec):
        match dim:
            case Axes(name) if name is not None:
                yield name
            case Axis(expr=expr) if expr is not None:
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
            for _, inner in schema.extra.patterns:
                yield from _written(inner, below)
        case Bound(inner, links):
            for name, expr in links:
                yield from (Axis(name, Name(name)), Axis(show(expr), expr))
            yield from _written(inner, seen)
        case _:
            for part in parts(spec):
                yield from _written(part, seen)
