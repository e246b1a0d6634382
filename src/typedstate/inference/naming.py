"""Names for the dims and classes of an inferred schema."""

from __future__ import annotations

import keyword
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Final

from ..report import show_key
from .template import ArrayUse, FieldUse, LeafUse, Slot, use_dims

_AXES: Final[dict[tuple[str, int], tuple[str, ...]]] = {
    ("kernel", 2): ("din", "dout"),
    ("embedding", 2): ("vocab", "d"),
    ("lora_a", 2): ("din", "rank"),
    ("lora_b", 2): ("rank", "dout"),
    ("scale", 1): ("d",),
    ("mean", 1): ("d",),
    ("var", 1): ("d",),
}


def key_text(key: Hashable) -> str:
    """A key as the text of which names are made."""
    return key if isinstance(key, str) else show_key(key)


def named_axes(key: Hashable, use: LeafUse, slots: Sequence[Slot]) -> list[Slot]:
    """Names and justifies the axes of a leaf by what the field calls them."""
    shape = use.value.dims if isinstance(use.value, ArrayUse) else None
    rank = len(slots) if shape is not None else -1
    names: tuple[str, ...] | None = _AXES.get((key_text(key), rank))
    if names is None and key == "kernel" and rank >= 4:
        names = (*(f"window{axis}" for axis in range(rank - 2)), "cin", "cout")
    if names is None:
        base = "".join(c if c.isalnum() and c.isascii() else "_" for c in key_text(key)).strip("_")
        base = (base if base and not base[0].isdigit() else f"n{base}").lower()
        base = f"{base}_size" if keyword.iskeyword(base) else base
        names = (base,) if rank == 1 else tuple(f"{base}{axis}" for axis in range(len(slots)))
    found: list[Slot] = []
    for axis, (slot, name) in enumerate(zip(slots, names, strict=True)):
        varies = len(set(slot.signature) - {None}) > 1
        window = rank >= 4 and axis < rank - 2  # a window's size is no feature
        found.append(replace(slot, name=name, links=slot.links and (varies or not window)))
    return found


_FIRST: Final = ("d", "vocab", "dout", "din", "cout", "cin", "rank")


def common_name(names: Sequence[str]) -> str:
    """One name for axes that are one: ``d`` for what goes in here and out there."""
    found = list(dict.fromkeys(names))
    if len(found) == 1:
        return found[0]
    if {"din", "dout"} <= set(found) or {"cin", "cout"} <= set(found):
        return "d"
    plain = [name for name in found if not name.startswith("bias")]  # named by its kernel
    return next((name for name in _FIRST if name in found), (plain or found)[0])


def unique_names(slots: Sequence[Slot]) -> list[str]:
    """A name for each dim; that of most leaves gets the one that it suggests."""
    names = [slot.name or "n" for slot in slots]  # an entry of a map has no field to name it
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


def singular(title: str) -> str:
    """The key of a list as what one entry of it is."""
    if title.endswith("ies"):
        return f"{title[:-3]}y"
    return title[:-1] if title.endswith("s") and not title.endswith("ss") else title


def title_of(cls: str | None, key: str, fields: Sequence[FieldUse]) -> str:
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
