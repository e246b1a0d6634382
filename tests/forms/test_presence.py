"""`Having`: what a schema leaves optional is required where it is used."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.agreement import warm
from typedstate import (
    Bind,
    Entries,
    Having,
    Only,
    Pure,
    SchemaDocument,
    SchemaError,
    Stacked,
    StateMap,
    TypedState,
    abstract,
    explain,
    to_source,
)
from typedstate.layers import LinearState, MultiHeadAttentionState
from typedstate.testing import example


class BlockState(TypedState):
    up: Having[Bind[LinearState, "din=d dout=hidden"], "bias"]
    down: Bind[Having[LinearState, "bias"], "din=hidden dout=d"]
    free: LinearState


class TowerState(TypedState):
    blocks: StateMap[int, Bind[BlockState, "d"]]
    stem: Entries[LinearState, None, LinearState]


def linear(din: int, dout: int, *, bias: bool = True) -> Any:
    return nnx.state(nnx.Linear(din, dout, use_bias=bias, rngs=nnx.Rngs(0)))


def block(*without: str) -> dict[str, Any]:
    shapes = {"up": (2, 3), "down": (3, 2), "free": (2, 2)}
    return {key: linear(*shape, bias=key not in without) for key, shape in shapes.items()}


def lines(value: Any, hint: Any) -> list[str]:
    return [str(item) for item in explain(value, hint).violations]


MISSING = 'missing, expected Param[Float[Array, "dout"]] [missing]'


def test_what_is_optional_in_the_catalogue_is_required_in_a_field() -> None:
    doors = warm(BlockState, block(), block("free"))
    assert not doors.ask(block("up"))
    assert not doors.ask(block("down"))
    assert lines(block("up", "down", "free"), BlockState) == [
        f"up.bias: {MISSING}",
        f"down.bias: {MISSING}",
    ]


def test_paths_lead_through_schemas_maps_and_entries() -> None:
    tower = {"blocks": {0: block(), 1: block("free")}, "stem": {0: linear(1, 1), 2: linear(1, 1)}}
    hint = Having[TowerState, "blocks.*.free.bias", "stem.2.bias"]
    assert lines(tower, hint) == [f"blocks[1].free.bias: {MISSING}"]
    tower["blocks"][1], tower["stem"][2] = block(), linear(1, 1, bias=False)
    assert lines(tower, hint) == [f"stem[2].bias: {MISSING}"]
    tower["stem"] = {0: linear(1, 1, bias=False), 2: linear(1, 1)}
    assert warm(hint, tower).ask(tower)


def test_an_attention_with_and_without_its_cache() -> None:
    rngs = nnx.Rngs(0)
    layer = nnx.MultiHeadAttention(num_heads=2, in_features=4, decode=True, rngs=rngs)
    hint = Having[MultiHeadAttentionState, "cached_key", "query.bias"]
    assert not explain(nnx.state(layer), hint)
    layer.init_cache((1, 3, 4))
    assert explain(nnx.state(layer), hint)


def test_a_whole_branch_may_be_required() -> None:
    class Maybe(TypedState):
        head: LinearState | None

    assert explain({}, Maybe)
    assert lines({}, Having[Maybe, "head"]) == ["head: missing, expected LinearState [missing]"]


def test_forms_around_it_and_within() -> None:
    state = linear(2, 3)
    assert explain(nnx.to_pure_dict(state), Pure[Having[LinearState, "bias"]])
    assert lines({"kernel": jnp.ones((2, 3))}, Pure[Having[LinearState, "bias"]]) == [
        'bias: missing, expected Float[Array, "dout"] [missing]'
    ]
    assert explain(state, Having[Only[LinearState, nnx.Param], "bias"])
    assert not explain(linear(2, 3, bias=False), Having[Only[LinearState, nnx.Param], "bias"])
    kernels = Only[Having[LinearState, "bias"], nnx.PathContains("kernel")]
    assert explain(linear(2, 3, bias=False), kernels)
    assert not explain(linear(2, 3, bias=False), Stacked[Having[LinearState, "bias"], "n"])


def test_trees_source_and_documents_have_what_is_required() -> None:
    made = abstract(Having[LinearState, "bias"], din=2, dout=3, dtype=jnp.float32)
    assert {*made} == {"kernel", "bias"}
    assert "bias" in example(Having[LinearState, "bias"])
    assert '    up: Having[Bind[LinearState, "din=d dout=hidden"], "bias"]' in to_source(BlockState)
    document = SchemaDocument.of(Having[LinearState, "bias"])
    again = SchemaDocument.model_validate_json(document.model_dump_json()).to_schema()
    assert lines(linear(2, 3, bias=False), again) == [f"bias: {MISSING}"]


@pytest.mark.parametrize(
    ("hint", "paths", "message"),
    [
        (LinearState, (), '[LinearState]: give what has to be there, "bias" say'),
        (
            LinearState,
            ("bais",),
            "[LinearState, 'bais']: LinearState declares no 'bais'; did you mean 'bias'?",
        ),
        (
            LinearState,
            ("zzz",),
            "[LinearState, 'zzz']: LinearState declares no 'zzz'; it has kernel, bias",
        ),
        (
            LinearState,
            (5,),
            '[LinearState, 5]: 5 is no path; write keys and dots, "up.bias"',
        ),
        (
            TowerState,
            ("blocks.0.up",),
            "[TowerState, 'blocks.0.up']: the entries of a StateMap are alike; write '*.kernel'",
        ),
        (
            Entries[nnx.Param, None],
            ("1",),
            "[Entries[Param, None], '1']: Entries[Param, None] keeps nothing at '1'",
        ),
        (
            LinearState,
            ("bias.x",),
            "[LinearState, 'bias.x']: Param[Float[Array, \"dout\"]] is a leaf, which has no 'x'",
        ),
        (nnx.Param, ("bias",), "[Param, ...]: a form takes a schema, not a leaf"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(hint: Any, paths: Any, message: str) -> None:
    with pytest.raises(SchemaError) as error:
        Having[(hint, *paths)]
    assert str(error.value) == f"Having{message}"


def test_a_schema_that_is_defined_later() -> None:
    class Early(TypedState):
        later: Having["Later", "bias"]

    class Later(TypedState):
        bias: nnx.Param[Float[Array, "n"]] | None
        other: nnx.Param[Float[Array, "n"]]

    other = {"other": nnx.Param(jnp.ones(2))}
    assert lines({"later": other}, Early) == [
        'later.bias: missing, expected Param[Float[Array, "n"]] [missing]'
    ]
