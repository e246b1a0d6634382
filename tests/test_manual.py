"""Inside shard_map S speaks of one shard, `Placed[S]` of the whole array as far as it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, Key
from zoo import leaf, named, state

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
    fits,
    shardings,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")

shard_map: Any = jax.shard_map
around: Any = getattr(jax, "set_mesh", None) or getattr(jax.sharding, "use_mesh", None)


def mesh_of(*kinds: AxisType) -> Mesh:
    kinds = kinds or (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh((4, 2), ("fsdp", "tensor"), axis_types=kinds)


class LinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]]


class ModelState(TypedState):
    up: Bind[LinearState, "din=d dout=hidden"]
    down: Bind[LinearState, "din=hidden dout=d"]
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


def inside(
    look: Callable[[Any], Any], tree: Any, specs: Any, mesh: Mesh | None = None, **options: Any
) -> Any:
    """What a function says of the shards."""
    found: list[Any] = []

    def body(shards: Any) -> None:
        found.append(look(shards))

    jax.jit(shard_map(body, mesh=mesh or mesh_of(), in_specs=(specs,), out_specs=None, **options))(
        tree
    )
    return found[0]


def explained(specs: Any, hint: Any = Placed[Model], **options: Any) -> Report:
    return inside(lambda shards: explain(shards, hint), model_state(), specs, **options)


def lines(report: Report) -> list[str]:
    return [str(violation) for violation in report.violations]


def unknown(report: Report) -> list[str]:
    assert report, report
    return [str(item) for item in report.unknown]


# -- Sizes ---------------------------------------------------------------------------------------


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


# -- What varies ---------------------------------------------------------------------------------


class VectorState(TypedState):
    v: nnx.Param[Float[Array, "d"]]


def vector(size: int = 8) -> Any:
    return state({"v": leaf(nnx.Param, jnp.ones(size))})


Split = Placed[Sharded[VectorState, "d=fsdp"]]
Whole = Placed[Sharded[VectorState, "d=None"]]


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


# -- Some axes only ------------------------------------------------------------------------------


def partly(kind: AxisType, hint: Any, spec: P) -> Report:
    mesh = mesh_of(kind, kind)
    tree = state({"w": leaf(nnx.Param, jnp.ones((8, 4)))})
    with around(mesh):
        placed = jax.device_put(tree, NamedSharding(mesh, spec))
        manual = P(*(name if name == "fsdp" else None for name in spec))
        return inside(
            lambda shards: explain(shards, hint), placed, manual, mesh, axis_names={"fsdp"}
        )


class MatrixState(TypedState):
    w: nnx.Param[Float[Array, "d n"]]


def test_explicit_axes_beside_manual_ones_are_exact() -> None:
    hint: Any = Placed[Sharded[MatrixState, "n=tensor"]]
    assert unknown(partly(AxisType.Explicit, hint, P(None, "tensor"))) == []
    assert lines(partly(AxisType.Explicit, hint, P("tensor"))) == [
        "w: expected P(None, 'tensor'), found P('tensor') [sharding]"
    ]
    both: Any = Placed[Sharded[MatrixState, "d=fsdp n=tensor"]]
    right = partly(AxisType.Explicit, both, P("fsdp", "tensor"))
    assert unknown(right) == [
        "w: 'fsdp' is Manual: one shard does not show which axis it splits (P('fsdp', 'tensor'))"
    ]
    assert right.dims == {"d": 8, "n": 4}


def test_auto_axes_beside_manual_ones_are_unknown() -> None:
    hint: Any = Placed[Sharded[MatrixState, "n=tensor"]]
    for spec in (P(None, "tensor"), P("tensor")):
        assert unknown(partly(AxisType.Auto, hint, spec)) == [
            "w: 'tensor' is Auto: a tracer does not show it (P(None, 'tensor'))"
        ]


def test_a_mesh_axis_of_size_one_takes_nothing_apart() -> None:
    flat = jax.make_mesh((1, 8), ("fsdp", "tensor"), axis_types=(AxisType.Auto,) * 2)
    report = inside(lambda shards: explain(shards, Split), vector(), P("fsdp"), flat)
    assert unknown(report) == []
    assert report.dims == {"d": 8}


# -- Modules, keys, boundaries -------------------------------------------------------------------


class Linear(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(8, 4, rngs=rngs)


def runs_nnx_shard_map() -> bool:
    """Whether Flax and JAX fit each other there: Flax 0.12.0 and jax 0.8 do not."""
    run: Any = nnx.shard_map(lambda x: x, mesh=mesh_of(), in_specs=P(), out_specs=P())
    try:
        run(jnp.ones(1))
    except TypeError:
        return False
    return True


class HolderState(TypedState):
    linear: LinearState


def test_a_module_in_nnx_shard_map() -> None:
    holder: Any = Placed[Sharded[HolderState, "din=fsdp dout=tensor"]]

    @checked
    def apply(model: Annotated[Linear, holder], x: Float[Array, "batch din"]) -> None:
        """Takes both."""

    if not runs_nnx_shard_map():
        pytest.skip("this Flax calls shard_map as this JAX no longer has it")

    def run(kernel: P) -> None:
        of_leaves = {nnx.filterlib.PathContains("kernel"): kernel, ...: P("tensor")}
        specs = (nnx.StateSharding(of_leaves), P())
        body: Any = nnx.shard_map(apply, mesh=mesh_of(), in_specs=specs, out_specs=None)
        body(Linear(nnx.Rngs(0)), jnp.ones((4, 8)))

    run(P("fsdp", "tensor"))
    with pytest.raises(StateTypeError) as error:
        run(P("fsdp"))
    assert str(error.value).splitlines()[1] == (
        "  model.linear.bias: dout is 4, but dout=8 from model.linear.kernel, axis 1 "
        "(2 in each of 2 shards) [dim]"
    )


def test_keys_are_shards_too() -> None:
    class KeyState(TypedState):
        key: Annotated[nnx.RngKey, Key[Array, "n"]]

    tree = state({"key": leaf(nnx.RngKey, jax.random.split(jax.random.key(0), 8))})
    hint: Any = Placed[Sharded[KeyState, "n=fsdp"]]
    report = inside(lambda shards: explain(shards, hint), tree, P("fsdp"))
    assert unknown(report) == []
    assert report.dims == {"n": 8}


def test_the_fast_path_tells_shards_from_whole_arrays() -> None:
    hint: Any = Split

    def look(shards: Any) -> list[bool]:
        return [fits(shards, hint), bool(explain(shards, hint))]

    mesh = mesh_of()
    placed = jax.device_put(vector(), NamedSharding(mesh, P("fsdp")))
    for _ in range(3):
        assert fits(placed, hint)
        assert inside(look, vector(), P("fsdp")) == [True, True]
        assert inside(look, vector(16), P("fsdp")) == [True, True]
        assert fits(jax.device_put(vector(16), NamedSharding(mesh, P("fsdp"))), hint)


def test_a_dim_of_two_leaves_is_checked_on_the_fast_path_too() -> None:
    class PairState(TypedState):
        shared: Annotated[nnx.Param[Float[Array, "d"]], P("fsdp")]
        whole: Annotated[nnx.Param[Float[Array, "d"]], P(None)]

    def pair(size: int) -> Any:
        shared = named(nnx.Param, jnp.ones(size), "fsdp")
        return state({"shared": shared, "whole": leaf(nnx.Param, jnp.ones(8))})

    def look(shards: Any) -> list[bool]:
        return [fits(shards, Placed[PairState]), bool(explain(shards, Placed[PairState]))]

    specs = nnx.State({"shared": P("fsdp"), "whole": P()})
    for _ in range(3):
        assert inside(look, pair(8), specs) == [True, True]
        assert inside(look, pair(32), specs) == [False, False]


def test_the_check_leaves_the_jaxpr_as_it_is() -> None:
    def step(tree: Any) -> Any:
        return jax.tree.map(lambda x: x * 2, tree)

    def jaxpr(body: Any) -> str:
        whole = shard_map(body, mesh=mesh_of(), in_specs=P(), out_specs=P())
        return str(jax.make_jaxpr(whole)(vector()))

    @checked
    def checked_step(tree: Whole) -> Whole:  # type: ignore[valid-type]
        return step(tree)

    assert jaxpr(checked_step) == jaxpr(step)
