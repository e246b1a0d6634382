"""The package's own `dataclass` makes what the standard one makes, with later code."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import pkgutil
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

import typedstate

Pair = tuple[type[Any], type[Any]]


def made_by(decorator: Any) -> Pair:
    @decorator(frozen=True, slots=True)
    class Frozen:
        """A record."""

        first: int
        second: Any = None
        hidden: list[int] = dataclasses.field(default_factory=list[int], compare=False, repr=False)

        @property
        def double(self) -> int:
            return 2 * self.first

    @decorator(slots=True)
    class Mutable:
        """A record."""

        first: int
        items: list[Any] = dataclasses.field(default_factory=list[Any])

    return Frozen, Mutable


FROZEN, MUTABLE = zip(made_by(dataclasses.dataclass), made_by(ours.dataclass), strict=True)


@ours.dataclass(frozen=True, slots=True)
class Saved:
    value: Any
    other: Any = None


def outcome(call: Callable[[], Any]) -> str:
    try:
        return repr(call())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def both(classes: Pair, call: Callable[[Any], Any]) -> str:
    first, second = (
        outcome(lambda cls=cls: call(cls)).replace(cls.__qualname__, "T") for cls in classes
    )
    assert first == second
    return first


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda cls: cls(1), "T(first=1, second=None)"),
        (lambda cls: cls(1, second=cls(2)), "T(first=1, second=T(first=2, second=None))"),
        (lambda cls: cls(1) == cls(1, hidden=[3]), "True"),
        (lambda cls: cls(1) == cls(2), "False"),
        (lambda cls: cls(1) == (1, None), "False"),
        (lambda cls: hash(cls(1)) == hash((1, None)), "True"),
        (lambda cls: hash(cls(1, [])), "TypeError: unhashable type: 'list'"),
        (lambda cls: cls(1).hidden is cls(1).hidden, "False"),
        (lambda cls: cls(4).double, "8"),
        (
            lambda cls: setattr(cls(1), "first", 2),
            "FrozenInstanceError: cannot assign to field 'first'",
        ),
        (lambda cls: delattr(cls(1), "first"), "FrozenInstanceError: cannot delete field 'first'"),
        (lambda cls: dataclasses.replace(cls(1, 2), first=3), "T(first=3, second=2)"),
        (lambda cls: dataclasses.asdict(cls(1)), "{'first': 1, 'second': None, 'hidden': []}"),
        (
            lambda cls: [item.name for item in dataclasses.fields(cls)],
            "['first', 'second', 'hidden']",
        ),
        (lambda cls: copy.copy(cls(1, 2, [3])).hidden, "[3]"),
        (lambda cls: copy.deepcopy(cls(1, cls(2))), "T(first=1, second=T(first=2, second=None))"),
        (lambda cls: cls.__match_args__, "('first', 'second', 'hidden')"),
        (lambda cls: cls.__slots__, "('first', 'second', 'hidden')"),
        (lambda cls: list(inspect.signature(cls).parameters), "['first', 'second', 'hidden']"),
    ],
)
def test_a_frozen_one_does_as_the_standard_one(call: Callable[[Any], Any], said: str) -> None:
    assert both(FROZEN, call) == said


@pytest.mark.parametrize(
    "call",
    [
        lambda cls: cls(),
        lambda cls: cls(1, 2, 3, 4),
        lambda cls: cls(1, first=2),
        lambda cls: cls(1, third=2),
        lambda cls: weakref.ref(cls(1)),
        lambda cls: cls(1).__dict__,
    ],
)
def test_what_the_standard_one_refuses_is_refused_alike(call: Callable[[Any], Any]) -> None:
    assert "Error: " in both(FROZEN, call)
    assert "Error: " in both(MUTABLE, call)


def test_slots_take_no_other_attribute() -> None:
    assert "AttributeError: " in both(MUTABLE, lambda cls: setattr(cls(1), "other", 2))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda cls: cls(1), "T(first=1, items=[])"),
        (lambda cls: cls(1) == cls(1, []), "True"),
        (lambda cls: hash(cls(1)), "TypeError: unhashable type: 'Mutable'"),
        (lambda cls: copy.deepcopy(cls(1, [2])), "T(first=1, items=[2])"),
        (lambda cls: (one := cls(1), one.items.append(one))[0], "T(first=1, items=[...])"),
    ],
)
def test_a_mutable_one_does_as_the_standard_one(call: Callable[[Any], Any], said: str) -> None:
    assert both(MUTABLE, call) == said


def test_own_methods_and_identity_stay() -> None:
    @ours.dataclass(frozen=True, slots=True, eq=False)
    class ByIdentity:
        value: int

    @ours.dataclass(frozen=True, slots=True)
    class Own:
        value: int

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    assert ByIdentity(1) != ByIdentity(1)
    assert ByIdentity.__hash__ is object.__hash__
    assert (hash(Own(1)), repr(Own(1)), Own(1) == Own(1)) == (7, "own", True)


def test_pickle() -> None:
    assert pickle.loads(pickle.dumps(Saved(1, Saved("a")))) == Saved(1, Saved("a"))


def test_a_frozen_one_has_slots() -> None:
    with pytest.raises(TypeError) as caught:
        ours.dataclass(frozen=True)
    assert str(caught.value) == "a frozen dataclass without slots: use the standard one"


def test_code_is_written_when_it_is_first_asked_for() -> None:
    @ours.dataclass(frozen=True, slots=True)
    class Late:
        value: int

    assert not any(map(inspect.isfunction, (vars(Late)[name] for name in ("__init__", "__eq__"))))
    assert Late(1) == Late(1)
    assert all(map(inspect.isfunction, (vars(Late)[name] for name in ("__init__", "__eq__"))))
    assert Late.__init__.__qualname__.endswith("Late.__init__")


def records() -> list[type]:
    """Every class of the package that has the decorator."""
    names = [name for _, name, _ in pkgutil.iter_modules(typedstate.__path__) if name != "__main__"]
    modules = [import_module(f"typedstate.{name}") for name in names]
    every = {cls for module in modules for cls in vars(module).values() if isinstance(cls, type)}
    return sorted(
        (
            cls
            for cls in every
            if cls.__module__.startswith("typedstate.")
            and dataclasses.is_dataclass(cls)
            and not cls.__dataclass_params__.init  # type: ignore[attr-defined]
        ),
        key=lambda cls: (cls.__module__, cls.__name__),
    )


@pytest.mark.parametrize("cls", records(), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_record_takes_the_arguments_of_a_standard_one(cls: type) -> None:
    items: list[Any] = []
    for item in dataclasses.fields(cls):  # type: ignore[arg-type]
        given = {"default": item.default, "default_factory": item.default_factory}
        kept = {key: value for key, value in given.items() if value is not dataclasses.MISSING}
        assert (item.init, item.kw_only, item.hash) == (True, False, None)
        items.append((item.name, Any, dataclasses.field(**kept)))
    assert not hasattr(cls, "__post_init__")
    standard = dataclasses.make_dataclass(cls.__name__, items)
    shown, wanted = (inspect.signature(one).parameters.values() for one in (cls, standard))
    assert [(item.name, item.kind) for item in shown] == [(item.name, item.kind) for item in wanted]
    plain = {item.name: item.default for item in dataclasses.fields(standard)}
    for item in shown:
        if plain[item.name] is not dataclasses.MISSING:
            assert item.default is plain[item.name]
