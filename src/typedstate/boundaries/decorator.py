"""`checked`: arguments and results of functions are enforced while one develops.

Hints with a state or an array are checked by specs, with the names of one call shared between them;
beartype checks all others. A call whose arguments are like those of an accepted call is recognised
by generated code; every other call is walked.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
import typing
from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping
from functools import partial, update_wrapper
from typing import Any, Final, TypeVar, cast, overload

import msgspec
from msgspec.structs import replace
from typing_extensions import TypeAliasType

from .._annotations.deferred import Deferred
from .._annotations.lazy_annotations import annotations_of, signature_of
from ..errors import warn_of
from ..mode import MODE
from . import frames
from .signature import RETURN, Boundary
from .wrapper import write_wrapper

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
_MARK: Final = "__typedstate_checked__"
_TYPE_LIKE: Final = (
    *(type, TypeVar, types.ModuleType, TypeAliasType, typing.NewType, Deferred),
    *(str, int, float, types.FunctionType),  # e.g. dims, and what a validator asks
)


@overload
def checked(target: type[T]) -> type[T]: ...


@overload
def checked(target: F) -> F: ...


@overload
def checked(target: T) -> T: ...


def checked(target: Any) -> Any:
    """Enforces the annotations of a function, method, class or property in development.

    Takes plain, async and generator functions, static and class methods, properties, classes
    (their methods; the fields of a dataclass) and callables such as jitted functions, in either
    order of decorators. A schema is enforced wherever it stands in an annotation: in containers,
    records (dataclasses, NamedTuples, TypedDicts, generic ones too), aliases, bounds of type
    variables; where it can't be it is an error. Dims may read the arguments of the call, as in
    jaxtyping: ``Float[Array, "{n} {self.width}"]``. What a callable, an iterator or a context
    manager takes and gives is left to type checkers. Signature, name and docstring stay. With
    ``TYPEDSTATE=off``, or under ``python -O``, the target itself is returned.

    Raises:
      SchemaError: an annotation can mean nothing.
      StateTypeError: on a call whose arguments or result do not fit.
    """
    if MODE == "off":
        return target
    return _decorate(target, DecoratorSite(_local_names(sys._getframe(1))))  # pyright: ignore[reportPrivateUsage]


def checked_by_hook(target: Any) -> Any:
    """`checked` as the import hook writes it, over code that its author may never have run so.

    An annotation that only a type checker can read, or whose dims can't be read from the
    arguments, is left alone, with a warning; in a schema or a form it is an error here too.
    """
    place = DecoratorSite(_local_names(sys._getframe(1)), covered=True)  # pyright: ignore[reportPrivateUsage]
    return _decorate(target, place)


class DecoratorSite(msgspec.Struct, frozen=True):
    """The place of a decorator in the source.

    Attributes:
      local: the names of the enclosing function or class.
      covered: whether the import hook added the decorator.
    """

    local: Mapping[str, Any]
    covered: bool = False


def _local_names(frame: types.FrameType) -> Mapping[str, Any]:
    return frame.f_locals if frame.f_locals is not frame.f_globals else {}


def _decorate(target: Any, place: DecoratorSite) -> Any:
    """Decorates a function, a class, or any other object that can be."""
    if getattr(target, _MARK, False) or getattr(target, "__no_type_check__", False):
        return target
    match target:
        case staticmethod():
            return staticmethod(_decorate(target.__func__, place))
        case classmethod():
            return classmethod(_decorate(cast(Any, target).__func__, place))
        case property(fget=get, fset=put, fdel=delete):
            got, put_, deleted = (f and _decorate(f, place) for f in (get, put, delete))
            return property(got, put_, deleted, target.__doc__)
        case type():
            return _class(target, place)
        case types.FunctionType() if not _is_transformed(target):
            return _function(target, place)
        case _ if callable(target):
            return _callable(target, place)
        case _:
            raise TypeError(f"checked takes a function, a class or a property, not {target!r}")


def _class(cls: type, place: DecoratorSite) -> type:
    """Decorates the methods that a class defines itself, and the fields of a dataclass."""
    inside = replace(place, local={**place.local, cls.__name__: cls})
    for name, value in list(vars(cls).items()):
        dunder = name.startswith("__") and name.endswith("__")
        if dunder and name not in ("__init__", "__call__", "__post_init__"):
            continue
        if isinstance(value, types.FunctionType | staticmethod | classmethod | property):
            setattr(cls, name, _decorate(value, inside))
    if _may_become_dataclass(cls):
        kept = {name: value for name, value in inside.local.items() if _type_like(value)}
        cast(Any, cls).__new__ = _checks_init(replace(inside, local=kept))
    return cls


def _may_become_dataclass(cls: type) -> bool:
    """Whether a decorator above may still turn a class's annotations into fields."""
    own = vars(cls)
    plain = type(cls) in (type, ABCMeta) and cast(Any, cls).__new__ is object.__new__
    annotates = bool(own.get("__annotations__")) or "__annotate_func__" in own
    return plain and annotates and "__init__" not in own


def _checks_init(place: DecoratorSite) -> Any:
    """A ``__new__`` that decorates the ``__init__`` which a dataclass got since."""

    def __new__(cls: type, *args: Any, **kwargs: Any) -> Any:
        owner: type = next(base for base in cls.__mro__ if vars(base).get("__new__") is made)
        init: Any = vars(owner).get("__init__")
        if dataclasses.is_dataclass(owner) and isinstance(init, types.FunctionType):
            setattr(owner, "__init__", _decorate(init, place))  # noqa: B010  # of a class, as data
        if getattr(cls, "__init__") is object.__init__ and (args or kwargs):  # noqa: B009
            raise TypeError(f"{cls.__name__}() takes no arguments")
        return cast(Any, object.__new__(cls))

    made = staticmethod(__new__)
    return made


def _is_transformed(function: types.FunctionType) -> bool:
    """Whether a function wraps another one and has its annotations."""
    if "__wrapped__" not in vars(function):
        return False
    own = signature_of(function).parameters
    return any(name not in own for name in annotations_of(function) if name != RETURN)


def _callable(target: Any, place: DecoratorSite) -> Any:
    """A callable that wraps a function, e.g. a jitted one: its attributes stay within reach."""
    inner = inspect.unwrap(target)
    if not isinstance(inner, types.FunctionType):
        return target
    crosses = not isinstance(target, types.FunctionType)  # e.g. ``jax.jit``, which makes arrays
    boundary = Boundary(inner, _names(inner, place.local), place.covered, crosses)
    if not boundary.enforces:
        return target
    if _may_change_values(target, inner):
        text = (
            "its values may differ from its annotations above this decorator, put @checked below it"
        )
        warn_of(inner, inner.__qualname__, text)
        return target
    call = write_wrapper(boundary, target)
    if isinstance(target, types.FunctionType):
        return _marked(call, target)
    return type("CheckedCallable", (CheckedCallable,), {"__call__": staticmethod(call)})(target)


def _may_change_values(target: Any, inner: types.FunctionType) -> bool:
    """Whether a wrapper's values may be others than its function's: ``jax.vmap``, ``grad``."""
    if not isinstance(target, types.FunctionType):
        return False
    module: str = target.__globals__.get("__name__", "")
    if module.partition(".")[0] in ("jax", "flax"):
        return True
    kinds = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    )
    return any(kind(target) is not kind(inner) for kind in kinds)


class CheckedCallable:
    """A callable object with a checked call; every other attribute is the object's own."""

    def __init__(self, target: Any) -> None:
        """Keeps the object."""
        update_wrapper(self, target)
        self.__wrapped__ = target
        setattr(self, _MARK, True)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the object, checked: each one's own class has generated code here."""
        raise NotImplementedError

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Binds like a function."""
        return self if instance is None else partial(self, instance)

    def __getattr__(self, name: str) -> Any:
        """An attribute of the object, e.g. ``lower`` of a jitted function."""
        if name == "__wrapped__":  # not yet there, while it is being unpickled
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)


def _function(function: types.FunctionType, place: DecoratorSite) -> Any:
    why = frames.reason(function) if place.covered else ""
    if why:
        warn_of(function, function.__qualname__, why)
        return function
    boundary = Boundary(function, _names(function, place.local), place.covered)
    if not boundary.enforces:
        return function
    return _marked(write_wrapper(boundary, function), function)


def _marked(wrapper: Callable[..., Any], function: types.FunctionType) -> Callable[..., Any]:
    update_wrapper(wrapper, function)
    setattr(wrapper, _MARK, True)
    return wrapper


def _names(function: types.FunctionType, local: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The namespaces for a function's annotations; of a frame only types are kept, no arrays."""
    hints = annotations_of(function).values()
    texts = " ".join(hint for hint in hints if isinstance(hint, str))
    there = {name: local[name] for name in _words(texts) if name in local}
    kept = {name: value for name, value in there.items() if _type_like(value)}
    params = {item.__name__: item for item in getattr(function, "__type_params__", ())}
    closure = {name: value for name, value in _closure(function) if _type_like(value)}
    return (params, closure, kept, function.__globals__)


def _closure(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # the variable has no value yet, e.g. a function that calls itself
            continue


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def _type_like(value: Any) -> bool:
    """Whether a value may stand in an annotation and surely holds no array."""
    return isinstance(value, _TYPE_LIKE) or bool(typing.get_origin(value))
