from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from typedstate.doctor.constructs import CONSTRUCTS
from typedstate.doctor.guard import NotApplicable, outcome, warned
from typedstate.doctor.leaf import describe, join, kind, leaves_of, summary, tree_summary


def test_a_raw_leaf_is_its_class() -> None:
    assert describe(np.ones(2)) == "ndarray"
    assert describe(3.5) == "float"
    assert describe(jnp.ones(2)) == "ArrayImpl"
    assert kind(jnp.ones(2)) == "raw"


def test_a_variable_is_its_kind_and_the_class_of_its_value() -> None:
    assert describe(nnx.Param(jnp.ones(2))) == "Param[ArrayImpl]"
    assert describe(nnx.BatchStat((1, 2))) == "BatchStat[tuple]"
    assert kind(nnx.Param(jnp.ones(2))) == "Param"


def test_a_tracer_shows_in_the_value() -> None:
    seen: list[str] = []

    def body(state: nnx.State) -> int:
        seen.append(tree_summary(state))
        return 0

    jax.jit(body)(nnx.state(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), nnx.Param))
    assert len(seen) == 1
    assert seen[0].endswith("Param[DynamicJaxprTracer]")


def test_looking_at_a_hijax_leaf_leaves_the_trace_alone() -> None:
    build = next(item.build for item in CONSTRUCTS if item.name == "Param as hijax")
    if outcome(lambda: str(build())).startswith("raises "):
        pytest.skip("this Flax has no hijax variables")
    variable = build().x

    def body(variable: object) -> float:
        assert describe(variable) == "DynamicJaxprTracer:Param[ShapedArray]"
        return 0.0

    assert not jax.make_jaxpr(body)(variable).jaxpr.eqns


def test_paths_show_keys_that_are_no_names() -> None:
    tree = {"a": {0: 1, "0": 2, ("k", 1): 3}}
    assert [join(path) for path, _ in leaves_of(tree)] == ["a/0", "a/'0'", "a/('k', 1)"]


def test_a_summary_names_each_leaf_once() -> None:
    assert summary([np.ones(1), 1.5, np.ones(2)]) == "float, ndarray"
    assert summary([]) == "no leaves"


def test_a_probe_that_raises_is_a_finding() -> None:
    def probe() -> str:
        raise RuntimeError

    def skipped() -> str:
        raise NotApplicable

    assert outcome(probe) == "raises RuntimeError"
    assert outcome(skipped) == "not applicable"
    assert warned(probe) == "raises RuntimeError"
    assert warned(lambda: None) == "no warning"
