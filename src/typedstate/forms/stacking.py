"""`Stacked`: adds an axis to the leaves of a schema."""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from .._spec.composition import transformed
from .._spec.describe import describe
from .._spec.dims import Dim, Expr, Name, SingleDim, VariadicDim
from .._spec.filters import Answer, asks_for_kinds, decide, show_filter
from .._spec.nodes import Anything, Array, Bound, Conditional, Leaf, Spec
from .._spec.rewrite import map_value
from .._spec.transform import Impossible, Unchanged
from ..errors import SchemaError
from ..report import Path
from .form_class import FormMeta, parse_size, want_tree


@dataclass(frozen=True, slots=True, repr=False)
class Axis:
    """The axis that `Stacked` inserts: its position, and its name in metadata.

    Attributes:
      index: its position in the stacked array; a negative one counts from the end.
      partition_name: its name in sharding metadata, as ``nnx.PARTITION_NAME`` sets it; None for
        an axis that has an entry there but no name. Without the argument, metadata may have None
        for the axis or lack its entry, as after ``nnx.vmap`` without ``nnx.PARTITION_NAME``.
    """

    index: int = 0
    partition_name: str | EllipsisType | None = ...

    def __repr__(self) -> str:
        """As its user wrote it."""
        return show_axis(self.index, self.partition_name)


class Stacked(metaclass=FormMeta):
    """``Stacked[S, "layers", *filters]``: these leaves have one more axis, leading or `Axis`.

    The state of a module that ``nnx.vmap`` or ``nnx.scan`` has stacked.
    """

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, dim: Any, *filters: Any) -> Spec:
        axes = [item for item in filters if isinstance(item, Axis)] or [Axis()]
        kept = tuple(item for item in filters if not isinstance(item, Axis))
        owner = f"Stacked[{describe(inner)}, {dim!r}]"
        if isinstance(dim, Axis | type) or len(axes) > 1:
            raise SchemaError(f'{owner}: first the axis, e.g. "layers", then one Axis, filters')
        hidden = f"^{dim}"
        stacking = Stacking(hidden, str(dim), axes[0].index, axes[0].partition_name, kept)
        found = transformed(want_tree(inner, "Stacked"), stacking)
        return Bound(found, ((hidden, parse_size(dim, owner)),))


class Stacking(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """The transform of `Stacked`: adds an axis to the selected leaves.

    Attributes:
      dim: the name of the axis inside the form, which is linked to `text`.
      text: the size of the axis as its user wrote it.
      index: the position of the axis in the stacked array; a negative one counts from the end.
      partition: the name of the axis in sharding metadata, None for an entry without name;
        ``...`` if metadata may lack its entry.
      filters: the filters that select leaves; without, all leaves.
    """

    dim: str
    text: str
    index: int
    partition: Any
    filters: tuple[Any, ...]

    @property
    def link(self) -> str | None:
        """The dim of the axis, which has one size in the whole tree."""
        return self.dim

    def bound(self, links: tuple[tuple[str, Expr[str]], ...]) -> Stacking:
        """The same; another name of the axis below a stack whose axis has this one."""
        taken, dim = {name for name, _ in links}, self.dim
        while dim in taken:
            dim = f"^{dim}"
        return self if dim == self.dim else replace(self, dim=dim)

    @property
    def by_path(self) -> bool:
        """Whether filters may read paths."""
        return not all(isinstance(item, type) for item in self.filters)

    @property
    def keeps_values(self) -> bool:
        """False: arrays get an axis."""
        return False

    @property
    def needs_kinds(self) -> bool:
        """Whether a filter may ask for kinds."""
        return asks_for_kinds(self.filters)

    @property
    def needs_arrays(self) -> bool:
        """True: arrays get the axis."""
        return True

    def title(self, name: str) -> str:
        """The name of the form, e.g. ``Stacked[S, "layers"]``."""
        filters = [show_filter(item) for item in self.filters]
        first = self.index == 0 and self.partition is ...
        axis = [] if first else [show_axis(self.index, self.partition)]
        return f"Stacked[{', '.join([name, repr(self.text), *axis, *filters])}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The leaf with the axis, if it is selected; an undecided filter asks the value's leaf."""
        answer = decide(self.filters, path, spec) if self.filters else Answer.YES
        if answer is Answer.NO or isinstance(spec, Anything):
            return spec
        stacked = map_value(spec, self._stack)
        if isinstance(stacked, Leaf) and stacked.names is not None:
            stacked = replace(stacked, names=self._names(spec, stacked.names))
        if isinstance(stacked, Leaf):
            stacked = replace(stacked, stacked=self._unnamed(spec, stacked.stacked))
        if answer is Answer.YES:
            return stacked
        return Conditional(self.filters, path, stacked, spec)

    def _names(self, spec: Spec, names: tuple[Any, ...]) -> tuple[Any, ...]:
        """The axis names with that of the new axis inserted."""
        at, name = self._place(spec), None if self.partition is ... else self.partition
        if at == -1 and name is None:
            return names  # what has no name at the end is not written
        if at < 0:
            raise SchemaError(f"Axis({at}) of a leaf whose rank is open: count from the front")
        if ... in names[:at]:  # the single axes of a run that stand before the new one
            run = names.index(...)
            opened = (*names[:run], *(None,) * (at - run))
            return (*opened, name, *names[run:])
        padded = (*names, *(None,) * (at - len(names)))
        return (*padded[:at], name, *padded[at:])

    def _unnamed(self, spec: Spec, before: tuple[int, ...]) -> tuple[int, ...]:
        """The axes that metadata may lack; the positions of earlier ones move with the new axis."""
        at = self._place(spec)
        behind_front = [one + 1 if one >= at >= 0 else one for one in before]
        moved = [one - 1 if one <= at < 0 and one < 0 else one for one in behind_front]
        return (*moved, at) if self.partition is ... else tuple(moved)

    def _place(self, spec: Spec) -> int:
        """The position of the new axis, counted from the front if the rank is known."""
        value = spec.value if isinstance(spec, Leaf) else spec
        shape = value.shape if isinstance(value, Array) else None
        if self.index >= 0 or shape is None:
            return self.index
        is_open = any(isinstance(dim, VariadicDim) for dim in shape)
        return self.index if is_open else self.index + len(shape) + 1

    def _stack(self, spec: Array | Anything) -> Spec:
        array = spec if isinstance(spec, Array) else Array("", None, None, None)
        return _insert(array, SingleDim(self.text, Name(self.dim)), self.index)


def show_axis(index: int, partition: str | EllipsisType | None) -> str:
    """An axis as text, e.g. ``Axis(1)``."""
    return f"Axis({index})" if partition is ... else f"Axis({index}, {partition!r})"


def _insert(array: Array, new: SingleDim, index: int) -> Array:
    """Inserts an axis; behind a run of axes its position is only known for a real array."""
    shape: tuple[Dim, ...] = (VariadicDim(None),) if array.shape is None else array.shape
    run = next((i for i, dim in enumerate(shape) if isinstance(dim, VariadicDim)), None)
    at = index if index >= 0 else len(shape) + 1 + index
    if run is not None and (array.inserted or (at > run if index >= 0 else at <= run)):
        return replace(array, shape=shape, inserted=(*array.inserted, (index, new)))
    if not 0 <= at <= len(shape):
        axes = f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}"
        raise Impossible(f"Axis({index}) lies beyond the {axes} of a leaf")
    return replace(array, shape=(*shape[:at], new, *shape[at:]))
