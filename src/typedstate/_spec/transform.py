"""Forms as functions on specs: a `Transform` changes one leaf, and `rewrite` the whole tree."""

from __future__ import annotations

from typing import Protocol, Self

from ..errors import SchemaError
from ..report import Path
from .dims import Expr
from .leaf_conditions import Predicate
from .nodes import Extra, Spec
from .words import Container


class Impossible(SchemaError):
    """No tree of this form can have such a leaf: where it may be absent, it is."""


class Transform(Protocol):
    """The change that a form makes."""

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
        """The transformed leaf; None if the form removes it."""
        ...

    def entered(self, path: Path) -> Transform | None:
        """The transform within a nested schema, whose names are its own; None where it ends."""
        ...

    def bound(self, links: tuple[tuple[str, Expr[str]], ...]) -> Transform:
        """The transform below a `Bind` with these links."""
        ...

    def relinked(
        self, links: tuple[tuple[str, Expr[str]], ...]
    ) -> tuple[tuple[str, Expr[str]], ...]:
        """The links of a `Bind` in the transformed tree."""
        ...

    def written_around(self) -> Transform:
        """The transform of a type argument, whose names are those of what stands around."""
        ...

    def container(self, container: Container) -> Container:
        """The container class of a transformed level of the tree."""
        ...

    def extra(self, extra: Extra, path: Path) -> Extra:
        """The transformed entries under undeclared keys of the level at a path."""
        ...

    def requires(self, path: Path) -> bool:
        """Whether what stands at a path has to be there, though the schema leaves it optional."""
        ...

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """The conditions that the form puts on every leaf of a tree without declared leaves."""
        ...


class Unchanged:
    """Defaults of a transform: it changes little."""

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

    def entered(self, path: Path) -> Self | None:
        """The same within a nested schema."""
        return self

    def bound(self, links: tuple[tuple[str, Expr[str]], ...]) -> Self:
        """The same below a `Bind`."""
        return self

    def relinked(
        self, links: tuple[tuple[str, Expr[str]], ...]
    ) -> tuple[tuple[str, Expr[str]], ...]:
        """Links stay what they are."""
        return links

    def written_around(self) -> Self:
        """The same in a type argument."""
        return self

    def container(self, container: Container) -> Container:
        """Levels stay what they are."""
        return container

    def extra(self, extra: Extra, path: Path) -> Extra:
        """Undeclared keys stay what they are."""
        return extra

    def requires(self, path: Path) -> bool:
        """What may be absent may still be."""
        return False

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """Nothing."""
        return ()
