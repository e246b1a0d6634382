"""Every form with all the arguments that it may have, in a class body and as the value of a hint."""

from typing import Annotated, Any, Final, Literal, assert_type

import jax
import jax.numpy as jnp
import numpy as np
from beartype.vale import Is
from flax import nnx
from flax.nnx import filterlib
from flax.nnx.training.optimizer import OptVariable
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, BFloat16, Float, Float32, Inexact
from schema_models import LinearState, NormState, linear_state, seen

from typedstate import (
    Abstract,
    Alias,
    Axis,
    Bind,
    Cast,
    Entries,
    Exactly,
    Flat,
    Having,
    Like,
    MemoryKind,
    Only,
    Placed,
    PlacedAs,
    PlacedBy,
    Plus,
    Pure,
    Rest,
    Same,
    Scoped,
    Sharded,
    Shardings,
    Shared,
    Specs,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
    Values,
    check,
)

Param = nnx.Param[jax.Array]
RULES: Final = (("embed", "data"), ("mlp", None))
KERNELS: Final = nnx.PathContains("kernel")
KINDS: Final = (nnx.Param, nnx.BatchStat)
SECOND: Final = Axis(1, "layers")


class Momentum(nnx.Variable[jax.Array]):
    """A user's own kind."""


def in_kernel(path: tuple[Any, ...], leaf: Any) -> bool:
    return "kernel" in path


class Leaves(TypedState):
    kind: nnx.Param[Any]
    own: Momentum
    exactly: Exactly[nnx.Param[Any]]
    exactly_own: Exactly[Momentum]
    array: nnx.Param[Float[Array, "din dout"]]
    record: nnx.Variable[tuple[Float[Array, "n"], None]]
    key: Annotated[nnx.RngKey, Float[Array, ""]]
    raw: Float[Array, "n"]
    plain: jax.Array | np.ndarray[Any, Any]
    scalar: float
    named: Annotated[nnx.Param[Float[Array, "n"]], P("embed")]
    exactly_named: Annotated[Exactly[nnx.Param[Float[Array, "n"]]], P("embed")]
    tested: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda x: True]]  # pyright: ignore[reportUnknownLambdaType]
    either: nnx.Param[Float[Array, "n"]] | LinearState
    maybe: nnx.Param[Float[Array, "n"]] | None
    anything: Any
    aliased: Annotated[nnx.Param[Float[Array, "n"]], Alias("values")]
    aliased_tuple: Annotated[nnx.Param[Float[Array, "n"]], Alias(("kernel", "sigma"))]
    aliased_state: Annotated[LinearState, Alias(0)]
    shared: Annotated[nnx.Param[Float[Array, "n"]], Shared("embed.embedding")]


def of_leaves(leaves: Leaves) -> None:
    assert_type(leaves.kind, nnx.Param[Any])
    assert_type(leaves.own, Momentum)
    assert_type(leaves.exactly, nnx.Param[Any])
    assert_type(leaves.exactly_own, Momentum)
    assert_type(leaves.array, Param)
    assert_type(leaves.record, nnx.Variable[tuple[jax.Array, None]])
    assert_type(leaves.key, nnx.RngKey)
    assert_type(leaves.raw, jax.Array)
    assert_type(leaves.plain, jax.Array | np.ndarray[Any, Any])
    assert_type(leaves.scalar, float)
    assert_type(leaves.named, Param)
    assert_type(leaves.exactly_named, Param)
    assert_type(leaves.tested, Param)
    assert_type(leaves.either, Param | LinearState)
    assert "maybe" in leaves
    assert_type(leaves.maybe, Param | None)
    assert_type(leaves.anything, Any)
    assert_type(leaves.shared, Param)


class Levels(TypedState):
    maps: StateMap[int, LinearState]
    of_leaves: StateMap[str, nnx.Param[Float[Array, "n"]]]
    of_either: StateMap[int, LinearState | NormState]
    of_forms: StateMap[int, Only[LinearState, nnx.Param]]
    of_maps: StateMap[str, StateMap[int, LinearState]]
    counted: Bind[StateMap[int, Bind[LinearState, "din=d"]], "len=layers"]
    entries: Entries[LinearState, None, NormState]
    bound_entries: Entries[LinearState, None, Bind[NormState, "d=64"]]
    like_entries: Entries[Param, Like[LinearState, OptVariable]]
    tree: StateOf[nnx.Param[Float[Array, "..."]]]
    tree_of_either: StateOf[nnx.Param[Any] | nnx.BatchStat[Any]]
    tree_of_raw: StateOf[jax.Array]
    flax_tree: nnx.State[str, nnx.Param[Any]]


def of_levels(levels: Levels) -> None:
    assert_type(levels.maps[0], LinearState)
    assert_type(levels.of_leaves["a"], Param)
    assert_type(levels.of_either[0], LinearState | NormState)
    assert_type(levels.of_forms[0], LinearState)
    assert_type(levels.of_maps["a"][0], LinearState)
    assert_type(levels.counted[0].kernel, Param)
    assert_type(levels.entries[0], LinearState)
    assert_type(levels.entries[2], NormState)
    assert_type(levels.bound_entries[2], NormState)
    assert_type(levels.like_entries[0], Param)
    assert_type(levels.like_entries[1], Like[LinearState, OptVariable])
    assert_type(levels.tree, nnx.State[Any, Param])
    assert_type(levels.tree_of_either, nnx.State[Any, nnx.Param[Any] | nnx.BatchStat[Any]])
    assert_type(levels.tree_of_raw, nnx.State[Any, jax.Array])
    assert_type(levels.flax_tree, nnx.State[str, nnx.Param[Any]])


class Kept(TypedState):
    """Forms that keep the leaves: to a type checker they are the schema."""

    bound: Bind[LinearState, "din=d dout=4*d"]
    fixed: Bind[LinearState, "din=8"]
    scoped: Scoped[LinearState, "teacher"]
    only: Only[LinearState, nnx.Param]
    only_own: Only[LinearState, Momentum]
    only_two: Only[NormState, nnx.Param, nnx.BatchStat]
    only_tuple: Only[NormState, (nnx.Param, nnx.BatchStat)]
    only_list: Only[NormState, [nnx.Param, nnx.BatchStat]]
    only_all: Only[LinearState, ...]
    only_true: Only[LinearState, True]
    only_not: Only[LinearState, nnx.Not(nnx.BatchStat)]
    only_every: Only[LinearState, nnx.All(nnx.Param, nnx.PathContains("kernel"))]
    only_any: Only[LinearState, nnx.Any(nnx.Param, nnx.BatchStat)]
    only_path: Only[LinearState, nnx.PathContains("kernel")]
    only_type: Only[LinearState, nnx.OfType(nnx.Param)]
    only_tag: Only[LinearState, "trainable"]
    only_tagged: Only[LinearState, filterlib.WithTag("trainable")]
    only_function: Only[LinearState, in_kernel]
    only_value: Only[LinearState, KERNELS, KINDS]
    rest: Rest[NormState, nnx.BatchStat]
    rest_not: Rest[NormState, nnx.Not(nnx.Param)]
    rest_many: Rest[LinearState, nnx.RngState, "frozen", nnx.BatchStat]
    plus: Plus[LinearState, nnx.LoRAParam]
    plus_two: Plus[LinearState, nnx.LoRAParam, nnx.Intermediate]
    having: Having[LinearState, "bias"]
    having_paths: Having[StateMap[int, LinearState], "*.bias"]
    stacked: Stacked[LinearState, "layers"]
    stacked_size: Stacked[LinearState, 4]
    stacked_kind: Stacked[LinearState, "layers", nnx.Param]
    stacked_axis: Stacked[LinearState, "layers", Axis(1), nnx.Param]
    stacked_named: Stacked[LinearState, "2*layers", Axis(index=-1, partition_name="layers")]
    stacked_value: Stacked[LinearState, "layers", SECOND, nnx.Not(nnx.RngState)]
    same: Same[LinearState, "T"]
    placed: Placed[LinearState]
    placed_as: PlacedAs[LinearState, "where"]
    placed_by: PlacedBy[LinearState, RULES]
    placed_by_pairs: PlacedBy[LinearState, (("embed", "data"), ("mlp", None))]
    sharded: Sharded[LinearState, "din=fsdp dout=tensor"]
    offloaded: MemoryKind[LinearState, "pinned_host"]
    offloaded_leaf: MemoryKind[Param, "pinned_host"]
    cast: Cast[LinearState, BFloat16]
    cast_any: Cast[LinearState, Inexact]
    maybe: Only[LinearState, nnx.Param] | None
    composed: Only[Stacked[Cast[LinearState, BFloat16], "layers"], nnx.Param]


def of_forms_that_keep_the_leaves(kept: Kept) -> None:
    assert_type(kept.bound, LinearState)
    assert_type(kept.fixed, LinearState)
    assert_type(kept.scoped, LinearState)
    assert_type(kept.only, LinearState)
    assert_type(kept.only_own, LinearState)
    assert_type(kept.only_two, NormState)
    assert_type(kept.only_tuple, NormState)
    assert_type(kept.only_list, NormState)
    assert_type(kept.only_all, LinearState)
    assert_type(kept.only_true, LinearState)
    assert_type(kept.only_not, LinearState)
    assert_type(kept.only_every, LinearState)
    assert_type(kept.only_any, LinearState)
    assert_type(kept.only_path, LinearState)
    assert_type(kept.only_type, LinearState)
    assert_type(kept.only_tag, LinearState)
    assert_type(kept.only_tagged, LinearState)
    assert_type(kept.only_function, LinearState)
    assert_type(kept.only_value, LinearState)
    assert_type(kept.rest, NormState)
    assert_type(kept.rest_not, NormState)
    assert_type(kept.rest_many, LinearState)
    assert_type(kept.plus, LinearState)
    assert_type(kept.plus_two, LinearState)
    assert_type(kept.stacked, LinearState)
    assert_type(kept.stacked_size, LinearState)
    assert_type(kept.stacked_kind, LinearState)
    assert_type(kept.stacked_axis, LinearState)
    assert_type(kept.stacked_named, LinearState)
    assert_type(kept.stacked_value, LinearState)
    assert_type(kept.same, LinearState)
    assert_type(kept.placed, LinearState)
    assert_type(kept.placed_by, LinearState)
    assert_type(kept.placed_by_pairs, LinearState)
    assert_type(kept.sharded, LinearState)
    assert_type(kept.offloaded, LinearState)
    assert_type(kept.offloaded_leaf, Param)
    assert_type(kept.cast, LinearState)
    assert_type(kept.cast_any, LinearState)
    assert "maybe" in kept
    assert_type(kept.maybe, LinearState | None)
    assert_type(kept.composed, LinearState)


class Changed(TypedState):
    """Forms that change the leaves: each is a type of its own, or what Flax makes."""

    pure: Pure[LinearState]
    pure_form: Pure[Only[Stacked[LinearState, "layers"], nnx.Param]]
    valued: Values[LinearState]
    flat: Flat[LinearState]
    flat_named: Flat[LinearState, Literal["/"]]
    flat_pure: Flat[Pure[Only[LinearState, nnx.Param]], Literal["."]]
    flat_map: Flat[StateMap[int, LinearState], Literal["/"]]
    flat_maybe: Flat[LinearState] | None
    abstract: Abstract[LinearState]
    abstract_form: Abstract[Only[LinearState, nnx.Param]]
    abstract_map: Abstract[Bind[StateMap[int, LinearState], "len=layers"]]
    shardings: Shardings[LinearState]
    specs: Specs[LinearState]
    like: Like[LinearState, OptVariable]
    like_generic: Like[LinearState, nnx.BatchStat[Any]]
    like_own: Like[LinearState, Momentum]
    like_either: Like[LinearState, OptVariable | None]
    like_leaf: Like[LinearState, nnx.Param[Float[Array, "..."]]]
    like_array: Like[LinearState, Float32[Array, "..."]]
    like_annotated: Like[LinearState, Annotated[OptVariable, Inexact[Array, "..."]]]
    like_cast: Like[Cast[Only[LinearState, nnx.Param], BFloat16], OptVariable]
    like_maybe: Like[LinearState, OptVariable] | None


def of_forms_that_change_the_leaves(changed: Changed) -> None:
    assert_type(changed.pure, dict[str, Any])
    assert_type(changed.pure_form, dict[str, Any])
    assert_type(changed.valued, nnx.State[Any, Any])
    assert_type(changed.flat, dict[Any, Any])
    assert_type(changed.flat_named, dict[Any, Any])
    assert_type(changed.flat_pure, dict[Any, Any])
    assert_type(changed.flat_map, dict[Any, Any])
    assert "flat_maybe" in changed
    assert_type(changed.flat_maybe, dict[Any, Any] | None)
    assert_type(changed.abstract, Abstract[LinearState])
    assert_type(changed.abstract_form, Abstract[LinearState])
    assert_type(changed.abstract_map, Abstract[StateMap[int, LinearState]])
    assert_type(changed.shardings, Shardings[LinearState])
    assert_type(changed.specs, Specs[LinearState])
    assert_type(changed.like, Like[LinearState, OptVariable])
    assert_type(changed.like_generic, Like[LinearState, nnx.BatchStat[Any]])
    assert_type(changed.like_own, Like[LinearState, Momentum])
    assert_type(changed.like_either, Like[LinearState, OptVariable | None])
    assert_type(changed.like_leaf, Like[LinearState, Param])
    assert_type(changed.like_array, Like[LinearState, jax.Array])
    assert_type(changed.like_annotated, Like[LinearState, OptVariable])
    assert_type(changed.like_cast, Like[LinearState, OptVariable])
    assert "like_maybe" in changed
    assert_type(changed.like_maybe, Like[LinearState, OptVariable] | None)


def test_arguments_as_values() -> None:
    state = linear_state()
    seen(assert_type(check(state, Bind[LinearState, "din=2"]), LinearState), nnx.State)
    seen(assert_type(check(state, Scoped[LinearState, "a"]), LinearState), nnx.State)
    seen(assert_type(check(state, Only[LinearState, KERNELS, nnx.Param]), LinearState), nnx.State)
    seen(assert_type(check(state, Only[LinearState, KINDS]), LinearState), nnx.State)
    seen(assert_type(check(state, Only[LinearState, [nnx.Param]]), LinearState), nnx.State)
    seen(assert_type(check(state, Only[LinearState, ...]), LinearState), nnx.State)
    kernels = nnx.state(nnx.Linear(2, 3, use_bias=False, rngs=nnx.Rngs(0)))
    seen(assert_type(check(kernels, Only[LinearState, in_kernel]), LinearState), nnx.State)
    seen(assert_type(check(state, Rest[LinearState, nnx.BatchStat]), LinearState), nnx.State)
    seen(assert_type(check(state, Plus[LinearState, nnx.LoRAParam]), LinearState), nnx.State)
    seen(assert_type(check(state, Having[LinearState, "bias"]), LinearState), nnx.State)
    seen(assert_type(check(state, Same[LinearState, "T"]), LinearState), nnx.State)
    seen(assert_type(check(state, Placed[LinearState]), LinearState), nnx.State)
    seen(assert_type(check(state, PlacedAs[LinearState, "where"]), LinearState), nnx.State)
    seen(assert_type(check(state, PlacedBy[LinearState, RULES]), LinearState), nnx.State)
    seen(assert_type(check(state, MemoryKind[LinearState, "device"]), LinearState), nnx.State)
    seen(assert_type(check(state, Sharded[LinearState, "din=fsdp"]), LinearState), nnx.State)
    seen(assert_type(check(state, Cast[LinearState, Float32]), LinearState), nnx.State)
    like = check(state, Like[LinearState, nnx.Param[Float[Array, "..."]]])
    seen(assert_type(like, Like[LinearState, Param]), nnx.State)
    layers: Any = nnx.map_state(lambda path, v: v.replace(jnp.stack([v[...]] * 4, 1)), state)
    hint = Stacked[LinearState, "layers", Axis(1), nnx.Param]
    seen(assert_type(check(layers, Stacked[LinearState, 4, Axis(1)]), LinearState), nnx.State)
    seen(assert_type(check(layers, hint), LinearState), nnx.State)


def test_forms_that_have_a_door_of_their_own() -> None:
    blocks = nnx.List([nnx.Linear(2, 3, rngs=nnx.Rngs(0))])
    maps = StateMap[int, LinearState].of(blocks)
    seen(assert_type(maps, StateMap[int, LinearState]), nnx.State)
    entries = Entries[LinearState].of(nnx.state(blocks))
    seen(assert_type(entries[0].kernel, Param), nnx.Param)
    abstract = nnx.eval_shape(lambda: nnx.Linear(2, 3, rngs=nnx.Rngs(0)))
    seen(assert_type(Abstract[LinearState].of(abstract), Abstract[LinearState]), nnx.State)
    made = StateMap[int, LinearState]({0: maps[0]})
    seen(assert_type(made[0], LinearState), nnx.State)
