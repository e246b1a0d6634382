"""The wrapper of a checked function: generated once, with the function's own parameters.

Its source is Python text in which ``§`` stands for a prefix that no parameter has. Objects are
reached by global names with this prefix, never by their text.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import jaxtyping

from .. import mode
from .._annotations.boundary_hints import mentions_schema
from .._fastpath.call_cache import OMITTED
from .._fastpath.compiled import execute
from ..errors import SchemaError, StateTypeError, TypedStateWarning
from . import beartype_hints, generators
from .braces import ByCall
from .containers import is_prefix, is_rebuilt
from .hints import has_jaxtyped, has_tree

if TYPE_CHECKING:
    from .enforced import Enforced
    from .signature import Boundary

_jaxtyped: Final[Any] = cast(Any, jaxtyping).jaxtyped
_Kind: Final = inspect.Parameter
_STARS: Final[dict[Any, str]] = {_Kind.VAR_POSITIONAL: "*", _Kind.VAR_KEYWORD: "**"}
_PREFIX: Final = "§"


#: What the generated code needs beside its function; a parameter may shadow any builtin.
_NAMES: Final[dict[str, Any]] = {
    "mode": mode,  # a module travels by its name, its context variable would not
    "rebuilt": is_rebuilt,
    "prefix": is_prefix,
    "omitted": OMITTED,
    "Refusals": (StateTypeError, SchemaError, TypedStateWarning),
    "BaseException": BaseException,
    "Exception": Exception,
    "GeneratorExit": GeneratorExit,
    "StopAsyncIteration": StopAsyncIteration,
    "StopIteration": StopIteration,
    "anext": anext,
    "isinstance": isinstance,
    "next": next,
}


def write_wrapper(boundary: Boundary, target: Callable[..., Any]) -> Callable[..., Any]:
    """The checked form of a target that has the boundary's signature."""
    if not boundary.ready:
        return _late(boundary, target)
    if boundary.braces:
        return _by_call(boundary, target)
    return _Writer(boundary, target).write()


def _by_call(boundary: Boundary, target: Callable[..., Any]) -> Callable[..., Any]:
    """A wrapper for dims that the arguments of each call say."""
    by_call = ByCall(boundary, target, write_wrapper)
    resolved = "§by_call.resolve(args, kwargs)"
    return _resolving(boundary.function, resolved, {"target": target, "by_call": by_call})


def _late(boundary: Boundary, target: Callable[..., Any]) -> Callable[..., Any]:
    """A wrapper for annotations with names that are not there yet: generated at first use."""
    made: list[Callable[..., Any]] = []

    def resolve() -> Callable[..., Any]:
        if not made:
            boundary.complete()
            made.append(write_wrapper(boundary, target) if boundary.enforces else target)
        return made[0]

    return _resolving(boundary.function, "§resolve()", {"target": target, "resolve": resolve})


def _resolving(
    function: types.FunctionType, resolved: str, names: dict[str, Any]
) -> Callable[..., Any]:
    """A wrapper that asks at each call for the one that checks it.

    Args:
      function: that is checked.
      resolved: the expression that gives it.
      names: those in it, and ``target``.
    """
    invoke = "§resolved(*args, **kwargs)"
    lines = [
        "if §mode.is_suspended(): §resolved = §target",
        "else:",
        *_hidden(f"§resolved = {resolved}"),
    ]
    if inspect.isgeneratorfunction(function):
        lines.append(f"return (yield from {invoke})")
    elif inspect.isasyncgenfunction(function):
        lines += generators.driven_async(invoke, [])
    else:
        lines.append(f"return {'await ' if _is_async(function) else ''}{invoke}")
    return _compiled(function, "*args, **kwargs", lines, names, "_")


def _compiled(
    function: Callable[..., Any],
    head: str,
    lines: list[str],
    names: dict[str, Any],
    prefix: str,
) -> Callable[..., Any]:
    """Compiles a wrapper's lines; its source is to be read in a debugger while it lives."""
    define = "async def" if _is_async(function) or inspect.isasyncgenfunction(function) else "def"
    body = "\n".join(f"    {line}" for line in ["__tracebackhide__ = True", *lines])
    source = f"{define} §checked({head}):\n{body}\n".replace(_PREFIX, prefix)
    space = {f"{prefix}{name}": value for name, value in {**_NAMES, **names}.items()}
    name = f"{prefix}checked"
    execute(source, f"boundary of {function.__qualname__}", space, name)
    wrapper: Callable[..., Any] = space.pop(name)  # else it would hold itself
    return wrapper


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function)


class _Writer:
    """Writes the wrapper of one function."""

    def __init__(self, boundary: Boundary, target: Callable[..., Any]) -> None:
        self.boundary = boundary
        self.function = boundary.function
        self.names: dict[str, Any] = {
            "target": target,
            "calls": boundary.calls,
            "enter": boundary.enter,
            "leave": boundary.leave,
        }
        self.defaults: dict[str, str] = {}
        self.replaced: dict[str, str] = {}

    def write(self) -> Callable[..., Any]:
        head, prefix = self._signature(), self._prefix()
        invoke = f"§target({self._call()})"
        if _is_async(self.function):
            invoke = f"await {invoke}"
        lines = [*self._muted(invoke), *self._arguments(), *self._body(invoke)]
        return _compiled(self.function, head, lines, self.names, prefix)

    def _prefix(self) -> str:
        """A prefix of underscores that no parameter has."""
        prefix = "_"
        while any(name.startswith(prefix) for name in self.boundary.signature.parameters):
            prefix += "_"
        return prefix

    def _signature(self) -> str:
        pieces: list[str] = []
        parameters = list(self.boundary.signature.parameters.values())
        keyword_only = False
        for index, item in enumerate(parameters):
            if item.kind is _Kind.VAR_POSITIONAL:
                keyword_only = True
            if item.kind is _Kind.KEYWORD_ONLY and not keyword_only:
                pieces.append("*")
                keyword_only = True
            text = f"{_STARS.get(item.kind, '')}{item.name}"
            if item.default is not _Kind.empty:
                text += f"=§{self._default(item, f'default{index}')}"
            pieces.append(text)
            after = parameters[index + 1].kind if index + 1 < len(parameters) else None
            if item.kind is _Kind.POSITIONAL_ONLY and after is not _Kind.POSITIONAL_ONLY:
                pieces.append("/")
        return ", ".join(pieces)

    def _default(self, item: inspect.Parameter, name: str) -> str:
        """A placeholder for a default: it is not checked if omitted, but is if passed on purpose.

        None is the exception: as a default it says that it may be passed, as in so much code.
        """
        self.names[name] = item.default
        enforced = {one.name for one in (*self.boundary.ours, *self.boundary.others)}
        if item.default is None or item.name not in enforced:
            self.defaults[item.name] = f"§{name}"
            return name
        self.defaults[item.name], self.replaced[item.name] = "§omitted", f"§{name}"
        return "omitted"

    def _call(self) -> str:
        pieces: list[str] = []
        for item in self.boundary.signature.parameters.values():
            keyword = f"{item.name}=" if item.kind is _Kind.KEYWORD_ONLY else ""
            value = item.name
            if value in self.replaced:
                value = f"({self.replaced[value]} if {value} is §omitted else {value})"
            pieces.append(f"{_STARS.get(item.kind, keyword)}{value}")
        return ", ".join(pieces)

    def _muted(self, invoke: str) -> list[str]:
        """The plain call, where boundaries are mute."""
        if self.function.__name__ == "__init__":
            either = f"§mode.is_suspended() or §rebuilt(){self._is_prefix()}"
            return [f"if {either}: return {invoke}"]
        if inspect.isgeneratorfunction(self.function):
            return [f"if §mode.is_suspended(): return (yield from {invoke})"]
        if inspect.isasyncgenfunction(self.function):
            driven = [f"    {line}" for line in generators.driven_async(invoke, [])]
            return ["if §mode.is_suspended():", *driven, "    return"]
        return [f"if §mode.is_suspended(): return {invoke}"]

    def _is_prefix(self) -> str:
        """Asks whether what a container gets is no value but e.g. ``in_axes`` for one."""
        first, *rest = self.boundary.signature.parameters.values() or (None,)
        if first is None or not self.boundary.ours or any(item.kind in _STARS for item in rest):
            return ""
        values = "".join(f"{item.name}, " for item in rest)
        self.names["fields"] = tuple(item.name for item in rest)
        return f" or §prefix({first.name}, §fields, ({values}))"

    @property
    def _reopens(self) -> bool:
        """Whether no scope stays open until there is a result: across an await or a yield."""
        return not self.boundary.is_plain

    def _arguments(self) -> list[str]:
        """Checks the arguments; ``§call`` is then the accepted call."""
        lines = self._checked_arguments()
        if self.boundary.has_trees and self._reopens:
            lines += self._in_scope(self._other_arguments(trees=True))
        return lines

    def _checked_arguments(self) -> list[str]:
        ours = self.boundary.ours
        if not ours:
            has_result = any(item.spec is not None for item in self.boundary.results)
            lines = ["§call = §calls.known.get(()) or §enter((), ())"] if has_result else []
            return lines + self._other_arguments()
        given = ", ".join(f"§known{index}" for index in range(len(ours)))
        latest = ", ".join(f"§latest{index}" for index in range(len(ours)))
        lines = ["§call = §calls.latest", f"{latest}, = §call.specializations"]
        values: list[str] = []
        for index, item in enumerate(ours):
            self.names[f"match{index}"] = item.structures.match
            recognised, value = _recognise(index, item.name), item.name
            if default := self.defaults.get(item.name):
                lines += [f"if {value} is {default}: §known{index} = §omitted", "else:"]
                recognised = [f"    {line}" for line in recognised]
                value = self._given(value)
            lines += recognised
            values.append(value)
        others = (f"§known{index} is not §latest{index}" for index in range(len(ours)))
        key = given if len(ours) == 1 else f"({given})"
        plain = "".join(f"{self._given(item.name)}, " for item in self.boundary.others)
        enter = _hidden(f"§call = §enter({key}, ({', '.join(values)},), ({plain}))")
        lines += [f"if {' or '.join(others)}:", f"    §call = §calls.known.get({key})"]
        lines += ["    if §call is None:", *(f"    {line}" for line in enter)]
        lines += ["    else: §calls.latest = §call"]
        return lines + self._other_arguments()

    def _given(self, name: str) -> str:
        """An argument, or that it was left out."""
        default = self.defaults.get(name)
        return f"§omitted if {name} is {default} else {name}" if default else name

    def _other_arguments(self, trees: bool = False) -> list[str]:
        """Checks the arguments that beartype checks: trees in jaxtyping's scope, others outside."""
        lines: list[str] = []
        for index, item in enumerate(self.boundary.others):
            test = self._tester(item, item.kind) if has_tree(item.hint) is trees else None
            if test is None:
                continue
            self.names[f"test{index}"] = test.enforce
            conditions: list[str] = []
            if item.name in self.defaults:
                conditions.append(f"{item.name} is not {self.defaults[item.name]}")
            if test.cls is not None and item.kind not in _STARS:
                self.names[f"class{index}"] = test.cls
                conditions.append(f"not §isinstance({item.name}, §class{index})")
            lines.append(f"if {' and '.join(conditions) or True}:")
            lines += _hidden(f"§test{index}({item.name})")
        return lines

    def _tester(self, item: Enforced, kind: Any) -> beartype_hints.Test | None:
        refuse = partial(self.boundary.refuse_plain, item)
        return beartype_hints.tester(self.function, item.name, item.hint, kind, refuse)

    def _body(self, invoke: str) -> list[str]:
        boundary = self.boundary
        if inspect.isgeneratorfunction(self.function):
            items, last = self._result(boundary.yielded), self._result(boundary.result)
            if items or last:
                return generators.driven(invoke, items, last)
            return [f"return (yield from {invoke})"]
        if inspect.isasyncgenfunction(self.function):
            return generators.driven_async(invoke, self._result(boundary.yielded))
        check = self._result(boundary.result)
        if boundary.has_trees and not self._reopens:
            body = [*self._other_arguments(trees=True), f"§found = {invoke}", *check]
            return [*self._in_scope([*body, *self._result_again()]), "return §found"]
        if boundary.shares_names:
            return [*self._in_scope([f"§found = {invoke}"]), *check, "return §found"]
        return [f"§found = {invoke}", *check, "return §found"] if check else [f"return {invoke}"]

    def _in_scope(self, lines: list[str]) -> list[str]:
        """The lines where jaxtyping knows the call's names."""
        scope: Any = _jaxtyped("context")
        is_stateless = getattr(scope, "__dict__", None) == {}  # then one does for all calls
        self.names["scope"] = scope if is_stateless else _jaxtyped
        published = ["for §carrier, §hint in §call.published: §isinstance(§carrier, §hint)"]
        if not (self.boundary.ours or any(item.spec for item in self.boundary.results)):
            published = []  # there is no such call
        body = [*published, *lines] or ["pass"]
        head = "with §scope:" if is_stateless else 'with §scope("context"):'
        return [head, *(f"    {line}" for line in body)]

    def _result_again(self) -> list[str]:
        """Compares arrays that are returned with names that only trees among the arguments have."""
        item = self.boundary.result
        if item is None or item.spec is None or mentions_schema(item.hint):
            return []
        test = self._tester(item, None)
        if test is None or not has_jaxtyped(item.hint):
            return []
        self.names["test_again"] = test.enforce
        return ["if True:", *_hidden("§test_again(§found)")]

    def _result(self, item: Enforced | None) -> list[str]:
        """Checks ``§found``, what the function returns or yields."""
        if item is None:
            return []
        name = item.name
        if item.spec is not None:
            self.names |= {f"match_{name}": item.structures.match, f"enforced_{name}": item}
            return [
                f"§known = §match_{name}(§found)",
                "if §known not in §call.results:",
                *_hidden(f"§leave(§call, §enforced_{name}, §known, §found)"),
            ]
        test = self._tester(item, None)
        if test is None:
            return []
        self.names[f"test_{name}"] = test.enforce
        if self._reopens and has_tree(item.hint):
            again = self._other_arguments(trees=True)
            return self._in_scope([*again, "if True:", *_hidden(f"§test_{name}(§found)")])
        condition = "True"
        if test.cls is not None:
            self.names[f"class_{name}"] = test.cls
            condition = f"not §isinstance(§found, §class_{name})"
            if test.cls is types.NoneType:
                condition = "§found is not None"
        return [f"if {condition}:", *_hidden(f"§test_{name}(§found)")]


def _recognise(index: int, value: str) -> list[str]:
    """Recognises an argument: mostly that of the latest call."""
    return [
        "try:",
        f"    §known{index} = §latest{index}",
        f"    if not §latest{index}.match({value}): §known{index} = §match{index}({value})",
        "except §Exception:",  # not alike
        f"    §known{index} = §match{index}({value})",
    ]


def _hidden(line: str) -> list[str]:
    """The line, with our own frames taken from the traceback of what it raises."""
    return [
        "    try:",
        f"        {line}",
        "    except §Refusals as §error:",
        "        raise §error.with_traceback(None) from None",
    ]
