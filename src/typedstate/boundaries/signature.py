"""The annotations of one function, and the calls that were accepted so far."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import types
import typing
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from .. import _validation
from .._annotations.boundary_hints import holds_state_or_array, mentions_schema, or_array
from .._annotations.context import Braces, Context, NotYet
from .._annotations.deferred import of_variable
from .._annotations.hint_kinds import UNPACK
from .._annotations.lazy_annotations import annotations_of, signature_of
from .._annotations.parse import parse
from .._compat import scalars
from .._fastpath.call_cache import OMITTED, CallCache, ExplainedCall, KnownCall
from .._fastpath.structures import Specialization
from .._spec.binds import check_binds
from ..errors import SchemaError, StateTypeError, TypedStateWarning
from ..mode import MODE
from ..report import Report
from . import own_source, placed_as
from .alike import refuse_unlike
from .braces import refuse_strangers
from .enforced import Enforced
from .hints import has_jaxtyped, has_tree, may_be_ours, says_something
from .merging import merges_of, refuse_unknown, see_belonging
from .parameter_values import learned_from, parts_of, roots_of

if TYPE_CHECKING:
    from .._fastpath.size_code import ArgumentRef
    from .._validation.walk import Walk
    from ..report import Report
    from .beartype_hints import Misfit

RETURN: Final = "return"
_YIELD: Final = "yield"

_SPREAD: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Boundary:
    """The annotations of one function, parsed when they can be, and the calls accepted so far."""

    def __init__(
        self,
        function: types.FunctionType,
        names: tuple[Mapping[str, Any], ...],
        covered: bool,
        crosses: bool = False,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """Parses the annotations, or waits for the first call where a name is missing."""
        self.function = function
        self.name = f"{function.__qualname__}()"
        self.signature = signature_of(function)
        self.annotations: dict[str, Any] = {}
        self._names = names
        self.covered = covered
        self._crosses = crosses
        self._braces = Braces(texts or {})
        self._waits = True
        self.placing: dict[str, None] = {}
        self.ready = False
        self.ours: list[Enforced] = []
        self.others: list[Enforced] = []
        self.result: Enforced | None = None
        self.yielded: Enforced | None = None
        self.calls = CallCache(0)
        self.shares_names = False
        self.has_trees = False
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
        """The hints of values that come out of a function: returned or yielded."""
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
        self.annotations = annotations_of(self.function)  # a name may have come since
        taken = [
            self._enforced(name, self.annotations[name], parameter.kind)
            for name, parameter in self.signature.parameters.items()
            if name in self.annotations
        ]
        come_out = [self._enforced(name, hint, None) for name, hint in self._come_out()]
        named = [(i.name, i.spec) for i in (*taken, *come_out) if i.spec is not None]
        refuse_unlike(self.name, named)
        specs = [spec for _, spec in named]
        merged = {name for item in taken for name in item.merges}
        self.placing = dict.fromkeys(
            name for spec in specs for name in placed_as.arguments_of(spec)
        )
        merged |= set(self.placing)
        for item in (*taken, *come_out):
            found = of_variable(item.hint, specs, self._context(item.name))
            item.spec = item.spec if found is None else found
            if item.spec is None and item.name in merged:  # what it merges with is looked at
                item.spec = parse(item.hint, self._context(item.name))
        ours = [item for item in taken if item.spec is not None]
        others = [item for item in taken if item.spec is None]
        results = {item.name: item for item in come_out if says_something(item.hint)}
        self.ours, self.result, self.yielded = ours, results.get(RETURN), results.get(_YIELD)
        self.others = [item for item in others if says_something(item.hint)]
        self.calls = CallCache(len(ours))
        every = [*ours, *self.results]
        self.shares_names = self.is_plain and any(has_jaxtyped(item.hint) for item in every)
        plain_hints = [item for item in (*self.others, *self.results) if item.spec is None]
        self.has_trees = any(has_tree(item.hint) for item in plain_hints)
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
        owner = f"{self.function.__qualname__}({name})"
        package = str(self.function.__module__).partition(".")[0]
        return Context(
            owner,
            self._names,
            boundary=True,
            package=package,
            waits=self._waits,
            braces=self._braces,
        )

    def _enforced(self, name: str, hint: Any, kind: Any) -> Enforced:
        hint = self._resolved(name, hint)
        if typing.get_origin(hint) in UNPACK and kind in _SPREAD:  # all of them at once
            (hint,), kind = typing.get_args(hint), inspect.Parameter.POSITIONAL_OR_KEYWORD
        crosses = self._crosses and name == RETURN and scalars.may_stand(hint)
        is_plain_variable = isinstance(hint, TypeVar) and not (
            hint.__bound__ or hint.__constraints__
        )
        if is_plain_variable or not (crosses or may_be_ours(hint)):
            return Enforced(name, hint, None, kind)
        try:
            spec = parse(hint, self._context(name))
            check_binds(spec, self._context(name).owner)
            refuse_strangers(self._braces, self.signature.parameters, self._context(name))
        except (NotYet, SchemaError) as error:
            of_others = self._is_of_others(name, error)
            is_schema = isinstance(error, SchemaError) and mentions_schema(hint)
            if is_schema or (self._raises(error) and not of_others):
                raise
            return Enforced(name, self._leave_alone(name, error, of_others), None, kind)
        if crosses:
            spec = or_array(spec)
        merges = merges_of(hint)
        refuse_unknown(self._context(name).owner, merges, self.annotations)
        parameters = [one for one in self.annotations if one != RETURN]
        placed_as.refuse_unknown(self._context(name).owner, spec, name, parameters)
        is_ours = holds_state_or_array(spec) or merges
        return Enforced(name, hint, spec if is_ours else None, kind, merges)

    def _resolved(self, name: str, hint: Any) -> Any:
        while isinstance(hint, str | typing.ForwardRef | dataclasses.InitVar):
            if isinstance(hint, dataclasses.InitVar):
                hint = cast(Any, hint).type
                continue
            text = hint if isinstance(hint, str) else hint.__forward_arg__
            try:
                hint = self._context(name).resolve(text)
            except (NotYet, SchemaError) as error:
                of_others = self._is_of_others(name, error)
                if self._raises(error) and not of_others:
                    raise
                return self._leave_alone(name, error, of_others)
        return hint

    def _raises(self, error: Exception) -> bool:
        """Whether a name may still come, or is an error where the user wrote the decorator."""
        return not self.covered or (self._waits and isinstance(error, NotYet))

    def _is_of_others(self, name: str, error: Exception) -> bool:
        """Whether the missing name stands in an alias of another package."""
        if not isinstance(error, NotYet) or error.of_record:
            return False
        annotation = self.annotations.get(RETURN if name == _YIELD else name)
        return not own_source.writes(self.function, annotation, error.name)

    def _leave_alone(self, name: str, error: Exception, of_others: bool) -> Any:
        where = self._context(name).owner
        reason = str(error).removeprefix(f"{where}: ")
        own_source.leave_alone(self.function, where, reason, of_others)
        return Any

    def of_call(self, texts: Mapping[str, str]) -> Boundary:
        """The boundary of calls in which dims with braces are these texts."""
        return Boundary(self.function, self._names, self.covered, self._crosses, texts)

    @property
    def braces(self) -> tuple[str, ...]:
        """The dims that read the arguments of a call."""
        return tuple(self._braces.asked)

    @property
    def is_plain(self) -> bool:
        """Whether a call runs at once: the function is no generator and no coroutine."""
        return not (self._yields or inspect.iscoroutinefunction(self.function))

    @property
    def _yields(self) -> bool:
        return inspect.isgeneratorfunction(self.function) or inspect.isasyncgenfunction(
            self.function
        )

    # -- A call ---------------------------------------------------------------------------

    def enter(
        self, specializations: Any, values: tuple[Any, ...], others: tuple[Any, ...] = ()
    ) -> KnownCall:
        """Accepts the arguments of a call that is not known: by size constraints, or by the walk.

        Args:
          specializations: of the arguments, None for one that is like none before; without the
            tuple where there is one argument.
          values: the arguments.
          others: those that beartype checks, to be looked at too where these do not fit.

        Raises:
          StateTypeError: they do not fit; in mode ``warn`` it is a warning.
        """
        __tracebackhide__ = True
        found: tuple[Specialization | None, ...] = specializations
        if type(specializations) is not tuple:
            found = (specializations,)
        if None not in found:
            call = self.calls.follow(cast("tuple[Specialization, ...]", found))
            if call is not None:
                return call
        walk = self._walk(values)
        report = walk.report(self.name)
        if not report:
            from . import refusals, swapped

            wrong = refusals.wrong(self.function, self.others, others)
            names = ["" if item.kind in _SPREAD else item.name for item in self.ours]
            report = swapped.named(report, names, values, self._walk)
            both = (*report.violations, *(one for each in wrong.values() for one in each))
            self.refuse(dataclasses.replace(report, violations=both), "arguments", [*wrong])
            return KnownCall(ExplainedCall((), None, report, {}, None), ())
        every = zip(self.ours, values, found, strict=True)
        learned = [one or learned_from(item, value, walk) for item, value, one in every]
        roots: dict[str, ArgumentRef] = {}
        for number, (item, value, one) in enumerate(zip(self.ours, values, learned, strict=True)):
            if one is not None:
                roots |= roots_of(item, value, number, one)
        return self.calls.learn(learned, walk, report, roots, bool(self.results))

    def _walk(self, values: tuple[Any, ...]) -> Walk:
        """The walk of the arguments of one call."""
        walk = _validation.Walk()
        by_name = {item.name: value for item, value in zip(self.ours, values, strict=True)}
        placing = [name for name in self.placing if by_name.get(name, OMITTED) is not OMITTED]
        for name in placing:
            _validation.note_places(walk.found, name, by_name[name])
        for item, value in zip(self.ours, values, strict=True):
            for root, _, part in parts_of(item, value):
                assert item.spec is not None
                walk.visit(part, item.spec, root, item.hint)
        for name in placing:
            _validation.guard_places(walk.found, name)
        for item in self.ours:
            if item.merges:
                see_belonging(walk.found, item.name, item.merges, by_name)
        return walk

    def leave(
        self, call: KnownCall, result: Enforced, known: Specialization | None, value: Any
    ) -> None:
        """Accepts a value that is returned or yielded, by size constraints or by the walk.

        Raises:
          StateTypeError: it does not fit the call's arguments or its hint.
        """
        __tracebackhide__ = True
        if not call.explained.report:
            return
        if known is not None and call.follow(result.name, known):
            return
        walk = _walk_of(result, call, value)
        report = walk.report(self.name)
        if not report:
            from . import swapped

            items: Any = cast(Any, value) if type(value) is tuple else ()
            names = [f"{result.name}[{index}]" for index in range(len(items))]
            report = swapped.named(report, names, items, partial(_walk_of, result, call))
            self.refuse(report, "return value" if result.name == RETURN else "yielded value")
            return
        known = known or learned_from(result, value, walk)
        if known is not None:
            call.learn(result.name, known, walk, report)

    def refuse(
        self, report: Report, what: str, plain: Sequence[Enforced] = (), depth: int = 4
    ) -> None:
        """Raises, or warns of, what does not fit.

        Args:
          report: what does not.
          what: of the call.
          plain: what beartype refuses.
          depth: of the call below this one, for a warning.
        """
        from . import refusals

        __tracebackhide__ = True
        results = [item for item in self.results if item.spec is not None]
        message = refusals.render(self.name, report, what, [*self.ours, *results, *plain])
        if MODE == "warn":
            warnings.warn(message, TypedStateWarning, stacklevel=depth)
            return
        raise StateTypeError(message, report) from None

    def refuse_plain(self, item: Enforced, misfits: list[Misfit]) -> None:
        """Refuses values of a hint that beartype checks, as any other."""
        from . import refusals

        __tracebackhide__ = True
        whats = {RETURN: "return value", "yield": "yielded value"}
        report = Report(self.name, tuple(refusals.violation(item, one) for one in misfits))
        self.refuse(report, whats.get(item.name, "arguments"), [item], depth=5)


def _walk_of(result: Enforced, call: KnownCall, value: Any) -> Walk:
    """The walk of what comes out of one call."""
    assert result.spec is not None
    walk = call.after()
    walk.visit(value, result.spec, result.name, result.hint)
    return walk
