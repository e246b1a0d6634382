"""The annotations of one function, and the calls that were accepted so far."""

from __future__ import annotations

import contextlib
import inspect
import types
import typing
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec

from .. import _fastpath, _validation
from .._annotations.array_hints import is_jaxtyped
from .._annotations.context import Context, NotYet
from .._annotations.parse import holds_state_or_array, parse
from .._fastpath.call_cache import OMITTED, CallCache, ExplainedCall, KnownCall
from .._fastpath.structures import Specialization, StructureCache
from .._spec.binds import check_binds
from .._spec.describe import describe
from .._spec.nodes import Instance, NoValue, Spec
from ..errors import SchemaError, StateTypeError, TypedStateWarning, warn_of
from ..mode import MODE
from ..report import Path

if TYPE_CHECKING:
    from .._fastpath.size_code import ArgumentRef
    from .._validation.walk import Walk
    from ..report import Report

RETURN: Final = "return"
_YIELD: Final = "yield"


class Enforced(msgspec.Struct, eq=False):
    """One parameter, or the return value, of a boundary.

    Attributes:
      name: the parameter's; ``return`` for the value.
      hint: its resolved annotation.
      spec: what it means, None where beartype checks it.
      plans: the structures accepted so far.
      kind: of the parameter.
    """

    name: str
    hint: Any
    spec: Spec | None
    kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD
    plans: StructureCache = msgspec.field(default_factory=StructureCache)


class Boundary:
    """The annotations of one function, parsed when they can be, and the calls accepted so far."""

    def __init__(
        self, function: types.FunctionType, names: tuple[Mapping[str, Any], ...], covered: bool
    ) -> None:
        """Parses the annotations, or waits for the first call where a name is missing."""
        self.function = function
        self.name = f"{function.__qualname__}()"
        self.signature = inspect.signature(function, follow_wrapped=False)
        self.annotations = dict(function.__annotations__)
        self._names = names
        self._covered = covered
        self._waits = True
        self.ready = False
        self.ours: list[Enforced] = []
        self.others: list[Enforced] = []
        self.result: Enforced | None = None
        self.yielded: Enforced | None = None
        self.calls = CallCache(0)
        self.shares_names = False
        with contextlib.suppress(NotYet):
            self.prepare()

    def __getstate__(self) -> dict[str, Any]:
        """For libraries that send functions to other processes: without the module's names."""
        return {**vars(self), "_names": self._names[:-1]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._names = (*self._names, self.function.__globals__)

    @property
    def enforces(self) -> bool:
        """Whether there is anything to enforce."""
        return not self.ready or bool(self.ours or self.others or self.results)

    @property
    def results(self) -> list[Enforced]:
        """What is enforced of what comes out: the values that are returned, yielded."""
        return [item for item in (self.yielded, self.result) if item is not None]

    def complete(self) -> None:
        """Parses them at the first call, by which all names should be there.

        Raises:
          SchemaError: one is still missing, and the function is not covered by the import hook.
        """
        self._waits = False
        try:
            self.prepare()
        except NotYet as error:
            raise SchemaError(f"{self.name}: {error}; define or import it") from None

    def prepare(self) -> None:
        """Parses all annotations; raises NotYet, with nothing changed, where a name is missing."""
        ours: list[Enforced] = []
        others: list[Enforced] = []
        for name, parameter in self.signature.parameters.items():
            if name in self.annotations:
                found = self._enforced(name, self.annotations[name], parameter.kind)
                (others if found.spec is None else ours).append(found)
        results = {name: self._enforced(name, hint, None) for name, hint in self._come_out()}
        self.ours, self.result, self.yielded = ours, results.get(RETURN), results.get(_YIELD)
        self.others = [item for item in others if item.hint not in (Any, object)]
        plain = not (self._yields or inspect.iscoroutinefunction(self.function))
        self.calls = CallCache(len(ours))
        every = [*ours, *self.results]
        self.shares_names = plain and any(_has_jaxtyped(item.hint) for item in every)
        self.ready = True

    def _come_out(self) -> Iterator[tuple[str, Any]]:
        """The hints of what the function returns or, one by one, yields."""
        if RETURN not in self.annotations:
            return
        hint = self._resolved(RETURN, self.annotations[RETURN])
        if not self._yields:
            yield RETURN, hint
            return
        args = typing.get_args(hint)
        if args:
            yield _YIELD, args[0]
        if len(args) == 3 and inspect.isgeneratorfunction(self.function):
            yield RETURN, args[2]

    def _context(self, name: str) -> Context:
        return Context(f"{self.function.__qualname__}({name})", self._names, boundary=True)

    def _enforced(self, name: str, hint: Any, kind: Any) -> Enforced:
        hint = self._resolved(name, hint)
        if isinstance(hint, TypeVar) or not _may_be_ours(hint):
            return Enforced(name, hint, None, kind)
        try:
            spec = parse(hint, self._context(name))
            check_binds(spec, self._context(name).owner)
        except (NotYet, SchemaError) as error:
            if self._raises(error) or (isinstance(error, SchemaError) and _mentions_schema(hint)):
                raise
            return Enforced(name, self._leave_alone(name, error), None, kind)
        return Enforced(name, hint, spec if holds_state_or_array(spec) else None, kind)

    def _resolved(self, name: str, hint: Any) -> Any:
        while isinstance(hint, str | typing.ForwardRef):
            text = hint if isinstance(hint, str) else hint.__forward_arg__
            try:
                hint = self._context(name).resolve(text)
            except (NotYet, SchemaError) as error:
                if self._raises(error):
                    raise
                return self._leave_alone(name, error)
        return hint

    def _raises(self, error: Exception) -> bool:
        """Whether a name may still come, or is an error where the user wrote the decorator."""
        return not self._covered or (self._waits and isinstance(error, NotYet))

    def _leave_alone(self, name: str, error: Exception) -> Any:
        where = self._context(name).owner
        warn_of(self.function, where, str(error).removeprefix(f"{where}: "))
        return Any

    @property
    def _yields(self) -> bool:
        return inspect.isgeneratorfunction(self.function) or inspect.isasyncgenfunction(
            self.function
        )

    # -- A call ---------------------------------------------------------------------------

    def enter(self, plans: Any, values: tuple[Any, ...]) -> KnownCall:
        """Accepts the arguments of a call that is not known: by a law, or by the explainer.

        Args:
          plans: of the arguments, None for one that is like none before; as `Calls` has them.
          values: the arguments.

        Raises:
          StateTypeError: they do not fit; in mode ``warn`` it is a warning.
        """
        __tracebackhide__ = True
        found = cast(
            tuple[Specialization | None, ...], plans if isinstance(plans, tuple) else (plans,)
        )
        known = [plan for plan in found if plan is not None]
        if len(known) == len(found) and (call := self.calls.follow(tuple(known))) is not None:
            return call
        explanation = _validation.Walk()
        for item, value in zip(self.ours, values, strict=True):
            for root, _, part in _parts(item, value):
                assert item.spec is not None
                explanation.visit(part, item.spec, root)
        report = explanation.report(self.name)
        if not report:
            self.refuse(report, "arguments")
            return KnownCall(ExplainedCall((), None, report, {}, None), ())
        every = zip(self.ours, values, found, strict=True)
        plans = [plan or _learn(item, value, explanation) for item, value, plan in every]
        roots: dict[str, ArgumentRef] = {}
        for number, (item, value, plan) in enumerate(zip(self.ours, values, plans, strict=True)):
            if plan is not None:
                roots |= _roots(item, value, number, plan)
        return self.calls.learn(plans, explanation, report, roots, bool(self.results))

    def leave(
        self, call: KnownCall, result: Enforced, plan: Specialization | None, value: Any
    ) -> None:
        """Accepts a value that is returned or yielded, by a law or by the explainer.

        Raises:
          StateTypeError: it does not fit the call's arguments or its hint.
        """
        __tracebackhide__ = True
        if not call.precedent.report or (plan is not None and call.follow(result.name, plan)):
            return
        assert result.spec is not None
        explanation = call.after()
        explanation.visit(value, result.spec, result.name)
        report = explanation.report(self.name)
        if not report:
            self.refuse(report, "return value" if result.name == RETURN else "yielded value")
            return
        plan = plan or _learn(result, value, explanation)
        if plan is not None:
            call.learn(result.name, plan, explanation, report)

    def refuse(self, report: Report, what: str) -> None:
        """Raises, or warns of, what does not fit."""
        __tracebackhide__ = True
        message = self._render(report, what)
        if MODE == "warn":
            warnings.warn(message, TypedStateWarning, stacklevel=4)
            return
        raise StateTypeError(message, report) from None

    def _render(self, report: Report, what: str) -> str:
        """Cause, violations, and the arguments with a mark on the wrong ones."""
        count = len(report.violations)
        noun = "violation" if count == 1 else "violations"
        head = (
            f"the {what} of {self.name} do not fit"
            if what == "arguments"
            else (f"the {what} of {self.name} does not fit")
        )
        lines = [f"{head}: {count} {noun}", *report.lines()]
        wrong = {_root_of(item.path) for item in report.violations}
        every = [*self.ours, *(item for item in self.results if item.spec is not None)]
        lines.append("signature:")
        for item in every:
            mark = "->" if item.name in wrong else "  "
            assert item.spec is not None
            text = describe(item.spec)
            text = text if len(text) <= 120 else f"{text[:117]}..."
            lines.append(f"  {mark} {item.name}: {text}")
        return "\n".join(lines)


def _parts(item: Enforced, value: Any) -> Iterator[tuple[str, Path, Any]]:
    """The values of one parameter: root, path in what the parameter holds, value."""
    if value is OMITTED:
        return
    if item.kind is inspect.Parameter.VAR_POSITIONAL:
        for index, element in enumerate(value):
            yield f"{item.name}[{index}]", (index,), element
    elif item.kind is inspect.Parameter.VAR_KEYWORD:
        for key, element in value.items():
            yield f"{item.name}[{key!r}]", (key,), element
    else:
        yield item.name, (), value


def _learn(item: Enforced, value: object, explanation: Walk) -> Specialization | None:
    """The plan of a parameter's value; `explanation` says how its parts were read."""
    if value is OMITTED:
        return OMITTED
    if not item.plans.meet():
        return None
    reading = _validation.Trace()
    for root, prefix, _ in _parts(item, value):
        reading.join(prefix, explanation.found.readings[root])
    return item.plans.learn(value, reading)


def _roots(item: Enforced, value: Any, number: int, plan: Specialization) -> dict[str, ArgumentRef]:
    """Where the explainer's paths of a parameter lead."""
    return {
        root: _fastpath.ArgumentRef(number, prefix, plan.places)
        for root, prefix, _ in _parts(item, value)
    }


def _root_of(path: str) -> str:
    for end, char in enumerate(path):
        if char in ".[":
            return path[:end]
    return path


def _may_be_ours(hint: Any) -> bool:
    """Whether a hint needs parsing: no plain class, no hint of typing without arguments."""
    if hint is None or hint is Any:
        return False
    if isinstance(hint, type) and not is_jaxtyped(hint):
        plain = not hasattr(hint, "__typedstate_spec__") and not _is_ours_by_class(hint)
        return not plain
    return True


def _is_ours_by_class(hint: type) -> bool:
    try:
        return not isinstance(parse(hint, Context("", boundary=True)), Instance | NoValue)
    except SchemaError:  # said again, with where it stands
        return True


def _mentions_schema(hint: Any) -> bool:
    return hasattr(hint, "__typedstate_spec__") or any(map(_mentions_schema, typing.get_args(hint)))


def _has_jaxtyped(hint: Any) -> bool:
    if is_jaxtyped(hint):
        return True
    return any(_has_jaxtyped(arg) for arg in typing.get_args(hint) if not isinstance(arg, str))
