"""`Scope`: resolves the names of dims in a schema, a `Bind` or a type argument."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from .._spec import dims
from .._spec.dims import Expr, Name


class Var(NamedTuple):
    """A name in one scope. Scope 0 is the call's."""

    scope: int
    name: str


#: Of most scopes; one for all, as a walk makes one for each sub-state.
_NO_SITES: Final[Mapping[object, WrittenAt]] = {}


class Scope:
    """The scope of one occurrence of a schema.

    Attributes:
      number: the number of this scope; a name without link is a variable of the scope.
      links: the linked names, each as an expression over variables of outer scopes.
      around: for a schema in a `Bind`, the scope of the class that wrote the `Bind`.
      sites: the scope in which each type argument was written, by the argument's owner.
    """

    __slots__ = ("_own", "around", "links", "number", "sites")

    def __init__(
        self,
        number: int,
        links: Mapping[str, Expr[Var]] | None = None,
        around: Scope | None = None,
        sites: Mapping[object, WrittenAt] = _NO_SITES,
    ) -> None:
        """Starts an occurrence; a walk makes one for each sub-state, so no more than it needs."""
        self.number = number
        self.links: Mapping[str, Expr[Var]] = links or {}
        self.around = around
        self.sites = sites
        self._own: dict[str, Expr[Var]] = {}

    def written(self) -> Scope:
        """The scope of the names that the annotation itself writes, inside of a `Bind` too."""
        if self.around is None:
            return self
        return Scope(
            self.around.number, {**self.around.links, **self.links}, sites=self.around.sites
        )

    @property
    def given(self) -> Mapping[str, Expr[Var]]:
        """The links of a `Bind` in a class body; none where this is no scope inside of one."""
        none: Mapping[str, Expr[Var]] = {}
        return none if self.around is None else self.links

    def site_of(self, owner: object) -> WrittenAt | None:
        """The scope in which the type arguments of an owner were written."""
        return (self.around or self).sites.get(owner)

    def lookup(self, name: str) -> Expr[Var]:
        """The expression for a name, over the variables of this and outer scopes."""
        found = self.links.get(name) or self._own.get(name)
        if found is None:
            found = self._own[name] = Name(Var(self.number, name))
        return found

    def expand(self, expr: Expr[str]) -> Expr[Var]:
        """An expression over the variables of this and outer scopes."""
        if isinstance(expr, Name):  # by far the most
            return self.lookup(expr.name)
        return dims.substitute(expr, self.lookup)


def linked(
    scope: Scope, binds: Iterable[Iterable[tuple[str, Expr[str]]]], number: int, *, outermost: bool
) -> Scope:
    """The scope inside of nested `Bind`: inner names as expressions over the outer ones.

    Args:
      scope: around them.
      binds: the links of each, the outermost first.
      number: of the scope inside.
      outermost: the schema inside is that of a call, or of a `Bind` around these.
    """
    links: dict[str, Expr[Var]] = dict(scope.links) if outermost else {}
    outer, given = scope.written(), dict[str, "Expr[Var]"]()
    for bind in binds:
        if given:  # the links of a Bind around this one
            outer = Scope(outer.number, {**outer.links, **given})
        given = {name: outer.expand(expr) for name, expr in bind}
        links |= given
    return Scope(number, links, scope.around if outermost else scope, scope.sites)


def in_scopes(expr: Expr[Var], numbers: Mapping[int, int]) -> Expr[Var]:
    """An expression with its names in other scopes, by the numbers of those."""

    def moved(var: Var) -> Expr[Var]:
        return Name(Var(numbers.get(var.scope, var.scope), var.name))

    return moved(expr.name) if isinstance(expr, Name) else dims.substitute(expr, moved)


class WrittenAt(msgspec.Struct, frozen=True):
    """The scope in which the type arguments of one occurrence of a generic schema are written.

    Attributes:
      scope: the scope of the names in the arguments.
      links: the links of a `Bind` around the generic schema.
      number: at the top of a signature, the number of the scope that the schemas in the
        arguments share; else None, and each has a scope of its own.
      key: a key of the occurrence.
      top: in a level without a class at the top of a signature, an optimizer's chain say, the
        number of the call's scope, to which trees of the arguments belong.
    """

    scope: Scope
    links: Mapping[str, Expr[Var]]
    number: int | None
    key: Hashable
    top: int | None = None


def inside(
    scope: Scope,
    number: int,
    owners: Mapping[object, bool],
    key: Hashable,
    *,
    outermost: bool,
    top: int | None = None,
) -> Scope:
    """The scope within one occurrence of a schema.

    Args:
      scope: around it.
      number: of the scope inside.
      owners: whose type arguments stand in its fields; True for its own class statement.
      key: tells occurrences apart.
      outermost: the schema is that of a call, or of a `Bind` around it.
      top: the number of the call's scope, if only levels without a class lie around the schema.
    """
    inner = Scope(number, scope.links if outermost else {}, None, (scope.around or scope).sites)
    if not owners:
        return inner
    written = scope.written()
    of_call = scope.number if outermost and scope.around is None else None
    there = WrittenAt(written, inner.links, of_call, key, None if scope.around else top)
    here = WrittenAt(inner, {}, None, (key, "own"))
    inner.sites = {**inner.sites, **{o: here if own else there for o, own in owners.items()}}
    return inner


def argument_scope(scope: Scope, site: WrittenAt) -> Scope:
    """The scope of a type argument, perhaps in a `Bind`, in a class whose scope is `scope`."""
    links = scope.given
    if site.number is not None:
        return Scope(site.number, {**site.links, **links}, None, site.scope.sites)
    return Scope(site.scope.number, {**site.scope.links, **links}, None, site.scope.sites)
