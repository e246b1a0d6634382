"""`Stacked` is what vmapped constructors give."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests import zoo
from tests.zoo import LinearState, MlpState, state
from typedstate import (
    Abstract,
    Axis,
    SchemaDocument,
    SchemaError,
    Sharded,
    Stacked,
    TypedState,
    abstract,
    explain,
    fits,
    to_source,
)


def test_stacked_is_what_vmapped_constructors_give() -> None:
    blocks = nnx.state(zoo.Blocks(2, 3, 4, nnx.Rngs(0)))["blocks"]
    assert explain(blocks, Stacked[MlpState, "layers"]).dims == {
        "d": 2,
        "hidden": 3,
        "layers": 4,
    }
    assert str(explain(blocks, MlpState)).splitlines()[2:4] == [
        '  up.kernel: expected rank 2 ("din dout"), found shape (4, 2, 3) [rank]',
        '  up.bias: expected rank 1 ("dout"), found shape (4, 3) [rank]',
    ]


@pytest.mark.parametrize(
    ("axis", "shape", "bias"),
    [
        (Axis(0), (7, 2, 3), (7, 3)),
        (Axis(1), (2, 7, 3), (3, 7)),
        (Axis(-1), (2, 3, 7), (3, 7)),
        (Axis(-2), (2, 7, 3), (7, 3)),
    ],
)
def test_stacked_inserts_its_axis_where_it_is_told(
    axis: Axis, shape: tuple[int, ...], bias: tuple[int, ...]
) -> None:
    found = state({"kernel": nnx.Param(jnp.ones(shape)), "bias": nnx.Param(jnp.ones(bias))})
    report = explain(found, Stacked[LinearState, "layers", axis])
    assert report.dims == {"din": 2, "dout": 3, "layers": 7}


def test_stacked_with_filters_leaves_the_others_alone() -> None:
    tree = zoo.as_dict(nnx.state(zoo.ConvNet(1, 2, 4, nnx.Rngs(0))))
    kept, rest = nnx.split_state(nnx.State(tree), nnx.Param, ...)
    stacked = nnx.merge_state(jax.tree.map(lambda x: jnp.stack([x] * 5), kept), rest)
    assert explain(stacked, Stacked[zoo.ConvNetState, "n", nnx.Param]).dims == {
        "n": 5,
        "c": 1,
        "f": 2,
        "classes": 4,
    }
    assert not fits(stacked, Stacked[zoo.ConvNetState, "n"])
    assert not fits(stacked, zoo.ConvNetState)


def test_a_stacked_axis_has_one_size_and_may_be_an_expression() -> None:
    found = state({"kernel": nnx.Param(jnp.ones((4, 2, 3))), "bias": nnx.Param(jnp.ones((5, 3)))})
    assert str(explain(found, Stacked[LinearState, "layers"])) == (
        "does not fit Stacked[LinearState, 'layers']: 1 violation\n"
        "  bias: layers is 5, but layers=4 from kernel, axis 0 [dim]\n"
        "  dims: layers=4 din=2 dout=3"
    )
    found = state({"kernel": nnx.Param(jnp.ones((4, 2, 3)))})
    assert explain(found, Stacked[LinearState, "2*pairs"]).dims["pairs"] == 2


def test_stacked_inserts_its_partition_name_into_the_declared_names() -> None:
    class Sharded(TypedState):
        kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("embed")]

    found = nnx.State(
        {"kernel": zoo.named(nnx.Param, jnp.ones((4, 2, 3)), "layers", "embed", None)}
    )
    assert fits(found, Stacked[Sharded, "n", Axis(0, "layers")])
    assert not fits(found, Stacked[Sharded, "n"])
    assert not fits(found, Stacked[Sharded, "n", Axis(-1, "layers")])


def test_an_axis_beyond_a_leaf_is_refused_when_the_form_is_first_used() -> None:
    with pytest.raises(SchemaError) as error:
        explain(nnx.State({}), Stacked[zoo.NormState, "n", Axis(2)])
    assert str(error.value) == "Axis(2) lies beyond the 1 axis of a leaf"


def test_what_may_be_absent_is_where_it_can_not_have_the_axis() -> None:
    hint = Stacked[LinearState, "n", Axis(2)]
    assert explain(state({"kernel": nnx.Param(jnp.ones((2, 3, 5)))}), hint).dims == {
        "n": 5,
        "din": 2,
        "dout": 3,
    }
    found = state({"kernel": nnx.Param(jnp.ones((2, 3, 5))), "bias": nnx.Param(jnp.ones(3))})
    assert str(explain(found, hint)) == (
        "does not fit Stacked[LinearState, 'n', Axis(2)]: 1 violation\n"
        "  bias: expected nothing, as Stacked[LinearState, 'n', Axis(2)] leaves it out, "
        "found Param float32[3] [extra]\n"
        "  dims: din=2 dout=3 n=5"
    )


@pytest.mark.parametrize(
    ("axis", "shape"),
    [
        (Axis(0), (7, 5, 6, 2, 3)),
        (Axis(1), (5, 7, 6, 2, 3)),
        (Axis(3), (5, 6, 2, 7, 3)),
        (Axis(-1), (5, 6, 2, 3, 7)),
        (Axis(-4), (5, 7, 6, 2, 3)),
    ],
)
def test_stacked_inserts_its_axis_within_a_run_of_axes(axis: Axis, shape: Any) -> None:
    hint = Stacked[zoo.ConvState, "layers", axis]
    found = state({"kernel": nnx.Param(jnp.ones(shape))})
    assert explain(found, hint).dims == {"window": (5, 6), "cin": 2, "cout": 3, "layers": 7}
    assert explain(jax.eval_shape(lambda: found), Abstract[hint])
    sizes: dict[str, Any] = {"window": (5, 6), "cin": 2, "cout": 3, "layers": 7}
    built = abstract(hint, dtype=jnp.float32, choices={"bias": False}, **sizes)
    assert [found.shape for found in jax.tree.leaves(built)] == [shape]


def test_an_axis_within_a_run_is_said_in_reports() -> None:
    hint = Stacked[Stacked[zoo.ConvState, "layers", Axis(1)], "model"]
    found = state({"kernel": nnx.Param(jnp.ones((8, 5, 7, 2, 3)))})
    assert explain(found, hint).dims == {
        "model": 8,
        "layers": 7,
        "window": (5,),
        "cin": 2,
        "cout": 3,
    }
    report = explain(state({"kernel": nnx.Param(jnp.ones((8, 5, 7)))}), hint)
    assert str(report).splitlines()[1:2] == [
        '  kernel: expected rank at least 4 ("*window cin cout, layers at axis 1, '
        'model at axis 0"), found shape (8, 5, 7) [rank]'
    ]
    with pytest.raises(SchemaError) as error:
        explain(found, Sharded[hint, "layers=fsdp"])
    assert str(error.value) == (
        "Sharded[..., 'layers=fsdp']: Axis(1) of Float[Array, \"*window cin cout, layers at "
        "axis 1, model at axis 0\"] can't be given a name: its place is open"
    )


class InnerState(TypedState):
    kernel: nnx.Param[Float[Array, "n m"]]


class MiddleState(TypedState):
    inner: Stacked[InnerState, "n"]


class OuterState(TypedState):
    middle: Stacked[MiddleState, "n"]


def nested(*shape: int) -> Any:
    return state({"middle": {"inner": {"kernel": nnx.Param(jnp.ones(shape))}}})


def test_stacks_within_a_stack_have_dims_of_their_own() -> None:
    assert explain(nested(5, 4, 2, 3), OuterState).dims == {"n": 5}
    assert fits(nested(5, 4, 2, 3), OuterState)
    read = SchemaDocument.of(OuterState).to_schema()
    assert fits(nested(5, 4, 2, 3), read)
    names: dict[str, Any] = {}
    exec(to_source(read, name="WrittenState"), names)
    assert fits(nested(5, 4, 2, 3), names["WrittenState"])
    of_outer = Stacked[OuterState, "n"]  # the name of the outermost two is one
    assert explain(nested(5, 5, 4, 2, 3), of_outer).dims == {"n": 5}
    assert [str(item) for item in explain(nested(6, 5, 4, 2, 3), of_outer).violations] == [
        "middle.inner.kernel: n is 5, but n=6 from middle.inner.kernel, axis 0 [dim]"
    ]


class PairState(TypedState):
    left: Stacked[InnerState, "n"]
    right: Stacked[InnerState, "n"]


class PairsState(TypedState):
    pairs: Stacked[PairState, "n"]


def test_the_axes_of_nested_stacks_are_compared_from_leaf_to_leaf() -> None:
    def pairs(left: int, right: int) -> Any:
        sizes = {"left": left, "right": right}
        kernels = {key: nnx.Param(jnp.ones((5, size, 2, 3))) for key, size in sizes.items()}
        return state({"pairs": {key: {"kernel": kernels[key]} for key in sizes}})

    for _ in range(3):
        assert fits(pairs(4, 4), PairsState)
        assert [str(item) for item in explain(pairs(4, 6), PairsState).violations] == [
            "pairs.right.kernel: n is 6, but n=4 from pairs.left.kernel, axis 1 [dim]"
        ]
