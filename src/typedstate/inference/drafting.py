"""Makes drafts of schema classes from observed trees: one for each module class, of any sizes.

`infer` calls `draft_of`. Branches without module (of a state, of a checkpoint) share a class if
their keys, kinds and ranks are alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .catalogue import Around, Layer, around_of, is_container, layer_of
from .fields import Fields, What
from .numbered import numbered, unnumbered
from .observe import ArraySeen, BranchSeen, LeafSeen, Seen
from .optimizer import holds_model, is_optimizer
from .settings import Settings
from .text import key_text, singular
from .uses import Draft, Listing, Optimizer
from .weights import weight_roles

_MAX_ENTRIES: Final = 100_000


@dataclass(slots=True)
class Drafter:
    """Classifies each branch, and finds those that share a class.

    Attributes:
      what: the classification of each branch, by the branch's ``id``.
      drafts: the drafts of classes, by module class or by keys.
      fixes_all: whether every size is written as a number, so that a Flax layer whose schema has
        axes without a name gets a class of its own.
    """

    what: dict[int, What] = field(default_factory=dict[int, What])
    drafts: dict[object, Draft] = field(default_factory=dict[object, Draft])
    fixes_all: bool = False
    _variants: dict[object, list[tuple[dict[Hashable, object], Draft]]] = field(
        default_factory=dict[object, list[tuple[dict[Hashable, object], Draft]]]
    )
    _recursive: set[type] = field(default_factory=set[type])
    _entries: dict[int, str] = field(default_factory=dict[int, str])

    def drafts_of(self, trees: Sequence[BranchSeen], title: str) -> list[Draft]:
        """The drafts that the examples need; that of the whole tree last.

        If the whole tree is no class of its own, but entries, a stack or a Flax layer, the last
        draft has it as its only field.
        """
        for tree in trees:
            self._find_recursive(tree, ())
        bare = any(
            tree.stacked or layer_of(tree, "") or around_of(tree) or (tree.items and _listing(tree))
            for tree in trees
        )
        if bare:
            trees = [BranchSeen({"": tree}) for tree in trees]
        root = Draft(title, trees[0].cls, 0, root=True, bare=bare)
        for number, tree in enumerate(trees):
            root.height = max(root.height, self._below(tree, number, ()) + 1)
            root.add(tree, (number, ()))
            self.what[id(tree)] = root
        ordered = [*sorted(self.drafts.values(), key=lambda draft: draft.height), root]
        return ordered

    def _find_recursive(self, branch: BranchSeen, above: tuple[type, ...]) -> None:
        if branch.cls is not None:
            if branch.cls in above and not is_container(branch.cls):
                self._recursive.add(branch.cls)
            above = (*above, branch.cls)
        for item in branch.items.values():
            if isinstance(item, BranchSeen):
                self._find_recursive(item, above)

    def _below(self, branch: BranchSeen, example: int, path: tuple[Hashable, ...]) -> int:
        heights = [0]
        if branch.cls is None or is_container(branch.cls):
            for run in {*numbered([branch]).values()}:
                entries = (branch.items[name] for name in run.keys(branch.items))
                self._entries.update((id(entry), run.entry) for entry in entries)
        for key, item in branch.items.items():
            if isinstance(item, BranchSeen):
                heights.append(self._place(item, key, example, (*path, key)))
        return max(heights)

    def _place(
        self, branch: BranchSeen, key: Hashable, example: int, path: tuple[Hashable, ...]
    ) -> int:
        """Classifies a branch, and gives its height above the leaves."""
        layer = layer_of(branch, path[-1])
        if layer is not None and not (self.fixes_all and layer.open):
            self.what[id(branch)] = layer
            return 0
        if is_optimizer(branch.cls):
            inner = branch.items.get("model") if holds_model(branch.node) else None
            self.what[id(branch)] = Optimizer()
            if not isinstance(inner, BranchSeen):
                return 0
            return 1 + self._place(inner, "model", example, (*path, "model"))
        height = 1 + self._below(branch, example, path)
        around = around_of(branch)
        if around is not None and set(around.keys) == branch.items.keys():
            self.what[id(branch)] = around
            return height
        listing = _listing(branch)
        if listing is not None and (listing.key is int or self._alike(branch)):
            self.what[id(branch)] = listing
            return height
        draft = self._draft(branch, path, height)
        draft.add(branch, (example, path))
        self.what[id(branch)] = draft
        return height

    def _alike(self, branch: BranchSeen) -> bool:
        """Whether all entries of a dict share a class, so that it is a map."""
        idents = {self._ident(item) for item in branch.items.values()}
        return len(idents) == 1 and len(branch.items) > 1

    def _draft(self, branch: BranchSeen, path: tuple[Hashable, ...], height: int) -> Draft:
        key: object
        if branch.cls is None or is_container(branch.cls):
            key = self._keys(branch)
            title = self._entries.get(id(branch)) or _title(path)
        else:
            key = (branch.cls, height) if branch.cls in self._recursive else branch.cls
            title = branch.cls.__name__
        found = self._variant(key, branch, title, height)
        found.height = max(found.height, height)
        return found

    def _variant(self, key: object, branch: BranchSeen, title: str, height: int) -> Draft:
        """The draft of a module class; a further one if it has other axes than before.

        A module around one einsum has a draft for each sort of weight.
        """
        roles = weight_roles(branch)
        own: dict[Hashable, object] = {
            name: (len(item.value.shape), item.names, roles)
            for name, item in branch.items.items()
            if isinstance(item, LeafSeen) and isinstance(item.value, ArraySeen)
        }
        for name, item in branch.items.items():
            if isinstance(item, BranchSeen):
                own[name] = item.stacked and (item.stacked.axis, item.stacked.kinds)
        variants = self._variants.setdefault(key, [])
        for known, draft in variants:
            if all(known[name] == leaf for name, leaf in own.items() if name in known):
                known.update(own)
                return draft
        found = Draft(title, branch.cls, height)
        found.roles = roles
        self.drafts[key, len(variants)] = found
        variants.append((own, found))
        return found

    def _keys(self, branch: BranchSeen) -> object:
        idents = {key: self._ident(item) for key, item in branch.items.items()}
        return frozenset(unnumbered(branch, idents).items())

    def _ident(self, seen: Seen) -> object:
        """A key that is equal for branches of one class, and for leaves that are alike."""
        if isinstance(seen, LeafSeen):
            shape = seen.value.shape if isinstance(seen.value, ArraySeen) else None
            return (seen.kind, None if shape is None else len(shape))
        match what := self.what[id(seen)]:
            case Layer(schema):
                return (schema, seen.stacked is None)
            case Optimizer():
                return what
            case Listing() | Around():
                return (type(what).__name__, frozenset(map(self._ident, seen.items.values())))
            case Draft():
                return (what, seen.stacked is None)


def _listing(branch: BranchSeen) -> Listing | None:
    keys = list(branch.items)
    if not keys:
        return Listing(int) if branch.cls is not None and is_container(branch.cls) else None
    if all(type(key) is int and 0 <= key < _MAX_ENTRIES for key in keys):
        numbers = [key for key in keys if isinstance(key, int)]
        return Listing(int) if max(numbers) < 4 * len(keys) + 4 else None
    if all(type(key) is str for key in keys) and is_container(branch.cls):
        return Listing(str)
    return None


def _title(path: tuple[Hashable, ...]) -> str:
    """A name for a class from a path: its last key that is a word."""
    for place, key in enumerate(reversed(path)):
        if isinstance(key, str) and not key.isdigit():
            return singular(key) if place or not path else key_text(key)
    return "Entry"


def draft_of(trees: Sequence[BranchSeen], title: str, settings: Settings) -> list[Draft]:
    """The drafts that the examples need, with their fields; that of the whole tree last."""
    drafter = Drafter(fixes_all=settings.fixes_all)
    drafts = drafter.drafts_of(trees, title)
    fields = Fields(drafter.what, settings)
    for draft in drafts:
        fields.fill(draft)
    return drafts
