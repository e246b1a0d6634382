"""Filters that ask ``type(value)``: nothing in a stand-in notices that, so ``type`` is replaced.

A function that names ``type`` is asked in a copy, with globals in which ``type`` is one that
lets a stand-in answer.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Final, cast

#: The attribute of a stand-in that is the answer to ``type(stand_in)``.
ASKED_BY_TYPE: Final = "type of it"


class _LikeType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, type)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, type)


class _Type(type, metaclass=_LikeType):
    """``type``, but for stand-ins."""

    def __new__(cls, value: Any, *rest: Any, **options: Any) -> Any:
        if rest:
            return type(value, *rest, **options)
        found = cast(Any, type)(value)
        return getattr(value, ASKED_BY_TYPE) if hasattr(found, "answers_type") else found


def watching_type(predicate: Callable[..., Any]) -> Callable[..., Any]:
    """A predicate in which ``type(stand_in)`` is what the stand-in says; others as they are."""
    if isinstance(predicate, types.MethodType):
        return types.MethodType(watching_type(predicate.__func__), predicate.__self__)
    if not isinstance(predicate, types.FunctionType):
        call = getattr(type(predicate), "__call__", None)  # noqa: B004
        if not isinstance(call, types.FunctionType):
            return predicate
        watched = watching_type(call)
        return predicate if watched is call else types.MethodType(watched, predicate)
    if "type" in predicate.__globals__ or not _names_type(predicate.__code__):
        return predicate
    space = {**predicate.__globals__, "type": _Type}
    name, defaults, cells = predicate.__name__, predicate.__defaults__, predicate.__closure__
    copy = types.FunctionType(predicate.__code__, space, name, defaults, cells)
    copy.__kwdefaults__ = predicate.__kwdefaults__
    return copy


def _names_type(code: types.CodeType) -> bool:
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return "type" in code.co_names or any(map(_names_type, inner))
