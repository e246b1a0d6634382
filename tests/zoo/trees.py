"""Trees as the installed Flax holds them: leaves, states, lists and dicts.

Flax 0.10 has no ``nnx.List`` and ``nnx.Dict``: plain containers stand for them there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flax import nnx
from flax.nnx import variablelib

#: ``nnx.List``, or a list where a module's list attribute is a node of its own.
list_of: Callable[[list[Any]], Any] = getattr(nnx, "List", list)
#: ``nnx.Dict``, or a dict.
dict_of: Callable[[dict[str, Any]], Any] = getattr(nnx, "Dict", dict)
#: Marks an array attribute as data where Flax wants that.
data: Callable[[Any], Any] = getattr(nnx, "data", lambda value: value)
#: Up to Flax 0.10 a state's leaves are ``nnx.VariableState``, later an alias. Found without an
#: array: a test forks a process that has imported this and whose JAX has no threads yet.
HAS_VARIABLE_STATE = vars(variablelib).get("VariableState", nnx.Variable) is not nnx.Variable


def leaf(kind: type[nnx.Variable[Any]], value: Any, **metadata: Any) -> Any:
    """A leaf as the states of the installed Flax hold it."""
    variable = kind(value, **metadata)
    return variable.to_state() if HAS_VARIABLE_STATE else variable


def named(kind: type[nnx.Variable[Any]], value: Any, *names: Any) -> Any:
    """A leaf with axis names in its sharding metadata; no mesh is needed to make it."""
    return leaf(kind, value, sharding=names, eager_sharding=False)


def state(tree: Any) -> nnx.State[Any, Any]:
    """A State of nested dicts, Variables as the installed Flax keeps them."""
    return nnx.State(stored(tree))


def stored(tree: Any) -> Any:
    """A tree whose Variables are leaves as the states of the installed Flax hold them."""
    if isinstance(tree, dict):
        return {key: stored(item) for key, item in tree.items()}
    if HAS_VARIABLE_STATE and isinstance(tree, nnx.Variable):
        return tree.to_state()
    return tree


def as_dict(tree: Any) -> Any:
    """A state as nested plain dicts that hold its own leaves, free to be changed."""
    if isinstance(tree, nnx.State):
        tree = tree.raw_mapping
    return {key: as_dict(item) for key, item in tree.items()} if isinstance(tree, dict) else tree
