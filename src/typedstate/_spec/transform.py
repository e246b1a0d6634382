"""What a form does to a spec: `Transform` says what becomes of one leaf, `rewrite` of the tree."""

from __future__ import annotations

from typing import Protocol, Self

from ..errors import SchemaError
from ..report import Path
from .dims import Expr
from .leaf_conditions import Predicate
from .nodes import Container, Extra, Spec


class Impossible(SchemaError):
    """No tree of this form can have such a leaf: where it may be absent, it is."""


class Transform(Protocol):
    """What a form does."""

    @property
    def by_path(self) -> bool:
        """Whether a leaf's path matters."""
        ...

    @property
    def link(self) -> str | None:
        """A dim name that every nested schema takes from the outermost one."""
        ...

    @property
    def keeps_kinds(self) -> bool:
        """Whether a filter still selects the leaves that it selected before."""
        ...

    @property
    def keeps_values(self) -> bool:
        """Whether an array is what it was, in the eyes of a filter that reads it."""
        ...

    @property
    def holds_kinds(self) -> bool:
        """Whether its leaves have a kind, as a form around it may need."""
        ...

    @property
    def holds_arrays(self) -> bool:
        """Whether its leaves hold arrays, as a form around it may need."""
        ...

    @property
    def needs_kinds(self) -> bool:
        """Whether it reads the kinds of leaves."""
        ...

    @property
    def needs_arrays(self) -> bool:
        """Whether it changes or reads the arrays in leaves."""
        ...

    def title(self, name: str) -> str:
        """The form of a schema, as its user wrote it."""
        ...

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """What becomes of a leaf; None where it is gone."""
        ...

    def entered(self) -> Transform:
        """The transform within a nested schema, whose names are its own."""
        ...

    def bound(self, links: tuple[tuple[str, Expr[str]], ...]) -> Transform:
        """The transform below a `Bind` with these links."""
        ...

    def container(self, container: Container) -> Container:
        """What a level of the tree must be."""
        ...

    def extra(self, extra: Extra, path: Path) -> Extra:
        """What may stand under undeclared keys of the level at a path."""
        ...

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """What is true of every leaf of a tree of which nothing else is said."""
        ...


class Unchanged:
    """What most transforms leave alone."""

    __slots__ = ()

    @property
    def by_path(self) -> bool:
        """Paths don't matter."""
        return False

    @property
    def link(self) -> str | None:
        """No dim goes through the whole tree."""
        return None

    @property
    def keeps_kinds(self) -> bool:
        """Filters select what they selected before."""
        return True

    @property
    def keeps_values(self) -> bool:
        """Arrays are what they were."""
        return True

    @property
    def holds_kinds(self) -> bool:
        """Leaves keep their kind."""
        return True

    @property
    def holds_arrays(self) -> bool:
        """Leaves keep their arrays."""
        return True

    @property
    def needs_kinds(self) -> bool:
        """Kinds are not read."""
        return False

    @property
    def needs_arrays(self) -> bool:
        """Arrays are not read."""
        return False

    def entered(self) -> Self:
        """The same within a nested schema."""
        return self

    def bound(self, links: tuple[tuple[str, Expr[str]], ...]) -> Self:
        """The same below a `Bind`."""
        return self

    def container(self, container: Container) -> Container:
        """Levels stay what they are."""
        return container

    def extra(self, extra: Extra, path: Path) -> Extra:
        """Undeclared keys stay what they are."""
        return extra

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """Nothing."""
        return ()
