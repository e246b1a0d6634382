"""Infers the fields of a class from all its occurrences.

`drafting` calls `Fields.fill`, for a class before the classes that use it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..report import show_path
from .catalogue import Around, Layer
from .layer_uses import Attributes, layer_dims, layer_runs
from .leaves import leaf_use
from .linking import link
from .members import ENSEMBLE
from .naming import name_dims
from .numbered import Run, numbered
from .observe import (
    ArraySeen,
    BranchSeen,
    LeafSeen,
    Seen,
    Stack,
    child,
)
from .optimizer import holds_model, moment_paths
from .roles import (
    LAYERS,
    Role,
)
from .settings import Settings
from .sizes import collapsed
from .text import key_text, singular
from .uses import (
    AroundUse,
    CountedUse,
    Draft,
    DraftUse,
    EntriesUse,
    FieldUse,
    LayerUse,
    LeafUse,
    Listing,
    MapUse,
    Optimizer,
    OptimizerUse,
    OtherUse,
    Slot,
    StackedUse,
    UnionUse,
    Use,
)
from .weights import layer_keys, layer_names, role_here
from .within_uses import must_be_there, replaced

What = Layer | Around | Listing | Optimizer | Draft
_MAX_OPTIONS: Final = 4
_MAX_CHAIN: Final = 6
_LAYER: Final = re.compile(r"(Layer|Block)s?$")
_ANYTHING: Final = LeafUse(None, OtherUse(None), None)
Column = Sequence[Seen | None]
Found = tuple[Use, list[Slot]]


@dataclass(slots=True)
class Fields:
    """Finds the fields of drafts.

    Attributes:
      what: the classification of each branch, by the branch's ``id``.
      settings: the caller's options about sizes.
      attributes: those of the class that is being filled.
    """

    what: dict[int, What]
    settings: Settings
    attributes: Attributes = field(default_factory=Attributes)

    def fill(self, draft: Draft) -> None:
        """Gives a draft its fields and its dims."""
        slots: list[Slot] = []
        sole = all(
            isinstance(item, LeafSeen)
            and isinstance(item.value, ArraySeen)
            and len(item.value.shape) <= 1
            for branch in draft.seen
            for item in branch.items.values()
        )
        keys = _keys(draft.seen)
        self.attributes = Attributes.of(frozenset(map(key_text, keys)))
        runs, done = numbered(draft.seen), set[Run]()
        for key in keys:
            run = runs.get(key) if isinstance(key, str) else None
            if run in done:
                continue
            counted = None if run is None else self._counted(run, draft)
            if run is not None and counted is not None:
                done.add(run)
                draft.fields.append(FieldUse(run.field, counted[0]))
                slots += counted[1]
                continue
            column: list[Seen | None] = [branch.items.get(key) for branch in draft.seen]
            shared = _shared(column)
            if shared is None:
                column = [None if _is_shared(item) else item for item in column]
            if shared is None and all(item is None or self._is_elsewhere(item) for item in column):
                continue
            use, found = self.use(column, key_text(key), draft, sole)
            absent = any(
                item is None and (must_be_there(use) or child(branch.node, key) is None)
                for item, branch in zip(column, draft.seen, strict=True)
            )
            draft.fields.append(FieldUse(key, use, absent, shared))
            slots += found
        draft.groups = link(draft, slots, self.settings)
        name_dims(draft, self.settings)

    def _is_elsewhere(self, seen: Seen) -> bool:
        """Whether a sub-state has nothing but leaves that stand elsewhere in the state."""
        if isinstance(seen, LeafSeen):
            return seen.shared is not None
        what = self.what.get(id(seen))
        if isinstance(what, Draft) and what.fields:
            return False  # they are Shared in its schema
        return bool(seen.items) and all(map(self._is_elsewhere, seen.items.values()))

    def use(self, column: Column, key: str, owner: Draft, sole: bool = False) -> Found:
        """The use that describes a whole column, and the slots of its dims.

        Args:
          column: the branch or leaf under the key in each occurrence, None if it is absent.
          key: the key.
          owner: the draft of the class.
          sole: whether all leaves of the class have one axis.
        """
        kinds: dict[object, list[Seen | None]] = {}
        for place, item in enumerate(column):
            if item is not None:
                kinds.setdefault(self._sort(item), [None] * len(column))[place] = item
        if len(kinds) > _MAX_OPTIONS:
            return _ANYTHING, []
        found = [self._one(part, key, owner, sole) for part in kinds.values()]
        if len(found) == 1:
            return found[0]
        if len({type(option) for option, _ in found} & {MapUse, EntriesUse, StackedUse}):
            return _ANYTHING, []
        options = tuple(dict.fromkeys(option for option, _ in found))
        return UnionUse(options), [slot for _, slots in found for slot in slots]

    def _sort(self, seen: Seen) -> object:
        """A key that is equal for items that one hint can describe."""
        if isinstance(seen, LeafSeen):
            return ("leaf", seen.kind is None, isinstance(seen.value, ArraySeen))
        stack = None
        if seen.stacked is not None:
            stack = replace(seen.stacked, size=0, within=None), seen.stacked.within is None
        match what := self.what[id(seen)]:
            case Layer(schema):
                return (schema, what.ranks if self.settings.counts else None, stack)
            case Around(schema):
                return (schema, stack)
            case Listing(key):
                return (key, stack)
            case Optimizer():
                return ("optimizer", id(seen))
            case Draft():
                return (what, stack)

    def _one(self, column: list[Seen | None], key: str, owner: Draft, sole: bool) -> Found:
        leaves = [item if isinstance(item, LeafSeen) else None for item in column]
        if any(leaves):
            return leaf_use(leaves, key, owner, sole)
        branches = [item if isinstance(item, BranchSeen) else None for item in column]
        first = next(item for item in branches if item is not None)
        if first.stacked is not None:
            return self._stacked(branches, first.stacked, key, owner)
        return self._branch(branches, key, owner)

    def _branch(self, branches: list[BranchSeen | None], key: str, owner: Draft) -> Found:
        first = next(item for item in branches if item is not None)
        match what := self.what[id(first)]:
            case Layer():
                return self._layer(branches, what, key, owner)
            case Around(schema, keys):
                inner = [
                    self.use([None if b is None else b.items.get(k) for b in branches], k, owner)
                    for k in keys
                ]
                slots = [slot for _, found in inner for slot in found]
                return AroundUse(schema, tuple(use for use, _ in inner)), slots
            case Listing(by):
                return self._listing(branches, by, key, owner)
            case Optimizer():
                return self._optimizer(branches, first, key, owner)
            case Draft():
                return self._inferred(branches, what, key)

    def _optimizer(
        self, branches: list[BranchSeen | None], first: BranchSeen, key: str, owner: Draft
    ) -> Found:
        """The use of an optimizer, over the model that it keeps or that is a field beside it."""
        if "model" in first.items and holds_model(first.node):
            column = [None if b is None else b.items.get("model") for b in branches]
            model, slots = self.use(column, key, owner)
            return OptimizerUse(first.node, model, whole=True), slots
        paths = moment_paths(first.node)
        best: Use | None = None
        for item in owner.fields:
            seen = owner.seen[0].items.get(item.key)
            if not isinstance(item.use, DraftUse) or not isinstance(seen, BranchSeen):
                continue
            if paths and paths <= set(_paths(seen)):
                best = item.use
                break
        return OptimizerUse(first.node, best, whole=False), []

    # -- Sub-states of one class ---------------------------------------------------------------

    def _layer(
        self, branches: list[BranchSeen | None], layer: Layer, key: str, owner: Draft
    ) -> Found:
        column: list[Layer | None] = []
        for branch in branches:
            what = None if branch is None else self.what[id(branch)]
            column.append(what if isinstance(what, Layer) else None)
        dims, slots = layer_dims(layer, column, key, owner.title, self.attributes)
        runs = layer_runs(layer, column, key) if self.settings.counts else ()
        slots += (slot for _, axes in runs for slot in axes)
        names, keys = layer_names(branches), layer_keys(branches)
        return LayerUse(layer.schema, dims, names, keys, runs), slots

    def _inferred(self, branches: list[BranchSeen | None], draft: Draft, key: str) -> Found:
        slots: list[Slot] = []
        dims: list[tuple[Any, Slot | None]] = []
        unit = object()
        for group in draft.groups:
            if not group.is_name or (group.role.kind == LAYERS and not self.settings.counts):
                continue
            sizes = tuple(None if b is None else draft.size_at(group, b) for b in branches)
            if all(size is None for size in sizes):
                dims.append((group, None))
                continue
            role = role_here(group.role, key, self.attributes.projection(key))
            slot = Slot(sizes, role, group.text or "", key, unit, below=draft)
            slots.append(slot)
            dims.append((group, slot))
        return DraftUse(draft, tuple(dims)), slots

    def _stacked(
        self, branches: list[BranchSeen | None], stack: Stack, key: str, owner: Draft
    ) -> Found:
        inner, slots = self._branch(branches, key, owner)
        sizes = tuple(b.stacked.size if b and b.stacked else None for b in branches)
        classes = [branch.cls for branch in branches if branch and branch.cls]
        models = owner.bare and not any(_LAYER.search(cls.__name__) for cls in classes)
        role = Role(LAYERS, ENSEMBLE if models else "")
        length = Slot(sizes, role, "", key, object())
        if stack.within is not None:
            inner = StackedUse(inner, length, stack.within)
        return StackedUse(inner, length, stack), [*slots, length]

    # -- Entries -------------------------------------------------------------------------------

    def _listing(
        self, branches: list[BranchSeen | None], by: type, key: str, owner: Draft
    ) -> Found:
        there = [branch for branch in branches if branch is not None]
        keys = {frozenset(branch.items) for branch in there}
        counted = all(set(b.items) == set(range(len(b.items))) for b in there)
        if not any(branch.items for branch in there):
            return MapUse(by, _ANYTHING, None), []
        if by is str or counted:
            found = self._map(branches, by, key, owner)
            chained = by is int and len(keys) == 1 and len(next(iter(keys))) <= _MAX_CHAIN
            if found is not None and by is int and not found[2] and self.settings.fixes_all:
                return self._entries(branches, key, owner)
            if found is not None and not (chained and not found[2]):
                return found[:2]
            if found is not None and not isinstance(found[0].entry, LayerUse):
                return found[:2]
        if len(keys) == 1 or (by is int and not counted):
            return self._entries(branches, key, owner)
        found = self._map(branches, by, key, owner, force=True)
        return (_ANYTHING, []) if found is None else found[:2]

    def _map(
        self,
        branches: Sequence[BranchSeen | None],
        by: type,
        key: str,
        owner: Draft,
        *,
        force: bool = False,
    ) -> tuple[MapUse, list[Slot], bool] | None:
        """One hint for all entries, and whether all have one size; None where they differ."""
        entries: list[Seen] = []
        owners: list[int] = []
        for place, branch in enumerate(branches):
            items = {} if branch is None else branch.items
            entries += items.values()
            owners += [place] * len(items)
        use, inner = self.use(entries, singular(key), owner)
        if isinstance(use, UnionUse) and not force:
            return None
        slots: list[Slot] = []
        outer: dict[int, Slot | None] = {}
        uniform = True
        several = max(Counter(owners).values(), default=0) > 1
        for slot in inner:
            sizes = collapsed(slot.sizes, owners, len(branches))
            outer[id(slot)] = None
            if sizes is None:
                uniform = False
                continue
            slots.append(replace(slot, sizes=sizes, field=key, many=several or slot.many))
            outer[id(slot)] = slots[-1]
        lengths = tuple(None if branch is None else len(branch.items) for branch in branches)
        length = Slot(lengths, Role(LAYERS), "len", key, object())
        return MapUse(by, replaced(use, outer), length), [*slots, length], uniform

    def _counted(self, run: Run, owner: Draft) -> Found | None:
        """One hint for all numbered keys; None where each has to be a field."""
        branches = [
            BranchSeen(dict(enumerate(branch.items[key] for key in run.keys(branch.items))))
            for branch in owner.seen
        ]
        if any(_is_shared(item) for branch in branches for item in branch.items.values()):
            return None
        one_count = len({len(branch.items) for branch in branches}) == 1
        found = self._map(branches, int, run.field, owner, force=not one_count)
        if found is None or found[0].length is None or found[0].entry is _ANYTHING:
            return None
        use, slots, uniform = found
        chained = isinstance(use.entry, LayerUse | LeafUse) and len(branches[0].items) <= _MAX_CHAIN
        if one_count and not uniform and (chained or self.settings.fixes_all):
            return None
        if one_count and self.settings.fixes_all and not must_be_there(use.entry):
            return None  # what may be empty is not counted
        length = slots[-1]
        length.role = Role(LAYERS, run.counted)
        return CountedUse(run, use.entry, length), slots

    def _entries(self, branches: list[BranchSeen | None], key: str, owner: Draft) -> Found:
        """A use for each position; a position that some occurrences lack is optional."""
        there = [branch.items for branch in branches if branch is not None]
        numbers = {item for items in there for item in items if isinstance(item, int)}
        slots: list[Slot] = []
        items: list[Use | None] = []
        for number in range(max(numbers) + 1):
            if number not in numbers:
                items.append(None)
                continue
            column = [None if branch is None else branch.items.get(number) for branch in branches]
            use, inner = self.use(column, f"{singular(key)}_{number}", owner)
            items.append(use)
            slots += inner
        lacking = (number for number in numbers if any(number not in items for items in there))
        return EntriesUse(tuple(items), frozenset(lacking)), slots


def _keys(branches: Sequence[BranchSeen]) -> list[Hashable]:
    """The keys of all branches in one order, which agrees with that of each branch if it can."""
    found: list[Hashable] = []
    known: set[Hashable] = set()
    for branch in branches:
        place = 0
        for key in branch.items:
            if key not in known:
                known.add(key)
                found.insert(place, key)
            elif found[place : place + 1] != [key]:
                place = found.index(key)
            place += 1
    return found


def _paths(branch: BranchSeen) -> Iterator[tuple[Hashable, ...]]:
    for key, item in branch.items.items():
        if isinstance(item, BranchSeen):
            yield from ((key, *path) for path in _paths(item))
        else:
            yield (key,)


def _is_shared(seen: Seen | None) -> bool:
    return isinstance(seen, LeafSeen) and seen.shared is not None


def _shared(column: Column) -> str | None:
    """The path of the Variable that all occurrences share; None if there is no single one."""
    there = [item for item in column if item is not None]
    paths = {item.shared if isinstance(item, LeafSeen) else None for item in there}
    path = paths.pop() if len(paths) == 1 else None
    return None if path is None else show_path(path)
