"""Hints at a boundary that hold no state and no array: beartype checks them."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar, cast

import jaxtyping
import msgspec
import typing_extensions

from .._annotations.array_hints import is_jaxtyped
from .._annotations.lazy_annotations import annotations_of
from .._annotations.type_tables import has_default, put
from .._compat import scalars
from .._fastpath.compiled import execute
from . import own_source


class Test(msgspec.Struct, frozen=True):
    """The check of one parameter, or of the return value.

    Attributes:
      enforce: raises for a value that does not fit.
      cls: a class all of whose instances fit; None if there is none.
    """

    enforce: Callable[[Any], None]
    cls: type | None


class Misfit(NamedTuple):
    """A value that beartype refuses.

    Attributes:
      place: in ``*args`` or ``**kwargs``, such as ``[2]``; empty for a parameter's own value.
      value: that does not fit.
      reason: beartype's.
    """

    place: str
    value: Any
    reason: str


class Refused(Exception):
    """The exception that beartype raises here; its text becomes the note of a violation."""

    @property
    def reason(self) -> str:
        """The reason of a refusal, e.g. ``list index 1 item str 'x' not instance of int``."""
        return " ".join(str(self).split()).partition(", as ")[2].removesuffix(".")


def tester(
    function: types.FunctionType,
    name: str,
    hint: Any,
    kind: Any,
    refuse: Callable[[list[Misfit]], None],
) -> Test | None:
    """The test of a hint; None, with a warning, for a hint that beartype can't check.

    A method's ``Self``, and ``P.args`` and ``P.kwargs``, are left to type checkers. `refuse` is
    called with what does not fit.
    """
    from beartype import beartype
    from beartype.roar import BeartypeException

    if _is_self(hint) or isinstance(hint, typing.ParamSpecArgs | typing.ParamSpecKwargs):
        return None
    open_ = (hint, *getattr(hint, "__parameters__", ()))
    hint = put(
        hint, {item: Any for item in open_ if isinstance(item, TypeVar) and has_default(item)}
    )
    conf = scalars.beartype_conf(violation_type=Refused, is_color=False)
    probe = _probe(function, name, kind, hint)
    annotation = annotations_of(function).get("return" if name == "yield" else name)

    def leave_alone(error: Exception) -> None:
        reason = str(error).splitlines()[0][:200]
        of_others = own_source.is_of_others(function, annotation, hint)
        own_source.leave_alone(function, f"{function.__qualname__}({name})", reason, of_others)

    try:
        enforce = beartype(conf=conf)(probe)
    except BeartypeException as error:
        leave_alone(error)
        return None
    enforce = _spread(enforce, kind)
    if scalars.may_stand(hint):
        enforce = _with_scalars(enforce, hint, kind)

    def enforce_or_leave(value: Any) -> None:
        __tracebackhide__ = True
        try:
            enforce(value)
        except Refused as error:
            misfits = _misfits(enforce, value, kind, hint)
            refuse(misfits or [Misfit("", value, _reason(error, hint))])
        except BeartypeException as error:  # a hint that only a call shows to have no meaning
            leave_alone(error)
        except jaxtyping.AnnotationError as error:
            if not is_jaxtyped(hint):  # else it is ours, and may be solved
                leave_alone(error)

    return Test(enforce_or_leave, _deciding(hint))


def _reason(error: Refused, hint: Any) -> str:
    return "" if isinstance(hint, type) else scalars.as_written(error.reason)


def _misfits(enforce: Callable[[Any], None], value: Any, kind: Any, hint: Any) -> list[Misfit]:
    """The items of ``*args`` or ``**kwargs`` that do not fit, each by itself."""
    parts: list[tuple[str, Any, Any]]
    if kind is inspect.Parameter.VAR_POSITIONAL:
        parts = [(f"[{index}]", item, (item,)) for index, item in enumerate(value)]
    elif kind is inspect.Parameter.VAR_KEYWORD:
        parts = [(f"[{key!r}]", item, {key: item}) for key, item in value.items()]
    else:
        return []
    found: list[Misfit] = []
    for place, item, alone in parts:
        try:
            enforce(alone)
        except Refused as error:
            found.append(Misfit(place, item, _reason(error, hint)))
    return found


def _with_scalars(enforce: Callable[[Any], None], hint: Any, kind: Any) -> Callable[[Any], None]:
    """Enforces a hint, but accepts JAX's scalars for the numbers in it."""

    def enforce_others(value: Any) -> None:
        __tracebackhide__ = True
        items: Iterable[Any] = (value,)
        if kind is inspect.Parameter.VAR_POSITIONAL:
            items = value
        elif kind is inspect.Parameter.VAR_KEYWORD:
            items = value.values()
        if not all(scalars.is_bearable(item, hint) for item in items):
            enforce(value)

    return enforce_others


def _is_self(hint: Any) -> bool:
    """Whether a hint needs the class that a method is of, which nobody knows here."""
    selves = (cast(Any, typing).Self, cast(Any, typing_extensions).Self)
    return hint in selves or any(map(_is_self, typing.get_args(hint)))


def _probe(function: types.FunctionType, name: str, kind: Any, hint: Any) -> Callable[..., Any]:
    """An empty function with this one annotation, under the user's function's name."""
    star = ""
    if kind is inspect.Parameter.VAR_POSITIONAL:
        star = "*"
    elif kind is inspect.Parameter.VAR_KEYWORD:
        star = "**"
    result = name in ("return", "yield")
    argument = "value" if result else name
    space: dict[str, Any] = {}
    source = f"def probe({star}{argument}): return {argument}"
    execute(source, f"probe of {function.__qualname__}", space, "probe")
    probe: Any = space["probe"]
    probe.__name__ = function.__name__
    probe.__qualname__ = function.__qualname__
    probe.__module__ = function.__module__
    probe.__annotations__ = {"return" if result else name: hint}
    return typing.cast(Callable[..., Any], probe)


def _spread(enforce: Callable[..., Any], kind: Any) -> Callable[[Any], None]:
    if kind is inspect.Parameter.VAR_POSITIONAL:
        return lambda values: enforce(*values)
    if kind is inspect.Parameter.VAR_KEYWORD:
        return lambda values: enforce(**values)
    return enforce


def _deciding(hint: Any) -> type | None:
    """The class that alone decides; protocols and generic aliases go the long way."""
    if hint is None:
        return types.NoneType
    if type(hint) is types.GenericAlias or not isinstance(hint, type):
        return None
    return None if getattr(hint, "_is_protocol", False) or type(hint) is not type else hint
