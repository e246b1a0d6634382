"""Makes the tree of a schema: kinds, dims, links, axis names. A map has one entry ``*``."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Final, assert_never

from .._sharding.axis_names import show_placement
from .._spec.describe import describe
from .._spec.dim_grammar import show_expr
from .._spec.filters import WILDCARD
from .._spec.node_groups import StateSpec, ValueSpec, WrapperSpec
from .._spec.nodes import (
    Anything,
    Argument,
    Bound,
    EntriesSpec,
    Field,
    FlatSpec,
    KeyPattern,
    Leaf,
    Map,
    ModuleState,
    Node,
    PlacedAsSpec,
    SameSpec,
    SchemaRef,
    ScopedSpec,
    Spec,
    StateOfSpec,
    Union,
)
from .._spec.questions import root_of, schema_names
from ..report import Path, show_path
from .dim_scopes import DimScope, Links, shown, told_apart, within
from .outline import Branch, summed

_MAX_DEPTH: Final = 40
_CALL: Final = DimScope()  # the outermost scope
_NO_LINKS: Final[Links] = {}


def of_spec(spec: Spec) -> Branch:
    """The tree of a schema."""
    return _drawn(spec, (), _CALL, "", ())


def _drawn(
    spec: Spec, path: Path, scope: DimScope, place: str, open_: tuple[SchemaRef, ...]
) -> Branch:
    """The branch of one spec.

    Args:
      spec: the spec to draw.
      path: the keys from the root.
      scope: the scope of the class in whose annotation the spec is written.
      place: a text that tells the names of this occurrence from those of others.
      open_: the schemas around it, to stop at a recursive one.
    """
    links, outermost, flat = _NO_LINKS, not path, None
    while isinstance(spec, WrapperSpec | ModuleState | FlatSpec):
        match spec:
            case Bound():
                links = within(links, dict(spec.links))
            case Argument():
                scope, place = scope.argument(spec, place)
                outermost = scope is _CALL
            case FlatSpec():
                flat = spec
            case ScopedSpec() | SameSpec() | PlacedAsSpec() | ModuleState():
                pass
        spec = spec.inner
    if isinstance(spec, Node):
        own = DimScope("" if outermost else place, links, scope, spec.ref)
        found = _of_schema(spec.ref, path, links, own, open_)
    else:
        inside = DimScope(scope.place, links, scope) if links else scope
        found = _of_level(spec, path, inside, place, open_)
        found.names = {**inside.names(found.text, found.bound), **found.names}
    return found if flat is None else _flat(found, flat)


def _flat(tree: Branch, spec: FlatSpec) -> Branch:
    """The tree as one level, with each leaf under its whole path."""
    depth = len(tree.path)
    below: list[Branch] = []
    for leaf in _leaves(tree):
        keys = leaf.path[depth:]
        key = keys if spec.separator is None else spec.separator.join(map(str, keys))
        below.append(replace(leaf, path=(*tree.path, key)))
    found = summed(tree.path, describe(spec), below)
    found.bound, found.names, found.inside = tree.bound, tree.names, tree.inside
    return found


def _leaves(tree: Branch) -> Iterator[Branch]:
    for item in tree.below:
        yield from _leaves(item) if item.below else (item,)


def _of_schema(
    ref: SchemaRef, path: Path, links: Links, own: DimScope, open_: tuple[SchemaRef, ...]
) -> Branch:
    root, schema = root_of(ref), ref.resolve()
    bound = shown(links, schema_names(schema))
    if root in open_ or len(path) > _MAX_DEPTH:
        found = Branch(path, ref.name, bound, " ...")
    else:
        open_ = (*open_, root)
        below = [_of_field(item, path, own, open_) for item in schema.fields]
        below += [_of_pattern(item, path, own, open_) for item in schema.extra.patterns]
        found = summed(path, ref.name, below)
        found.bound = bound
    if bound and own.outer is not None:
        found.names, found.inside = own.outer.names("", bound), own.names("", bound)
    return found


def _of_pattern(
    item: KeyPattern, path: Path, own: DimScope, open_: tuple[SchemaRef, ...]
) -> Branch:
    """What stands under keys like ``layers_{}``, once."""
    found = _drawn(item.entry, (*path, item.keys), own, show_path((item.keys,), own.place), open_)
    if item.length is not None:
        found.more += f", len={show_expr(item.length)}"
    return found


def _of_level(
    spec: Spec, path: Path, scope: DimScope, place: str, open_: tuple[SchemaRef, ...]
) -> Branch:
    def below(inner: Spec, key: Hashable) -> Branch:
        there = (*path, key)
        return _drawn(inner, there, scope, show_path((key,), place), open_)

    match spec:
        case EntriesSpec(items):
            kept = [(i, item) for i, item in enumerate(items) if item is not None]
            return summed(path, "Entries", [below(item, i) for i, item in kept])
        case Map(key, entry, length):
            found = summed(path, f"StateMap[{key}]", [below(entry, WILDCARD)])
            if length is not None:
                found.bound, found.inside = f"len={show_expr(length)}", {"len": scope.dim(length)}
            return found
        case StateOfSpec(leaf):
            return summed(path, "StateOf", [below(leaf, WILDCARD)])
        case Anything() | Union() | ValueSpec() | StateSpec():
            placed = show_placement(spec.names, spec.storage) if isinstance(spec, Leaf) else ""
            leaf, dims = told_apart(spec, scope)
            return Branch(path, f"{describe(leaf)} {placed}".rstrip(), leaves=1, names=dims)
        case _:
            assert_never(spec)


def _of_field(item: Field, path: Path, own: DimScope, open_: tuple[SchemaRef, ...]) -> Branch:
    there = (*path, item.key)
    found = _drawn(item.spec, there, own, show_path((item.key,), own.place), open_)
    if item.optional:
        found.more += " | None"
    if item.shared is not None:
        found.more += f", shared with {item.shared}"
    return found
