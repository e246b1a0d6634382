"""Names the dims and classes of an inferred schema by their roles."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from .linking import is_layer
from .observe import Sizes as NodeSizes, sizes_of
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
    RANK,
    STREAM,
    VOCAB,
    WINDOW,
    Role,
    of_size,
)
from .settings import Settings
from .sizes import uniform, varies
from .text import key_text, singular, word
from .uses import (
    AroundUse,
    Draft,
    Group,
    LayerUse,
    LeafUse,
)
from .within_uses import uses_of

_BASES: Final = {
    STREAM: "d",
    FEATURES: "d",
    INNER: "hidden",
    PROJECTED: "inner",
    IN: "din",
    OUT: "dout",
    WINDOW: "window",
    PLACE: "n",
    ANY: "n",
}
_TELLING: Final = frozenset({CLASSES, VOCAB, HEADS, KV_HEADS, HEAD_DIM, RANK})
_REPEATED: Final = re.compile(
    r"^(layers?|blocks?|h|stack|hidden_layers|transformer_blocks|\w+_layers)$"
)
_LAYERS: Final = re.compile(r"(^|_)(layers|blocks)$")
_KV: Final = re.compile(r"^(to_|w)?(k|v|key|value)(_|$)")
_TOGETHER: Final = re.compile(r"(^|_)(qkv|kv)(_|$)")
_FUSED: Final = re.compile(r"(^|_)(qkv|kv|in_proj|c_attn)(_|$)")
_GENERIC: Final = frozenset({"in", "out", "input", "output", "features", "size", "dim", "n", "num"})


def name_dims(draft: Draft, settings: Settings) -> None:
    """Gives each dim of a class its text."""
    known = _Known(draft)
    open_groups: list[Group] = []
    for group in draft.groups:
        size = uniform(group.sizes)
        varied = settings.examples > 1 and varies(draft, group.sizes)
        plain = group.role.kind == LAYERS and settings.examples == 1
        fixed = settings.fixes_all or _is_fixed(settings, varied)
        if size is not None and (fixed or (size < 2 and not plain) or _counts(draft, group, size)):
            group.text = str(size)
            continue
        group.role = known.role(group)
        open_groups.append(group)
    taken: set[str] = set()
    expressions: list[tuple[Group, str]] = []
    for group in list(open_groups):
        found = _expression(draft, group, settings)
        if found is not None and found.isidentifier() and found not in taken:
            group.text = found
            taken.add(found)
            open_groups.remove(group)
        elif found is not None:
            expressions.append((group, found))
    for group, found in expressions:
        if set(re.findall(r"[A-Za-z_]\w*", found)) <= taken:
            group.text = found
            open_groups.remove(group)
    streams = sum(group.role.kind == STREAM for group in draft.groups)
    lengths = [
        group
        for group in draft.groups
        if group.role.kind == LAYERS and group.slots[0].below is None
    ]
    fields = {key_text(item.key) for item in draft.fields}
    channels = sum(group.role.name == "channels" for group in open_groups)
    for group in sorted(open_groups, key=_weight):
        base = _base(group, len(lengths) == 1, streams == 1)
        if base == "cout" and channels == 1:
            base = "channels"
        elif base == "channels" and group.end and draft.root and group.slots[0].role.kind == IN:
            base = "cin"
        elif base == "channels" and base in taken and _is_squeezed(group):
            base = "hidden"
        group.text = _unique(base, group, taken, fields)
        taken.add(group.text)
    if settings.examples == 1:
        _name_products(draft)


def _counts(draft: Draft, group: Group, size: int) -> bool:
    """Whether an axis has one entry for each of q, k and v, as the name of the weight says."""
    slots = group.slots
    if any(slot.below is not None for slot in slots) or group.role.kind not in (PLACE, ANY):
        return False
    keys = {slots[0].field, *(key_text(path[-1]) for _, path in draft.places if path)}
    return any(len(found.group(2)) == size for key in keys if (found := _TOGETHER.search(key)))


def _name_products(draft: Draft) -> None:
    """Writes a width that equals all heads together as ``heads*head_dim``."""
    by_kind: defaultdict[str, list[Group]] = defaultdict(list)
    for group in draft.groups:
        by_kind[group.role.kind].append(group)
    if len(by_kind[HEAD_DIM]) != 1:
        return
    (width,) = by_kind[HEAD_DIM]
    for group in draft.groups:
        if group.role.kind not in (ANY, PROJECTED) or not group.is_name:
            continue
        kv = all(_KV.match(slot.field) for slot in group.slots)
        first, second = (KV_HEADS, HEADS) if kv else (HEADS, KV_HEADS)
        for heads in (*by_kind[first], *by_kind[second]):
            if heads.is_name and width.is_name and _is_product(group, heads, width):
                group.text = f"{heads.text}*{width.text}"
                heads.needed = width.needed = True
                break


def _is_product(group: Group, heads: Group, width: Group) -> bool:
    sizes = list(zip(group.sizes, heads.sizes, width.sizes, strict=True))
    return all(None not in row and row[0] == (row[1] or 0) * (row[2] or 0) for row in sizes)


def _is_fixed(settings: Settings, varied: bool) -> bool:
    """Whether a size is the same in several examples, and so is written as a number."""
    return settings.examples > 1 and not varied


def _expression(draft: Draft, group: Group, settings: Settings) -> str | None:
    by_example: dict[int, int] = {}
    for (example, _), size in zip(draft.places, group.sizes, strict=True):
        if size is not None and by_example.setdefault(example, size) != size:
            return None
    return settings.expression(by_example)


class _Known:
    """The sizes that the modules of a class keep beside their state, by name."""

    def __init__(self, draft: Draft) -> None:
        found = [sizes_of(branch.node) for branch in draft.seen]
        self._own = _columns(found, "own")
        self._config = _columns(found, "config")

    def role(self, group: Group) -> Role:
        """The role of a dim, by a size of that name where its place says little."""
        role = group.role
        if any(slot.below is not None for slot in group.slots):
            return role  # the class below knows better
        if role.kind in _TELLING or role.kind in (LAYERS, WINDOW, LENGTH, INNER) or role.name:
            return role
        for columns in (self._own, self._config):
            roles = {of_size(name) for name, sizes in columns if _fits(sizes, group.sizes)}
            roles = {found for found in roles if found.kind != ANY or found.name not in _GENERIC}
            roles -= {Role(ANY)}
            telling = {found for found in roles if found.kind != ANY} or roles
            if len(telling) != 1:
                if roles:
                    return role
                continue
            found = telling.pop()
            if role.kind in (ANY, PLACE):
                if found.kind not in _TELLING and columns is self._config:
                    return role
                return replace(found, kind=role.kind) if found.kind == ANY else found
            if role.kind in (IN, OUT) and found.kind in _TELLING:
                return found
            if role.kind in (IN, OUT, PROJECTED) and found.kind == ANY and found.name:
                return Role(role.kind, found.name)
            return role
        return role


def _columns(found: list[NodeSizes], which: str) -> list[tuple[str, tuple[int | None, ...]]]:
    names = dict.fromkeys(name for sizes in found for name in getattr(sizes, which))
    return [(name, tuple(getattr(sizes, which).get(name) for sizes in found)) for name in names]


def _fits(known: tuple[int | None, ...], sizes: tuple[int | None, ...]) -> bool:
    return all(size is None or size == own for own, size in zip(known, sizes, strict=True))


def _base(group: Group, only: bool, only_stream: bool) -> str:
    role = group.role
    if role.kind == LAYERS:
        key = role.name or group.slots[0].field or "layers"
        if group.slots[0].below is not None:
            return group.slots[0].dim
        if len(group.slots) > 1 and all(_LAYERS.search(slot.field) for slot in group.slots):
            return "layers"
        named = _REPEATED.match(key) is not None and only
        return "layers" if named else word(key)
    end = group.slots[0]
    alone = len(group.slots) == 1 and end.below is None and end.dim in ("din", "dout")
    if alone and role.kind == STREAM and not only_stream and not role.name:
        return end.dim
    if role.name == "latent":
        return role.name
    if role.kind == PLACE and role.name:
        return word(role.name)
    below = [slot.dim for slot in group.slots if slot.below is not None]
    if role.kind in _TELLING:
        return role.kind
    if role.kind == PROJECTED and _FUSED.search(end.field) and len(group.slots) == 1:
        return word(end.field)
    alike = len(below) == len(group.slots) and len({*below}) == 1
    if below and (len(group.slots) == 1 or (role.kind == INNER and alike)):
        return below[0]
    kinds = {slot.role.kind for slot in group.slots}
    if role.name == "channels" and kinds <= {IN, FEATURES}:
        return "cin"
    if role.name == "channels" and kinds <= {OUT, FEATURES}:
        return "cout"
    if role.kind == PROJECTED and all(_KV.match(slot.field) for slot in group.slots):
        return "kv_inner"
    normed = any(slot.role.kind == FEATURES for slot in group.slots)
    if normed and role.kind in (IN, OUT) and not role.name:
        return "d"
    if role.name and not (role.kind == STREAM and _plainly_stream(group)):
        return word(role.name)
    return _BASES.get(role.kind, role.kind)


def _plainly_stream(group: Group) -> bool:
    return any(slot.role.kind == STREAM and not slot.role.name for slot in group.slots)


def _weight(group: Group) -> tuple[bool, bool, int]:
    """A sort key for dims: what is written first, then those of most axes.

    A token table has the model's width. What a class below counts comes after what is counted
    here.
    """
    tokens = sum(slot.role.kind == STREAM for slot in group.slots)
    counted = group.role.kind == LAYERS and group.slots[0].below is not None
    return (not group.is_tied, counted, -len(group.slots) - tokens)


def _is_squeezed(group: Group) -> bool:
    """Whether channels pass between two layers of a class, and no further."""
    return group.role.kind == INNER and all(map(is_layer, group.slots))


def _unique(base: str, group: Group, taken: set[str], fields: set[str]) -> str:
    """The name, with a field before it where it is taken: one that both takes and gives it."""
    if base not in taken:
        return base
    below = [slot.dim for slot in group.slots if slot.below is not None]
    alike = len(below) == len(group.slots) and len({*below}) == 1
    for dim in below:  # the classes below have found one
        if (alike or dim.endswith(f"_{base}")) and dim not in taken:
            return dim
    own = Counter(slot.field for slot in group.slots if slot.below is None)
    slots = sorted(group.slots, key=lambda slot: (slot.field not in fields, own[slot.field] < 2))
    for slot in () if group.role.kind == WINDOW else slots:
        joint = f"{word(slot.field)}_{base}"
        if joint not in taken:
            return joint
    return _numbered(base, "", taken)


def _numbered(stem: str, end: str, taken: set[str]) -> str:
    number = 2
    while f"{stem}{number}{end}" in taken:
        number += 1
    return f"{stem}{number}{end}"


def titles(drafts: Sequence[Draft], name: str | None) -> dict[int, str]:
    """A name for each class, from its module class; with a key before it if two would be the same.

    Args:
      drafts: the drafts of the classes.
      name: the user's name for the whole tree, else None.
    """
    by_title: defaultdict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        given = name if draft.root else None
        by_title[given or class_name(_by_roles(draft) or draft.title)].append(draft)
    found: dict[int, str] = {}
    used = _catalogue(drafts)
    taken = {*by_title, *used}
    for title, members in by_title.items():
        for draft in members:
            name = title
            if (len(members) > 1 or title in used) and not draft.root:
                sharded = f"Sharded{title}"
                if sorted(map(_is_plain, members)) != [False, True] or sharded in by_title:
                    name = _with_place(draft, title, taken)
                elif not _is_plain(draft):
                    name = sharded
                elif title in used:
                    name = _with_place(draft, title, taken)
            taken.add(name)
            found[id(draft)] = name
    return found


def _is_plain(draft: Draft) -> bool:
    """Whether none of its leaves has axis names."""
    uses = [item.use for item in draft.fields]
    return not any(isinstance(use, LeafUse) and use.names is not None for use in uses)


def _by_roles(draft: Draft) -> str | None:
    """A class name for a module around one weight, by the roles of the weight's axes."""
    kinds = [role.kind for role in draft.roles or ()]
    if sorted(kinds) == sorted([STREAM, HEADS, HEAD_DIM]):
        return "MergeHeads" if kinds[-1] == STREAM else "SplitHeads"
    return None


def _catalogue(drafts: Sequence[Draft]) -> set[str]:
    """The names of the catalogue's classes that the drafts use."""
    return {
        use.schema.__name__
        for draft in drafts
        for item in draft.fields
        for use in uses_of(item.use)
        if isinstance(use, LayerUse | AroundUse)
    }


def _with_place(draft: Draft, title: str, taken: set[str]) -> str:
    """The title, with a key from above it as prefix."""
    _, path = draft.places[0]
    words = [
        _without_number(key, place, draft)
        for place, key in enumerate(path)
        if isinstance(key, str) and not key.isdigit()
    ]
    stem = title.removesuffix("State")
    name = title
    for key in reversed(words):
        word = class_name(singular(key)).removesuffix("State")
        if word.lower() not in stem.lower():
            stem = _joined(word, stem)
            name = f"{stem}State"
            if name not in taken:
                return name
    return _numbered(stem, "State", taken)


def _joined(first: str, second: str) -> str:
    """Two names as one: ``LogitsDense`` and ``DenseGeneral`` have a word in common."""
    words = re.findall(r"[A-Z][^A-Z]*", second)
    common = (n for n in range(len(words), 0, -1) if first.endswith("".join(words[:n])))
    return first + "".join(words[next(common, 0) :])


def _without_number(key: str, place: int, draft: Draft) -> str:
    """A key above a class; without its number, if the class stands at another number too."""
    stem = key.rstrip("0123456789")
    for _, path in draft.places:
        other = path[place] if place < len(path) else key
        if isinstance(other, str) and other != key and other.rstrip("0123456789") == stem:
            return stem
    return key


def class_name(title: str) -> str:
    """Makes a class name that ends in State of any text."""
    words = re.split(r"[\W_]+", title, flags=re.ASCII)
    name = "".join(word[:1].upper() + word[1:] for word in words if word)
    if not name or name[0].isdigit():
        name = f"Entry{name}"
    return name if name.endswith("State") else f"{name}State"


__all__ = ["class_name", "name_dims", "titles"]
