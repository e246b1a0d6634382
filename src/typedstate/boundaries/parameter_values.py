"""The values that one parameter got in a call: one, or those of ``*args`` and ``**kwargs``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .. import _fastpath, _validation
from .._fastpath.call_cache import OMITTED
from .._fastpath.structures import Specialization
from ..report import Path
from .enforced import Enforced

if TYPE_CHECKING:
    from .._fastpath.size_code import ArgumentRef
    from .._validation.walk import Walk


def parts_of(item: Enforced, value: Any) -> Iterator[tuple[str, Path, Any]]:
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


def learned_from(item: Enforced, value: object, walk: Walk) -> Specialization | None:
    """Generates code for a parameter's value, whose parts were read by a walk."""
    if value is OMITTED:
        return OMITTED
    if not item.structures.meet():
        return None
    trace = _validation.Trace()
    for root, prefix, _ in parts_of(item, value):
        trace.join(prefix, walk.found.traces[root])
    return item.structures.learn(value, trace)


def roots_of(
    item: Enforced, value: Any, number: int, known: Specialization
) -> dict[str, ArgumentRef]:
    """The roots under which a walk sees a parameter's values, and where they stand in it."""
    return {
        root: _fastpath.ArgumentRef(number, prefix, known.places)
        for root, prefix, _ in parts_of(item, value)
    }
