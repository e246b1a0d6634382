"""What may stand behind the colon, each with values that it takes and values that it refuses."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
import optax
from beartype.vale import Is
from flax import nnx, struct
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, BFloat16, Bool, Float, Int, Key, Shaped, UInt32

from tests import zoo
from tests.zoo import LinearState, leaf
from typedstate import Alias, Entries, Exactly, StateMap, StateOf

one = jnp.ones(2)


matrix = jnp.ones((2, 3))


class Stats(NamedTuple):
    mean: Float[Array, "n"]
    steps: int


class Scales(TypedDict, total=False):
    scale: Float[Array, "n"]
    zero: Int[Array, "n"]


@struct.dataclass
class Quantised:
    qvalue: Int[Array, "n"]
    scale: Float[Array, ""]


class Base(nnx.Variable[Any]):
    pass


class Derived(Base):
    pass


ROWS: dict[str, tuple[Any, list[Any], list[tuple[Any, str]]]] = {
    "a kind": (
        nnx.Param,
        [nnx.Param(one), nnx.LoRAParam(one), nnx.Param(None), nnx.Param((one, 3))],
        [
            (nnx.BatchStat(one), "kind"),
            (one, "kind"),
            (3.5, "kind"),
            ({"a": nnx.Param(one)}, "kind"),
        ],
    ),
    "any variable": (
        nnx.Variable,
        [nnx.Param(one), nnx.Cache(one), Base(one)],
        [(one, "kind")],
    ),
    "a kind of the user's own": (Base, [Base(one), Derived(one)], [(nnx.Param(one), "kind")]),
    "exactly a kind": (
        Exactly[nnx.Param],
        [nnx.Param(one)],
        [(nnx.LoRAParam(one), "kind"), (nnx.BatchStat(one), "kind")],
    ),
    "a kind with an array": (
        nnx.Param[Float[Array, "din dout"]],
        [nnx.Param(matrix), nnx.Param(matrix.astype("bfloat16")), nnx.LoRAParam(matrix)],
        [
            (nnx.Param(one), "rank"),
            (nnx.Param(matrix.astype("int32")), "dtype"),
            (nnx.Param(None), "array"),
            (nnx.Param(3.5), "array"),
            (nnx.Param(np.ones((2, 3))), "array"),
            (nnx.Cache(matrix), "kind"),
            (matrix, "kind"),
        ],
    ),
    "a dtype": (
        nnx.Param[BFloat16[Array, "n"]],
        [nnx.Param(one.astype("bfloat16"))],
        [(nnx.Param(one), "dtype")],
    ),
    "booleans": (
        nnx.Cache[Bool[Array, "n"]],
        [nnx.Cache(one > 0)],
        [(nnx.Cache(one), "dtype"), (nnx.Cache(True), "array")],
    ),
    "any dtype": (
        nnx.Param[Shaped[Array, "n"]],
        [nnx.Param(one), nnx.Param(one > 0)],
        [(nnx.Param(matrix), "rank")],
    ),
    "a typed key": (
        Annotated[nnx.RngKey, Key[Array, ""]],
        [nnx.RngKey(jax.random.key(0), tag="a")],
        [
            (nnx.RngKey(jax.random.PRNGKey(0), tag="a"), "dtype"),
            (nnx.RngCount(jax.random.key(0), tag="a"), "kind"),
            (nnx.RngKey(jax.random.split(jax.random.key(0)), tag="a"), "rank"),
        ],
    ),
    "a count": (
        Annotated[nnx.RngCount, UInt32[Array, ""]],
        [nnx.RngCount(jnp.uint32(1), tag="a")],
        [(nnx.RngCount(jnp.int32(1), tag="a"), "dtype")],
    ),
    "a kind with a tuple": (
        nnx.Intermediate[tuple[Float[Array, "n"], ...]],
        [nnx.Intermediate((one,)), nnx.Intermediate(()), nnx.Intermediate((one, one))],
        [(nnx.Intermediate(one), "container"), (nnx.Intermediate((one, matrix)), "rank")],
    ),
    "a kind with a pair": (
        nnx.Cache[tuple[Float[Array, "n"], int]],
        [nnx.Cache((one, 3))],
        [(nnx.Cache((one,)), "container"), (nnx.Cache((one, "3")), "array")],
    ),
    "a kind with a NamedTuple": (
        nnx.Variable[Stats],
        [nnx.Variable(Stats(one, 3))],
        [
            (nnx.Variable((one, 3)), "container"),
            (nnx.Variable(Stats(one, 3.5)), "array"),  # type: ignore[arg-type]
            (nnx.Variable(Stats(matrix, 3)), "rank"),
        ],
    ),
    "a kind with a TypedDict": (
        nnx.Variable[Scales],
        [
            nnx.Variable({}),
            nnx.Variable({"scale": one}),
            nnx.Variable({"scale": one, "zero": one.astype(int)}),
        ],
        [
            (nnx.Variable({"scale": matrix}), "rank"),
            (nnx.Variable({"scle": one}), "extra"),
            (nnx.Variable(one), "container"),
        ],
    ),
    "a kind with a dataclass": (
        nnx.Param[Quantised],
        [nnx.Param(Quantised(one.astype(int), jnp.float32(1)))],
        [
            (nnx.Param(Quantised(one, jnp.float32(1))), "dtype"),
            (nnx.Param(one), "container"),
        ],
    ),
    "a kind with a dict": (
        nnx.Variable[dict[str, Float[Array, "n"]]],
        [nnx.Variable({}), nnx.Variable({"a": one})],
        [(nnx.Variable({0: one}), "key"), (nnx.Variable({"a": matrix}), "rank")],
    ),
    "a kind with a list": (
        nnx.Variable[list[Float[Array, "n"]]],
        [nnx.Variable([]), nnx.Variable([one])],
        [(nnx.Variable([one, matrix]), "rank"), (nnx.Variable((one,)), "container")],
    ),
    "a kind with None": (
        nnx.Param[None],
        [nnx.Param(None)],
        [(nnx.Param(one), "array")],
    ),
    "a kind with an array or None": (
        nnx.Param[Float[Array, "n"] | None],
        [nnx.Param(None), nnx.Param(one)],
        [(nnx.Param(matrix), "rank"), (nnx.Param(3), "array")],
    ),
    "a kind with a masked node": (
        Annotated[nnx.OptState, optax.MaskedNode],
        [nnx.OptState(optax.MaskedNode())],
        [(nnx.OptState(one), "container")],
    ),
    "a kind with a Python scalar": (
        nnx.Variable[float],
        [nnx.Variable(3.5)],
        [(nnx.Variable("3.5"), "array"), (nnx.Variable(one), "array")],
    ),
    "a kind with one of some values": (
        nnx.Variable[Literal["a", 1]],
        [nnx.Variable("a"), nnx.Variable(1)],
        [(nnx.Variable("b"), "array"), (nnx.Variable(True), "array")],
    ),
    "a raw array": (
        Float[Array, "n"],
        [one, one.astype("bfloat16")],
        [(nnx.Param(one), "array"), (matrix, "rank"), (np.ones(2, "float32"), "array")],
    ),
    "any JAX array": (
        jax.Array,
        [one, matrix, jax.random.key(0)],
        [(np.ones(2), "array"), (nnx.Param(one), "array"), (3.5, "array")],
    ),
    "a numpy array": (np.ndarray, [np.ones(2)], [(one, "array")]),
    "a numpy array of a dtype": (
        Float[np.ndarray, "n"],
        [np.ones(2)],
        [(np.ones((1, 2)), "rank"), (np.ones(2, int), "dtype"), (one, "array")],
    ),
    "an array of either library": (
        Float[np.ndarray | Array, "n"],
        [np.ones(2), one],
        [(matrix, "rank"), (3.5, "array")],
    ),
    "a Python float": (float, [3.5], [("3.5", "array"), (one, "array"), (nnx.Param(3.5), "array")]),
    "names of axes": (
        Annotated[nnx.Param[Float[Array, "din dout"]], P("embed", None)],
        [
            zoo.named(nnx.Param, matrix, "embed", None),
            zoo.named(nnx.Param, matrix, "embed"),
            zoo.named(nnx.Param, matrix, ("embed",)),
        ],
        [
            (nnx.Param(matrix), "sharding"),
            (zoo.named(nnx.Param, matrix, None, "embed"), "sharding"),
            (zoo.named(nnx.Param, matrix, "embed", "mlp"), "sharding"),
        ],
    ),
    "no names of axes": (
        Annotated[nnx.Param, P()],
        [nnx.Param(matrix), zoo.named(nnx.Param, matrix, None, None)],
        [(zoo.named(nnx.Param, matrix, "embed"), "sharding")],
    ),
    "a validator": (
        Annotated[nnx.Param[Float[Array, "n"]], Is[lambda value: value.shape[0] % 2 == 0]],
        [nnx.Param(one)],
        [(nnx.Param(jnp.ones(3)), "predicate"), (nnx.Param(matrix), "rank")],
    ),
    "one of two kinds": (
        nnx.Param | nnx.BatchStat,
        [nnx.Param(one), nnx.BatchStat(one)],
        [(nnx.Cache(one), "kind"), (one, "kind")],
    ),
    "a leaf or a sub-state": (
        nnx.Param[Float[Array, "din dout"]] | LinearState,
        [nnx.Param(matrix), {"kernel": nnx.Param(matrix)}],
        [({"kernel": nnx.Cache(matrix)}, "kind"), (nnx.Cache(matrix), "kind"), ({}, "missing")],
    ),
    "a Variable or a raw array": (
        nnx.Param[Float[Array, "n"]] | Float[Array, "n"],
        [nnx.Param(one), one],
        [(matrix, "rank"), (nnx.Cache(one), "kind")],
    ),
    "anything": (Any, [one, nnx.Param(one), {"a": {"b": 3}}, 3, "x"], []),
    "a schema": (
        LinearState,
        [{"kernel": nnx.Param(matrix)}, nnx.State({"kernel": leaf(nnx.Param, matrix)})],
        [(nnx.Param(matrix), "container"), ({}, "missing"), ({"kernel": matrix}, "kind")],
    ),
    "a map by int": (
        StateMap[int, LinearState],
        [
            {},
            {0: {"kernel": nnx.Param(matrix)}},
            {i: {"kernel": nnx.Param(matrix)} for i in (1, 0)},
        ],
        [
            ({1: {"kernel": nnx.Param(matrix)}}, "missing"),
            ({"0": {"kernel": nnx.Param(matrix)}}, "key"),
            ({"a": {"kernel": nnx.Param(matrix)}}, "key"),
            ({-1: {"kernel": nnx.Param(matrix)}}, "key"),
            (nnx.Param(matrix), "container"),
        ],
    ),
    "a map by str": (
        StateMap[str, nnx.Param],
        [{}, {"a": nnx.Param(one)}, {"0": nnx.Param(one)}],
        [({0: nnx.Param(one)}, "key"), ({"a": nnx.Cache(one)}, "kind")],
    ),
    "entries": (
        Entries[nnx.Param, None, LinearState | None],
        [
            {0: nnx.Param(one), 2: {"kernel": nnx.Param(matrix)}},
            {0: nnx.Param(one)},
        ],
        [
            ({}, "missing"),
            ({0: nnx.Param(one), 1: nnx.Param(one)}, "extra"),
            ({0: nnx.Param(one), 3: nnx.Param(one)}, "extra"),
            ({"0": nnx.Param(one)}, "key"),
        ],
    ),
    "a tree of like leaves": (
        StateOf[nnx.Param],
        [{}, {"a": nnx.Param(one)}, {"a": {0: {("t",): nnx.Param(one)}}}],
        [({"a": {"b": nnx.Cache(one)}}, "kind"), (nnx.Param(one), "container")],
    ),
    "Flax's own State": (
        nnx.State[str, nnx.Param],
        [{}, {"a": {"b": nnx.Param(one)}}],
        [({"a": {"b": nnx.Cache(one)}}, "kind"), (nnx.Param(one), "container")],
    ),
    "any State": (nnx.State, [{}, {"a": 3}], [(nnx.Param(one), "container")]),
    "another key": (Annotated[nnx.Param, Alias("other")], [], [(nnx.Param(one), "missing")]),
}
