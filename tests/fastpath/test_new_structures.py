"""What is never like anything known has code generated ever more rarely."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.fastpath.helpers import learned, np_ones, raw, verdicts
from tests.zoo import LinearState, state
from typedstate import Only, StateMap, TypedState, checked
from typedstate._compat import variables


@dataclass
class Record:
    layer: LinearState
    step: int


def growing(step: int) -> Any:
    return [state({"kernel": nnx.Param(np_ones(2, 3))})] * step


def stepped(step: int) -> Any:
    return state({"kernel": nnx.Param(np_ones(2, 3)), f"step{step}": nnx.Param(np_ones(1))})


class MyDict(Mapping[str, Any]):
    """A container of a user's own, whose class says nothing of its contents."""

    def __init__(self, items: dict[str, Any]) -> None:
        self.items_ = items

    def __getitem__(self, key: str) -> Any:
        return self.items_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.items_)

    def __len__(self) -> int:
        return len(self.items_)


class OpenState(TypedState, extra="allow"):
    kernel: nnx.Param[Float[Array, "din dout"]]


@pytest.mark.parametrize(
    ("hint", "make"),
    [
        (list[LinearState], growing),
        (OpenState, stepped),
        (StateMap[int, LinearState], lambda n: state(dict(enumerate(map(dict, growing(n)))))),
        (Mapping[str, Float[Array, "n"]], lambda n: MyDict({"x": np_ones(n)})),
    ],
    ids=["growing list", "open schema", "growing map", "container of a user's own"],
)
def test_code_is_generated_ever_more_rarely(
    hint: Any, make: Callable[[int], Any], generated: list[str]
) -> None:
    @checked
    def use(value: hint) -> None: ...  # type: ignore[valid-type]

    for step in range(1, 70):
        use(make(step))
    assert len(generated) == 18  # the first 16, the 32nd, the 64th
    use(make(1))
    assert len(generated) == 18


@pytest.mark.parametrize(
    ("hint", "make"),
    [
        (LinearState | None, lambda n: state({"kernel": nnx.Param(np_ones(2, n))})),
        (dict[str, Float[Array, "n"]], lambda n: {"x": np_ones(n)}),
        (Record, lambda n: Record(state({"kernel": nnx.Param(np_ones(2, n))}), n)),
        (list[Float[Array, "*batch"]], lambda n: [np_ones(2, n), np_ones(2, n)]),
        (Only[LinearState, nnx.Param], lambda n: state({"kernel": nnx.Param(np_ones(2, n))})),
        (tuple[LinearState, Any], lambda n: (state({"kernel": nnx.Param(np_ones(2, n))}), n)),
    ],
    ids=["union", "dict", "dataclass", "list", "form", "Any"],
)
def test_other_sizes_stay_in_the_code_that_is_there(
    hint: Any, make: Callable[[int], Any], generated: list[str]
) -> None:
    @checked
    def use(value: hint) -> None: ...  # type: ignore[valid-type]

    for n in range(2, 40):
        use(make(n))
    assert len(generated) == 1


def test_fields_of_a_dataclass_are_compared() -> None:
    def record(kind: Any, *shape: int) -> Record:
        return Record(state({"kernel": kind(np_ones(*shape))}), 1)

    known = learned(Record, record(nnx.Param, 2, 3))
    assert verdicts(known, Record, record(nnx.Param, 4, 5)) == (True, True)
    assert verdicts(known, Record, record(nnx.BatchStat, 2, 3)) == (False, False)
    assert verdicts(known, Record, record(nnx.Param, 2, 3, 4)) == (False, False)


def test_keys_that_are_equal_are_not_the_same_to_a_hint() -> None:
    known = learned(dict[int, Float[Array, "n"]], {1: np_ones(2)})
    assert verdicts(known, dict[int, Float[Array, "n"]], {1: np_ones(3)}) == (True, True)
    assert verdicts(known, dict[int, Float[Array, "n"]], {1.0: np_ones(2)}) == (False, False)


def test_schemas_plans_and_functions_are_collected() -> None:
    def make() -> list[weakref.ref[Any]]:
        class Local(TypedState):
            kernel: nnx.Param[Float[Array, "n m"]]

        @checked
        def use(value: Local, x: Float[Array, "n"]) -> Float[Array, "m"]:
            return jnp.sum(variables.raw_value(value["kernel"]), axis=0)

        for n in range(2, 6):
            value = state({"kernel": nnx.Param(np_ones(n, 3))})
            use(value, np_ones(n))
            assert isinstance(value, Local)
        owner = use.__globals__["_enter"].__self__
        call = next(iter(owner.calls.known.values()))
        structure = call.specializations[0].structure
        objects = (Local, use, owner, call, structure, raw(value["kernel"]))
        return [weakref.ref(item) for item in objects]

    found = make()
    gc.collect()
    assert [item() for item in found] == [None] * len(found)
