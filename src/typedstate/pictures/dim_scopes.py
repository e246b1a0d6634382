"""`DimScope`: resolves the names of dims in a schema to the names of the whole picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from .._spec.dim_grammar import show_expr
from .._spec.dims import Dim, Expr, Fixed, Name, SingleDim, names_of, substitute
from .._spec.nodes import Anything, Argument, Array, SchemaRef, Spec
from .._spec.questions import all_dims
from .._spec.rewrite import map_value
from .._spec.unrolling import run_of
from ..rendering.dim_colors import bound_pieces, pieces

Links = Mapping[str, Expr[str]]
_HIDDEN: Final = "^"  # begins a name that a form has made; what follows is what its user wrote


@dataclass(frozen=True, slots=True)
class DimScope:
    """One occurrence of a schema in a picture.

    Attributes:
      place: the path of the occurrence as text; empty for the outermost.
      links: names of this scope, each as an expression over the names of `outer`.
      outer: the scope of the enclosing schema; None for the outermost.
      ref: the schema; None for the scope of a `Bind`, whose names without link are those of
        `outer`.
    """

    place: str = ""
    links: Links = field(default_factory=dict[str, Expr[str]])
    outer: DimScope | None = None
    ref: SchemaRef | None = None

    def meaning(self, name: str) -> Expr[str]:
        """A name of this scope as an expression over the names of the whole picture."""
        if self.outer is not None:
            if (found := self.links.get(name)) is not None:
                return substitute(found, self.outer.meaning)
            if self.ref is None:
                return self.outer.meaning(name)
        return Name(f"{name} of {self.place}" if self.place else name)

    def argument(self, spec: Argument, place: str) -> tuple[DimScope, str]:
        """The scope in which a type argument was written, and one place for all its uses there."""
        scope: DimScope | None = self
        while scope is not None:
            if scope.ref is not None and spec.owner in scope.ref.owners:
                return scope.outer or DimScope(), f"{scope.place}[{'.'.join(map(str, spec.index))}]"
            scope = scope.outer
        return self, place

    def names(self, text: str, bound: str = "") -> dict[str, str]:
        """The dims of the names in a text and in links; empty for a number."""
        written = (*pieces(text, {}), *bound_pieces(bound, {}, {}))
        return {name: self._named(name) for _, name in written if name}

    def _named(self, name: str) -> str:
        hidden = f"{_HIDDEN}{name}"
        return self.dim(Name(hidden if hidden in self.links else name))

    def dim(self, expr: Expr[str]) -> str:
        """The dim of an expression in the whole picture, as text; empty for a number."""
        meaning = substitute(expr, self.meaning)
        return "" if isinstance(meaning, Fixed) else show_expr(meaning).replace(_HIDDEN, "")


def told_apart(spec: Spec, scope: DimScope) -> tuple[Spec, dict[str, str]]:
    """A leaf in which the axes of stacks have names of their own, and the dim of each such name.

    Stacks within stacks may have given one name to several axes; the second is ``n2`` then.
    """
    given: dict[str, str] = {}

    def change(array: Array | Anything) -> Spec:
        if isinstance(array, Anything):
            return array
        for dim in all_dims(array):
            for name in _names(dim):
                if not name.startswith(_HIDDEN):
                    given[name] = scope.dim(Name(name))
        inserted = ((at, named(axis)) for at, axis in array.inserted)
        shape = None if array.shape is None else tuple(map(apart, array.shape))
        return replace(array, shape=shape, inserted=tuple(inserted))

    def apart(dim: Dim) -> Dim:
        is_axis = any(name.startswith(_HIDDEN) for name in _names(dim))
        return named(dim) if is_axis and isinstance(dim, SingleDim) else dim

    def named(dim: SingleDim) -> SingleDim:
        if dim.expr is None or not dim.text.isidentifier():
            return dim
        meaning, text, count = scope.dim(dim.expr), dim.text, 1
        while given.setdefault(text, meaning) != meaning:
            count += 1
            text = f"{dim.text}{count}"
        return replace(dim, text=text)

    return map_value(spec, change), given


def _names(dim: Dim) -> list[str]:
    return [*names_of(dim.expr)] if isinstance(dim, SingleDim) and dim.expr is not None else []


def within(links: Links, more: Links) -> dict[str, Expr[str]]:
    """Combines the links of a `Bind` and of the `Bind` around it."""
    inner = {name: substitute(expr, lambda n: links.get(n, Name(n))) for name, expr in more.items()}
    return {**links, **inner}


def shown(links: Links, names: list[str]) -> str:
    """Links as a `Bind` has them: those of the names given, but what a form's title says."""
    runs: dict[str, list[str]] = {}
    for name, expr in links.items():
        if (run := run_of(name)) is not None:
            runs.setdefault(run, []).append(_plain(expr))
    single = [name for name in links if run_of(name) is None]
    pairs = [
        (name.lstrip(_HIDDEN), name, show_expr(links[name]).replace(_HIDDEN, "")) for name in single
    ]
    told = [
        name if name == to else f"{name}={to}"
        for name, key, to in pairs
        if key in names and not (key != name and to == name)
    ]
    told += [f"*{run}={' '.join(_axes(axes))}" for run, axes in runs.items()]
    return " ".join(told)


def _axes(axes: list[str]) -> list[str]:
    """The axes of a run; another run that has them all once."""
    return axes[:1] if axes[0].startswith("*") else axes


def _plain(expr: Expr[str]) -> str:
    """An axis of a run, which may be an axis of another one."""
    run = run_of(expr.name) if isinstance(expr, Name) else None
    return show_expr(expr).replace(_HIDDEN, "") if run is None else f"*{run}"
