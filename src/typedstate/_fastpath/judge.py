"""Checks a value against a hint class: it is known, or it is walked, reported and learned."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Final

from .. import _fastpath, _validation
from .._annotations.spec_of import name_of, spec_of
from .._spec.nodes import Spec
from .._spec.questions import outermost_names
from ..errors import SchemaError
from .call_cache import CallCache
from .structures import Specialization, StructureCache

if TYPE_CHECKING:
    from .._validation.walk import Walk
    from ..report import Report

#: The most combinations of given sizes for which one hint remembers what was accepted.
_MAX_GIVEN: Final = 16


class Known:
    """The cache of accepted values of one hint class, kept on the class.

    Attributes:
      structures: the structures of the accepted values.
      calls: the accepted values, each as a call of one argument.
    """

    __slots__ = ("calls", "structures")

    def __init__(self) -> None:
        """Knows nothing yet."""
        self.structures, self.calls = StructureCache(), CallCache()

    def __reduce__(self) -> tuple[type[Known], tuple[()]]:
        """In another process nothing is known yet: generated code does not travel."""
        return Known, ()

    def accepts(self, value: object) -> Specialization | None:
        """The specialization of a value like an accepted one; None if it must be walked."""
        calls = self.calls
        try:
            latest = calls.latest.specializations[0]
            if latest.match(value):
                return latest
        except Exception:  # not alike
            pass
        found = self.structures.match(value)
        if found is None:
            return None
        call = calls.known.get(found) or calls.follow((found,))
        if call is None:
            return None
        calls.latest = call
        return found

    def learn(self, value: object, walk: Walk, report: Report) -> Specialization | None:
        """Knows a value that the walk accepted."""
        found = self.structures.match(value)
        found = found or self.structures.learn(value, walk.found.traces[""])
        if found is not None:
            self.calls.learn(
                [found], walk, report, {"": _fastpath.ArgumentRef(0, (), found.places)}
            )
        return found


def holds(value: object, hint: type) -> bool:
    """Whether a value fits a hint class: the answer of ``isinstance(value, hint)``."""
    report = judged(value, hint)
    return report is None or bool(report)


def judged(value: object, hint: Any, dims: Mapping[str, int] | None = None) -> Report | None:
    """The walk's report on a value; None if the value is like an accepted one."""
    known = getattr(hint, "__typedstate_known__", None) if not dims else _known_with(hint, dims)
    if known is not None and known.accepts(value) is not None:
        return None
    spec = spec_of(hint)
    walk = _validation.Walk(given=given_sizes(dims, hint, spec))
    walk.visit(value, spec, hint=hint)
    report = walk.report(name_of(hint, spec))
    if not report:
        return report
    if known is None and hasattr(hint, "__typedstate_spec__"):
        known = _new_known(hint, dims)
    if known is not None and known.structures.meet():
        known.learn(value, walk, report)
    return report


def _known_with(hint: Any, dims: Mapping[str, int]) -> Known | None:
    """The cache of a hint class for calls that give these sizes."""
    given: dict[Hashable, Known] | None = hint.__dict__.get("__typedstate_given__")
    return given.get(_key(dims)) if given else None


def _new_known(hint: Any, dims: Mapping[str, int] | None) -> Known:
    """A cache, kept on the class itself; one for each of a bounded number of given sizes."""
    known = Known()
    if not dims:
        hint.__typedstate_known__ = known
        return known
    given: dict[Hashable, Known] = hint.__dict__.get("__typedstate_given__", {})
    if len(given) >= _MAX_GIVEN:
        given.clear()
    given[_key(dims)] = known
    hint.__typedstate_given__ = given
    return known


def _key(dims: Mapping[str, int]) -> Hashable:
    return frozenset((name, size if _is_size(size) else None) for name, size in dims.items())


def _is_size(size: object) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size >= 0


def given_sizes(dims: Mapping[str, Any] | None, hint: Any, spec: Spec) -> Mapping[str, int]:
    if not dims:
        return {}
    known = outermost_names(spec)
    for name, size in dims.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise SchemaError(f"{name_of(hint)} has no dim {name!r}: it has {has}")
        if not _is_size(size):
            raise SchemaError(f"dims={{{name!r}: {size!r}}}: a size is a natural number")
    return dims
