"""The message of a refused call: cause, violations, arguments with marks on the wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from .._annotations.deferred import Deferred, is_written_out, show_argument
from .._fastpath.call_cache import OMITTED
from .._spec.describe import describe
from ..report import Report, Violation
from .enforced import Enforced
from .hints import has_tree

if TYPE_CHECKING:
    from .beartype_hints import Misfit


def wrong(
    function: FunctionType, items: Sequence[Enforced], values: Iterable[Any]
) -> dict[Enforced, list[Violation]]:
    """The values that beartype refuses, so that one report says all that is wrong with a call."""
    from . import beartype_hints

    found: dict[Enforced, list[Violation]] = {}

    def keep(item: Enforced) -> Callable[[list[Misfit]], None]:
        def refuse(misfits: list[Misfit]) -> None:
            found[item] = [violation(item, misfit) for misfit in misfits]

        return refuse

    for item, value in zip(items, values, strict=False):
        if value is OMITTED or has_tree(item.hint):  # a tree is compared with what the others bind
            continue
        test = beartype_hints.tester(function, item.name, item.hint, item.kind, keep(item))
        if test is not None:
            test.enforce(value)
    return found


def violation(item: Enforced, misfit: Misfit) -> Violation:
    """A value that beartype refuses, with its reason."""
    from .._validation.show_value import describe_value

    path, actual = f"{item.name}{misfit.place}", describe_value(misfit.value)
    return Violation(path, "array", show_argument(item.hint), actual, misfit.reason)


def render(name: str, report: Report, what: str, shown: Iterable[Enforced]) -> str:
    """Cause, violations, and the arguments with a mark on the wrong ones."""
    count = len(report.violations)
    noun = "violation" if count == 1 else "violations"
    verb = "do" if what == "arguments" else "does"
    lines = [f"the {what} of {name} {verb} not fit: {count} {noun}", *report.lines()]
    roots = {_root_of(item.path) for item in report.violations}
    lines.append("signature:")
    for item in shown:
        mark = "->" if item.name in roots else "  "
        text = _shown(item)
        text = text if len(text) <= 120 else f"{text[:117]}..."
        lines.append(f"  {mark} {item.name}: {text}")
    return "\n".join(lines)


def _shown(item: Enforced) -> str:
    """A hint as it was written; a long one by its spec, if that is shorter."""
    if item.spec is None or item.merges or isinstance(item.hint, Deferred | TypeVar):
        return show_argument(item.hint)
    if not is_written_out(item.hint):
        return describe(item.spec)
    written = show_argument(item.hint)
    return written if len(written) <= 100 else min(written, describe(item.spec), key=len)


def _root_of(path: str) -> str:
    for end, char in enumerate(path):
        if char in ".[":
            return path[:end]
    return path
