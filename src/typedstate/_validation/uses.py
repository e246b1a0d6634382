"""The uses of one type argument: what is there in one of them is there in all.

Moments have the optional leaves and the entries of maps that their parameters have. The walk notes
both as it meets them; `differences` compares them once all values of the call were walked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from .._spec.describe import describe
from .._spec.node_groups import WrapperSpec
from .._spec.nodes import (
    Conditional,
    EntriesSpec,
    Field,
    Leaf,
    Map,
    Node,
    RecordOf,
    SchemaRef,
    Spec,
    Union,
)
from .._spec.questions import needs_leaf, root_of
from .._spec.transform import Impossible
from ..report import Code, Path, Violation, show_key, show_path
from .key_patterns import pattern_of

_SHOWN: Final = 3
_ENTRIES: Final = ("entry", "entries")
_LEAVES: Final = ("leaf", "leaves")
#: The place of a map: the argument of the call, and the path in it.
Place = tuple[str, Path]


class Made(msgspec.Struct, frozen=True):
    """A scope that was made, of which schema and where."""

    number: int
    ref: SchemaRef | None
    path: Path


class Tree(msgspec.Struct, eq=False):
    """A tree of one schema among others of the same schema and the same names.

    Attributes:
      names: the number of the scope of its names, and its schema.
      use: a key of the type argument; trees of one type argument share their scopes.
      depth: the nesting of type arguments; 0 outside of one.
      number: of its own scope.
      length: of its path.
      made: the scopes of the schemas in it.
      repeated: such scopes again, of entries like one before: those of that one below its path,
        the path of the entry, and the number of the first.
    """

    names: tuple[int, Any]
    use: Hashable
    depth: int
    number: int
    length: int
    made: list[Made] = msgspec.field(default_factory=list[Made])
    repeated: list[tuple[Sequence[Made], Path, int]] = msgspec.field(
        default_factory=list[tuple[Sequence[Made], Path, int]]
    )

    def scopes(self) -> dict[Hashable, int]:
        """The number of the scope of each schema in it, by where that stands."""
        found: dict[Hashable, int] = {((), self.names[1]): self.number}
        again = (
            Made(first + index, one.ref, (*path, *one.path))
            for made, path, first in self.repeated
            for index, one in enumerate(made)
        )
        for one in (*self.made, *again):
            root = None if one.ref is None else root_of(one.ref)
            found[one.path[self.length :], root] = one.number
        return found


class Presence(msgspec.Struct, frozen=True):
    """Whether an optional leaf is there; in all uses of one type argument it is or is not.

    Attributes:
      tree: the tree with the leaf.
      path: the path of the leaf in that tree.
      there: whether the leaf is present.
      root: the argument that was walked.
      at: the path of the leaf in that argument.
      order: the position of the leaf in the order of the walk.
      spec: the spec of the leaf.
    """

    tree: Tree
    path: Path
    there: bool
    root: str
    at: Path
    order: int
    spec: Spec

    @property
    def missed(self) -> bool:
        """Whether it is absent though a form has left something of it that has to be there."""
        return not self.there and must_be_there(self.spec)


class Entries(msgspec.Struct, frozen=True):
    """The entries of a map, or of what a pattern of keys takes, or the leaves of a `StateOf`.

    Attributes:
      tree: the tree with the map.
      path: the path of the map in that tree; that of a pattern ends with it.
      keys: the paths of the entries below the map.
      root: the argument that was walked.
      at: the path of the map in that argument.
      order: the position of the map in the order of the walk.
      spec: the spec of an entry.
      of: what it is that has them; the path ends with the pattern of a pattern.
    """

    tree: Tree
    path: Path
    keys: tuple[Path, ...]
    root: str
    at: Path
    order: int
    spec: Spec
    of: Literal["map", "pattern", "tree"] = "map"

    def below(self, path: Path, key: Path) -> Path:
        """The path of an entry, by that of the map."""
        return (*path[:-1], *key) if self.of == "pattern" else (*path, *key)


def must_be_there(spec: Spec) -> bool:
    """Whether a form has left something of a branch that would have to be there."""
    try:
        return needs_leaf(spec)
    except Impossible:  # no tree can be such: this one is in none
        return False


def base_of(spec: Spec) -> Any:
    """What a level without a schema class and all forms of it have in common: their schemas.

    None where no schema stands in it, which says nothing of what a map is of.
    """
    match spec:
        case WrapperSpec():
            return base_of(spec.inner)
        case Node(ref):
            return root_of(ref)
        case Map(key=key, entry=entry):
            below = base_of(entry)
            return None if below is None else (key, below)
        case EntriesSpec(items):
            found = tuple(None if item is None else base_of(item) for item in items)
            return found if any(found) else None
        case _:
            return None


Seen = TypeVar("Seen", Presence, Entries)


def differences(
    present: Iterable[Presence],
    entries: Iterable[Entries],
    trees: Iterable[Tree],
    counted: Collection[Place],
) -> Iterator[tuple[int, Violation]]:
    """Yields what one use has and another lacks, each with its position in the walk.

    Args:
      present: the optional leaves that were looked for.
      entries: of the maps that were walked.
      trees: that were walked.
      counted: the maps of whose number of entries a report speaks already.
    """
    several = {names for names, count in Counter(tree.names for tree in trees).items() if count > 1}
    if not several:
        return
    leaves = [item for item in present if item.tree.names in several]
    maps = [item for item in entries if item.tree.names in several]
    by_map = _grouped(maps)
    leaves += _below_absent(leaves, by_map)
    seen = [item for item in leaves if item.there or item.missed]
    for group in _grouped(seen).values():
        for item, models in _beside_models(group):
            if all(model.there is not item.there for model in models):
                yield item.order, _absence(item, models[0])
    for of_map in by_map.values():
        if any((item.root, item.at) in counted for item in of_map):
            continue
        for one, others in _beside_models(of_map):
            if all(any(_unlike(one, model)) for model in others):
                yield from ((one.order, found) for found in _entries(one, others[0]))


def _grouped(items: Iterable[Seen]) -> dict[Hashable, list[Seen]]:
    """Those that stand at one place of like trees."""
    found: dict[Hashable, list[Seen]] = {}
    for item in items:
        found.setdefault((item.tree.names, item.path), []).append(item)
    return found


def _beside_models(group: list[Seen]) -> Iterator[tuple[Seen, list[Seen]]]:
    """Each with those that it has to be like one of: the parameters for moments, say."""
    depth = min(item.tree.depth for item in group)
    of_use: dict[Hashable, Seen] = {}
    for item in group:
        if item.tree.depth == depth:
            of_use.setdefault(item.tree.use, item)
    first = list(of_use.values())
    for item in group:
        yield item, [of_use[item.tree.use]] if item.tree.depth == depth else first


# -- Entries ---------------------------------------------------------------------------------------


def _unlike(item: Entries, model: Entries) -> tuple[list[Path], list[Path]]:
    """The entries that it lacks, and those that it has more, where those would have to be there."""
    is_due = must_be_there(item.spec) and not _may_be_masked(item.spec)
    lacks = _without(model.keys, item.keys) if is_due else []
    return lacks, _without(item.keys, model.keys) if must_be_there(model.spec) else []


def _may_be_masked(spec: Spec, seen: frozenset[SchemaRef] = frozenset()) -> bool:
    """Whether each leaf of a branch may be an ``optax.MaskedNode``.

    A mask that says False of the whole branch leaves nothing of it, and Flax drops that.
    """
    match spec:
        case WrapperSpec():
            return _may_be_masked(spec.inner, seen)
        case Node(ref):
            root = root_of(ref)
            return root in seen or all(
                _may_be_masked(item.spec, seen | {root}) for item in ref.resolve().fields
            )
        case Map(entry=entry):
            return _may_be_masked(entry, seen)
        case EntriesSpec(items):
            return all(item is None or _may_be_masked(item, seen) for item in items)
        case Union(options):
            return any(_may_be_masked(option, seen) for option in options)
        case Leaf(value=value):
            return _may_be_masked(value, seen)
        case RecordOf(fields=fields):
            return not fields
        case _:
            return False


def _without(keys: Iterable[Path], others: Iterable[Path]) -> list[Path]:
    left = set(others)
    return [key for key in keys if key not in left]


def _entries(item: Entries, model: Entries) -> Iterator[Violation]:
    where, there = show_path(item.at, item.root), show_path(model.at, model.root)
    lacks, more = _unlike(item, model)
    word = _LEAVES if item.of == "tree" else _ENTRIES
    note = f"{_count(model, word)} there, {len(item.keys)} here"

    def violation(code: Code, expected: str, actual: str) -> Violation:
        return Violation(where, code, expected, actual, note, item.at)

    if lacks:
        yield violation("missing", f"{_named(lacks, word)} of {there}", "nothing")
    if more:
        yield violation("extra", f"only {word[1]} of {there}", _named(more, word))


def _count(item: Entries, word: tuple[str, str]) -> str:
    return f"{len(item.keys)} {word[len(item.keys) != 1]}"


def _named(keys: list[Path], word: tuple[str, str]) -> str:
    """E.g. ``entries 3, 4, 5, ...``."""
    shown = [show_key(key[0]) if len(key) == 1 else show_path(key) for key in keys[:_SHOWN]]
    more = ", ..." if len(keys) > _SHOWN else ""
    return f"{word[len(keys) != 1]} {', '.join(shown)}{more}"


# -- Optional leaves -------------------------------------------------------------------------------


def _absence(item: Presence, model: Presence) -> Violation:
    where, text = show_path(item.at, item.root), describe(item.spec)
    there = show_path(model.at, model.root)
    if item.there:
        note = f"{there} is not there"
        return Violation(where, "extra", "nothing", text, note, item.at)
    return Violation(where, "missing", text, "nothing", f"{there} is there", item.at)


def _below_absent(
    leaves: list[Presence], by_map: dict[Hashable, list[Entries]]
) -> Iterator[Presence]:
    """The optional leaves of branches that are absent, as those may be that need no leaf.

    Another tree has such a leaf there, which then is absent in this one.
    """
    gaps: dict[Hashable, list[Presence]] = {}
    for item in leaves:
        if not item.there and not item.missed:
            gaps.setdefault((item.tree.names, item.path), []).append(item)
    for of_map in by_map.values():
        every = dict.fromkeys(key for item in of_map for key in item.keys)
        for map_ in of_map:
            if must_be_there(map_.spec):
                continue  # an entry that is absent is told of as a whole
            for key in _without(every, map_.keys):
                path, at = map_.below(map_.path, key), map_.below(map_.at, key)
                gap = Presence(map_.tree, path, False, map_.root, at, map_.order, map_.spec)
                gaps.setdefault((map_.tree.names, path), []).append(gap)
    told: set[Hashable] = set()
    for leaf in leaves if gaps else ():
        for length in range(len(leaf.path)) if leaf.there else ():
            rest = leaf.path[length:]
            for gap in gaps.get((leaf.tree.names, leaf.path[:length]), ()):
                field = _field_at(gap.spec, rest)
                key = id(gap.tree), leaf.path
                if field is None or key in told or not must_be_there(field.spec):
                    continue
                told.add(key)
                at = (*gap.at, *rest)
                yield Presence(gap.tree, leaf.path, False, gap.root, at, gap.order, field.spec)


def _field_at(spec: Spec, keys: Path) -> Field | None:
    """The optional field at a path below a spec; None where values decide what is there."""
    while isinstance(spec, WrapperSpec):
        spec = spec.inner
    key, rest = keys[0], keys[1:]
    match spec:
        case Node(ref):
            schema = ref.resolve()
            for item in schema.fields:
                if item.key == key:
                    return _field_in(item, rest)
            pattern = pattern_of(schema.extra, key)
            return None if pattern is None or not rest else _field_at(pattern.entry, rest)
        case Map(entry=entry):
            return _field_at(entry, rest) if rest else None
        case EntriesSpec(items):
            found = items[key] if isinstance(key, int) and key < len(items) else None
            return None if found is None or not rest else _field_at(found, rest)
        case _:
            return None


def _field_in(item: Field, rest: Path) -> Field | None:
    if rest:
        return _field_at(item.spec, rest)
    is_open = not item.optional or item.decided or isinstance(item.spec, Conditional)
    return None if is_open else item
