"""Infers the use of a leaf from all its occurrences."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from .._compat.storage import ANYWHERE, Storage
from .observe import ArraySeen, DictSeen, LeafSeen, OtherSeen, TupleSeen, ValueSeen
from .roles import ANY, PLACE, WIDTHS, Role
from .text import key_text
from .uses import ArrayUse, DictUse, Draft, LeafUse, OtherUse, Slot, TupleUse, ValueUse
from .weights import leaf_roles
from .widening import common_dtype, common_kind


def leaf_use(
    observed: Sequence[LeafSeen | None], key: str, owner: Draft, sole: bool
) -> tuple[LeafUse, list[Slot]]:
    """The use that describes all occurrences of a leaf, and the slots of its dims.

    Args:
      observed: the leaf in each occurrence of the class, None if it is absent.
      key: the key of the leaf.
      owner: the draft of the class.
      sole: whether all leaves of the class have one axis.
    """
    there = [item for item in observed if item is not None]
    kind = common_kind([item.kind for item in there])
    names = {item.names for item in there}
    stored = {item.storage for item in there}
    slots: list[Slot] = []
    values = [None if item is None else item.value for item in observed]
    value = _value(values, key, slots)
    first, shared = there[0].value, there[0].shared
    name = key if shared is None else key_text(shared[-1])
    one_name = names.pop() if len(names) == 1 else None
    if isinstance(first, ArraySeen) and slots:
        roles = leaf_roles(owner, name, one_name, len(slots), sole)
        for slot, role in zip(slots, roles, strict=True):
            whole = jnp.issubdtype(first.dtype, jnp.integer) and role.kind in WIDTHS
            slot.role = Role(PLACE, "positions" if "pos" in name else "") if whole else role
        _name_long(slots)
    exact = all(item.kind is kind for item in there)
    storage = stored.pop() if len(stored) == 1 else ANYWHERE
    if one_name is None:
        storage = Storage(storage.memory_kind)
    return LeafUse(kind, value, one_name, exact, storage), slots


def _name_long(slots: Sequence[Slot]) -> None:
    """Moves the name of an axis of size 1 to the one other that is longer and has none."""
    places = [slot for slot in slots if slot.role.kind == PLACE]
    named = [slot for slot in places if slot.role.name and set(slot.sizes) <= {1, None}]
    longer = [slot for slot in places if not set(slot.sizes) <= {1, None}]
    if len(named) == len(longer) == 1 and not longer[0].role.name:
        named[0].role, longer[0].role = longer[0].role, named[0].role


def _value(observed: Sequence[ValueSeen | None], key: str, slots: list[Slot]) -> ValueUse:
    there = [item for item in observed if item is not None]
    first = there[0]
    if all(isinstance(item, ArraySeen) for item in there):
        arrays = [item if isinstance(item, ArraySeen) else None for item in observed]
        return _array(arrays, key, slots)
    if isinstance(first, TupleSeen) and all(
        isinstance(item, TupleSeen) and len(item.items) == len(first.items) for item in there
    ):
        columns = (
            [item.items[at] if isinstance(item, TupleSeen) else None for item in observed]
            for at in range(len(first.items))
        )
        return TupleUse(tuple(_value(column, key, slots) for column in columns))
    if isinstance(first, DictSeen) and all(
        isinstance(item, DictSeen) and dict(item.items).keys() == dict(first.items).keys()
        for item in there
    ):
        return DictUse(
            tuple(
                (name, _value([_dict_item(i, name) for i in observed], key, slots))
                for name, _ in first.items
            )
        )
    if isinstance(first, OtherSeen) and all(item == first for item in there):
        return OtherUse(first.cls)
    return OtherUse(None)


def _array(observed: Sequence[ArraySeen | None], key: str, slots: list[Slot]) -> ValueUse:
    """The use that describes all arrays; adds a slot for each axis."""
    there = [item for item in observed if item is not None]
    if len({item.cls for item in there}) > 1:
        return OtherUse(None)
    dtype = common_dtype([item.dtype for item in there])
    if len({len(item.shape) for item in there}) > 1:
        return ArrayUse(there[0].cls, dtype, None)
    dims: list[Slot] = []
    unit = object()
    for axis in range(len(there[0].shape)):
        sizes = tuple(None if item is None else item.shape[axis] for item in observed)
        dims.append(Slot(sizes, Role(ANY), "", key, unit))
    slots += dims
    return ArrayUse(there[0].cls, dtype, tuple(dims))


def _dict_item(value: ValueSeen | None, key: str) -> ValueSeen | None:
    """The item of a dict of values under a key; None if there is no dict."""
    return dict(value.items)[key] if isinstance(value, DictSeen) else None
