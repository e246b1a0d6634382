"""Inside shard_map S speaks of one shard, `Placed[S]` of the whole array as far as it shows."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests.sharding.helpers import messages as lines, unknown
from tests.sharding.shards import Split, Whole, inside, vector
from tests.zoo import DenseState, leaf, named, state
from tests.zoo.meshes import mesh_of
from typedstate import (
    Bind,
    Placed,
    Pure,
    Report,
    Sharded,
    StateTypeError,
    TypedState,
    checked,
    explain,
    shardings,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


class ModelState(TypedState):
    up: Bind[DenseState, "din=d dout=hidden"]
    down: Bind[DenseState, "din=hidden dout=d"]
    scale: Annotated[nnx.Param[Float[Array, "d"]], P(None)]


Model = Sharded[ModelState, "d=fsdp hidden=tensor"]


def model_state(d: int = 8, hidden: int = 4) -> Any:
    tree: Any = {
        "up": {"kernel": jnp.ones((d, hidden)), "bias": jnp.ones(hidden)},
        "down": {"kernel": jnp.ones((hidden, d)), "bias": jnp.ones(d)},
        "scale": jnp.ones(d),
    }
    return state(jax.tree.map(lambda x: leaf(nnx.Param, x), tree))


def specs_like(**changes: P) -> Any:
    """What each leaf of the model is split by, as a tree of specs."""
    specs = {
        "up": {"kernel": P("fsdp", "tensor"), "bias": P("tensor")},
        "down": {"kernel": P("tensor", "fsdp"), "bias": P("fsdp")},
        "scale": P(),
    }
    specs["up"] |= {key: spec for key, spec in changes.items() if key in ("kernel", "bias")}
    return nnx.State({**specs, **{key: spec for key, spec in changes.items() if key == "scale"}})


def explained(specs: Any, hint: Any = Placed[Model], **options: Any) -> Report:
    return inside(lambda shards: explain(shards, hint), model_state(), specs, **options)


def test_a_schema_sees_the_sizes_of_one_shard() -> None:
    report = explained(specs_like(scale=P("fsdp")), ModelState)
    assert report, report
    assert report.dims == {"d": 2, "hidden": 2}


def test_sizes_of_shards_and_of_whole_arrays_do_not_agree_and_the_report_says_why() -> None:
    assert lines(explained(specs_like(), ModelState)) == [
        "scale: d is 8, but d=2 from up.kernel, axis 0 "
        "(of one shard: Placed[...] compares whole arrays) [dim]"
    ]


def test_placed_compares_whole_arrays() -> None:
    report = explained(specs_like())
    assert report, report
    assert report.dims == {"d": 8, "hidden": 4}
    pure = inside(
        lambda shards: explain(nnx.to_pure_dict(shards), Placed[Pure[Model]]),
        model_state(),
        specs_like(),
    )
    assert pure.dims == report.dims
    placed = jax.device_put(model_state(), shardings(Model, mesh_of()))
    assert explain(placed, Placed[Model]).dims == report.dims


def test_a_copy_in_the_place_of_a_shard_has_the_wrong_size() -> None:
    assert lines(explained(specs_like(kernel=P(None, "tensor")))) == [
        "up.kernel: din is 32, but d=8 from down.kernel, axis 1 (8 in each of 4 shards) [dim]"
    ]


def test_the_wrong_axis_has_the_wrong_size() -> None:
    found = explained(specs_like(kernel=P("tensor", "fsdp")))
    assert lines(found) == [
        "up.kernel: din is 16, but d=8 from down.kernel, axis 1 (4 in each of 4 shards) [dim]",
        "up.kernel: dout is 2, but hidden=4 from up.bias, axis 0 (1 in each of 2 shards) [dim]",
    ]


def test_an_array_beside_a_state_has_the_sizes_of_its_shard() -> None:
    @checked
    def apply(model: Placed[Model], x: Float[Array, "batch d"]) -> None:
        """Takes both."""

    def look(tree: Any) -> str:
        with pytest.raises(StateTypeError) as error:
            apply(tree["model"], tree["x"])
        return str(error.value)

    tree = {"model": model_state(), "x": jnp.ones((4, 8))}
    assert inside(look, tree, {"model": specs_like(), "x": P(None, "fsdp")}).splitlines() == [
        "the arguments of test_an_array_beside_a_state_has_the_sizes_of_its_shard.<locals>"
        ".apply() do not fit: 1 violation",
        "  x: d is 2, but d=8 from model.up.kernel, axis 0 "
        "(of one shard: Placed[...] compares whole arrays) [dim]",
        "  dims: d=8 hidden=4 batch=4",
        "  unknown: model.up.kernel: 'fsdp' is Manual: one shard does not show which axis it "
        "splits (P('fsdp', 'tensor')), and 1 more",
        "signature:",
        "     model: Placed[Sharded[ModelState, 'd=fsdp hidden=tensor']]",
        '  -> x: Float[Array, "batch d"]',
    ]
    inside(
        lambda tree: apply(tree["model"], tree["x"]),
        tree,
        {"model": specs_like(), "x": P("fsdp")},
    )


def test_sizes_that_are_given_are_those_of_whole_arrays() -> None:
    def look(shards: Any) -> list[bool]:
        hint: Any = Placed[Model]
        return [bool(explain(shards, hint, dims={"d": d, "hidden": 4})) for d in (8, 2)]

    assert inside(look, model_state(), specs_like()) == [True, False]


def test_fixed_sizes_and_runs_of_axes() -> None:
    class FixedState(TypedState):
        w: Annotated[nnx.Param[Float[Array, "8 *rest"]], P("fsdp", "tensor")]

    tree = state({"w": named(nnx.Param, jnp.ones((8, 6, 5)), "fsdp", "tensor")})

    def look(shards: Any) -> Report:
        return explain(shards, Placed[FixedState])

    assert inside(look, tree, P("fsdp", "tensor")).dims == {"rest": (6, 5)}
    assert lines(inside(look, tree, P(None, "tensor"))) == [
        "w: expected 8 on axis 0, found 32 (8 in each of 4 shards) [size]"
    ]


def test_one_axis_and_one_mesh_axis_leave_no_doubt() -> None:
    for hint, spec in [(Split, P("fsdp")), (Whole, P())]:
        report = inside(lambda shards, hint=hint: explain(shards, hint), vector(), spec)
        assert unknown(report) == []


def test_a_matrix_does_not_show_which_axis_is_split() -> None:
    text = "'fsdp' is Manual: one shard does not show which axis it splits"
    assert unknown(explained(specs_like()))[:2] == [
        f"up.kernel: {text} (P('fsdp', 'tensor'))",
        f"down.kernel: {text} (P('tensor', 'fsdp'))",
    ]
    assert len(explained(specs_like()).unknown) == 2


def test_sums_that_were_forgotten_are_refused() -> None:
    """Gradients of a replicated parameter differ over the batch until they are summed."""

    def look(shards: Any) -> tuple[Report, Report]:
        rows = jax.lax.axis_index("fsdp").astype(jnp.float32)
        grads = jax.tree.map(lambda x: x * rows, shards)
        summed = jax.tree.map(lambda x: jax.lax.psum(x, "fsdp"), grads)
        return explain(grads, Whole), explain(summed, Whole)

    grads, summed = inside(look, vector(), P())
    assert lines(grads) == [
        "v: expected P(), found a value that varies over 'fsdp' "
        "(out_specs of shard_map would refuse it) [sharding]"
    ]
    assert unknown(summed) == []


def test_the_same_value_everywhere_may_be_a_shard_or_a_copy() -> None:
    report = inside(lambda shards: explain(shards, Split), vector(), P())
    assert unknown(report) == [
        "v: 'fsdp' is Manual: the value does not vary over it, so it is a shard or a copy "
        "(P('fsdp'))"
    ]
    assert report.dims == {"d": 32}


@pytest.mark.parametrize("hint", [Split, Whole])
def test_without_check_vma_nothing_is_known_of_what_varies(hint: Any) -> None:
    for spec in (P("fsdp"), P()):
        report = inside(lambda shards: explain(shards, hint), vector(), spec, check_vma=False)
        (text,) = unknown(report)
        assert "is Manual: check_vma=False keeps no record of what varies over it" in text


def test_sums_that_are_not_carried_out_are_refused() -> None:
    if not hasattr(jax.lax, "pcast"):
        pytest.skip("this JAX carries out every sum over manual axes at once")

    def look(shards: Any) -> Report:
        return explain(
            jax.tree.map(lambda x: jax.lax.pcast(x, "fsdp", to="unreduced"), shards), Whole
        )

    assert lines(inside(look, vector(), P("fsdp"))) == [
        "v: expected P(), found partial sums over 'fsdp' [sharding]"
    ]
