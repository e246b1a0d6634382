"""`Same` holds exactly where JAX takes two trees for alike, and says what differs."""

from __future__ import annotations

import collections
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests.zoo import leaf
from typedstate import Same, checked, explain, fits
from typedstate._compat import variables

Pair = tuple[Same[Any, "T"], Same[Any, "T"]]
ONES = jnp.ones(2)


class Point(NamedTuple):
    """A node of its own to JAX."""

    x: Any
    y: Any


def param(**metadata: Any) -> Any:
    return nnx.State({"kernel": leaf(nnx.Param, ONES, **metadata)})


TREES: dict[str, Any] = {
    "a state": param(),
    "another of it": param(),
    "with a tag": param(tag="seen"),
    "with another tag": param(tag="unseen"),
    "another kind": nnx.State({"kernel": leaf(nnx.BatchStat, ONES)}),
    "another size": nnx.State({"kernel": leaf(nnx.Param, jnp.ones(3))}),
    "a dict": {"kernel": leaf(nnx.Param, ONES)},
    "values": {"kernel": ONES},
    "a list": [ONES, ONES],
    "a tuple": (ONES, ONES),
    "a record": Point(ONES, ONES),
    "an empty branch": {"kernel": ONES, "more": {}},
    "None": {"kernel": ONES, "more": None},
    "an ordered dict": collections.OrderedDict(kernel=ONES),
    "a nested state": nnx.State({"up": param()}),
    "a nested dict": nnx.State({"up": {"kernel": leaf(nnx.Param, ONES)}}),
    "a tuple in a Variable": nnx.State({"kernel": leaf(nnx.Param, (ONES, ONES))}),
    "a list in a Variable": nnx.State({"kernel": leaf(nnx.Param, [ONES, ONES])}),
}


def shapes(tree: Any) -> list[Any]:
    return [jnp.shape(item) for item in jax.tree.leaves(tree)]


@pytest.mark.parametrize("first", TREES)
@pytest.mark.parametrize("second", TREES)
def test_same_is_what_jax_takes_for_alike(first: str, second: str) -> None:
    one, other = TREES[first], TREES[second]
    alike = jax.tree.structure(one) == jax.tree.structure(other) and shapes(one) == shapes(other)
    assert bool(explain((one, other), Pair)) is alike
    for _ in range(3):
        assert fits((one, other), Pair) is alike


def test_metadata_that_differs_is_named() -> None:
    report = explain((TREES["a state"], TREES["with a tag"]), Pair)
    assert str(report) == (
        "does not fit tuple[Any, Any]: 1 violation\n"
        "  [1].kernel: expected metadata no tag as in [0].kernel, "
        "found metadata tag='seen' [metadata]"
    )


def test_a_container_that_differs_is_named() -> None:
    report = explain((TREES["a list"], TREES["a tuple"]), Pair)
    assert [str(one) for one in report.violations] == [
        "[1]: expected a list as in [0], found a tuple [container]"
    ]
    report = explain((TREES["values"], TREES["an empty branch"]), Pair)
    assert [str(one) for one in report.violations] == [
        "[1].more: not declared, found a dict [extra]"
    ]


def test_a_known_call_is_asked_for_its_metadata_again() -> None:
    @checked
    def step(old: Same[Any, "T"], new: Same[Any, "T"]) -> None: ...

    for _ in range(4):
        step(param(), param())
        step(param(tag="seen"), param(tag="seen"))
    with pytest.raises(TypeError, match=r"new\.kernel: expected metadata no tag as in old\.kernel"):
        step(param(), param(tag="seen"))
    changed = param()
    step(param(), changed)
    metadata: Any = variables.metadata_of(changed["kernel"])
    metadata["tag"] = "later"
    with pytest.raises(TypeError, match="tag='later'"):
        step(param(), changed)
