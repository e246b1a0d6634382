"""Finds the names of dims that a `Bind` may link in what is written.

A form that leaves out leaves may leave nothing of a dim that a `Bind` in the schema links. In the
form that is as well; the class that is written in its place does not have the dim.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from .._spec.dims import Expr, names_of
from .._spec.node_groups import StateSpec, ValueSpec
from .._spec.nodes import (
    Anything,
    Argument,
    Array,
    Bound,
    Map,
    Node,
    Partition,
    SchemaRef,
    ScopedSpec,
    Spec,
    Union,
    Within,
)
from .._spec.questions import own_names, parts, schema_names
from .._spec.unrolling import run_of

Links = tuple[tuple[str, Expr[str]], ...]


@dataclass(slots=True)
class Linkable:
    """The names of each schema, found once."""

    _known: dict[int, set[str]] = field(default_factory=dict[int, "set[str]"])

    def links(self, spec: Bound) -> Links:
        """The links of a `Bind` whose names are there."""
        names = self._outermost(spec.inner)
        return tuple(link for link in spec.links if link[0] in names or run_of(link[0]) is not None)

    def _outermost(self, spec: Spec) -> set[str]:
        """The names that a `Bind` around a hint may link."""
        match spec:
            case Node(ref) | Within(ref=ref):
                return self._of(ref) | self._all(map(self._outermost, ref.arguments))
            case Argument(inner):
                return self._outermost(inner)
            case Bound():
                return self._linked(spec, self._outermost(spec.inner))
            case Anything() | Union() | ValueSpec() | StateSpec():
                return self._own(spec) | self._all(map(self._outermost, parts(spec)))
            case _:
                assert_never(spec)

    def _own(self, spec: Spec) -> set[str]:
        """The names that belong to the class in whose annotation a hint stands."""
        match spec:
            case Array() | Partition():
                return {*own_names(spec)}
            case Bound():
                return self._linked(spec, self._own(spec.inner))
            case Node(ref) | Within(ref=ref):
                return self._all(map(self._own, ref.arguments))
            case ScopedSpec() | Argument():
                return set()
            case Map(entry=entry, length=length):
                return self._own(entry) | ({*names_of(length)} if length is not None else set())
            case Anything() | Union() | ValueSpec() | StateSpec():
                return self._all(map(self._own, parts(spec)))
            case _:
                assert_never(spec)

    def _linked(self, spec: Bound, inner: set[str]) -> set[str]:
        names = self._all({*names_of(expr)} for _, expr in self.links(spec))
        return names | (inner - {name for name, _ in spec.links})

    def _of(self, ref: SchemaRef) -> set[str]:
        """The names of a schema's own; of one that stands within itself what it has at most."""
        if id(ref) not in self._known:
            schema = ref.resolve()
            self._known[id(ref)] = {*schema_names(schema)}
            found = self._all(self._own(item.spec) for item in schema.fields)
            for pattern in schema.extra.patterns:
                found |= self._own(pattern.entry)
                found |= {*names_of(pattern.length)} if pattern.length is not None else set()
            self._known[id(ref)] = found
        return self._known[id(ref)]

    @staticmethod
    def _all(names: Iterable[set[str]]) -> set[str]:
        return set[str]().union(*names)
