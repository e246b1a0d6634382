"""`checked`: arguments and results of functions are enforced while one develops.

Hints that hold a state or an array are checked by our specs, with the names of one call
shared between them; all others are beartype's. A call whose arguments are like those of an
accepted one is recognised by generated code, every other one goes to the explainer.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
import types
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

from typing_extensions import TypeAliasType

from . import late
from .calls import Call, Calls, Precedent
from .checking import check_binds
from .dataclass import dataclass
from .describe import describe
from .errors import SchemaError, StateTypeError, TypedStateWarning, warn_of
from .hint import Deferred
from .mode import MODE
from .parse import Context, NotYet, holds_ours, is_jaxtyped, parse
from .plans import Plan, Plans
from .spec import Instance, NoValue, Path, Spec
from .wrapper import OMITTED, write_wrapper

if TYPE_CHECKING:
    from .explainer import Explanation
    from .law import Root
    from .report import Report

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_MARK: Final = "__typedstate_checked__"
_RETURN: Final = "return"
_YIELD: Final = "yield"
_TYPE_LIKE: Final = (
    *(type, TypeVar, types.ModuleType, TypeAliasType, typing.NewType, Deferred),
    *(str, int),  # e.g. the dims of an array, written once
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
    order of decorators. Signature, name and docstring stay. With ``TYPEDSTATE=off``, or under
    ``python -O``, the target itself is returned.

    Raises:
      SchemaError: an annotation can mean nothing.
      StateTypeError: on a call whose arguments or result do not fit.
    """
    if MODE == "off":
        return target
    return _decorate(target, Place(_local_names(sys._getframe(1))))  # pyright: ignore[reportPrivateUsage]


def covered(target: Any) -> Any:
    """`checked` as the import hook writes it, over code that its author may never have run so.

    An annotation that only a type checker can read, or whose dims only jaxtyping evaluates, is
    left alone, with a warning; in a schema or a form it is an error here too.
    """
    place = Place(_local_names(sys._getframe(1)), covered=True)  # pyright: ignore[reportPrivateUsage]
    return _decorate(target, place)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a decorator stands.

    Attributes:
      local: the names of the enclosing function or class.
      covered: by the import hook.
    """

    local: Mapping[str, Any]
    covered: bool = False


def _local_names(frame: types.FrameType) -> Mapping[str, Any]:
    return frame.f_locals if frame.f_locals is not frame.f_globals else {}


def _decorate(target: Any, place: Place) -> Any:
    """Decorates whatever may be decorated."""
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


def _class(cls: type, place: Place) -> type:
    """Decorates the methods that a class defines itself, and the fields of a dataclass."""
    inside = replace(place, local={**place.local, cls.__name__: cls})
    for name, value in list(vars(cls).items()):
        dunder = name.startswith("__") and name.endswith("__")
        if dunder and name not in ("__init__", "__call__", "__post_init__"):
            continue
        if isinstance(value, types.FunctionType | staticmethod | classmethod | property):
            setattr(cls, name, _decorate(value, inside))
    return cls


def _is_transformed(function: types.FunctionType) -> bool:
    """Whether a function stands for another one whose annotations it carries."""
    if "__wrapped__" not in vars(function):
        return False
    own = inspect.signature(function, follow_wrapped=False).parameters
    return any(name not in own for name in function.__annotations__ if name != _RETURN)


def _callable(target: Any, place: Place) -> Any:
    """A callable that wraps a function, e.g. a jitted one: its attributes stay within reach."""
    inner = inspect.unwrap(target)
    if not isinstance(inner, types.FunctionType):
        return target
    boundary = Boundary(inner, _names(inner, place.local), place.covered)
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
        return getattr(self.__wrapped__, name)


def _function(function: types.FunctionType, place: Place) -> Any:
    boundary = Boundary(function, _names(function, place.local), place.covered)
    if not boundary.enforces:
        return function
    return _marked(write_wrapper(boundary, function), function)


def _marked(wrapper: Callable[..., Any], function: types.FunctionType) -> Callable[..., Any]:
    update_wrapper(wrapper, function)
    setattr(wrapper, _MARK, True)
    return wrapper


def _names(function: types.FunctionType, local: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Where a function's annotations are looked up; keeps types of the frame, never arrays."""
    texts = " ".join(hint for hint in function.__annotations__.values() if isinstance(hint, str))
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


@dataclass(eq=False)
class Enforced:
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
    plans: Plans = field(default_factory=Plans)


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
        self.calls = Calls(0)
        self.shares_names = False
        with contextlib.suppress(NotYet):
            self.prepare()

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
        self.ours, self.result, self.yielded = ours, results.get(_RETURN), results.get(_YIELD)
        self.others = [item for item in others if item.hint not in (Any, object)]
        plain = not (self._yields or inspect.iscoroutinefunction(self.function))
        self.calls = Calls(len(ours))
        every = [*ours, *self.results]
        self.shares_names = plain and any(_has_jaxtyped(item.hint) for item in every)
        self.ready = True

    def _come_out(self) -> Iterator[tuple[str, Any]]:
        """The hints of what the function returns or, one by one, yields."""
        if _RETURN not in self.annotations:
            return
        hint = self._resolved(_RETURN, self.annotations[_RETURN])
        if not self._yields:
            yield _RETURN, hint
            return
        args = typing.get_args(hint)
        if args:
            yield _YIELD, args[0]
        if len(args) == 3 and inspect.isgeneratorfunction(self.function):
            yield _RETURN, args[2]

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
        return Enforced(name, hint, spec if holds_ours(spec) else None, kind)

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

    def enter(self, plans: Any, values: tuple[Any, ...]) -> Call:
        """Accepts the arguments of a call that is not known: by a law, or by the explainer.

        Args:
          plans: of the arguments, None for one that is like none before; as `Calls` has them.
          values: the arguments.

        Raises:
          StateTypeError: they do not fit; in mode ``warn`` it is a warning.
        """
        __tracebackhide__ = True
        found = cast(tuple[Plan | None, ...], plans if isinstance(plans, tuple) else (plans,))
        known = [plan for plan in found if plan is not None]
        if len(known) == len(found) and (call := self.calls.follow(tuple(known))) is not None:
            return call
        explanation = late.Explanation()
        for item, value in zip(self.ours, values, strict=True):
            for root, _, part in _parts(item, value):
                assert item.spec is not None
                explanation.visit(part, item.spec, root)
        report = explanation.report(self.name)
        if not report:
            self.refuse(report, "arguments")
            return Call(Precedent((), None, report, {}, None), ())
        every = zip(self.ours, values, found, strict=True)
        plans = [plan or _learn(item, value, explanation) for item, value, plan in every]
        roots: dict[str, Root] = {}
        for number, (item, value, plan) in enumerate(zip(self.ours, values, plans, strict=True)):
            if plan is not None:
                roots |= _roots(item, value, number, plan)
        return self.calls.learn(plans, explanation, report, roots, bool(self.results))

    def leave(self, call: Call, result: Enforced, plan: Plan | None, value: Any) -> None:
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
            self.refuse(report, "return value" if result.name == _RETURN else "yielded value")
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


def _learn(item: Enforced, value: object, explanation: Explanation) -> Plan | None:
    """The plan of a parameter's value; `explanation` says how its parts were read."""
    if value is OMITTED:
        return OMITTED
    if not item.plans.meet():
        return None
    reading = late.Reading()
    for root, prefix, _ in _parts(item, value):
        reading.join(prefix, explanation.found.readings[root])
    return item.plans.learn(value, reading)


def _roots(item: Enforced, value: Any, number: int, plan: Plan) -> dict[str, Root]:
    """Where the explainer's paths of a parameter lead."""
    return {root: late.Root(number, prefix, plan.places) for root, prefix, _ in _parts(item, value)}


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
