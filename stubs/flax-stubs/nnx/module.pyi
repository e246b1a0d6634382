"""Types of `flax.nnx.module`: `Module`, and what is done with all of a module's children."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, overload

from flax.nnx import filterlib, variablelib
from flax.nnx.graphlib import iter_children as iter_children, iter_module_children as iter_module_children
from flax.nnx.pytreelib import Pytree, PytreeMeta  # type: ignore[import-not-found, unused-ignore]  # since Flax 0.12
from flax.nnx.statelib import State, _Leaf
from flax.typing import Key, Path, PathParts
from typing_extensions import ParamSpec, TypeVar

A = TypeVar("A")
B = TypeVar("B")
M = TypeVar("M", bound=Module)
S = TypeVar("S", bound=State[Any, Any] | tuple[State[Any, Any], ...])
V = TypeVar("V", bound=variablelib.Variable[Any])
F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")

StateMapping: TypeAlias = Mapping[Path, Any]

def tuple_reduce(xs: tuple[Any, ...], x: Any) -> tuple[Any, ...]: ...
def tuple_init() -> tuple[Any, ...]: ...

class ModuleMeta(PytreeMeta): ...

class Module(Pytree, metaclass=ModuleMeta):
    def sow(
        self,
        variable_type: type[variablelib.Variable[Any]] | str,
        name: str,
        value: A,
        reduce_fn: Callable[[Any, A], Any] = ...,
        init_fn: Callable[[], Any] = ...,
        capture_noop: bool | None = None,
    ) -> bool: ...
    def perturb(
        self,
        name: str,
        value: A,
        variable_type: str | type[variablelib.Variable[Any]] = ...,
        capture_noop: bool | None = None,
    ) -> A: ...
    def iter_modules(self) -> Iterator[tuple[PathParts, Module]]: ...
    def iter_children(self) -> Iterator[tuple[Key, Module]]: ...
    def set_attributes(
        self,
        *filters: filterlib.Filter,
        raise_if_not_found: bool = True,
        graph: bool | None = None,
        **attributes: Any,
    ) -> None: ...
    def train(self, **attributes: Any) -> None: ...
    def eval(self, **attributes: Any) -> None: ...

def view(
    node: A,
    /,
    *,
    only: filterlib.Filter = ...,
    raise_if_not_found: bool = True,
    graph: bool | None = None,
    **kwargs: Any,
) -> A: ...
def with_attributes(
    node: A,
    /,
    *,
    only: filterlib.Filter = ...,
    raise_if_not_found: bool = True,
    graph: bool | None = None,
    **attributes: Any,
) -> A: ...
def view_info(node: Module, /, *, only: filterlib.Filter = ..., graph: bool | None = None) -> str: ...
def first_from(*args: A | None, error_msg: str) -> A: ...
def iter_modules(module: Module, /, *, graph: bool | None = None) -> Iterator[tuple[PathParts, Module]]: ...

# A class of Variables is callable, too: it comes first.
@overload
def capture(  # type: ignore[overload-overlap]
    fn: type[variablelib.Variable[Any]],
    *var_types: type[variablelib.Variable[Any]],
    init: State[Any, Any] | None = None,
    method_outputs: type[variablelib.Variable[Any]] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, tuple[R, State[Any, _Leaf]]]]: ...
@overload
def capture(
    fn: Callable[P, R],
    *var_types: type[variablelib.Variable[Any]],
    init: State[Any, Any] | None = None,
    method_outputs: type[variablelib.Variable[Any]] | None = None,
) -> Callable[P, tuple[R, State[Any, _Leaf]]]: ...

# What a later Flax has here, and what it keeps to itself.
def __getattr__(name: str) -> Any: ...
