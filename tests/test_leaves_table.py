"""What may stand behind the colon: every row of the table, accepted and refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import zoo
from beartype.vale import Is
from flax import nnx, struct
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, BFloat16, Bool, Float, Int, Key, Shaped, UInt32
from zoo import LinearState, leaf, state

from typedstate import Alias, Entries, Exactly, Shared, StateMap, StateOf, TypedState, explain, fits
from typedstate.doctor.constructs import CONSTRUCTS
from typedstate.doctor.guard import outcome

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
        [{}, {0: {"kernel": nnx.Param(matrix)}}, {1: {"kernel": nnx.Param(matrix)}}],
        [
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


def _stored(value: Any) -> Any:
    return zoo._stored(value)


def holder(hint: Any) -> Any:
    """A schema with one field of this hint."""
    return type(TypedState)(
        "Holder", (TypedState,), {"__module__": __name__, "__annotations__": {"x": hint}}
    )


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_takes_and_refuses(row: str) -> None:
    hint, fitting, wrong = ROWS[row]
    schema = holder(hint)
    for value in fitting:
        report = explain(state({"x": value}), schema)
        assert report, report
        assert isinstance(state({"x": value}), schema)
    for value, code in wrong:
        report = explain(state({"x": value}), schema)
        assert code in [violation.code for violation in report.violations], (value, report)
        assert not isinstance(state({"x": value}), schema)


@pytest.mark.parametrize("row", [row for row in ROWS if row not in ("any State", "another key")])
def test_the_same_hint_holds_at_a_boundary(row: str) -> None:
    hint, fitting, wrong = ROWS[row]
    for value in fitting:
        assert fits(_stored(value), hint), explain(_stored(value), hint)
    for value, _ in wrong:
        if row in ("a numpy array", "a Python float"):  # beartype's, which knows no notes
            assert not fits(_stored(value), hint)
            continue
        assert not explain(_stored(value), hint), (value, hint)


def test_what_may_be_absent() -> None:
    class Optional(TypedState):
        bias: nnx.Param | None
        inner: LinearState | None
        anything: Any
        many: StateMap[int, LinearState]
        hidden: Annotated[nnx.Param, Shared("bias")]
        needless: NeedsNothing

    assert fits(nnx.State({}), Optional)
    assert fits(state({"bias": nnx.Param(one)}), Optional)
    assert not fits(state({"hidden": nnx.Param(one)}), Optional)
    assert not fits(state({"needless": {"a": nnx.Cache(one)}}), Optional)


class NeedsNothing(TypedState):
    a: nnx.Param | None


@pytest.mark.parametrize("key", ["values", 0, ("kernel", "sigma"), "not an identifier", ""])
def test_an_alias_is_the_key(key: Any) -> None:
    schema = holder(Annotated[nnx.Param[Float[Array, "n"]], Alias(key)])
    assert fits(state({key: nnx.Param(one)}), schema)
    report = explain(nnx.State({}), schema)
    assert [found.keys for found in report.violations] == [(key,)]
    assert not fits(state({"x": nnx.Param(one)}), schema)


@pytest.mark.parametrize(
    "hint",
    [
        Annotated[nnx.Param[Float[Array, "a b"]] | None, P("x"), Alias("k")],
        Annotated[nnx.Param[Float[Array, "a b"]], P("x"), Alias("k")] | None,
    ],
)
def test_an_optional_field_has_metadata_inside_or_around(hint: Any) -> None:
    schema = holder(hint)
    assert fits(nnx.State({}), schema)
    assert fits(nnx.State({"k": zoo.named(nnx.Param, matrix, "x")}), schema)
    assert not fits(nnx.State({"k": zoo.named(nnx.Param, matrix, "y")}), schema)


def test_extra_keys_are_forbidden_allowed_or_typed() -> None:
    class Forbid(TypedState):
        kernel: nnx.Param

    class Allow(TypedState, extra="allow"):
        kernel: nnx.Param

    class Typed(TypedState, extra={"layers_{}": LinearState, "x{}y": nnx.Cache}):
        kernel: nnx.Param

    kernel = {"kernel": nnx.Param(one)}
    layer = {"kernel": nnx.Param(matrix)}
    for tree, wanted in (
        ({}, (True, True, True)),
        ({"layers_0": layer}, (False, True, True)),
        ({"layers_0": layer, "layers_x.y": layer, "x1y": nnx.Cache(one)}, (False, True, True)),
        ({"layers_": layer}, (False, True, False)),
        ({"layers_0": {}}, (False, True, False)),
        ({"other": layer}, (False, True, False)),
        ({0: layer}, (False, True, False)),
    ):
        found = state({**kernel, **tree})
        assert (fits(found, Forbid), fits(found, Allow), fits(found, Typed)) == wanted, tree


@pytest.mark.parametrize(
    "name", ["Param as a reference", "Param as hijax", "Param as hijax reference"]
)
def test_a_leaf_is_of_the_kind_and_value_that_it_stands_for(name: str) -> None:
    build = next(construct.build for construct in CONSTRUCTS if construct.name == name)
    try:
        found = nnx.state(build())
    except (AttributeError, TypeError, ValueError) as error:
        pytest.skip(f"not on this pair of Flax and JAX: {error}")
    right, *wrong = (
        holder(nnx.Param[Float[Array, "2"]]),
        holder(nnx.Param[Float[Array, "a b"]]),
        holder(nnx.Param[Float[Array, "3"]]),
        holder(nnx.Param[Int[Array, "2"]]),
        holder(nnx.Cache),
    )

    def ask(state: Any) -> Any:
        assert explain(state, right), explain(state, right)
        assert isinstance(state, right)
        for schema in wrong:
            assert not explain(state, schema)
            assert not isinstance(state, schema)
        return 0

    ask(found)
    if not outcome(lambda: str(jax.make_jaxpr(lambda _: 0)(found))).startswith("raises "):
        jax.make_jaxpr(ask)(found)
