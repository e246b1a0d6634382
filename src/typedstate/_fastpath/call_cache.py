"""The calls that were accepted: what is like one of them needs no explainer.

A call is known by the plans of its arguments. One with the same structures and other sizes
follows the `Law` of a precedent. A bare question, e.g. ``isinstance``, is a call of one argument.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from jaxtyping import Shaped

from .. import _fastpath, _validation
from .structures import NEVER, RecompileLimit, Specialization, Structure, generated

if TYPE_CHECKING:
    from .._validation.findings import Findings
    from .._validation.walk import Walk
    from ..report import Report, Size
    from .size_code import ArgumentRef, SizeConstraints

_MAX_CALLS: Final = 128
_MAX_PRECEDENTS: Final = 8
_Key = tuple[Structure | None, ...]


class ExplainedCall(msgspec.Struct, eq=False, dict=True):
    """A call that the explainer accepted.

    Attributes:
      plans: of its arguments.
      found: what was seen of them; None where nothing will be compared with it.
      report: what it said.
      roots: where the arrays of each argument stand.
      law: the sizes that others like it may have.
      results: laws of such a call with a result, by the result's name and structure.
    """

    plans: tuple[Specialization, ...]
    found: Findings | None
    report: Report
    roots: Mapping[str, ArgumentRef]
    law: SizeConstraints | None
    results: dict[tuple[str, Structure | None], list[SizeConstraints]] = msgspec.field(
        default_factory=dict[Any, Any]
    )
    limit: RecompileLimit = msgspec.field(default_factory=lambda: RecompileLimit(_MAX_PRECEDENTS))

    @cached_property
    def hints(self) -> list[tuple[tuple[str, ...], Any]]:
        """For jaxtyping: names of the call, each group with a hint that has them as axes."""
        sizes = tuple(name for name, n in self.report.dims.items() if isinstance(n, int))
        runs = [name for name, n in self.report.dims.items() if isinstance(n, tuple)]
        groups: list[tuple[tuple[str, ...], str]] = [((name,), f"*{name}") for name in runs]
        groups += [(sizes, " ".join(sizes))] if sizes else []
        return [(names, Shaped[Any, text]) for names, text in groups]


class DimsCarrier(NamedTuple):
    """Stands for an array whose axes are a call's names."""

    shape: tuple[int, ...]
    dtype: str = "float32"  # jaxtyping takes a name too, and it is the quickest to read


class KnownCall(msgspec.Struct, eq=False, dict=True, weakref=True):
    """A call whose arguments were accepted, or of which a warning was given.

    Attributes:
      precedent: the one that was explained, itself or one like it.
      plans: of its own arguments.
      results: the plans of results accepted for it.
    """

    precedent: ExplainedCall
    plans: tuple[Specialization, ...]
    results: set[Specialization] = msgspec.field(default_factory=set[Specialization])

    @property
    def dims(self) -> Mapping[str, Size]:
        """The sizes of the call's names."""
        precedent = self.precedent
        if precedent.law is None or self.plans is precedent.plans:
            return precedent.report.dims
        return precedent.law.named(self.plans)

    @cached_property
    def published(self) -> list[tuple[DimsCarrier, Any]]:
        """Stand-ins for arrays, each with its hint.

        An ``isinstance`` of one tells jaxtyping the sizes, for its hints in the body.
        """
        if not self.precedent.report:
            return []
        dims: Mapping[str, Any] = self.dims
        found: list[tuple[DimsCarrier, Any]] = []
        for names, hint in self.precedent.hints:
            sizes: Any = tuple(dims[name] for name in names)
            found.append((DimsCarrier(sizes[0] if isinstance(sizes[0], tuple) else sizes), hint))
        return found

    def after(self) -> Walk:
        """The same call for the explainer, which looks at its result."""
        precedent = self.precedent
        assert precedent.found is not None
        found = precedent.found
        if self.plans is not precedent.plans and precedent.law is not None:
            measures = [plan.measures for plan in self.plans]
            found = _fastpath.resized(found, precedent.roots, measures)
        later = _validation.Walk()
        later.found = found.after()
        return later

    def follow(self, name: str, plan: Specialization) -> bool:
        """Whether a result with this plan is accepted without the explainer."""
        laws = self.precedent.results.get((name, plan.structure), ())
        every = (*self.plans, plan)
        if not any(generated(partial(law.allows, every)) for law in laws):
            return False
        self.accept(plan)
        return True

    def accept(self, plan: Specialization) -> None:
        """Knows a result."""
        if len(self.results) >= _MAX_CALLS:
            self.results.clear()
        self.results.add(plan)

    def learn(self, name: str, plan: Specialization, later: Walk, report: Report) -> None:
        """Knows a result that the explainer accepted, and others like it."""
        self.accept(plan)
        precedent = self.precedent
        if not precedent.limit():
            return
        roots = {**precedent.roots, name: _fastpath.ArgumentRef(len(self.plans), (), plan.places)}
        measures = [*(one.measures for one in self.plans), plan.measures]
        law = generated(lambda: _fastpath.constraints_of(later.found, report.dims, roots, measures))
        if law is not None:
            laws = precedent.results.setdefault((name, plan.structure), [])
            laws[_MAX_PRECEDENTS - 1 :] = []
            laws.insert(0, law)


class CallCache:
    """The calls that were accepted at one boundary; bounded.

    Attributes:
      known: by the plans of their arguments, by the plan of a single one.
      latest: the one that was accepted last; before that one which is like none.
    """

    __slots__ = ("_limit", "_precedents", "known", "latest")

    def __init__(self, arguments: int = 1) -> None:
        """Knows nothing yet of calls with so many arguments."""
        self.known: dict[Hashable, KnownCall] = {}
        none: Any = None  # of a call that no other is like, the precedent is never asked for
        self.latest = KnownCall(none, (NEVER,) * arguments)
        self._precedents: dict[_Key, list[ExplainedCall]] = {}
        self._limit = RecompileLimit(_MAX_CALLS)

    def __reduce__(self) -> tuple[type[CallCache], tuple[int]]:
        """In another process nothing is known yet: generated code does not travel."""
        return CallCache, (len(self.latest.plans),)

    def follow(self, plans: tuple[Specialization, ...]) -> KnownCall | None:
        """The call with these plans, where the law of a precedent allows it."""
        key = tuple(plan.structure for plan in plans)
        for precedent in self._precedents.get(key, ()):
            law = precedent.law
            if law is not None and generated(partial(law.allows, plans)):
                return self._keep(KnownCall(precedent, plans))
        return None

    def learn(
        self,
        plans: Sequence[Specialization | None],
        explanation: Walk,
        report: Report,
        roots: Mapping[str, ArgumentRef],
        has_result: bool = False,
    ) -> KnownCall:
        """Knows a call that the explainer accepted, and others like it.

        Args:
          plans: of its arguments; with one None the call is not remembered.
          explanation: what the explainer saw.
          report: what it said.
          roots: where the arrays of each argument stand.
          has_result: whether the explainer will be asked of a result.
        """
        found, law = explanation.found, None
        found.readings.clear()  # the plans have what they say
        known = tuple(plan for plan in plans if plan is not None)
        whole = len(known) == len(plans)
        if whole and self._limit():
            measures = [plan.measures for plan in known]
            law = generated(lambda: _fastpath.constraints_of(found, report.dims, roots, measures))
        precedent = ExplainedCall(known, found if has_result else None, report, roots, law)
        call = KnownCall(precedent, known)
        if not whole:
            return call
        if law is not None:
            key = tuple(plan.structure for plan in known)
            if len(self._precedents) >= _MAX_CALLS:
                self._precedents.clear()
            others = self._precedents.setdefault(key, [])
            others[_MAX_PRECEDENTS - 1 :] = []
            others.insert(0, precedent)
        return self._keep(call)

    def _keep(self, call: KnownCall) -> KnownCall:
        if len(self.known) >= _MAX_CALLS:
            self.known.clear()
        self.known[call.plans if len(call.plans) != 1 else call.plans[0]] = call
        self.latest = call
        return call

    def sources(self) -> list[str]:
        """The generated code of the laws that were asked."""
        every = [one.law for found in self._precedents.values() for one in found]
        return [law.source for law in every if law is not None and law.source]


#: Stands for an argument that was not passed: its default is not checked.
class _Omitted(Specialization):
    """There is one of it, in another process too."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "OMITTED"


OMITTED: Final = _Omitted(NEVER.match)
