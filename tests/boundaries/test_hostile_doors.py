"""Whatever is passed through a door, it is taken or refused by that door's own exception."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import pydantic
import pytest
from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeCallHintViolation
from flax import nnx

from tests.validation.hostile import KEYS, VALUES, deep
from tests.zoo import LinearState, MlpState, leaf
from typedstate import (
    Abstract,
    Placed,
    SchemaError,
    StateOf,
    StateTypeError,
    check,
    checked,
    explain,
    fits,
    infer,
    merge,
    specs,
    to_source,
    update,
)
from typedstate._compat import axis_rules, variables

one = jnp.ones(2)
matrix = jnp.ones((2, 3))


class Odd:
    """Metadata of a class that can't be compared, hashed or shown."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __bool__(self) -> bool:
        raise RuntimeError("no")


class OddDict(dict[Any, Any]):
    """A dict every method of which raises."""

    def __getitem__(self, key: Any) -> Any:
        raise RuntimeError("no")

    def __iter__(self) -> Any:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")

    def __contains__(self, key: object) -> bool:
        raise RuntimeError("no")

    def items(self) -> Any:
        raise RuntimeError("no")

    def keys(self) -> Any:
        raise RuntimeError("no")

    def get(self, key: Any, default: Any = None) -> Any:
        raise RuntimeError("no")


def odd(**metadata: Any) -> Any:
    """A state of a Linear whose kernel has this metadata, whatever a constructor says of it."""
    return nnx.State({"kernel": variables.make_variable(nnx.Param, matrix, metadata)})


def deleted() -> Any:
    array = jnp.ones((2, 3))
    found = nnx.State({"kernel": leaf(nnx.Param, array)})
    array.delete()
    return found


def endless() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    tree["a"] = tree
    return tree


NAMES_KEY = next(iter(axis_rules.with_names(("a",))))
ODD: dict[str, Any] = {
    "metadata": odd(marker=Odd()),
    "axis names": odd(**{NAMES_KEY: Odd()}),
    "an axis name": odd(**{NAMES_KEY: ("a", Odd())}),
    "axis names in text": odd(**{NAMES_KEY: "ab"}),
    "too many axis names": odd(**{NAMES_KEY: ("a",) * 1000}),
    "sharding rules": odd(**{NAMES_KEY: ("a", "b"), "sharding_rules": Odd()}),
    "a sharding rule": odd(**{NAMES_KEY: ("a", "b"), "sharding_rules": (Odd(),)}),
    "a mesh": odd(**{NAMES_KEY: ("a", "b"), "mesh": Odd()}),
    "a value": nnx.State({"kernel": variables.make_variable(nnx.Param, Odd(), {})}),
    "a dict": OddDict(kernel=leaf(nnx.Param, matrix)),
    "a dict in a dict": {"kernel": leaf(nnx.Param, matrix), "up": OddDict(a=one)},
    "a deleted array": deleted(),
    "a deep dict": deep(1000, leaf(nnx.Param, one)),
    "a deep state": nnx.State(deep(1000, leaf(nnx.Param, one))),
    "a state of some depth": nnx.State(deep(150, leaf(nnx.Param, one))),
    "an endless dict": endless(),
}


def values() -> dict[str, Any]:
    """Every hostile value, and every hostile key at each of three places."""
    found = {**VALUES, **ODD}
    found["a key of too many digits"] = {10**5000: leaf(nnx.Param, matrix)}
    for name, key in KEYS.items():
        variable = leaf(nnx.Param, matrix)
        found[f"key: {name}"] = nnx.State({key: variable})
        found[f"keys: {name}"] = {"up": {key: variable}, key: {"kernel": variable}}
        found[f"one more key: {name}"] = {"kernel": variable, key: variable}
    return found


@checked
def taking(state: LinearState) -> None: ...


@checked
def giving(state: Any) -> StateOf[nnx.Param]:
    return state  # type: ignore[no-any-return]


class Record(pydantic.BaseModel):
    state: LinearState


@beartype(conf=BeartypeConf(is_pep484_tower=False))
def bear(state: LinearState) -> None: ...


def linear() -> nnx.Linear:
    return nnx.Linear(2, 3, rngs=nnx.Rngs(0))


GRAPHDEF = nnx.split(linear())[0]
DOORS: dict[str, tuple[Callable[[Any], Any], tuple[type[Exception], ...]]] = {
    "check": (lambda value: check(value, LinearState), (StateTypeError,)),
    "check of a tree": (lambda value: check(value, StateOf[nnx.Param]), (StateTypeError,)),
    "check of a placement": (lambda value: check(value, Placed[LinearState]), (StateTypeError,)),
    "check of an abstract": (lambda value: check(value, Abstract[MlpState]), (StateTypeError,)),
    "an argument": (taking, (StateTypeError,)),
    "a result": (giving, (StateTypeError,)),
    "S.of": (LinearState.of, (StateTypeError,)),
    "S.of with a filter": (lambda value: LinearState.of(value, nnx.Param), (StateTypeError,)),
    "S(...)": (LinearState, (StateTypeError,)),
    "pydantic": (lambda value: Record(state=value), (pydantic.ValidationError,)),
    # beartype's message has the value's repr, and some of these raise there
    "beartype": (bear, (BeartypeCallHintViolation, RuntimeError, ValueError)),
    "merge": (lambda value: merge(GRAPHDEF, value), (StateTypeError,)),
    "merge with a hint": (
        lambda value: merge(GRAPHDEF, value, hint=LinearState),
        (StateTypeError,),
    ),
    "update": (lambda value: update(linear(), value), (StateTypeError,)),
    "update, new": (lambda value: update(linear(), value, new=True), (StateTypeError,)),
    "update, resize": (lambda value: update(linear(), value, resize=True), (StateTypeError,)),
    "infer": (infer, (SchemaError,)),
    "to_source": (lambda value: to_source(infer(value)), (SchemaError,)),
    "specs like it": (lambda value: specs(LinearState, like=value), (SchemaError,)),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_door_takes_or_refuses(door: str) -> None:
    enter, refusals = DOORS[door]
    texts: dict[str, str] = {}
    for name, value in values().items():
        try:
            enter(value)
        except refusals as refusal:
            texts[name] = str(refusal)
    assert texts
    assert {name: len(text) for name, text in texts.items() if len(text) > 6000} == {}


@pytest.mark.parametrize("name", ODD)
def test_every_question_has_one_answer(name: str) -> None:
    value = ODD[name]
    for hint in (LinearState, StateOf[nnx.Variable], Placed[LinearState], Abstract[LinearState]):
        report = explain(value, hint)
        assert fits(value, hint) == isinstance(value, hint) == bool(report)
        assert len(str(report)) < 4096
        report.to_json()


def test_odd_metadata_is_no_reason_to_refuse_where_nothing_asks_for_it() -> None:
    for name in ("metadata", "axis names", "an axis name", "sharding rules", "a mesh"):
        assert fits(ODD[name], LinearState), name


def test_odd_axis_names_are_shown_by_their_class() -> None:
    (found,) = explain(ODD["an axis name"], Placed[LinearState]).violations
    assert found.code == "sharding"
    assert "<Odd>" in str(found)


def test_the_source_of_what_is_inferred_runs_nothing_of_the_keys() -> None:
    for name, key in KEYS.items():
        tree = nnx.State({key: leaf(nnx.Param, matrix)})
        schema = infer(tree)
        try:
            source = to_source(schema)
        except SchemaError:
            continue
        namespace: dict[str, Any] = {}
        exec(source, namespace)
        again = namespace[schema.__name__]
        assert fits(tree, again), (name, source)


INJECTIONS = (
    "x'); raise SystemExit #",
    'x"); raise SystemExit #',
    '"""\nraise SystemExit\n',
    "x\n    raise SystemExit",
    "{__import__('os')._exit(3)}",
    "\\",
    "\\'",
    "__import__('os')._exit(3)",
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_code_comes_from_data(text: str) -> None:
    variable = leaf(nnx.Param, matrix)
    tree = {text: variable, "a": {text: {text: variable}}}
    schema = infer(tree)
    for _ in range(3):  # the walk first, then generated code
        assert fits(tree, schema)
        assert fits(nnx.State(tree), schema)
    wrong = {text: variable, "a": {text: {text: leaf(nnx.Cache, matrix)}}}
    assert not fits(wrong, schema)
    namespace: dict[str, Any] = {}
    exec(to_source(schema), namespace)
    assert fits(tree, namespace[schema.__name__])
    node = linear()
    with pytest.raises(StateTypeError):
        update(node, tree)
    with pytest.raises(StateTypeError):
        merge(GRAPHDEF, tree)


class Touched(Exception):
    pass


class Trap:
    """A leaf whose every attribute is code: reading one would run it."""

    def __getattr__(self, name: str) -> Any:
        raise Touched(name)


def test_a_leaf_that_is_code_is_refused_without_a_crash() -> None:
    for value in (Trap(), nnx.Param(Trap()), {"kernel": Trap()}, {"kernel": nnx.Param(Trap())}):
        assert not fits(value, LinearState)
        assert explain(value, LinearState).violations


@pytest.mark.parametrize(
    "key", ["__class__", ("a",), b"kernel", -1, "a\nb", None, frozenset({1})], ids=repr
)
def test_what_flax_refuses_halfway_leaves_the_node_as_it_was(key: Any) -> None:
    node = linear()
    before = node.kernel[...]
    state = {"kernel": leaf(nnx.Param, matrix), "sub": {key: leaf(nnx.Param, one)}}
    with contextlib.suppress(Exception):
        nnx.update(linear(), nnx.State(state))
        pytest.skip("this Flax adds it")
    with pytest.raises(StateTypeError, match=r"Flax|declared") as raised:
        update(node, state, new=True)
    assert raised.value.report is not None
    assert [found.code for found in raised.value.report.violations] == ["extra"]
    assert bool((node.kernel[...] == before).all())
    assert not hasattr(node, "sub")


@pytest.mark.parametrize("door", ["check", "an argument", "merge", "update", "infer"])
def test_a_dict_may_change_while_a_door_reads_it(door: str) -> None:
    enter, refusals = DOORS[door]
    tree: dict[Any, Any] = {f"k{index}": leaf(nnx.Param, matrix) for index in range(50)}
    tree["sub"] = dict(tree)
    stop = threading.Event()

    def write() -> None:
        index = 0
        while not stop.is_set():
            key = f"k{index % 100}"
            for target in (tree, tree["sub"]):
                target.pop(key, None) if key in target else target.update({key: one})
            index += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(30):
            try:
                enter(tree)
            except refusals:
                continue
    finally:
        stop.set()
        writer.join()
    gc.collect()
