"""From observed trees to templates: which sub-states are alike.

`infer` calls `Shaper.root`. Sub-states with equal fields are of one template; what is observed
side by side, examples and the entries of a map, is summarised as one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from .linking import alone, canonical, collapsed, groups, merged
from .naming import key_text, named_axes, singular, title_of, unique_names
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
from .template import (
    ArrayUse,
    DictUse,
    EntriesUse,
    FieldUse,
    LeafUse,
    MapUse,
    NodeUse,
    OtherUse,
    Signature,
    Slot,
    Template,
    TupleUse,
    Use,
    ValueUse,
    renumbered,
)
from .widening import common_dtype, common_kind

_MAX_ENTRIES: Final = 100_000


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
        kind = common_kind([item.kind for item in there])
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
        dtype = common_dtype([item.dtype for item in there])
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
        entry, inner = self.summarise(entries, singular(title), origin)
        slots: list[Slot] = []
        places: list[int | None] = []
        for slot in inner:
            shared = collapsed(slot.signature, owners, len(branches))
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
            use, inner = self.summarise(column, singular(title), example)
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
            use, inner = self.summarise(column, key_text(key), example)
            places: list[int | None] = [len(slots) + index for index in range(len(inner))]
            absent = any(
                item is None and branch is not None
                for item, branch in zip(column, branches, strict=True)
            )
            fields.append(FieldUse(key, renumbered(use, places), absent))
            direct = isinstance(use, LeafUse)
            inner = named_axes(key, use, inner) if isinstance(use, LeafUse) else inner
            slots += [_under(slot, key, direct=direct) for slot in inner]
        numbers = canonical(fields, groups(fields, slots, self.examples))
        fields = [replace(item, use=renumbered(item.use, numbers)) for item in fields]
        dims = merged(slots, numbers)
        names = unique_names(dims)
        titles = {branch.cls for branch in branches if branch is not None}
        cls = titles.pop() if len(titles) == 1 else None
        owned = tuple(alone(fields, len(dims)))
        template = Template(tuple(fields), tuple(names), owned, title_of(cls, title, fields))
        template = self.known.setdefault(template, template)
        named = zip(dims, names, strict=True)
        outside = [replace(slot, direct=False, name=name) for slot, name in named]
        return NodeUse(template, tuple(range(len(dims)))), outside


def _under(slot: Slot, key: Hashable, *, direct: bool) -> Slot:
    return replace(slot, leaves=frozenset((key, *path) for path in slot.leaves), direct=direct)


def _leaf_count(tree: Seen) -> int:
    return sum(map(_leaf_count, tree.items.values())) if isinstance(tree, BranchSeen) else 1


def _dict_item(value: ValueSeen | None, key: str) -> ValueSeen | None:
    return dict(value.items)[key] if isinstance(value, DictSeen) else None
