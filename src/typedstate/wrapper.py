"""The wrapper of a checked function: generated once, with the function's own parameters."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import AsyncGenerator, Callable, Generator
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from . import beartyped
from .errors import SchemaError, StateTypeError
from .mode import is_suspended
from .parse import NotYet
from .replay import Plan

if TYPE_CHECKING:
    from .boundary import Boundary, Call, Enforced

#: Stands for an argument that was not passed: its default is not checked.
OMITTED: Final = Plan(lambda _: False, "")
_numbers: Final = count()
_Kind: Final = inspect.Parameter


def write_wrapper(boundary: Boundary, target: Callable[..., Any]) -> Callable[..., Any]:
    """The checked form of a target that has the boundary's signature."""
    if boundary.ready:
        return _Writer(boundary, target).write()
    return _late(boundary, target)


def _late(boundary: Boundary, target: Callable[..., Any]) -> Callable[..., Any]:
    """A wrapper for annotations with names that are not there yet: generated at first use."""
    made: list[Callable[..., Any]] = []

    def resolve() -> Callable[..., Any]:
        if not made:
            try:
                boundary.prepare()
            except NotYet as error:
                raise SchemaError(f"{boundary.name}: {error}; define or import it") from None
            made.append(_Writer(boundary, target).write() if boundary.enforces else target)
        return made[0]

    function = boundary.function
    if inspect.iscoroutinefunction(function):

        async def late_async(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            return await resolve()(*args, **kwargs)

        return late_async
    if inspect.isgeneratorfunction(function):

        def late_generator(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            return (yield from resolve()(*args, **kwargs))

        return late_generator

    def late(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return resolve()(*args, **kwargs)

    return late


class _Writer:
    """Writes the wrapper's source; values are reached by names, never by their text."""

    def __init__(self, boundary: Boundary, target: Callable[..., Any]) -> None:
        self.boundary = boundary
        self.names: dict[str, Any] = {
            "_target": target,
            "_suspended": is_suspended,
            "_boundary": boundary,
            "_calls": boundary.calls.get,
            "_enter": boundary.enter,
            "_leave": boundary.leave,
            "_omitted": OMITTED,
            "_StateTypeError": StateTypeError,
        }
        self.defaults: dict[str, str] = {}

    def write(self) -> Callable[..., Any]:
        function = self.boundary.function
        head = self._signature()
        call = self._call()
        prefix, invoke = "def", f"_target({call})"
        is_async = inspect.iscoroutinefunction(function)
        if is_async:
            prefix, invoke = "async def", f"await {invoke}"
        lines = [
            f"{prefix} _checked({head}):",
            "    __tracebackhide__ = True",
            *self._suspended(invoke),
            *(f"    {line}" for line in self._arguments()),
            *(f"    {line}" for line in self._body(invoke)),
        ]
        if inspect.isasyncgenfunction(function):
            lines[0] = f"async {lines[0]}"
        source = "\n".join(lines) + "\n"
        name = f"<typedstate boundary {next(_numbers)} of {function.__qualname__}>"
        exec(compile(source, name, "exec"), self.names)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        wrapper: Callable[..., Any] = self.names["_checked"]
        return wrapper

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
            star = {_Kind.VAR_POSITIONAL: "*", _Kind.VAR_KEYWORD: "**"}.get(item.kind, "")
            text = f"{star}{item.name}"
            if item.default is not _Kind.empty:
                name = f"_default{index}"
                self.names[name] = item.default
                self.defaults[item.name] = name
                text += f"={name}"
            pieces.append(text)
            after = parameters[index + 1].kind if index + 1 < len(parameters) else None
            if item.kind is _Kind.POSITIONAL_ONLY and after is not _Kind.POSITIONAL_ONLY:
                pieces.append("/")
        return ", ".join(pieces)

    def _call(self) -> str:
        pieces: list[str] = []
        for item in self.boundary.signature.parameters.values():
            match item.kind:
                case _Kind.VAR_POSITIONAL:
                    pieces.append(f"*{item.name}")
                case _Kind.VAR_KEYWORD:
                    pieces.append(f"**{item.name}")
                case _Kind.KEYWORD_ONLY:
                    pieces.append(f"{item.name}={item.name}")
                case _:
                    pieces.append(item.name)
        return ", ".join(pieces)

    def _suspended(self, invoke: str) -> list[str]:
        function = self.boundary.function
        if inspect.isgeneratorfunction(function):
            return ["    if _suspended(): return (yield from " + invoke + ")"]
        if inspect.isasyncgenfunction(function):
            return [
                "    if _suspended():",
                f"        async for _item in {invoke}: yield _item",
                "        return",
            ]
        return [f"    if _suspended(): return {invoke}"]

    def _arguments(self) -> list[str]:
        """Checks the arguments; ``_call`` is then the accepted call."""
        lines: list[str] = []
        keys: list[str] = []
        values: list[str] = []
        for index, item in enumerate(self.boundary.ours):
            self.names[f"_match{index}"] = self._matcher(item)
            default = self.defaults.get(item.name)
            omitted = f"_omitted if {item.name} is {default} else " if default else ""
            keys.append(f"{omitted}_match{index}({item.name})")
            values.append(f"{omitted}{item.name}")
        if self.boundary.ours:
            key = keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
            lines.append(f"_call = _calls({key})")
            lines.append("if _call is None:")
            lines += _hidden(f"_call = _enter(({', '.join(values)},))")
        elif self.boundary.result is not None and self.boundary.result.spec is not None:
            lines.append("_call = _calls(()) or _enter(())")
        return lines + self._other_arguments()

    def _matcher(self, item: Enforced) -> Callable[[Any], Plan | None]:
        from .spec import InPlace

        return item.match if isinstance(item.spec, InPlace) else item.plans.match

    def _other_arguments(self) -> list[str]:
        lines: list[str] = []
        for index, item in enumerate(self.boundary.others):
            test = beartyped.tester(self.boundary.function, item.name, item.hint, item.kind)
            if test is None:
                continue
            self.names[f"_test{index}"] = test.enforce
            condition = f"{item.name} is not {self.defaults[item.name]}" if (
                item.name in self.defaults
            ) else ""
            if test.cls is not None and item.kind not in (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD):
                self.names[f"_class{index}"] = test.cls
                instance = f"not isinstance({item.name}, _class{index})"
                condition = f"{condition} and {instance}" if condition else instance
            lines.append(f"if {condition or True}:")
            lines += _hidden(f"_test{index}({item.name})")
        return lines

    def _body(self, invoke: str) -> list[str]:
        function = self.boundary.function
        check = self._result_lines()
        if inspect.isgeneratorfunction(function):
            self.names["_drive"] = drive
            self.names["_check"] = self._checker()
            call = "_call" if self._has_call else "None"
            return [f"return (yield from _drive({invoke}, _check, {call}))"]
        if inspect.isasyncgenfunction(function):
            self.names["_drive"] = drive_async
            self.names["_check"] = self._checker()
            call = "_call" if self._has_call else "None"
            return [f"async for _item in _drive({invoke}, _check, {call}): yield _item"]
        if self.boundary.shares_names:
            from jaxtyping import jaxtyped

            self.names["_jaxtyped"] = jaxtyped
            self.names["_publish"] = publish
            body = [
                'with _jaxtyped("context"):',
                "    if _call.names: _publish(_call)",
                f"    _result = {invoke}",
            ]
        else:
            body = [f"_result = {invoke}"] if check else [f"return {invoke}"]
        return [*body, *check, *(["return _result"] if check or len(body) > 1 else [])]

    @property
    def _has_call(self) -> bool:
        result = self.boundary.result
        return bool(self.boundary.ours or (result is not None and result.spec is not None))

    def _result_lines(self) -> list[str]:
        result = self.boundary.result
        if result is None:
            return []
        if result.spec is not None:
            self.names["_match_result"] = self._matcher(result)
            return [
                "if _match_result(_result) not in _call.results:",
                *_hidden("_leave(_call, _result)"),
            ]
        test = beartyped.tester(self.boundary.function, result.name, result.hint, None)
        if test is None:
            return []
        self.names["_test_result"] = test.enforce
        if test.cls is not None:
            self.names["_class_result"] = test.cls
            condition = "not isinstance(_result, _class_result)"
            return [f"if {condition}:", *_hidden("_test_result(_result)")]
        return ["if True:", *_hidden("_test_result(_result)")]

    def _checker(self) -> Callable[[Any, Any], None]:
        """Checks one value that a generator yields."""
        result = self.boundary.result
        if result is None:
            return lambda call, value: None
        if result.spec is not None:
            boundary = self.boundary

            def check(call: Call, value: Any) -> None:
                __tracebackhide__ = True
                if result.match(value) not in call.results:
                    boundary.leave(call, value)

            return check
        test = beartyped.tester(self.boundary.function, result.name, result.hint, None)
        if test is None:
            return lambda call, value: None
        enforce = test.enforce
        return lambda call, value: enforce(value)


def _hidden(line: str) -> list[str]:
    """The line, with our own frames taken from the traceback of what it raises."""
    return [
        "    try:",
        f"        {line}",
        "    except _StateTypeError as _error:",
        "        raise _error.with_traceback(None) from None",
    ]


def publish(call: Call) -> None:
    """Tells jaxtyping the sizes of the call's names, for ``isinstance`` in the body."""
    carrier, hint = call.published()
    isinstance(carrier, hint)


def drive(
    generator: Generator[Any, Any, Any], check: Callable[[Any, Any], None], call: Any
) -> Generator[Any, Any, Any]:
    """Runs a generator and checks what it yields; nothing stays open while it waits."""
    __tracebackhide__ = True
    try:
        item = next(generator)
        while True:
            check(call, item)
            try:
                sent = yield item
            except GeneratorExit:
                generator.close()
                raise
            except BaseException as error:
                item = generator.throw(error)
            else:
                item = generator.send(sent)
    except StopIteration as stop:
        return stop.value


async def drive_async(
    generator: AsyncGenerator[Any, Any], check: Callable[[Any, Any], None], call: Any
) -> AsyncGenerator[Any, Any]:
    """Runs an asynchronous generator and checks what it yields."""
    __tracebackhide__ = True
    try:
        item = await anext(generator)
        while True:
            check(call, item)
            try:
                sent = yield item
            except GeneratorExit:
                await generator.aclose()
                raise
            except BaseException as error:
                item = await generator.athrow(error)
            else:
                item = await generator.asend(sent)
    except StopAsyncIteration:
        return
