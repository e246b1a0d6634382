"""Types of `flax.nnx.transforms.autodiff`: gradients by the first argument of a function, and by the value.

A module's gradient is the state of its `Param`s (graph mode, which is Flax's default), a state's is that state, an
array's an array. Where `argnums` or `has_aux` is something else than written here, the answer is Flax's own: Any.
"""

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Concatenate, Generic, Literal, TypeAlias, overload, type_check_only

import jax
from flax.nnx import extract, filterlib
from flax.nnx.module import Module
from flax.nnx.statelib import State
from flax.nnx.variablelib import Param
from flax.typing import Missing
from typing_extensions import ParamSpec, TypeVar

A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])

_F = TypeVar("_F", bound=Callable[..., Any], covariant=True)
_P = ParamSpec("_P")
_M = TypeVar("_M", bound=Module)
_T = TypeVar("_T", bound=State[Any, Any] | jax.Array)
_Value = TypeVar("_Value")
_Aux = TypeVar("_Aux")

_Params: TypeAlias = State[Any, Param[jax.Array]]

# What a gradient is follows from the argument of the call, which is known where the function has no annotations too.
@type_check_only
class _Grad(Generic[_F]):
    @overload
    def __call__(
        self: _Grad[Callable[Concatenate[_M, _P], Any]], node: _M, /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _Params: ...
    @overload
    def __call__(
        self: _Grad[Callable[Concatenate[_T, _P], Any]], node: _T, /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T: ...
    @overload
    def __call__(self: _Grad[Callable[_P, Any]], /, *args: _P.args, **kwargs: _P.kwargs) -> Any: ...

@type_check_only
class _GradWithAux(Generic[_F]):
    @overload
    def __call__(
        self: _GradWithAux[Callable[Concatenate[_M, _P], tuple[Any, _Aux]]],
        node: _M,
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> tuple[_Params, _Aux]: ...
    @overload
    def __call__(
        self: _GradWithAux[Callable[Concatenate[_T, _P], tuple[Any, _Aux]]],
        node: _T,
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> tuple[_T, _Aux]: ...
    @overload
    def __call__(self: _GradWithAux[Callable[_P, Any]], /, *args: _P.args, **kwargs: _P.kwargs) -> tuple[Any, Any]: ...

@type_check_only
class _ValueAndGrad(Generic[_F]):
    @overload
    def __call__(
        self: _ValueAndGrad[Callable[Concatenate[_M, _P], _Value]],
        node: _M,
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> tuple[_Value, _Params]: ...
    @overload
    def __call__(
        self: _ValueAndGrad[Callable[Concatenate[_T, _P], _Value]],
        node: _T,
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> tuple[_Value, _T]: ...
    @overload
    def __call__(self: _ValueAndGrad[Callable[_P, Any]], /, *args: _P.args, **kwargs: _P.kwargs) -> tuple[Any, Any]: ...

@type_check_only
class _ValueAndGradWithAux(Generic[_F]):
    @overload
    def __call__(
        self: _ValueAndGradWithAux[Callable[Concatenate[_M, _P], tuple[_Value, _Aux]]],
        node: _M,
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> tuple[tuple[_Value, _Aux], _Params]: ...
    @overload
    def __call__(
        self: _ValueAndGradWithAux[Callable[Concatenate[_T, _P], tuple[_Value, _Aux]]],
        node: _T,
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> tuple[tuple[_Value, _Aux], _T]: ...
    @overload
    def __call__(
        self: _ValueAndGradWithAux[Callable[_P, Any]], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> tuple[tuple[Any, Any], Any]: ...

@dataclasses.dataclass(frozen=True)
class DiffState(extract.PrefixMapping):
    argnum: int
    filter: filterlib.Filter
    def map_prefix(self, path: Any, variable: Any) -> Any: ...

@overload
def grad(
    f: F,
    *,
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: Literal[True] | None = None,
    graph_updates: Literal[True] | None = None,
) -> _Grad[F]: ...
@overload
def grad(
    f: F,
    *,
    argnums: Literal[0] = 0,
    has_aux: Literal[True],
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: Literal[True] | None = None,
    graph_updates: Literal[True] | None = None,
) -> _GradWithAux[F]: ...
@overload
def grad(
    f: Callable[..., Any],
    *,
    argnums: int | DiffState | Sequence[int | DiffState] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[..., Any]: ...
@overload
def grad(
    f: Missing = ...,
    *,
    argnums: int | DiffState | Sequence[int | DiffState] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...

#
@overload
def value_and_grad(
    f: F,
    *,
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: Literal[True] | None = None,
    graph_updates: Literal[True] | None = None,
) -> _ValueAndGrad[F]: ...
@overload
def value_and_grad(
    f: F,
    *,
    argnums: Literal[0] = 0,
    has_aux: Literal[True],
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: Literal[True] | None = None,
    graph_updates: Literal[True] | None = None,
) -> _ValueAndGradWithAux[F]: ...
@overload
def value_and_grad(
    f: Callable[..., Any],
    *,
    argnums: int | DiffState | Sequence[int | DiffState] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[..., tuple[Any, Any]]: ...
@overload
def value_and_grad(
    f: Missing = ...,
    *,
    argnums: int | DiffState | Sequence[int | DiffState] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., tuple[Any, Any]]]: ...

#
@overload
def vjp(
    f: Callable[..., Any],
    *primals: Any,
    has_aux: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Any: ...
@overload
def vjp(
    f: Missing = ...,
    *,
    has_aux: bool = False,
    reduce_axes: Sequence[Hashable] = (),
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...

#
@overload
def jvp(
    f: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    has_aux: bool = False,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> tuple[Any, ...]: ...
@overload
def jvp(
    f: Missing = ...,
    primals: Missing = ...,
    tangents: Missing = ...,
    *,
    has_aux: bool = False,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...
@overload
def jvp(
    f: Callable[..., Any], *, has_aux: bool = False, graph: bool | None = None, graph_updates: bool | None = None
) -> Callable[..., Any]: ...

class CustomVjp(Generic[A]):
    def __call__(self, *args: Any, **kwargs: Any) -> A: ...
    def defvjp(
        self, fwd: Callable[..., tuple[A, Any]], bwd: Callable[..., tuple[Any, ...]], symbolic_zeros: bool = False
    ) -> None: ...

class SimpleCustomVjp(Generic[A]):
    def __call__(self, *args: Any, **kwargs: Any) -> A: ...
    def defvjp(
        self, fwd: Callable[..., tuple[A, Any]], bwd: Callable[..., tuple[Any, ...]], symbolic_zeros: bool = False
    ) -> None: ...

@overload
def custom_vjp(
    fun: Callable[..., A],
    *,
    nondiff_argnums: tuple[int | DiffState, ...] = (),
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> CustomVjp[A] | SimpleCustomVjp[A]: ...
@overload
def custom_vjp(
    fun: Missing = ...,
    *,
    nondiff_argnums: tuple[int | DiffState, ...] = (),
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[Callable[..., A]], CustomVjp[A] | SimpleCustomVjp[A]]: ...

#
@overload
def remat(
    f: F,
    *,
    prevent_cse: bool = True,
    static_argnums: int | tuple[int, ...] = (),
    policy: Callable[..., bool] | None = None,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> F: ...
@overload
def remat(
    f: Missing = ...,
    *,
    prevent_cse: bool = True,
    static_argnums: int | tuple[int, ...] = (),
    policy: Callable[..., bool] | None = None,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[F], F]: ...

# What a later Flax has here, and what it keeps to itself.
def __getattr__(name: str) -> Any: ...
