"""Random hints, values that fit them, and values that are a little other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Annotated, Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from beartype.vale import Is
from flax import nnx
from jaxtyping import Array, Float, Int

from tests import zoo
from typedstate import (
    Alias,
    Bind,
    Entries,
    Exactly,
    Only,
    Plus,
    Pure,
    Rest,
    Scoped,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
)

T = TypeVar("T")
SIZES = {"a": 2, "b": 3, "a+b": 5, "2*a": 4, "4": 4, "_": 1, "#b": 1}
KINDS = (nnx.Param, nnx.BatchStat, nnx.Cache)


@runtime_checkable
class Named(Protocol):
    """What has a name."""

    name: str


class Thing:
    """Has a name, or none."""

    def __init__(self, name: str | None = None) -> None:
        """Keeps the name, if it has one."""
        if name is not None:
            self.name = name


class Text(str):
    """A str of a class of its own."""


class Point(NamedTuple):
    """A record that can be a key."""

    x: int
    y: int


@dataclasses.dataclass
class Box(Generic[T]):
    """A generic record."""

    held: T
    count: int = 0


class Two(TypedState, Generic[T]):
    """A generic schema that uses its argument twice."""

    first: T
    second: T


def stacked(tree: Any, number: int) -> Any:
    """A tree whose every array stands several times, along a first axis."""
    return jax.tree.map(lambda x: jnp.stack([x] * number) if isinstance(x, jax.Array) else x, tree)


def schema_with_map(hint: Any) -> Any:
    """A schema with a map and a pattern of such entries."""
    body = {"__module__": __name__, "__annotations__": {"blocks": StateMap[int, hint]}}
    return type(TypedState)("Mapped", (TypedState,), body, extra={"x_{}": hint})


Build = Callable[[], Any]
Case = tuple[Any, Build]


class Draws:
    """Draws of one seed."""

    def __init__(self, rng: Random) -> None:
        """Takes the source of chance."""
        self.rng = rng

    # -- Hints, each with what makes a value that fits it --------------------------------------

    def case(self) -> Case:
        """A hint of a signature."""
        draw = self.rng.choice(
            [self.form, self.form, self.tree, self.container, self.argument, self.uses]
        )
        return draw()

    def array(self) -> Case:
        """An array."""
        dims = self.rng.choices([*SIZES], k=self.rng.randrange(3))
        shape = tuple(SIZES[dim] for dim in dims)
        hint, dtype = self.rng.choice([(Float, "float32"), (Int, "int32"), (Float, "bfloat16")])
        return hint[Array, " ".join(dims)], lambda: jnp.ones(shape, dtype)

    def leaf(self) -> Case:
        """A Variable, by kind, value, validator; a raw array."""
        hint, build = self.array()
        kind = self.rng.choice(KINDS)
        match self.rng.randrange(9):
            case 0:
                return hint, build
            case 1:
                return Exactly[kind[hint]], lambda: zoo.leaf(kind, build())
            case 2:
                return kind[Named], lambda: zoo.leaf(kind, Thing("x"))
            case 3:
                small = Annotated[kind[hint], Is[lambda leaf: leaf is not None]]
                return small, lambda: zoo.leaf(kind, build())
            case 4:
                of = kind[Annotated[hint, Is[lambda x: x.ndim < 2]] | Int[Array, "9"]]
                return of, lambda: zoo.leaf(kind, jnp.ones(9, "int32"))
            case 5:
                return kind[tuple[hint, ...]], lambda: zoo.leaf(kind, (build(), build()))
            case 6:
                return kind[Box[hint]], lambda: zoo.leaf(kind, Box(build()))
            case _:
                return kind[hint], lambda: zoo.leaf(kind, build())

    def tree(self, depth: int = 1) -> Case:
        """A schema."""
        keys = self.rng.choice([["kernel", "bias", "a b"], [0, 1, 3], [("t", 1), Point(0, 1)]])
        keys = self.rng.sample(keys, self.rng.randint(1, len(keys)))
        below = {key: self.inner(depth) for key in keys}
        hints = {
            f"field_{number}": Annotated[
                hint | None if self.rng.random() < 0.2 else hint, Alias(key)
            ]
            for number, (key, (hint, _)) in enumerate(below.items())
        }
        body = {"__module__": __name__, "__annotations__": hints}
        extra, more = self.extra(depth)
        schema = type(TypedState)("Drawn", (TypedState,), body, extra=extra)
        return schema, lambda: {key: build() for key, (_, build) in below.items()} | more()

    def extra(self, depth: int) -> tuple[Any, Callable[[], dict[Any, Any]]]:
        """What may stand under undeclared keys; counted ones are there."""
        plain: Any = self.rng.choice(["forbid", "forbid", "allow", {"x_{}": nnx.Param}])
        if self.rng.random() < 0.6:
            return plain, dict
        hint, build = self.inner(depth - 1) if depth else self.leaf()
        count, number = self.rng.choice([("a", 2), ("n", 1), ("2", 2), ("a+b", 5), ("z", 0)])
        return {f"x_{{len={count}}}": hint}, lambda: {f"x_{i}": build() for i in range(number)}

    def inner(self, depth: int) -> Case:
        """What stands in a schema."""
        if depth == 0 or self.rng.random() < 0.4:
            return self.leaf()
        hint, build = self.tree(depth - 1)
        number = self.rng.randrange(3)
        match self.rng.randrange(11):
            case 9:  # each of another length, so that uses of a type argument may differ
                return StateMap[int, hint], lambda: self.entries(build)
            case 7:
                counted = Bind[StateMap[int, hint], self.rng.choice(["len=n", "len=a", "len=z"])]
                return counted, lambda: {i: build() for i in range(number)}
            case 8:
                either = Bind[StateMap[int, hint], "len=n"] | Bind[StateMap[str, hint], "len=z"]
                return either, lambda: {i: build() for i in range(number)}
            case 0:
                return StateMap[int, hint], lambda: {0: build(), 1: build()}
            case 1:
                return StateMap[str, hint], lambda: {"x": build()}
            case 2:
                return Entries[hint, None, hint], lambda: {0: build(), 2: build()}
            case 3:
                return hint | nnx.Param[Float[Array, "z"]], build
            case 4:
                return Two[hint], lambda: {"first": build(), "second": build()}
            case 5:
                return Scoped[hint, "own"], build
            case 6:
                return StateOf[nnx.Param], lambda: {"x": {"y": zoo.leaf(nnx.Param, jnp.ones(2))}}
            case 10:
                return _made(lambda: Stacked[hint, "n"], hint), lambda: stacked(build(), 1 + number)
            case _:
                return hint, build

    def entries(self, build: Build) -> dict[int, Any]:
        """Entries of a map, sometimes fewer and sometimes more."""
        return {i: build() for i in range(self.rng.choice([1, 2, 2, 2, 3]))}

    def form(self) -> Case:
        """A form of a schema."""
        hint, build = self.tree()
        filters = [
            nnx.Param,
            lambda path, _: "kernel" in path,
            lambda _, leaf: getattr(leaf, "ndim", 0) > 1,
            nnx.Not(nnx.BatchStat),
            nnx.PathContains("bias"),
        ]
        chosen = self.rng.choice(filters)
        match self.rng.randrange(8):
            case 0:
                return Plus[hint, nnx.Intermediate], lambda: nnx.State(build())
            case 1:
                return Pure[hint], lambda: nnx.to_pure_dict(nnx.State(build()))
            case 2:
                made = _made(lambda: Only[hint, chosen], hint)
                return made, lambda: nnx.filter_state(nnx.State(build()), chosen)
            case 3:
                made = _made(lambda: Rest[hint, chosen], hint)
                return made, lambda: nnx.filter_state(nnx.State(build()), nnx.Not(chosen))
            case 4:
                return Two[hint], lambda: nnx.State({"first": build(), "second": build()})
            case 5:
                return _made(lambda: Bind[hint, "a=2"], hint), lambda: nnx.State(build())
            case 6:
                tree = self.rng.choice([build, lambda: stacked(build(), 2)])
                return _made(lambda: Stacked[hint, "n"], hint), lambda: nnx.State(tree())
            case _:
                return hint, lambda: nnx.State(build())

    def uses(self) -> Case:
        """A type argument with maps, beside the schema itself."""
        hint, build = self.tree()
        mapped = schema_with_map(hint)

        def tree() -> dict[str, Any]:
            return {"blocks": self.entries(build)} | (
                {"x_0": build()} if self.rng.random() < 0.5 else {}
            )

        if self.rng.random() < 0.5:
            return Two[mapped], lambda: nnx.State({"first": tree(), "second": tree()})
        pair: Any = tuple[mapped, Two[_made(lambda: Only[mapped, nnx.Param], mapped)]]
        return pair, lambda: (tree(), {"first": tree(), "second": tree()})

    def container(self) -> Case:
        """A container of states or arrays."""
        hint, build = self.rng.choice([self.tree, self.array])()
        match self.rng.randrange(7):
            case 0:
                return list[hint], lambda: [build(), build()]
            case 1:
                return dict[Point, hint], lambda: {Point(0, 0): build()}
            case 2:
                return tuple[hint, *tuple[float, ...]], lambda: (build(), 1.5, 2.5)
            case 3:
                return Box[hint], lambda: Box(build())
            case 4:
                return dict[str, tuple[hint, int | None]], lambda: {"x": (build(), 1)}
            case 5:
                return Box[Box[hint]], lambda: Box(Box(build()))
            case _:
                return hint | None, build

    def argument(self) -> Case:
        """Numbers beside an array, as a jitted function gets them: tracers."""
        hint, build = self.array()
        number, value = self.rng.choice([(float, 1.5), (int, 2), (bool, True)])
        return tuple[number | None, hint], lambda: (value, build())

    # -- Values that are a little other --------------------------------------------------------

    def changed(self, value: Any) -> Any:
        """A copy with one thing changed at a place of it."""
        if isinstance(value, nnx.State):
            tree = zoo.as_dict(value)
            return nnx.State(self.changed(tree)) if tree else None
        if isinstance(value, dict) and value:
            return self._dict(value)
        if dataclasses.is_dataclass(value) and type(value) is Box:
            return dataclasses.replace(value, held=self.changed(value.held))
        if type(value) in (list, tuple) and value:
            at = self.rng.randrange(len(value))
            items = [self.changed(item) if at == n else item for n, item in enumerate(value)]
            return type(value)(items)
        return self._leaf(value)

    def _dict(self, tree: dict[Any, Any]) -> Any:
        found = dict(tree)
        key = self.rng.choice([*tree])
        match self.rng.randrange(8):
            case 0:
                del found[key]
            case 1:
                found[self.rng.choice(ODD_KEYS)] = found.pop(key)
            case 2:
                found[self.rng.choice(ODD_KEYS)] = found[key]
            case _:
                found[key] = self.changed(found[key])
        return found

    def _leaf(self, leaf: Any) -> Any:
        kind = self.rng.choice(KINDS)
        shape = tuple(self.rng.choices([1, 2, 3, 4, 5], k=self.rng.randrange(3)))
        array = jnp.ones(shape, self.rng.choice(["float32", "int32", "bfloat16"]))
        return self.rng.choice(
            [
                *(array, zoo.leaf(kind, array), np.asarray(array), zoo.leaf(kind, Thing())),
                *(zoo.leaf(kind, Thing("y")), zoo.leaf(kind, (array,)), zoo.leaf(kind, Box(array))),
                *(None, 1, 1.5, True, np.float32(2), "x", {}, {"value": leaf}, leaf),
            ]
        )


#: Some equal an int or a str and are none.
ODD_KEYS = (
    *(
        0,
        1,
        "0",
        "x",
        "kernel",
        "x_0",
        "x_1",
        "x_2",
        "x_02",
        True,
        1.0,
        np.int64(1),
        Fraction(1),
        1 + 0j,
        np.True_,
    ),
    *(Text("x"), Point(0, 0), (0, 0), None),
)


def _made(form: Callable[[], Any], hint: Any) -> Any:
    """A form, or the hint where the form of just that can't be."""
    from typedstate import SchemaError

    try:
        return form()
    except SchemaError:
        return hint
