"""``extra={"layers_{len=n}": S}``: keys that are numbered, and a dim that counts them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.agreement import warm
from typedstate import (
    Abstract,
    Bind,
    Only,
    Pure,
    SchemaDocument,
    SchemaError,
    Stacked,
    TypedState,
    abstract,
    diff,
    explain,
    show,
    to_source,
)
from typedstate.testing import example


class Layer(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]


class Tower(TypedState, extra={"layers_{len=depth}": Bind[Layer, "din=d dout=d"]}):
    scales: nnx.Param[Float[Array, "depth"]] | None


class Three(TypedState, extra={"layers_{len=3}": Layer}):
    """Three layers."""


class Around(TypedState):
    body: Bind[Tower, "depth=n"]
    head: nnx.Param[Float[Array, "n"]]


class Numbered(nnx.Module):
    """Layers as attributes with numbers, as modules that come from Linen have them."""

    def __init__(self, depth: int, d: int) -> None:
        rngs = nnx.Rngs(0)
        for index in range(depth):
            setattr(self, f"layers_{index}", nnx.Linear(d, d, use_bias=False, rngs=rngs))


def layer(d: int = 2) -> dict[str, Any]:
    return {"kernel": zoo.leaf(nnx.Param, jnp.ones((d, d)))}


def layers(*numbers: Any) -> dict[str, Any]:
    return {f"layers_{number}": layer() for number in numbers}


def scales(depth: int) -> dict[str, Any]:
    return {"scales": zoo.leaf(nnx.Param, jnp.ones(depth))}


def test_as_many_keys_as_the_dim_says() -> None:
    assert explain(nnx.state(Numbered(3, 4)), Tower).dims == {"depth": 3, "d": 4}
    doors = warm(Tower, {**layers(0, 1), **scales(2)}, layers(0), scales(0))
    assert doors.ask({**layers(0, 1, 2), **scales(3)})
    assert not doors.ask({**layers(0, 1, 2), **scales(2)})
    assert not doors.ask({**layers(0, 2), **scales(3)})
    assert not doors.ask(layers(1))
    assert not doors.ask(scales(2))
    assert not doors.ask({})


GAP = "layers_1: missing, expected Layer (a gap in the keys) [missing]"
COUNT = "layers_{}: the number of entries (depth)"
LOST = "layers_{}: missing, expected Layer (absent only where depth is 0) [missing]"


@pytest.mark.parametrize(
    ("hint", "tree", "lines"),
    [
        (Tower, {**layers(0, 2), **scales(3)}, [GAP]),
        (
            Tower,
            {**layers(0, 1), **scales(3)},
            [f"{COUNT} is 2, but depth=3 from scales, axis 0 [dim]"],
        ),
        (
            Tower,
            {**layers(0, 1), **scales(1)},
            [f"{COUNT} is 2, but depth=1 from scales, axis 0 [dim]"],
        ),
        (Tower, scales(2), [LOST]),
        (Tower, {}, [LOST]),
        (Three, layers(0, 1), ["layers_{}: expected 3 entries, found 2 [size]"]),
        (Three, {}, ["layers_{}: expected 3 entries, found 0 [size]"]),
        (Three, layers(0, 1, 2, 3), ["layers_{}: expected 3 entries, found 4 [size]"]),
        (
            Three,
            {**layers(0, 1, 2), **layers("03", "x")},
            [
                "layers_03: not declared, found a dict with keys 'kernel' [extra]",
                "layers_x: not declared, found a dict with keys 'kernel' [extra]",
            ],
        ),
        (
            Around,
            {"body": layers(0, 1), "head": zoo.leaf(nnx.Param, jnp.ones(3))},
            ["head: n is 3, but n=2 from body.layers_{} [dim]"],
        ),
        (
            Around,
            {"head": zoo.leaf(nnx.Param, jnp.ones(3))},
            [f"body.{LOST}"],
        ),
    ],
)
def test_what_is_missing_or_too_much(hint: Any, tree: Any, lines: list[str]) -> None:
    assert [str(found) for found in explain(tree, hint).violations] == lines


def test_none_where_the_dim_is_bound_to_none() -> None:
    assert explain({}, Tower, dims={"depth": 0})
    assert explain({}, Bind[Tower, "depth=0"])
    assert explain({"head": zoo.leaf(nnx.Param, jnp.ones(0))}, Around)
    assert not explain(layers(0), Tower, dims={"depth": 0})


def test_forms_keep_the_count() -> None:
    state = nnx.state(Numbered(2, 4))
    assert explain(state, Only[Tower, nnx.Param]).dims == {"depth": 2, "d": 4}
    assert not explain(nnx.to_pure_dict(state), Pure[Tower], dims={"depth": 3})
    assert explain(nnx.to_pure_dict(state), Pure[Tower], dims={"depth": 2})
    stacked = {"layers_0": {"kernel": zoo.leaf(nnx.Param, jnp.ones((5, 2, 2)))}}
    assert explain(stacked, Stacked[Tower, "n"]).dims == {"depth": 1, "n": 5, "d": 2}
    assert explain({}, Only[Tower, nnx.BatchStat])


def test_trees_are_derived_by_the_count() -> None:
    made = abstract(Tower, depth=3, d=2, choices={"scales": False}, dtype=jnp.float32)
    assert [*made] == ["layers_0", "layers_1", "layers_2"]
    assert explain(made, Abstract[Tower], dims={"depth": 3})
    chosen = abstract(Tower, d=2, choices={"scales": False, "layers_{}": 1}, dtype=jnp.float32)
    assert [*chosen] == ["layers_0"]
    with pytest.raises(SchemaError) as error:
        abstract(Tower, d=2, choices={"scales": False}, dtype=jnp.float32)
    assert str(error.value) == (
        "abstract(Tower) can't be made:\n  layers_{}: how many entries? give depth="
    )
    assert {*example(Tower, depth=2)} >= {"layers_0", "layers_1"}


def test_source_and_documents_keep_the_count() -> None:
    assert (
        'class Tower(TypedState, extra={"layers_{len=depth}": Bind[Layer, "din=d dout=d"]}):'
        in (to_source(Tower))
    )
    again = SchemaDocument.model_validate_json(SchemaDocument.of(Tower).model_dump_json())
    assert to_source(again.to_schema()) == to_source(Tower)
    assert explain(layers(0, 1), again.to_schema()).dims == {"depth": 2, "d": 2}
    assert str(show(Tower)).splitlines() == [
        "Tower: 2 leaves",
        '├─ scales: Param[Float[Array, "depth"]] | None',
        "└─ layers_{}: Layer din=d dout=d, len=depth",
        '   └─ kernel: Param[Float[Array, "din dout"]]',
    ]


def test_a_difference_in_the_count_is_named() -> None:
    class Open(TypedState, extra={"layers_{}": Layer}):
        """Any layers."""

    class Written(TypedState):
        layers_0: Layer
        layers_1: Layer
        layers_2: Layer

    class Some(TypedState, extra={"layers_{len=n}": Layer}):
        """Some layers."""

    class Two(TypedState, extra={"layers_{len=2}": Layer}):
        """Two layers."""

    assert str(diff(Three, Written)) == "Three -> Written: the same"
    assert str(diff(Open, Three)).splitlines()[1:] == [
        "  ~ layers_{}: shape was any number of entries, is a number of entries [breaks forward]"
    ]
    assert str(diff(Three, Some)).splitlines()[1:] == [
        "  ~ layers_{}: shape was length 3, is length n [breaks backward]"
    ]
    assert str(diff(Two, Three)).splitlines()[1:] == [
        "  ~ layers_{}: shape was length 2, is length 3 [breaks forward and backward]"
    ]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "{len=n}_{}",
            "S: extra={'{len=n}_{}': ...}: keys that are counted have one pair of braces",
        ),
        ("l_{len=2*}", "S, extra=: 'l_{len=2*}': '2*' is neither a size, a name nor arithmetic"),
        (
            "l_{n}",
            "S: extra={'l_{n}': ...} needs braces for what varies, as in \"layers_{}\" or "
            '"layers_{len=n}"; a fixed key is a field',
        ),
    ],
)
def test_a_count_that_means_nothing_is_refused(pattern: str, message: str) -> None:
    body = {"__module__": __name__, "__annotations__": {}}
    with pytest.raises(SchemaError) as error:
        type(TypedState)("S", (TypedState,), body, extra={pattern: Layer})
    assert str(error.value) == message


def test_a_bind_below_a_pattern_names_dims_that_are_there() -> None:
    body = {"__module__": __name__, "__annotations__": {}}
    with pytest.raises(SchemaError, match=r"S, extra=: Bind names the dim 'hidden'"):
        type(TypedState)("S", (TypedState,), body, extra={"x_{}": Bind[Layer, "hidden=2"]})
