"""Live modules on the installed Flax: which attributes hold leaves, and which are shared."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable
from typing import Any, Final, cast

import flax
import jax
import msgspec
import numpy as np
from flax import nnx

from ..report import Path
from .variables import AbstractValue, is_reference, is_variable

try:
    from flax.nnx import graphlib as _graphlib
except ImportError:  # Flax < 0.12.5
    from flax.nnx import graph as _graphlib  # type: ignore[no-redef]
_graph: Final[Any] = _graphlib
_WRAPPERS: Final = tuple(
    getattr(_graph, name) for name in ("DataElem", "StaticElem") if hasattr(_graph, name)
)
_GraphNode: Final[Any] = getattr(nnx, "Pytree", None) or nnx.Object
#: Flax's function that reads the children of a graph node.
_flatten_attributes: Final[Any] = _GraphNode._graph_node_flatten
#: The attribute in which a graph node says which of its attributes are data.
RECORD: Final = "_pytree__nodes._mapping"
#: The class of the attribute that every graph node has, with no leaf below it.
_ObjectState: Final[Any] = next(
    (cast(Any, type(item)) for key, item in vars(nnx.Module()).items() if key.endswith("__state")),
    None,
)


def is_module_class(cls: object) -> bool:
    """Whether a class is one of live graph nodes."""
    base: Any = getattr(nnx, "Pytree", None) or nnx.Object
    return isinstance(cls, type) and issubclass(cls, base)


def is_module(value: object) -> bool:
    """Whether a value is a live graph node: a Module, an Optimizer, an ``nnx.List``."""
    return is_object(value) and not is_variable(value)


class ModuleTree(msgspec.Struct, frozen=True):
    """The content of ``nnx.state`` for a live node, read without building that state.

    Attributes:
      mapping: nested dicts of the node's own Variables and raw arrays.
      shared: the path of each further occurrence of a Variable, with that of the first.
    """

    mapping: dict[Hashable, Any]
    shared: dict[Path, Path]


class _Walk(msgspec.Struct):
    """The progress of one walk over a live node."""

    seen: dict[int, Path] = msgspec.field(default_factory=dict[int, Path])
    shared: dict[Path, Path] = msgspec.field(default_factory=dict[Path, Path])
    keep: list[object] = msgspec.field(default_factory=list[object])

    def once(self, value: object, path: Path) -> bool:
        first = self.seen.setdefault(object.__hash__(value), path)  # `id` takes long, by JAX
        self.keep.append(value)  # an id is only a name while its object lives
        if first != path:
            self.shared[path] = first
        return first == path


def module_tree(node: object) -> ModuleTree:
    """Reads the attributes of a live node in the order and by the rules of ``nnx.state``.

    The rules are those of ``flax.nnx.graphlib.flatten``: keys sorted, a shared Variable or
    node once at its first path, branches without leaves dropped.
    """
    walk = _Walk()
    return ModuleTree(_children(node, (), walk), walk.shared)


def _children(node: object, path: Path, walk: _Walk) -> dict[Hashable, Any]:
    impl = _graph.get_node_impl(node)
    if _graph.is_graph_node(node) and not walk.once(node, path):
        return {}
    found: dict[Hashable, Any] = {}
    for key, item in impl.flatten(node)[0]:
        value, is_data = unwrap(item)
        if is_data is False:
            continue
        child = (*path, key)
        if is_variable(value) or is_reference(value):
            if walk.once(value, child):
                found[key] = value
        elif _graph.get_node_impl(value) is not None:
            if branch := _children(value, child, walk):
                found[key] = branch
        elif is_data or isinstance(value, jax.Array | np.ndarray):
            found[key] = value
    return found


def unwrap(item: Any) -> tuple[Any, bool | None]:
    """An attribute's value, and whether Flax calls it data; None if its class decides."""
    if _WRAPPERS and isinstance(item, _WRAPPERS):
        return item.value, isinstance(item, _WRAPPERS[0])
    return item, None


def is_node(value: object) -> bool:
    """Whether `module_tree` looks for leaves below a value."""
    return _graph.get_node_impl(value) is not None


def is_object(value: object) -> bool:
    """Whether Flax identifies a value by its object, so that it may be shared."""
    # Flax asks JAX for the type of an AbstractRef, and JAX has none
    return not isinstance(value, AbstractValue) and bool(_graph.is_graph_node(value))


def has_no_children(value: object) -> bool:
    """Whether no value of this class has a leaf below it."""
    return value is None or type(value) is _ObjectState


def flatten_of(node: object) -> Callable[[Any], Any]:
    """Flax's function that gives keys and items directly below a node, and more."""
    return cast(Callable[[Any], Any], _graph.get_node_impl(node).flatten)


def keeps_attributes(node: object) -> bool:
    """Whether Flax reads a node's children from its ``__dict__``, as keys in text."""
    return getattr(type(node), "_graph_node_flatten", None) is _flatten_attributes


def data_names(node: Any) -> dict[str, bool] | None:
    """A node's own record of which attributes are data; None if their classes decide."""
    if not _WRAPPERS or not node._pytree__is_pytree:
        return None
    return cast(dict[str, bool], operator.attrgetter(RECORD)(node))


def tree_mode() -> bool:
    """Whether Flax's functions take modules as trees by default: ``NNX_GRAPH_MODE=false``."""
    context: Any = getattr(nnx, "set_graph_mode", None)
    try:
        return context is not None and context.current_value() is False
    except AttributeError:
        return not getattr(flax.config, "nnx_graph_mode", True)
