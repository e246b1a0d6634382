"""Types of `flax.nnx.spmd`: a state of specs or shardings is none of arrays, as Flax's `A -> A` says."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, overload

import jax
from flax.nnx.graphlib import GraphDef
from flax.nnx.statelib import State, _Leaf
from flax.nnx.variablelib import Variable
from flax.typing import Sharding
from jax.sharding import NamedSharding, PartitionSpec
from typing_extensions import TypeVar

A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])

_K = TypeVar("_K", bound=Hashable)

PARTITION_NAME: str

def add_axis(tree: A, index: int, transform_metadata: Mapping[Any, Any]) -> A: ...
def remove_axis(tree: A, index: int, transform_metadata: Mapping[Any, Any]) -> A: ...
def with_partitioning(
    initializer: F, sharding: Sharding, mesh: jax.sharding.Mesh | None = None, **metadata: Any
) -> F: ...
def get_var_pspec(v: Variable[Any]) -> PartitionSpec | None: ...

# The kind of each leaf stays, and what it holds is another: no type of a state's leaves says so.
@overload
def get_partition_spec(tree: State[_K, Any]) -> State[_K, _Leaf]: ...
@overload
def get_partition_spec(tree: jax.Array) -> PartitionSpec: ...
@overload
def get_partition_spec(tree: A) -> A: ...

#
@overload
def get_named_sharding(tree: State[_K, Any], mesh: jax.sharding.Mesh) -> State[_K, _Leaf]: ...
@overload
def get_named_sharding(tree: jax.Array, mesh: jax.sharding.Mesh) -> NamedSharding: ...
@overload
def get_named_sharding(tree: A, mesh: jax.sharding.Mesh) -> A: ...

#
def get_abstract_model(
    init_fn: Callable[[], A], mesh: jax.sharding.Mesh, *, graph: bool | None = None
) -> tuple[GraphDef[A], State[Any, _Leaf]]: ...
def as_abstract(tree: A, graph: bool | None = None) -> A: ...
def abstract_with_sharding(tree: A, graph: bool | None = None) -> A: ...

# What a later Flax has here, and what it keeps to itself.
def __getattr__(name: str) -> Any: ...
