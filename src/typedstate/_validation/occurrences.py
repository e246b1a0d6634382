"""Occurrences of schemas in a walk: which of them share the names of their dims.

Each occurrence has a scope of its own, but for the uses of one type argument: these share the
scopes of the schemas in it; and for one schema in several alternatives around one value.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Literal

from .._spec.nodes import EntriesSpec, Map, SchemaRef, Spec, StateOfSpec
from .._spec.questions import root_of
from ..report import Path
from .findings import Findings
from .scopes import Scope, inside
from .uses import Entries, Made, Tree, base_of


class Occurrences:
    """The scopes of the schemas that a walk met.

    Attributes:
      made: the scopes made since it was set to a list; None if nobody asks for them.
      argument_at: the current use of a type argument, and the length of its path.
      argument_of: the number of the call's scope, if the argument belongs to it as a tree.
      top: within levels without a class at the top of a signature, the length of the paths of
        their entries, and the number of the call's scope.
      tree_at: the current tree, and the length of its path.
      entry: the path of the entry of a map that was entered last.
      unions: how many lie around what is looked at.
    """

    __slots__ = (
        "_found",
        "argument_at",
        "argument_of",
        "entry",
        "made",
        "top",
        "tree_at",
        "unions",
    )

    def __init__(self, found: Findings) -> None:
        """Starts at the root of a value; scopes are counted in the findings of its call."""
        self._found = found
        self.argument_at: tuple[Hashable, int] | None = None
        self.argument_of: int | None = None
        self.top: tuple[int, int] | None = None
        self.tree_at: tuple[Tree, int] | None = None
        self.entry: Path | None = None
        self.made: list[Made] | None = None
        self.unions = 0

    def scope_inside(self, ref: SchemaRef, path: Path, scope: Scope, outermost: bool) -> Scope:
        """The scope of one occurrence of a schema."""
        number = scope.number if outermost else self.new_number(ref, path)
        key = self.of(ref, path) if ref.owners else None
        top = self.top_at(path)
        return inside(scope, number, ref.owners, key, outermost=outermost, top=top)

    def top_at(self, path: Path) -> int | None:
        """The number of the call's scope, if only levels without a class lie around a path."""
        return self.top[1] if self.top is not None and self.top[0] == len(path) else None

    def begins_tree(self, path: Path, outermost: bool) -> bool:
        """Whether a tree at a path may have to agree with others."""
        is_root = outermost and self.tree_at is None  # below a root a Bind, too, has its own names
        return is_root or (self.argument_at is not None and self.argument_at[1] == len(path))

    def begin_tree(self, number: int, of: Any, path: Path) -> None:
        """A tree that may have to agree with others of the same schema and names."""
        use = self.argument_at[0] if self.argument_at else (self._found.root, path)
        of_call = self.argument_of if self.argument_at else None
        names = (number if of_call is None else of_call, of)
        tree = Tree(names, use, self._found.depth, number, len(path))
        self._found.trees.append(tree)
        self.tree_at = tree, len(path)

    def begin_level(
        self, number: int, spec: Map | EntriesSpec | StateOfSpec, path: Path, outermost: bool
    ) -> None:
        """The same of a map, say; of one without schemas, only the uses of it have to agree."""
        base = base_of(spec)
        if base is not None and outermost:
            self.begin_tree(number, base, path)
        elif self.argument_at is not None:
            use = self.argument_at[0]
            self.begin_tree(self._found.shared_scope(use), (use, base), path)

    def note_entries(
        self,
        keys: Iterable[Path],
        spec: Spec,
        path: Path,
        of: Literal["map", "pattern", "tree"] = "map",
        order: int | None = None,
    ) -> None:
        """Keeps which entries a map has in a tree that may have to agree with others."""
        if self.tree_at is not None:
            (tree, depth), found = self.tree_at, self._found
            at, order = path[depth:], found.order if order is None else order
            seen = Entries(tree, at, tuple(keys), found.root, path, order, spec, of)
            found.part.entries.append(seen)

    def of(self, ref: SchemaRef | None, path: Path) -> Hashable:
        """Tells one occurrence of a schema from others, but not uses of one type argument."""
        at, depth = self.argument_at or (self._found.root, 0)
        return at, path[depth:], None if ref is None else root_of(ref)

    def shared_tree(self) -> int | None:
        """The id of the tree that is looked at, if others may have to agree with it."""
        if self.tree_at is None:
            return None
        tree, _ = self.tree_at
        is_shared = self.argument_at is not None or self._found.is_shared(tree.names[0])
        return id(tree) if is_shared else None

    def again(self, made: Sequence[Made], path: Path) -> dict[int, int]:
        """The scopes of an entry like one before: their numbers by those of that entry.

        Args:
          made: the scopes of the entry before, below its path.
          path: of the entry.
        """
        if self.argument_at is not None or self.unions > 1 or self.made is not None:
            return {one.number: self.new_number(one.ref, (*path, *one.path)) for one in made}
        first = self._found.new_number(len(made))
        if self.tree_at is not None:
            self.tree_at[0].repeated.append((made, path, first))
        return {one.number: first + index for index, one in enumerate(made)}

    def new_number(self, ref: SchemaRef | None, path: Path) -> int:
        """Of the scope of one occurrence; the same in every use of a type argument.

        In alternatives within alternatives it is the same in all of them: of these one is chosen.
        """
        if self.argument_at is None and self.unions < 2:
            number = self._found.new_number()
        else:
            number = self._found.shared_scope(self.of(ref, path))
        if self.tree_at is not None or self.made is not None:
            made = Made(number, ref, path)
            if self.tree_at is not None:
                self.tree_at[0].made.append(made)
            if self.made is not None:
                self.made.append(made)
        return number
