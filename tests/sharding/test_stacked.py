"""Axis names of stacked leaves: derived, placed, and in both spellings of metadata."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.sharding.helpers import messages, weight
from tests.zoo.meshes import mesh_of
from typedstate import (
    Axis,
    Placed,
    SchemaDocument,
    SchemaError,
    Sharded,
    Shardings,
    Specs,
    Stacked,
    TypedState,
    abstract,
    explain,
    fits,
    infer,
    shardings,
    specs,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


class BareState(TypedState):
    w: nnx.Param[Float[Array, "m n"]]


class NamedState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "m n"]], P("fsdp", "tensor")]


def test_a_stacked_axis_is_not_split_by_the_names_of_the_others(mesh: jax.sharding.Mesh) -> None:
    stacked = weight(jnp.ones((3, 8, 4)), "fsdp", "tensor")
    found = shardings(Stacked[NamedState, "L"], mesh, like=stacked)
    assert found["w"].spec == P(None, "fsdp", "tensor")
    by_dims = shardings(Stacked[Sharded[BareState, "m=fsdp n=tensor"], "L"], mesh, like=stacked)
    assert by_dims["w"].spec == P(None, "fsdp", "tensor")
    assert specs(Stacked[NamedState, "L"])["w"] == P(None, "fsdp", "tensor")
    assert specs(Stacked[NamedState, "L", Axis(1)])["w"] == P("fsdp", None, "tensor")
    assert specs(Stacked[NamedState, "L", Axis(-1)])["w"] == P("fsdp", "tensor")


def test_names_of_metadata_alone_are_those_of_the_axes_that_were_not_stacked(
    mesh: jax.sharding.Mesh,
) -> None:
    hint = Stacked[BareState, "L"]
    for names in (("fsdp", "tensor"), (None, "fsdp", "tensor")):
        stacked = weight(jnp.ones((3, 8, 4)), *names)
        found = shardings(hint, mesh, like=stacked)
        assert found["w"].spec == P(None, "fsdp", "tensor")
        there = weight(jax.device_put(jnp.ones((3, 8, 4)), found["w"]), *names)
        assert explain(there, Placed[hint])
        astray = jax.device_put(jnp.ones((4, 8, 4)), NamedSharding(mesh, P("fsdp", "tensor")))
        assert messages(explain(weight(astray, *names), Placed[hint])) == [
            "w: expected P(None, 'fsdp', 'tensor'), found P('fsdp', 'tensor') [sharding]"
        ]


def test_placed_takes_a_stack_where_its_layers_are_split(mesh: jax.sharding.Mesh) -> None:
    hint = Placed[Stacked[NamedState, "L"]]
    right = NamedSharding(mesh, P(None, "fsdp", "tensor"))
    wrong = NamedSharding(mesh, P("fsdp", "tensor"))
    value = jnp.ones((4, 8, 4))
    assert explain(weight(jax.device_put(value, right), "fsdp", "tensor"), hint)
    assert explain(weight(jax.device_put(value, right), None, "fsdp", "tensor"), hint)
    assert messages(explain(weight(jax.device_put(value, wrong), "fsdp", "tensor"), hint)) == [
        "w: expected P(None, 'fsdp', 'tensor'), found P('fsdp', 'tensor') [sharding]"
    ]


def test_an_axis_without_a_name_is_not_one_that_is_left_out() -> None:
    without, written = weight(jnp.ones((3, 8, 4)), "fsdp", "tensor"), (None, "fsdp", "tensor")
    whole = weight(jnp.ones((3, 8, 4)), *written)
    assert fits(without, Stacked[NamedState, "L"])
    assert fits(whole, Stacked[NamedState, "L"])
    assert fits(whole, Stacked[NamedState, "L", Axis(0, None)])
    assert messages(explain(without, Stacked[NamedState, "L", Axis(0, None)])) == [
        "w: expected P(None, 'fsdp', 'tensor'), found P('fsdp', 'tensor') [sharding]"
    ]
    assert repr([Axis(), Axis(0, None), Axis(1, "L")]) == "[Axis(0), Axis(0, None), Axis(1, 'L')]"
    assert Stacked[NamedState, "L", Axis(0, None)].__name__ == (
        "Stacked[NamedState, 'L', Axis(0, None)]"
    )


def test_names_astray_are_refused_in_either_spelling() -> None:
    hint = Stacked[NamedState, "L"]
    for names in (("tensor", "fsdp"), ("fsdp",), (None, "tensor", "fsdp"), ("L", "fsdp", "tensor")):
        assert not fits(weight(jnp.ones((3, 8, 4)), *names), hint), names


def test_each_axis_of_a_stack_of_stacks_may_be_left_out() -> None:
    hint = Stacked[Stacked[NamedState, "L", Axis(1)], "E"]
    value = jnp.ones((5, 8, 3, 4))
    for names in [
        ("fsdp", "tensor"),
        (None, "fsdp", "tensor"),
        ("fsdp", None, "tensor"),
        (None, "fsdp", None, "tensor"),
    ]:
        assert explain(weight(value, *names), hint), names
    assert not fits(weight(value, "fsdp", "tensor", None, "x"), hint)
    assert specs(hint)["w"] == P(None, "fsdp", None, "tensor")
    named = Stacked[Stacked[NamedState, "L", Axis(1)], "E", Axis(0, "expert")]
    assert fits(weight(value, "expert", "fsdp", "tensor"), named)
    assert fits(weight(value, "expert", "fsdp", None, "tensor"), named)
    assert not fits(weight(value, "fsdp", "tensor"), named)


def test_partitions_of_a_stack_leave_its_axis_whole(mesh: jax.sharding.Mesh) -> None:
    hint = Specs[Stacked[NamedState, "L"]]
    assert fits(nnx.State({"w": P(None, "fsdp", "tensor")}), hint)
    assert messages(explain(nnx.State({"w": P("fsdp", "tensor")}), hint)) == [
        "w: expected P(None, 'fsdp', 'tensor'), found P('fsdp', 'tensor') [sharding]"
    ]
    found = shardings(Stacked[NamedState, "L"], mesh)
    assert explain(found, Shardings[Stacked[NamedState, "L"]])


def test_what_is_followed_must_be_divisible(mesh: jax.sharding.Mesh) -> None:
    """The same check that sizes by name make."""
    with pytest.raises(SchemaError) as by_name:
        shardings(NamedState, mesh, m=6, n=4)
    with pytest.raises(SchemaError) as followed:
        shardings(NamedState, mesh, like=weight(jnp.ones((6, 4)), "fsdp", "tensor"))
    assert (
        str(followed.value)
        == str(by_name.value)
        == (
            "shardings(NamedState) can't be made:\n"
            "  w: expected axis 0 divisible by fsdp=4, found size 6"
        )
    )


def test_abstract_stacks_have_metadata_that_flax_reads_right(mesh: jax.sharding.Mesh) -> None:
    found = abstract(Stacked[NamedState, "L"], dtype=jnp.float32, L=3, m=8, n=4)
    assert jax.tree.leaves(nnx.get_partition_spec(found), is_leaf=lambda x: isinstance(x, P)) == [
        P(None, "fsdp", "tensor")
    ]
    there = abstract(Stacked[NamedState, "L"], dtype=jnp.float32, mesh=mesh, L=3, m=8, n=4)
    assert jax.tree.leaves(there)[0].sharding.spec == P(None, "fsdp", "tensor")


@pytest.mark.parametrize("transform_metadata", [{}, {nnx.PARTITION_NAME: None}])
def test_states_of_vmapped_constructors_fit_in_either_spelling(transform_metadata: Any) -> None:
    @nnx.split_rngs(splits=3)
    @nnx.vmap(in_axes=(0,), out_axes=0, transform_metadata=transform_metadata)
    def stack(rngs: nnx.Rngs) -> Any:
        init = nnx.with_partitioning(
            nnx.initializers.ones, ("fsdp", "tensor"), eager_sharding=False
        )
        return nnx.Linear(8, 4, use_bias=False, kernel_init=init, rngs=rngs)

    class KernelState(TypedState):
        kernel: Annotated[nnx.Param[Float[Array, "m n"]], P("fsdp", "tensor")]

    found = nnx.state(stack(nnx.Rngs(0)), nnx.Param)
    assert explain(found, Stacked[KernelState, "L"]), explain(found, Stacked[KernelState, "L"])


def test_a_document_keeps_which_axes_may_be_left_out() -> None:
    for axis in (Axis(0), Axis(0, None)):
        hint = Stacked[NamedState, "L", axis]
        again = SchemaDocument.of(hint).to_schema()
        for names in (("fsdp", "tensor"), (None, "fsdp", "tensor")):
            tree = weight(jnp.ones((3, 8, 4)), *names)
            assert fits(tree, again) is fits(tree, hint)


@pytest.mark.parametrize("names", [("e", "m"), (None, "e", "m"), ("layers", "e", "m")])
def test_infer_reads_either_spelling(names: tuple[Any, ...]) -> None:
    class Stack(nnx.Module):
        def __init__(self) -> None:
            self.proj = nnx.vmap(
                lambda key: nnx.Linear(8, 4, use_bias=False, rngs=nnx.Rngs(key)),
            )(jax.random.split(jax.random.key(0), 3))
            value = jax.tree.leaves(nnx.state(self.proj))[0]
            self.proj.kernel = nnx.Param(value, sharding=names, eager_sharding=False)

    model = Stack()
    assert fits(nnx.state(model), infer(model))
    assert specs(infer(model), choices={"*.bias": False})["proj"]["kernel"] == P(
        names[0] if len(names) == 3 else None, "e", "m"
    )


ENTRIES = st.sampled_from([None, "fsdp", "tensor"])


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Any, tuple[int, ...], list[tuple[Any, ...]]]:
    """A hint, a shape, and every spelling of metadata."""
    names = draw(
        st.lists(ENTRIES, min_size=2, max_size=2).filter(lambda n: n[0] is None or n[0] != n[1])
    )
    kernel: Any = Annotated[nnx.Param[Float[Array, "m n"]], P(*names)]
    hint: Any = type(TypedState)("Drawn", (TypedState,), {"__annotations__": {"w": kernel}})
    axes: list[tuple[int, Any, bool]] = [(8, names[0], True), (4, names[1], True)]
    for dim in "LE"[: draw(st.integers(1, 2))]:
        index = draw(st.integers(-len(axes) - 1, len(axes)))
        written = draw(st.booleans())
        hint = Stacked[hint, dim, Axis(index, None) if written else Axis(index)]
        axes.insert(index if index >= 0 else index + len(axes) + 1, (3, None, written))
    choices = [(True,) if written else (True, False) for _, _, written in axes]
    ways = [
        tuple(name for (_, name, _), kept in zip(axes, keep, strict=True) if kept)
        for keep in itertools.product(*choices)
    ]
    return hint, tuple(size for size, _, _ in axes), ways


@settings(max_examples=60, deadline=None)
@given(stacks())
def test_derived_shardings_are_those_that_device_put_and_placed_agree_on(drawn: Any) -> None:
    hint, shape, ways = drawn
    mesh = mesh_of()
    value = jnp.ones(shape)
    for names in ways:
        tree = weight(value, *names)
        assert explain(tree, hint), (hint, names)
        where = shardings(hint, mesh, like=tree)
        there = jax.device_put(value, where["w"])
        assert explain(weight(there, *names), Placed[hint]), (hint, names)
        assert explain(where, Shardings[hint])
        one = there.addressable_shards[0].data.shape
        assert [a for a, b in zip(shape, one, strict=True) if a == 3 and b != 3] == []
        whole = NamedSharding(mesh, P())
        if not there.sharding.is_equivalent_to(whole, len(shape)):
            moved = weight(jax.device_put(value, whole), *names)
            assert not explain(moved, Placed[hint])
