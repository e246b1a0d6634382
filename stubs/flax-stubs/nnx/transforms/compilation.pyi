"""Types of `flax.nnx.transforms.compilation`: `jit` keeps a signature, a method's too."""

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set as AbstractSet
from typing import Any, Concatenate, Generic, Protocol, Self, TypeAlias, overload, type_check_only

import jax
from flax.nnx import extract, filterlib
from flax.nnx.statelib import State
from flax.typing import Missing, PathParts
from jax.sharding import AbstractMesh, Mesh
from typing_extensions import ParamSpec, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")

_FilterT = TypeVar("_FilterT", bound=filterlib.Filter)
_Q = ParamSpec("_Q")
_T = TypeVar("_T")
_R = TypeVar("_R", covariant=True)

Specs: TypeAlias = Any
AxisName: TypeAlias = Hashable

class StateSharding(extract.PrefixMapping):
    # A display such as `{nnx.Param: a, ...: b}` is read by an annotation alone, not by one of several in a union; a
    # mapping that a variable holds has one kind of filter for its keys.
    @overload
    def __init__(self, filter_sharding: State[Any, Any], /) -> None: ...
    @overload
    def __init__(self, filter_sharding: Mapping[filterlib.Filter, Any], /) -> None: ...
    @overload
    def __init__(self, filter_sharding: Mapping[_FilterT, Any], /) -> None: ...
    @overload
    def __init__(self, filter_sharding: Iterable[tuple[filterlib.Filter, Any]], /) -> None: ...
    @property
    def filters(self) -> tuple[filterlib.Filter, ...]: ...
    @property
    def shardings(self) -> tuple[Any, ...]: ...
    def map_prefix(self, path: PathParts, variable: Any) -> Any: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

# A jitted method, as its object gives it: it has none of `lower` and its like.
@type_check_only
class _Bound(Protocol[_Q, _R]):
    def __call__(self, *args: _Q.args, **kwargs: _Q.kwargs) -> _R: ...

class JitWrapped(Generic[P, R]):
    def __init__(
        self,
        fun: Callable[P, R],
        in_shardings: Any,
        out_shardings: Any,
        static_argnums: int | Sequence[int] | None = None,
        static_argnames: str | Iterable[str] | None = None,
        donate_argnums: int | Sequence[int] | None = None,
        donate_argnames: str | Iterable[str] | None = None,
        keep_unused: bool = False,
        device: Any = None,
        backend: str | None = None,
        inline: bool = False,
        abstracted_axes: Any = None,
    ) -> None: ...
    @overload
    def __get__(self, obj: None, objtype: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(
        self: JitWrapped[Concatenate[_T, _Q], _R], obj: _T, objtype: type[_T] | None = None
    ) -> _Bound[_Q, _R]: ...
    # For checkers that find no first parameter in a ParamSpec.
    @overload
    def __get__(self, obj: object, objtype: type[Any] | None = None) -> Callable[..., R]: ...
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    def eval_shape(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    def trace(self, *args: P.args, **kwargs: P.kwargs) -> Traced: ...
    def lower(self, *args: P.args, **kwargs: P.kwargs) -> Lowered: ...

class Stage:
    args_info: Any
    @property
    def in_tree(self) -> jax.tree_util.PyTreeDef: ...
    @property
    def in_avals(self) -> Any: ...
    @property
    def donate_argnums(self) -> Any: ...

@dataclasses.dataclass(frozen=True, slots=True)
class Compiled(Stage):
    compiled: jax.stages.Compiled
    jit_wrapped: JitWrapped[..., Any]
    @property
    def args_info(self) -> Any: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
    @staticmethod
    def call(*args: Any, **kwargs: Any) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    @property
    def out_tree(self) -> jax.tree_util.PyTreeDef: ...
    def as_text(self) -> str | None: ...
    def cost_analysis(self) -> Any | None: ...
    def memory_analysis(self) -> Any | None: ...
    def runtime_executable(self) -> Any | None: ...
    @property
    def input_shardings(self) -> Any: ...
    @property
    def output_shardings(self) -> Any: ...
    @property
    def input_layouts(self) -> Any: ...

@dataclasses.dataclass(frozen=True, slots=True)
class Lowered(Stage):
    lowered: jax.stages.Lowered
    jit_wrapped: JitWrapped[..., Any]
    @property
    def args_info(self) -> Any: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
    @property
    def out_tree(self) -> Any: ...
    def compile(self, compiler_options: Any = None) -> Compiled: ...
    def as_text(self, dialect: str | None = None, *, debug_info: bool = False) -> str: ...
    def compiler_ir(self, dialect: str | None = None) -> Any | None: ...
    def cost_analysis(self) -> Any | None: ...

@dataclasses.dataclass(frozen=True, slots=True)
class Traced(Stage):
    traced: jax.stages.Traced
    jit_wrapped: JitWrapped[..., Any]
    @property
    def out_info(self) -> Any: ...
    def lower(self, *, lowering_platforms: tuple[str, ...] | None = None) -> Lowered: ...

class SimpleJitPartialWrapped(Generic[P, R]):
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    def __get__(self, obj: Any, objtype: type[Any] | None = None) -> Callable[..., R]: ...
    def eval_shape(self, *args: Any, **kwargs: Any) -> Any: ...
    def trace(self, *args: Any, **kwargs: Any) -> Any: ...
    def lower(self, *args: Any, **kwargs: Any) -> Any: ...

# What has gone since (`abstracted_axes`, and `check_rep` and `auto` of `shard_map`) is still taken: older Flaxes have it.
@overload
def jit(
    fun: Callable[P, R],
    *,
    in_shardings: Any = None,
    out_shardings: Any = None,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
    inline: bool = False,
    abstracted_axes: Any = None,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> JitWrapped[P, R]: ...
@overload
def jit(
    fun: Missing = ...,
    *,
    in_shardings: Any = None,
    out_shardings: Any = None,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
    inline: bool = False,
    abstracted_axes: Any = None,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[Callable[P, R]], JitWrapped[P, R]]: ...

# What is left of the parameters, no type says.
def jit_partial(
    fun: Callable[..., R],
    *partial_args: Any,
    in_shardings: Any = None,
    out_shardings: Any = None,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
    inline: bool = False,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> SimpleJitPartialWrapped[..., R]: ...

#
@overload
def shard_map(
    f: F,
    *,
    mesh: Mesh | AbstractMesh,
    in_specs: Specs,
    out_specs: Specs,
    axis_names: AbstractSet[AxisName] = ...,
    check_vma: bool = True,
    check_rep: bool = True,
    auto: AbstractSet[AxisName] = ...,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> F: ...
@overload
def shard_map(
    *,
    mesh: Mesh | AbstractMesh,
    in_specs: Specs,
    out_specs: Specs,
    axis_names: AbstractSet[AxisName] = ...,
    check_vma: bool = True,
    check_rep: bool = True,
    auto: AbstractSet[AxisName] = ...,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[[F], F]: ...

# What a later Flax has here, and what it keeps to itself.
def __getattr__(name: str) -> Any: ...
