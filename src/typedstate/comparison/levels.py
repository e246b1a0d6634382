"""`Level`: the keys of one level of a tree, whichever spec declares them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import assert_never

import msgspec

from .._spec.dims import Expr
from .._spec.node_groups import LevelSpec
from .._spec.nodes import EntriesSpec, Extra, Field, Map, Node, Spec, StateOfSpec, Union
from .._spec.words import Container
from .._validation import key_patterns
from .._validation.scopes import Scope
from .side import At, Side, open_binds


class Level(msgspec.Struct, frozen=True):
    """One level of a tree, whatever describes it.

    Attributes:
      fields: by key; what is shared with another path stands among those of the second only.
      entry: what stands under every other key, where keys are open.
      keys: the class of those, None for any.
    """

    fields: dict[Hashable, Field]
    extra: Extra
    container: Container
    entry: Spec | None = None
    keys: str | None = None
    length: Expr[str] | None = None

    @classmethod
    def of(cls, spec: Node | Map | EntriesSpec | StateOfSpec) -> Level:
        """The level that a spec describes."""
        match spec:
            case Node(ref):
                schema = ref.resolve()
                fields = {item.key: item for item in schema.fields}
                return cls(fields, schema.extra, schema.container)
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
        for pattern, spec in self.extra.patterns:
            if key_patterns.matches(pattern, key):
                yield spec
        if self.entry is None:
            return
        if self.keys == "int" and not (type(key) is int and key >= 0):
            return
        if self.keys == "str" and not isinstance(key, str):
            return
        yield self.entry


def container_of(spec: Spec) -> Container:
    """The container of a tree at its root; ``any`` for a spec that is no tree."""
    within = open_binds(Side(), At(spec, Scope(0), outermost=True)).spec
    if isinstance(within, Union):
        return container_of(within.options[0])
    return Level.of(within).container if isinstance(within, LevelSpec) else "any"
