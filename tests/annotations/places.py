"""Every place of an annotation in which a hint can stand, found in Python's own modules.

A place is a hint with a hole, and what makes a value that holds another where the hint holds it.
"""

from __future__ import annotations

import builtins
import collections
import collections.abc
import contextlib
import dataclasses
import functools
import itertools
import queue
import types
import typing
import weakref
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Generic, NamedTuple, NewType, TypedDict, TypeVar

import typing_extensions
from flax import nnx, struct

MODULES = (
    *(builtins, typing, typing_extensions, collections, collections.abc, contextlib),
    *(dataclasses, functools, queue, types, weakref),
)

T = TypeVar("T")
K = TypeVar("K")


@dataclasses.dataclass(frozen=True)
class Place:
    """A hint with a hole.

    Attributes:
      name: as its user writes it.
      hint: makes the hint of what stands in the hole.
      value: makes a value, of the hint and of what stands for the hole; None where the test knows
        no value, so that a declaration has to be refused, or left to type checkers.
    """

    name: str
    hint: Callable[[Any], Any]
    value: Callable[[Any, Any], Any] | None = None


def _item(slot: int, x: Any) -> dict[Any, Any]:
    return {1: x} if slot else {x: 1}


#: How a value is made, by the class of the container: of the hint's slot and what stands there.
MAKERS: dict[Any, Callable[[int, int, Any], Any]] = {
    **{
        cls: lambda slot, count, x: [x]
        for cls in (
            *(list, collections.abc.Sequence, collections.abc.MutableSequence),
            *(collections.abc.Collection, collections.abc.Iterable),
        )
    },
    **{
        cls: lambda slot, count, x: {x}
        for cls in (set, collections.abc.Set, collections.abc.MutableSet)
    },
    frozenset: lambda slot, count, x: frozenset({x}),
    collections.deque: lambda slot, count, x: collections.deque([x]),
    tuple: lambda slot, count, x: tuple(x if i == slot else 1 for i in range(count)),
    **{
        cls: lambda slot, count, x: _item(slot, x)
        for cls in (dict, collections.abc.Mapping, collections.abc.MutableMapping)
    },
    collections.OrderedDict: lambda slot, count, x: collections.OrderedDict(_item(slot, x)),
    collections.defaultdict: lambda slot, count, x: collections.defaultdict(int, _item(slot, x)),
    typing.Union: lambda slot, count, x: x,
    typing.Final: lambda slot, count, x: x,
    typing.ClassVar: lambda slot, count, x: x,
    Annotated: lambda slot, count, x: x if slot == 0 else 1,
    typing_extensions.Required: lambda slot, count, x: x,
    typing_extensions.NotRequired: lambda slot, count, x: x,
    typing_extensions.ReadOnly: lambda slot, count, x: x,
    dataclasses.InitVar: lambda slot, count, x: x,
}


def subscripted() -> Iterator[Place]:
    """Yields every subscription of every public name that can be subscripted."""
    seen: set[Any] = set()
    for module, count in itertools.product(MODULES, (1, 2, 3)):
        for name in (name for name in dir(module) if not name.startswith("_")):
            for slot in range(count):
                place = _subscripted(module, name, count, slot)
                if place is not None and place[0] not in seen:
                    seen.add(place[0])
                    yield place[1]


def _subscripted(module: Any, name: str, count: int, slot: int) -> tuple[Any, Place] | None:
    thing = getattr(module, name)

    def hint(x: Any) -> Any:
        if thing is typing.Callable or thing is collections.abc.Callable:
            return thing[[x], int] if slot == 0 else thing[[int], x]
        args = tuple(x if index == slot else int for index in range(count))
        return thing[args if count > 1 else x]

    try:
        origin = _origin(hint(str))
    except Exception:  # it can't be subscripted, or not with so many
        return None
    maker = MAKERS.get(origin, _itself if origin is str else None)
    value = None if maker is None else lambda _, x: maker(slot, count, x)
    text = f"{module.__name__}.{name}[{', '.join('X' if i == slot else '_' for i in range(count))}]"
    return (origin, count, slot), Place(text, hint, value)


def _itself(slot: int, count: int, x: Any) -> Any:
    return x


def _origin(hint: Any) -> Any:
    if isinstance(hint, dataclasses.InitVar):
        return dataclasses.InitVar
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        return typing.Union
    return hint if origin is None else origin


# -- Classes and aliases, which have a hole by their own statement ---------------------------------


@dataclasses.dataclass
class Box(Generic[T]):
    """A generic record."""

    held: T


@dataclasses.dataclass
class Boxes(Box[list[T]], Generic[T, K]):
    """A record of a generic record."""

    other: dict[str, K]


class Pair(NamedTuple, Generic[T]):
    """A generic NamedTuple."""

    number: int
    held: T


class Row(TypedDict, Generic[T], total=False):
    """A generic TypedDict."""

    held: typing_extensions.Required[T]
    more: T


@struct.dataclass
class Carry(Generic[T]):
    """A record that Flax makes a pytree of."""

    held: T


class Plain(Generic[T]):
    """A generic class of which nobody knows where it keeps what it holds."""

    def __init__(self, held: Any) -> None:
        """Keeps it."""
        self.held = held


class Speaks(typing.Protocol[T]):
    """A generic protocol."""

    def held(self) -> T:
        """What it holds."""
        ...


@typing.runtime_checkable
class Shows(typing.Protocol[T]):
    """A generic protocol that can be asked."""

    held: T


class Items(list[T]):
    """A list of one's own."""


class Table(dict[str, T]):
    """A dict of one's own."""


class Keeper(nnx.Module, Generic[T]):
    """A generic module."""


def classes() -> Iterator[Place]:
    """Yields the places that a class statement or an alias makes."""
    yield Place("dataclass", _record, lambda hint, x: hint(x))
    yield Place("Box[X]", lambda x: Box[x], lambda hint, x: Box(x))
    yield Place("Boxes[X, int]", lambda x: Boxes[x, int], lambda hint, x: Boxes([x], {}))
    yield Place("Boxes[int, X]", lambda x: Boxes[int, x], lambda hint, x: Boxes([1], {"a": x}))
    yield Place("class(Box[X])", lambda x: _statement(Box[x]), lambda hint, x: hint(x))
    yield Place("class(Box[X]) again", _twice, lambda hint, x: hint(x))
    yield Place("NamedTuple", _named_tuple, lambda hint, x: hint(1, x))
    yield Place("Pair[X]", lambda x: Pair[x], lambda hint, x: Pair(1, x))
    yield Place("class(Pair[X])", lambda x: _statement(Pair[x]), lambda hint, x: hint(1, x))
    yield Place("TypedDict", _typed_dict, lambda hint, x: {"held": x})
    yield Place("Row[X]", lambda x: Row[x], lambda hint, x: {"held": x})
    yield Place("Row[X].more", lambda x: Row[x], lambda hint, x: {"held": x, "more": x})
    yield Place("class(Row[X])", _row, lambda hint, x: {"held": x, "own": 1})
    yield Place("class(Row[X]).own", _row, lambda hint, x: {"held": 1, "own": x})
    yield Place("struct.dataclass", lambda x: Carry[x], lambda hint, x: Carry(x))
    yield Place("NewType", lambda x: NewType("New", x), _second)
    yield Place("TypeVar(bound=X)", lambda x: TypeVar("B", bound=x), _second)
    yield Place("TypeVar(str, X)", lambda x: TypeVar("C", str, x), _second)
    yield Place("class Box(Generic[D]); D = TypeVar(default=X)", _by_default, _made)
    yield Place("type A = X", lambda x: typing_extensions.TypeAliasType("A", x), _second)
    yield Place("type A[T] = list[T]; A[X]", lambda x: _ALIAS[x], lambda hint, x: [x])
    yield Place("list[T][X]", lambda x: list[T][x], lambda hint, x: [x])
    yield Place("tuple[X, ...]", lambda x: tuple[x, ...], lambda hint, x: (x, x))
    yield Place(
        "tuple[int, *tuple[X, ...]]", lambda x: tuple[int, *tuple[x, ...]], lambda hint, x: (1, x)
    )
    yield Place("tuple[*tuple[X, ...], int]", lambda x: tuple[*tuple[x, ...], int], None)
    yield Place(
        "tuple[int, Unpack[tuple[X, str]]]",
        lambda x: tuple[int, typing.Unpack[tuple[x, str]]],  # noqa: UP044
        lambda hint, x: (1, x, "a"),
    )
    yield Place("Annotated[X, 'text']", lambda x: Annotated[x, "text"], _second)
    yield Place("Annotated[X | None, 'text']", lambda x: Annotated[x | None, "text"], _second)
    for cls in (Plain, Speaks, Shows, Keeper):
        yield Place(f"{cls.__name__}[X]", _subscribe(cls), None)
    yield Place("Items[X]", lambda x: Items[x], lambda hint, x: Items([x]))
    yield Place("Table[X]", lambda x: Table[x], lambda hint, x: Table(a=x))
    yield Place("class(list[X])", lambda x: _statement(list[x]), lambda hint, x: hint([x]))
    yield Place("class(tuple[X, int])", lambda x: _statement(tuple[x, int]), _made_of_two)
    yield Place("Callable[..., X]", lambda x: Callable[..., x], None)
    yield Place(
        "Callable[Concatenate[X, ...], int]",
        lambda x: Callable[typing.Concatenate[x, ...], int],
        None,
    )


_ALIAS: Any = typing_extensions.TypeAliasType("_ALIAS", list[T], type_params=(T,))


def _second(hint: Any, x: Any) -> Any:
    return x


def _made(hint: Any, x: Any) -> Any:
    return hint(x)


def _made_of_two(hint: Any, x: Any) -> Any:
    return hint((x, 1))


def _subscribe(cls: Any) -> Callable[[Any], Any]:
    return lambda x: cls[x]


def _statement(base: Any) -> Any:
    return types.new_class("Statement", (base,))


def _twice(x: Any) -> Any:
    return _statement(types.new_class("Inner", (Box[T], Generic[T]))[x])


def _record(x: Any) -> Any:
    return dataclasses.make_dataclass("Record", [("held", x)])


def _named_tuple(x: Any) -> Any:
    return NamedTuple("HeldPair", [("number", int), ("held", x)])


def _typed_dict(x: Any) -> Any:
    return typing_extensions.TypedDict("Held", {"held": x})


def _row(x: Any) -> Any:
    def body(space: dict[str, Any]) -> None:
        space["__annotations__"] = {"own": x | int}

    return types.new_class("MyRow", (Row[x | int],), exec_body=body)


def _by_default(x: Any) -> Any:
    variable: Any = typing_extensions.TypeVar("D", default=x)

    def body(space: dict[str, Any]) -> None:
        space["__annotations__"] = {"held": variable}

    return dataclasses.dataclass(types.new_class("ByDefault", (Generic[variable],), None, body))
