"""Types of `flax.nnx.transforms.iteration`: maps and scans keep a function's signature, loops the type of their value."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, overload

import jax
from flax import struct
from flax.nnx import extract, filterlib
from flax.nnx.module import Module
from flax.nnx.statelib import State
from flax.nnx.variablelib import Variable
from flax.typing import PathParts
from typing_extensions import TypeVar

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])
G = TypeVar("G", bound=Callable[..., Any])
M = TypeVar("M", bound=Module)
MA = TypeVar("MA", bound=Module)
N = TypeVar("N", bound=Module)
T = TypeVar("T")

_FilterT = TypeVar("_FilterT", bound=filterlib.Filter)

AxisName: TypeAlias = Hashable
Index: TypeAlias = int
AxisFn: TypeAlias = Callable[[State[Any, Any] | Variable[Any], int, Mapping[str, Any]], State[Any, Any] | Variable[Any]]

_Axis: TypeAlias = Index | type[Carry] | None

class Carry: ...

class Broadcasted(struct.PyTreeNode):
    data: Any

class StateAxes(extract.PrefixMapping, Mapping[filterlib.Filter, _Axis]):
    # As `compilation.StateSharding`'s.
    @overload
    def __init__(self, filter_axes: State[Any, Any], /) -> None: ...
    @overload
    def __init__(self, filter_axes: Mapping[filterlib.Filter, _Axis], /) -> None: ...
    @overload
    def __init__(self, filter_axes: Mapping[_FilterT, _Axis], /) -> None: ...
    @overload
    def __init__(self, filter_axes: Iterable[tuple[filterlib.Filter, _Axis]], /) -> None: ...
    @property
    def filters(self) -> tuple[filterlib.Filter, ...]: ...
    @property
    def axes(self) -> tuple[_Axis, ...]: ...
    def map_prefix(self, path: PathParts, variable: Variable[Any]) -> _Axis: ...
    def items(self) -> zip[tuple[filterlib.Filter, _Axis]]: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
    def __getitem__(self, key: filterlib.Filter, /) -> _Axis: ...
    def __iter__(self) -> Iterator[filterlib.Filter]: ...
    def __len__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@overload
def transform_metadata(
    *, in_axes: Any = 0, out_axes: Any = 0, partition: str | None, graph: bool | None = None
) -> Callable[[F], F]: ...
@overload
def transform_metadata(
    f: F, *, in_axes: Any = 0, out_axes: Any = 0, partition: str | None, graph: bool | None = None
) -> F: ...

#
@overload
def vmap(
    *,
    in_axes: int | Sequence[Any] | None = 0,
    out_axes: Any = 0,
    axis_name: AxisName | None = None,
    axis_size: int | None = None,
    spmd_axis_name: AxisName | tuple[AxisName, ...] | None = None,
    transform_metadata: Mapping[str, Any] = ...,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[F], F]: ...
@overload
def vmap(
    f: F,
    *,
    in_axes: int | Sequence[Any] | None = 0,
    out_axes: Any = 0,
    axis_name: AxisName | None = None,
    axis_size: int | None = None,
    spmd_axis_name: AxisName | tuple[AxisName, ...] | None = None,
    transform_metadata: Mapping[str, Any] = ...,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> F: ...

# `global_arg_shapes` has gone since: older Flaxes have it.
@overload
def pmap(
    *,
    axis_name: AxisName | None = None,
    in_axes: Any = 0,
    out_axes: Any = 0,
    static_broadcasted_argnums: int | Iterable[int] = (),
    devices: Sequence[Any] | None = None,
    backend: str | None = None,
    axis_size: int | None = None,
    donate_argnums: int | Iterable[int] = (),
    global_arg_shapes: tuple[tuple[int, ...], ...] | None = None,
    transform_metadata: Mapping[str, Any] = ...,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[F], F]: ...
@overload
def pmap(
    f: F,
    *,
    axis_name: AxisName | None = None,
    in_axes: Any = 0,
    out_axes: Any = 0,
    static_broadcasted_argnums: int | Iterable[int] = (),
    devices: Sequence[Any] | None = None,
    backend: str | None = None,
    axis_size: int | None = None,
    donate_argnums: int | Iterable[int] = (),
    global_arg_shapes: tuple[tuple[int, ...], ...] | None = None,
    transform_metadata: Mapping[str, Any] = ...,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> F: ...

#
@overload
def scan(
    *,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
    in_axes: int | type[Carry] | tuple[Any, ...] | None = ...,
    out_axes: Any = ...,
    transform_metadata: Mapping[str, Any] = ...,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[F], F]: ...
@overload
def scan(
    f: F,
    *,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
    in_axes: int | type[Carry] | tuple[Any, ...] | None = ...,
    out_axes: Any = ...,
    transform_metadata: Mapping[str, Any] = ...,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> F: ...

#
def while_loop(
    cond_fun: Callable[[T], Any],
    body_fun: Callable[[T], T],
    init_val: T,
    *,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> T: ...

# The index is an array, which Flax's own annotation takes for an int: a function may say either.
@overload
def fori_loop(
    lower: int | jax.Array,
    upper: int | jax.Array,
    body_fun: Callable[[jax.Array, T], T],
    init_val: T,
    *,
    unroll: int | bool | None = None,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> T: ...
@overload
def fori_loop(
    lower: int | jax.Array,
    upper: int | jax.Array,
    body_fun: Callable[[int, T], T],
    init_val: T,
    *,
    unroll: int | bool | None = None,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> T: ...

# What a later Flax has here, and what it keeps to itself.
def __getattr__(name: str) -> Any: ...
