"""What the fast path knows of one hint: the structures that came, each with the sizes it had.

A plan says that a value is like an accepted one and which sizes it has; whether these go
together is for a `Law` to say, or for a call that was accepted with the very same plans.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from .. import _fastpath

if TYPE_CHECKING:
    from .._validation.trace import Trace
    from ..report import Path
    from .guard_code import GuardedCode
    from .size_code import ShapeSource

_MAX_STRUCTURES: Final = 16
_MAX_SIZES: Final = 256
#: Whether an error in generating code is raised, as our own tests want it.
RAISES = False
T = TypeVar("T")


def generated(make: Callable[[], T]) -> T | None:
    """What was generated; None where that fails, as the explainer decides everything anyway."""
    try:
        return make()
    except (_fastpath.NotCompilable, RecursionError):
        return None
    except Exception:
        if RAISES:
            raise
        return None


class RecompilePolicy(msgspec.Struct, frozen=True):
    """When the values of a hint have code generated.

    Attributes:
      delay: how many are accepted without: most hints see but one value, e.g. at the only trace of
        a jitted function.
      free: how many structures then get code at once; a later one only if its number is a power
        of two.
    """

    delay: int = 1
    free: int = _MAX_STRUCTURES


_policy = RecompilePolicy()


def set_recompile_policy(policy: RecompilePolicy) -> RecompilePolicy:
    """Sets the policy of all hints in this process, of `free` for hints not seen before.

    Returns:
      the policy before.
    """
    global _policy
    before, _policy = _policy, policy
    return before


class RecompileLimit:
    """Whether to learn once more: at first always, then ever more rarely.

    What is never like anything known is then walked by the explainer and little else.
    """

    __slots__ = ("_asked", "_free")

    def __init__(self, free: int) -> None:
        """Says yes so many times, then at each power of two."""
        self._asked, self._free = 0, free

    def __call__(self) -> bool:
        """Counts one more time."""
        self._asked += 1
        return self._asked <= self._free or self._asked & (self._asked - 1) == 0


class Specialization:
    """A structure with sizes.

    Attributes:
      match: whether a value has both; may raise, which means no.
      measures: its arrays' sizes.
      structure: what it is a plan of.
    """

    __slots__ = ("__weakref__", "match", "measures", "structure")

    def __init__(
        self,
        match: Callable[[Any], bool],
        measures: tuple[ShapeSource, ...] = (),
        structure: Structure | None = None,
    ) -> None:
        """Keeps the generated function."""
        self.match = match
        self.measures = measures
        self.structure = structure

    @property
    def places(self) -> Mapping[Path, int]:
        """Which of its measures belongs to the array at a path."""
        return {} if self.structure is None else self.structure.code.places


#: Of no value.
NEVER: Final = Specialization(lambda _: False)


class Structure:
    """Values that are alike but for the sizes of their arrays.

    Attributes:
      code: what recognises them.
      latest: the plan that was used last.
    """

    __slots__ = ("__weakref__", "_plans", "code", "latest")

    def __init__(self, code: GuardedCode) -> None:
        """Knows the sizes of the value from which the code was generated."""
        self.code = code
        self._plans: dict[Hashable, Specialization] = {}
        key = tuple(
            _fastpath.address(item) if _fastpath.is_aval(item) else item for item in code.measures
        )
        self.latest = self._plans[key] = self._plan(code.measures)

    def sized(self, value: Any) -> Specialization | None:
        """The plan of a value of other sizes than the latest; may raise, which means none."""
        key, measures = self.code.read(value)
        plan = self._plans.get(key)
        if plan is None:
            if not self.code.like(value, *measures):
                return None
            plan = self._plan(measures)
            if len(self._plans) >= _MAX_SIZES:
                self._plans.clear()
            self._plans[key] = plan
        elif not plan.match(value):
            return None
        self.latest = plan
        return plan

    def _plan(self, measures: tuple[ShapeSource, ...]) -> Specialization:
        like = self.code.like
        match = FunctionType(like.__code__, like.__globals__, like.__name__, measures)
        return Specialization(match, measures, self)


class StructureCache:
    """The structures of the values that were accepted for one hint; bounded."""

    __slots__ = ("_accepted", "_known", "_limit")

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._known: tuple[Structure, ...] = ()
        self._accepted = 0
        self._limit = RecompileLimit(_policy.free)

    def __reduce__(self) -> tuple[type[StructureCache], tuple[()]]:
        """In another process nothing is known yet: generated code does not travel."""
        return StructureCache, ()

    def match(self, value: Any) -> Specialization | None:
        """The plan of a value, None where its structure is not known."""
        for structure in self._known:
            try:
                latest = structure.latest
                if latest.match(value):
                    return latest
                plan = structure.sized(value)
                if plan is not None:
                    return plan
            except Exception:  # a missing key, an attribute that is not there: not alike
                continue
        return None

    def meet(self) -> bool:
        """Counts an accepted value, and says whether code is to be generated for it."""
        self._accepted += 1
        return self._accepted > _policy.delay

    def learn(self, value: Any, reading: Trace) -> Specialization | None:
        """Generates the code of a value that the explainer accepted, where that can be."""
        if not self._limit():
            return None
        structure = generated(lambda: Structure(_fastpath.generate(value, reading)))
        if structure is None:
            return None
        self._known = (structure, *self._known[: _MAX_STRUCTURES - 1])
        return structure.latest

    def sources(self) -> list[str]:
        """The generated code of each structure."""
        return [structure.code.source for structure in self._known]
