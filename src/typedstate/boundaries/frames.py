"""Finds functions that read their caller's frame, which a wrapper would come between.

The import hook leaves them alone, and with them those that they call and that call them in the
same package: a reader may climb any number of frames.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: The global of a module in which its loader keeps what to leave alone, and why.
PLACE: Final = "__typedstate_frames__"
_READS: Final = frozenset({"f_back", "_getframe", "_getframemodulename", "getouterframes"})
_OWN: Final = "it reads its caller's frame, and a check would stand between"


def left_alone(module: types.CodeType) -> Mapping[str, str]:
    """The reasons why functions of a module are not wrapped, by their qualified names."""
    codes = {code.co_qualname: code for code in _functions(module)}
    found = {name: _OWN for name, code in codes.items() if _reads(code)}
    for reader in list(found):
        for name, code in codes.items():
            if _calls(code, reader):
                found.setdefault(name, _caller_of(reader))
            if _calls(codes[reader], name):
                text = f"{reader} calls it and reads its caller's frame: a check may stand between"
                found.setdefault(name, text)
    return found


def reason(function: types.FunctionType) -> str:
    """The reason why the hook does not wrap a function; empty for most."""
    known: Mapping[str, str] = function.__globals__.get(PLACE, {})
    found = known.get(function.__qualname__, "")
    if found or not function.__module__:
        return found
    package = function.__module__.partition(".")[0]
    for other in _named(function):
        if other.__module__.partition(".")[0] == package and _reads(other.__code__):
            return _caller_of(other.__qualname__)
    return ""


def _caller_of(reader: str) -> str:
    return f"it calls {reader}, which reads its caller's frame: a check may stand between"


def _functions(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yields the code of every function in a module, methods and inner ones too."""
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            if const.co_flags & inspect.CO_OPTIMIZED:  # no body of a class
                yield const
            yield from _functions(const)


def _reads(code: types.CodeType) -> bool:
    names = {*code.co_names}
    return bool(names & _READS) or {"inspect", "stack"} <= names


def _calls(code: types.CodeType, name: str) -> bool:
    """Whether code names a function of its module, a method of its class or one within it."""
    owner, _, last = name.rpartition(".")
    if not owner:
        return last in code.co_names
    if owner == f"{code.co_qualname}.<locals>":
        return True
    return owner == code.co_qualname.rpartition(".")[0] and last in code.co_names


def _named(function: types.FunctionType) -> Iterator[types.FunctionType]:
    """Yields the functions that the code of a function names, also as ``module.name``."""
    names = function.__code__.co_names
    for name in names:
        found = function.__globals__.get(name)
        several: list[Any] = [found]
        if isinstance(found, types.ModuleType):
            several = [vars(found).get(other) for other in names]
        for item in several:
            if isinstance(item, types.FunctionType):
                yield item
