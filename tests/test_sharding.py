"""Names in metadata, axes of a mesh, and where arrays really are."""

from __future__ import annotations

import functools
import warnings
from typing import Annotated, Any

import flax.linen as nn
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.nnx.training.optimizer import OptVariable
from hypothesis import given
from jax.experimental.layout import Format
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, Key
from zoo import as_dict, leaf, named, state

from typedstate import (
    Abstract,
    Axis,
    Bind,
    Like,
    Only,
    Placed,
    PlacedBy,
    Pure,
    Report,
    SchemaError,
    Sharded,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    TypedState,
    checked,
    explain,
    fits,
    shardings,
    specs,
)
from typedstate._compat import axis_rules, variables
from typedstate._sharding import axis_names

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def mesh_of(kind: AxisType = AxisType.Auto, shape: tuple[int, ...] = (4, 2)) -> jax.sharding.Mesh:
    return jax.make_mesh(shape, ("fsdp", "tensor"), axis_types=(kind,) * 2)


@pytest.fixture
def mesh() -> jax.sharding.Mesh:
    return mesh_of()


set_mesh: Any = getattr(jax, "set_mesh", None) or getattr(jax.sharding, "use_mesh", None)
#: `flax.core.spmd` has the context of rules on every supported Flax.
rules_of: Any = nn.logical_axis_rules


class LinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None


class BlockState(TypedState):
    up: Bind[LinearState, "din=d dout=hidden"]
    down: Bind[LinearState, "din=hidden dout=d"]


class ModelState(TypedState):
    blocks: Bind[StateMap[int, Bind[BlockState, "d"]], "len=layers"]
    head: Bind[LinearState, "din=d dout=vocab"]


class NamedState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "d hidden"]], P("embed", "mlp")]


class MeshNamedState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "d hidden"]], P("fsdp", "tensor")]


FsdpState = Sharded[ModelState, "d=fsdp hidden=tensor vocab=tensor"]


def linear(din: int, dout: int) -> dict[str, Any]:
    return {
        "kernel": leaf(nnx.Param, jnp.ones((din, dout))),
        "bias": leaf(nnx.Param, jnp.ones(dout)),
    }


def model_state(d: int = 8, hidden: int = 16, vocab: int = 12) -> Any:
    blocks = {i: {"up": linear(d, hidden), "down": linear(hidden, d)} for i in range(2)}
    return state({"blocks": blocks, "head": linear(d, vocab)})


def weight(value: Any, *names: Any, **metadata: Any) -> Any:
    if names:
        metadata = {"sharding": names, "eager_sharding": False, **metadata}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Flax says "out_sharding" for "sharding"
        return state({"w": leaf(nnx.Param, value, **metadata)})


def put(spec: P, mesh: jax.sharding.Mesh, shape: tuple[int, ...] = (8, 16)) -> jax.Array:
    return jax.device_put(jnp.ones(shape), NamedSharding(mesh, spec))


def messages(report: Report) -> list[str]:
    return [str(violation) for violation in report.violations]


def unknown(report: Report) -> list[str]:
    assert report, report
    return [str(item) for item in report.unknown]


# -- Names in metadata --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "fits_too"),
    [
        (("embed", "mlp"), True),
        ((("embed",), "mlp"), True),
        (("mlp", "embed"), False),
        (("embed",), False),
        ((("embed", "mlp"), None), False),
    ],
)
def test_names_in_metadata_are_compared(names: tuple[Any, ...], fits_too: bool) -> None:
    assert bool(explain(weight(jnp.ones((2, 4)), *names), NamedState)) is fits_too


def test_names_are_padded_with_none_on_the_right() -> None:
    class S(TypedState):
        w: Annotated[nnx.Param[Float[Array, "a b c"]], P("x", None, None)]

    assert explain(weight(jnp.ones((2, 2, 2)), "x"), S)
    assert explain(weight(jnp.ones((2, 2, 2)), "x", None), S)
    found = explain(weight(jnp.ones((2, 2, 2)), None, "x"), S)
    assert messages(found) == ["w: expected P('x'), found P(None, 'x') [sharding]"]


def test_metadata_without_names_is_like_names_that_split_nothing() -> None:
    class S(TypedState):
        w: Annotated[nnx.Param[Float[Array, "a b"]], P(None, None)]

    assert explain(weight(jnp.ones((2, 2))), S)
    found = explain(weight(jnp.ones((2, 4))), NamedState)
    assert messages(found) == [
        "w: expected P('embed', 'mlp'), found no names in its metadata [sharding]"
    ]


def test_stacking_inserts_its_partition_name_or_none() -> None:
    stacked = jnp.ones((3, 2, 4))
    inserted = Stacked[NamedState, "layers", Axis(0, "layers")]
    assert explain(weight(stacked, "layers", "embed", "mlp"), inserted)
    assert not explain(weight(stacked, "embed", "mlp"), inserted)
    assert explain(weight(stacked, "embed", "mlp"), Stacked[NamedState, "layers"])


# -- Rules: Flax's own functions ----------------------------------------------------------------

_names = st.tuples(*[st.sampled_from(["embed", "mlp", "data", None])] * 2)
_rules = st.lists(
    st.tuples(st.sampled_from(["embed", "mlp"]), st.sampled_from(["data", "model", None])),
    max_size=3,
)


@given(names=_names, context=_rules, own=_rules)
def test_names_resolve_as_in_get_partition_spec(
    names: tuple[Any, ...], context: list[Any], own: list[Any]
) -> None:
    metadata = {"sharding_rules": tuple(own)} if own else {}
    tree = weight(jnp.ones((2, 2)), *(names if any(names) else ()), **metadata)
    with rules_of(tuple(context)):
        try:
            found: Any = nnx.get_partition_spec(tree)["w"]
        except ValueError:
            with pytest.raises(ValueError, match="Inconsistent"):
                axis_names.resolve(names, None, own)
            return
        resolved = axis_names.resolve(names if any(names) else (), None, own)
    assert resolved == axis_rules.axis_names(variables.raw_value(found))


def test_rules_come_from_argument_variable_and_context(mesh: jax.sharding.Mesh) -> None:
    placed = put(P("fsdp", "tensor"), mesh)
    rules = (("embed", "fsdp"), ("mlp", "tensor"))
    plain = weight(placed, "embed", "mlp")
    own = weight(placed, "embed", "mlp", sharding_rules=rules)
    assert unknown(explain(plain, Placed[NamedState])) == [
        "w: no rule and no axis of the mesh (fsdp=4, tensor=2) is called 'embed' "
        "(P('embed', 'mlp'))"
    ]
    assert unknown(explain(own, Placed[NamedState])) == []
    assert unknown(explain(plain, Placed[NamedState, rules])) == []
    assert unknown(explain(plain, PlacedBy[NamedState, rules])) == []
    swapped = weight(put(P("tensor", "fsdp"), mesh), "embed", "mlp")
    assert messages(explain(swapped, PlacedBy[NamedState, rules])) == [
        "w: expected P('fsdp', 'tensor'), found P('tensor', 'fsdp') [sharding]"
    ]
    with pytest.raises(SchemaError, match=r"^PlacedBy\[NamedState, \.\.\.\]: rules are pairs"):
        PlacedBy[NamedState, 3]
    with rules_of(rules):
        assert unknown(explain(plain, Placed[NamedState])) == []
    with rules_of((("embed", "tensor"), ("mlp", "fsdp"))):
        assert messages(explain(plain, Placed[NamedState])) == [
            "w: expected P('tensor', 'fsdp'), found P('fsdp', 'tensor') [sharding]"
        ]
        assert messages(explain(own, Placed[NamedState])) == [
            "w: expected P('embed', 'mlp'), found rules that contradict each other (Inconsistent "
            "logical axis annotations for embed: tensor vs fsdp) [sharding]"
        ]


def test_first_fit_rules_may_be_a_callable(mesh: jax.sharding.Mesh) -> None:
    rules = (("embed", "fsdp"), ("mlp", "fsdp"), ("mlp", "tensor"))
    first_fit = functools.partial(nn.logical_to_mesh_axes, rules=rules)
    placed = weight(put(P("fsdp", "tensor"), mesh), "embed", "mlp")
    assert unknown(explain(placed, Placed[NamedState, first_fit])) == []
    swapped = weight(put(P("tensor", "fsdp"), mesh), "embed", "mlp")
    assert not explain(swapped, Placed[NamedState, first_fit])


# -- Placement of concrete arrays ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (P("fsdp", "tensor"), []),
        (P(("fsdp",), "tensor"), []),
        (P("tensor", "fsdp"), ["P('tensor', 'fsdp')"]),
        (P("fsdp"), ["P('fsdp')"]),
        (P(), ["P()"]),
        (P(("fsdp", "tensor")), ["P(('fsdp', 'tensor'))"]),
    ],
)
def test_an_array_is_where_its_names_say(
    mesh: jax.sharding.Mesh, spec: P, found: list[str]
) -> None:
    report = explain(weight(put(spec, mesh), "fsdp", "tensor"), Placed[MeshNamedState])
    expected = "w: expected P('fsdp', 'tensor'), found"
    assert messages(report) == [f"{expected} {text} [sharding]" for text in found]


def test_what_a_mesh_can_not_split_is_said(mesh: jax.sharding.Mesh) -> None:
    """Where names are constraints only, XLA puts what it can't split somewhere else."""
    odd = put(P("fsdp"), mesh, (8, 3))
    assert messages(explain(weight(odd, "fsdp", "tensor"), Placed[MeshNamedState])) == [
        "w: expected P('fsdp', 'tensor'), found P('fsdp') (no array of this shape can be: "
        "needs axis 1 divisible by tensor=2, found size 3) [sharding]"
    ]


def test_what_is_not_on_a_mesh_is_not_placed() -> None:
    one = explain(weight(jnp.ones((8, 16)), "fsdp", "tensor"), Placed[MeshNamedState])
    assert messages(one) == [
        "w: expected P('fsdp', 'tensor'), found an array on one device [sharding]"
    ]

    class HostState(TypedState):
        w: Annotated[nnx.Param[Float[np.ndarray, "d hidden"]], P("fsdp", "tensor")]

    host = explain(weight(np.ones((8, 16)), "fsdp", "tensor"), Placed[HostState])
    assert messages(host) == ["w: expected P('fsdp', 'tensor'), found a numpy array [sharding]"]


def test_a_mesh_axis_of_size_one_splits_nothing() -> None:
    flat = mesh_of(shape=(8, 1))
    for spec in (P("fsdp", "tensor"), P("fsdp"), P(("fsdp", "tensor"))):
        assert explain(weight(put(spec, flat), "fsdp", "tensor"), Placed[MeshNamedState])
    assert not explain(weight(put(P("tensor"), flat), "fsdp", "tensor"), Placed[MeshNamedState])


def test_one_device_is_enough_where_the_mesh_splits_nothing() -> None:
    single = jax.make_mesh((1, 1), ("fsdp", "tensor"), devices=jax.devices()[:1])
    plain = weight(jnp.ones((8, 16)), "fsdp", "tensor")
    with set_mesh(single):
        assert explain(plain, Placed[MeshNamedState])
    assert not explain(plain, Placed[MeshNamedState])


def test_names_of_the_metadata_count_where_the_schema_has_none(mesh: jax.sharding.Mesh) -> None:
    class S(TypedState):
        w: nnx.Param[Float[Array, "d hidden"]]

    assert explain(weight(put(P("fsdp"), mesh), "fsdp"), Placed[S])
    found = explain(weight(put(P("tensor"), mesh), "fsdp"), Placed[S])
    assert messages(found) == ["w: expected P('fsdp'), found P('tensor') [sharding]"]
    assert explain(weight(put(P("tensor"), mesh)), Placed[S])


def test_keys_deleted_buffers_and_references_show_their_placement(mesh: jax.sharding.Mesh) -> None:
    gone = put(P("fsdp", "tensor"), mesh)
    gone.delete()
    assert explain(weight(gone, "fsdp", "tensor"), Placed[MeshNamedState])
    good, bad = put(P("fsdp", "tensor"), mesh), put(P("tensor"), mesh)
    assert explain(weight(good, "fsdp", "tensor", ref=True), Placed[MeshNamedState])
    assert not explain(weight(bad, "fsdp", "tensor", ref=True), Placed[MeshNamedState])

    class KeyState(TypedState):
        key: Annotated[Annotated[nnx.RngKey, Key[Array, "n"]], P("fsdp")]

    keys = jax.device_put(jax.random.split(jax.random.key(0), 8), NamedSharding(mesh, P("fsdp")))
    tree = state({"key": named(nnx.RngKey, keys, "fsdp")})
    assert explain(tree, Placed[KeyState])


# -- Placement under transforms -----------------------------------------------------------------


def placements(tree: Any, run: Any, hint: Any = Placed[MeshNamedState]) -> Report:
    """What a check in the body of a transform reports."""
    found: list[Report] = []

    def body(inner: Any) -> Any:
        found.append(explain(inner, hint))
        return jax.tree.map(lambda x: x * 1.0, inner)

    run(body, tree)
    return found[0]


def jitted(body: Any, tree: Any) -> None:
    jax.jit(body)(tree)


def differentiated(body: Any, tree: Any) -> None:
    jax.jit(jax.grad(lambda t: sum(x.sum() for x in jax.tree.leaves(body(t)))))(tree)


def test_auto_axes_are_unknown_under_tracing(mesh: jax.sharding.Mesh) -> None:
    for spec in (P("fsdp", "tensor"), P("tensor", "fsdp"), P()):
        tree = weight(put(spec, mesh), "fsdp", "tensor")
        for run in (jitted, differentiated):
            assert unknown(placements(tree, run)) == [
                "w: 'fsdp' is Auto: a tracer does not show it (P('fsdp', 'tensor'))"
            ]


def test_explicit_axes_are_exact_under_tracing() -> None:
    explicit = mesh_of(AxisType.Explicit)
    good = weight(put(P("fsdp", "tensor"), explicit), "fsdp", "tensor")
    bad = weight(put(P("tensor", None), explicit), "fsdp", "tensor")
    for run in (jitted, differentiated):
        with set_mesh(explicit):
            assert unknown(placements(good, run)) == []
            assert messages(placements(bad, run)) == [
                "w: expected P('fsdp', 'tensor'), found P('tensor') [sharding]"
            ]


def test_vmap_hides_its_axis_and_shows_the_rest() -> None:
    explicit = mesh_of(AxisType.Explicit)
    stacked = weight(put(P(None, "fsdp", "tensor"), explicit, (3, 8, 16)), "fsdp", "tensor")

    def run(body: Any, tree: Any) -> None:
        jax.vmap(body)(tree)

    assert unknown(placements(stacked, run)) == []


def test_a_tracer_without_a_mesh_is_unknown() -> None:
    tree = weight(jnp.ones((8, 16)), "fsdp", "tensor")
    assert unknown(placements(tree, jitted)) == [
        "w: a tracer without a mesh does not show it (P('fsdp', 'tensor'))"
    ]


# -- Sharded: names by dims ---------------------------------------------------------------------


def names_by_dims(hint: Any, **given: Any) -> Any:
    """The spec of the only leaf."""
    return specs(hint, **given)["w"]


def test_dims_are_found_where_they_are_written_and_where_they_are_linked() -> None:
    found = specs(FsdpState, layers=1, choices={"*.bias": True})
    assert found["blocks"][0]["up"]["kernel"] == P("fsdp", "tensor")
    assert found["blocks"][0]["up"]["bias"] == P("tensor")
    assert found["blocks"][0]["down"]["kernel"] == P("tensor", "fsdp")
    assert found["head"]["kernel"] == P("fsdp", "tensor")
    inner = specs(Sharded[ModelState, "dout=tensor"], layers=1, choices={"*.bias": False})
    assert inner["blocks"][0]["down"]["kernel"] == P(None, "tensor")


def test_a_mesh_axis_splits_the_first_axis_that_has_it() -> None:
    class Square(TypedState):
        w: nnx.Param[Float[Array, "d d"]]

    assert names_by_dims(Sharded[Square, "d=fsdp"]) == P("fsdp")


def test_expressions_runs_and_pairs_of_axes() -> None:
    class Conv(TypedState):
        w: nnx.Param[Float[Array, "*window cin 4*cout"]]

    hint = Sharded[Conv, "cin=fsdp,tensor 4*cout=model"]
    found = names_by_dims(hint, window=(3, 3))
    assert found == P(None, None, ("fsdp", "tensor"), "model")
    assert explain(weight(jnp.ones((3, 3, 2, 8))), hint)
    assert not explain(weight(jnp.ones((3, 3, 2, 8)), "fsdp"), hint)


def test_stacking_moves_names_by_dims() -> None:
    class Square(TypedState):
        w: nnx.Param[Float[Array, "d hidden"]]

    assert names_by_dims(Stacked[Sharded[Square, "d=fsdp"], "layers"]) == P(None, "fsdp")
    assert names_by_dims(Sharded[Stacked[Square, "layers"], "layers=pipe"]) == P("pipe")
    assert names_by_dims(Stacked[Sharded[Square, "hidden=fsdp"], "n", Axis(-1)]) == P(None, "fsdp")


def test_declared_names_stay_and_metadata_may_be_without() -> None:
    assert names_by_dims(Sharded[NamedState, "d=fsdp"]) == P("embed", "mlp")

    class Plain(TypedState):
        w: nnx.Param[Float[Array, "d hidden"]]

    hint = Sharded[Plain, "d=fsdp"]
    assert explain(weight(jnp.ones((2, 4))), hint)
    assert explain(weight(jnp.ones((2, 4)), "fsdp"), hint)
    assert messages(explain(weight(jnp.ones((2, 4)), "tensor"), hint)) == [
        "w: expected P('fsdp'), found P('tensor') [sharding]"
    ]


def test_one_sharded_over_another_says_more() -> None:
    class Plain(TypedState):
        w: nnx.Param[Float[Array, "d hidden"]]

    by_d = Sharded[Plain, "d=fsdp"]
    assert names_by_dims(Sharded[by_d, "hidden=tensor"]) == P("fsdp", "tensor")
    assert names_by_dims(Sharded[by_d, "d=tensor"]) == P("tensor")
    assert names_by_dims(Sharded[by_d, "d=None"]) == P()
    assert names_by_dims(Sharded[by_d, "hidden=fsdp"]) == P(None, "fsdp")


# -- Optimizer state -----------------------------------------------------------------------------


class MomentsState(TypedState):
    mu: Like[NamedState, OptVariable]
    nu: Like[NamedState, OptVariable]


def moments(mesh: jax.sharding.Mesh, **metadata: Any) -> Any:
    """What ``nnx.Optimizer`` keeps of a parameter at P('fsdp', 'tensor')."""
    rules = (("embed", "fsdp"), ("mlp", "tensor"))

    class Model(nnx.Module):
        def __init__(self) -> None:
            init = nnx.with_partitioning(nnx.initializers.ones, ("embed", "mlp"), **metadata)
            self.w = nnx.Param(init(jax.random.key(0), (8, 16), jnp.float32))

    with set_mesh(mesh), rules_of(rules):
        optimizer = nnx.Optimizer(Model(), optax.scale_by_adam(), wrt=nnx.Param)
    tree = as_dict(nnx.state(optimizer))["opt_state"]
    tree = tree if "mu" in tree else tree[0]
    return nnx.State({"mu": tree["mu"], "nu": tree["nu"]})


def test_moments_have_the_names_of_their_parameters(mesh: jax.sharding.Mesh) -> None:
    tree = moments(mesh)
    assert explain(tree, MomentsState)
    other = Sharded[MomentsState, "hidden=tensor"]
    assert messages(explain(tree, other)) == [
        f"{name}.w: expected P('embed', 'tensor'), found P('embed', 'mlp') [sharding]"
        for name in ("mu", "nu")
    ]


def test_moments_may_have_names_of_their_own(mesh: jax.sharding.Mesh) -> None:
    """From Flax 0.12.8 a parameter's ``optimizer_sharding`` becomes the names of its moments."""
    tree = moments(mesh, optimizer_sharding=("embed", None))
    names = axis_rules.declared_names(variables.metadata_of(tree["mu"]["w"]))
    own: Any = Sharded[MomentsState, "hidden=None"]
    hint, wrong = (own, MomentsState) if names == ("embed",) else (MomentsState, own)
    assert explain(tree, hint), explain(tree, hint)
    assert {violation.code for violation in explain(tree, wrong).violations} == {"sharding"}
    with rules_of((("embed", "fsdp"), ("mlp", "tensor"))):
        placed = jax.device_put(tree, shardings(hint, mesh, like=tree))
        assert unknown(explain(placed, Placed[hint])) == []
        assert not explain(placed, Placed[wrong])


@pytest.mark.parametrize("key", ["sharding", "sharding_names", "out_sharding"])
@pytest.mark.parametrize(
    "names",
    [
        ("embed", "mlp"),
        ["embed", "mlp"],
        (("embed",), "mlp"),
        P("embed", "mlp"),
        P(("embed",), "mlp"),
    ],
    ids=str,
)
def test_names_are_read_under_every_spelling(key: str, names: Any) -> None:
    """Flax has called them `sharding`, `sharding_names` and `out_sharding` in turn."""
    tree = weight(jnp.ones((8, 16)), **{key: names, "eager_sharding": False})
    assert explain(tree, NamedState)
    turned = weight(jnp.ones((8, 16)), **{key: names[::-1], "eager_sharding": False})
    (line,) = messages(explain(turned, NamedState))
    assert line == "w: expected P('embed', 'mlp'), found P('mlp', 'embed') [sharding]"


def test_names_of_a_sharding_in_the_metadata_are_those_of_its_spec(
    mesh: jax.sharding.Mesh,
) -> None:
    at = NamedSharding(mesh, P("fsdp", "tensor"))
    for place in (at, Format(None, at)):
        tree = weight(jnp.ones((8, 16)), sharding=place, eager_sharding=False)
        assert explain(tree, MeshNamedState)
        assert messages(explain(tree, NamedState)) == [
            "w: expected P('embed', 'mlp'), found P('fsdp', 'tensor') [sharding]"
        ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hiden=tensor", "no axis is called 'hiden'; did you mean 'hidden'?"),
        ("d", "'d' is not dim=axis or dim=axis,axis"),
        ("d=fsdp d=tensor", "'d' stands there twice"),
        ("d=a-b", "'d=a-b' is not dim=axis or dim=axis,axis"),
        ("", 'write dims with axis names, e.g. "d=fsdp hidden=tensor"'),
    ],
)
def test_mistakes_in_sharded_are_schema_errors(text: str, message: str) -> None:
    with pytest.raises(SchemaError) as error:
        Sharded[ModelState, text]
    assert str(error.value) == f"Sharded[ModelState, {text!r}]: {message}"


# -- Forms of placed trees ----------------------------------------------------------------------


def placed_model(mesh: jax.sharding.Mesh) -> Any:
    tree = model_state()
    return jax.device_put(tree, shardings(FsdpState, mesh, like=tree))


def test_forms_of_a_placed_tree(mesh: jax.sharding.Mesh) -> None:
    tree = placed_model(mesh)
    pure = nnx.to_pure_dict(tree)
    moments = jax.tree.map(
        lambda x: leaf(OptVariable, x), pure, is_leaf=lambda x: isinstance(x, jax.Array)
    )
    for value, hint in [
        (tree, Placed[FsdpState]),
        (tree, Placed[Only[FsdpState, nnx.Param]]),
        (pure, Placed[Pure[FsdpState]]),
        (pure, Pure[Placed[FsdpState]]),
        (nnx.State(moments), Placed[Like[FsdpState, OptVariable]]),
    ]:
        assert unknown(explain(value, hint)) == []
    pure["head"]["bias"] = put(P("fsdp"), mesh, (12,))
    for hint in (Placed[Pure[FsdpState]], Pure[Placed[FsdpState]]):
        assert messages(explain(pure, hint)) == [
            "head.bias: expected P('tensor'), found P('fsdp') [sharding]"
        ]


def test_an_abstract_state_is_placed_by_its_shardings(mesh: jax.sharding.Mesh) -> None:
    sharded = jax.ShapeDtypeStruct(
        (8, 16), jnp.float32, sharding=NamedSharding(mesh, P("fsdp", "tensor"))
    )
    hint = Placed[Abstract[MeshNamedState]]
    assert explain(weight(sharded, "fsdp", "tensor"), hint)
    bare = jax.ShapeDtypeStruct((8, 16), jnp.float32)
    assert messages(explain(weight(bare, "fsdp", "tensor"), hint)) == [
        "w: expected P('fsdp', 'tensor'), found no sharding [sharding]"
    ]


# -- Shardings and Specs ------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [False, True])
def test_partitions_are_compared_with_the_declared_names(
    mesh: jax.sharding.Mesh, wrap: bool
) -> None:
    def tree(spec: P) -> Any:
        return state({"w": named(nnx.Param, spec) if wrap else spec})

    hint = Specs[MeshNamedState]
    assert explain(tree(P("fsdp", "tensor")), hint)
    for spec, message in [
        (P("tensor", "fsdp"), "expected P('fsdp', 'tensor'), found P('tensor', 'fsdp')"),
        (P("fsdp"), "expected P('fsdp', 'tensor'), found P('fsdp')"),
        (P("fsdp", None, "tensor"), "expected names for 2 axes, found P('fsdp', None, 'tensor')"),
    ]:
        assert messages(explain(tree(spec), hint)) == [f"w: {message} [sharding]"]


def test_logical_specs_are_resolved_by_the_rules_of_the_context() -> None:
    resolved = state({"w": P("fsdp", "tensor")})
    assert explain(state({"w": P("embed", "mlp")}), Specs[NamedState])
    assert messages(explain(resolved, Specs[NamedState])) == [
        "w: expected P('embed', 'mlp'), found P('fsdp', 'tensor') "
        "(no rules in the context: the names stand for themselves) [sharding]"
    ]
    with rules_of((("embed", "fsdp"), ("mlp", "tensor"))):
        assert explain(resolved, Specs[NamedState])
        assert not explain(state({"w": P("tensor", "fsdp")}), Specs[NamedState])


def test_a_name_that_the_mesh_does_not_have_is_unknown(mesh: jax.sharding.Mesh) -> None:
    found = state({"w": NamedSharding(mesh, P("fsdp", "tensor"))})
    assert unknown(explain(found, Shardings[NamedState])) == [
        "w: no rule and no axis of the mesh (fsdp=4, tensor=2) is called 'embed' "
        "(P('embed', 'mlp'))"
    ]
    assert explain(found, Shardings[MeshNamedState])
    assert not explain(state({"w": NamedSharding(mesh, P())}), Shardings[MeshNamedState])


def test_sizes_must_be_divisible_by_the_mesh(mesh: jax.sharding.Mesh) -> None:
    class Fixed(TypedState):
        w: nnx.Param[Float[Array, "6 d"]]

    tree = state({"w": NamedSharding(mesh, P("fsdp", "tensor"))})
    assert messages(explain(tree, Shardings[Fixed])) == [
        "w: expected axis 0 divisible by fsdp=4, found size 6 [sharding]"
    ]
    assert explain(tree, Shardings[MeshNamedState])
    assert messages(explain(tree, Shardings[MeshNamedState], dims={"hidden": 3})) == [
        "w: expected axis 1 divisible by tensor=2, found size 3 [sharding]"
    ]


def test_sizes_of_another_argument_count(mesh: jax.sharding.Mesh) -> None:
    @checked
    def place(tree: MeshNamedState, shardings: Shardings[MeshNamedState]) -> None:
        """Takes both."""

    target = state({"w": NamedSharding(mesh, P("fsdp", "tensor"))})
    place(weight(jnp.ones((8, 16)), "fsdp", "tensor"), target)
    with pytest.raises(TypeError, match="axis 0 divisible by fsdp=4, found size 6"):
        place(weight(jnp.ones((6, 16)), "fsdp", "tensor"), target)


# -- The fast path asks again -------------------------------------------------------------------


def test_an_accepted_structure_is_looked_at_again(mesh: jax.sharding.Mesh) -> None:
    hint = Placed[MeshNamedState]
    for _ in range(3):
        assert fits(weight(put(P("fsdp", "tensor"), mesh), "fsdp", "tensor"), hint)
        assert not fits(weight(put(P("tensor", "fsdp"), mesh), "fsdp", "tensor"), hint)
        assert not fits(weight(put(P("fsdp", "tensor"), mesh), "tensor", "fsdp"), hint)
    for _ in range(3):
        assert fits(state({"w": P("fsdp", "tensor")}), Specs[MeshNamedState])
        assert not fits(state({"w": P("tensor", "fsdp")}), Specs[MeshNamedState])


def test_a_change_of_rules_is_noticed(mesh: jax.sharding.Mesh) -> None:
    tree = weight(put(P("fsdp", "tensor"), mesh), "embed", "mlp")
    hint = Placed[NamedState]
    for _ in range(3):
        with rules_of((("embed", "fsdp"), ("mlp", "tensor"))):
            assert fits(tree, hint)
        with rules_of((("embed", "tensor"), ("mlp", "fsdp"))):
            assert not fits(tree, hint)


def test_sizes_of_shardings_are_asked_again() -> None:
    class Fixed(TypedState):
        w: nnx.Param[Float[Array, "6 d"]]

    two = mesh_of(shape=(2, 4))
    four = mesh_of(shape=(4, 2))
    for _ in range(3):
        assert fits(state({"w": NamedSharding(two, P("fsdp"))}), Shardings[Fixed])
        assert not fits(state({"w": NamedSharding(four, P("fsdp"))}), Shardings[Fixed])


def test_an_alternative_that_does_not_fit_says_nothing_of_placement() -> None:
    class BothState(TypedState):
        a: Annotated[nnx.Param[Float[Array, "n"]], P("x")]
        b: nnx.Param[Float[Array, "n"]]

    class OtherState(TypedState):
        a: nnx.Param
        b: nnx.BatchStat

    class EitherState(TypedState):
        inner: Placed[BothState] | OtherState

    reports: list[Report] = []

    def trace(x: jax.Array) -> jax.Array:
        inner = {"a": named(nnx.Param, x, "x"), "b": leaf(nnx.BatchStat, x)}
        reports.append(explain(state({"inner": inner}), EitherState))
        return x

    jax.jit(trace)(jnp.ones(3))
    assert str(reports[0]) == "fits EitherState"
