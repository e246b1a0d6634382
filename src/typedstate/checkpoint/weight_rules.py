"""`Rule`: says how foreign tensors become leaves; `Use` is a rule applied to one leaf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from .name_patterns import filled, holes, path_of, source_pattern
from .rearrange import Axes, AxesError, Shape
from .stored import Path, StoredLeaf

_TRANSPOSE: Final = Axes.parse("o i -> i o")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a mapping.

    ``{i}`` in names stands for a number; a hole of `source` that `target` doesn't have is stacked
    over. What happens to an array, in this order: it is split, its axes are rearranged, the
    pieces are concatenated or stacked, the result is cast.

    Attributes:
      source: a tensor's name; several for tensors that are concatenated along `concat`.
      target: a leaf's path, ``blocks[{i}].attn.query.kernel``; several for the pieces of a
        tensor that is split along `split`, or for copies of one that is tied.
      axes: a rearrangement as einops writes it, e.g. ``"(heads hd) d -> d heads hd"``.
      transpose: short for ``axes="o i -> i o"``.
      split: the axis of the source along which it is split.
      sizes: the sizes of the pieces along `split`; without, the pieces are equal.
      concat: the axis of the target along which several sources are concatenated.
      stack: the position of the new axis along which the entries of a hole are stacked.
      dtype: what the result is cast to.
    """

    source: str | tuple[str, ...]
    target: str | tuple[str, ...]
    axes: str = ""
    transpose: bool = False
    split: int | None = None
    sizes: tuple[int, ...] = ()
    concat: int | None = None
    stack: int = 0
    dtype: Any = None
    _axes: Axes | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises SchemaError for a combination of fields that means nothing."""
        if self.axes and self.transpose:
            raise AxesError(f"{self.targets[0]}: axes= or transpose=True, not both")
        axes = Axes.parse(self.axes) if self.axes else _TRANSPOSE if self.transpose else None
        object.__setattr__(self, "_axes", axes)
        sources, targets = len(self.sources), len(self.targets)
        if sources > 1 and self.concat is None:
            raise AxesError(f"{self.targets[0]}: several sources want concat=")
        if self.split is not None and targets < 2:
            raise AxesError(f"{self.targets[0]}: split= wants several targets")
        if self.concat is not None and self.split is not None:
            raise AxesError(f"{self.targets[0]}: split= or concat=, not both")
        if self.sizes and len(self.sizes) != targets:
            raise AxesError(f"{self.targets[0]}: as many sizes= as targets")
        known = set(holes(self.sources[0]))
        for text in (*self.sources, *self.targets):
            if not set(holes(text)) <= known:
                raise AxesError(f"{text!r}: a hole that {self.sources[0]!r} doesn't have")
        if len(self.stacked) > 1:
            raise AxesError(f"{self.targets[0]}: only one hole can be stacked over")

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the tensors, also of a single one."""
        return (self.source,) if isinstance(self.source, str) else self.source

    @property
    def targets(self) -> tuple[str, ...]:
        """The paths of the leaves, also of a single one."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def stacked(self) -> tuple[str, ...]:
        """The hole whose numbers are stacked; empty if none is."""
        kept = {name for text in self.targets for name in holes(text)}
        return tuple(name for name in holes(self.sources[0]) if name not in kept)

    def piece(self, shape: Shape, index: int) -> tuple[int, int]:
        """Start and end of one target's piece along the split axis."""
        assert self.split is not None
        size = shape[self.split] if -len(shape) <= self.split < len(shape) else 0
        count = len(self.targets)
        sizes = self.sizes or (size // count,) * count
        if sum(sizes) != size:
            raise AxesError(f"an axis of {size} is not split into {count} pieces of {sizes[0]}")
        return sum(sizes[:index]), sum(sizes[: index + 1])

    def one_shape(self, shape: Shape, index: int, dims: Mapping[str, int]) -> Shape:
        """The shape of one source's piece of one target, with its axes rearranged."""
        if self.split is not None:
            begin, end = self.piece(shape, index)
            axis = self.split % len(shape)
            shape = (*shape[:axis], end - begin, *shape[axis + 1 :])
        return shape if self._axes is None else self._axes.shape(shape, dims)

    def one(self, array: Any, index: int, dims: Mapping[str, int]) -> Any:
        """One source's piece of one target, with its axes rearranged."""
        if self.split is not None:
            begin, end = self.piece(array.shape, index)
            array = np.moveaxis(np.moveaxis(array, self.split, 0)[begin:end], 0, self.split)
        return array if self._axes is None else self._axes.apply(array, dims)

    def back(self, array: Any, dims: Mapping[str, int]) -> Any:
        """The reverse of `one`: the piece that one target gives to one source."""
        return array if self._axes is None else self._axes.inverse.apply(array, dims)


@dataclass(frozen=True, slots=True)
class Use:
    """A rule applied to the tensors of one leaf.

    Attributes:
      rule: the rule.
      target: the path of the leaf.
      index: the position of the leaf's pattern among the rule's targets.
      sources: the tensors, in the order in which they are concatenated or stacked.
    """

    rule: Rule
    target: Path
    index: int
    sources: tuple[StoredLeaf, ...]

    def shape(self, dims: Mapping[str, int]) -> Shape:
        """The shape of the leaf.

        Raises:
          AxesError: the tensors don't have the axes that the rule names.
        """
        shapes = [self.rule.one_shape(leaf.shape, self.index, dims) for leaf in self.sources]
        if len(set(shapes)) > 1 and self.rule.stacked:
            raise AxesError(f"tensors of other shapes are stacked: {shapes[0]}, {shapes[-1]}")
        first = shapes[0]
        if self.rule.stacked:
            axis = self.rule.stack % (len(first) + 1)
            return (*first[:axis], len(shapes), *first[axis:])
        if self.rule.concat is None:
            return first
        axis = self.rule.concat % max(len(first), 1)
        rests = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
        if len(rests) > 1:
            raise AxesError(f"tensors that don't fit together: {shapes[0]}, {shapes[-1]}")
        return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])

    def dtype(self) -> Any:
        """The dtype of the leaf."""
        given = self.rule.dtype
        return np.dtype(given) if given is not None else self.sources[0].dtype

    def part(self, array: Any, number: int) -> Any:
        """The part of the leaf that one of the sources gives, with as many axes as the leaf."""
        if not self.rule.stacked:
            return array
        return np.expand_dims(array, self.rule.stack % (array.ndim + 1))

    def start(self, number: int, dims: Mapping[str, int]) -> tuple[int, ...]:
        """The position, along each axis of the leaf, of the part that one of the sources gives."""
        rank = len(self.shape(dims))
        if self.rule.stacked:
            axis = self.rule.stack % rank
            return (*[0] * axis, number, *[0] * (rank - axis - 1))
        if self.rule.concat is None:
            return (0,) * rank
        shapes = [self.rule.one_shape(leaf.shape, self.index, dims) for leaf in self.sources]
        axis = self.rule.concat % len(shapes[0])
        begin = sum(shape[axis] for shape in shapes[:number])
        return (*[0] * axis, begin, *[0] * (rank - axis - 1))


def uses_of(rule: Rule, leaves: Mapping[str, StoredLeaf]) -> Iterable[Use]:
    """The uses of a rule for the tensors of a checkpoint; none if no tensor has a matching name."""
    first = source_pattern(rule.sources[0])
    stacked = rule.stacked
    groups: dict[tuple[tuple[str, int], ...], list[dict[str, int]]] = {}
    for name in leaves:
        match = first.fullmatch(name)
        if match is not None:
            numbers = {hole: int(text) for hole, text in match.groupdict().items()}
            kept = tuple((hole, n) for hole, n in numbers.items() if hole not in stacked)
            groups.setdefault(kept, []).append(numbers)
    for kept, entries in groups.items():
        entries.sort(key=lambda numbers: [numbers[hole] for hole in stacked])
        if stacked and [numbers[stacked[0]] for numbers in entries] != list(range(len(entries))):
            raise AxesError(f"{rule.sources[0]}: the numbers for {{{stacked[0]}}} have a gap")
        names = [filled(source, numbers) for numbers in entries for source in rule.sources]
        gone = [name for name in names if name not in leaves]
        if gone:
            raise AxesError(f"there is {names[0]}, but no {gone[0]}")
        found = tuple(leaves[name] for name in names)
        for index, target in enumerate(rule.targets):
            yield Use(rule, path_of(filled(target, dict(kept))), index, found)
