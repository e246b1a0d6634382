"""Specs without a value beside them: what is within `Bind`, with the scopes of the names."""

from __future__ import annotations

from typing import assert_never

import msgspec

from .._spec.dims import Expr, Name
from .._spec.node_groups import StateSpec, ValueSpec
from .._spec.nodes import (
    Anything,
    Bound,
    ModuleState,
    Node,
    PlacedAsSpec,
    SameSpec,
    ScopedSpec,
    Spec,
    Union,
)
from .._spec.questions import unbind
from .scopes import Scope, Var, linked
from .walk import WRITES_NO_NAME


class Side(msgspec.Struct):
    """One hint, or the hints of a call, with a scope for each occurrence of a schema."""

    scopes: int = 0
    apart: dict[str, int] = msgspec.field(default_factory=dict[str, int])

    def new_scope(self) -> Scope:
        """The scope of another occurrence."""
        self.scopes += 1
        return Scope(self.scopes)

    def new_name(self, text: str) -> Expr[Var]:
        """A size of which nothing else is known."""
        self.scopes += 1
        return Name(Var(self.scopes, text))


class At(msgspec.Struct, frozen=True):
    """A spec and where its names live."""

    spec: Spec
    scope: Scope
    outermost: bool = False


def open_binds(side: Side, at: At) -> At:
    """The spec within `Bind`, `Scoped` and `Same`, with the scope of its names."""
    spec, scope = at.spec, at.scope
    if scope.around is not None and type(spec) not in WRITES_NO_NAME:
        scope = scope.written()
    match spec:
        case Node():
            inner = Scope(scope.number, scope.links) if at.outermost else side.new_scope()
            return At(spec, inner)
        case Bound():
            number = scope.number if at.outermost else side.new_scope().number
            binds, within = unbind(spec)
            below = linked(scope, binds, number, outermost=at.outermost)
            return open_binds(side, At(within, below, outermost=True))
        case ScopedSpec(inner=within, scope=name):
            if name not in side.apart:
                side.apart[name] = side.new_scope().number
            apart = (
                Scope(side.apart[name], scope.links) if at.outermost else Scope(side.apart[name])
            )
            return open_binds(side, At(within, apart, outermost=True))
        case SameSpec(inner=within) | PlacedAsSpec(inner=within):
            return open_binds(side, At(within, scope, at.outermost))
        case ModuleState(inner=within):
            return open_binds(side, At(within, scope, outermost=True))
        case Anything() | Union() | ValueSpec() | StateSpec():
            return At(spec, scope, at.outermost)
        case _:
            assert_never(spec)
