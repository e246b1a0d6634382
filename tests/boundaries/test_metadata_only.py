"""A check reads metadata only: it keeps no buffer alive and waits for no computation.

Through every door, where it accepts and where it refuses, on the first value and on later ones;
but for beartype where it refuses, as its own message prints the value.
"""

from __future__ import annotations

import contextlib
import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import pydantic
import pytest
from beartype import beartype
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.zoo import leaf, state
from tests.zoo.meshes import mesh_of
from typedstate import (
    Placed,
    Report,
    Same,
    Sharded,
    StateTypeError,
    TypedState,
    check,
    checked,
    explain,
    fits,
    merge,
    suspended,
    update,
)
from typedstate.boundaries import decorator, signature

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")

SHAPE = (8, 16)
PATIENCE = 300  # seconds until a computation that nobody lets go on ends by itself


class WeightState(TypedState):
    w: nnx.Param[Float[Array, "d hidden"]]


class WrongState(TypedState):
    """Refuses: another rank, a key more."""

    w: nnx.Param[Float[Array, "d"]]
    b: nnx.Param[Float[Array, "d"]]


Right = Sharded[WeightState, "d=fsdp hidden=tensor"]
Turned = Sharded[WeightState, "d=tensor hidden=fsdp"]


class Weight(nnx.Module):
    def __init__(self, value: Any) -> None:
        self.w = nnx.Param(value)


def placed() -> jax.Array:
    return jax.device_put(jnp.ones(SHAPE), NamedSharding(mesh_of(), P("fsdp", "tensor")))


def state_of(value: Any) -> Any:
    return state({"w": leaf(nnx.Param, value)})


# -- Doors ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Door:
    """A way to ask.

    Attributes:
      name: of it.
      ask: takes the array; gives what is left of a refusal: a report, a text, None.
      refuses: what is asked for is not there.
    """

    name: str
    ask: Callable[[Any], object]
    refuses: bool = False


def refusal(call: Callable[[], object]) -> Report | str:
    """What a user keeps of an error."""
    try:
        call()
    except StateTypeError as error:
        return str(error) if error.report is None else error.report
    except (pydantic.ValidationError, TypeError) as error:
        return type(error).__name__
    raise AssertionError("nothing was refused")


@contextlib.contextmanager
def in_mode(mode: str) -> Iterator[None]:
    """Boundaries are made, and refuse, as in this mode."""
    was = signature.MODE
    for module in (decorator, signature):
        module.MODE = mode  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in (decorator, signature):
            module.MODE = was  # type: ignore[attr-defined]


def decorated(hint: Any, mode: str = "on") -> Callable[[Any], Any]:
    """A boundary with the hint on both sides, in a mode."""
    with in_mode(mode):

        @checked
        def through(tree: hint) -> hint:
            return tree

    return through


def warned(value: Any) -> str:
    with in_mode("warn"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decorated(WrongState, "warn")(state_of(value))
    return str(caught[0].message)


def muted(value: Any) -> None:
    with suspended():
        decorated(WrongState)(state_of(value))


@checked
def alike(one: Same[WeightState, "T"], other: Same[WeightState, "T"]) -> None:
    """Two trees that agree."""


@checked
def in_place(model: Annotated[Weight, Placed[Right]]) -> None:
    """A live module."""


@checked
def wrong_in_place(model: Annotated[Weight, Placed[Turned]]) -> None:
    """A live module that lies elsewhere."""


@checked
async def asynchronous(tree: WeightState) -> WeightState:
    return tree


@checked
def generated(tree: WeightState) -> Iterator[WeightState]:
    yield tree


@beartype
def bearlike(tree: WeightState) -> None:
    """beartype asks the class."""


class Holder(pydantic.BaseModel):
    tree: WeightState


class WrongHolder(pydantic.BaseModel):
    tree: WrongState


def run_async(value: Any) -> None:
    with contextlib.suppress(StopIteration):
        asynchronous(state_of(value)).send(None)


def merged(value: Any) -> None:
    graphdef, tree = nnx.split(Weight(value))
    merge(graphdef, tree, hint=WeightState)


def unlike(value: Any) -> None:
    alike(state_of(value), state_of(jnp.ones((4, 16))))


def fit(hint: Any) -> Callable[[Any], object]:
    return lambda value: fits(state_of(value), hint)


def refused(call: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda value: refusal(lambda: call(value))


DOORS = [
    Door("check", lambda value: check(state_of(value), WeightState) and None),
    Door("check placed", lambda value: check(state_of(value), Placed[Right]) and None),
    Door("fits", fit(WeightState)),
    Door("fits placed", fit(Placed[Right])),
    Door("explain", lambda value: explain(state_of(value), Placed[Right])),
    Door("isinstance", lambda value: isinstance(state_of(value), WeightState)),
    Door("of a state", lambda value: WeightState.of(state_of(value)) and None),
    Door("of a module", lambda value: WeightState.of(Weight(value)) and None),
    Door("same", lambda value: alike(state_of(value), state_of(value))),
    Door("module in place", lambda value: in_place(Weight(value))),
    Door("checked", lambda value: decorated(Placed[Right])(state_of(value)) and None),
    Door("checked, warn", lambda value: decorated(WeightState, "warn")(state_of(value)) and None),
    Door("checked, off", lambda value: decorated(WrongState, "off")(state_of(value)) and None),
    Door("suspended", muted),
    Door("async", run_async),
    Door("generator", lambda value: len(list(generated(state_of(value))))),
    Door("beartype", lambda value: bearlike(state_of(value))),
    Door("pydantic", lambda value: Holder(tree=state_of(value)) and None),
    Door("merge", merged),
    Door("update", lambda value: update(Weight(value), state_of(value))),
    Door("check refuses", refused(lambda value: check(state_of(value), WrongState)), True),
    Door("fits refuses", lambda value: fits(state_of(value), Placed[Turned]), True),
    Door("explain refuses", lambda value: explain(state_of(value), Placed[Turned]), True),
    Door("isinstance refuses", lambda value: isinstance(state_of(value), WrongState), True),
    Door("of refuses", refused(lambda value: WrongState.of(Weight(value))), True),
    Door(
        "same refuses",
        refused(lambda value: alike(state_of(value), state_of(jnp.ones((4, 16))))),
        True,
    ),
    Door("module refuses", refused(lambda value: wrong_in_place(Weight(value))), True),
    Door("checked refuses", refused(lambda value: decorated(WrongState)(state_of(value))), True),
    Door("checked warns", warned, True),
    Door("pydantic refuses", refused(lambda value: WrongHolder(tree=state_of(value))), True),
    Door(
        "merge refuses",
        refused(lambda value: merge(nnx.graphdef(Weight(value)), nnx.State({}))),
        True,
    ),
    Door(
        "update refuses",
        refused(lambda value: update(Weight(value), state({"x": leaf(nnx.Param, value)}))),
        True,
    ),
]
by_name = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


@by_name
def test_a_door_opens_or_not(door: Door) -> None:
    """What the tests below rest on: each door really accepts or refuses."""
    found = door.ask(placed())
    if door.refuses:
        assert found is False or isinstance(found, str) or not found
    else:
        assert found is None or found


# -- Buffers -------------------------------------------------------------------------------------


@by_name
def test_dropping_the_last_reference_frees_the_buffers(door: Door) -> None:
    door.ask(placed())  # what is made once
    gc.collect()
    before = len(jax.live_arrays())
    value = placed()
    kept = [door.ask(value) for _ in range(3)]
    assert len(jax.live_arrays()) > before
    del value
    if door.name == "merge":
        gc.collect()  # nnx.merge makes cycles of its own
    assert len(jax.live_arrays()) == before
    assert len(kept) == 3


def test_an_error_that_is_kept_holds_no_array_but_by_its_traceback() -> None:
    gc.collect()
    before = len(jax.live_arrays())
    with pytest.raises(StateTypeError) as caught:
        decorated(WrongState)(state_of(placed()))
    error = caught.value
    del caught
    assert error.__cause__ is None
    assert error.with_traceback(None).report is not None
    error.__context__ = None
    assert len(jax.live_arrays()) == before


def test_no_tracer_outlives_its_transform() -> None:
    hint: Any = Placed[Right]

    @jax.jit
    @checked
    def double(tree: hint) -> hint:
        explain(tree, WrongState)
        return jax.tree.map(lambda x: x * 2, tree)

    with jax.checking_leaks():
        double(state_of(placed()))
        jax.vmap(lambda tree: fits(tree, hint) and tree)(state_of(jnp.ones((2, *SHAPE))))


# -- Running computations ------------------------------------------------------------------------


@contextlib.contextmanager
def running() -> Iterator[jax.Array]:
    """An array that is computed as long as the block runs."""
    go_on = threading.Event()

    def wait(x: Any) -> Any:
        go_on.wait(PATIENCE)
        return np.asarray(x)

    def body(x: jax.Array) -> jax.Array:
        return jax.pure_callback(wait, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    specs: Any = P("fsdp", "tensor")
    slow: Any = jax.shard_map(
        body, mesh=mesh_of(), in_specs=specs, out_specs=specs, check_vma=False
    )
    compiled = jax.jit(slow).lower(placed()).compile()
    result = compiled(placed())
    try:
        yield result
        # Whoever waited for the computation has waited until it was over.
        assert not result.is_ready()
    finally:
        go_on.set()
        result.block_until_ready()


@by_name
def test_a_check_does_not_wait_for_a_running_computation(door: Door) -> None:
    with running() as value:
        for _ in range(3):
            door.ask(value)
