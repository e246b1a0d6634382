"""Whatever is passed, the answer is a report: never a crash, never a hang."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
import pytest
from beartype.vale import Is
from flax import nnx

from tests.validation.hostile import HINTS, KEYS, VALUES, Level, RaisingShape, deep, one
from tests.zoo import LinearState, MlpState, leaf, state
from typedstate import Alias, Bind, Only, Plus, Same, StateMap, StateOf, TypedState, explain, fits


def answers(value: object, hint: Any) -> None:
    report = explain(value, hint)
    shown = str(report)
    assert len(shown.encode(errors="backslashreplace")) < 4096
    assert all(line.isprintable() for line in shown.splitlines() if line.isascii())
    assert fits(value, hint) == bool(report)
    if hasattr(hint, "__typedstate_spec__") and value is not None:
        assert isinstance(value, hint) == bool(report)
    report.to_json()


@pytest.mark.parametrize("hint", HINTS.values(), ids=HINTS)
def test_any_value_gets_an_answer(hint: Any) -> None:
    for value in VALUES.values():
        answers(value, hint)
        answers({"up": value, "layers": value, 0: value}, hint)
        answers(nnx.State({"up": {"kernel": value}, "layers": {0: {"up": value}}}), hint)


@pytest.mark.parametrize("hint", HINTS.values(), ids=HINTS)
def test_a_value_whose_shape_raises_gets_an_answer(hint: Any) -> None:
    for value in (RaisingShape(), nnx.Param(RaisingShape()), {"up": RaisingShape()}):
        str(explain(value, hint))


@pytest.mark.parametrize("hint", HINTS.values(), ids=HINTS)
def test_any_key_gets_an_answer(hint: Any) -> None:
    for key in KEYS.values():
        answers({key: nnx.Param(one)}, hint)
        answers({"up": {key: one}, key: {key: nnx.Param(one)}}, hint)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_any_key_may_be_declared(key: Any) -> None:
    schema = type(TypedState)(
        "Keyed",
        (TypedState,),
        {"__module__": __name__, "__annotations__": {"x": Annotated[nnx.Param, Alias(key)]}},
    )
    assert fits({key: leaf(nnx.Param, one)}, schema)
    (found,) = explain({}, schema).violations
    assert found.code == "missing"
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("it's", '["it\'s"]'),
        ("a\nb", r"['a\nb']"),
        ("", "['']"),
        ("a.b", "['a.b']"),
        (("kernel", "sigma"), "[('kernel', 'sigma')]"),
        (0, "[0]"),
        (-1, "[-1]"),
        ("Größe", "Größe"),
        ("__class__", "__class__"),
        ("\x1b[31m", r"['\x1b[31m']"),
        (True, "[True]"),
    ],
)
def test_a_path_reads_as_python_would(key: Any, path: str) -> None:
    (found,) = explain({"x": {key: nnx.Cache(one)}}, StateOf[nnx.Param]).violations
    assert found.path == f"x.{path}" if not path.startswith("[") else f"x{path}"
    assert found.keys == ("x", key)


def test_ints_of_a_subclass_are_ints() -> None:
    tree = {Level.FIRST: {"kernel": leaf(nnx.Param, jnp.ones((1, 1)))}}
    assert fits(tree, StateMap[int, LinearState])
    assert fits({np.int8(0): tree[Level.FIRST]}, Bind[StateMap[int, LinearState], "len=1"])


@pytest.mark.parametrize("levels", [150, 1000, 20_000])
def test_any_depth_gets_an_answer(levels: int) -> None:
    tree = deep(levels, leaf(nnx.Param, one))
    report = explain(tree, StateOf[nnx.Param])
    if levels > 200:
        assert [found.code for found in report.violations] == ["container"]
        assert str(report) == (
            "does not fit StateOf[Param]: 1 violation\n"
            "  the value: expected StateOf[Param], found a tree nested too deeply to read "
            "[container]"
        )
    else:
        assert report
    for hint in (MlpState, StateMap[str, Any], Plus[MlpState, nnx.Param], Same[Any, "T"]):
        explain(tree, hint)
        explain({"up": tree}, hint)
    assert fits(tree, Any)


class Chain(TypedState):
    weight: nnx.Param | None
    a: Chain | None


class Endless(TypedState):
    a: Endless


@pytest.mark.parametrize("levels", [1, 50, 5000])
def test_recursive_schemas_meet_deep_trees(levels: int) -> None:
    tree = deep(levels, {"weight": leaf(nnx.Param, one)})
    assert fits(tree, Chain) == (levels < 200)
    assert not fits(tree, Endless)
    assert fits({}, Endless)
    assert fits(deep(10, {}), Endless)


def test_a_tree_that_holds_itself_gets_an_answer() -> None:
    tree: dict[str, Any] = {}
    tree["a"] = tree
    for hint in (Chain, Endless, StateOf[nnx.Param], MlpState, Plus[MlpState, nnx.Param]):
        assert not fits(tree, hint)


class Shouting(dict[Any, Any]):
    """A dict whose methods answer nonsense: a check reads the mapping itself."""

    def __len__(self) -> int:
        return 10**9


def test_subclasses_of_dict_are_dicts() -> None:
    tree = Shouting(kernel=leaf(nnx.Param, jnp.ones((2, 3))))
    assert fits(tree, LinearState)
    assert fits(OrderedDict(tree), LinearState)
    assert not fits(Shouting(kernel=3), LinearState)


def test_a_dict_may_change_while_it_is_checked() -> None:
    tree: dict[Any, Any] = {index: nnx.Param(one) for index in range(300)}
    stop = threading.Event()

    def write() -> None:
        index = 0
        while not stop.is_set():
            tree[index % 600] = nnx.Param(one)
            tree.pop((index * 7) % 600, None)
            index += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(40):
            explain(tree, StateMap[int, nnx.Param])
            explain(tree, MlpState)
            isinstance(tree, StateMap[int, nnx.Param])
    finally:
        stop.set()
        writer.join()


def test_many_threads_may_ask_at_once() -> None:
    found = state({"kernel": nnx.Param(jnp.ones((2, 3)))})
    wrong = state({"kernel": nnx.Param(jnp.ones(2))})
    answers_: list[bool] = []

    def ask() -> None:
        for _ in range(50):
            answers_.append(isinstance(found, LinearState) and not isinstance(wrong, LinearState))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers_) == 400
    assert all(answers_)


def test_a_validator_may_raise_or_answer_nonsense() -> None:
    def explode(value: Any) -> bool:
        raise ZeroDivisionError

    schema = type(TypedState)(
        "Checked",
        (TypedState,),
        {
            "__module__": __name__,
            "__annotations__": {"x": Annotated[nnx.Param, Is[explode]]},
        },
    )
    (found,) = explain(state({"x": nnx.Param(one)}), schema).violations
    assert found.code == "predicate"
    assert found.actual == "ZeroDivisionError from it"


def test_a_filter_may_raise() -> None:
    def explode(path: Any, value: Any) -> bool:
        raise ZeroDivisionError("mine")

    (found,) = explain(state({"kernel": nnx.Param(one)}), Only[LinearState, explode]).violations
    assert found.code == "predicate"
    assert found.actual == "ZeroDivisionError from it"


def test_nothing_is_kept_alive() -> None:
    import gc
    import weakref

    class Marker:
        pass

    schema = StateMap[str, nnx.Variable]
    marker = Marker()
    found = nnx.State({"a": leaf(nnx.Param, one, marker=marker)})
    reference = weakref.ref(marker)
    assert isinstance(found, schema)
    report = explain(found, StateMap[str, nnx.Cache])
    del found, marker
    gc.collect()
    assert reference() is None
    assert not report


def test_a_huge_key_costs_no_more_than_a_small_one() -> None:
    tree = {10**15: {"kernel": leaf(nnx.Param, jnp.ones((1, 1)))}}
    report = explain(tree, Bind[StateMap[int, LinearState], "len=n"])
    assert len(report.violations) == 100
    assert {found.code for found in report.violations} == {"missing"}
