"""The structure of the package in figures: rooms, floors, circles, and the trip of a call.

Run as `python -m scripts.structure`. A room is a package or a module directly below `typedstate`;
a floor is a step of the longest chain of imports between rooms; a trip is traced while it is made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from types import FrameType
from typing import Any

import grimp
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

import typedstate
from typedstate import Bind, StateMap, TypedState, checked, explain

ROOT = "typedstate"


def rooms() -> dict[str, set[str]]:
    """Each room with those that it imports; imports for type checkers only do not count."""
    graph = grimp.build_graph(ROOT, exclude_type_checking_imports=True)
    children = graph.find_children(ROOT)
    below = {child: {child, *graph.find_descendants(child)} for child in children}
    found: dict[str, set[str]] = {}
    for child, modules in below.items():
        used = {name for one in modules for name in graph.find_modules_directly_imported_by(one)}
        found[child] = {other for other in children if other != child and used & below[other]}
    return found


def floors(imports: dict[str, set[str]]) -> int:
    """The length of the longest chain of imports; raises CycleError where there is a circle."""
    heights: dict[str, int] = {}
    for name in TopologicalSorter(imports).static_order():
        heights[name] = 1 + max((heights[used] for used in imports[name]), default=0)
    return max(heights.values())


class Trip:
    """Counts calls between files of the package while it is on."""

    def __init__(self) -> None:
        """Has seen nothing yet."""
        self.rooms: set[str] = set()
        self.changes = self.calls = 0
        self._last = ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """What `sys.setprofile` calls."""
        if event not in ("call", "return"):
            return
        seen = frame if event == "call" else frame.f_back
        if event == "call":
            name = frame.f_code.co_filename
            self.calls += name.startswith("<typedstate ") or f"/{ROOT}/" in name
        name = "" if seen is None else seen.f_code.co_filename
        room = "generated" if name.startswith("<typedstate ") else name.partition(f"/{ROOT}/")[2]
        if not room:
            return
        self.rooms.add(room)
        self.changes += room != self._last
        self._last = room


def traced(call: Callable[[], object]) -> Trip:
    """The trip of one call."""
    trip = Trip()
    sys.setprofile(trip)
    try:
        call()
    except typedstate.StateTypeError:
        pass
    finally:
        sys.setprofile(None)
    return trip


class LinearState(TypedState):
    """A layer."""

    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]]


class ModelState(TypedState):
    """Eight leaves."""

    layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]
    head: Bind[LinearState, "din=d dout=classes"]


def _state(classes: int = 3) -> Any:
    def layer(dout: int) -> dict[str, Any]:
        return {"kernel": nnx.Param(jnp.ones((8, dout))), "bias": nnx.Param(jnp.ones(dout))}

    head = layer(3)
    head["bias"] = nnx.Param(jnp.ones(classes))
    return nnx.State({"layers": {i: layer(8) for i in range(3)}, "head": head})


def trips() -> Iterator[tuple[str, Trip]]:
    """The trips of calls of one checked function, and of a report."""

    @checked
    def apply(state: ModelState, x: Float[Array, "batch d"]) -> None: ...

    state: Any = _state()
    x = jnp.ones((2, 8))
    yield "the first call", traced(lambda: apply(state, x))
    yield "the second call", traced(lambda: apply(_state(), x))
    yield "a known call", traced(lambda: apply(state, x))
    yield "a new batch size", traced(lambda: apply(state, jnp.ones((4, 8))))
    yield "a refused call", traced(lambda: apply(_state(4), x))
    yield "a value to a report", traced(lambda: explain(_state(4), ModelState))


def main() -> None:
    """Prints the figures as Markdown."""
    imports = rooms()
    try:
        height: object = floors(imports)
    except CycleError as error:
        height = f"a circle: {' → '.join(error.args[1])}"
    print("| rooms | floors | arrows |\n| --- | --- | --- |")
    print(f"| {len(imports)} | {height} | {sum(map(len, imports.values()))} |\n")
    print("| trip | files | changes of file | calls |\n| --- | --- | --- | --- |")
    for name, trip in trips():
        print(f"| {name} | {len(trip.rooms)} | {trip.changes} | {trip.calls} |")


if __name__ == "__main__":
    main()
