"""A state with an optimizer, faults seeded in it, and what it takes to make such states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from beartype.vale import Is
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from tests import zoo
from tests.zoo import LinearState, MlpState, StreamState, leaf
from typedstate import Bind, Entries, Like, Only, Shared, StateMap, TypedState

Tree = dict[Any, Any]


class AdamState(TypedState):
    count: Annotated[nnx.OptState, Int[Array, ""]]
    mu: Like[Only[Bind[MlpState, "d hidden"], nnx.Param], nnx.OptState]


class WholeState(TypedState):
    blocks: Bind[StateMap[int, Bind[MlpState, "d"]], "len=depth"]
    heads: StateMap[str, Bind[LinearState, "din=d"]]
    stem: Entries[Bind[LinearState, "dout=d"], None, nnx.Param[Float[Array, "d"]]]
    placed: Annotated[nnx.Param[Float[Array, "d wide"]], P("embed", "mlp")]
    positive: Annotated[nnx.Param[Float[Array, "d"]], Is[lambda value: value.shape[0] < 9]]
    scale: Float[Array, "d"]
    steps: int
    rngs: StreamState
    tied: Annotated[nnx.Param, Shared("placed")]
    opt: Entries[None, Bind[AdamState, "d hidden"]]


def array(*shape: int, dtype: str = "float32") -> jax.Array:
    return jnp.ones(shape, dtype)


def param(*shape: int, dtype: str = "float32") -> Any:
    return leaf(nnx.Param, array(*shape, dtype=dtype))


def linear(din: int, dout: int) -> Tree:
    return {"kernel": param(din, dout), "bias": param(dout)}


def mlp(d: int, hidden: int) -> Tree:
    return {"up": linear(d, hidden), "down": linear(hidden, d)}


def moments(tree: Tree) -> Tree:
    return {
        key: moments(item) if isinstance(item, dict) else leaf(nnx.OptState, jnp.ones(shape(item)))
        for key, item in tree.items()
    }


def shape(variable: Any) -> tuple[int, ...]:
    (value,) = jax.tree.leaves(variable)
    return tuple(value.shape)


def stream() -> Tree:
    return {
        "key": leaf(nnx.RngKey, jax.random.key(0), tag="default"),
        "count": leaf(nnx.RngCount, jnp.uint32(0), tag="default"),
    }


def whole(d: int = 2, hidden: int = 3, depth: int = 3) -> Tree:
    """A sound state with every kind of place in it."""
    return {
        "blocks": {index: mlp(d, hidden) for index in range(depth)},
        "heads": {"a": linear(d, 5), "b": linear(d, 7)},
        "stem": {0: linear(4, d), 2: param(d)},
        "placed": zoo.named(nnx.Param, array(d, 6), "embed", "mlp"),
        "positive": param(d),
        "scale": array(d),
        "steps": 3,
        "rngs": stream(),
        "opt": {1: {"count": leaf(nnx.OptState, jnp.int32(0)), "mu": moments(mlp(d, hidden))}},
    }


def nested(tree: Any) -> Any:
    """The same tree with a State at every level."""
    if not isinstance(tree, dict):
        return tree
    return nnx.State({key: nested(item) for key, item in tree.items()})


def plain() -> nnx.State[Any, Any]:
    return nnx.State({"up": linear(2, 3), "scale": array(3), **stream()})


def put(*keys: Any) -> Callable[[Any], Callable[[Tree], None]]:
    """Puts something else at a path."""

    def to(value: Any) -> Callable[[Tree], None]:
        def change(tree: Tree) -> None:
            for key in keys[:-1]:
                tree = tree[key]
            tree[keys[-1]] = value

        return change

    return to


def drop(*keys: Any) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        for key in keys[:-1]:
            tree = tree[key]
        del tree[keys[-1]]

    return change


def rename(*keys: Any, to: Any) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        for key in keys[:-1]:
            tree = tree[key]
        tree[to] = tree.pop(keys[-1])

    return change


FAULTS: list[tuple[str, Callable[[Tree], None], list[tuple[str, str]]]] = [
    # missing
    ("a sub-state is missing", drop("rngs"), [("rngs", "missing")]),
    ("a Variable is missing", drop("placed"), [("placed", "missing")]),
    ("a raw array is missing", drop("scale"), [("scale", "missing")]),
    ("a scalar is missing", drop("steps"), [("steps", "missing")]),
    (
        "a nested Variable is missing",
        drop("blocks", 1, "up", "kernel"),
        [("blocks[1].up.kernel", "missing")],
    ),
    ("an entry of a list is missing", drop("blocks", 1), [("blocks[1]", "missing")]),
    ("an entry by position is missing", drop("stem", 2), [("stem[2]", "missing")]),
    ("a leaf in a dict is missing", drop("heads", "b", "kernel"), [("heads.b.kernel", "missing")]),
    ("an RNG count is missing", drop("rngs", "count"), [("rngs.count", "missing")]),
    (
        "an optimizer moment is missing",
        drop("opt", 1, "mu", "up", "kernel"),
        [("opt[1].mu.up.kernel", "missing")],
    ),
    # extra
    ("a Variable too many", put("more")(param(1)), [("more", "extra")]),
    (
        "a raw array too many",
        put("blocks", 0, "up", "more")(array(1)),
        [("blocks[0].up.more", "extra")],
    ),
    (
        "a sub-state too many",
        put("heads", "a", "lora")({"a": param(1)}),
        [("heads.a.lora", "extra")],
    ),
    ("an entry where nothing is kept", put("stem", 1)(param(1)), [("stem[1]", "extra")]),
    ("an optimizer leaf too many", put("opt", 1, "nu")({"a": param(1)}), [("opt[1].nu", "extra")]),
    ("a shared Variable twice", put("tied")(param(2, 6)), [("tied", "extra")]),
    (
        "a misspelt key",
        rename("blocks", 2, "down", "kernel", to="kernal"),
        [("blocks[2].down.kernel", "missing"), ("blocks[2].down.kernal", "extra")],
    ),
    # key
    (
        "text for an int key",
        rename("blocks", 2, to="2"),
        [("blocks", "key")],
    ),
    ("a name in a list", put("blocks", "last")(mlp(2, 3)), [("blocks.last", "key")]),
    ("a negative key in a list", put("blocks", -1)(mlp(2, 3)), [("blocks[-1]", "key")]),
    ("a number in a dict", put("heads", 0)(linear(2, 5)), [("heads[0]", "key")]),
    # kind
    ("a wrong kind", put("placed")(leaf(nnx.Cache, array(2, 6))), [("placed", "kind")]),
    (
        "a wrong kind in a list",
        put("blocks", 0, "up", "kernel")(leaf(nnx.BatchStat, array(2, 3))),
        [("blocks[0].up.kernel", "kind")],
    ),
    (
        "a value for its Variable in a dict",
        put("heads", "a", "bias")(array(5)),
        [("heads.a.bias", "kind")],
    ),
    (
        "an RNG count for a key",
        put("rngs", "key")(leaf(nnx.RngCount, jax.random.key(0), tag="default")),
        [("rngs.key", "kind")],
    ),
    (
        "a parameter among the moments",
        put("opt", 1, "mu", "up", "bias")(param(3)),
        [("opt[1].mu.up.bias", "kind")],
    ),
    ("a sub-state for a Variable", put("positive")({"value": array(2)}), [("positive", "kind")]),
    # container
    ("a Variable for a sub-state", put("rngs")(param(1)), [("rngs", "container")]),
    ("a list for the entries of a list", put("blocks")([mlp(2, 3)]), [("blocks", "container")]),
    ("an array for an entry", put("heads", "a")(array(5)), [("heads.a", "container")]),
    ("a tuple for optax's chain", put("opt")(({},)), [("opt", "container")]),
    # array
    ("a Variable for a raw array", put("scale")(param(2)), [("scale", "array")]),
    ("a scalar for a raw array", put("scale")(1.0), [("scale", "array")]),
    ("an array for a scalar", put("steps")(array()), [("steps", "array")]),
    ("None for an array", put("positive")(leaf(nnx.Param, None)), [("positive", "array")]),
    (
        "numpy for JAX",
        put("heads", "b", "kernel")(leaf(nnx.Param, np.ones((2, 7), "float32"))),
        [("heads.b.kernel", "array")],
    ),
    (
        "a masked moment",
        put("opt", 1, "mu", "up", "bias")(leaf(nnx.OptState, optax.MaskedNode())),
        [("opt[1].mu.up.bias", "array")],
    ),
    # dtype
    (
        "ints for floats",
        put("placed")(zoo.named(nnx.Param, array(2, 6, dtype="int32"), "embed", "mlp")),
        [("placed", "dtype")],
    ),
    ("a raw array of ints", put("scale")(array(2, dtype="int32")), [("scale", "dtype")]),
    (
        "booleans in a list",
        put("blocks", 0, "up", "bias")(param(3, dtype="bool")),
        [("blocks[0].up.bias", "dtype")],
    ),
    (
        "a count of another width",
        put("rngs", "count")(leaf(nnx.RngCount, jnp.int32(0), tag="default")),
        [("rngs.count", "dtype")],
    ),
    (
        "a float for the count of an optimizer",
        put("opt", 1, "count")(leaf(nnx.OptState, jnp.float32(0))),
        [("opt[1].count", "dtype")],
    ),
    # rank
    ("an axis too many", put("positive")(param(1, 2)), [("positive", "rank")]),
    ("a raw array of no axes", put("scale")(array()), [("scale", "rank")]),
    (
        "an axis too few in a dict",
        put("heads", "a", "kernel")(param(5)),
        [("heads.a.kernel", "rank")],
    ),
    (
        "a stacked moment",
        put("opt", 1, "mu", "up", "kernel")(leaf(nnx.OptState, array(1, 2, 3))),
        [("opt[1].mu.up.kernel", "rank")],
    ),
    # dim
    ("another size at the top", put("scale")(array(7)), [("scale", "dim")]),
    (
        "two weights of a list swapped",
        put("blocks", 1, "up", "kernel")(param(3, 2)),
        [("blocks[1].up.kernel", "dim")],  # as one that is transposed
    ),
    ("another size in a dict", put("heads", "b", "bias")(param(8)), [("heads.b.bias", "dim")]),
    ("another size by position", put("stem", 2)(param(3)), [("stem[2]", "dim")]),
    (
        "moments of another model",
        put("opt", 1, "mu", "down", "bias")(leaf(nnx.OptState, array(4))),
        [("opt[1].mu.down.bias", "dim")],
    ),
    # sharding, predicate
    ("no names of axes", put("placed")(param(2, 6)), [("placed", "sharding")]),
    (
        "the names of axes the other way round",
        put("placed")(zoo.named(nnx.Param, array(2, 6), "mlp", "embed")),
        [("placed", "sharding")],
    ),
]
