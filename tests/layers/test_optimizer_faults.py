"""Every leaf of every optimizer's state, made wrong: it is refused, and the report says where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx

from tests.layers.mutations import changed, flat, leaf, leaves_of
from tests.layers.optimizer_cases import CASES, KEPT, Case, mlp, name_of
from typedstate import explain, fits
from typedstate._compat import variables
from typedstate.layers import OptimizerState, Raw
from typedstate.report import show_path

#: Leaves of which optax's own options decide everything: values of hyperparameters, skipping.
UNKNOWN = frozenset({"hyperparams", "skip_state"})
#: Moments of any shape: adafactor's factors, and the coefficients of muon.
OPEN = frozenset({"v", "v_row", "v_col", "ns_coeffs"})


def may_be_absent(path: tuple[Any, ...]) -> bool:
    """What some options leave out, mostly the counts of schedules and of bias correction."""
    entry = path[-2] if len(path) > 1 else None
    counts = {"hyperparams_states", "base_optimizer_state"} & set(path)
    if path[-1] == "count" and (counts or (isinstance(entry, int) and entry > 0)):
        return True
    return path[-1] == "curvature_error"


#: Where a mask leaves a bias without the kernel that would tell its size.
ALONE = frozenset({"masked", "multi_transform", "a frozen part", "muon"})


def is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and not jnp.issubdtype(value.dtype, jax.dtypes.extended)


def retyped(array: Any) -> Any:
    """Numbers for counts, counts for numbers."""
    whole = jnp.issubdtype(array.dtype, jnp.integer)
    return jnp.zeros(array.shape, jnp.float32 if whole else jnp.int8)


def kept_leaves(case: Case) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Leaves of ``nnx.Optimizer``'s state; up to Flax 0.10 the model is in it, too."""
    known = dict(flat(case.state))
    for path in leaves_of(case.state):
        if path[0] != "model" and not UNKNOWN & set(path):
            yield path, variables.raw_value(known[path])


@pytest.mark.parametrize("case", KEPT, ids=name_of)
def test_a_wrong_leaf_of_an_optimizer_is_refused_with_its_path(case: Case) -> None:
    hint = OptimizerState[case.hint]

    def codes(where: Any, **change: Any) -> dict[str, str]:
        broken = changed(case.state, where, **change)
        assert not fits(broken, hint), (where, change)
        report = explain(broken, hint)
        assert "another model" not in report.cause  # of which one leaf says nothing
        return {found.path: found.code for found in report.violations}

    for path, value in kept_leaves(case):
        where = show_path(path)
        assert codes(path, kind=nnx.Cache)[where] == "kind"
        if not may_be_absent(path):
            found = codes(path, drop=True)
            assert any(where.startswith(at) and code == "missing" for at, code in found.items())
        if is_array(value):
            assert codes(path, value=retyped)[where] == "dtype"
        if is_array(value) and not OPEN & set(path):
            assert codes(path, value=lambda array: array[None, None, None])[where] == "rank"
            if value.ndim and case.name not in ALONE:
                longer = codes(path, value=lambda array: jnp.concatenate([array] * 5))
                assert set(longer.values()) <= {"dim", "size"}


def with_leaf(state: Any, index: int, change: Any) -> Any:
    """A raw state of optax with one array changed, in a Variable or by itself."""
    items, tree = jax.tree.flatten(state, is_leaf=variables.is_variable)
    old = items[index]
    if variables.is_variable(old):
        items[index] = leaf(variables.kind_of(old), change(variables.raw_value(old)))
    else:
        items[index] = change(old)
    return jax.tree.unflatten(tree, items)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_wrong_leaf_of_what_optax_returns_is_refused_with_its_path(case: Case) -> None:
    state = case.tx.init(nnx.state(mlp(), nnx.Param))
    hint = Raw[case.hint]
    items = jax.tree.flatten_with_path(state, is_leaf=variables.is_variable)[0]
    for index, (path, item) in enumerate(items):
        value = variables.raw_value(item) if variables.is_variable(item) else item
        where = [str(getattr(key, "name", getattr(key, "key", ""))) for key in path]
        if UNKNOWN & set(where) or not is_array(value):
            continue
        broken = with_leaf(state, index, retyped)
        report = explain(broken, hint)
        assert not fits(broken, hint)
        assert [found.code for found in report.violations] == ["dtype"], (where, str(report))
        assert report.violations[0].path.endswith(where[-1]), str(report)
        if not OPEN & set(where):
            broken = with_leaf(state, index, lambda array: array[None, None, None])
            report = explain(broken, hint)
            assert not fits(broken, hint)
            assert "rank" in {found.code for found in report.violations}, (where, str(report))


def test_what_is_wrong_with_adam_is_said_in_one_line() -> None:
    case = next(case for case in CASES if case.name == "adam")
    hint = OptimizerState[case.hint]
    path = ("opt_state", 0, "count")
    broken = changed(case.state, path, value=lambda array: array.astype(jnp.float32))
    assert str(explain(broken, hint)).splitlines()[1] == (
        "  opt_state[0].count: expected dtype Int, found float32[] [dtype]"
    )
    broken = changed(case.state, ("opt_state", 0, "mu", "up", "bias"), value=optax.MaskedNode())
    assert str(explain(broken, hint)).splitlines()[1] == (
        '  opt_state[0].mu.up.bias: expected Inexact[Array, "dout"], found MaskedNode [array]'
    )
    raw = with_leaf(case.tx.init(nnx.state(mlp(), nnx.Param)), 0, retyped)
    assert str(explain(raw, Raw[case.hint])).splitlines()[1] == (
        "  [0].count: expected dtype Int, found float32[] [dtype]"
    )
