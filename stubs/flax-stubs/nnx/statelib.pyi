"""Types of `flax.nnx.statelib`: what the leaves of a state are, by filter and by number of filters.

A filter that is a Variable class is matched as a constructor, `Callable[[jax.Array], L]`: so `nnx.Param` gives
`nnx.Param[jax.Array]` and a user's own class is itself. What a filter does not determine is `Any`, because a state
holds raw arrays too. The class of a variable in a state is imported as `VariableState`: it has been another name for
`Variable` since Flax 0.11, and on 0.10, where it is a class of its own, no filter is mistaken for a leaf.
"""

from collections.abc import (
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from types import EllipsisType
from typing import Any, Generic, Never, Protocol, Self, TypeAlias, overload, type_check_only

import jax
from flax.nnx import filterlib, reprlib
from flax.nnx.graphlib import GraphState
from flax.nnx.variablelib import VariableState
from flax.typing import Key as Key, PathParts as PathParts
from typing_extensions import TypeVar

A = TypeVar("A")
K = TypeVar("K", bound=Hashable, default=Any)
S = TypeVar("S", bound=State[Any, Any])
V = TypeVar("V", covariant=True, default=Any)

_K2 = TypeVar("_K2", bound=Hashable, default=Any)
_V = TypeVar("_V", default=Any)
_V2 = TypeVar("_V2", default=Any)
_V3 = TypeVar("_V3", default=Any)
_W = TypeVar("_W", default=Any)
_Var = TypeVar("_Var", bound=VariableState[Any], default=Any)

# What stands in a state that no class selects: Variables mostly, and raw values. A union with Any offers a Variable's
# attributes and refuses none.
_Leaf: TypeAlias = VariableState[Any] | Any

# The kinds that a filter selects: `_L` of a class, `_L | _M` of a pair of classes, `_L | _M | _N` of three.
_L1 = TypeVar("_L1", bound=VariableState[Any], default=VariableState[Any] | Any)
_M1 = TypeVar("_M1", bound=VariableState[Any], default=Never)
_N1 = TypeVar("_N1", bound=VariableState[Any], default=Never)
_L2 = TypeVar("_L2", bound=VariableState[Any], default=VariableState[Any] | Any)
_M2 = TypeVar("_M2", bound=VariableState[Any], default=Never)
_N2 = TypeVar("_N2", bound=VariableState[Any], default=Never)
_L3 = TypeVar("_L3", bound=VariableState[Any], default=VariableState[Any] | Any)
_M3 = TypeVar("_M3", bound=VariableState[Any], default=Never)
_N3 = TypeVar("_N3", bound=VariableState[Any], default=Never)
_L4 = TypeVar("_L4", bound=VariableState[Any], default=VariableState[Any] | Any)
_M4 = TypeVar("_M4", bound=VariableState[Any], default=Never)
_N4 = TypeVar("_N4", bound=VariableState[Any], default=Never)
_L5 = TypeVar("_L5", bound=VariableState[Any], default=VariableState[Any] | Any)
_M5 = TypeVar("_M5", bound=VariableState[Any], default=Never)
_N5 = TypeVar("_N5", bound=VariableState[Any], default=Never)
_L6 = TypeVar("_L6", bound=VariableState[Any], default=VariableState[Any] | Any)
_M6 = TypeVar("_M6", bound=VariableState[Any], default=Never)
_N6 = TypeVar("_N6", bound=VariableState[Any], default=Never)

_L = TypeVar("_L")
_M = TypeVar("_M")
_N = TypeVar("_N")

_Selector: TypeAlias = (
    filterlib.WithTag
    | filterlib.PathContains
    | filterlib.PathIn
    | filterlib.OfType
    | filterlib.Any
    | filterlib.All
    | filterlib.Not
    | filterlib.Everything
    | filterlib.Nothing
)

# Functions are left to the overloads that take any filter: next to a constructor, ty reads a class as either.
_FilterOf: TypeAlias = (
    Callable[[jax.Array], _L]
    | tuple[Callable[[jax.Array], _L], Callable[[jax.Array], _M]]
    | tuple[Callable[[jax.Array], _L], Callable[[jax.Array], _M], Callable[[jax.Array], _N]]
    | _Selector
    | str
    | bool
    | EllipsisType
    | None
)

ExtractValueFn: TypeAlias = Callable[[Any], Any]
SetValueFn: TypeAlias = Callable[[_V, Any], _V]

# A state class that declares its keys: `__getattr__` is None, so an undeclared attribute is an error.
@type_check_only
class _Declared(Protocol):
    __getattr__: None  # type: ignore[misc]
    @property
    def raw_mapping(self) -> dict[Any, Any]: ...

_D = TypeVar("_D", bound=_Declared)

# The mappings that `merge_state` takes beside states. A bare Mapping would take states too, and where two overloads
# fit a `State[Any, ...]`, mypy gives neither.
_Dict: TypeAlias = dict[Any, Any] | GraphState[Any]

class NestedStateRepr(reprlib.Representable):
    state: State[Any, Any]
    def __init__(self, state: State[Any, Any]) -> None: ...
    def __nnx_repr__(self) -> Iterator[Any]: ...
    def __treescope_repr__(self, path: Any, subtree_renderer: Any) -> Any: ...

class FlatState(Sequence[tuple[PathParts, V]], reprlib.Representable):
    __slots__ = ("_keys", "_values")

    def __init__(self, items: Iterable[tuple[Any, V]], /, *, sort: bool) -> None: ...
    @staticmethod
    def from_sorted_keys_values(keys: tuple[PathParts, ...], values: list[_V], /) -> FlatState[_V]: ...
    @property
    def paths(self) -> tuple[PathParts, ...]: ...
    @property
    def leaves(self) -> list[V]: ...
    def __nnx_repr__(self) -> Iterator[Any]: ...
    @overload
    def __getitem__(self, index: int) -> tuple[PathParts, V]: ...
    @overload
    def __getitem__(self, index: slice) -> FlatState[V]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[PathParts, V]]: ...
    def to_nested_state(self) -> State[Any, V]: ...
    #
    @overload
    def split(self, first: _FilterOf[_L1, _M1, _N1], /) -> FlatState[_L1 | _M1 | _N1]: ...
    @overload
    def split(self, first: filterlib.Filter, /) -> FlatState[V]: ...
    @overload
    def split(
        self, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /
    ) -> tuple[FlatState[_L1 | _M1 | _N1], FlatState[_L2 | _M2 | _N2]]: ...
    @overload
    def split(self, first: filterlib.Filter, second: filterlib.Filter, /) -> tuple[FlatState[V], FlatState[V]]: ...
    @overload
    def split(
        self, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], third: _FilterOf[_L3, _M3, _N3], /
    ) -> tuple[FlatState[_L1 | _M1 | _N1], FlatState[_L2 | _M2 | _N2], FlatState[_L3 | _M3 | _N3]]: ...
    @overload
    def split(
        self, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
    ) -> tuple[FlatState[V], FlatState[V], FlatState[V]]: ...
    @overload
    def split(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        /,
    ) -> tuple[
        FlatState[_L1 | _M1 | _N1], FlatState[_L2 | _M2 | _N2], FlatState[_L3 | _M3 | _N3], FlatState[_L4 | _M4 | _N4]
    ]: ...
    @overload
    def split(
        self, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, fourth: filterlib.Filter, /
    ) -> tuple[FlatState[V], FlatState[V], FlatState[V], FlatState[V]]: ...
    @overload
    def split(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        /,
    ) -> tuple[
        FlatState[_L1 | _M1 | _N1],
        FlatState[_L2 | _M2 | _N2],
        FlatState[_L3 | _M3 | _N3],
        FlatState[_L4 | _M4 | _N4],
        FlatState[_L5 | _M5 | _N5],
    ]: ...
    @overload
    def split(
        self,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        /,
    ) -> tuple[FlatState[V], FlatState[V], FlatState[V], FlatState[V], FlatState[V]]: ...
    @overload
    def split(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        sixth: _FilterOf[_L6, _M6, _N6],
        /,
    ) -> tuple[
        FlatState[_L1 | _M1 | _N1],
        FlatState[_L2 | _M2 | _N2],
        FlatState[_L3 | _M3 | _N3],
        FlatState[_L4 | _M4 | _N4],
        FlatState[_L5 | _M5 | _N5],
        FlatState[_L6 | _M6 | _N6],
    ]: ...
    @overload
    def split(
        self,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        sixth: filterlib.Filter,
        /,
    ) -> tuple[FlatState[V], FlatState[V], FlatState[V], FlatState[V], FlatState[V], FlatState[V]]: ...
    @overload
    def split(
        self,
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
    @overload
    def filter(self, first: _FilterOf[_L1, _M1, _N1], /) -> FlatState[_L1 | _M1 | _N1]: ...
    @overload
    def filter(self, first: filterlib.Filter, /) -> FlatState[V]: ...
    @overload
    def filter(
        self, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /
    ) -> tuple[FlatState[_L1 | _M1 | _N1], FlatState[_L2 | _M2 | _N2]]: ...
    @overload
    def filter(self, first: filterlib.Filter, second: filterlib.Filter, /) -> tuple[FlatState[V], FlatState[V]]: ...
    @overload
    def filter(
        self, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], third: _FilterOf[_L3, _M3, _N3], /
    ) -> tuple[FlatState[_L1 | _M1 | _N1], FlatState[_L2 | _M2 | _N2], FlatState[_L3 | _M3 | _N3]]: ...
    @overload
    def filter(
        self, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
    ) -> tuple[FlatState[V], FlatState[V], FlatState[V]]: ...
    @overload
    def filter(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        /,
    ) -> tuple[
        FlatState[_L1 | _M1 | _N1], FlatState[_L2 | _M2 | _N2], FlatState[_L3 | _M3 | _N3], FlatState[_L4 | _M4 | _N4]
    ]: ...
    @overload
    def filter(
        self, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, fourth: filterlib.Filter, /
    ) -> tuple[FlatState[V], FlatState[V], FlatState[V], FlatState[V]]: ...
    @overload
    def filter(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        /,
    ) -> tuple[
        FlatState[_L1 | _M1 | _N1],
        FlatState[_L2 | _M2 | _N2],
        FlatState[_L3 | _M3 | _N3],
        FlatState[_L4 | _M4 | _N4],
        FlatState[_L5 | _M5 | _N5],
    ]: ...
    @overload
    def filter(
        self,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        /,
    ) -> tuple[FlatState[V], FlatState[V], FlatState[V], FlatState[V], FlatState[V]]: ...
    @overload
    def filter(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        sixth: _FilterOf[_L6, _M6, _N6],
        /,
    ) -> tuple[
        FlatState[_L1 | _M1 | _N1],
        FlatState[_L2 | _M2 | _N2],
        FlatState[_L3 | _M3 | _N3],
        FlatState[_L4 | _M4 | _N4],
        FlatState[_L5 | _M5 | _N5],
        FlatState[_L6 | _M6 | _N6],
    ]: ...
    @overload
    def filter(
        self,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        sixth: filterlib.Filter,
        /,
    ) -> tuple[FlatState[V], FlatState[V], FlatState[V], FlatState[V], FlatState[V], FlatState[V]]: ...
    @overload
    def filter(
        self,
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
    @overload
    @staticmethod
    def merge(flat_state: Iterable[tuple[Any, _V]], /) -> FlatState[_V]: ...
    @overload
    @staticmethod
    def merge(flat_state: Iterable[tuple[Any, _V]], second: Iterable[tuple[Any, _V2]], /) -> FlatState[_V | _V2]: ...
    @overload
    @staticmethod
    def merge(flat_state: Iterable[tuple[Any, _V]], /, *flat_states: Iterable[tuple[Any, _V]]) -> FlatState[_V]: ...

# What a key holds is a leaf or another state: `state["a"]`, `state.a` and `values()` are Any.
class State(MutableMapping[K, Any], reprlib.Representable, Generic[K, V]):
    def __init__(self, mapping: Mapping[K, Any] | Iterable[tuple[K, Any]], /, *, _copy: bool = True) -> None: ...
    @property
    def raw_mapping(self) -> dict[K, Any]: ...
    def __contains__(self, key: object) -> bool: ...
    def __getitem__(self, key: Any) -> Any: ...
    def __getattr__(self, key: str) -> Any: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def __setattr__(self, key: str, value: Any) -> None: ...
    def __delitem__(self, key: Any) -> None: ...
    def __iter__(self) -> Iterator[K]: ...
    def __len__(self) -> int: ...
    def __nnx_repr__(self) -> Iterator[Any]: ...
    def __treescope_repr__(self, path: Any, subtree_renderer: Any) -> Any: ...
    def map(self, f: Callable[[tuple[Any, ...], V], Any]) -> Self: ...
    def flat_state(self) -> FlatState[V]: ...
    @overload
    @classmethod
    def from_flat_path(cls, flat_state: Mapping[Any, _V], /) -> State[Any, _V]: ...
    @overload
    @classmethod
    def from_flat_path(cls, flat_state: Iterable[tuple[Any, _V]], /) -> State[Any, _V]: ...
    def to_pure_dict(self, extract_fn: ExtractValueFn | None = None) -> dict[str, Any]: ...
    def replace_by_pure_dict(
        self, pure_dict: Mapping[Any, Any], replace_fn: Callable[[Any, Any], Any] | None = None
    ) -> None: ...
    #
    @overload
    def split(self, first: _FilterOf[_L1, _M1, _N1], /) -> State[K, _L1 | _M1 | _N1]: ...
    @overload
    def split(self, first: filterlib.Filter, /) -> State[K, V]: ...
    @overload
    def split(
        self, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /
    ) -> tuple[State[K, _L1 | _M1 | _N1], State[K, _L2 | _M2 | _N2]]: ...
    @overload
    def split(self, first: filterlib.Filter, second: filterlib.Filter, /) -> tuple[State[K, V], State[K, V]]: ...
    @overload
    def split(
        self, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], third: _FilterOf[_L3, _M3, _N3], /
    ) -> tuple[State[K, _L1 | _M1 | _N1], State[K, _L2 | _M2 | _N2], State[K, _L3 | _M3 | _N3]]: ...
    @overload
    def split(
        self, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
    ) -> tuple[State[K, V], State[K, V], State[K, V]]: ...
    @overload
    def split(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        /,
    ) -> tuple[
        State[K, _L1 | _M1 | _N1], State[K, _L2 | _M2 | _N2], State[K, _L3 | _M3 | _N3], State[K, _L4 | _M4 | _N4]
    ]: ...
    @overload
    def split(
        self, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, fourth: filterlib.Filter, /
    ) -> tuple[State[K, V], State[K, V], State[K, V], State[K, V]]: ...
    @overload
    def split(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        /,
    ) -> tuple[
        State[K, _L1 | _M1 | _N1],
        State[K, _L2 | _M2 | _N2],
        State[K, _L3 | _M3 | _N3],
        State[K, _L4 | _M4 | _N4],
        State[K, _L5 | _M5 | _N5],
    ]: ...
    @overload
    def split(
        self,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        /,
    ) -> tuple[State[K, V], State[K, V], State[K, V], State[K, V], State[K, V]]: ...
    @overload
    def split(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        sixth: _FilterOf[_L6, _M6, _N6],
        /,
    ) -> tuple[
        State[K, _L1 | _M1 | _N1],
        State[K, _L2 | _M2 | _N2],
        State[K, _L3 | _M3 | _N3],
        State[K, _L4 | _M4 | _N4],
        State[K, _L5 | _M5 | _N5],
        State[K, _L6 | _M6 | _N6],
    ]: ...
    @overload
    def split(
        self,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        sixth: filterlib.Filter,
        /,
    ) -> tuple[State[K, V], State[K, V], State[K, V], State[K, V], State[K, V], State[K, V]]: ...
    @overload
    def split(
        self,
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
    @overload
    def filter(self, first: _FilterOf[_L1, _M1, _N1], /) -> State[K, _L1 | _M1 | _N1]: ...
    @overload
    def filter(self, first: filterlib.Filter, /) -> State[K, V]: ...
    @overload
    def filter(
        self, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /
    ) -> tuple[State[K, _L1 | _M1 | _N1], State[K, _L2 | _M2 | _N2]]: ...
    @overload
    def filter(self, first: filterlib.Filter, second: filterlib.Filter, /) -> tuple[State[K, V], State[K, V]]: ...
    @overload
    def filter(
        self, first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], third: _FilterOf[_L3, _M3, _N3], /
    ) -> tuple[State[K, _L1 | _M1 | _N1], State[K, _L2 | _M2 | _N2], State[K, _L3 | _M3 | _N3]]: ...
    @overload
    def filter(
        self, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
    ) -> tuple[State[K, V], State[K, V], State[K, V]]: ...
    @overload
    def filter(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        /,
    ) -> tuple[
        State[K, _L1 | _M1 | _N1], State[K, _L2 | _M2 | _N2], State[K, _L3 | _M3 | _N3], State[K, _L4 | _M4 | _N4]
    ]: ...
    @overload
    def filter(
        self, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, fourth: filterlib.Filter, /
    ) -> tuple[State[K, V], State[K, V], State[K, V], State[K, V]]: ...
    @overload
    def filter(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        /,
    ) -> tuple[
        State[K, _L1 | _M1 | _N1],
        State[K, _L2 | _M2 | _N2],
        State[K, _L3 | _M3 | _N3],
        State[K, _L4 | _M4 | _N4],
        State[K, _L5 | _M5 | _N5],
    ]: ...
    @overload
    def filter(
        self,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        /,
    ) -> tuple[State[K, V], State[K, V], State[K, V], State[K, V], State[K, V]]: ...
    @overload
    def filter(
        self,
        first: _FilterOf[_L1, _M1, _N1],
        second: _FilterOf[_L2, _M2, _N2],
        third: _FilterOf[_L3, _M3, _N3],
        fourth: _FilterOf[_L4, _M4, _N4],
        fifth: _FilterOf[_L5, _M5, _N5],
        sixth: _FilterOf[_L6, _M6, _N6],
        /,
    ) -> tuple[
        State[K, _L1 | _M1 | _N1],
        State[K, _L2 | _M2 | _N2],
        State[K, _L3 | _M3 | _N3],
        State[K, _L4 | _M4 | _N4],
        State[K, _L5 | _M5 | _N5],
        State[K, _L6 | _M6 | _N6],
    ]: ...
    @overload
    def filter(
        self,
        first: filterlib.Filter,
        second: filterlib.Filter,
        third: filterlib.Filter,
        fourth: filterlib.Filter,
        fifth: filterlib.Filter,
        sixth: filterlib.Filter,
        /,
    ) -> tuple[State[K, V], State[K, V], State[K, V], State[K, V], State[K, V], State[K, V]]: ...
    @overload
    def filter(
        self,
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
    @overload
    @classmethod
    def merge(cls, state: State[_K2, _V], /) -> State[_K2, _V]: ...
    @overload
    @classmethod
    def merge(cls, state: State[_K2, _V], second: State[Any, _V2], /) -> State[_K2, _V | _V2]: ...
    @overload
    @classmethod
    def merge(cls, state: _Dict, /, *states: Mapping[Any, Any]) -> State[Any, Any]: ...
    @overload
    @classmethod
    def merge(
        cls, state: State[Any, Any], second: Mapping[Any, Any], third: Mapping[Any, Any], /, *states: Mapping[Any, Any]
    ) -> State[Any, Any]: ...
    #
    def __or__(self, other: State[Any, _V2]) -> State[K, V | _V2]: ...
    def __sub__(self, other: State[Any, Any]) -> Self: ...
    def __init_subclass__(cls) -> None: ...

@overload
def map_state(f: Callable[[tuple[Any, ...], Any], _Var], state: _D) -> _D: ...
@overload
def map_state(f: Callable[[tuple[Any, ...], _V], _W], state: State[K, _V]) -> State[K, _W]: ...

#
def to_flat_state(state: State[Any, _V]) -> FlatState[_V]: ...
@overload
def from_flat_state(flat_state: Mapping[Any, _V]) -> State[Any, _V]: ...
@overload
def from_flat_state(flat_state: Iterable[tuple[Any, _V]]) -> State[Any, _V]: ...
@overload
def from_flat_state(flat_state: Mapping[Any, Any] | Iterable[tuple[Any, Any]], *, cls: type[S]) -> S: ...

#
def to_pure_dict(state: State[Any, Any], extract_fn: ExtractValueFn | None = None) -> dict[str, Any]: ...
def restore_int_paths(pure_dict: Mapping[Any, Any]) -> dict[Any, Any]: ...
def replace_by_pure_dict(
    state: State[Any, Any], pure_dict: Mapping[Any, Any], replace_fn: Callable[[Any, Any], Any] | None = None
) -> None: ...

#
@overload
def split_state(state: _D, first: filterlib.Filter, /) -> _D: ...
@overload
def split_state(state: _D, first: filterlib.Filter, second: filterlib.Filter, /) -> tuple[_D, _D]: ...
@overload
def split_state(
    state: _D, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
) -> tuple[_D, _D, _D]: ...
@overload
def split_state(
    state: _D, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, fourth: filterlib.Filter, /
) -> tuple[_D, _D, _D, _D]: ...
@overload
def split_state(
    state: _D,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    /,
) -> tuple[_D, _D, _D, _D, _D]: ...
@overload
def split_state(
    state: _D,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    /,
) -> tuple[_D, _D, _D, _D, _D, _D]: ...
@overload
def split_state(
    state: _D,
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
@overload
def split_state(state: State[Any, Any], first: _FilterOf[_L1, _M1, _N1], /) -> State[Any, _L1 | _M1 | _N1]: ...
@overload
def split_state(state: State[Any, Any], first: filterlib.Filter, /) -> State[Any, Any]: ...
@overload
def split_state(
    state: State[Any, Any], first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /
) -> tuple[State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2]]: ...
@overload
def split_state(
    state: State[Any, Any], first: filterlib.Filter, second: filterlib.Filter, /
) -> tuple[State[Any, Any], State[Any, Any]]: ...
@overload
def split_state(
    state: State[Any, Any],
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    /,
) -> tuple[State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3]]: ...
@overload
def split_state(
    state: State[Any, Any], first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
) -> tuple[State[Any, Any], State[Any, Any], State[Any, Any]]: ...
@overload
def split_state(
    state: State[Any, Any],
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    /,
) -> tuple[
    State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3], State[Any, _L4 | _M4 | _N4]
]: ...
@overload
def split_state(
    state: State[Any, Any],
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    /,
) -> tuple[State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any]]: ...
@overload
def split_state(
    state: State[Any, Any],
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
def split_state(
    state: State[Any, Any],
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    /,
) -> tuple[State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any]]: ...
@overload
def split_state(
    state: State[Any, Any],
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
def split_state(
    state: State[Any, Any],
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    /,
) -> tuple[State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any]]: ...
@overload
def split_state(
    state: State[Any, Any],
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
@overload
def filter_state(state: _D, first: filterlib.Filter, /) -> _D: ...
@overload
def filter_state(state: _D, first: filterlib.Filter, second: filterlib.Filter, /) -> tuple[_D, _D]: ...
@overload
def filter_state(
    state: _D, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
) -> tuple[_D, _D, _D]: ...
@overload
def filter_state(
    state: _D, first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, fourth: filterlib.Filter, /
) -> tuple[_D, _D, _D, _D]: ...
@overload
def filter_state(
    state: _D,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    /,
) -> tuple[_D, _D, _D, _D, _D]: ...
@overload
def filter_state(
    state: _D,
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    /,
) -> tuple[_D, _D, _D, _D, _D, _D]: ...
@overload
def filter_state(
    state: _D,
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
@overload
def filter_state(state: State[Any, Any], first: _FilterOf[_L1, _M1, _N1], /) -> State[Any, _L1 | _M1 | _N1]: ...
@overload
def filter_state(state: State[Any, Any], first: filterlib.Filter, /) -> State[Any, Any]: ...
@overload
def filter_state(
    state: State[Any, Any], first: _FilterOf[_L1, _M1, _N1], second: _FilterOf[_L2, _M2, _N2], /
) -> tuple[State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2]]: ...
@overload
def filter_state(
    state: State[Any, Any], first: filterlib.Filter, second: filterlib.Filter, /
) -> tuple[State[Any, Any], State[Any, Any]]: ...
@overload
def filter_state(
    state: State[Any, Any],
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    /,
) -> tuple[State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3]]: ...
@overload
def filter_state(
    state: State[Any, Any], first: filterlib.Filter, second: filterlib.Filter, third: filterlib.Filter, /
) -> tuple[State[Any, Any], State[Any, Any], State[Any, Any]]: ...
@overload
def filter_state(
    state: State[Any, Any],
    first: _FilterOf[_L1, _M1, _N1],
    second: _FilterOf[_L2, _M2, _N2],
    third: _FilterOf[_L3, _M3, _N3],
    fourth: _FilterOf[_L4, _M4, _N4],
    /,
) -> tuple[
    State[Any, _L1 | _M1 | _N1], State[Any, _L2 | _M2 | _N2], State[Any, _L3 | _M3 | _N3], State[Any, _L4 | _M4 | _N4]
]: ...
@overload
def filter_state(
    state: State[Any, Any],
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    /,
) -> tuple[State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any]]: ...
@overload
def filter_state(
    state: State[Any, Any],
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
def filter_state(
    state: State[Any, Any],
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    /,
) -> tuple[State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any]]: ...
@overload
def filter_state(
    state: State[Any, Any],
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
def filter_state(
    state: State[Any, Any],
    first: filterlib.Filter,
    second: filterlib.Filter,
    third: filterlib.Filter,
    fourth: filterlib.Filter,
    fifth: filterlib.Filter,
    sixth: filterlib.Filter,
    /,
) -> tuple[State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any], State[Any, Any]]: ...
@overload
def filter_state(
    state: State[Any, Any],
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
@overload
def merge_state(state: _D, /, *states: Mapping[Any, Any]) -> _D: ...
@overload
def merge_state(state: State[K, _V], /) -> State[K, _V]: ...
@overload
def merge_state(state: State[K, _V], second: State[Any, _V2], /) -> State[K, _V | _V2]: ...
@overload
def merge_state(
    state: State[K, _V], second: State[Any, _V2], third: State[Any, _V3], /
) -> State[K, _V | _V2 | _V3]: ...
@overload
def merge_state(
    state: State[Any, Any],
    second: State[Any, Any],
    third: State[Any, Any],
    fourth: State[Any, Any],
    /,
    *states: State[Any, Any],
) -> State[Any, Any]: ...
@overload
def merge_state(state: _Dict, /, *states: Mapping[Any, Any]) -> State[Any, Any]: ...
@overload
def merge_state(state: Mapping[Any, Any], second: _Dict, /, *states: Mapping[Any, Any]) -> State[Any, Any]: ...
@overload
def merge_state(state: Mapping[Any, Any], /, *states: Mapping[Any, Any], cls: type[S]) -> S: ...

#
@overload
def diff(state: _D, other: State[Any, Any]) -> _D: ...
@overload
def diff(state: State[K, _V], other: State[Any, Any]) -> State[K, _V]: ...

#
def create_path_filters(state: State[Any, Any]) -> dict[filterlib.PathIn, Any]: ...

# What a later Flax has here: unknown, and no error.
def __getattr__(name: str) -> Any: ...
