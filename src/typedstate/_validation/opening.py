"""Specs without a value beside them: what is within `Bind`, with the scopes of the names."""

from __future__ import annotations

from collections.abc import Hashable
from typing import assert_never

import msgspec

from .._spec.dims import Expr, Name
from .._spec.node_groups import StateSpec, ValueSpec
from .._spec.nodes import (
    Anything,
    Argument,
    Bound,
    ModuleState,
    Node,
    PlacedAsSpec,
    SameSpec,
    SchemaRef,
    ScopedSpec,
    Spec,
    Union,
    Within,
)
from .._spec.questions import root_of, unbind
from ..report import Path
from .scopes import Scope, Var, argument_scope, inside, linked
from .walk import WRITES_NO_NAME


class Side(msgspec.Struct):
    """One hint, or the hints of a call, with a scope for each occurrence of a schema.

    Attributes:
      scopes: how many there are.
      apart: the numbers of those that a `Scoped` names.
      shared: the numbers of those in a type argument, which all its uses have.
      arguments: the type arguments that lie around the path that was opened last: where each
        stands, and its use.
    """

    scopes: int = 0
    apart: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    shared: dict[Hashable, int] = msgspec.field(default_factory=dict[Hashable, int])
    arguments: list[tuple[Path, Hashable]] = msgspec.field(
        default_factory=list[tuple[Path, Hashable]]
    )

    def new_number(self) -> int:
        """Of another scope."""
        self.scopes += 1
        return self.scopes

    def new_scope(self) -> Scope:
        """The scope of another occurrence."""
        return Scope(self.new_number())

    def new_name(self, text: str) -> Expr[Var]:
        """A size of which nothing else is known."""
        return Name(Var(self.new_number(), text))

    def come_to(self, path: Path) -> None:
        """Leaves the type arguments that do not lie around a path."""
        around = self.arguments
        while around and (len(around[-1][0]) >= len(path) or not _is_below(path, around[-1][0])):
            around.pop()

    def of(self, ref: SchemaRef | None, path: Path) -> Hashable:
        """Tells one occurrence of a schema from others, but not uses of one type argument."""
        at, use = self.arguments[-1] if self.arguments else ((), None)
        return use, path[len(at) :], None if ref is None else root_of(ref)

    def number(self, ref: SchemaRef | None, path: Path) -> int:
        """Of the scope of one occurrence; the same in every use of a type argument."""
        if not self.arguments:
            return self.new_number()
        key = self.of(ref, path)
        if key not in self.shared:
            self.shared[key] = self.new_number()
        return self.shared[key]


def _is_below(path: Path, other: Path) -> bool:
    return path[: len(other)] == other


class At(msgspec.Struct, frozen=True):
    """A spec and where its names live."""

    spec: Spec
    scope: Scope
    outermost: bool = False


def open_binds(side: Side, at: At, path: Path = ()) -> At:
    """The spec within `Bind`, `Scoped` and `Same`, with the scope of its names.

    Args:
      side: of which hint it is.
      at: the spec with the scope around it.
      path: where it stands; a hint is walked depth first.
    """
    side.come_to(path)
    return _opened(side, at, path)


def _opened(side: Side, at: At, path: Path) -> At:
    spec, scope = at.spec, at.scope
    if scope.around is not None and type(spec) not in WRITES_NO_NAME:
        scope = scope.written()
    match spec:
        case Node(ref) | Within(ref=ref):
            number = scope.number if at.outermost else side.number(ref, path)
            key = side.of(ref, path) if ref.owners else None
            own = inside(scope, number, ref.owners, key, outermost=at.outermost)
            return At(spec if isinstance(spec, Node) else spec.inner, own)
        case Bound():
            binds, within = unbind(spec)
            bound = within.ref if isinstance(within, Node | Within) else None
            number = scope.number if at.outermost else side.number(bound, path)
            below = linked(scope, binds, number, outermost=at.outermost)
            return _opened(side, At(within, below, outermost=True), path)
        case Argument():
            return _argument(side, spec, at, scope, path)
        case ScopedSpec(inner=within, scope=name):
            if name not in side.apart:
                side.apart[name] = side.new_number()
            links = scope.links if at.outermost else None
            apart = Scope(side.apart[name], links, None, scope.sites)
            return _opened(side, At(within, apart, outermost=True), path)
        case SameSpec(inner=within) | PlacedAsSpec(inner=within):
            return _opened(side, At(within, scope, at.outermost), path)
        case ModuleState(inner=within):
            return _opened(side, At(within, scope, outermost=True), path)
        case Anything() | Union() | ValueSpec() | StateSpec():
            return At(spec, scope, at.outermost)
        case _:
            assert_never(spec)


def _argument(side: Side, spec: Argument, at: At, scope: Scope, path: Path) -> At:
    """A type argument: its names are those of where it was written."""
    site, inner = scope.site_of(spec.owner), spec.inner
    if site is None or (at.outermost and scope.around is None):  # kept apart, say
        return _opened(side, At(inner, scope, at.outermost), path)
    there, links = argument_scope(scope, site), {**site.links, **scope.given}
    side.arguments.append((path, (site.key, spec.index)))
    if site.number is None and isinstance(inner, Node) and links:
        own = Scope(side.number(inner.ref, path), links, there, there.sites)
        return _opened(side, At(inner, own, outermost=True), path)
    return _opened(side, At(inner, there, outermost=site.number is not None), path)
