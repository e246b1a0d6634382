"""`Same`, `Bind` and `Scoped` around and within other forms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from tests import zoo
from tests.zoo import LinearState, MlpState, leaf, state
from typedstate import Bind, Same, Scoped, Stacked, StateOf, TypedState, explain, fits


def test_same_holds_trees_of_one_call_together() -> None:
    one = nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))
    two = nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(1)))
    other = zoo.as_dict(nnx.state(zoo.Mlp(2, 4, use_bias=False, rngs=nnx.Rngs(0))))
    hint = tuple[Same[Scoped[MlpState, "a"], "T"], Same[Scoped[MlpState, "b"], "T"]]
    assert fits((one, two), hint)
    other["up"]["kernel"] = leaf(nnx.BatchStat, jnp.ones((2, 3)))
    other["down"]["kernel"] = leaf(nnx.Param, jnp.ones((3, 2), "int32"))
    found = explain(
        (one, nnx.State(other)), tuple[Same[StateOf[nnx.Variable], "T"], Same[Any, "T"]]
    )
    assert str(found) == (
        "does not fit tuple[StateOf[Variable], Any]: 4 violations\n"
        "  [1].down.bias: missing, expected Param float32[2] as in [0].down.bias [missing]\n"
        "  [1].down.kernel: expected Param float32[3,2] as in [0].down.kernel, "
        "found Param int32[3,2] [dtype]\n"
        "  [1].up.bias: missing, expected Param float32[3] as in [0].up.bias [missing]\n"
        "  [1].up.kernel: expected Param float32[2,3] as in [0].up.kernel, "
        "found BatchStat float32[2,3] [kind]"
    )


def test_same_reports_rank_size_and_extra_leaves() -> None:
    one = state({"a": nnx.Param(jnp.ones(2)), "b": nnx.Param(jnp.ones(2))})
    two = state(
        {"a": nnx.Param(jnp.ones(3)), "b": nnx.Param(jnp.ones((2, 1))), "c": nnx.Param(jnp.ones(1))}
    )
    report = explain([one, two], list[Same[StateOf[nnx.Param], "T"]])
    assert [(found.path, found.code) for found in report.violations] == [
        ("[1].a", "size"),
        ("[1].b", "rank"),
        ("[1].c", "extra"),
    ]


def test_a_bind_inside_of_a_form_names_the_dims_of_the_class_that_writes_it() -> None:
    class Outer(TypedState):
        blocks: Stacked[Bind[MlpState, "d hidden"], "layers"]
        head: Bind[LinearState, "din=d dout=hidden"]

    blocks = zoo.as_dict(nnx.state(zoo.Blocks(2, 3, 4, nnx.Rngs(0))))["blocks"]
    found = state({"blocks": blocks, "head": {"kernel": leaf(nnx.Param, jnp.ones((2, 5)))}})
    assert str(explain(found, Outer)) == (
        "does not fit Outer: 1 violation\n"
        "  head.kernel: dout is 5, but hidden=3 from blocks.up.kernel, axis 2 [dim]\n"
        "  dims: layers=4 d=2 hidden=3"
    )
    assert not explain(found, Bind[Outer, "d=9"])


def test_scoped_inside_and_outside_of_a_form_keeps_names_apart_but_links_the_axis() -> None:
    one = jax.tree.map(lambda x: jnp.stack([x] * 4), nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0))))
    two = jax.tree.map(lambda x: jnp.stack([x] * 5), nnx.state(zoo.Mlp(6, 7, rngs=nnx.Rngs(0))))
    report = explain(
        (one, two), tuple[Stacked[MlpState, "n"], Stacked[Scoped[MlpState, "teacher"], "n"]]
    )
    assert [violation.code for violation in report.violations] == ["dim"] * 4
    assert report.dims == {"n": 4, "d": 2, "hidden": 3}
    same = jax.tree.map(lambda x: jnp.stack([x] * 4), nnx.state(zoo.Mlp(6, 7, rngs=nnx.Rngs(0))))
    assert fits(
        (one, same), tuple[Stacked[MlpState, "n"], Scoped[Stacked[MlpState, "n"], "teacher"]]
    )
