"""Runs of axes that a `Bind` fixes: ``*window=3 3`` puts two axes in the place of ``*window``."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec.structs import replace

from ..report import Path
from .dim_grammar import show_expr
from .dims import Dim, Expr, Name, SingleDim, VariadicDim
from .nodes import Anything, Array, Leaf, Partition, Spec
from .questions import one_of
from .rewrite import map_value
from .transform import Unchanged

#: The names of runs, each with the text of its axes.
Runs = tuple[tuple[str, tuple[str, ...]], ...]
Links = tuple[tuple[str, Expr[str]], ...]
_AXIS: Final = re.compile(r"\^\*(.+)\[(\d+)\]")


def axis_name(run: str, index: int) -> str:
    """The name of one axis of a run, which no text can name."""
    return f"^*{run}[{index}]"


def run_of(name: str) -> str | None:
    """The run of which a name is an axis; None where it is none."""
    found = _AXIS.fullmatch(name)
    return None if found is None else found[1]


def links_of_run(run: str, axes: tuple[Expr[str], ...]) -> Links:
    """What the names of a run's axes stand for."""
    return tuple((axis_name(run, index), expr) for index, expr in enumerate(axes))


class Unrolling(Unchanged, msgspec.Struct, frozen=True):
    """A `Bind` of runs: each is so many axes, and every axis has a name of its own.

    Attributes:
      asked: the runs that the `Bind` names, for the schemas that are entered next; None within
        a schema where no `Bind` has been passed.
      own: those of the schema that was entered.
      outside: those of the `Bind` around it, for type arguments.
    """

    asked: Runs | None
    own: Runs = ()
    outside: Runs = ()

    def title(self, name: str) -> str:
        """The name of the schema itself, as with other dims of a `Bind`."""
        return name

    def entered(self, path: Path) -> Unrolling:
        """A new schema: it has the runs of the `Bind` around it, and otherwise its own."""
        return Unrolling(None, self.asked or (), self.asked or ())

    def written_around(self) -> Unrolling:
        """A type argument has the runs of what stands around the generic schema."""
        return Unrolling(self.outside)

    def bound(self, links: Links) -> Unrolling:
        """Runs below have the names that are linked to those above."""
        known, linked = dict(self._around), {name for name, _ in links}
        renamed = tuple(
            (name, known[expr.name])
            for name, expr in links
            if isinstance(expr, Name) and expr.name in known
        )
        passed = tuple(item for item in self.asked or () if item[0] not in linked)
        return replace(self, asked=(*passed, *renamed))

    def relinked(self, links: Links) -> Links:
        """A link to a run as one for each of its axes."""
        known, found = dict(self._around), list[tuple[str, Expr[str]]]()
        for name, expr in links:
            if isinstance(expr, Name) and expr.name in known:
                axes = tuple[Expr[str], ...](
                    Name(axis_name(expr.name, index)) for index in range(len(known[expr.name]))
                )
                found += links_of_run(name, axes)
            else:
                found.append((name, expr))
        return tuple(found)

    @property
    def _around(self) -> Runs:
        """The runs that a `Bind` which stands here may link to."""
        return self.own if self.asked is None else self.asked

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Its arrays have so many axes."""
        known = dict(self._around)
        if not known:
            return spec

        def change(array: Array | Anything) -> Spec:
            return _unrolled(array, known) if isinstance(array, Array) else array

        value = spec.value if isinstance(spec, Leaf) else spec
        if isinstance(value, Partition):
            shapes = [] if value.shape is None else _shapes(value.shape, known)
            new: Spec = replace(value, shape=shapes[0]) if len(shapes) == 1 else value
        else:
            new = map_value(value, change)
        return replace(spec, value=new) if isinstance(spec, Leaf) else new


def _unrolled(array: Array, known: dict[str, tuple[str, ...]]) -> Spec:
    if array.shape is None:
        return array
    shapes = _shapes(array.shape, known)
    return one_of(tuple(replace(array, shape=shape) for shape in shapes))


def _shapes(shape: tuple[Dim, ...], known: dict[str, tuple[str, ...]]) -> list[tuple[Dim, ...]]:
    """The shapes with the axes of a run; of one that is broadcast, also with fewer of them."""
    for index, dim in enumerate(shape):
        if not isinstance(dim, VariadicDim) or dim.name not in known or dim.per_leaf:
            continue
        axes = tuple(
            SingleDim(text, Name(axis_name(dim.name, place)), dim.broadcast)
            for place, text in enumerate(known[dim.name])
        )
        fewest = 0 if dim.broadcast else len(axes)
        counts = range(len(axes), fewest - 1, -1)
        return [
            (*shape[:index], *axes[len(axes) - count :], *shape[index + 1 :]) for count in counts
        ]
    return [shape]


def texts(axes: tuple[Expr[str], ...]) -> tuple[str, ...]:
    """The axes of a run as they are shown."""
    return tuple(map(show_expr, axes))
