"""Reports: bounded, as data and as text."""

from __future__ import annotations

import json
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.validation.reports import mlp, text
from tests.zoo import MlpState, StackState, leaf, state
from typedstate import StateMap, StateTypeError, check, explain
from typedstate.report import CODES, Report, Violation


def test_a_report_that_fits() -> None:
    report = explain(nnx.State(mlp()), MlpState)
    assert report
    assert str(report) == "fits MlpState\n  dims: d=2 hidden=3"
    assert report.violations == ()


def test_violations_stand_in_tree_order_with_path_code_and_both_sides() -> None:
    tree = mlp()
    del tree["up"]["kernel"]
    tree["up"]["bias"] = leaf(nnx.BatchStat, jnp.ones(3))
    tree["down"]["kernel"] = leaf(nnx.Param, jnp.ones((3, 2), "int32"))
    tree["down"]["bias"] = leaf(nnx.Param, jnp.ones((1, 2)))
    tree["more"] = jnp.ones(1)
    assert text(tree, MlpState) == (
        "does not fit MlpState: 5 violations\n"
        '  up.kernel: missing, expected Param[Float[Array, "din dout"]] [missing]\n'
        '  up.bias: expected Param[Float[Array, "dout"]], found BatchStat float32[3] [kind]\n'
        "  down.kernel: expected dtype Float, found int32[3,2] [dtype]\n"
        '  down.bias: expected rank 1 ("dout"), found shape (1, 2) [rank]\n'
        "  more: not declared, found float32[1] [extra]\n"
        "  dims: hidden=3 d=2"
    )


def test_check_raises_the_report() -> None:
    tree = mlp()
    del tree["up"]
    with pytest.raises(StateTypeError) as error:
        check(nnx.State(tree), MlpState)
    assert str(error.value) == (
        "does not fit MlpState: 1 violation\n"
        "  up: missing, expected LinearState [missing]\n"
        "  dims: hidden=3 d=2"
    )
    assert error.value.report is not None
    assert [found.code for found in error.value.report.violations] == ["missing"]
    sound = nnx.State(mlp())
    assert check(sound, MlpState) is sound


def broken(leaves: int) -> dict[str, Any]:
    """A state of many leaves, every one of which is wrong."""
    wrong = nnx.BatchStat(jnp.full((3, 3), 7777.0))
    stored = zoo.stored(wrong)
    block = {"up": {"kernal": stored, "bias": stored}, "down": {"kernel": stored}, "mor\ne": stored}
    return {"layers": {index: dict(block) for index in range(leaves // 4)}}


def test_a_report_of_everything_wrong_is_short_and_shows_no_contents() -> None:
    tree = nnx.State(broken(10_000))
    report = explain(tree, StackState)
    shown = str(report)
    assert len(report.violations) >= 10_000
    assert len(shown.encode()) < 4096
    assert "7777" not in shown
    assert "7777" not in repr(report)
    assert shown.splitlines()[-2].startswith("  and ")


@pytest.mark.parametrize("count", [1, 3, 20, 21, 500])
def test_the_first_twenty_violations_are_shown_and_the_rest_counted(count: int) -> None:
    found = state({str(index): nnx.Cache(jnp.ones(1)) for index in range(count)})
    lines = text(found, StateMap[str, nnx.Param]).splitlines()
    assert len(lines) == 1 + min(count, 20) + (count > 20)
    if count > 20:
        assert lines[-1] == f"  and {count - 20} more: {count - 20} kind"


def test_no_array_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = mlp()
    tree["up"]["kernel"] = leaf(nnx.Param, jnp.ones((2, 9)))
    deleted = leaf(nnx.Param, jnp.ones((3, 9)))
    jax.tree.leaves(deleted)[0].delete()
    tree["down"]["kernel"] = deleted
    with jax.transfer_guard("disallow"):
        assert text(tree, MlpState).splitlines()[1:4] == [
            "  up.kernel: dout is 9, but hidden=3 from up.bias, axis 0 [dim]",
            "  down.kernel: expected an array with values, found a deleted array "
            "(was it donated to a jitted function?) [array]",
            "  down.kernel: dout is 9, but d=2 from up.kernel, axis 0 [dim]",
        ]


def test_a_report_is_data() -> None:
    tree = mlp()
    tree["up"]["kernal"] = tree["up"].pop("kernel")
    report = explain(nnx.State(tree), MlpState)
    assert report.to_dict() == {
        "hint": "MlpState",
        "fits": False,
        "violations": [
            {
                "path": "up.kernel",
                "code": "missing",
                "expected": 'Param[Float[Array, "din dout"]]',
                "actual": "nothing",
                "note": "there is 'kernal': misspelt?",
            },
            {
                "path": "up.kernal",
                "code": "extra",
                "expected": "no such key",
                "actual": "Param float32[2,3]",
                "note": "did you mean 'kernel'?",
            },
        ],
        "dims": {"hidden": 3, "d": 2},
        "unknown": [],
    }
    assert json.loads(report.to_json()) == report.to_dict()
    assert json.loads(report.to_json(indent=2)) == report.to_dict()
    run = explain(jnp.ones((2, 3, 4)), Float[Array, "*batch d//2"])
    assert json.loads(run.to_json()) == {
        "hint": 'Float[Array, "*batch d//2"]',
        "fits": True,
        "violations": [],
        "dims": {"batch": [2, 3]},
        "unknown": [{"path": "", "text": "d//2 of size 4 has open names"}],
    }
    assert str(run) == (
        'fits Float[Array, "*batch d//2"]\n'
        "  dims: batch=(2,3)\n"
        "  unknown: d//2 of size 4 has open names"
    )


def test_codes_are_those_of_the_design() -> None:
    assert (
        *("missing", "extra", "key", "kind", "container", "array", "dtype", "rank"),
        *("size", "dim", "sharding", "metadata", "predicate"),
    ) == CODES


def test_a_violation_says_its_keys_and_its_sentence() -> None:
    tree = {"layers": {0: {}}, "heads": {}}
    (up, down) = explain(nnx.State(tree), StackState).violations
    assert (up.keys, up.path) == (("layers", 0, "up"), "layers[0].up")
    assert down.message == "missing, expected LinearState"
    assert str(down) == "layers[0].down: missing, expected LinearState [missing]"


def test_rendering_is_bounded_by_bytes_too() -> None:
    violations = tuple(
        Violation("é" * 300, "kind", "x" * 300, "y" * 300, "z" * 300) for _ in range(50)
    )
    shown = str(Report("h" * 999, violations))
    assert len(shown.encode()) < 4096
    assert (
        shown.splitlines()[-1]
        == f"  and {50 - len(shown.splitlines()) + 2} more: {50 - len(shown.splitlines()) + 2} kind"
    )
