"""Checked functions, schemas, forms and errors travel to other processes, and still check there.

By reference with ``pickle``; by value with cloudpickle, as Ray, Dask and submitit send what
stands in ``__main__``. What was accepted so far, and the code generated for it, stays behind.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, Generic, TypeVar

import cloudpickle
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.processes import forked
from tests.zoo import LinearState, MlpState
from typedstate import (
    Bind,
    Entries,
    Like,
    Only,
    Pure,
    Stacked,
    StateMap,
    StateOf,
    StateTypeError,
    TypedState,
    check,
    checked,
    explain,
)

A = TypeVar("A")
ROOT = Path(__file__).parents[2]


class BoxState(TypedState, Generic[A]):
    inner: A


@checked
def width(params: LinearState, x: Float[Array, "b din"]) -> int:
    return x.shape[1]


FORMS: list[Any] = [
    Pure[LinearState],
    Only[MlpState, nnx.Param],
    Bind[LinearState, "din=4"],
    StateMap[int, LinearState],
    Stacked[MlpState, "layers"],
    Like[LinearState, nnx.optimizer.OptVariable],
    Pure[Only[Stacked[MlpState, "layers"], nnx.Param]],
    StateOf[nnx.Param],
    Entries[LinearState, None],
    BoxState[LinearState],
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_form_is_pickled_as_it_was_written(form: Any) -> None:
    assert pickle.loads(pickle.dumps(form)) is form


@pytest.mark.parametrize("target", [LinearState, BoxState, Pure, width])
def test_what_has_a_name_is_pickled_by_it(target: Any) -> None:
    assert pickle.loads(pickle.dumps(target)) is target


def test_an_error_keeps_its_report() -> None:
    with pytest.raises(StateTypeError) as caught:
        check(3, LinearState)
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value)
    assert error.report == explain(3, LinearState)


SENDER = """
import sys, cloudpickle, jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from typedstate import Bind, Only, Pure, TypedState, checked, fits
class LinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
class ChainState(TypedState):
    here: Bind[LinearState, "din=d dout=d"]
    below: "ChainState | None"
@checked
def apply(
    params: LinearState, x: Float[Array, "b din"], scale: float = 1.0
) -> Float[Array, "b dout"]:
    return scale * x @ params["kernel"][...]
@checked
class Layer:
    def apply(self, params: LinearState) -> LinearState:
        return params
def linear(a, b):
    return nnx.State({"kernel": nnx.Param(jnp.ones((a, b)))})
for n in range(1, 6):  # code is generated for these
    apply(linear(2, 3), jnp.ones((n, 2)))
    Layer().apply(linear(2, 3))
    assert fits(linear(2, 3), LinearState) and fits({"kernel": jnp.ones((2, 3))}, Pure[LinearState])
    assert fits(nnx.State({"here": linear(n, n)}), ChainState)
things = apply, Layer, LinearState, ChainState, Pure[LinearState], Only[ChainState, nnx.Param]
with open(sys.argv[1], "wb") as file:
    cloudpickle.dump(things, file)
"""

RECEIVER = """
import pickle, sys, jax.numpy as jnp
from flax import nnx
from typedstate import StateTypeError, fits, source_of
with open(sys.argv[1], "rb") as file:
    apply, Layer, LinearState, ChainState, pure, only = pickle.load(file)
def linear(a, b):
    return nnx.State({"kernel": nnx.Param(jnp.ones((a, b)))})
assert source_of(LinearState) == ""
for n in range(1, 6):
    assert apply(linear(2, 3), jnp.ones((n, 2)), 2.0).shape == (n, 3)
    for call in (lambda: apply(linear(2, 3), jnp.ones((n, 4))), lambda: Layer().apply(3),
                 lambda: apply(linear(2, 3), jnp.ones((n, 2)), "much")):
        try:
            call()
        except StateTypeError as error:
            print(str(error).splitlines()[0])
        else:
            raise AssertionError("accepted")
    Layer().apply(linear(2, 3))
    assert fits(linear(n, 3), LinearState) and not fits(linear(n, 3), pure)
    assert fits({"kernel": jnp.ones((2, n))}, pure) and not fits({}, pure)
    chain = nnx.State({"here": linear(n, n), "below": {"here": linear(2, 2)}})
    assert fits(chain, ChainState) and fits(chain, only)
    assert not fits(nnx.State({"here": linear(n, n + 1)}), ChainState)
print(source_of(LinearState) != "")
"""


def sent(folder: Path, sender: str, receiver: str) -> str:
    """What a receiver prints, which another process sent something to."""
    runs: list[str] = []
    for name, text in (("sender", sender), ("receiver", receiver)):
        file = folder / f"{name}.py"
        file.write_text(text)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        run = forked(text, environment, str(folder / "things"), file=str(file))
        assert run.returncode == 0, run.stderr
        runs.append(run.stdout)
    assert runs[0] == ""
    return runs[1]


def test_what_stands_in_main_travels_by_value(tmp_path: Path) -> None:
    lines = sent(tmp_path, SENDER, RECEIVER).splitlines()
    assert lines[0] == "the arguments of apply() do not fit: 1 violation"
    assert lines[1] == "the arguments of Layer.apply() do not fit: 1 violation"
    assert len(lines) == 16
    assert lines[-1] == "True"


@pytest.mark.parametrize("target", [LinearState, BoxState, width, *FORMS])
def test_cloudpickle_sends_what_can_be_imported_by_its_name(target: Any) -> None:
    assert cloudpickle.loads(cloudpickle.dumps(target)) is target


#: Each is sent by itself, as a worker gets one function, and after it was used.
EVERY_KIND = """
import asyncio, dataclasses, functools, pickle, sys
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
import cloudpickle, jax, jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, BFloat16, Float
from typedstate import *
T = TypeVar("T")
class LinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
class Box(TypedState, Generic[T]):
    inner: T
class Net(nnx.Module):
    def __init__(self):
        self.kernel = nnx.Param(jnp.ones((3, 3)))
class Pair(NamedTuple):
    a: LinearState
    b: int
@checked
@dataclasses.dataclass
class Batch:
    state: LinearState
@dataclasses.dataclass
@checked
class Other:
    state: LinearState
@checked
def in_place(net: Annotated[Net, LinearState], pair: Pair | None = None) -> None: ...
@checked
def late(state: "Later") -> None: ...
@checked
async def waits(state: LinearState) -> LinearState:
    return state
@checked
def yields(state: LinearState):
    yield state
@checked
@jax.jit
def jitted(state: LinearState) -> Float[Array, ""]:
    return state["kernel"][...].sum()
@checked
class Methods:
    @staticmethod
    def static(state: LinearState) -> None: ...
    @classmethod
    def of_class(cls, state: LinearState) -> None: ...
class Later(TypedState):
    kernel: nnx.Param
def linear(a, b):
    return nnx.State({"kernel": nnx.Param(jnp.ones((a, b)))})
calls = {
    "late": late, "waits": waits, "yields": yields, "jitted": jitted, "static": Methods.static,
    "of_class": Methods.of_class, "bound": Methods().of_class, "Batch": Batch, "Other": Other,
}
for _ in range(3):
    in_place(Net())
    for name, call in calls.items():
        found = call(linear(2, 3))
        if name == "waits":
            asyncio.run(found)
        elif name == "yields":
            list(found)
try:
    check(3, LinearState)
except StateTypeError as caught:
    error = caught
forms = [
    Box[LinearState], Box[Box[LinearState]], Pure[LinearState], Only[LinearState, nnx.Param],
    Only[LinearState, lambda path, leaf: True], Rest[LinearState, nnx.BatchStat],
    Plus[LinearState, nnx.Intermediate], Bind[LinearState, "din=4"], StateMap[int, LinearState],
    Stacked[LinearState, "n"], Like[LinearState, nnx.BatchStat], Flat[LinearState],
    Flat[LinearState, "."], Abstract[LinearState], Shardings[LinearState], Specs[LinearState],
    Values[LinearState], Cast[LinearState, BFloat16], Placed[LinearState], Same[LinearState, "T"],
    Scoped[LinearState, "x"], Sharded[LinearState, "din=x"], Entries[LinearState, None],
    StateOf[nnx.Param], Exactly[nnx.Param],
]
things = {
    **calls, "net": functools.partial(in_place, Net()), "error": error, "schema": LinearState,
    "report": explain(3, LinearState), "box": Box[LinearState], "made": Batch(linear(1, 2)),
}
things |= {f"form {n}": form for n, form in enumerate(forms)}
sent = {name: cloudpickle.dumps(thing) for name, thing in things.items()}
shown = {name: thing.__name__ for name, thing in things.items() if name.startswith("form")}
with open(sys.argv[1], "wb") as file:
    pickle.dump((sent, shown), file)
"""

USES = """
import asyncio, pickle, sys
import jax.numpy as jnp
from flax import nnx
from typedstate import StateTypeError, check, explain
with open(sys.argv[1], "rb") as file:
    sent, shown = pickle.load(file)
got = {name: pickle.loads(data) for name, data in sent.items()}
def linear(a, b):
    return nnx.State({"kernel": nnx.Param(jnp.ones((a, b)))})
def refuses(call, *args):
    try:
        call(*args)
    except StateTypeError:
        return
    raise AssertionError(f"{call} accepted {args}")
got["waits"] = lambda state, call=got["waits"]: asyncio.run(call(state))
got["yields"] = lambda state, call=got["yields"]: list(call(state))
names = "late waits yields jitted static of_class bound Batch Other".split()
for n in (1, 2, 2, 3):
    for name in names:
        got[name](linear(n, 3))
        refuses(got[name], 3)
    got["net"]()
    refuses(got["net"], (1, 2))
    for name, tree in (("schema", linear(n, 2)), ("box", nnx.State({"inner": linear(n, 2)}))):
        check(tree, got[name])
        refuses(check, {}, got[name])
for name, text in shown.items():
    assert got[name].__name__ == text and not explain(3, got[name])
assert not got["report"] and got["error"].report == got["report"]
print(str(got["error"]).splitlines()[0])
"""


def test_every_kind_travels_by_value_and_checks(tmp_path: Path) -> None:
    found = sent(tmp_path, EVERY_KIND, USES)
    assert found == "does not fit LinearState: 1 violation\n"
