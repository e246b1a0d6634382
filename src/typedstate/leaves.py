"""What the leaves of a state are on the installed Flax: the one file that knows its versions.

Kind, raw value and metadata of a leaf, the mapping behind a state, the attributes of a live
module and the entries of a GraphDef are answered here, by capability found at import.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import jax
import numpy as np
from flax import nnx
from flax.nnx import variablelib
from jax.sharding import NamedSharding, PartitionSpec

try:
    from flax.nnx import graphlib as _graphlib
except ImportError:  # Flax < 0.12.6
    from flax.nnx import graph as _graphlib  # type: ignore[no-redef]

Key = Hashable
Path = tuple[Key, ...]

State: Final[Any] = nnx.State
Variable: Final[Any] = nnx.Variable
_graph: Final[Any] = _graphlib
_variables: Final[Any] = variablelib
_HAS_RAW_GETTER: Final = hasattr(Variable, "get_raw_value")
_HAS_VAR_TYPE: Final = hasattr(Variable, "var_type")
#: The class of a state's leaves up to Flax 0.10; its module keeps the name as an alias later.
VariableState: Final[Any] = (
    None if _variables.VariableState is Variable else _variables.VariableState
)
_WRAPPERS: Final = tuple(
    getattr(_graph, name) for name in ("DataElem", "StaticElem") if hasattr(_graph, name)
)
_is_ref: Final[Callable[[Any], bool]] = getattr(_variables, "is_array_ref", None) or getattr(
    _variables, "is_mutable_array", lambda _: False
)
_SHARDING_KEYS: Final = ("out_sharding", "sharding_names", "sharding")


def is_variable(value: object) -> bool:
    """Whether a value is a leaf with a kind: a Variable, or what stands for one in a state."""
    if isinstance(value, Variable):
        return True
    return VariableState is not None and isinstance(value, VariableState)


def kind_of(variable: Any) -> type:
    """The Variable class that a leaf is of, also behind references and hijax variables."""
    if VariableState is not None and isinstance(variable, VariableState):
        return cast(type, variable.type)
    return cast(type, variable.var_type if _HAS_VAR_TYPE else type(variable))


def raw_value(variable: Any) -> Any:
    """What a Variable holds, without its hooks, a copy or a read of a reference."""
    if VariableState is not None and isinstance(variable, VariableState):
        return variable.value
    return variable.get_raw_value() if _HAS_RAW_GETTER else variable.raw_value


def metadata_of(variable: Any) -> Mapping[str, Any]:
    """A Variable's metadata."""
    return cast(Mapping[str, Any], variable.get_metadata())


def is_reference(value: object) -> bool:
    """Whether a value is a mutable array reference."""
    return bool(_is_ref(value))


def is_array(value: object) -> bool:
    """Whether a value is a concrete array, a tracer of one, or a reference to one."""
    return isinstance(value, jax.Array | np.ndarray) or is_reference(value)


def declared_names(metadata: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The axis names in a Variable's sharding metadata, None where it has none."""
    for key in _SHARDING_KEYS:
        names = metadata.get(key)
        if names is not None:
            return axis_names(names)
    return None


def axis_names(names: Any) -> tuple[Any, ...]:
    """Axis names as one tuple: ``("data",)`` for an axis means the same as ``"data"``."""
    spec = names.spec if isinstance(names, NamedSharding) else names
    if not isinstance(spec, tuple | list | PartitionSpec):
        return (spec,)
    entries = [_plain_axis(entry) for entry in spec]
    while entries and entries[-1] is None:
        entries.pop()
    return tuple(entries)


def _plain_axis(entry: Any) -> Any:
    if isinstance(entry, tuple | list):
        return entry[0] if len(entry) == 1 else tuple(entry) or None
    return entry


def mapping_of(value: object) -> Mapping[Key, Any] | None:
    """The mapping that a state or dict is, None for any other value."""
    if isinstance(value, State):
        return cast(Mapping[Key, Any], value.raw_mapping)
    return value if isinstance(value, Mapping) else None


def is_state(value: object) -> bool:
    """Whether a value is an ``nnx.State``."""
    return isinstance(value, State)


def is_module_class(cls: object) -> bool:
    """Whether a class is one of live graph nodes."""
    base: Any = getattr(nnx, "Pytree", None) or nnx.Object
    return isinstance(cls, type) and issubclass(cls, base)


def is_module(value: object) -> bool:
    """Whether a value is a live graph node: a Module, an Optimizer, an ``nnx.List``."""
    return bool(_graph.is_graph_node(value)) and not is_variable(value)


@dataclass(frozen=True, slots=True)
class ModuleTree:
    """What ``nnx.state`` of a live node would hold, read without building it.

    Attributes:
      mapping: nested dicts of the node's own Variables and raw arrays.
      shared: the path of each further occurrence of a Variable, with that of the first.
    """

    mapping: dict[Key, Any]
    shared: dict[Path, Path]


@dataclass(slots=True)
class _Walk:
    seen: dict[int, Path] = field(default_factory=dict)
    shared: dict[Path, Path] = field(default_factory=dict)
    keep: list[object] = field(default_factory=list)

    def once(self, value: object, path: Path) -> bool:
        first = self.seen.setdefault(id(value), path)
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


def _children(node: object, path: Path, walk: _Walk) -> dict[Key, Any]:
    impl = _graph.get_node_impl(node)
    if _graph.is_graph_node(node) and not walk.once(node, path):
        return {}
    found: dict[Key, Any] = {}
    for key, item in impl.flatten(node)[0]:
        value, is_data = _unwrap(item)
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


def _unwrap(item: Any) -> tuple[Any, bool | None]:
    """An attribute's value and whether Flax calls it data; None where its class decides."""
    if _WRAPPERS and isinstance(item, _WRAPPERS):
        return item.value, isinstance(item, _WRAPPERS[0])
    return item, None


@dataclass(frozen=True, slots=True)
class Slot:
    """One leaf that a GraphDef wants.

    Attributes:
      path: its keys.
      kind: its Variable class, None for a raw leaf.
      metadata: the Variable's metadata.
    """

    path: Path
    kind: type | None
    metadata: Mapping[str, Any]


def graphdef_slots(graphdef: Any) -> list[Slot]:
    """The leaves of a GraphDef, in the order in which Flax's ``merge`` takes them.

    Raises:
      TypeError: this is no GraphDef whose entries can be read.
    """
    nodes = getattr(graphdef, "nodes", None)
    if nodes is None:
        raise TypeError(f"expected an nnx.GraphDef, got {type(graphdef).__name__}")
    if nodes and type(nodes[0]).__name__ == "TreeNodeDef":
        return list(_tree_slots(graphdef))
    slots: list[Slot] = []
    _read_slots(iter(nodes), iter(graphdef.attributes), (), slots)
    return slots


def _tree_slots(graphdef: Any) -> Iterator[Slot]:
    root, *rest = graphdef.nodes
    variables = {definition.index: definition for definition in rest}
    for index, (path, _) in enumerate(root.path_index):
        definition = variables.get(index)
        if definition is None:
            yield Slot(tuple(path), None, {})
        else:
            yield Slot(tuple(path), definition.type, dict(definition.metadata))


def _read_slots(
    nodes: Iterator[Any], attributes: Iterator[Any], path: Path, slots: list[Slot]
) -> None:
    node = next(nodes)
    match type(node).__name__:
        case "NodeRef":
            return
        case "VariableDef":
            reference = getattr(node, "array_refdef", getattr(node, "mutable_arraydef", None))
            if type(reference).__name__ != "NodeRef":
                slots.append(Slot(path, node.type, dict(node.metadata)))
            return
        case "ArrayRefDef" | "MutableArrayDef":
            slots.append(Slot(path, None, {}))
            return
        case "NodeDef":
            pass
        case other:
            raise TypeError(f"a GraphDef with a {other} can't be read on this Flax")
    for _ in range(node.num_attributes):
        key, attribute = next(attributes)
        match type(attribute).__name__:
            case "NodeAttr" | "MutableArrayAttr":
                _read_slots(nodes, attributes, (*path, key), slots)
            case "LeafAttr" | "ArrayAttr":
                slots.append(Slot((*path, key), None, {}))
            case _:
                pass
