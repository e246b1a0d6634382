"""Reports recognise what a mistake looks like, and what all its leaves have in common."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.validation.reports import misspelt, mlp, text
from tests.zoo import LinearState, MlpState, StackState, leaf, state
from typedstate import Abstract, Bind, Entries, Only, Pure, StateMap, StateOf, TypedState, explain


def text_keys() -> Any:
    tree = zoo.as_dict(nnx.state(zoo.Stack(2, 3, 2, nnx.Rngs(0))))
    tree["layers"] = {str(key): item for key, item in tree["layers"].items()}
    return nnx.State(tree)


def value_suffix() -> Any:
    tree = mlp()
    tree["up"]["kernel"] = {"value": jnp.ones((2, 3))}
    return nnx.State(tree)


def swapped_for_value() -> Any:
    tree = mlp()
    tree["up"]["kernel"] = jnp.ones((2, 3))
    return nnx.State(tree)


def swapped_for_variable() -> Any:
    tree = nnx.to_pure_dict(nnx.State(mlp()))
    tree["up"]["kernel"] = leaf(nnx.Param, jnp.ones((2, 3)))
    return tree


def stale_kind() -> Any:
    stale = type("Param", (nnx.Variable,), {"__module__": "old.flax"})
    tree = mlp()
    tree["up"]["kernel"] = leaf(stale, jnp.ones((2, 3)))
    return nnx.State(tree)


def abstract_leaf() -> Any:
    return jax.eval_shape(lambda: nnx.State({"kernel": leaf(nnx.Param, jnp.ones((2, 3)))}))


PATTERNS: dict[str, tuple[Any, Any, str]] = {
    "a misspelt key": (
        misspelt,
        MlpState,
        "does not fit MlpState: 2 violations\n"
        '  up.kernel: missing, expected Param[Float[Array, "din dout"]] '
        "(there is 'kernal': misspelt?) [missing]\n"
        "  up.kernal: not declared, found Param float32[2,3] (did you mean 'kernel'?) [extra]\n"
        "  dims: hidden=3 d=2",
    ),
    "text for int keys": (
        text_keys,
        StackState,
        "does not fit StackState: 1 violation\n"
        "  layers: expected int keys, found str keys '0', '1' "
        "(nnx.restore_int_paths makes them int) [key]\n"
        "  dims: d=2 depth=2",
    ),
    "text for the int keys of entries": (
        lambda: state({"0": nnx.Param(jnp.ones(1)), "1": nnx.Param(jnp.ones(1))}),
        Entries[nnx.Param, nnx.Param],
        "does not fit Entries[Param, Param]: 1 violation\n"
        "  the value: expected int keys, found str keys '0', ... "
        "(nnx.restore_int_paths makes them int) [key]",
    ),
    "text for one of the int keys of entries": (
        lambda: state({0: nnx.Param(jnp.ones(1)), "1": nnx.Param(jnp.ones(1))}),
        Entries[nnx.Param, nnx.Param],
        "does not fit Entries[Param, Param]: 2 violations\n"
        "  [1]: missing, expected Param "
        "(there is '1': nnx.restore_int_paths makes it an int) [missing]\n"
        "  ['1']: not declared, found Param float32[1] "
        "(nnx.restore_int_paths makes the key an int) [extra]",
    ),
    "one level too deep": (
        lambda: nnx.State({"params": mlp()}),
        MlpState,
        "does not fit MlpState: 1 violation\n"
        "  params: expected the keys of MlpState, found a dict with keys 'down', 'up' "
        "(the tree is one level too deep: pass what stands under this key) [extra]\n"
        "  dims: d=2 hidden=3",
    ),
    "a value suffix": (
        value_suffix,
        MlpState,
        "does not fit MlpState: 1 violation\n"
        "  up.kernel: expected Param[Float[Array, \"din dout\"]], found a dict with keys 'value' "
        "(a checkpoint keeps a Variable's array under 'value') [kind]\n"
        "  dims: hidden=3 d=2",
    ),
    "a value for its Variable": (
        swapped_for_value,
        MlpState,
        "does not fit MlpState: 1 violation\n"
        '  up.kernel: expected Param[Float[Array, "din dout"]], found float32[2,3] '
        "(a value where its Variable was meant: Param(value)) [kind]\n"
        "  dims: hidden=3 d=2",
    ),
    "a Variable for its value": (
        swapped_for_variable,
        Pure[MlpState],
        "does not fit Pure[MlpState]: 1 violation\n"
        '  up.kernel: expected Float[Array, "din dout"], found Param float32[2,3] '
        "(a Variable where its value was meant: variable[...]) [array]\n"
        "  dims: hidden=3 d=2",
    ),
    "a kind from another Flax": (
        stale_kind,
        MlpState,
        "does not fit MlpState: 1 violation\n"
        '  up.kernel: expected Param[Float[Array, "din dout"]], found Param float32[2,3] '
        "(another class of that name, from old.flax) [kind]\n"
        "  dims: hidden=3 d=2",
    ),
    "an abstract value": (
        abstract_leaf,
        LinearState,
        "does not fit LinearState: 1 violation\n"
        '  kernel: expected Float[Array, "din dout"], found ShapeDtypeStruct float32[2,3] '
        "(an abstract value: Abstract[...] takes those) [array]",
    ),
    "a concrete value": (
        lambda: state({"kernel": nnx.Param(jnp.ones((2, 3)))}),
        Abstract[LinearState],
        "does not fit Abstract[LinearState]: 1 violation\n"
        '  kernel: expected Float[ShapeDtypeStruct, "din dout"], found float32[2,3] '
        "(a concrete value: jax.eval_shape gives abstract ones) [array]",
    ),
    "a numpy array": (
        lambda: state({"kernel": nnx.Param(np.ones((2, 3), "float32"))}),
        LinearState,
        "does not fit LinearState: 1 violation\n"
        '  kernel: expected Float[Array, "din dout"], found numpy float32[2,3] '
        "(a numpy array: jnp.asarray makes it a jax.Array) [array]",
    ),
    "an old-style key": (
        lambda: state(
            {
                "key": nnx.RngKey(jax.random.PRNGKey(0), tag="a"),
                "count": nnx.RngCount(jnp.uint32(0), tag="a"),
            }
        ),
        zoo.StreamState,
        "does not fit StreamState: 2 violations\n"
        "  key: expected dtype Key, found uint32[2] "
        "(an old-style key: jax.random.key makes typed ones) [dtype]\n"
        '  key: expected rank 0 (""), found shape (2,) [rank]',
    ),
    "a module": (
        lambda: zoo.Mlp(2, 3, rngs=nnx.Rngs(0)),
        MlpState,
        "does not fit MlpState: 1 violation\n"
        "  the value: expected a state MlpState, found Mlp "
        "(a module: nnx.state(module) is its state, Annotated[Mlp, MlpState] takes it as it is) "
        "[container]",
    ),
    "several states": (
        lambda: nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)), nnx.Param, ...),
        MlpState,
        "does not fit MlpState: 1 violation\n"
        "  the value: expected a state MlpState, found tuple "
        "(several states: nnx.state with two filters gives a tuple) [container]",
    ),
    "a State for a pure dict": (
        lambda: nnx.State(mlp()),
        Pure[StateOf[nnx.Param]],
        "does not fit Pure[StateOf[Param]]: 1 violation\n"
        "  the value: expected a plain dict of values, found an nnx.State "
        "(nnx.to_pure_dict gives one) [container]",
    ),
    "a shared Variable that is there": (
        lambda: state(
            {
                "embed": {"embedding": nnx.Param(jnp.ones((5, 3)))},
                "head": nnx.Param(jnp.ones((5, 3))),
                "scale": jnp.ones(3),
            }
        ),
        zoo.TiedState,
        "does not fit TiedState: 1 violation\n"
        "  head: expected nothing, as it is shared with embed.embedding, found Param float32[5,3] "
        "(Flax keeps a shared Variable at its first path in sorted order) [extra]\n"
        "  dims: vocab=5 d=3",
    ),
    "dims of several origins": (
        lambda: state(
            {
                "up": {"kernel": nnx.Param(jnp.ones((2, 3)))},
                "down": {"kernel": nnx.Param(jnp.ones((4, 2)))},
            }
        ),
        MlpState,
        "does not fit MlpState: 1 violation\n"
        "  down.kernel: din is 4, but hidden=3 from up.kernel, axis 1 [dim]\n"
        "  dims: d=2 hidden=3",
    ),
}


def _params() -> nnx.State[Any, Any]:
    return nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))


def _of_a_stale_kind() -> Any:
    stale = type("Param", (nnx.Variable,), {"__module__": "old.flax"})
    values = nnx.to_pure_dict(_params())
    return jax.tree.map(lambda array: leaf(stale, array), values)


COMMON: dict[str, tuple[Any, Any, str]] = {
    "values": (
        lambda: nnx.to_pure_dict(_params()),
        MlpState,
        "values stand for their Variables: Pure[...] takes a dict of them, Values[...] a State",
    ),
    "Variables": (
        lambda: zoo.as_dict(_params()),
        Pure[MlpState],
        "Variables stand for their values: nnx.to_pure_dict gives a dict of those",
    ),
    "abstract arrays": (
        lambda: jax.eval_shape(_params),
        MlpState,
        "the arrays are abstract: Abstract[...] takes those",
    ),
    "concrete arrays": (
        _params,
        Abstract[MlpState],
        "the arrays are concrete: jax.eval_shape gives abstract ones",
    ),
    "numpy arrays": (
        lambda: jax.tree.map(np.asarray, _params()),
        MlpState,
        "the arrays are numpy's: jax.tree.map(jnp.asarray, tree) makes them JAX's",
    ),
    "stale kinds": (
        _of_a_stale_kind,
        MlpState,
        "the kinds are classes of a reload or of another Flax",
    ),
    "a checkpoint": (
        lambda: jax.tree.map(lambda array: {"value": array}, nnx.to_pure_dict(_params())),
        MlpState,
        "the tree is that of a checkpoint, which keeps each array under 'value'",
    ),
}


@pytest.mark.parametrize("name", COMMON)
def test_a_report_says_what_all_leaves_have_in_common(name: str) -> None:
    make, hint, cause = COMMON[name]
    report = explain(make(), hint)
    assert [item.path for item in report.violations] == [
        *("up.kernel", "up.bias", "down.kernel", "down.bias"),
    ]
    assert report.cause == f"{cause} (4 leaves)"
    assert str(report).splitlines()[:2] == [
        f"does not fit {report.hint}: 4 violations",
        f"  cause: {cause} (4 leaves)",
    ]
    assert report.to_dict()["cause"] == report.cause


def test_a_few_leaves_have_no_common_cause() -> None:
    tree = mlp()
    for name in ("kernel", "bias"):
        tree["up"][name] = jnp.ones((2, 3) if name == "kernel" else 3)
    report = explain(nnx.State(tree), MlpState)
    assert len(report.violations) == 2
    assert report.cause == ""
    assert "cause" not in report.to_dict()


def test_what_follows_a_union_stands_behind_it() -> None:
    class PairState(TypedState):
        first: LinearState | nnx.Param[Float[Array, "n"]]
        last: nnx.Param[Float[Array, "n"]]

    wrong = leaf(nnx.Param, jnp.ones((1, 1, 1), "int32"))
    tree = {"first": {"kernel": wrong, "bias": wrong}, "last": wrong}
    paths = [item.path for item in explain(nnx.State(tree), PairState).violations]
    assert list(dict.fromkeys(paths)) == ["first.kernel", "first.bias", "last"]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_report_recognises(name: str) -> None:
    make, hint, expected = PATTERNS[name]
    assert str(explain(make(), hint)) == expected


def test_a_key_that_is_declared_is_not_taken_for_a_misspelt_one() -> None:
    class Near(TypedState):
        kernel: nnx.Param
        kernel_2: nnx.Param

    assert text({"kernel": leaf(nnx.Param, jnp.ones(1))}, Near) == (
        "does not fit Near: 1 violation\n  kernel_2: missing, expected Param [missing]"
    )


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        (LinearState | None, "LinearState | None"),
        (list[LinearState], "list[LinearState]"),
        (tuple[LinearState, Float[Array, "n"]], 'tuple[LinearState, Float[Array, "n"]]'),
        (dict[str, MlpState], "dict[str, MlpState]"),
        (nnx.Param[Float[Array, "n"]], 'Param[Float[Array, "n"]]'),
        (
            Only[MlpState, nnx.Param, nnx.Not(nnx.BatchStat)],
            "Only[MlpState, Param, Not(BatchStat)]",
        ),
        (Only[MlpState, ...], "Only[MlpState, ...]"),
        (
            Bind[StateMap[int, Bind[MlpState, "d"]], "len=n"],
            "Bind[StateMap[int, Bind[MlpState, 'd']], 'len=n']",
        ),
        (Entries[LinearState, None], "Entries[LinearState, None]"),
    ],
)
def test_a_report_names_the_hint_as_it_was_written(hint: Any, name: str) -> None:
    assert explain(3, hint).hint == name
