"""The accepted calls of a boundary: a call like one of them needs no walk.

A call is known by the specializations of its arguments. A call with the same structures and other
sizes is compared with the size constraints of an explained call. A bare question, e.g.
``isinstance``, is a call of one argument.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
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
_MAX_EXPLAINED: Final = 8
_Key = tuple[Structure | None, ...]


class ExplainedCall(msgspec.Struct, eq=False, dict=True):
    """A call that the walk accepted.

    Attributes:
      specializations: the specializations of its arguments.
      found: the findings of the walk; None if no result will be compared with them.
      report: the report of the walk.
      roots: the reference to each argument's arrays, by the argument's name.
      constraints: the constraints on the sizes of calls like it; None if there are none yet.
      results: the constraints that include a result, by the result's name and structure.
    """

    specializations: tuple[Specialization, ...]
    found: Findings | None
    report: Report
    roots: Mapping[str, ArgumentRef]
    constraints: SizeConstraints | None
    results: dict[tuple[str, Structure | None], list[SizeConstraints]] = msgspec.field(
        default_factory=dict[Any, Any]
    )
    limit: RecompileLimit = msgspec.field(default_factory=lambda: RecompileLimit(_MAX_EXPLAINED))

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
      explained: the call that was walked: this one, or one like it.
      specializations: the specializations of its own arguments.
      results: the specializations of the results that were accepted for it.
    """

    explained: ExplainedCall
    specializations: tuple[Specialization, ...]
    results: set[Specialization] = msgspec.field(default_factory=set[Specialization])

    @property
    def dims(self) -> Mapping[str, Size]:
        """The sizes of the call's names."""
        explained = self.explained
        if explained.constraints is None or self.specializations is explained.specializations:
            return explained.report.dims
        return explained.constraints.named(self.specializations)

    @cached_property
    def published(self) -> list[tuple[DimsCarrier, Any]]:
        """Stand-ins for arrays, each with its hint.

        An ``isinstance`` of one tells jaxtyping the sizes, for its hints in the body.
        """
        if not self.explained.report:
            return []
        dims: Mapping[str, Any] = self.dims
        found: list[tuple[DimsCarrier, Any]] = []
        for names, hint in self.explained.hints:
            first = dims[names[0]]
            is_run = type(first) is tuple
            found.append((DimsCarrier(first if is_run else tuple([dims[n] for n in names])), hint))
        return found

    def after(self) -> Walk:
        """A walk for the result of this call."""
        explained = self.explained
        assert explained.found is not None
        found = explained.found
        is_other = self.specializations is not explained.specializations
        if is_other and explained.constraints is not None:
            shapes = [one.shapes for one in self.specializations]
            found = _fastpath.resized(found, explained.roots, shapes)
        later = _validation.Walk()
        later.found = found.after()
        return later

    def follow(self, name: str, found: Specialization) -> bool:
        """Whether a result of this structure and these sizes is accepted without a walk."""
        known = self.explained.results.get((name, found.structure), ())
        every = (*self.specializations, found)
        for constraints in known:
            if _allow(constraints, every):
                self.accept(found)
                return True
        return False

    def accept(self, found: Specialization) -> None:
        """Knows a result."""
        if len(self.results) >= _MAX_CALLS:
            self.results.clear()
        self.results.add(found)

    def learn(self, name: str, found: Specialization, later: Walk, report: Report) -> None:
        """Knows a result that the walk accepted, and others like it."""
        self.accept(found)
        explained = self.explained
        if not explained.limit():
            return
        root = _fastpath.ArgumentRef(len(self.specializations), (), found.places)
        roots = {**explained.roots, name: root}
        shapes = [*(one.shapes for one in self.specializations), found.shapes]
        constraints = generated(
            lambda: _fastpath.constraints_of(later.found, report.dims, roots, shapes)
        )
        if constraints is not None:
            known = explained.results.setdefault((name, found.structure), [])
            known[_MAX_EXPLAINED - 1 :] = []
            known.insert(0, constraints)


def _allow(constraints: SizeConstraints, specializations: Sequence[Specialization]) -> bool:
    """Whether constraints allow the sizes of a call; their code is generated by the first one."""
    if not constraints.source:
        generated(constraints.generate)
    return constraints.allows(specializations)


class CallCache:
    """The calls that were accepted at one boundary; bounded.

    Attributes:
      known: the known calls by the specializations of their arguments; a single specialization
        is a key without a tuple.
      latest: the call that was accepted last; at first a call that no other is like.
    """

    __slots__ = ("_explained", "_limit", "known", "latest")

    def __init__(self, arguments: int = 1) -> None:
        """Knows nothing yet of calls with so many arguments."""
        self.known: dict[Hashable, KnownCall] = {}
        none: Any = None  # of a call that no other is like, what was explained is never asked for
        self.latest = KnownCall(none, (NEVER,) * arguments)
        self._explained: dict[_Key, list[ExplainedCall]] = {}
        self._limit = RecompileLimit(_MAX_CALLS)

    def __reduce__(self) -> tuple[type[CallCache], tuple[int]]:
        """In another process nothing is known yet: generated code does not travel."""
        return CallCache, (len(self.latest.specializations),)

    def follow(self, specializations: tuple[Specialization, ...]) -> KnownCall | None:
        """The call with these specializations, if constraints of a call like it allow its sizes."""
        key = tuple([one.structure for one in specializations])
        for explained in self._explained.get(key, ()):
            constraints = explained.constraints
            if constraints is not None and _allow(constraints, specializations):
                return self._keep(KnownCall(explained, specializations))
        return None

    def learn(
        self,
        specializations: Sequence[Specialization | None],
        walk: Walk,
        report: Report,
        roots: Mapping[str, ArgumentRef],
        has_result: bool = False,
    ) -> KnownCall:
        """Knows a call that the walk accepted, and others like it.

        Args:
          specializations: of its arguments; with one None the call is not remembered.
          walk: of the call.
          report: what it said.
          roots: where the arrays of each argument stand.
          has_result: whether a result of the call will be walked.
        """
        found, constraints = walk.found, None
        found.traces.clear()  # the specializations have what they say
        known = tuple(one for one in specializations if one is not None)
        whole = len(known) == len(specializations)
        if whole and self._limit():
            shapes = [one.shapes for one in known]
            constraints = generated(
                lambda: _fastpath.constraints_of(found, report.dims, roots, shapes)
            )
        explained = ExplainedCall(known, found if has_result else None, report, roots, constraints)
        call = KnownCall(explained, known)
        if not whole:
            return call
        if constraints is not None:
            key = tuple(one.structure for one in known)
            if len(self._explained) >= _MAX_CALLS:
                self._explained.clear()
            others = self._explained.setdefault(key, [])
            others[_MAX_EXPLAINED - 1 :] = []
            others.insert(0, explained)
        return self._keep(call)

    def _keep(self, call: KnownCall) -> KnownCall:
        if len(self.known) >= _MAX_CALLS:
            self.known.clear()
        every = call.specializations
        self.known[every if len(every) != 1 else every[0]] = call
        self.latest = call
        return call

    def sources(self) -> list[str]:
        """The generated code of the size constraints that were asked."""
        every = [one.constraints for found in self._explained.values() for one in found]
        return [one.source for one in every if one is not None and one.source]


#: Stands for an argument that was not passed: its default is not checked.
class _Omitted(Specialization):
    """There is one of it, in another process too."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "OMITTED"


OMITTED: Final = _Omitted(NEVER.match)
