"""Compares the parameters of a module's functions and methods with those in its stub.

A stub that lags behind makes a type checker refuse what Flax takes, or miss an argument that Flax
requires; a stub that is ahead of an old Flax makes it ask for arguments that this Flax lacks.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from typedstate.doctor.installed import own_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SPECIAL: Final = frozenset({"__init__", "__call__"})


@dataclass(frozen=True)
class Taken:
    """The parameters of a function in a stub, over all of its overloads.

    Attributes:
        names: The parameters' names; None if any keyword is taken.
        required: The number of positional arguments that the least demanding overload requires.
        needed: The keywords that every overload requires.
        is_property: Whether it is read without a call.
    """

    names: frozenset[str] | None
    required: int
    needed: frozenset[str] = frozenset()
    is_property: bool = False

    def __or__(self, other: Taken) -> Taken:
        """The parameters that one overload or another takes."""
        several = None not in (self.names, other.names)
        names = (self.names or frozenset()) | (other.names or frozenset()) if several else None
        needed = self.needed & other.needed
        is_property = self.is_property or other.is_property
        return Taken(names, min(self.required, other.required), needed, is_property)


def _taken(node: ast.FunctionDef, *, method: bool) -> Taken:
    given = node.args
    in_order = [*given.posonlyargs, *given.args]
    own = int(method and not _is_static(node))
    names = {item.arg for item in (*in_order[own:], *given.kwonlyargs)}
    required = max(len(in_order) - own - len(given.defaults), 0)
    defaults = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    needed = frozenset(item.arg for item, default in defaults if default is None)
    every = None if given.kwarg is not None else frozenset(names)
    return Taken(every, required, needed, _has_decorator(node, "property"))


def _is_static(node: ast.FunctionDef) -> bool:
    return _has_decorator(node, "staticmethod")


def _has_decorator(node: ast.FunctionDef, name: str) -> bool:
    return any(ast.unparse(item) == name for item in node.decorator_list)


def taken(body: Iterable[ast.stmt], *, method: bool = False) -> dict[str, Taken]:
    """The parameters of a stub's public functions, and of its classes' methods as ``State.map``."""
    found: dict[str, Taken] = {}
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) if name in _SPECIAL or not name.startswith("_"):
                one = _taken(statement, method=method)
                found[name] = found[name] | one if name in found else one
            case ast.ClassDef(name=cls, body=inner) if not method and not cls.startswith("_"):
                methods = taken(inner, method=True)
                found |= {f"{cls}.{name}": one for name, one in methods.items()}
            case _:
                pass
    return found


def _signature(owner: Any, name: str) -> list[inspect.Parameter] | None:
    """The parameters of what a module or its class has under a name, but for ``self``."""
    *classes, name = name.split(".")
    found: Any = owner
    for cls in classes:
        found = own_names(found).get(cls)
    found = None if found is None else own_names(found).get(name)
    static = isinstance(found, staticmethod)
    function: Any = getattr(found, "__func__", found)
    if not inspect.isfunction(function):
        return None
    parameters = [*inspect.signature(function).parameters.values()]
    return parameters[int(bool(classes) and not static) :]


def refused(owner: Any, known: dict[str, Taken]) -> Iterator[str]:
    """Yields parameters that functions take by name and stubs do not, as ``split(graph)``."""
    for name, one in sorted(known.items()):
        for parameter in _signature(owner, name) or ():
            by_name = parameter.kind is parameter.KEYWORD_ONLY or (
                parameter.kind is parameter.POSITIONAL_OR_KEYWORD
                and parameter.default is not parameter.empty
            )
            hidden = parameter.name.startswith("_")
            if by_name and not hidden and one.names is not None and parameter.name not in one.names:
                yield f"{name}({parameter.name})"


def demanded(owner: Any, known: dict[str, Taken]) -> Iterator[str]:
    """Yields the functions whose stub requires more arguments than they take."""
    for name, one in sorted(known.items()):
        parameters = _signature(owner, name)
        if parameters is None:
            continue
        kinds = {parameter.kind for parameter in parameters}
        in_order = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        most = sum(parameter.kind in in_order for parameter in parameters)
        if inspect.Parameter.VAR_POSITIONAL not in kinds and one.required > most:
            yield name


def omitted(owner: Any, known: dict[str, Taken]) -> Iterator[str]:
    """Yields the functions that require an argument without which the stub lets a call pass."""
    for name, one in sorted(known.items()):
        required = [item for item in _signature(owner, name) or () if _is_required(item)]
        by_name = {item.name for item in required if item.kind is item.KEYWORD_ONLY}
        if len(required) - len(by_name) > one.required or by_name - one.needed:
            yield name


def _is_required(parameter: inspect.Parameter) -> bool:
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in starred


def gone(owner: Any, known: dict[str, Taken]) -> Iterator[str]:
    """Yields the methods of a stub's classes that the classes of the module lack."""
    for name, one in sorted(known.items()):
        cls, _, method = name.rpartition(".")
        found = own_names(owner).get(cls) if cls and not one.is_property else None
        if isinstance(found, type) and not hasattr(found, method):
            yield name
