"""`Level`: the keys of one level of a tree, whichever spec declares them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final, assert_never

import msgspec

from .._spec.dims import Expr, evaluate
from .._spec.node_groups import LevelSpec
from .._spec.nodes import (
    EntriesSpec,
    Extra,
    Field,
    KeyPattern,
    Map,
    Node,
    Spec,
    StateOfSpec,
    Union,
)
from .._spec.questions import needs_leaf
from .._spec.words import Container
from .._validation import key_patterns
from .._validation.opening import At, Side, open_binds
from .._validation.scopes import Scope

_MAX_COUNTED: Final = 256


class Level(msgspec.Struct, frozen=True):
    """One level of a tree, whatever describes it.

    Attributes:
      fields: by key; what is shared with another path stands among those of the second only.
      entry: what stands under every other key, where keys are open.
      keys: the class of those, None for any.
      length: how many of those there are.
      counted: the keys of `fields` that a pattern declares, by their number.
    """

    fields: dict[Hashable, Field]
    extra: Extra
    container: Container
    entry: Spec | None = None
    keys: str | None = None
    length: Expr[str] | None = None
    counted: frozenset[Hashable] = frozenset()

    @classmethod
    def of(cls, spec: Node | Map | EntriesSpec | StateOfSpec) -> Level:
        """The level that a spec describes."""
        match spec:
            case Node(ref):
                schema = ref.resolve()
                written = {item.key: item for item in schema.fields}
                fields = {**dict(_counted(schema.extra)), **written}
                counted = frozenset(fields.keys() - written.keys())
                return cls(fields, schema.extra, schema.container, counted=counted)
            case EntriesSpec(items, container, extra):
                numbered = ((i, item) for i, item in enumerate(items) if item is not None)
                return cls({i: Field(str(i), i, item) for i, item in numbered}, extra, container)
            case Map(key, entry, length, container, extra):
                return cls({}, extra, container, entry, key, length)
            case StateOfSpec(leaf, container):
                return cls({}, Extra(), container, Union((leaf, spec)))
            case _:
                assert_never(spec)

    def under(self, key: Hashable) -> Iterator[Spec]:
        """The specs under a key that is not a field."""
        for pattern in self.extra.patterns:
            if key_patterns.matches(pattern, key):
                yield pattern.entry
        if self.entry is None:
            return
        if self.keys == "int" and not (type(key) is int and key >= 0):
            return
        if self.keys == "str" and not isinstance(key, str):
            return
        yield self.entry


def _counted(extra: Extra) -> Iterator[tuple[Hashable, Field]]:
    """The entries of a pattern of which it is known how many there are."""
    for pattern in filter(is_counted_out, extra.patterns):
        for key in map(pattern.key_of, range(_count_of(pattern) or 0)):
            yield key, Field(key, key, pattern.entry)


def is_counted_out(pattern: KeyPattern) -> bool:
    """Whether the entries of a pattern stand among the fields of a `Level`, one by one."""
    count = _count_of(pattern)
    return count is not None and count <= _MAX_COUNTED


def _count_of(pattern: KeyPattern) -> int | None:
    return None if pattern.length is None else evaluate(pattern.length, {})


def container_of(spec: Spec) -> Container:
    """The container of a tree at its root; ``any`` for a spec that is no tree."""
    within = _opened(spec)
    if isinstance(within, Union):
        return container_of(within.options[0])
    return Level.of(within).container if isinstance(within, LevelSpec) else "any"


def has_branch(spec: Spec) -> bool:
    """Whether some key of a tree at its root certainly leads to another level."""
    level = _opened(spec)
    if isinstance(level, Union):
        return any(map(has_branch, level.options))
    return isinstance(level, LevelSpec) and any(
        isinstance(_opened(item.spec), LevelSpec) and needs_leaf(item.spec)
        for item in Level.of(level).fields.values()
    )


def _opened(spec: Spec) -> Spec:
    return open_binds(Side(), At(spec, Scope(0), outermost=True)).spec
