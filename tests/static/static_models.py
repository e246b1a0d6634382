"""The modules whose states the static tests look at."""

from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

A = TypeVar("A")

Leaf: TypeAlias = nnx.Variable[Any] | Any
"""What stands in a state that no class selects."""


class Scale(nnx.Param[A]):
    """A user's own kind, generic in its value."""


class Counter(nnx.Variable[jax.Array]):
    """A user's own kind with a fixed value."""


class Bare(nnx.Variable):  # type: ignore[type-arg]  # pyright: ignore[reportMissingTypeArgument]  # pyrefly: ignore[implicit-any-type-argument]
    """A user's own kind, written without a parameter."""


class Net(nnx.Module):
    """A module that holds every kind that the tests filter by."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(2, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.scale = Scale(jnp.ones(3))
        self.counter = Counter(jnp.zeros(()))
        self.bare = Bare(jnp.zeros(()))
        self.seen = nnx.Intermediate(jnp.zeros(()))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.linear(x)


def net() -> Net:
    return Net(nnx.Rngs(0))


def linear() -> nnx.Linear:
    return nnx.Linear(2, 3, rngs=nnx.Rngs(0))


class LinearState(nnx.State[Any, Any]):
    """A state class that declares its keys, as a schema looks to a type checker."""

    kernel: nnx.Param[jax.Array]
    bias: nnx.Param[jax.Array] | None
    __getattr__: None  # type: ignore[misc, assignment]  # pyright: ignore[reportIncompatibleMethodOverride]  # pyrefly: ignore[bad-override]  # ty: ignore[incompatible-attribute-override]


class OpenState(nnx.State[Any, Any]):
    """A state class that declares one key and allows others."""

    kernel: nnx.Param[jax.Array]


def linear_state() -> LinearState:
    return LinearState(nnx.state(linear()))


def open_state() -> OpenState:
    return OpenState(nnx.state(linear()))
