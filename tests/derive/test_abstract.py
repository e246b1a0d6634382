"""Abstract states derived from a declaration, and what stays open in it."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, Float32, Int, Key, UInt32

from tests.derive.helpers import BIASED, GIVEN, ModelState, model, raw, refusal
from tests.zoo import LinearState
from typedstate import (
    Abstract,
    Bind,
    Entries,
    Only,
    PlacedBy,
    Rest,
    Scoped,
    Stacked,
    StateMap,
    TypedState,
    abstract,
    explain,
    shardings,
    specs,
)
from typedstate._compat import variables
from typedstate.layers import RngsState, RngStreamState

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def test_an_abstract_state_is_that_of_the_model() -> None:
    made = abstract(ModelState, dtype=jnp.float32, **BIASED, **GIVEN)
    assert explain(made, Abstract[ModelState])
    wanted = nnx.state(nnx.eval_shape(lambda: model(nnx.Rngs(0))))
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
    """The tree that is built has the sizes that the walk reads from it."""
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
    assert explain(made, PlacedBy[Abstract[S], rules])
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


class AttentionState(TypedState):
    linear: LinearState
    streams: RngStreamState | RngsState | None
    each: StateMap[str, RngStreamState]


def test_nothing_is_asked_of_what_a_form_has_left_out() -> None:
    sizes: dict[str, Any] = {"din": 2, "dout": 3, "dtype": jnp.float32}
    hint = Only[AttentionState, nnx.Param]
    made: Any = abstract(hint, choices={"linear.bias": False}, **sizes)
    assert [path for path, _ in nnx.to_flat_state(made)] == [("linear", "kernel")]
    assert explain(made, Abstract[hint])
    lines = refusal(lambda: abstract(Rest[AttentionState, nnx.Param]))
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["streams"] * 2 + ["each"]
