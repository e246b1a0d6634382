"""Entries of a map that are alike: one is walked, the others repeat what was found in it.

The layers of most models have the same keys, classes, dtypes and sizes. Where nothing else can
decide, such an entry differs from the one before it in its path and in the scopes of its names.
"""

from __future__ import annotations

from collections.abc import Hashable, Sized
from typing import Any, Final, NamedTuple, cast

import msgspec

from .._compat import variables
from .._spec import dims
from .._spec.dims import Dim, Expr
from .._spec.nodes import Array, Bound, Extra, Leaf, Map, Node, Spec
from .._spec.questions import all_dims, unbind
from ..report import Path, Size
from .dim_binding import SeenSize
from .scopes import Scope, Var, in_scopes
from .uses import Made, Presence
from .walker import Walker

_PLAIN_KEYS: Final = frozenset[type]({str, int})
_Signs = tuple[Any, ...]


class Repeats:
    """The entries of one map that were walked, to be repeated by those that are like them."""

    __slots__ = ("_known", "_scope", "_spec", "_walk")

    def __init__(self, walk: Walker, spec: Map, count: int, scope: Scope) -> None:
        """Begins a map of so many entries, whose names are those of a scope."""
        self._walk, self._spec, self._scope = walk, spec.entry, scope
        can = count > 1 and _can_repeat(spec.entry, walk.repeatable)
        self._known: dict[_Signs, _Entry] | None = {} if can else None

    def see(self, value: Any, path: Path) -> None:
        """Walks an entry, or repeats one that is like it."""
        signs: list[Any] = []
        if self._known is None or not _sign(value, signs):
            self._walk.below(value, self._spec, path, self._scope)
            return
        key = tuple(signs)
        known = self._known.get(key)
        if known is not None:
            known.repeat(self._walk, path)
        elif (found := self._record(value, path)) is not None:
            self._known[key] = found

    def _record(self, value: Any, path: Path) -> _Entry | None:
        """Walks an entry; None where more was found than sizes and optional leaves."""
        walk, found, occurrences = self._walk, self._walk.found, self._walk.occurrences
        part, guards, order = found.part, found.trace().guards, found.order
        lists: tuple[Sized, ...] = (part.violations, part.unknown, part.splits, guards)
        before, seen, present = [*map(len, lists)], len(part.seen), len(part.present)
        occurrences.made = []
        walk.below(value, self._spec, path, self._scope)
        made, occurrences.made = occurrences.made, None
        if [*map(len, lists)] != before:
            return None
        sizes: list[SeenSize] = []
        for item in part.seen[seen:]:
            if not isinstance(item, SeenSize):
                return None
            sizes.append(item)
        return _Entry.of(path, made, sizes, part.present[present:], order, found.order)


class _Size(NamedTuple):
    """A size that was seen in an entry; `at` is the index of its path, `own` that of a moved name.

    The other attributes are those of `SeenSize`.
    """

    expr: Expr[Var]
    size: Size
    dim: Dim
    root: str
    at: int
    axis: int | tuple[int, ...] | None
    order: int
    depth: int
    own: int | None


class _Entry(msgspec.Struct, frozen=True):
    """What was found in an entry.

    Attributes:
      made: the scopes that it made, each at its path below the entry.
      paths: below it, of the leaves whose sizes were seen.
      names: with names of scopes that it made.
      sizes: that were seen.
      present: the optional leaves that were looked for, each with its path below the entry.
      order: the leaf of the tree before it.
      leaves: how many it has.
    """

    made: tuple[Made, ...]
    paths: tuple[Path, ...]
    names: tuple[Expr[Var], ...]
    sizes: tuple[_Size, ...]
    present: tuple[tuple[Presence, Path], ...]
    order: int
    leaves: int

    @classmethod
    def of(
        cls,
        path: Path,
        made: list[Made],
        sizes: list[SeenSize],
        present: list[Presence],
        before: int,
        after: int,
    ) -> _Entry:
        """What was found at a path, between the leaves `before` and `after` of the tree."""
        own, length = {scope.number for scope in made}, len(path)
        paths: dict[Path, int] = {}
        names: dict[Expr[Var], int] = {}
        seen: list[_Size] = []
        for item in sizes:
            at = paths.setdefault(item.path[length:], len(paths))
            moves = any(var.scope in own for var in dims.names_of(item.expr))
            name = names.setdefault(item.expr, len(names)) if moves else None
            one = (item.expr, item.size, item.dim, item.root, at, item.axis, item.order)
            seen.append(_Size(*one, item.depth, name))
        return cls(
            tuple(Made(scope.number, scope.ref, scope.path[length:]) for scope in made),
            tuple(paths),
            tuple(names),
            tuple(seen),
            tuple((one, one.at[length:]) for one in present),
            before,
            after - before,
        )

    def repeat(self, walk: Walker, path: Path) -> None:
        """The same of an entry that is like it."""
        found, occurrences = walk.found, walk.occurrences
        numbers = occurrences.again(self.made, path)
        by, part = found.order - self.order, found.part
        names = [in_scopes(name, numbers) for name in self.names]
        paths = [(*path, *below) for below in self.paths]
        add = part.seen.append
        for expr, size, dim, root, at, axis, order, depth, own in self.sizes:
            here = expr if own is None else names[own]
            add(SeenSize(here, size, dim, root, paths[at], axis, order + by, "", depth))
        if self.present and occurrences.tree_at is not None:
            tree, depth = occurrences.tree_at
            for one, below in self.present:
                at_ = (*path, *below)
                order = one.order + by
                seen = Presence(tree, at_[depth:], one.there, one.root, at_, order, one.spec)
                part.present.append(seen)
        found.order += self.leaves


def _can_repeat(spec: Spec, known: dict[int, tuple[Spec, bool]]) -> bool:
    """Whether keys, classes, dtypes and sizes alone decide whether a value fits a spec."""
    if id(spec) not in known:
        known[id(spec)] = spec, True  # of a schema in itself, the rest of it decides
        known[id(spec)] = spec, _decided_by_signs(spec, known)
    return known[id(spec)][1]


def _decided_by_signs(spec: Spec, known: dict[int, tuple[Spec, bool]]) -> bool:
    match spec:
        case Leaf(value=Array() as value):
            plain = spec.names is None and not spec.predicates and spec.placed is None
            return plain and not any(dim.per_leaf for dim in all_dims(value))
        case Bound():
            return _can_repeat(unbind(spec)[1], known)
        case Node(ref):
            schema = ref.resolve()
            plain = not ref.owners and schema.extra == Extra()
            return plain and all(
                item.shared is None and _can_repeat(item.spec, known) for item in schema.fields
            )
        case _:
            return False


def _sign(value: Any, signs: list[Any]) -> bool:
    """Adds keys, classes, dtypes and sizes of a tree; False where they may not be all there is."""
    if type(value) is not dict:
        return _sign_leaf(value, signs)
    mapping = cast("dict[Hashable, Any]", value)
    if not _PLAIN_KEYS.issuperset(map(type, mapping)):
        return False
    signs += mapping
    signs.append(None)  # no key: after the last one
    for item in mapping.values():  # leaves here: one call less for each
        if not (_sign(item, signs) if type(item) is dict else _sign_leaf(item, signs)):
            return False
    return True


def _sign_leaf(value: Any, signs: list[Any]) -> bool:
    own = variables.array_signs(value)
    if own is None:
        return False
    signs.append(own)
    return True
