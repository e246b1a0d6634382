"""Known structures of one hint, each with the sizes that were seen.

A specialization recognises values that are like an accepted one and have its sizes. Whether the
sizes of all arguments agree is known from `SizeConstraints`, or from an accepted call with the same
specializations.
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
    """The generated code; None if that fails, as the walk decides everything anyway."""
    try:
        return make()
    except (_fastpath.NotCompilable, RecursionError):
        return None
    except Exception:
        if RAISES:
            raise
        return None


class RecompilePolicy(msgspec.Struct, frozen=True):
    """Decides when code is generated for the values of a hint.

    Attributes:
      delay: the number of first values that get no code, as most hints see one value only, e.g.
        at the only trace of a jitted function.
      free: the number of structures that then get code at once; a later one gets code only if
        its number is a power of two.
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
    """The recompile limit: code is generated the first n times, then at every power of two.

    A hint whose values are never alike is then walked each time, and little else is done.
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
      match: whether a value has the structure and the sizes; an exception means no.
      shapes: the shapes of its arrays, without repetition.
      structure: the structure with these sizes.
    """

    __slots__ = ("__weakref__", "match", "shapes", "structure")

    def __init__(
        self,
        match: Callable[[Any], bool],
        shapes: tuple[ShapeSource, ...] = (),
        structure: Structure | None = None,
    ) -> None:
        """Keeps the generated function."""
        self.match = match
        self.shapes = shapes
        self.structure = structure

    @property
    def places(self) -> Mapping[Path, int]:
        """The index in `shapes` of the array at a path."""
        return {} if self.structure is None else self.structure.code.places


#: Of no value.
NEVER: Final = Specialization(lambda _: False)


class Structure:
    """Values that are alike but for the sizes of their arrays.

    Attributes:
      code: the guarded code that recognises them.
      latest: the specialization that was used last.
    """

    __slots__ = ("__weakref__", "_specializations", "code", "latest")

    def __init__(self, code: GuardedCode) -> None:
        """Knows the sizes of the value from which the code was generated."""
        self.code = code
        self._specializations: dict[Hashable, Specialization] = {}
        key = tuple(
            _fastpath.address(item) if _fastpath.is_aval(item) else item for item in code.shapes
        )
        self.latest = self._specializations[key] = self._specialize(code.shapes)

    def sized(self, value: Any) -> Specialization | None:
        """The specialization for a value's sizes; None or an exception if it is not alike."""
        key, shapes = self.code.read(value)
        found = self._specializations.get(key)
        if found is None:
            if not self.code.like(value, *shapes):
                return None
            found = self._specialize(shapes)
            if len(self._specializations) >= _MAX_SIZES:
                self._specializations.clear()
            self._specializations[key] = found
        elif not found.match(value):
            return None
        self.latest = found
        return found

    def _specialize(self, shapes: tuple[ShapeSource, ...]) -> Specialization:
        like = self.code.like
        match = FunctionType(like.__code__, like.__globals__, like.__name__, shapes)
        return Specialization(match, shapes, self)


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
        """The specialization of a value; None if it is like no accepted one."""
        for structure in self._known:
            try:
                latest = structure.latest
                if latest.match(value):
                    return latest
                found = structure.sized(value)
                if found is not None:
                    return found
            except Exception:  # a missing key, an attribute that is not there: not alike
                continue
        return None

    def meet(self) -> bool:
        """Counts an accepted value, and says whether code is to be generated for it."""
        self._accepted += 1
        return self._accepted > _policy.delay

    def learn(self, value: Any, trace: Trace) -> Specialization | None:
        """Generates the code for a value that the walk accepted, if that is possible."""
        if not self._limit():
            return None
        structure = generated(lambda: Structure(_fastpath.generate(value, trace)))
        if structure is None:
            return None
        self._known = (structure, *self._known[: _MAX_STRUCTURES - 1])
        return structure.latest

    def sources(self) -> list[str]:
        """The generated code of each structure."""
        return [structure.code.source for structure in self._known]
