"""States with one leaf changed, for tests of what a schema refuses."""

from __future__ import annotations

from typing import Any

from flax import nnx

from tests.zoo import as_dict, leaf
from typedstate._compat import variables

Path = tuple[Any, ...]


def leaves_of(state: Any) -> list[Path]:
    """The paths of a state's Variables."""
    return [path for path, leaf in flat(state) if variables.is_variable(leaf)]


def flat(tree: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    """The leaves of a state with their paths."""
    mapping = variables.mapping_of(tree)
    if mapping is None:
        return [(path, tree)]
    return [found for key, item in mapping.items() for found in flat(item, (*path, key))]


def changed(
    state: Any, path: Path, *, kind: Any = None, value: Any = None, drop: bool = False
) -> nnx.State[Any, Any]:
    """A copy in which the leaf at `path` has another kind or value, or is gone."""
    tree = as_dict(state)
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    old = parent.pop(path[-1], None)
    if not drop:
        kind = kind or variables.kind_of(old)
        new = value(variables.raw_value(old)) if callable(value) else value
        parent[path[-1]] = leaf(kind, variables.raw_value(old) if new is None else new)
    return nnx.State(_pruned(tree))


def _pruned(tree: dict[Any, Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, item in tree.items():
        kept = _pruned(item) if isinstance(item, dict) else item
        if not isinstance(kept, dict) or kept:
            found[key] = kept
    return found
