"""Types of `flax.nnx.graphlib`: `split`, `state`, `pop` and the rest by filter and by number of filters.

How a filter gives the leaves is told in `statelib`. Up to six filters are exact; more are a tuple of any length.
On Flax before 0.12.5 the module behind these names is `flax.nnx.graph`, which takes no `graph` keyword yet.
"""

import builtins
import dataclasses
import functools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeGuard, overload

import jax
import numpy as np
from flax.nnx import filterlib, reprlib, statelib as statelib
from flax.nnx.proxy_caller import ApplyCaller
from flax.nnx.statelib import (
    _L1,
    _L2,
    _L3,
    _L4,
    _L5,
    _L6,
    _M1,
    _M2,
    _M3,
    _M4,
    _M5,
    _M6,
    _N1,
    _N2,
    _N3,
    _N4,
    _N5,
    _N6,
    FlatState as FlatState,
    State as State,
    _FilterOf,
    _Leaf,
    map_state as map_state,
)
from flax.nnx.variablelib import Variable as Variable
from flax.typing import (  # type: ignore[attr-defined, unused-ignore]  # two of later Flaxes
    BaseConfigContext,  # since Flax 0.12.5
    HashableMapping as HashableMapping,  # since 0.12.3
    Key as Key,
    PathParts as PathParts,
)
from typing_extensions import TypeVar

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])
HA = TypeVar("HA", bound=Hashable)
HB = TypeVar("HB", bound=Hashable)
KeyT = TypeVar("KeyT", bound=Key)
Node = TypeVar("Node", covariant=True, default=Any)
Leaf = TypeVar("Leaf", default=Any)
AuxData = TypeVar("AuxData", default=Any)

_K = TypeVar("_K", bound=Hashable)
_N = TypeVar("_N", default=Any)

Index: TypeAlias = int
Names: TypeAlias = Sequence[int]

@dataclasses.dataclass(frozen=True, slots=True)
class NoUpdate: ...

NO_UPDATE: NoUpdate

@dataclasses.dataclass(frozen=True, slots=True)
class Repeated: ...

REPEATED: Repeated

@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class ArrayRefOutput(reprlib.Representable):
    value: jax.Array
    def __nnx_repr__(self) -> Iterator[Any]: ...
    def __treescope_repr__(self, path: Any, subtree_renderer: Any) -> Any: ...

LeafType: TypeAlias = Variable[Any] | jax.Array | np.ndarray[Any, Any] | Any | ArrayRefOutput | NoUpdate
GraphFlatState: TypeAlias = FlatState[LeafType]

def is_node_leaf(x: Any) -> TypeGuard[LeafType]: ...

class IndexMap(dict[Index, Any]):
    @staticmethod
    def from_refmap(refmap: RefMap) -> IndexMap: ...

class RefMap(MutableMapping[Any, int], reprlib.MappingReprMixin):
    def __init__(self, mapping: Mapping[Any, int] | Iterable[tuple[Any, int]] | None = None, /) -> None: ...
    @staticmethod
    def from_indexmap(indexmap: IndexMap) -> RefMap: ...
    def get(self, key: Any, default: int | None = None) -> int | None: ...  # type: ignore[override]
    def __getitem__(self, key: Any) -> int: ...
    def __setitem__(self, key: Any, value: int) -> None: ...
    def __delitem__(self, key: Any) -> None: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: Any) -> bool: ...
    def __iter__(self) -> Iterator[Any]: ...
    def items(self) -> Any: ...

PythonRefMap = RefMap

@dataclasses.dataclass(frozen=True, slots=True)
class NodeImplBase(Generic[_N, Leaf, AuxData]):
    type: builtins.type[_N]
    flatten: Callable[[_N], tuple[Sequence[tuple[Key, Leaf]], AuxData]]
    def node_dict(self, node: _N) -> dict[Key, Any]: ...

@dataclasses.dataclass(frozen=True, slots=True)
class GraphNodeImpl(NodeImplBase[_N, Leaf, AuxData]):
    set_key: Callable[[_N, Key, Leaf], None]
    pop_key: Callable[[_N, Key], Leaf]
    create_empty: Callable[[AuxData], _N]
    clear: Callable[[_N], None]
    init: Callable[[_N, Iterable[tuple[Key, Leaf]]], None]

@dataclasses.dataclass(frozen=True, slots=True)
class PytreeNodeImpl(NodeImplBase[_N, Leaf, AuxData]):
    unflatten: Callable[[Sequence[tuple[Key, Leaf]], AuxData], _N]
    set_key: Callable[[_N, Key, Leaf], None] | None
    pop_key: Callable[[_N, Key], Leaf] | None

NodeImpl: TypeAlias = GraphNodeImpl[_N, Leaf, AuxData] | PytreeNodeImpl[_N, Leaf, AuxData]
GRAPH_REGISTRY: dict[type, NodeImpl[Any, Any, Any]]
PYTREE_REGISTRY: dict[type, PytreeNodeImpl[Any, Any, Any]]

def register_graph_node_type(
    type: type,
    flatten: Callable[[A], tuple[Sequence[tuple[Key, Leaf]], AuxData]],
    set_key: Callable[[A, Key, Leaf], None],
    pop_key: Callable[[A, Key], Leaf],
    create_empty: Callable[[AuxData], A],
    clear: Callable[[A], None],
    init: Callable[[A, Iterable[tuple[Key, Leaf]]], None],
) -> None: ...
def register_pytree_node_type(
    type: type,
    flatten: Callable[[A], tuple[Sequence[tuple[Key, Leaf]], AuxData]],
    unflatten: Callable[[Sequence[tuple[Key, Leaf]], AuxData], A],
    *,
    set_key: Callable[[A, Key, Leaf], None] | None = None,
    pop_key: Callable[[A, Key], Leaf] | None = None,
) -> None: ...
def is_node(x: Any) -> bool: ...
def is_graph_node(x: Any) -> bool: ...
def is_node_type(x: type[Any]) -> bool: ...
def is_node_module(x: Any) -> bool: ...
def get_node_impl(x: A) -> NodeImpl[A, Any, Any] | None: ...
def get_node_impl_for_type(x: type[A]) -> NodeImpl[A, Any, Any] | None: ...

@dataclasses.dataclass(frozen=True, repr=False)
class NodeRef(Generic[Node], reprlib.Representable):
    index: int
    def __nnx_repr__(self) -> Iterator[Any]: ...
    def __treescope_repr__(self, path: Any, subtree_renderer: Any) -> Any: ...

@dataclasses.dataclass(frozen=True, repr=False)
class VariableDef(reprlib.Representable, Generic[Node]):
    type: builtins.type[Node]
    index: int
    outer_index: int | None
    metadata: HashableMapping[str, Any]
    array_refdef: ArrayRefDef | NodeRef[Any] | None
    def with_no_outer_index(self) -> VariableDef[Node]: ...
    def with_same_outer_index(self) -> VariableDef[Node]: ...
    def with_matching_outer_index(self, other: Any) -> VariableDef[Node]: ...
    def __nnx_repr__(self) -> Iterator[Any]: ...
    def __treescope_repr__(self, path: Any, subtree_renderer: Any) -> Any: ...

@dataclasses.dataclass(frozen=True, repr=False)
class ArrayRefDef(reprlib.Representable):
    index: int
    outer_index: int | None
    def with_no_outer_index(self) -> ArrayRefDef: ...
    def with_same_outer_index(self) -> ArrayRefDef: ...
    def with_matching_outer_index(self, other: Any) -> ArrayRefDef: ...
    def __nnx_repr__(self) -> Iterator[Any]: ...
    def __treescope_repr__(self, path: Any, subtree_renderer: Any) -> Any: ...

@dataclasses.dataclass(frozen=True, repr=False, slots=True)
class NodeDef(Generic[Node], reprlib.Representable):
    type: builtins.type[Node]
    index: int | None
    outer_index: int | None
    num_attributes: int
    metadata: Any
    def with_no_outer_index(self) -> NodeDef[Node]: ...
    def with_same_outer_index(self) -> NodeDef[Node]: ...
    def with_matching_outer_index(self, other: Any) -> NodeDef[Node]: ...
    def __nnx_repr__(self) -> Iterator[Any]: ...
    def __treescope_repr__(self, path: Any, subtree_renderer: Any) -> Any: ...

@dataclasses.dataclass(frozen=True, slots=True)
class TreeNodeDef(Generic[Node]):
    type: builtins.type[Node]
    treedef: Any
    path_index: tuple[tuple[PathParts, int], ...]
    def with_no_outer_index(self) -> TreeNodeDef[Node]: ...
    def with_same_outer_index(self) -> TreeNodeDef[Node]: ...
    def with_matching_outer_index(self, other: Any) -> TreeNodeDef[Node]: ...

NodeDefType: TypeAlias = NodeDef[Node] | NodeRef[Node] | VariableDef[Node] | ArrayRefDef | TreeNodeDef[Node]

@dataclasses.dataclass(frozen=True, slots=True)
class NodeAttr: ...

NODE_ATTR: NodeAttr

@dataclasses.dataclass(frozen=True, slots=True)
class LeafAttr: ...

LEAF_ATTR: LeafAttr
AttrType: TypeAlias = NodeAttr | LeafAttr | Static[Any]

@dataclasses.dataclass(frozen=True, slots=True)
class GraphDef(Generic[Node]):
    nodes: list[NodeDefType[Any]]
    attributes: list[tuple[Key, AttrType]]
    num_leaves: int
    def __hash__(self) -> int: ...
    def with_no_outer_index(self) -> GraphDef[Node]: ...
    def with_matching_outer_index(self, other: Any) -> GraphDef[Node]: ...
    def with_same_outer_index(self) -> GraphDef[Node]: ...
    def apply(
        self, state: State[Any, Any], *states: State[Any, Any], graph: bool | None = None
    ) -> ApplyCaller[tuple[GraphDef[Node], State[Any, _Leaf]]]: ...

PureState: TypeAlias = tuple[GraphDef[_N], State[Any, _Leaf]]

@overload
def flatten(
    node: A,
    /,
    *,
    with_paths: Literal[True] = True,
    ref_index: RefMap | None = None,
    ref_outer_index: RefMap | None = None,
    graph: bool | None = None,
) -> tuple[GraphDef[A], FlatState[_Leaf]]: ...
@overload
def flatten(
    node: A,
    /,
    *,
    with_paths: Literal[False],
    ref_index: RefMap | None = None,
    ref_outer_index: RefMap | None = None,
    graph: bool | None = None,
) -> tuple[GraphDef[A], list[Any]]: ...
@overload
def flatten(
    node: A,
    /,
    *,
    with_paths: bool,
    ref_index: RefMap | None = None,
    ref_outer_index: RefMap | None = None,
    graph: bool | None = None,
) -> tuple[GraphDef[A], FlatState[_Leaf] | list[Any]]: ...

@dataclasses.dataclass(frozen=True, slots=True)
class DataElem:
    value: Any

@dataclasses.dataclass(frozen=True, slots=True)
class StaticElem:
    value: Any

def unflatten(
    graphdef: GraphDef[A],
    state: State[Any, Any] | FlatState[Any] | list[Any],
    /,
    *,
    index_ref: dict[Any, Any] | None = None,
    outer_index_outer_ref: dict[Any, Any] | None = None,
    copy_variables: bool = False,
    recreate_variables: bool = True,
) -> A: ...
def graph_pop(node: Any, filters: tuple[filterlib.Filter, ...]) -> tuple[State[Any, _Leaf], ...]: ...

class StaticCache(NamedTuple):
    graphdef: GraphDef[Any]
    final_graphdef: GraphDef[Any]
    paths: tuple[PathParts, ...]
    variables: list[Variable[Any]]
    new_ref_index: RefMap
    new_index_ref: IndexMap
    @staticmethod
    def create(
        graphdef: GraphDef[Any], paths: tuple[PathParts, ...], variables: list[Variable[Any]], new_ref_index: RefMap
    ) -> StaticCache: ...

@dataclasses.dataclass
class GraphContext:
    update_context_stacks: dict[Hashable, list[UpdateContext]] = ...
    ref_index_stack: list[SplitContext] = ...
    index_ref_stack: list[MergeContext] = ...
    tmp_static_cache: MutableMapping[Any, StaticCache] | None = None
    caching: bool = False
    graph_mode_stack: list[bool] = ...
    graph_updates_stack: list[bool] = ...

GRAPH_CONTEXT: GraphContext

class set_graph_mode(BaseConfigContext):
    def __init__(self, value: bool, /) -> None: ...
    @classmethod
    def get_default(cls) -> bool: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    @classmethod
    def get_stack(cls) -> list[bool]: ...
    @classmethod
    def current_value(cls) -> bool: ...
    def __enter__(self) -> None: ...
    def __exit__(self, exc_type: object, exc_value: object, traceback: object) -> None: ...
    def __call__(self, f: F) -> F: ...

class set_graph_updates(BaseConfigContext):
    def __init__(self, value: bool, /) -> None: ...
    @classmethod
    def get_default(cls) -> bool: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    @classmethod
    def get_stack(cls) -> list[bool]: ...
    @classmethod
    def current_value(cls) -> bool: ...
    def __enter__(self) -> None: ...
    def __exit__(self, exc_type: object, exc_value: object, traceback: object) -> None: ...
    def __call__(self, f: F) -> F: ...

def static_cache(static_cache: MutableMapping[Any, StaticCache]) -> AbstractContextManager[None]: ...

cached_partial = functools.partial

@dataclasses.dataclass
class SplitContext:
    ctxtag: Hashable | None
    ref_index: RefMap
    is_inner: bool | None
    @overload
    def split(self, node: A) -> tuple[GraphDef[A], State[Any, _Leaf]]: ...
    @overload
    def split(self, node: A, first: _FilterOf[_L1, _M1, _N1], /) -> tuple[GraphDef[A], State[Any, _L1 | _M1 | _N1]]: ...
    @overload
    def split(self, node: A, first: filterlib.Filter, /) -> tuple[GraphDef[A], State[Any, _Leaf]]: ...
    @overload
    def split(
        self, node: A, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /
    ) -> tuple[GraphDef[A], State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2]]: ...
    @overload
    def split(
        self, node: A, first: filterlib.Filter, second: filterlib.Filter, /
    ) -> tuple[GraphDef[A], State[Any, _Leaf], State[Any, _Leaf]]: ...
    @overload
    def split(
        self,
        node: A,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        /,
    ) -> tuple[GraphDef[A], State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3]]: ...
    @overload
    def split(
        self, node: A, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
    ) -> tuple[GraphDef[A], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
    @overload
    def split(
        self,
        node: A,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        /,
    ) -> tuple[
        GraphDef[A],
        State[Any, _L1 | _M1 | _N1],
        State[Any, _L2 | _M2 | _N2],
        State[Any, _L3 | _M3 | _N3],
        State[Any, _L4 | _M4 | _N4],
    ]: ...
    @overload
    def split(
        self,
        node: A,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        /,
    ) -> tuple[GraphDef[A], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
    @overload
    def split(
        self,
        node: A,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        /,
    ) -> tuple[
        GraphDef[A],
        State[Any, _L1 | _M1 | _N1],
        State[Any, _L2 | _M2 | _N2],
        State[Any, _L3 | _M3 | _N3],
        State[Any, _L4 | _M4 | _N4],
        State[Any, _L5 | _M5 | _N5],
    ]: ...
    @overload
    def split(
        self,
        node: A,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        /,
    ) -> tuple[
        GraphDef[A], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]
    ]: ...
    @overload
    def split(
        self,
        node: A,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        sixth: _FilterOf[_L6, _M6, _N6],
        /,
    ) -> tuple[
        GraphDef[A],
        State[Any, _L1 | _M1 | _N1],
        State[Any, _L2 | _M2 | _N2],
        State[Any, _L3 | _M3 | _N3],
        State[Any, _L4 | _M4 | _N4],
        State[Any, _L5 | _M5 | _N5],
        State[Any, _L6 | _M6 | _N6],
    ]: ...
    @overload
    def split(
        self,
        node: A,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        sixth: filterlib.Filter,
        /,
    ) -> tuple[
        GraphDef[A],
        State[Any, _Leaf],
        State[Any, _Leaf],
        State[Any, _Leaf],
        State[Any, _Leaf],
        State[Any, _Leaf],
        State[Any, _Leaf],
    ]: ...
    @overload
    def split(
        self,
        node: A,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        sixth: filterlib.Filter,
        seventh: filterlib.Filter,
        /,
        *filters: filterlib.Filter,
    ) -> tuple[GraphDef[A], State[Any, _Leaf], *tuple[State[Any, _Leaf], ...]]: ...
    #
    @overload
    def flatten(self, node: A, *, with_paths: Literal[False]) -> tuple[GraphDef[A], list[Any]]: ...
    @overload
    def flatten(self, node: A, *, with_paths: Literal[True] = True) -> tuple[GraphDef[A], FlatState[_Leaf]]: ...
    @overload
    def flatten(self, node: A, first: filterlib.Filter, /) -> tuple[GraphDef[A], FlatState[_Leaf]]: ...
    @overload
    def flatten(
        self, node: A, first: filterlib.Filter, second: filterlib.Filter, /
    ) -> tuple[GraphDef[A], FlatState[_Leaf], FlatState[_Leaf]]: ...
    @overload
    def flatten(self, node: A, /, *filters: filterlib.Filter) -> tuple[GraphDef[A], *tuple[FlatState[_Leaf], ...]]: ...

# Both contexts are written `as ctx`, one after the other in one function: a SplitContext and a MergeContext by name
# would make the second an error.
def split_context(ctxtag: Hashable | None = None) -> AbstractContextManager[Any]: ...

@dataclasses.dataclass
class MergeContext:
    ctxtag: Hashable | None
    index_ref: IndexMap
    is_inner: bool | None
    def merge(self, graphdef: GraphDef[A], state: Any, /, *states: Any) -> A: ...
    def unflatten(
        self, graphdef: GraphDef[A], flat_state: FlatState[Any] | list[Any], /, *flat_states: FlatState[Any]
    ) -> A: ...

def merge_context(ctxtag: Hashable | None = None, inner: bool | None = None) -> AbstractContextManager[Any]: ...

@dataclasses.dataclass
class UpdateContext:
    tag: Hashable
    outer_ref_outer_index: RefMap | None
    outer_index_inner_ref: IndexMap | None
    outer_index_outer_ref: IndexMap | None
    inner_ref_outer_index: RefMap | None
    static_cache: MutableMapping[Any, StaticCache] | None
    def __hash__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    def flatten_end(self, ref_index: RefMap) -> None: ...
    def unflatten_end(self, index_ref: IndexMap, inner_merge: bool) -> None: ...

@dataclasses.dataclass
class UpdateContextManager:
    tag: Hashable
    def __enter__(self) -> UpdateContext: ...
    def __exit__(self, *args: object) -> None: ...
    def __call__(self, f: F) -> F: ...

def update_context(tag: Hashable) -> UpdateContextManager: ...
def current_update_context(tag: Hashable) -> UpdateContext: ...

#
@overload
def split(node: A, *, graph: bool | None = None) -> tuple[GraphDef[A], State[Any, _Leaf]]: ...
@overload
def split(
    node: A, first: _FilterOf[_L1, _M1, _N1], /, *, graph: bool | None = None
) -> tuple[GraphDef[A], State[Any, _L1 | _M1 | _N1]]: ...
@overload
def split(
    node: A, first: filterlib.Filter, /, *, graph: bool | None = None
) -> tuple[GraphDef[A], State[Any, _Leaf]]: ...
@overload
def split(
    node: A, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /, *, graph: bool | None = None
) -> tuple[GraphDef[A], State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2]]: ...
@overload
def split(
    node: A, first: filterlib.Filter, second: filterlib.Filter, /, *, graph: bool | None = None
) -> tuple[GraphDef[A], State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def split(
    node: A,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    /,
    *,
    graph: bool | None = None,
) -> tuple[GraphDef[A], State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3]]: ...
@overload
def split(
    node: A, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /, *, graph: bool | None = None
) -> tuple[GraphDef[A], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def split(
    node: A,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    /,
    *,
    graph: bool | None = None,
) -> tuple[
    GraphDef[A],
    State[Any, _L1 | _M1 | _N1],
    State[Any, _L2 | _M2 | _N2],
    State[Any, _L3 | _M3 | _N3],
    State[Any, _L4 | _M4 | _N4],
]: ...
@overload
def split(
    node: A,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[GraphDef[A], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def split(
    node: A,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    fifth: _FilterOf[_L5, _M5, _N5],
    /,
    *,
    graph: bool | None = None,
) -> tuple[
    GraphDef[A],
    State[Any, _L1 | _M1 | _N1],
    State[Any, _L2 | _M2 | _N2],
    State[Any, _L3 | _M3 | _N3],
    State[Any, _L4 | _M4 | _N4],
    State[Any, _L5 | _M5 | _N5],
]: ...
@overload
def split(
    node: A,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[
    GraphDef[A], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]
]: ...
@overload
def split(
    node: A,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    fifth: _FilterOf[_L5, _M5, _N5],
    sixth: _FilterOf[_L6, _M6, _N6],
    /,
    *,
    graph: bool | None = None,
) -> tuple[
    GraphDef[A],
    State[Any, _L1 | _M1 | _N1],
    State[Any, _L2 | _M2 | _N2],
    State[Any, _L3 | _M3 | _N3],
    State[Any, _L4 | _M4 | _N4],
    State[Any, _L5 | _M5 | _N5],
    State[Any, _L6 | _M6 | _N6],
]: ...
@overload
def split(
    node: A,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[
    GraphDef[A],
    State[Any, _Leaf],
    State[Any, _Leaf],
    State[Any, _Leaf],
    State[Any, _Leaf],
    State[Any, _Leaf],
    State[Any, _Leaf],
]: ...
@overload
def split(
    node: A,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    seventh: filterlib.Filter,
    /,
    *filters: filterlib.Filter,
    graph: bool | None = None,
) -> tuple[GraphDef[A], State[Any, _Leaf], *tuple[State[Any, _Leaf], ...]]: ...

#
@overload
def merge(
    graphdef_or_graphstate: GraphState[A],
    /,
    *states: GraphState[A],
    copy: bool = False,
    recreate_variables: bool = True,
) -> A: ...
@overload
def merge(
    graphdef_or_graphstate: GraphDef[A],
    state: Any,
    /,
    *states: Any,
    copy: bool = False,
    recreate_variables: bool = True,
) -> A: ...

#
def update(node: Any, state: Any, /, *states: Any) -> None: ...

#
@overload
def state(node: Any, *, graph: bool | None = None) -> State[Any, _Leaf]: ...
@overload
def state(
    node: Any, first: _FilterOf[_L1, _M1, _N1], /, *, graph: bool | None = None
) -> State[Any, _L1 | _M1 | _N1]: ...
@overload
def state(node: Any, first: filterlib.Filter, /, *, graph: bool | None = None) -> State[Any, _Leaf]: ...
@overload
def state(
    node: Any, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /, *, graph: bool | None = None
) -> tuple[State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2]]: ...
@overload
def state(
    node: Any, first: filterlib.Filter, second: filterlib.Filter, /, *, graph: bool | None = None
) -> tuple[State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def state(
    node: Any,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    /,
    *,
    graph: bool | None = None,
) -> tuple[State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3]]: ...
@overload
def state(
    node: Any,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def state(
    node: Any,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    /,
    *,
    graph: bool | None = None,
) -> tuple[
    State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3], State[Any, _L4 | _M4 | _N4]
]: ...
@overload
def state(
    node: Any,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def state(
    node: Any,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    fifth: _FilterOf[_L5, _M5, _N5],
    /,
    *,
    graph: bool | None = None,
) -> tuple[
    State[Any, _L1 | _M1 | _N1],
    State[Any, _L2 | _M2 | _N2],
    State[Any, _L3 | _M3 | _N3],
    State[Any, _L4 | _M4 | _N4],
    State[Any, _L5 | _M5 | _N5],
]: ...
@overload
def state(
    node: Any,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def state(
    node: Any,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    fifth: _FilterOf[_L5, _M5, _N5],
    sixth: _FilterOf[_L6, _M6, _N6],
    /,
    *,
    graph: bool | None = None,
) -> tuple[
    State[Any, _L1 | _M1 | _N1],
    State[Any, _L2 | _M2 | _N2],
    State[Any, _L3 | _M3 | _N3],
    State[Any, _L4 | _M4 | _N4],
    State[Any, _L5 | _M5 | _N5],
    State[Any, _L6 | _M6 | _N6],
]: ...
@overload
def state(
    node: Any,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[
    State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]
]: ...
@overload
def state(
    node: Any,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    seventh: filterlib.Filter,
    /,
    *filters: filterlib.Filter,
    graph: bool | None = None,
) -> Any: ...

variables = state

@dataclasses.dataclass(slots=True, repr=False)
class GraphState(MutableMapping[Any, Any], Generic[A], reprlib.Representable):
    _graphdef: GraphDef[A]
    _state: State[Any, Any]
    def __nnx_repr__(self) -> Iterator[Any]: ...
    def __post_init__(self) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...
    def __getitem__(self, key: Any) -> Any: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def __delitem__(self, key: Any) -> None: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: object) -> bool: ...

#
@overload
def unpack(node: A, *, graph: bool | None = None) -> GraphState[A]: ...
@overload
def unpack(node: A, first: filterlib.Filter, /, *, graph: bool | None = None) -> GraphState[A]: ...
@overload
def unpack(
    node: A, first: filterlib.Filter, second: filterlib.Filter, /, *, graph: bool | None = None
) -> tuple[GraphState[A], GraphState[A]]: ...
@overload
def unpack(
    node: A, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /, *, graph: bool | None = None
) -> tuple[GraphState[A], GraphState[A], GraphState[A]]: ...
@overload
def unpack(
    node: A,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[GraphState[A], GraphState[A], GraphState[A], GraphState[A]]: ...
@overload
def unpack(
    node: A,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[GraphState[A], GraphState[A], GraphState[A], GraphState[A], GraphState[A]]: ...
@overload
def unpack(
    node: A,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    /,
    *,
    graph: bool | None = None,
) -> tuple[GraphState[A], GraphState[A], GraphState[A], GraphState[A], GraphState[A], GraphState[A]]: ...
@overload
def unpack(
    node: A,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    seventh: filterlib.Filter,
    /,
    *filters: filterlib.Filter,
    graph: bool | None = None,
) -> Any: ...

#
def map(
    f: Callable[[tuple[Any, ...], Any], Any],
    node: A,
    /,
    *,
    graph: bool | None = None,
    recreate_variables: bool = True,
) -> A: ...
def graphdef(node: A, /, *, graph: bool | None = None) -> GraphDef[A]: ...

#
@overload
def pop(node: Any, first: _FilterOf[_L1, _M1, _N1], /) -> State[Any, _L1 | _M1 | _N1]: ...
@overload
def pop(node: Any, first: filterlib.Filter, /) -> State[Any, _Leaf]: ...
@overload
def pop(
    node: Any, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /
) -> tuple[State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2]]: ...
@overload
def pop(
    node: Any, first: filterlib.Filter, second: filterlib.Filter, /
) -> tuple[State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def pop(
    node: Any, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], third: _FilterOf[_L3, _M3, _N3], /
) -> tuple[State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3]]: ...
@overload
def pop(
    node: Any, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
) -> tuple[State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def pop(
    node: Any,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    /,
) -> tuple[
    State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3], State[Any, _L4 | _M4 | _N4]
]: ...
@overload
def pop(
    node: Any, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, fourth: filterlib.Filter, /
) -> tuple[State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def pop(
    node: Any,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    fifth: _FilterOf[_L5, _M5, _N5],
    /,
) -> tuple[
    State[Any, _L1 | _M1 | _N1],
    State[Any, _L2 | _M2 | _N2],
    State[Any, _L3 | _M3 | _N3],
    State[Any, _L4 | _M4 | _N4],
    State[Any, _L5 | _M5 | _N5],
]: ...
@overload
def pop(
    node: Any,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    /,
) -> tuple[State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]]: ...
@overload
def pop(
    node: Any,
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    fifth: _FilterOf[_L5, _M5, _N5],
    sixth: _FilterOf[_L6, _M6, _N6],
    /,
) -> tuple[
    State[Any, _L1 | _M1 | _N1],
    State[Any, _L2 | _M2 | _N2],
    State[Any, _L3 | _M3 | _N3],
    State[Any, _L4 | _M4 | _N4],
    State[Any, _L5 | _M5 | _N5],
    State[Any, _L6 | _M6 | _N6],
]: ...
@overload
def pop(
    node: Any,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    /,
) -> tuple[
    State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf], State[Any, _Leaf]
]: ...
@overload
def pop(
    node: Any,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    seventh: filterlib.Filter,
    /,
    *filters: filterlib.Filter,
) -> Any: ...

#
def clone(node: A, variables: bool = True, *, arrays: bool = False, graph: bool | None = None) -> A: ...
def with_vars(
    node: A,
    /,
    *,
    hijax: bool | None = None,
    ref: bool | None = None,
    mutable: bool | None = None,
    only: filterlib.Filter = ...,
    allow_duplicates: bool = False,
) -> A: ...

vars_as = with_vars

@overload
def as_pure(tree: Variable[A]) -> A: ...
@overload
def as_pure(tree: State[_K, Variable[A]]) -> State[_K, A]: ...
@overload
def as_pure(tree: FlatState[Variable[A]]) -> FlatState[A]: ...
@overload
def as_pure(tree: A) -> A: ...

pure = as_pure

def call(
    graphdef_state: tuple[GraphDef[A], State[Any, Any]], /
) -> ApplyCaller[tuple[GraphDef[A], State[Any, _Leaf]]]: ...
def set_metadata(node: Any, /, *, only: filterlib.Filter = ..., **metadata: Any) -> None: ...
def iter_graph(node: Any, /, *, graph: bool | None = None) -> Iterator[tuple[PathParts, Any]]: ...
def iter_children(node: Any, /, *, graph: bool | None = None) -> Iterator[tuple[Key, Any]]: ...
def iter_module_children(node: Any, /, *, graph: bool | None = None) -> Iterator[tuple[Key, Any]]: ...
def recursive_map(f: Callable[[PathParts, Any], Any], node: Any, /, *, graph: bool | None = None) -> Any: ...
def find_duplicates(node: Any, /, *, only: filterlib.Filter = ...) -> list[list[PathParts]]: ...

@dataclasses.dataclass(frozen=True, slots=True)
class Static(Generic[A]):
    value: A

class GenericPytree: ...

JAX_PYTREE_REGISTRY: Any

def _flatten_pytree(pytree: Any) -> tuple[list[tuple[Key, Any]], IndexesPytreeDef]: ...
def _unflatten_pytree(nodes: Iterable[tuple[Key, Any]], metadata: IndexesPytreeDef) -> Any: ...
def is_pytree_node(x: Any, *, check_graph_registry: bool = True) -> bool: ...
def jax_to_nnx_path(jax_path: tuple[Any, ...], /) -> PathParts: ...

class IndexesPytreeDef(NamedTuple):
    key_index: HashableMapping[Key, int]
    treedef: Any

PYTREE_NODE_IMPL: PytreeNodeImpl[Any, Any, Any]

# What a later Flax has here: unknown, and no error.
def __getattr__(name: str) -> Any: ...
