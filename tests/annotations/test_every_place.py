"""A schema in an annotation is enforced wherever it stands, or its declaration is an error.

The places are found, not listed: every public name of Python's typing modules that can be
subscripted, every slot of it, class statements and aliases, one within the other.
"""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import dataclasses
import types
import typing
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
import pytest
import typing_extensions
from beartype.vale import Is
from flax import nnx
from jaxtyping import Float

from tests.annotations.places import Place, classes, subscripted
from typedstate import SchemaError, StateTypeError, TypedState, checked, explain

T = TypeVar("T")


class Net(nnx.Module):
    def __init__(self, n: int = 3) -> None:
        self.w = nnx.Param(np.ones(n, np.float32))


class NetState(TypedState):
    w: nnx.Param[Float[np.ndarray, "3"]]


#: A hint of a schema, with a value that fits and one that does not. Modules can be keys.
ATOMS: dict[str, tuple[Any, Callable[[], Any], Callable[[], Any]]] = {
    "module": (Annotated[Net, NetState], Net, lambda: Net(4)),
    "state": (NetState, lambda: nnx.state(Net()), lambda: nnx.state(Net(4))),
}

#: What these take and give shows when they are used: only that they are such is enforced.
LEFT_TO_TYPE_CHECKERS = (
    *(collections.abc.Callable, type),
    *(collections.abc.Iterator, collections.abc.Generator),
    *(collections.abc.Awaitable, collections.abc.Coroutine),
    *(collections.abc.AsyncIterable, collections.abc.AsyncIterator),
    *(collections.abc.AsyncGenerator, types.AsyncGeneratorType),
    *(contextlib.AbstractContextManager, contextlib.AbstractAsyncContextManager),
    *(typing.TypeGuard, typing_extensions.TypeIs),  # typing's own where it has one
)

FOUND = [*classes(), *subscripted()]


def function_of(hint: Any) -> Any:
    def use(x: Any) -> None: ...

    use.__annotations__["x"] = hint
    return use


def declared(hint: Any) -> Any:
    """A checked function of one parameter; None where its declaration is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # beartype's, of old names of typing
        try:
            return checked(function_of(hint))
        except SchemaError:
            return None


def accepts(call: Any, value: Any) -> bool:
    try:
        call(value)
    except StateTypeError:
        return False
    return True


def values(place: Place, hint: Any, *atoms: Any) -> list[Any]:
    """What a place makes of values; nothing where those can't stand in it, e.g. as keys."""
    assert place.value is not None
    try:
        return [place.value(hint, atom) for atom in atoms]
    except TypeError as error:  # the last: of a class variable, which is no field
        if "unhashable" not in str(error) and "positional argument" not in str(error):
            raise
        return []


def test_places_are_found() -> None:
    names = {place.name for place in FOUND}
    assert {"builtins.list[X]", "typing.Annotated[_, X]", "typing.ChainMap[_, X]"} <= names
    assert len(names) > 150


@pytest.mark.parametrize("atom", ATOMS)
@pytest.mark.parametrize("place", FOUND, ids=lambda place: place.name)
def test_it_is_enforced_or_an_error(place: Place, atom: str) -> None:
    schema, right, wrong = ATOMS[atom]
    hint = place.hint(schema)
    call = declared(hint)
    if call is None:
        return
    if typing.get_origin(hint) in LEFT_TO_TYPE_CHECKERS:
        return
    assert place.value is not None, f"{place.name}: neither enforced nor an error"
    for good, bad in zip(values(place, hint, right()), values(place, hint, wrong()), strict=True):
        for _ in range(3):
            assert accepts(call, good)
            assert not accepts(call, bad)


ENFORCED = [
    place
    for place in FOUND
    if place.value is not None and declared(place.hint(ATOMS["module"][0])) is not None
]


@pytest.mark.parametrize("outer", ENFORCED, ids=lambda place: place.name)
def test_it_is_enforced_two_deep(outer: Place) -> None:
    schema, right, wrong = ATOMS["module"]
    for inner in ENFORCED:
        name = f"{inner.name} within {outer.name}"
        within = inner.hint(schema)
        try:
            hint = outer.hint(within)
        except TypeError:  # of typing's own, e.g. ``ClassVar`` within ``list``
            continue
        call = declared(hint)
        if call is None or name == "dataclasses.InitVar[X] within dataclass":
            continue  # the second is an argument, no field
        good = [x for item in values(inner, within, right()) for x in values(outer, hint, item)]
        bad = [x for item in values(inner, within, wrong()) for x in values(outer, hint, item)]
        for one, other in zip(good, bad, strict=True):
            assert accepts(call, one), name
            assert not accepts(call, other), name


# -- Where an annotation stands -------------------------------------------------------------------


def _each(hint: Any) -> Any:
    def use(*args: Any) -> None: ...

    use.__annotations__["args"] = hint
    return checked(use)


def _all(hint: Any) -> Any:
    def use(*args: Any) -> None: ...

    use.__annotations__["args"] = typing.Unpack[tuple[hint, ...]]
    found = checked(use)
    return lambda value: found(value, value)


def _by_name(hint: Any) -> Any:
    def use(**kwargs: Any) -> None: ...

    use.__annotations__["kwargs"] = hint
    found = checked(use)
    return lambda value: found(a=value)


def _all_by_name(hint: Any) -> Any:
    def use(**kwargs: Any) -> None: ...

    row: Any = typing_extensions.TypedDict("row", {"a": hint})
    use.__annotations__["kwargs"] = typing.Unpack[row]
    found = checked(use)
    return lambda value: found(a=value)


def _only_by_name(hint: Any) -> Any:
    def use(*, x: Any = None) -> None: ...

    use.__annotations__["x"] = hint
    found = checked(use)
    return lambda value: found(x=value)


def _returned(hint: Any) -> Any:
    def use(x: Any) -> Any:
        return x

    use.__annotations__["return"] = hint
    return checked(use)


def _awaited(hint: Any) -> Any:
    async def use(x: Any) -> Any:
        return x

    use.__annotations__["return"] = hint
    found = checked(use)
    return lambda value: asyncio.run(found(value))


def _yielded(hint: Any) -> Any:
    def use(x: Any) -> Iterator[Any]:
        yield x

    use.__annotations__["return"] = Iterator[hint]
    found = checked(use)
    return lambda value: list(found(value))


def _at_last(hint: Any) -> Any:
    def use(x: Any) -> Generator[int, None, Any]:
        yield 1
        return x

    use.__annotations__["return"] = Generator[int, None, hint]
    found = checked(use)
    return lambda value: list(found(value))


def _yielded_later(hint: Any) -> Any:
    async def use(x: Any) -> AsyncIterator[Any]:
        yield x

    use.__annotations__["return"] = AsyncIterator[hint]
    found = checked(use)

    async def run(value: Any) -> list[Any]:
        return [item async for item in found(value)]

    return lambda value: asyncio.run(run(value))


def _field(hint: Any) -> Any:
    return checked(dataclasses.make_dataclass("Fields", [("x", hint)]))


def _property(hint: Any) -> Any:
    class Owner:
        def __init__(self, kept: Any) -> None:
            self.kept = kept

        @property
        def x(self) -> Any:
            return self.kept

    Owner.x.fget.__annotations__["return"] = hint  # type: ignore[attr-defined]
    found = checked(Owner)
    return lambda value: found(value).x


POSITIONS = [
    *(_each, _all, _by_name, _all_by_name, _only_by_name, _returned, _awaited, _yielded),
    *(_at_last, _yielded_later, _field, _property),
]


@pytest.mark.parametrize("position", POSITIONS, ids=lambda item: item.__name__[1:])
def test_it_is_enforced_in_every_position(position: Callable[[Any], Any]) -> None:
    schema, right, wrong = ATOMS["module"]
    for place in ENFORCED:
        hint = place.hint(schema)
        if (position, place.name) == (_field, "typing.ClassVar[X]"):
            continue  # no field
        try:
            call = position(hint)
        except (SchemaError, TypeError):  # refused, by typing itself
            continue
        for good, bad in zip(
            values(place, hint, right()), values(place, hint, wrong()), strict=True
        ):
            assert accepts(call, good), place.name
            assert not accepts(call, bad), place.name


IN_BODIES = [place for place in ENFORCED if place.name != "typing.ClassVar[X]"]  # no field


@pytest.mark.parametrize("place", IN_BODIES, ids=lambda place: place.name)
def test_in_the_body_of_a_schema(place: Place) -> None:
    schema, right, wrong = ATOMS["state"]
    hint = place.hint(schema)
    body = {"__module__": __name__, "__annotations__": {"x": hint}}
    try:
        made = type(TypedState)("Made", (TypedState,), body)
        explain({}, made)
    except SchemaError:
        return
    for good, bad in zip(values(place, hint, right()), values(place, hint, wrong()), strict=True):
        assert explain({"x": good}, made)
        assert not explain({"x": bad}, made)


# -- What the search brought to light --------------------------------------------------------------


def refusal(hint: Any) -> str:
    with pytest.raises(SchemaError) as caught:
        checked(function_of(hint))
    return str(caught.value).removeprefix("function_of.<locals>.use(x): ")


def test_what_is_refused_says_why() -> None:
    schema = ATOMS["module"][0]
    assert refusal(list[int, NetState]) == "list[int, NetState]: list takes 1 argument, not 2"
    assert refusal(dict[NetState]) == "dict[NetState]: dict takes 2 arguments, not 1"
    assert refusal(typing.Literal[NetState]).endswith("Literal takes values, no types")
    assert refusal(Annotated[int, schema]).endswith(
        "behind a type stands the schema itself, not Annotated[Net, NetState]"
    )
    assert refusal(tuple[*tuple[NetState, ...], int]) == (
        "only the last items of a tuple may be of any number"
    )


def test_a_validator_beside_a_schema_is_asked() -> None:
    @checked
    def use(x: Annotated[Net, NetState, Is[lambda net: net.flag]]) -> None: ...

    right, wrong = Net(), Net()
    right.flag, wrong.flag = True, False  # type: ignore[attr-defined]
    for _ in range(3):
        use(right)
        with pytest.raises(StateTypeError, match="predicate"):
            use(wrong)


def test_a_generic_record_within_itself_ends() -> None:
    @dataclasses.dataclass
    class Tree(Generic[T]):
        here: T
        below: Tree[T] | None = None

    @checked
    def use(x: Tree[Float[np.ndarray, "n"]]) -> None: ...

    three, four = np.ones(3, np.float32), np.ones(4, np.float32)
    use(Tree(three, Tree(three)))
    with pytest.raises(StateTypeError):
        use(Tree(three.astype(int)))
    use(Tree(three, Tree(four)))  # within itself it is only an instance
