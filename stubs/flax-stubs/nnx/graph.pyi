"""Types of `flax.nnx.graph`: the whole of `graphlib` since Flax 0.12.6, its home before.

The names below exist only in versions in which `flax.nnx` itself imports them from here.
"""

from typing import Any, TypeAlias

from flax.nnx import filterlib
from flax.nnx.graphlib import (
    GRAPH_CONTEXT as GRAPH_CONTEXT,
    GRAPH_REGISTRY as GRAPH_REGISTRY,
    HA as HA,
    HB as HB,
    JAX_PYTREE_REGISTRY as JAX_PYTREE_REGISTRY,
    LEAF_ATTR as LEAF_ATTR,
    NO_UPDATE as NO_UPDATE,
    NODE_ATTR as NODE_ATTR,
    PYTREE_NODE_IMPL as PYTREE_NODE_IMPL,
    PYTREE_REGISTRY as PYTREE_REGISTRY,
    REPEATED as REPEATED,
    A as A,
    ArrayRefDef as ArrayRefDef,
    ArrayRefOutput as ArrayRefOutput,
    AttrType as AttrType,
    AuxData as AuxData,
    B as B,
    C as C,
    DataElem as DataElem,
    F as F,
    FlatState as FlatState,
    GenericPytree as GenericPytree,
    GraphContext as GraphContext,
    GraphDef as GraphDef,
    GraphFlatState as GraphFlatState,
    GraphNodeImpl as GraphNodeImpl,
    HashableMapping as HashableMapping,
    Index as Index,
    IndexesPytreeDef as IndexesPytreeDef,
    IndexMap as IndexMap,
    Key as Key,
    KeyT as KeyT,
    Leaf as Leaf,
    LeafAttr as LeafAttr,
    LeafType as LeafType,
    MergeContext as MergeContext,
    Names as Names,
    Node as Node,
    NodeAttr as NodeAttr,
    NodeDef as NodeDef,
    NodeDefType as NodeDefType,
    NodeImpl as NodeImpl,
    NodeImplBase as NodeImplBase,
    NodeRef as NodeRef,
    NoUpdate as NoUpdate,
    PathParts as PathParts,
    PureState as PureState,
    PythonRefMap as PythonRefMap,
    PytreeNodeImpl as PytreeNodeImpl,
    RefMap as RefMap,
    Repeated as Repeated,
    SplitContext as SplitContext,
    State as State,
    Static as Static,
    StaticCache as StaticCache,
    StaticElem as StaticElem,
    TreeNodeDef as TreeNodeDef,
    UpdateContext as UpdateContext,
    UpdateContextManager as UpdateContextManager,
    Variable as Variable,
    VariableDef as VariableDef,
    as_pure as as_pure,
    cached_partial as cached_partial,
    call as call,
    clone as clone,
    current_update_context as current_update_context,
    find_duplicates as find_duplicates,
    flatten as flatten,
    get_node_impl as get_node_impl,
    get_node_impl_for_type as get_node_impl_for_type,
    graph_pop as graph_pop,
    graphdef as graphdef,
    is_graph_node as is_graph_node,
    is_node as is_node,
    is_node_leaf as is_node_leaf,
    is_node_module as is_node_module,
    is_node_type as is_node_type,
    is_pytree_node as is_pytree_node,
    iter_children as iter_children,
    iter_graph as iter_graph,
    iter_module_children as iter_module_children,
    jax_to_nnx_path as jax_to_nnx_path,
    map as map,
    map_state as map_state,
    merge as merge,
    merge_context as merge_context,
    pop as pop,
    pure as pure,
    recursive_map as recursive_map,
    register_graph_node_type as register_graph_node_type,
    register_pytree_node_type as register_pytree_node_type,
    set_graph_mode as set_graph_mode,
    set_graph_updates as set_graph_updates,
    set_metadata as set_metadata,
    split as split,
    split_context as split_context,
    state as state,
    static_cache as static_cache,
    unflatten as unflatten,
    unpack as unpack,
    update as update,
    update_context as update_context,
    variables as variables,
    vars_as as vars_as,
    with_vars as with_vars,
)

# A class of its own (`graphlib.GraphState`) since Flax 0.12.7, where nothing imports it from here.
GraphState: TypeAlias = State[Any, Any]

# Flax 0.11.0 to 0.12.0
def to_arrays(node: A, /, *, only: filterlib.Filter = ..., allow_duplicates: bool = False) -> A: ...
def to_refs(node: A, /, only: filterlib.Filter = ...) -> A: ...

# Flax 0.12.1 and 0.12.2
def as_ref_vars(node: A, /, *, only: filterlib.Filter = ..., allow_duplicates: bool = False) -> A: ...
def as_array_vars(node: A, /, *, only: filterlib.Filter = ..., allow_duplicates: bool = False) -> A: ...
def as_hijax_vars(node: A, /, *, only: filterlib.Filter = ..., allow_duplicates: bool = False) -> A: ...
def as_pytree_vars(node: A, /, *, only: filterlib.Filter = ..., allow_duplicates: bool = False) -> A: ...
def as_immutable_vars(node: A, /, *, only: filterlib.Filter = ..., allow_duplicates: bool = False) -> A: ...
def as_mutable_vars(node: A, /, *, only: filterlib.Filter = ..., allow_duplicates: bool = False) -> A: ...

# What a later Flax has here: unknown, and no error.
def __getattr__(name: str) -> Any: ...
