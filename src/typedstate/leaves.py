"""What the leaves of a state are on the installed Flax: the one file that knows its versions.

Kind, raw value and metadata of a leaf, the mapping behind a state, the attributes of a live
module and the entries of a GraphDef are answered here, by capability found at import.
"""

from __future__ import annotations

import operator
import types
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import field
from importlib import import_module
from typing import Any, Final, cast

import jax
import numpy as np
from flax import nnx
from flax.core import spmd as _flax_spmd
from flax.nnx import variablelib
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from .dataclass import dataclass

try:
    from flax.nnx import graphlib as _graphlib
except ImportError:  # Flax < 0.12.5
    from flax.nnx import graph as _graphlib  # type: ignore[no-redef]

Path = tuple[Hashable, ...]

State: Final[Any] = nnx.State
Variable: Final[Any] = nnx.Variable
_graph: Final[Any] = _graphlib
_spmd: Final[Any] = _flax_spmd
_variables: Final[Any] = variablelib
_tree: Final[Any] = jax.tree
_AbstractValue: Final[Any] = cast(Any, jax).core.AbstractValue
_Tracer: Final[Any] = cast(Any, jax).core.Tracer
#: The slot in which a Variable keeps its raw value.
RAW_SLOT: Final = "_raw_value" if "_raw_value" in Variable.__slots__ else "raw_value"
_Hijax: Final[Any] = getattr(variablelib, "HijaxVariable", None)
_HIJAX_SLOTS: Final = ("_raw_value", "_metadata", "_var_type")  # where it holds no leaves
_HIJAX_HOLDS_LEAVES: Final = "_leaves" in getattr(_Hijax, "__slots__", ())
#: The class of a state's leaves up to Flax 0.10; its module keeps the name as an alias later.
VariableState: Final[Any] = vars(variablelib).get("VariableState")
if VariableState is Variable:
    VariableState = None  # type: ignore[misc]
_STAND_INS: Final = frozenset[Any]({_Hijax, _Tracer} if _Hijax else ())
_ShapedArray: Final[Any] = cast(Any, jax).core.ShapedArray
#: Whether equal abstract values are one object, as from jax 0.10 on.
_INTERNED: Final = _ShapedArray((2, 3), np.dtype("float32")) is _ShapedArray(
    (2, 3), np.dtype("float32")
)
_MAY_BE_A_BASE: Final = 1 << 10  # of the flags of a class: Py_TPFLAGS_BASETYPE
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
_is_ref: Final[Callable[[Any], bool]] = getattr(
    _variables, "is_array_ref", getattr(_variables, "is_mutable_array", lambda _: False)
)
_SHARDING_KEYS: Final = ("out_sharding", "sharding_names", "sharding")
_partitioned: Final[Any] = nnx.with_partitioning(lambda: 0, ("axis",))()
#: The key under which ``nnx.with_partitioning`` keeps axis names.
_NAMES_KEY: Final[str] = next(key for key in _SHARDING_KEYS if key in _partitioned.metadata)
_PLAIN_METADATA: Final = dict.fromkeys(
    {"has_ref", "hijax", "is_hijax", "ref"} & set(Variable(None)._var_metadata), False
)


def is_variable(value: object) -> bool:
    """Whether a value is a leaf with a kind: a Variable, or what stands for one in a state."""
    bases = type(value).__mro__
    if Variable in bases or VariableState in bases:
        return True
    # isinstance asks a metaclass, which takes long: only what may stand for a hijax variable
    return not _STAND_INS.isdisjoint(bases) and isinstance(value, Variable)


def kind_of(variable: Any) -> type:
    """The Variable class that a leaf is of, also behind references and hijax variables."""
    plain = _plain(variable)
    return cast(type, plain.type if _is_variable_state(plain) else type(plain))


def raw_value(variable: Any) -> Any:
    """What a Variable holds, without its hooks, a copy or a read of a reference.

    A hijax variable under a transform gives the abstract value of what it holds.
    """
    plain = _plain(variable)
    name = "value" if _is_variable_state(plain) else RAW_SLOT
    return object.__getattribute__(plain, name)


def metadata_of(variable: Any) -> Mapping[str, Any]:
    """A Variable's metadata."""
    return cast(Mapping[str, Any], _plain(variable)._var_metadata)


def _is_variable_state(value: object) -> bool:
    return VariableState is not None and isinstance(value, VariableState)


def slot_of(variable: Any) -> str | None:
    """The attribute that is a leaf's raw value, for generated code; None where it has none."""
    if _is_variable_state(variable):
        reads_reference = is_reference(raw_value(variable))
        return None if reads_reference else "value"
    return RAW_SLOT if _plain(variable) is variable else None


def is_interned(aval: object) -> bool:
    """Whether an abstract value is the only one that equals it."""
    return _INTERNED and type(aval) is _ShapedArray


def aval_reader(cls: type) -> Callable[[Any], Any] | None:
    """JAX's own function that reads the abstract value of arrays of a class.

    None where it would take other objects too: what it takes is of the class, and reading is
    quicker than by the attribute.
    """
    read: Any = getattr(vars(cls).get("aval"), "fget", None)
    if read is None or isinstance(read, types.FunctionType) or cls.__flags__ & _MAY_BE_A_BASE:
        return None
    try:
        read(None)
    except TypeError:
        return cast(Callable[[Any], Any], read)
    except Exception:
        return None
    return None


def key_base(value: object) -> Any:
    """The plain array behind a PRNG key array, whose abstract value is cheap to read."""
    base = getattr(value, "_base_array", None)
    readable = isinstance(base, jax.Array) and hasattr(base, "aval") and hasattr(value, "_impl")
    return base if readable else None


def key_implementation(key: Any) -> Any:
    """What implements a PRNG key array that has a `key_base`: its dtype follows from it."""
    return key._impl


def _plain(variable: Any) -> Any:
    """The Variable that a hijax variable stands for, read without touching the user's jaxpr."""
    if _Hijax is None:
        return variable
    if isinstance(variable, _Tracer):
        kind: Any = cast(Any, jax).typeof(variable)
        leaves = getattr(kind, "_leaves", None)
        if leaves is not None:
            return _tree.unflatten(kind._treedef, leaves)
        held: Any = import_module("jax.experimental").cur_qdd(variable)  # quasi-dynamic data
        return _tree.unflatten(held.treedef, held.leaf_avals)
    if type(variable) is not _Hijax:
        return variable
    if _HIJAX_HOLDS_LEAVES:
        return _tree.unflatten(variable._treedef, variable._leaves)
    value, metadata, kind = (object.__getattribute__(variable, name) for name in _HIJAX_SLOTS)
    return kind._new(value, metadata)


def is_reference(value: object) -> bool:
    """Whether a value is a mutable array reference, no abstract value of one."""
    return not isinstance(value, _AbstractValue) and bool(_is_ref(value))


def is_array(value: object) -> bool:
    """Whether a value is a concrete array, a tracer of one, or a reference to one."""
    return isinstance(value, jax.Array | np.ndarray) or stands_for_array(value)


def is_plain_array(value: object) -> bool:
    """Whether Flax takes a value for a leaf by its class, where nothing says that it is data."""
    return isinstance(value, jax.Array | np.ndarray)


def stands_for_array(value: object) -> bool:
    """Whether a value is a reference to a JAX array, or the abstract value behind a tracer."""
    return isinstance(value, _AbstractValue) or is_reference(value)


def declared_names(metadata: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The axis names in a Variable's sharding metadata, None where it has none."""
    for key in _SHARDING_KEYS:
        names = metadata.get(key)
        if names is not None:
            return axis_names(names)
    return None


#: What code reads of a leaf, as text with ``{}`` for it, or of the context, and what it found.
Sign = tuple[str | Callable[[], Any], Any]


def names_signs(variable: Any) -> tuple[Sign, ...] | None:
    """By what code sees that `declared_names` are the same; None where it can't."""
    if slot_of(variable) is None:
        return None
    metadata, found = metadata_of(variable), list[Sign]()
    for key in _SHARDING_KEYS:
        names = metadata.get(key)
        if names is not None:
            found.append((f"{{}}._var_metadata[{key!r}]", names))
            break
        found.append((f"{{}}._var_metadata.get({key!r})", None))
    return tuple(found)


def placement_signs(variable: Any) -> tuple[Sign, ...] | None:
    """By what code sees that an array lies on its mesh as before, under the same rules."""
    signs, raw = names_signs(variable), raw_value(variable)
    at = None if is_traced(raw) else getattr(raw, "sharding", None)
    if signs is None or not isinstance(at, NamedSharding):
        return None
    rules = ("{}._var_metadata.get('sharding_rules')", metadata_of(variable).get("sharding_rules"))
    where = (f"{{}}.{slot_of(variable)}.sharding", at)
    return (*signs, rules, where, (context_rules, context_rules()))


def with_names(names: tuple[Any, ...]) -> dict[str, Any]:
    """Sharding metadata with these axis names, as the installed Flax spells it."""
    return {_NAMES_KEY: names}


def make_variable(kind: type, value: Any, metadata: Mapping[str, Any]) -> Any:
    """A leaf of a state that holds any value; no constructor of the user's runs."""
    if VariableState is not None:
        return VariableState(kind, value, **metadata)
    defaults = {**metadata_of(Variable(None)), **_PLAIN_METADATA}
    return cast(Any, kind).from_metadata(value, {**defaults, **metadata})


def resolve_names(
    names: tuple[Any, ...], context: Iterable[Any] | None, own: Iterable[Any] | None
) -> tuple[Any, ...]:
    """Logical axis names to those of the mesh, by the rules of ``nnx.get_partition_spec``.

    Args:
      names: of each axis, as in a Variable's metadata.
      context: rules in the place of those of ``logical_axis_rules``; None for those.
      own: the Variable's own ``sharding_rules``.

    Raises:
      ValueError: the two say different things of one name, or `own` holds no pairs.
    """
    around: Any = _spmd.get_logical_axis_rules() if context is None else tuple(context)
    own = _pairs(own)
    if not around and not own:
        return names
    rules = _spmd.composite_rules(around, own)
    return tuple(_spmd.from_sharding_rules(names, rules))


def _pairs(rules: Any) -> tuple[Any, ...]:
    """A Variable's own rules, which may be any object that its user gave."""
    if rules is None:
        return ()
    try:
        return tuple((name, axis) for name, axis in rules)
    except Exception:
        raise ValueError("the Variable's sharding_rules are no pairs of names") from None


def context_rules() -> Any:
    """The rules of ``logical_axis_rules`` that are in force."""
    return _spmd.get_logical_axis_rules()


def context_mesh() -> Any:
    """The mesh of ``jax.set_mesh``, ``use_mesh`` or ``with mesh:``, None without."""
    mesh: Any = cast(Any, jax.sharding).get_abstract_mesh()
    if not mesh.empty:
        return mesh
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resources: Any = getattr(cast(Any, jax).interpreters.pxla, "thread_resources", None)
    mesh = None if resources is None else resources.env.physical_mesh
    return None if mesh is None or mesh.empty else mesh


def mesh_of(metadata: Mapping[str, Any]) -> Any:
    """The mesh of a Variable's own, None where its metadata has none."""
    mesh = metadata.get("mesh")
    return mesh if isinstance(mesh, Mesh | AbstractMesh) and not mesh.empty else None


def is_traced(value: object) -> bool:
    """Whether a value is a tracer, or the abstract value that stands for one."""
    return isinstance(value, _Tracer | _AbstractValue)


def type_of(value: Any) -> Any:
    """The abstract value of an array, a tracer or a reference: it has shape and sharding."""
    return value if isinstance(value, _AbstractValue) else cast(Any, jax).typeof(value)


def axis_names(names: Any) -> tuple[Any, ...]:
    """Axis names as one tuple: ``("data",)`` for an axis means the same as ``"data"``."""
    at = getattr(names, "sharding", names)  # a Format has a layout beside it
    spec = at.spec if isinstance(at, NamedSharding) else at
    if not isinstance(spec, tuple | list | PartitionSpec):
        return (_plain_axis(spec),)
    entries = [_plain_axis(entry) for entry in cast(Any, spec)]
    while entries and entries[-1] is None:
        entries.pop()
    return tuple(entries)


def _plain_axis(entry: Any) -> Any:
    if entry is None or isinstance(entry, str):
        return entry
    if isinstance(entry, tuple | list):
        items = [_plain_axis(item) for item in cast(Any, entry)]
        return items[0] if len(items) == 1 else tuple(items) or None
    try:
        hash(entry)
        is_plain = bool(entry == entry and str(entry))
    except Exception:  # metadata may be of any class; names are compared, hashed and shown
        is_plain = False
    return entry if is_plain else f"<{type(entry).__name__}>"


def mapping_of(value: Any) -> Mapping[Hashable, Any] | None:
    """The mapping that a state or dict is, None for any other value."""
    if isinstance(value, State):
        return cast(Mapping[Hashable, Any], value.raw_mapping)
    if type(value) is dict:
        return cast(Mapping[Hashable, Any], value)
    if not isinstance(value, Mapping):
        return None
    try:
        return dict(cast(Mapping[Hashable, Any], value))
    except Exception:  # a class of the user's own may do anything
        return None


def is_shaped(value: Any) -> bool:
    """Whether a value has shape and dtype, as an array has."""
    try:
        return isinstance(value.shape, tuple) and value.dtype is not None
    except Exception:  # of any class, so its attributes may do anything
        return False


def is_state(value: object) -> bool:
    """Whether a value is an ``nnx.State``."""
    return isinstance(value, State)


def is_module_class(cls: object) -> bool:
    """Whether a class is one of live graph nodes."""
    base: Any = getattr(nnx, "Pytree", None) or nnx.Object
    return isinstance(cls, type) and issubclass(cls, base)


def is_module(value: object) -> bool:
    """Whether a value is a live graph node: a Module, an Optimizer, an ``nnx.List``."""
    return is_object(value) and not is_variable(value)


@dataclass(frozen=True, slots=True)
class ModuleTree:
    """What ``nnx.state`` of a live node would hold, read without building it.

    Attributes:
      mapping: nested dicts of the node's own Variables and raw arrays.
      shared: the path of each further occurrence of a Variable, with that of the first.
    """

    mapping: dict[Hashable, Any]
    shared: dict[Path, Path]


@dataclass(slots=True)
class _Walk:
    """What was met so far of one node."""

    seen: dict[int, Path] = field(default_factory=dict[int, Path])
    shared: dict[Path, Path] = field(default_factory=dict[Path, Path])
    keep: list[object] = field(default_factory=list[object])

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
    """An attribute's value and whether Flax calls it data; None where its class decides."""
    if _WRAPPERS and isinstance(item, _WRAPPERS):
        return item.value, isinstance(item, _WRAPPERS[0])
    return item, None


def is_node(value: object) -> bool:
    """Whether `module_tree` looks for leaves below a value."""
    return _graph.get_node_impl(value) is not None


def is_object(value: object) -> bool:
    """Whether Flax takes a value for one object, wherever it stands."""
    # Flax asks JAX for the type of an AbstractRef, and JAX has none
    return not isinstance(value, _AbstractValue) and bool(_graph.is_graph_node(value))


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
    """A node's own record of which attributes are data; None where classes decide."""
    if not _WRAPPERS or not node._pytree__is_pytree:
        return None
    return cast(dict[str, bool], operator.attrgetter(RECORD)(node))


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
