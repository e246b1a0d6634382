"""`dataclass` for the package's own records: a method is compiled when it is first looked up.

The standard one compiles up to six functions for each class at once, which would be most of
the time that importing this package takes. What the classes can do is the same, and a frozen
one is made more quickly. Classes that users make or meet have the standard one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

T = TypeVar("T")
_UNSET: Final = object()


def _dataclass(
    *, frozen: bool = False, slots: bool = False, eq: bool = True
) -> Callable[[type[T]], type[T]]:
    """As the standard one with these options; a frozen class has slots, which set its fields.

    Of a field's own options its default, ``compare`` and ``repr`` are read.
    """
    if frozen and not slots:
        raise TypeError("a frozen dataclass without slots: use the standard one")

    def decorate(cls: type[T]) -> type[T]:
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
        methods: dict[str, Any] = {"__init__": _Late(made, "__init__", _init), "__repr__": _repr}
        if frozen:
            methods |= _FROZEN
        if eq:
            methods["__eq__"] = _Late(made, "__eq__", _eq)
            methods["__hash__"] = _Late(made, "__hash__", _hash) if frozen else None
        for name, method in methods.items():
            if name not in cls.__dict__:
                setattr(made, name, method)
        return made

    return decorate


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass


class _Late:
    """A method without code yet: looked up, it is compiled and stands in its own place."""

    __slots__ = ("_cls", "_name", "_write")

    def __init__(self, cls: type, name: str, write: Callable[[Any, dict[str, Any]], str]) -> None:
        self._cls, self._name, self._write = cls, name, write

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        names: dict[str, Any] = {}
        exec(self._write(self._cls, names), names)
        method = names[self._name]
        method.__qualname__ = f"{self._cls.__qualname__}.{self._name}"
        method.__module__ = self._cls.__module__
        setattr(self._cls, self._name, method)
        return method.__get__(instance, owner)


def _init(cls: Any, names: dict[str, Any]) -> str:
    """Sets the fields: slots of a frozen class past its ``__setattr__``, which refuses."""
    frozen = cls.__setattr__ is _refuse_change
    head, body = ["self"], ["pass"]
    for item in fields(cls):
        name = value = item.name
        if item.default is not MISSING:
            names[f"_default_{name}"] = item.default
            head.append(f"{name}=_default_{name}")
        elif item.default_factory is not MISSING:
            names |= {f"_make_{name}": item.default_factory, "_UNSET": _UNSET}
            head.append(f"{name}=_UNSET")
            value = f"_make_{name}() if {name} is _UNSET else {name}"
        else:
            head.append(name)
        if frozen:
            names[f"_set_{name}"] = getattr(cls, name).__set__
            body.append(f"_set_{name}(self, {value})")
        else:
            body.append(f"self.{name} = {value}")
    return f"def __init__({', '.join(head)}):\n " + "\n ".join(body)


def _eq(cls: Any, names: dict[str, Any]) -> str:
    return (
        "def __eq__(self, other):\n"
        " if other is self: return True\n"
        " if other.__class__ is not self.__class__: return NotImplemented\n"
        f" return {_compared(cls, 'self')} == {_compared(cls, 'other')}"
    )


def _hash(cls: Any, names: dict[str, Any]) -> str:
    return f"def __hash__(self): return hash({_compared(cls, 'self')})"


def _compared(cls: Any, who: str) -> str:
    """The tuple of the fields that make a class equal."""
    return f"({''.join(f'{who}.{item.name}, ' for item in fields(cls) if item.compare)})"


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{item.name}={getattr(self, item.name)!r}" for item in fields(self) if item.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_change(self: object, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    """For ``pickle`` and ``copy``, which would set the fields one by one."""
    return [getattr(self, item.name) for item in fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for item, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, item.name, value)


_FROZEN: Final = {
    "__setattr__": _refuse_change,
    "__delattr__": _refuse_deletion,
    "__getstate__": _state,
    "__setstate__": _set_state,
}
