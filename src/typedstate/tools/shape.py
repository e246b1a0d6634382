"""From observed trees to templates: which sub-states are alike, which axes belong together.

`infer` calls `summarise` and `shape_root`. A size is a *signature* here: what it is in each of
the trees that are observed side by side (examples, and the entries of a map).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Final

from ..explainer import dtype_name
from .observe import (
    ArraySeen,
    BranchSeen,
    DictSeen,
    LeafSeen,
    OtherSeen,
    Seen,
    TupleSeen,
    ValueSeen,
    alike,
)

Signature = tuple[int | None, ...]
_MAX_ENTRIES: Final = 100_000


# -- What a template says of a field; axes are numbers of its dims -----------------------------


@dataclass(frozen=True, slots=True)
class ArrayUse:
    """An array; `dims` None for any shape, `dtype` a name that jaxtyping has."""

    cls: type
    dtype: str
    dims: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class TupleUse:
    """A tuple of values."""

    items: tuple[ValueUse, ...]


@dataclass(frozen=True, slots=True)
class DictUse:
    """A dict of values."""

    items: tuple[tuple[str, ValueUse], ...]


@dataclass(frozen=True, slots=True)
class OtherUse:
    """An instance of a class; None for anything."""

    cls: type | None


ValueUse = ArrayUse | TupleUse | DictUse | OtherUse


@dataclass(frozen=True, slots=True)
class LeafUse:
    """A leaf."""

    kind: type | None
    value: ValueUse
    names: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A sub-state; `args` gives each dim of its template as one of ours, None for its own."""

    template: Template
    args: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class MapUse:
    """Like entries by int keys; `length` is a dim, None where it is free."""

    entry: Use
    length: int | None


@dataclass(frozen=True, slots=True)
class EntriesUse:
    """Entries by position."""

    items: tuple[Use | None, ...]


Use = LeafUse | NodeUse | MapUse | EntriesUse


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A key of a template."""

    key: Hashable
    use: Use
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A class to be; two sub-states with equal fields are of the same one.

    Attributes:
      fields: of the class.
      dims: a suggested name for each dim.
      alone: for each dim, whether it is that of one sub-state only.
      title: a suggested name.
    """

    fields: tuple[FieldUse, ...]
    dims: tuple[str, ...] = field(compare=False)
    alone: tuple[bool, ...] = field(compare=False)
    title: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Slot:
    """An axis, or several that belong together, seen from outside.

    Attributes:
      signature: its sizes.
      leaves: paths of the leaves that have it.
      name: a suggested name.
      links: may be taken for one dim with others of the same size.
      direct: it is an axis of a leaf right here.
    """

    signature: Signature
    leaves: frozenset[tuple[Hashable, ...]]
    name: str
    links: bool
    direct: bool = False


@dataclass(slots=True)
class Shaper:
    """Interns templates while trees are summarised.

    Attributes:
      examples: how many trees were given: with several, only equal growth links axes.
    """

    examples: int
    known: dict[Template, Template] = field(default_factory=dict["Template", "Template"])

    def root(self, observed: Sequence[BranchSeen], title: str) -> tuple[Use, list[Slot]]:
        """The tree as a whole."""
        return self.summarise(observed, title, range(len(observed)))

    def summarise(
        self, observed: Sequence[Seen | None], title: str, example: Sequence[int]
    ) -> tuple[Use, list[Slot]]:
        """What these trees have in common, and the slots that its dims are numbers of.

        Args:
          observed: trees side by side, None where one has nothing there.
          title: the key under which they stand.
          example: the number of the example from which each of them is.
        """
        there = [item for item in observed if item is not None]
        if all(isinstance(item, LeafSeen) for item in there):
            return self._leaf([item if isinstance(item, LeafSeen) else None for item in observed])
        if not all(isinstance(item, BranchSeen) for item in there):
            return LeafUse(None, OtherUse(None), None), []
        branches = [item if isinstance(item, BranchSeen) else None for item in observed]
        keys = list(dict.fromkeys(key for item in branches if item for key in item.items))
        if keys and all(type(key) is int and 0 <= key < _MAX_ENTRIES for key in keys):
            found = self._map(branches, title, example) or self._entries(branches, title, example)
            if found is not None:
                return found
        return self._node(branches, keys, title, example)

    # -- Leaves ----------------------------------------------------------------------------

    def _leaf(self, observed: Sequence[LeafSeen | None]) -> tuple[Use, list[Slot]]:
        there = [item for item in observed if item is not None]
        kind = _common_kind([item.kind for item in there])
        names = {item.names for item in there}
        slots: list[Slot] = []
        values = [None if item is None else item.value for item in observed]
        if len({item.kind is None for item in there}) > 1:
            return LeafUse(None, OtherUse(None), None), []
        value = self._value(values, slots)
        return LeafUse(kind, value, names.pop() if len(names) == 1 else None), slots

    def _value(self, observed: Sequence[ValueSeen | None], slots: list[Slot]) -> ValueUse:
        there = [item for item in observed if item is not None]
        first = there[0]
        if all(isinstance(item, ArraySeen) for item in there):
            return self._array([i if isinstance(i, ArraySeen) else None for i in observed], slots)
        if isinstance(first, TupleSeen) and all(
            isinstance(item, TupleSeen) and len(item.items) == len(first.items) for item in there
        ):
            columns = (
                [i.items[at] if isinstance(i, TupleSeen) else None for i in observed]
                for at in range(len(first.items))
            )
            return TupleUse(tuple(self._value(column, slots) for column in columns))
        if isinstance(first, DictSeen) and all(
            isinstance(item, DictSeen) and dict(item.items).keys() == dict(first.items).keys()
            for item in there
        ):
            return DictUse(
                tuple(
                    (key, self._value([_dict_item(item, key) for item in observed], slots))
                    for key, _ in first.items
                )
            )
        if isinstance(first, OtherSeen) and all(item == first for item in there):
            return OtherUse(first.cls)
        return OtherUse(None)

    def _array(self, observed: Sequence[ArraySeen | None], slots: list[Slot]) -> ValueUse:
        there = [item for item in observed if item is not None]
        if len({item.cls for item in there}) > 1:
            return OtherUse(None)
        dtype = _common_dtype([item.dtype for item in there])
        ranks = {len(item.shape) for item in there}
        if len(ranks) > 1:
            return ArrayUse(there[0].cls, dtype, None)
        first = len(slots)
        for axis in range(len(there[0].shape)):
            signature = tuple(None if item is None else item.shape[axis] for item in observed)
            slots.append(Slot(signature, frozenset({()}), "", self._links(signature), True))
        return ArrayUse(there[0].cls, dtype, tuple(range(first, len(slots))))

    def _links(self, signature: Signature) -> bool:
        sizes = set(signature) - {None}
        if len(sizes) > 1:
            return True
        return self.examples == 1 and sizes != {1} and sizes != {0}

    # -- Entries ---------------------------------------------------------------------------

    def _map(
        self, branches: Sequence[BranchSeen | None], title: str, example: Sequence[int]
    ) -> tuple[Use, list[Slot]] | None:
        """One schema for all entries, None where they are not alike."""
        entries: list[Seen] = []
        owners: list[int] = []
        for owner, branch in enumerate(branches):
            items = {} if branch is None else branch.items
            if set(items) != set(range(len(items))):
                return None
            entries += [items[key] for key in range(len(items))]
            owners += [owner] * len(items)
        ragged = len({len(branch.items) for branch in branches if branch is not None}) > 1
        largest = max(entries, key=_leaf_count)
        if not all(alike(entry, largest) for entry in entries):
            return None
        origin = [example[owner] for owner in owners]
        entry, inner = self.summarise(entries, _singular(title), origin)
        slots: list[Slot] = []
        places: list[int | None] = []
        for slot in inner:
            shared = _collapsed(slot.signature, owners, len(branches))
            if shared is None and len(slot.leaves) < 2 and not ragged:
                return None  # its size differs between entries, and nothing ties it
            places.append(None if shared is None else len(slots))
            if shared is not None:
                below = frozenset(("*", *path) for path in slot.leaves)
                slots.append(replace(slot, signature=shared, leaves=below, direct=False))
        if None in places and not isinstance(entry, NodeUse):
            return None  # a name in a bare leaf is that of all entries
        lengths = tuple(None if branch is None else len(branch.items) for branch in branches)
        links = self.examples > 1 and len(set(lengths) - {None}) > 1
        slots.append(Slot(lengths, frozenset(), "len", links))
        return MapUse(renumbered(entry, places), len(slots) - 1), slots

    def _entries(
        self, branches: Sequence[BranchSeen | None], title: str, example: Sequence[int]
    ) -> tuple[Use, list[Slot]] | None:
        """A schema for each position, None where the positions differ or are far between."""
        keys = {frozenset(branch.items) for branch in branches if branch is not None}
        if len(keys) > 1:
            return None
        present = sorted(key for key in keys.pop() if isinstance(key, int))
        if present[-1] >= 4 * len(present) + 4:
            return None
        slots: list[Slot] = []
        items: list[Use | None] = []
        for key in range(present[-1] + 1):
            if key not in present:
                items.append(None)
                continue
            column = [None if branch is None else branch.items[key] for branch in branches]
            use, inner = self.summarise(column, _singular(title), example)
            places: list[int | None] = [len(slots) + index for index in range(len(inner))]
            items.append(renumbered(use, places))
            slots += [_under(slot, key, direct=False) for slot in inner]
        return EntriesUse(tuple(items)), slots

    # -- Sub-states ------------------------------------------------------------------------

    def _node(
        self,
        branches: Sequence[BranchSeen | None],
        keys: Sequence[Hashable],
        title: str,
        example: Sequence[int],
    ) -> tuple[Use, list[Slot]]:
        slots: list[Slot] = []
        fields: list[FieldUse] = []
        for key in keys:
            column = [None if branch is None else branch.items.get(key) for branch in branches]
            use, inner = self.summarise(column, str(key), example)
            places: list[int | None] = [len(slots) + index for index in range(len(inner))]
            absent = any(
                item is None and branch is not None
                for item, branch in zip(column, branches, strict=True)
            )
            fields.append(FieldUse(key, renumbered(use, places), absent))
            direct = isinstance(use, LeafUse)
            named = _named_axes(key, use, inner) if direct else inner
            slots += [_under(slot, key, direct=direct) for slot in named]
        groups = _groups(fields, slots, self.examples)
        numbers = _canonical(fields, groups)
        fields = [replace(item, use=renumbered(item.use, numbers)) for item in fields]
        merged = _merged(slots, numbers)
        owners = _owners(fields, len(merged))
        names = _unique_names([slot.name for slot in merged], merged)
        titles = {branch.cls for branch in branches if branch is not None}
        cls = titles.pop() if len(titles) == 1 else None
        template = Template(
            tuple(fields), tuple(names), tuple(owners), _title(cls, title, fields, merged)
        )
        template = self.known.setdefault(template, template)
        outside = [replace(slot, direct=False, name=name) for slot, name in zip(merged, names, strict=True)]
        return NodeUse(template, tuple(range(len(merged)))), outside


def renumbered(use: Use, numbers: Sequence[int | None]) -> Use:
    """The same with other numbers for its dims."""

    def one(index: int | None) -> int | None:
        return None if index is None else numbers[index]

    def value(found: ValueUse) -> ValueUse:
        match found:
            case ArrayUse(dims=dims) if dims is not None:
                return replace(found, dims=tuple(n for n in map(one, dims) if n is not None))
            case TupleUse(items):
                return TupleUse(tuple(map(value, items)))
            case DictUse(items):
                return DictUse(tuple((key, value(item)) for key, item in items))
            case _:
                return found

    match use:
        case LeafUse():
            return replace(use, value=value(use.value))
        case NodeUse(template, args):
            return NodeUse(template, tuple(map(one, args)))
        case MapUse(entry, length):
            return MapUse(renumbered(entry, numbers), one(length))
        case EntriesUse(items):
            return EntriesUse(
                tuple(None if item is None else renumbered(item, numbers) for item in items)
            )


def value_dims(value: ValueUse) -> Iterator[int]:
    """The dims of a value, in order."""
    match value:
        case ArrayUse(dims=dims):
            yield from dims or ()
        case TupleUse(items):
            for item in items:
                yield from value_dims(item)
        case DictUse(items):
            for _, item in items:
                yield from value_dims(item)
        case OtherUse():
            return


def use_dims(use: Use) -> Iterator[int]:
    """The dims of a field, in order."""
    match use:
        case LeafUse(value=value):
            yield from value_dims(value)
        case NodeUse(args=args):
            yield from (arg for arg in args if arg is not None)
        case MapUse(entry, length):
            yield from use_dims(entry)
            yield from () if length is None else (length,)
        case EntriesUse(items):
            for item in items:
                yield from () if item is None else use_dims(item)


# -- Which axes belong together ----------------------------------------------------------------


def _groups(fields: Sequence[FieldUse], slots: Sequence[Slot], examples: int) -> list[int]:
    """For each slot the first one that it is the same dim as."""
    group = list(range(len(slots)))
    sizes = [slot.signature for slot in slots]

    def union(first: int, second: int) -> None:
        low, high = sorted((group[first], group[second]))
        sizes[low] = _filled(sizes[low], sizes[high])
        for index, found in enumerate(group):
            if found == high:
                group[index] = low

    direct = [
        list(item.use.value.dims)
        for item in fields
        if isinstance(item.use, LeafUse)
        and isinstance(item.use.value, ArrayUse)
        and item.use.value.dims
    ]
    placed: list[list[int]] = []
    for axes in sorted(direct, key=len, reverse=True):
        for others in placed:
            pairs = _aligned(axes, others, [sizes[found] for found in group])
            if pairs:
                for first, second in pairs:
                    union(first, second)
                break
        placed.append(axes)
    trees = any(not isinstance(item.use, LeafUse) for item in fields)
    free = trees or examples > 1
    for second, slot in enumerate(slots):
        for first in range(second):
            if (
                group[first] != group[second]
                and slot.links
                and slots[first].links
                and _agree(sizes[group[first]], sizes[group[second]])
                and bool(slot.leaves) == bool(slots[first].leaves)  # lengths are no axes
                and (free or not _share_leaf(group, slots, first, second))
            ):
                union(first, second)
    return group


def _agree(first: Signature, second: Signature) -> bool:
    """Whether two axes have the same size wherever both are there, and are so somewhere."""
    both = [(a, b) for a, b in zip(first, second, strict=True) if None not in (a, b)]
    return bool(both) and all(a == b for a, b in both)


def _filled(first: Signature, second: Signature) -> Signature:
    return tuple(b if a is None else a for a, b in zip(first, second, strict=True))


def _aligned(
    axes: Sequence[int], others: Sequence[int], sizes: Sequence[Signature]
) -> list[tuple[int, int]]:
    """Pairs the axes of a leaf with those of one that has more: from the end, then the front.

    A bias ``[dout]`` fits a kernel ``[din, dout]`` so, and ``[layers, dout]`` a stacked one.
    Empty where they don't fit.
    """
    pairs: list[tuple[int, int]] = []
    left, right = list(axes), list(others)
    while left and _agree(sizes[left[-1]], sizes[right[-1]]):
        pairs.append((left.pop(), right.pop()))
    while left and _agree(sizes[left[0]], sizes[right[0]]):
        pairs.append((left.pop(0), right.pop(0)))
    return [] if left else pairs


def _share_leaf(group: Sequence[int], slots: Sequence[Slot], first: int, second: int) -> bool:
    def paths(number: int) -> set[tuple[Hashable, ...]]:
        of_group = (slot for slot, found in zip(slots, group, strict=True) if found == number)
        return {path for slot in of_group for path in slot.leaves}

    return bool(paths(group[first]) & paths(group[second]))


def _canonical(fields: Sequence[FieldUse], group: Sequence[int]) -> list[int]:
    """Numbers the groups in the order in which the fields have them."""
    order = dict.fromkeys(group[dim] for item in fields for dim in use_dims(item.use))
    numbers = {found: index for index, found in enumerate(order)}
    return [numbers[found] for found in group]


def _merged(slots: Sequence[Slot], numbers: Sequence[int]) -> list[Slot]:
    merged: list[Slot] = []
    for number in range(max(numbers, default=-1) + 1):
        members = [slot for slot, found in zip(slots, numbers, strict=True) if found == number]
        paths = frozenset(path for slot in members for path in slot.leaves)
        name = _common_name([slot.name for slot in members])
        links = any(slot.links for slot in members)
        signature = reduce(_filled, (slot.signature for slot in members))
        merged.append(Slot(signature, paths, name, links))
    return merged


def _owners(fields: Sequence[FieldUse], count: int) -> list[bool]:
    """For each dim, whether it is that of one dim of one sub-state and stands nowhere else."""
    uses = [0] * count
    nested = [True] * count
    for item in fields:
        for dim in use_dims(item.use):
            uses[dim] += 1
        for dim in _bare(item.use):
            nested[dim] = False
    return [one == 1 and inside for one, inside in zip(uses, nested, strict=True)]


def _bare(use: Use) -> Iterator[int]:
    """The dims of a field that no sub-state has: those of leaves, and lengths."""
    match use:
        case LeafUse(value=value):
            yield from value_dims(value)
        case NodeUse():
            return
        case MapUse(entry, length):
            yield from _bare(entry)
            yield from () if length is None else (length,)
        case EntriesUse(items):
            for item in items:
                yield from () if item is None else _bare(item)


def _collapsed(signature: Signature, owners: Sequence[int], count: int) -> Signature | None:
    """One size per owner, None where the entries of one differ."""
    found: list[int | None] = [None] * count
    for owner, size in zip(owners, signature, strict=True):
        if size is not None:
            if found[owner] not in (None, size):
                return None
            found[owner] = size
    return tuple(found)


def _under(slot: Slot, key: Hashable, *, direct: bool) -> Slot:
    return replace(slot, leaves=frozenset((key, *path) for path in slot.leaves), direct=direct)


def _leaf_count(tree: Seen) -> int:
    return sum(map(_leaf_count, tree.items.values())) if isinstance(tree, BranchSeen) else 1


def _dict_item(value: ValueSeen | None, key: str) -> ValueSeen | None:
    return dict(value.items)[key] if isinstance(value, DictSeen) else None


# -- What several examples have in common ------------------------------------------------------


def _common_kind(kinds: Sequence[type | None]) -> type | None:
    """The nearest class that all are or inherit from."""
    first = kinds[0]
    if first is None:
        return None
    return next(
        base for base in first.__mro__ if all(kind is None or issubclass(kind, base) for kind in kinds)
    )


def _common_dtype(dtypes: Iterable[Any]) -> str:
    """The narrowest dtype class of jaxtyping that has all of them."""
    import jaxtyping

    names = {dtype_name(dtype) for dtype in dtypes}
    for candidate in _DTYPES:
        hint: Any = getattr(jaxtyping, candidate, None)
        if hint is None:
            continue
        has: Any = hint.dtypes
        if all(_has(has, name) for name in names):
            return candidate
    return "Shaped"


def _has(dtypes: Any, name: str) -> bool:
    if isinstance(dtypes, str) or not isinstance(dtypes, list | tuple):
        return False
    return any(
        item in (name, f"{name}_") if isinstance(item, str) else item.match(name) is not None
        for item in dtypes
    )


def _single_dtypes() -> list[str]:
    import jaxtyping

    found = []
    for name in sorted(dir(jaxtyping)):
        hint: Any = getattr(jaxtyping, name)
        if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractDtype):
            dtypes: Any = getattr(hint, "dtypes", None)
            if isinstance(dtypes, list | tuple) and len(dtypes) == 1:
                found.append(name)
    return found


#: From narrow to wide.
_DTYPES: Final = (
    "Bool",
    "Key",
    *_single_dtypes(),
    "Float",
    "Complex",
    "Inexact",
    "UInt",
    "Int",
    "Integer",
    "Real",
    "Num",
)


# -- Names -------------------------------------------------------------------------------------

_AXES: Final = {
    ("kernel", 2): ("din", "dout"),
    ("embedding", 2): ("vocab", "d"),
    ("lora_a", 2): ("din", "rank"),
    ("lora_b", 2): ("rank", "dout"),
    ("scale", 1): ("d",),
    ("mean", 1): ("d",),
    ("var", 1): ("d",),
}


def _named_axes(key: Hashable, use: LeafUse, slots: Sequence[Slot]) -> list[Slot]:
    """Names and justifies the axes of a leaf by what the field calls them."""
    shape = use.value.dims if isinstance(use.value, ArrayUse) else None
    rank = len(slots) if shape is not None else -1
    names = _AXES.get((str(key), rank))
    if names is None and key == "kernel" and rank >= 4:
        window = [f"window{axis}" for axis in range(rank - 2)]
        names = (*window, "cin", "cout")
    if names is None:
        base = "".join(c if c.isalnum() and c.isascii() else "_" for c in str(key)).strip("_")
        base = (base if base and not base[0].isdigit() else f"n{base}").lower()
        names = (base,) if rank == 1 else tuple(f"{base}{axis}" for axis in range(len(slots)))
    found: list[Slot] = []
    for axis, (slot, name) in enumerate(zip(slots, names, strict=True)):
        varies = len(set(slot.signature) - {None}) > 1
        window = rank >= 4 and axis < rank - 2  # a window's size is no feature
        found.append(replace(slot, name=name, links=slot.links and (varies or not window)))
    return found


_FIRST: Final = ("d", "vocab", "dout", "din", "cout", "cin", "rank")


def _common_name(names: Sequence[str]) -> str:
    """One name for axes that are one: ``d`` for what goes in here and out there."""
    found = list(dict.fromkeys(names))
    if len(found) == 1:
        return found[0]
    if {"din", "dout"} <= set(found) or {"cin", "cout"} <= set(found):
        return "d"
    plain = [name for name in found if not name.startswith("bias")]  # named by its kernel
    return next((name for name in _FIRST if name in found), (plain or found)[0])


def _unique_names(names: Sequence[str], slots: Sequence[Slot]) -> list[str]:
    found: dict[int, str] = {}
    taken: set[str] = set()
    order = sorted(range(len(names)), key=lambda index: -len(slots[index].leaves))
    for index in order:
        name = names[index]
        number = 1
        while name in taken:
            number += 1
            joint = "_" if names[index][-1:].isdigit() else ""
            second = "hidden" if (names[index], number) == ("d", 2) else ""
            name = second or f"{names[index]}{joint}{number}"
        taken.add(name)
        found[index] = name
    return [found[index] for index in range(len(names))]


def _singular(title: str) -> str:
    if title.endswith("ies"):
        return f"{title[:-3]}y"
    return title[:-1] if title.endswith("s") and not title.endswith("ss") else title


def _title(
    cls: str | None, key: str, fields: Sequence[FieldUse], slots: Sequence[Slot]
) -> str:
    """A name for the class of a sub-state: its module's, or by what it holds, or its key's."""
    keys = {item.key for item in fields}
    if cls is not None and cls not in ("Dict", "List"):
        return cls
    if keys <= {"kernel", "bias"} and "kernel" in keys:
        kernel = next(item.use for item in fields if item.key == "kernel")
        return "Linear" if len(list(use_dims(kernel))) == 2 else "Kernel"
    if keys <= {"scale", "bias"}:
        return "Norm"
    if keys == {"scale", "bias", "mean", "var"}:
        return "BatchNorm"
    if keys == {"embedding"}:
        return "Embed"
    if keys == {"key", "count"}:
        return "RngStream"
    return key
