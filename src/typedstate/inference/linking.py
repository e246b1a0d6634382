"""Groups the axes of a class that have one size.

In one example, equal sizes may be an accident: axes are tied only if their roles, which come from
the module's structure, allow it. In several examples, axes that vary alike are tied.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from .roles import (
    ANY,
    CLASSES,
    FEATURES,
    HEAD_DIM,
    HEADS,
    IN,
    INNER,
    KV_HEADS,
    LAYERS,
    LENGTH,
    OUT,
    PLACE,
    PROJECTED,
    STREAM,
    VOCAB,
    WIDTHS,
    WINDOW,
    Role,
    common,
    of_norm,
)
from .settings import Settings
from .sizes import agree, filled, uniform, varies
from .text import key_text
from .uses import ArrayUse, Draft, Group, LeafUse, Sizes, Slot

_ALONE: Final = frozenset({PLACE, WINDOW, LENGTH, LAYERS})
_AT_HOME: Final = frozenset({HEADS, KV_HEADS, HEAD_DIM, *_ALONE})
_MAX_NOTES: Final = 3
#: How many axes of one size are paired with all others of it, and with those of another.
_ANCHORS: Final = 32
_ACROSS: Final = 8
#: What is added to what goes past it.
_BESIDE: Final = re.compile(r"short_?cut|skip|down_?sampl|resid")
#: What is a copy of a model, of the same sizes.
_COPY: Final = re.compile(r"(^|_)(ema|target|teacher|momentum|shadow|frozen|copy|reference)(_|$)")


def link(draft: Draft, slots: list[Slot], settings: Settings) -> list[Group]:
    """Groups the axes of a class, and sets the group of each slot."""
    groups = [Group([slot], slot.sizes, slot.role) for slot in slots]
    for slot, group in zip(slots, groups, strict=True):
        slot.group = group
    _settle_norms(slots)
    aligned = _align_biases(draft)
    several = settings.examples > 1
    rule = _Varying(draft, slots) if several else _Structural(draft, slots)
    for first, second in _alike(slots):
        if first.group is second.group or (id(first) in aligned or id(second) in aligned):
            continue
        if rule.one(first, second) and agree(first.group.sizes, second.group.sizes):
            _union(first.group, second.group)
    if settings.examples == 1 and not settings.fixes_all:
        draft.notes = list(_notes(draft, slots))
    seen: dict[int, Group] = {id(slot.group): slot.group for slot in slots}
    for group in seen.values():
        group.role = common([slot.role for slot in group.slots])
    _settle_ends(draft, list(seen.values()))
    return list(seen.values())


def _settle_norms(slots: Sequence[Slot]) -> None:
    """Sets the role of what a norm of queries normalises, where that is no head: a latent."""
    heads = [slot for slot in slots if slot.role.kind == HEAD_DIM]
    normed = [slot for slot in heads if of_norm(slot.field).kind == HEAD_DIM]
    others = [slot for slot in heads if slot not in normed]
    for slot in normed:
        if others and not any(agree(slot.sizes, other.sizes) for other in others):
            slot.role = slot.group.role = Role(FEATURES)


def _union(first: Group, second: Group) -> None:
    first.slots += second.slots
    first.sizes = filled(first.sizes, second.sizes)
    for slot in second.slots:
        slot.group = first


def _alike(slots: Sequence[Slot]) -> Iterator[tuple[Slot, Slot]]:
    """Yields pairs of axes of one size, in order; one that is sometimes absent with all others.

    Of many of one size only the first are paired with the rest: what ties to one ties to all.
    """
    groups: defaultdict[Sizes, list[int]] = defaultdict(list)
    for index, slot in enumerate(slots):
        groups[slot.sizes].append(index)
    pairs: set[tuple[int, int]] = set()
    for members in groups.values():
        for place, index in enumerate(members):
            pairs.update((other, index) for other in members[: min(place, _ANCHORS)])
    for one, two in _agreeing(groups):
        for first, second in ((one, two), (two, one)):
            if None in first:
                for index in groups[first]:
                    for other in groups[second][:_ACROSS]:
                        pairs.add((min(index, other), max(index, other)))
    for before, after in sorted(pairs):
        yield slots[before], slots[after]


def _agreeing(groups: Iterable[Sizes]) -> Iterator[tuple[Sizes, Sizes]]:
    """Yields pairs of different sizes, one of which is sometimes absent, that are one otherwise."""
    by_size: defaultdict[tuple[int, int], list[Sizes]] = defaultdict(list)
    for sizes in groups:
        others: dict[Sizes, None] = {}
        for place, size in enumerate(sizes):
            if size is not None:
                others.update(dict.fromkeys(by_size[place, size]))
                by_size[place, size].append(sizes)
        for other in others:
            if (None in sizes or None in other) and agree(sizes, other):
                yield sizes, other


def _settle_ends(draft: Draft, groups: Sequence[Group]) -> None:
    """Sets roles: a width between inner layers is an inner one, that at both ends the stream's."""
    order = {key_text(item.key): place for place, item in enumerate(draft.fields)}
    slots = [slot for group in groups for slot in group.slots if uniform(slot.sizes) != 1]
    ins = [slot for slot in slots if slot.role.kind == IN]
    outs = [slot for slot in slots if slot.role.kind == OUT]
    _mark_ends(draft, slots)
    if not ins or not outs:
        return
    first = min(ins, key=lambda slot: order.get(slot.field, 0))
    last = max(outs, key=lambda slot: order.get(slot.field, 0))
    for group in groups:
        kinds = {slot.role.kind for slot in group.slots}
        if not kinds <= {IN, OUT, FEATURES} or not {IN, OUT} <= kinds:
            continue
        ends = (first in group.slots, last in group.slots)
        found = {(True, True): STREAM, (True, False): IN, (False, True): OUT}.get(ends, INNER)
        group.role = Role(found, group.role.name)


def _mark_ends(draft: Draft, slots: Sequence[Slot]) -> None:
    """Marks what enters the first layer of a class, and what leaves the last."""
    widths = [slot for slot in slots if slot.role.kind in WIDTHS | {VOCAB, CLASSES, INNER}]
    for kind, place in ((IN, 0), (OUT, -1)):
        for slot in widths:
            if slot.unit is widths[place].unit and slot.role.kind == kind and _ends(slot):
                slot.group.end = draft.cls is not None


def _ends(slot: Slot) -> bool:
    """Whether data enters or leaves a layer there, or the class below."""
    if slot.below is None:
        return True
    return any(group.end and group.text == slot.dim for group in slot.below.groups)


class _Varying:
    """Axes that vary alike from example to example are one.

    Where several places of one example have other sizes, and no example has others again, the
    roles say what is one, as with a single example.
    """

    def __init__(self, draft: Draft, slots: Sequence[Slot]) -> None:
        self.draft = draft
        self.structural = _Structural(draft, slots)

    def one(self, first: Slot, second: Slot) -> bool:
        varied = {varies(self.draft, first.sizes), varies(self.draft, second.sizes)}
        if varied == {False}:
            return uniform(first.sizes) is None and self.structural.one(first, second)
        if len(varied) > 1:
            return False
        kinds = {first.role.kind, second.role.kind}
        if LAYERS in kinds:  # how many blocks there are is no width, not even of one unknown
            return len(kinds) == 1
        return len(kinds) == 1 or not kinds & _AT_HOME or ANY in kinds or kinds == {HEADS, KV_HEADS}


class _Structural:
    """Ties axes of one size whose roles can be those of one width."""

    def __init__(self, draft: Draft, slots: Sequence[Slot]) -> None:
        self.draft = draft
        self.slots = slots
        keys = [key_text(item.key) for item in draft.fields]
        self.places = {id(slot): place for place, slot in enumerate(slots)}
        self.first = keys[0] if keys else ""
        self.last = keys[-1] if keys else ""

    def one(self, first: Slot, second: Slot) -> bool:
        if all(size in (None, 0, 1) for size in first.sizes):
            return False
        kinds = {first.role.kind, second.role.kind}
        if kinds in ({LAYERS}, {WINDOW}):
            if first.role.name and first.role == second.role and kinds == {LAYERS}:
                return True  # of the same blocks
            return uniform(first.sizes) is None  # at each of several places they are as many
        if _is_copied(first, second):
            return first.dim == second.dim
        if first.unit is second.unit:
            if kinds == {HEADS, KV_HEADS}:
                return True
            several = kinds == {IN, OUT} and uniform(first.sizes) is None
            return first.below is None and first.dim != "" and (several or kinds == {STREAM})
        if self._open_ended(first) or self._open_ended(second):
            return self._are_ends(first, second)
        if {first.role, second.role} == {Role(PLACE, "positions")}:
            return "ids" in (first.field + second.field).lower()
        return may_be_one(first, second) and self._passed_on(first, second)

    def _open_ended(self, slot: Slot) -> bool:
        """Whether it is where data enters or leaves the model, by no special name."""
        if not self.draft.root or self.draft.cls is None or not slot.dim:
            return False
        if slot.below is not None and slot.below.has_leaves_only:
            return False
        return (slot.role.kind == IN and slot.field == self.first) or (
            slot.role.kind == OUT and slot.field == self.last
        )

    def _are_ends(self, first: Slot, second: Slot) -> bool:
        """Whether what leaves is what entered, or tokens as those of the table."""
        one, two = sorted((first, second), key=self._place)
        if "encode" in one.field.lower() and "decode" in two.field.lower():
            return one.role.kind == IN and two.role.kind in (OUT, STREAM)
        return {one.role.kind, two.role.kind} == {VOCAB, OUT}

    def _passed_on(self, first: Slot, second: Slot) -> bool:
        """Whether one layer hands the other its channels, as those of two stages may be equal.

        What two layers give is one where a layer between them takes it, as in a residual block;
        what a pair of layers takes and gives, where there is nothing but a width between them.
        """
        if "channels" not in (first.role.name, second.role.name):
            return True
        if uniform(first.sizes) is None:
            return True  # equal wherever the class stands, with several sizes
        one, two = sorted((first, second), key=self._place)
        if _BESIDE.search(one.field.lower()) or _BESIDE.search(two.field.lower()):
            return True
        between = self.slots[self._place(one) + 1 : self._place(two)]
        between = [slot for slot in between if slot.role.kind not in _AT_HOME]
        same = [slot for slot in between if agree(slot.sizes, one.sizes)]
        match one.role.kind, two.role.kind:
            case "in", "out" if len({slot.sizes for slot in between}) == 1:
                return True
            case (("in" | "features" | "out"), "out"):
                return any(slot.role.kind == IN for slot in same)
            case "in", ("in" | "features"):  # beside each other, not one after the other
                return is_layer(one) and is_layer(two)
            case "out", "in":  # of like stages the last one hands it on
                made = [(slot.below, slot.dim) for slot in same if slot.role.kind == OUT]
                return one.below is None or (one.below, one.dim) not in made
            case _:
                return True

    def _place(self, slot: Slot) -> int:
        return self.places.get(id(slot), 0)


def _is_copied(first: Slot, second: Slot) -> bool:
    """Whether the axes are of two parts of one class, one of which is a copy of the other."""
    if first.below is None or first.below is not second.below or first.field == second.field:
        return False
    return any(_COPY.search(slot.field.lower()) for slot in (first, second))


def may_be_one(first: Slot, second: Slot) -> bool:
    """Whether the roles of two axes of one size allow to tie them."""
    one, two = first.role.kind, second.role.kind
    kinds = {one, two}
    if kinds <= WIDTHS:
        within = [slot for slot in (first, second) if slot.role.kind == PROJECTED]
        return all(map(is_layer, within)) or one == two  # a width within attention stays there
    if kinds & _ALONE:
        return False
    if one == two == ANY and first.role.name and second.role.name:
        return first.role.name == second.role.name
    if one == two and one not in (VOCAB, CLASSES, ANY):
        return first.below is second.below or (is_layer(first) and is_layer(second))
    if one == two:
        return True
    if kinds == {HEADS, KV_HEADS}:
        return first.below is second.below or (is_layer(first) and is_layer(second))
    if kinds in ({VOCAB, CLASSES}, {VOCAB, OUT}, {CLASSES, OUT}):
        return True
    biases = [slot for slot in (first, second) if slot.role.kind == ANY and "bias" in slot.field]
    if biases:  # of what comes out of a layer
        return kinds <= {OUT, PROJECTED, INNER, ANY}
    if ANY in kinds:  # a leaf of the module's own beside its layers or its other leaves
        return kinds <= WIDTHS | {ANY, INNER}
    return False


def is_layer(slot: Slot) -> bool:
    """Whether an axis is one of a layer, Flax's or the user's own, and of nothing larger."""
    return slot.below is None or slot.below.has_leaves_only


def _align_biases(draft: Draft) -> set[int]:
    """Ties a bias to the last axes of the weight beside it, even if others have the same size."""
    arrays = [
        (key_text(item.key), item.use.value.dims)
        for item in draft.fields
        if isinstance(item.use, LeafUse) and isinstance(item.use.value, ArrayUse)
    ]
    done: set[int] = set()
    for key, dims in arrays:
        if not dims or not (key == "b" or "bias" in key or "scale" in key):
            continue
        for _, others in arrays:
            if others is None or len(others) <= len(dims):
                continue
            pairs = list(zip(dims[::-1], others[::-1], strict=False))
            if all(a and b and agree(a.sizes, b.sizes) for a, b in pairs):
                for a, b in pairs:
                    if a is not None and b is not None and a.group is not b.group:
                        _union(b.group, a.group)
                        a.role = b.role
                        done.add(id(a))
                break
    return done


def _notes(draft: Draft, slots: Sequence[Slot]) -> Iterator[str]:
    """Yields a note for widths of one example that are equal but were not tied."""
    count = 0
    told: set[frozenset[int]] = set()
    widths = WIDTHS | {INNER, CLASSES, VOCAB, ANY}
    for first, second in _alike(slots):
        pair = frozenset((id(first.group), id(second.group)))
        kinds = {first.role.kind, second.role.kind}
        if first.unit is second.unit or len(pair) == 1 or pair in told:
            continue
        if kinds - widths or kinds == {INNER}:
            continue
        if kinds == {STREAM, ANY} and any("bias" in slot.field for slot in (first, second)):
            continue  # of a projection beside it
        if "channels" in (first.role.name, second.role.name) and _are_far(draft, first, second):
            continue
        size = next((size for size in first.sizes if size is not None), 0)
        if size < 2 or not agree(first.sizes, second.sizes):
            continue
        told.add(pair)
        count += 1
        if count > _MAX_NOTES:
            return
        yield (
            f"{shown(first)} and {shown(second)} are both {size}: a second size would settle"
            " whether they are one"
        )


def _are_far(draft: Draft, first: Slot, second: Slot) -> bool:
    """Whether something stands between the fields of two axes."""
    keys = [key_text(item.key) for item in draft.fields]
    places = [keys.index(slot.field) for slot in (first, second) if slot.field in keys]
    return len(places) < 2 or abs(places[0] - places[1]) > 1


def shown(slot: Slot) -> str:
    """An axis as text for notes."""
    return f"{slot.field}.{slot.dim}" if slot.dim else slot.field


__all__ = ["is_layer", "link", "may_be_one", "shown"]
