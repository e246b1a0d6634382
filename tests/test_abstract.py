"""Trees derived from a declaration: abstract states, partition specs, shardings."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import linen, nnx
from flax.nnx.training.optimizer import OptArray, OptVariable
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxtyping import Array, BFloat16, Float, Float32, Int, Key, UInt32
from zoo import leaf, list_of, named, state

from typedstate import (
    Abstract,
    Bind,
    Entries,
    Like,
    Only,
    Placed,
    PlacedBy,
    Plus,
    Pure,
    SchemaError,
    Scoped,
    Sharded,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
    abstract,
    explain,
    shardings,
    specs,
)
from typedstate._compat import variables

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


class LinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None


class BlockState(TypedState):
    up: Bind[LinearState, "din=d dout=4*d"]
    down: Bind[LinearState, "din=4*d dout=d"]


class ModelState(TypedState):
    blocks: Bind[StateMap[int, Bind[BlockState, "d"]], "len=layers"]
    head: Bind[LinearState, "din=d dout=vocab"]


around: Any = getattr(jax, "set_mesh", None) or getattr(jax.sharding, "use_mesh", None)
Named = Sharded[ModelState, "d=fsdp 4*d=tensor vocab=tensor"]
GIVEN: dict[str, Any] = {"d": 8, "layers": 2, "vocab": 12}
BIASED: dict[str, Any] = {"choices": {"*.bias": True}}


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(8, 32, rngs=rngs)
        self.down = nnx.Linear(32, 8, rngs=rngs)


class Model(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.blocks = list_of([Block(rngs) for _ in range(2)])
        self.head = nnx.Linear(8, 12, rngs=rngs)


@pytest.fixture
def mesh() -> jax.sharding.Mesh:
    return jax.make_mesh((4, 2), ("fsdp", "tensor"), axis_types=(AxisType.Auto,) * 2)


def raw(tree: Any) -> Any:
    """What a leaf holds."""
    return variables.raw_value(tree) if variables.is_variable(tree) else tree


def refusal(call: Any, *args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(SchemaError) as error:
        call(*args, **kwargs)
    return str(error.value).splitlines()


# -- abstract ----------------------------------------------------------------------------------


def test_an_abstract_state_is_that_of_the_model() -> None:
    made = abstract(ModelState, dtype=jnp.float32, **BIASED, **GIVEN)
    assert explain(made, Abstract[ModelState])
    wanted = nnx.state(nnx.eval_shape(lambda: Model(nnx.Rngs(0))))
    assert jax.tree.leaves(made) == jax.tree.leaves(wanted)
    paths = [path for path, _ in nnx.to_flat_state(made)]
    assert paths == [path for path, _ in nnx.to_flat_state(wanted)]


def test_every_open_choice_is_named() -> None:
    class Small(TypedState):
        kernel: nnx.Param[Float[Array, "din dout"]]
        bias: nnx.Param[Float[Array, "dout"]] | None
        rest: StateMap[str, nnx.Param[Float32[Array, "_ n ..."]]]
        count: nnx.Variable[Any] | nnx.Param[Float32[Array, ""]]
        any: nnx.BatchStat

    assert refusal(abstract, Small) == [
        "abstract(Small) can't be made:",
        "  kernel: axis 0 is open: give din=",
        "  kernel: axis 1 is open: give dout=",
        "  kernel: which dtype of Float? dtype=jnp.float32, ...",
        '  bias: there or not? choices={"bias": True} or False',
        "  bias: axis 0 is open: give dout=",
        "  bias: which dtype of Float? dtype=jnp.float32, ...",
        '  rest: which entries? choices={"rest": [...]}',
        "  rest[*]: axis 0 is open: name it in the schema",
        "  rest[*]: axis 1 is open: give n=",
        "  rest[*]: axis 2 is open: name it in the schema",
        '  count: which one? choices={"count": 0} for 0: Variable, 1: Param[Float32[Array, ""]]',
        "  count: its shape and dtype are open: say more in the schema, or give like=",
        "  any: its shape and dtype are open: say more in the schema, or give like=",
    ]


def test_choices_settle_what_is_open() -> None:
    class Small(TypedState):
        w: nnx.Param[Float[Array, "n"]] | nnx.BatchStat[Int[Array, "n"]]
        extras: StateMap[str, nnx.Param[Float32[Array, "n"]]]
        stack: StateMap[int, nnx.Param[Float32[Array, "*run"]]]
        key: Annotated[nnx.RngKey, Key[Array, ""]]
        count: Annotated[nnx.RngCount, UInt32[Array, ""]]

    choices = {"w": 'BatchStat[Int[Array, "n"]]', "extras": ["a", "b"], "stack": 2}
    made: Any = abstract(Small, n=3, run=(4, 5), dtype=(jnp.bfloat16, jnp.int16), choices=choices)
    assert explain(made, Abstract[Small])
    assert variables.kind_of(made["w"]) is nnx.BatchStat
    assert raw(made["w"]).dtype == jnp.int16
    assert sorted(made["extras"]) == ["a", "b"]
    assert raw(made["stack"][1]).shape == (4, 5)
    assert raw(made["key"]).dtype == jax.random.key(0).dtype


def test_expressions_and_names_inside_get_their_sizes() -> None:
    made: Any = abstract(ModelState, dtype=jnp.float32, choices={"*.bias": False}, **GIVEN)
    assert raw(made["blocks"][1]["up"]["kernel"]).shape == (8, 32)
    assert "bias" not in made["head"]

    class Outer(TypedState):
        inner: LinearState

    made = abstract(Outer, din=2, dout=3, dtype=jnp.float32, **BIASED)
    assert raw(made["inner"]["kernel"]).shape == (2, 3)


class PairState(TypedState):
    one: nnx.Param[Float32[Array, "d e"]]
    other: nnx.Param[Float32[Array, "e d"]]


class NestedState(TypedState):
    scale: nnx.Param[Float32[Array, "d"]]
    by_name: Stacked[StateMap[str, nnx.Param[Float32[Array, "d e"]]], "layers"]
    by_number: Stacked[Bind[StateMap[int, Bind[PairState, "d e"]], "len=n"], "layers"]
    pair: Stacked[Bind[PairState, "d=e e=2*d"], "layers"]
    either: Bind[PairState, "d e"] | Bind[PairState, "d=e e=d"]
    entries: Entries[None, Bind[Stacked[PairState, "m"], "d e m=n"]]


@pytest.mark.parametrize(
    ("hint", "given"),
    [
        (NestedState, {"d": 2, "e": 3, "layers": 4, "n": 2}),
        (Bind[NestedState, "d=q e=3 layers=q n=q"], {"q": 2}),
        (Bind[Bind[NestedState, "d e=d layers n"], "d=2*k layers=3 n=k"], {"k": 2}),
        (Scoped[NestedState, "teacher"], {"d": 2, "e": 3, "layers": 4, "n": 2}),
        (Stacked[NestedState, "models"], {"models": 5, "d": 2, "e": 3, "layers": 4, "n": 2}),
    ],
    ids=["plain", "bound", "bound twice", "apart", "stacked"],
)
def test_names_are_found_through_every_form_around_them(hint: Any, given: dict[str, int]) -> None:
    """The tree that is built has the sizes that the explainer reads from it."""
    made = abstract(hint, choices={"by_name": ["a", "b"], "either": 0}, **given)
    report = explain(made, Abstract[hint])
    assert report, report
    assert report.dims == ({} if hint is Scoped[NestedState, "teacher"] else given)


def test_a_wrong_dim_and_a_size_that_is_none_are_named() -> None:
    assert refusal(abstract, LinearState, d=3) == [
        "abstract(LinearState): there is no dim 'd'; there are din, dout"
    ]

    class Shrunk(TypedState):
        w: nnx.Param[Float32[Array, "n-4"]]

    assert refusal(abstract, Shrunk, n=3) == [
        "abstract(Shrunk) can't be made:",
        "  w: axis 0 is open: n-4 is no size",
    ]


def test_a_name_that_is_asked_for_is_taken() -> None:
    class StemState(TypedState):
        kernel: nnx.Param[Float32[Array, "*window d"]]
        positions: nnx.Param[Float32[Array, "patches+1 d"]]

    class VisionState(TypedState):
        stem: Bind[StemState, "d"]

    assert refusal(abstract, VisionState, d=2) == [
        "abstract(VisionState) can't be made:",
        "  stem.kernel: axis 0 is open: give window=(...)",
        "  stem.positions: axis 0 is open: give patches=",
    ]
    made = abstract(VisionState, d=2, window=(3, 3), patches=4)
    shapes = jax.tree.map(lambda array: array.shape, nnx.to_pure_dict(made))
    assert shapes == {"stem": {"kernel": (3, 3, 2), "positions": (5, 2)}}


def test_names_in_metadata_are_those_of_the_declaration(mesh: jax.sharding.Mesh) -> None:
    class S(TypedState):
        w: Annotated[nnx.Param[Float32[Array, "d n"]], P("embed", "mlp")]

    rules = (("embed", "fsdp"), ("mlp", "tensor"))
    made: Any = abstract(S, d=8, n=4, mesh=mesh, rules=rules)
    assert explain(made, S).violations[0].code == "array"
    assert explain(made, Abstract[S])
    assert explain(made, Placed[Abstract[S], rules])
    assert raw(made["w"]).sharding == NamedSharding(mesh, P("fsdp", "tensor"))


def test_faults_of_the_mesh_are_named_all_at_once(mesh: jax.sharding.Mesh) -> None:
    class S(TypedState):
        a: Annotated[nnx.Param[Float32[Array, "d n"]], P("embed", "tensor")]
        b: Annotated[nnx.Param[Float32[Array, "d n"]], P("fsdp", "fsdp")]
        c: Annotated[nnx.Param[Float32[Array, "d n"]], P(("fsdp", "tensor"))]

    lines = [
        "  a: expected axes of the mesh (fsdp=4, tensor=2), found 'embed' in P('embed', 'tensor')",
        "  b: expected 'fsdp' at one axis only, as a mesh axis splits one, found P('fsdp', 'fsdp')",
        "  c: expected axis 0 divisible by fsdp=4*tensor=2, found size 12",
    ]
    given = {"d": 12, "n": 4}
    assert refusal(abstract, S, mesh=mesh, **given) == ["abstract(S) can't be made:", *lines]
    assert refusal(shardings, S, mesh, **given) == ["shardings(S) can't be made:", *lines]
    assert refusal(specs, S) == ["specs(S) can't be made:", lines[1]]


# -- specs and shardings -------------------------------------------------------------------------


def test_specs_and_shardings_fit_their_forms(mesh: jax.sharding.Mesh) -> None:
    found = specs(Named, layers=2, **BIASED)
    assert explain(found, Specs[Named])
    on_mesh = shardings(Named, mesh, **BIASED, **GIVEN)
    assert explain(on_mesh, Shardings[Named], dims=GIVEN)
    assert jax.tree.map(lambda s: s.spec, on_mesh) == found
    assert shardings(Named, mesh, like=Model(nnx.Rngs(0))) == on_mesh
    assert shardings(Named, mesh, like=nnx.state(Model(nnx.Rngs(0)))) == on_mesh


def test_a_leaf_without_names_is_not_split() -> None:
    assert specs(LinearState, choices={"bias": True}) == nnx.State({"kernel": P(), "bias": P()})


def test_logical_names_are_resolved(mesh: jax.sharding.Mesh) -> None:
    class S(TypedState):
        w: Annotated[nnx.Param[Float[Array, "d n"]], P("embed", "mlp")]

    assert specs(S)["w"] == P("embed", "mlp")
    assert specs(S, (("mlp", "tensor"), ("embed", None)))["w"] == P(None, "tensor")
    assert specs(S, lambda names: [f"{name}!" for name in names])["w"] == P("embed!", "mlp!")


@pytest.mark.parametrize("form", ["state", "params", "pure", "stacked"])
def test_jax_takes_the_trees(mesh: jax.sharding.Mesh, form: str) -> None:
    model_state: Any = nnx.state(Model(nnx.Rngs(0)))
    hint: Any = Named
    if form == "params":
        model_state, hint = nnx.filter_state(model_state, nnx.Param), Only[Named, nnx.Param]
    elif form == "pure":
        model_state, hint = nnx.to_pure_dict(model_state), Pure[Named]
    elif form == "stacked":
        model_state, hint = (
            jax.tree.map(lambda x: jnp.stack([x] * 3), model_state),
            Stacked[Named, "n"],
        )
    on_mesh: Any = shardings(hint, mesh, like=model_state)
    for placed in [
        jax.device_put(model_state, on_mesh),
        jax.jit(lambda x: x, out_shardings=on_mesh)(model_state),
        jax.jit(lambda x: x, in_shardings=(on_mesh,), out_shardings=on_mesh)(model_state),
        jax.jit(lambda x: jax.lax.with_sharding_constraint(x, on_mesh))(model_state),
    ]:
        report = explain(placed, Placed[hint])
        assert report, report
        assert not report.unknown
    arrays: Any = abstract(hint, mesh=mesh, like=model_state)
    shaped = jax.eval_shape(lambda x: jax.tree.map(lambda y: y + 1, x), arrays)
    assert explain(shaped, Abstract[hint])
    assert explain(arrays, Placed[Abstract[hint]])


def test_specs_are_constraints_and_shardings_of_jit_under_a_mesh(
    mesh: jax.sharding.Mesh,
) -> None:
    model_state: Any = nnx.state(Model(nnx.Rngs(0)))
    found = specs(Named, like=model_state)
    with around(mesh):
        for placed in [
            jax.jit(lambda x: jax.lax.with_sharding_constraint(x, found))(model_state),
            jax.jit(lambda x: x, in_shardings=(found,), out_shardings=found)(model_state),
            jax.jit(lambda x: x, out_shardings=found)(model_state),
        ]:
            assert explain(placed, Placed[Named])


def test_trees_for_explicit_axes() -> None:
    explicit = jax.make_mesh((4, 2), ("fsdp", "tensor"), axis_types=(AxisType.Explicit,) * 2)
    model_state: Any = nnx.state(Model(nnx.Rngs(0)))
    found: list[Any] = []

    def body(inner: Any) -> Any:
        found.append(explain(inner, Placed[Named]))
        return inner

    on_mesh = shardings(Named, explicit, like=model_state)
    with around(explicit):
        placed = jax.device_put(model_state, on_mesh)
        out = jax.jit(body, in_shardings=(on_mesh,), out_shardings=on_mesh)(placed)
    for report in (*found, explain(out, Placed[Named])):
        assert report, report
        assert not report.unknown


class LogicalState(TypedState):
    w: Annotated[nnx.Param[Float32[Array, "d n"]], P("embed", "mlp")]


RULES = (("embed", "fsdp"), ("mlp", "tensor"))


def test_rules_of_argument_variable_and_context_make_the_same_trees(
    mesh: jax.sharding.Mesh,
) -> None:
    wanted = NamedSharding(mesh, P("fsdp", "tensor"))
    values = jnp.ones((8, 4))
    first_fit = functools.partial(linen.logical_to_mesh_axes, rules=(("mlp", "fsdp"), *RULES))
    plain = state({"w": named(nnx.Param, values, "embed", "mlp")})
    metadata = {"sharding": ("embed", "mlp"), "eager_sharding": False, "sharding_rules": RULES}
    own = state({"w": leaf(nnx.Param, values, **metadata)})
    found = [
        shardings(LogicalState, mesh, RULES, like=plain),
        shardings(LogicalState, mesh, like=own),
    ]
    with linen.logical_axis_rules(RULES):
        found.append(shardings(LogicalState, mesh, d=8, n=4))
        assert specs(LogicalState)["w"] == P("fsdp", "tensor")
        made: Any = abstract(LogicalState, d=8, n=4, mesh=mesh)
        assert raw(made["w"]).sharding == wanted
    assert [tree["w"] for tree in found] == [wanted] * 3
    # Linen takes the first rule whose axis is free: mlp has fsdp before embed comes.
    assert specs(LogicalState, first_fit)["w"] == P(None, "fsdp")


def test_rules_of_a_declaration_go_with_it(mesh: jax.sharding.Mesh) -> None:
    first_fit = functools.partial(linen.logical_to_mesh_axes, rules=(("mlp", "fsdp"), *RULES))
    for rules, spec in [(RULES, P("fsdp", "tensor")), (first_fit, P(None, "fsdp"))]:
        hint: Any = PlacedBy[LogicalState, rules]
        assert specs(hint)["w"] == spec
        on_mesh = shardings(hint, mesh, d=8, n=4)
        assert on_mesh["w"] == NamedSharding(mesh, spec)
        made: Any = abstract(hint, d=8, n=4, mesh=mesh)
        assert raw(made["w"]).sharding == NamedSharding(mesh, spec)
        for tree, form in [
            (specs(hint), Specs[hint]),
            (on_mesh, Shardings[hint]),
            (made, Abstract[hint]),
            (made, Placed[Abstract[hint]]),
        ]:
            report = explain(tree, form)
            assert report, report
            assert not report.unknown
        turned = nnx.State({"w": NamedSharding(mesh, P(*reversed([*spec, None][:2])))})
        assert not explain(turned, Shardings[hint])
    assert specs(PlacedBy[LogicalState, first_fit], RULES)["w"] == P("fsdp", "tensor")


def checkpointers() -> dict[str, Any]:
    """The ways of orbax to save a tree and to restore it by an abstract one."""
    ocp = pytest.importorskip("orbax.checkpoint")

    def standard(path: Path, tree: Any, target: Any) -> Any:
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(path, tree)
            checkpointer.wait_until_finished()
            return checkpointer.restore(path, target)

    def pytree(path: Path, tree: Any, target: Any) -> Any:
        with ocp.PyTreeCheckpointer() as checkpointer:
            checkpointer.save(path, tree)
            how = ocp.checkpoint_utils.construct_restore_args(target)
            return checkpointer.restore(
                path, args=ocp.args.PyTreeRestore(item=target, restore_args=how)
            )

    def manager(path: Path, tree: Any, target: Any) -> Any:
        with ocp.CheckpointManager(path) as steps:
            steps.save(0, args=ocp.args.StandardSave(tree))
            steps.wait_until_finished()
            return steps.restore(0, args=ocp.args.StandardRestore(target))

    return {"standard": standard, "pytree": pytree, "manager": manager}


@pytest.mark.parametrize("way", ["standard", "pytree", "manager"])
@pytest.mark.parametrize("pure", [False, True], ids=["state", "pure"])
def test_orbax_restores_what_is_declared(
    mesh: jax.sharding.Mesh, tmp_path: Path, way: str, pure: bool
) -> None:
    saved: Any = nnx.state(Model(nnx.Rngs(0)))
    hint: Any = Named
    if pure:
        saved, hint = nnx.to_pure_dict(saved), Pure[Named]
    target = abstract(hint, mesh=mesh, dtype=jnp.float32, **BIASED, **GIVEN)
    restored = checkpointers()[way](tmp_path / "model", saved, target)
    report = explain(restored, Placed[hint])
    assert report, report
    assert not report.unknown
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), saved, restored))


def test_an_optimizer_is_sharded_like_its_model(mesh: jax.sharding.Mesh) -> None:
    Moments = Like[Named, OptVariable]

    class ScaleState(TypedState):
        count: Annotated[OptArray, Int[Array, ""]]
        mu: Moments
        nu: Moments

    class OptimizerState(TypedState, extra="allow"):
        opt_state: Entries[ScaleState]

    optimizer = nnx.Optimizer(Model(nnx.Rngs(0)), optax.scale_by_adam(), wrt=nnx.Param)
    tree: Any = nnx.state(optimizer)
    opt_state = tree["opt_state"]
    if "mu" in opt_state:

        class FlatState(TypedState, extra="allow"):
            opt_state: ScaleState

        hint: Any = FlatState
    else:
        hint = OptimizerState
    placed = jax.device_put(tree, shardings(hint, mesh, like=tree))
    assert explain(placed, Placed[hint])
    assert not explain(tree, Placed[hint])


def test_a_state_made_of_states_gets_a_tree_like_it(mesh: jax.sharding.Mesh) -> None:
    class Two(TypedState):
        one: Named
        other: Named

    whole: Any = nnx.state(Model(nnx.Rngs(0)))
    tree = nnx.State({"one": whole, "other": whole})
    placed = jax.device_put(tree, shardings(Two, mesh, like=tree))
    assert explain(placed, Placed[Two])
    assert not explain(tree, Placed[Two])


# -- Following a tree ------------------------------------------------------------------------------


def test_what_is_not_declared_follows_the_tree(mesh: jax.sharding.Mesh) -> None:
    tree = state(
        {
            "kernel": leaf(nnx.Param, jnp.ones((8, 2))),
            "lora": {"a": leaf(nnx.LoRAParam, jnp.ones((8, 2)))},
        }
    )
    hint = Plus[Sharded[LinearState, "din=fsdp"], nnx.LoRAParam]
    found = specs(hint, like=tree)
    assert found == nnx.State({"kernel": P("fsdp"), "lora": {"a": P()}})
    jax.device_put(tree, shardings(hint, mesh, like=tree))


def test_unions_and_trees_of_any_depth_follow_the_tree() -> None:
    class Quantised(TypedState):
        q: nnx.Param[Float[Array, "d n"]]
        scale: nnx.Param[Float[Array, "d"]]

    class S(TypedState):
        w: nnx.Param[Float[Array, "d n"]] | Quantised
        rest: StateOf[nnx.BatchStat[Float[Array, "d"]]]

    hint = Sharded[S, "d=fsdp"]
    rest = {"a": {"b": leaf(nnx.BatchStat, jnp.ones(4))}}
    plain = state({"w": leaf(nnx.Param, jnp.ones((4, 2))), "rest": rest})
    assert specs(hint, like=plain) == nnx.State({"w": P("fsdp"), "rest": {"a": {"b": P("fsdp")}}})
    parts = {"q": leaf(nnx.Param, jnp.ones((4, 2))), "scale": leaf(nnx.Param, jnp.ones(4))}
    quantised = state({"w": parts, "rest": rest})
    found = specs(hint, like=quantised)
    assert found["w"] == {"q": P("fsdp"), "scale": P("fsdp")}
    like = jax.eval_shape(lambda: quantised)
    assert specs(hint, like=like) == found
    assert refusal(specs, hint)[1:] == [
        '  w: which one? choices={"w": 0} for 0: Param[Float[Array, "d n"]], '
        "1: Sharded[Quantised, 'd=fsdp']",
        "  rest: a StateOf does not say which keys there are: give like=",
    ]


def test_a_raw_optax_state_is_a_tuple_of_trees() -> None:
    class Adam(NamedTuple):
        count: Int[Array, ""]
        mu: Pure[LinearState]

    made: Any = abstract(
        tuple[Adam, Pure[LinearState]], din=2, dout=3, dtype=(jnp.float32, jnp.int32), **BIASED
    )
    assert isinstance(made[0], Adam)
    assert made[0].mu["kernel"] == jax.ShapeDtypeStruct((2, 3), jnp.float32)


def test_dtypes_of_a_form_are_those_of_the_tree() -> None:
    made: Any = abstract(Like[LinearState, BFloat16], din=2, dout=3, **BIASED)
    assert raw(made["kernel"]).dtype == jnp.bfloat16
