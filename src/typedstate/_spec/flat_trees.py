"""Turns flat trees, whose keys are paths or joined names, into nested ones and back."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, assert_never, cast

import msgspec
from flax import nnx

from .._compat import variables
from .node_groups import StateSpec, ValueSpec
from .nodes import (
    Anything,
    Bound,
    EntriesSpec,
    FlatSpec,
    Map,
    Node,
    PlacedAsSpec,
    SameSpec,
    SchemaRef,
    ScopedSpec,
    Spec,
    Union,
)

Tree = dict[Hashable, Any]


class Misfit(msgspec.Struct, frozen=True):
    """The reason why a value is no flat tree.

    Attributes:
      expected: the declaration, for a report.
      key: the key of the wrong item; None if the value as a whole is wrong.
      note: what the value is instead, and the call that makes a flat tree of it.
    """

    expected: str
    key: Hashable | None = None
    note: str = ""


def nested(value: Any, spec: FlatSpec) -> Tree | Misfit:
    """The nested tree of a flat one, with the keys that its schema has."""
    items = _items(value)
    if items is None:
        return Misfit(_wanted(spec))
    tree: Tree = {}
    branches = {id(tree)}  # a leaf may be a dict too
    for key, leaf in items:
        path = _path(key, spec.separator)
        if path is None:
            return Misfit(_wanted(spec), key, _note(key, leaf, spec.separator))
        level: Any = tree
        for part in path[:-1]:
            if part not in level:
                level[part] = {}
                branches.add(id(level[part]))
            level = level[part]
            if id(level) not in branches:
                return Misfit("a leaf or a branch, not both", key)
        if path[-1] in level:
            is_branch = id(level[path[-1]]) in branches
            text = "a leaf or a branch, not both" if is_branch else "each path once"
            return Misfit(text, key)
        level[path[-1]] = leaf
    return tree if spec.separator is None else _with_keys(tree, spec.inner)


def unflattened(mapping: Mapping[Hashable, Any], ref: SchemaRef) -> tuple[FlatSpec, Tree] | None:
    """A flat tree where a nested one is declared: what it is, and the nested tree.

    None where a declared key is there, keys are no paths, or no path begins with a declared one.
    """
    fields = ref.resolve().fields
    if not mapping or not fields or any(field.key in mapping for field in fields):
        return None
    keys = {field.key for field in fields}
    for separator in (None, ".", "/"):
        if not all(len(_path(key, separator) or ()) > 1 for key in mapping):
            continue
        spec = FlatSpec(Node(ref), separator)
        tree = nested(mapping, spec)
        if isinstance(tree, dict) and not keys.isdisjoint(tree):
            return spec, tree
    return None


def flattened(tree: Any, spec: FlatSpec) -> Any:
    """A nested tree as a flat one, of the kind that Flax makes: of a State by path a `FlatState`.

    Flax sorts the paths of one; where keys of a level have no order, it is a dict.
    """
    if spec.separator is None and variables.is_state(tree):
        with contextlib.suppress(TypeError):
            return nnx.to_flat_state(tree)
    return flat(tree, spec.separator)


def flat(tree: Any, separator: str | None) -> Tree:
    """The leaves of a nested tree by path; by name where a separator joins the keys."""
    found: Tree = {}
    for path, leaf in _leaves(tree, ()):
        found[path if separator is None else separator.join(map(str, path))] = leaf
    return found


def _leaves(tree: Any, path: tuple[Hashable, ...]) -> Iterator[tuple[tuple[Hashable, ...], Any]]:
    mapping = None if variables.is_variable(tree) else variables.mapping_of(tree)
    if mapping is None:
        yield path, tree
        return
    for key, item in mapping.items():
        yield from _leaves(item, (*path, key))


def is_pairs(value: Any) -> bool:
    """Whether something is a sequence of pairs of a path and a leaf, e.g. a ``FlatState``."""
    pairs = None if variables.mapping_of(value) is not None else _items(value)
    return bool(pairs) and all(_path(key, None) is not None for key, _ in pairs or ())


def _items(value: Any) -> list[tuple[Any, Any]] | None:
    """The pairs of a mapping or of a sequence of pairs, e.g. Flax's ``FlatState``."""
    mapping = None if variables.is_state(value) else variables.mapping_of(value)
    if mapping is not None:
        return list(mapping.items())
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return None
    pairs: list[Any] = list(cast(Any, value))
    is_flat = all(isinstance(pair, tuple) and len(cast(Any, pair)) == 2 for pair in pairs)
    return pairs if is_flat else None


def _path(key: Any, separator: str | None) -> tuple[Hashable, ...] | None:
    if separator is None:
        return cast(tuple[Hashable, ...], key) if isinstance(key, tuple) and key else None
    return tuple(key.split(separator)) if isinstance(key, str) else None


def _wanted(spec: FlatSpec) -> str:
    if spec.separator is None:
        return "leaves by path, as nnx.to_flat_state has them"
    return f"leaves by names joined by {spec.separator!r}"


def _note(key: Any, leaf: Any, separator: str | None) -> str:
    if not variables.is_variable(leaf) and variables.mapping_of(leaf) is not None:
        return "a nested tree: flax.traverse_util.flatten_dict makes it flat"
    if isinstance(key, tuple):
        return "a path: Flat[...] without a separator takes those"
    if separator is None and isinstance(key, str):
        found = next((one for one in "/." if one in key), None)
        return f"a joined name: Flat[..., {found!r}] takes those" if found else ""
    return ""


def _with_keys(tree: Any, spec: Spec) -> Any:
    """A tree of str keys with the ints and other keys that a schema has in their place."""
    if type(tree) is not dict:
        return tree
    level = cast(Tree, tree)
    match spec:
        case Bound() | ScopedSpec() | SameSpec() | PlacedAsSpec():
            return _with_keys(level, spec.inner)
        case Node(ref):
            schema = ref.resolve()
            fields = {str(field.key): field for field in schema.fields}
            found: Tree = {}
            for key, item in level.items():
                field = fields.get(cast(str, key))
                below = [one.entry for one in schema.extra.patterns] if field is None else []
                for inner in below if field is None else [field.spec]:
                    item = _with_keys(item, inner)
                found[key if field is None else field.key] = item
            return found
        case Map(key=kind, entry=entry):
            number = _as_int if kind == "int" else _as_it_is
            return {number(key): _with_keys(item, entry) for key, item in level.items()}
        case EntriesSpec(items):
            specs: Mapping[str, Any] = {str(index): item for index, item in enumerate(items)}
            return {
                _as_int(key): item
                if specs.get(cast(str, key)) is None
                else _with_keys(item, specs[cast(str, key)])
                for key, item in level.items()
            }
        case Union(options):
            for option in options:
                level = _with_keys(level, option)
            return level
        case Anything() | ValueSpec() | StateSpec():
            return level
        case _:
            assert_never(spec)


def _as_it_is(key: Hashable) -> Hashable:
    return key


def _as_int(key: Hashable) -> Hashable:
    is_number = isinstance(key, str) and key.isascii() and key.isdigit() and str(int(key)) == key
    return int(cast(str, key)) if is_number else key
