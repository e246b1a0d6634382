"""`Same` over keys and shapes, or keys; a type variable is one structure in one call."""

from __future__ import annotations

from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, BFloat16, Float, Float32

from tests.zoo import LinearState, Mlp, MlpState, leaf
from typedstate import (
    Abstract,
    Cast,
    Like,
    Only,
    Pure,
    Same,
    SchemaDocument,
    SchemaError,
    Shardings,
    Specs,
    StateTypeError,
    TypedState,
    checked,
    explain,
    to_source,
)

T = TypeVar("T")
Params = Only[MlpState, nnx.Param]


def params(hidden: int = 3) -> Any:
    return nnx.state(Mlp(2, hidden, rngs=nnx.Rngs(0)), nnx.Param)


def linear(bias: bool = True, dtype: Any = jnp.float32) -> Any:
    kernel = {"kernel": leaf(nnx.Param, jnp.ones((2, 3), dtype))}
    more = {"bias": leaf(nnx.Param, jnp.ones(3, dtype))} if bias else {}
    return nnx.State({**kernel, **more})


def shardings_of(tree: Any) -> Any:
    mesh = jax.make_mesh((1,), ("x",))
    return nnx.State(jax.tree.map(lambda _: NamedSharding(mesh, P()), nnx.to_pure_dict(tree)))


def abstract_of(tree: Any) -> Any:
    return jax.eval_shape(lambda: tree)


def refusal(call: Any, *args: Any) -> list[str]:
    with pytest.raises(StateTypeError) as error:
        call(*args)
    assert error.value.report is not None
    return [str(one) for one in error.value.report.violations]


# -- Shapes --------------------------------------------------------------------------------------

Half = Same[Cast[LinearState, BFloat16], "T", "shapes"]
Full = Same[Cast[LinearState, Float32], "T", "shapes"]


@checked
def average(weights: Half, ema: Full) -> Full:
    return jax.tree.map(lambda w, e: 0.9 * e + 0.1 * w.astype(jnp.float32), weights, ema)


def test_an_average_in_float32_of_bfloat16_parameters() -> None:
    for bias in (True, False, True):
        average(linear(bias, jnp.bfloat16), linear(bias))
    assert refusal(average, linear(True, jnp.bfloat16), linear(False)) == [
        "ema.bias: missing, expected Param bfloat16[3] as in weights.bias [missing]"
    ]
    assert refusal(average, linear(True, jnp.bfloat16), linear(True, jnp.bfloat16)) == [
        "ema.kernel: expected dtype Float32, found bfloat16[2,3] [dtype]",
        "ema.bias: expected dtype Float32, found bfloat16[3] [dtype]",
    ]


def test_shapes_of_other_kinds_are_compared() -> None:
    @checked
    def step(a: Same[Any, "T", "shapes"], b: Same[Any, "T", "shapes"]) -> None: ...

    step({"x": leaf(nnx.Param, jnp.ones(2)), "y": 3}, {"x": jnp.ones(2, int), "y": 4.0})
    assert refusal(step, {"x": jnp.ones(2)}, {"x": jnp.ones(3)}) == [
        "b.x: expected float32[2] as in a.x, found float32[3] [size]"
    ]
    assert refusal(step, {"x": jnp.ones(2)}, {"x": jnp.ones((2, 1))})[0].endswith("[rank]")
    assert refusal(step, {"x": jnp.ones(2)}, {"x": jnp.ones(2), "y": 1}) == [
        "b.y: not declared, found int[] [extra]"
    ]


# -- Keys ----------------------------------------------------------------------------------------


@checked
def place(
    tree: Same[Abstract[nnx.State], "T", "keys"], where: Same[Shardings[nnx.State], "T", "keys"]
) -> None: ...


def test_an_abstract_state_beside_its_shardings() -> None:
    for hidden in (3, 4):
        place(abstract_of(params(hidden)), shardings_of(params()))
    assert refusal(place, abstract_of(linear()), shardings_of(linear(False))) == [
        "where.bias: missing, expected a leaf as in tree.bias [missing]"
    ]
    assert refusal(place, abstract_of(linear(False)), shardings_of(linear())) == [
        "where.bias: not declared, found a leaf [extra]"
    ]


def test_each_tree_agrees_with_the_others_in_its_own_way() -> None:
    @checked
    def step(
        where: Same[Specs[nnx.State], "T", "keys"],
        old: Same[nnx.State, "T"],
        ema: Same[nnx.State, "T", "shapes"],
        new: Same[nnx.State, "T"],
    ) -> None: ...

    specs = nnx.State(jax.tree.map(lambda _: P(), nnx.to_pure_dict(linear())))
    step(specs, linear(), linear(dtype=jnp.int8), linear())
    assert refusal(step, specs, linear(), linear(), linear(dtype=jnp.int8)) == [
        "new.kernel: expected Param float32[2,3] as in old.kernel, found Param int8[2,3] [dtype]",
        "new.bias: expected Param float32[3] as in old.bias, found Param int8[3] [dtype]",
    ]
    assert refusal(step, specs, linear(False), linear(False), linear(False)) == [
        "old.bias: missing, expected a leaf as in where.bias [missing]"
    ]


def test_a_document_and_source_say_it() -> None:
    hint = Same[LinearState, "T", "shapes"]
    document = SchemaDocument.of(hint)
    again = SchemaDocument.from_json(document.to_json()).to_schema()
    assert SchemaDocument.of(again) == document
    assert "Same[" in to_source(hint)
    assert "'T', 'shapes'" in to_source(hint).replace('"', "'")


# -- A type variable -----------------------------------------------------------------------------


@checked
def init(tree: Abstract[T], where: Shardings[T]) -> None: ...


@checked
def put(tree: T, where: Shardings[T]) -> T:
    return tree


def test_a_type_variable_is_one_structure_in_one_call() -> None:
    for tree in (linear(), params()):
        init(abstract_of(tree), shardings_of(tree))
    assert refusal(init, abstract_of(linear()), shardings_of(linear(False))) == [
        "where.bias: missing, expected a leaf as in tree.bias [missing]"
    ]
    with pytest.raises(StateTypeError) as error:
        init(shardings_of(linear()), abstract_of(linear()))
    assert str(error.value).splitlines() == [
        "the arguments of init() do not fit: 4 violations",
        "  cause: tree and where are swapped",
        "  tree.bias: expected jax.ShapeDtypeStruct, found NamedSharding [predicate]",
        "  tree.kernel: expected jax.ShapeDtypeStruct, found NamedSharding [predicate]",
        "  where.bias: expected a NamedSharding, found Param ShapeDtypeStruct float32[3] "
        "[predicate]",
        "  and 1 more of that cause",
        "signature:",
        "  -> tree: Abstract[T]",
        "  -> where: Shardings[T]",
    ]


def test_the_variable_itself_is_of_that_structure() -> None:
    model = Mlp(2, 3, rngs=nnx.Rngs(0))
    for _ in range(3):
        put(params(), shardings_of(params()))
        put(model, shardings_of(params()))
    assert len(refusal(put, linear(), shardings_of(params()))) == 6
    assert len(refusal(put, model, shardings_of(linear()))) == 6


def test_a_selection_of_it_is_another_tree() -> None:
    @checked
    def split(tree: T, part: Only[T, nnx.Param], where: list[Shardings[T]]) -> None: ...

    whole = nnx.State({**linear(), "mean": leaf(nnx.BatchStat, jnp.ones(2))})
    split(whole, linear(), [shardings_of(whole)])
    found = refusal(split, whole, whole, [shardings_of(whole), shardings_of(linear())])
    assert found[0].startswith("part.mean: ")
    assert found[1] == "where[1].mean: missing, expected a leaf as in tree.mean [missing]"


def test_alone_it_enforces_nothing() -> None:
    def same(tree: T) -> T:
        return tree

    for value in (1, "text", linear()):
        assert checked(same)(value) is value


# -- What nothing satisfies ----------------------------------------------------------------------


class ThreeState(TypedState):
    kernel: nnx.Param[Float[Array, "3 d"]]


class FourState(TypedState):
    kernel: nnx.Param[Float[Array, "4 d"]]


class FlatState(TypedState):
    kernel: nnx.Param[Float[Array, "d"]]


ADVICE = '; a third argument "shapes" compares keys and shapes alone, "keys" keys alone'


@pytest.mark.parametrize(
    ("first", "second", "by", "reason"),
    [
        (Cast[LinearState, BFloat16], Cast[LinearState, Float32], "structure", "BFloat16 and"),
        (Like[LinearState, nnx.Cache], LinearState, "structure", "Cache and Param"),
        (Pure[LinearState], LinearState, "structure", "no Variable and Param"),
        (ThreeState, FourState, "shapes", "of size 3 and of size 4 on axis 0"),
        (ThreeState, FlatState, "shapes", "of rank 2 and of rank 1"),
    ],
)
def test_a_signature_that_no_value_satisfies(first: Any, second: Any, by: Any, reason: str) -> None:
    def step(a: Same[first, "T", by], b: Same[second, "T", by]) -> None: ...

    with pytest.raises(SchemaError, match=f"kernel is {reason}"):
        checked(step)

    def back(a: Same[first, "T", by]) -> tuple[int, Same[second, "T", by]]: ...  # type: ignore[empty-body]

    with pytest.raises(SchemaError, match="no a and return can be alike"):
        checked(back)

    def keys(a: Same[first, "T", "keys"], b: Same[second, "T", by]) -> None: ...

    checked(keys)


def test_it_says_what_could_be_meant() -> None:
    def step(
        a: Same[Cast[LinearState, BFloat16], "T"], b: Same[Cast[LinearState, Float32], "T"]
    ) -> None: ...

    with pytest.raises(SchemaError) as error:
        checked(step)
    assert str(error.value) == (
        f"{step.__qualname__}(): no a and b can be alike as Same[..., 'T'] says of "
        "Cast[LinearState, BFloat16] and Cast[LinearState, Float32]: "
        f"kernel is BFloat16 and Float32{ADVICE}"
    )


def test_a_leaf_that_one_of_them_never_has() -> None:
    class Normed(LinearState):
        mean: nnx.BatchStat[Float[Array, "dout"]]

    def step(a: Same[Normed, "T", "keys"], b: Same[Only[Normed, nnx.Param], "T"]) -> None: ...

    with pytest.raises(SchemaError, match="mean is in Normed alone"):
        checked(step)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Cast[LinearState, BFloat16], LinearState),
        (Abstract[LinearState], LinearState),
        (nnx.State, LinearState),
        (Any, LinearState),
        (LinearState, Like[LinearState, nnx.Variable]),
    ],
)
def test_what_some_value_satisfies(first: Any, second: Any) -> None:
    def step(a: Same[first, "T"], b: Same[second, "T"] | None = None) -> Same[second, "T"]:  # type: ignore[empty-body]
        ...

    checked(step)


def test_an_unknown_likeness() -> None:
    with pytest.raises(SchemaError, match="give one of 'structure', 'shapes', 'keys'"):
        Same[LinearState, "T", "dtypes"]
    assert explain(linear(), Same[LinearState, "T", "keys"])
