"""`PlacedAs`: the arrays of one tree are where another argument of the call puts them."""

from __future__ import annotations

from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st
from jax.sharding import NamedSharding, PartitionSpec as P

from tests.sharding.helpers import unknown
from tests.zoo import LinearState, leaf
from tests.zoo.meshes import mesh_of
from typedstate import (
    Only,
    PlacedAs,
    SchemaDocument,
    SchemaError,
    Shardings,
    Specs,
    StateTypeError,
    checked,
    explain,
    to_source,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")
T = TypeVar("T")


def pair(*, bias: bool = True) -> Any:
    tree = {"kernel": leaf(nnx.Param, jnp.ones((8, 4)))}
    return nnx.State({**tree, "bias": leaf(nnx.Param, jnp.ones(4))} if bias else tree)


SPLIT, HALF = P("fsdp", "tensor"), P("tensor")


def where(kernel: Any = SPLIT, bias: Any = HALF, *, mesh: Any) -> Any:
    return nnx.State({"kernel": NamedSharding(mesh, kernel), "bias": NamedSharding(mesh, bias)})


def put(tree: Any, places: Any) -> Any:
    """By ``device_put`` of each array, on any Flax."""
    moved = {
        key: leaf(
            nnx.Param, jax.device_put(jnp.ones((8, 4) if key == "kernel" else 4), places[key])
        )
        for key in tree
    }
    return nnx.State(moved)


def refusal(call: Any, *args: Any) -> list[str]:
    with pytest.raises(StateTypeError) as error:
        call(*args)
    assert error.value.report is not None
    return [str(item) for item in error.value.report.violations]


@checked
def place(tree: T, where: Shardings[T], result: Any) -> PlacedAs[T, "where"]:
    return result


def test_a_helper_for_any_tree(mesh: jax.sharding.Mesh) -> None:
    first, second = where(mesh=mesh), where(P("tensor"), P(), mesh=mesh)
    for places in (first, second, first, second):
        place(pair(), places, put(pair(), places))
    for _ in range(2):
        assert refusal(place, pair(), first, put(pair(), second)) == [
            "return.kernel: expected P('fsdp', 'tensor') "
            "as in where.kernel, found P('tensor') [sharding]",
            "return.bias: expected P('tensor') as in where.bias, found P() [sharding]",
        ]
        assert refusal(place, pair(), second, put(pair(), first)) == [
            "return.kernel: expected P('tensor') "
            "as in where.kernel, found P('fsdp', 'tensor') [sharding]",
            "return.bias: expected P() as in where.bias, found P('tensor') [sharding]",
        ]
        place(pair(), first, put(pair(), first))
    assert refusal(place, pair(), first, pair()) == [
        "return.kernel: expected P('fsdp', 'tensor') "
        "as in where.kernel, found one device [sharding]",
        "return.bias: expected P('tensor') as in where.bias, found one device [sharding]",
    ]


def test_the_message_as_a_whole(mesh: jax.sharding.Mesh) -> None:
    with pytest.raises(StateTypeError) as error:
        place(pair(), where(mesh=mesh), put(pair(), where(bias=P(), mesh=mesh)))
    assert str(error.value) == (
        "the return value of place() does not fit: 1 violation\n"
        "  return.bias: expected P('tensor') as in where.bias, found P() [sharding]\n"
        "signature:\n"
        "     tree: T\n"
        "     where: Shardings[T]\n"
        "  -> return: PlacedAs[T, 'where']"
    )


def test_other_places_for_the_same_names(mesh: jax.sharding.Mesh) -> None:
    devices = np.array(jax.devices()[::-1]).reshape(4, 2)
    other = where(mesh=jax.sharding.Mesh(devices, ("fsdp", "tensor")))
    [kernel, bias] = refusal(place, pair(), where(mesh=mesh), put(pair(), other))
    numbers = ", ".join(map(str, range(8)))
    backwards = ", ".join(map(str, range(7, -1, -1)))
    assert kernel == (
        f"return.kernel: expected P('fsdp', 'tensor') in device of devices {numbers} "
        "as in where.kernel, "
        f"found P('fsdp', 'tensor') in device of devices {backwards} [sharding]"
    ).replace("in device", f"in {jax.devices()[0].default_memory().kind}")
    assert bias.startswith("return.bias: ")


def test_a_place_in_a_result_of_several(mesh: jax.sharding.Mesh) -> None:
    @checked
    def step(
        state: LinearState, where: Shardings[LinearState], result: Any
    ) -> tuple[PlacedAs[Only[LinearState, nnx.Param], "where"], float]:
        return result, 1.0

    first, second = where(mesh=mesh), where(P("tensor"), mesh=mesh)
    for _ in range(3):
        step(pair(), first, put(pair(), first))
        step(pair(), first, put(pair(bias=False), first))
    assert refusal(step, pair(), first, put(pair(), second)) == [
        "return[0].kernel: expected P('fsdp', 'tensor') "
        "as in where.kernel, found P('tensor') [sharding]"
    ]


def test_where_another_argument_lies(mesh: jax.sharding.Mesh) -> None:
    @checked
    def average(ema: PlacedAs[LinearState, "model"], model: LinearState) -> None: ...

    one, other = put(pair(), where(mesh=mesh)), put(pair(), where(P(), mesh=mesh))
    for _ in range(3):
        average(one, one)
        average(other, other)
        average(pair(), pair())
    assert refusal(average, one, other) == [
        "ema.kernel: expected P() as in model.kernel, found P('fsdp', 'tensor') [sharding]"
    ]
    assert refusal(average, pair(), one)[0] == (
        "ema.kernel: expected P('fsdp', 'tensor') as in model.kernel, found one device [sharding]"
    )


def test_what_nobody_placed_has_one_cause(mesh: jax.sharding.Mesh) -> None:
    tree = nnx.State({index: dict(pair()) for index in range(4)})
    places: Any = nnx.State({index: dict(where(mesh=mesh)) for index in range(4)})

    def told(value: Any, at: Any) -> list[str]:
        with pytest.raises(StateTypeError) as error:
            place(tree, at, value)
        return str(error.value).splitlines()[1:-4]

    assert told(tree, places) == [
        "  cause: the arrays are on one device, not on the mesh of where: "
        "jax.device_put with its shardings places them (8 leaves)",
        "  return[0].kernel: expected P('fsdp', 'tensor') "
        "as in where[0].kernel, found one device [sharding]",
        "  return[0].bias: expected P('tensor') as in where[0].bias, found one device [sharding]",
        "  return[1].kernel: expected P('fsdp', 'tensor') "
        "as in where[1].kernel, found one device [sharding]",
        "  and 5 more of that cause",
    ]
    numpy = jax.tree.map(np.asarray, tree)
    assert told(numpy, places)[0] == (
        "  cause: the arrays are numpy's, not on the mesh of where: "
        "jax.device_put with its shardings places them (8 leaves)"
    )
    mixed = nnx.State({**tree, **{n: dict(put(pair(), places[n])) for n in (1, 2, 3)}})
    assert not any("cause" in line for line in told(mixed, places))  # of two leaves


def test_one_sharding_for_all(mesh: jax.sharding.Mesh) -> None:
    @checked
    def replicate(state: PlacedAs[LinearState, "where"], where: NamedSharding) -> None: ...

    whole, split = NamedSharding(mesh, P()), NamedSharding(mesh, P("fsdp"))
    for _ in range(3):
        replicate(put(pair(), {"kernel": whole, "bias": whole}), whole)
        replicate(put(pair(), {"kernel": split, "bias": split}), split)
    assert refusal(replicate, put(pair(), {"kernel": whole, "bias": split}), split) == [
        "state.kernel: expected P('fsdp') as in where, found P() [sharding]"
    ]


def test_partition_specs_and_arguments_that_may_be_left_out(mesh: jax.sharding.Mesh) -> None:
    @checked
    def step(
        state: PlacedAs[LinearState, "where"], where: Specs[LinearState] | None = None
    ) -> None: ...

    specs = nnx.State({"kernel": P("fsdp", "tensor"), "bias": P("tensor")})
    there = put(pair(), where(mesh=mesh))
    for _ in range(3):
        step(there, specs)
        step(there)
        step(pair())
    assert refusal(step, put(pair(), where(bias=P(), mesh=mesh)), specs) == [
        "state.bias: expected P('tensor') as in where.bias, found P() [sharding]"
    ]


def test_a_leaf_that_the_argument_does_not_place(mesh: jax.sharding.Mesh) -> None:
    @checked
    def step(state: PlacedAs[LinearState, "where"], where: dict[str, NamedSharding]) -> None: ...

    places = {"kernel": NamedSharding(mesh, P())}
    whole = {**places, "bias": places["kernel"]}
    step(put(pair(bias=False), places), places)
    assert refusal(step, put(pair(), whole), places) == [
        "state.bias: expected a place in where, found none for where.bias [sharding]"
    ]


def test_what_a_tracer_does_not_show_is_unknown(mesh: jax.sharding.Mesh) -> None:
    @checked
    def inside(state: PlacedAs[LinearState, "where"], where: Shardings[LinearState]) -> LinearState:
        return state

    jax.eval_shape(lambda tree: inside(tree, where(mesh=mesh)), pair())
    report = explain(pair(), PlacedAs[LinearState, "where"])
    assert unknown(report) == ["there is no argument 'where' that says where it has to be"]


def test_a_name_that_is_no_parameter() -> None:
    def step(state: PlacedAs[LinearState, "were"], where: Shardings[LinearState]) -> None: ...

    with pytest.raises(SchemaError) as error:
        checked(step)
    text = "PlacedAs[..., 'were'] names no other parameter with an annotation"
    owner = f"{step.__qualname__}(state)"
    assert str(error.value) == f"{owner}: {text}; did you mean 'where'?"
    with pytest.raises(SchemaError) as error:
        PlacedAs[LinearState, 5]
    assert str(error.value) == (
        'PlacedAs[LinearState, 5]: name another parameter of the function, "where" say'
    )


def test_documents_and_source_say_it() -> None:
    hint = PlacedAs[LinearState, "where"]
    document = SchemaDocument.of(hint)
    again = SchemaDocument.from_json(document.to_json())
    assert again == document
    assert to_source(again.to_schema()).endswith('= PlacedAs[LinearState, "where"]\n')


PARTITIONS = st.sampled_from(
    [
        *([], [None], [None, None], ["fsdp"], ["tensor"], [None, "fsdp"], ["fsdp", None]),
        *(["fsdp", "tensor"], ["tensor", "fsdp"], [("fsdp", "tensor")], [None, ("fsdp", "tensor")]),
        *([("tensor", "fsdp")], [None, "tensor"]),
    ]
)


@settings(max_examples=60)
@given(st.lists(st.tuples(PARTITIONS, PARTITIONS), min_size=2, max_size=8))
def test_it_holds_exactly_where_jax_calls_the_places_equivalent(drawn: Any) -> None:
    mesh = mesh_of()

    @checked
    def step(state: PlacedAs[LinearState, "where"], where: Shardings[LinearState]) -> None: ...

    for asked, real in drawn:
        wanted, there = (NamedSharding(mesh, P(*names)) for names in (asked, real))
        state = nnx.State({"kernel": leaf(nnx.Param, jax.device_put(jnp.ones((8, 8)), there))})
        places = nnx.State({"kernel": wanted})
        if wanted.is_equivalent_to(there, 2):
            step(state, places)
        else:
            assert len(refusal(step, state, places)) == 1
