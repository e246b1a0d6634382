"""Refuses a signature whose `Same` names trees that can never be alike."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from .._spec.describe import describe
from .._spec.nodes import SameSpec, Spec, TupleOf
from .._spec.words import Likeness
from ..errors import SchemaError

_ADVICE: Final[dict[Likeness, str]] = {
    "structure": '; a third argument "shapes" compares keys and shapes alone, "keys" keys alone',
    "shapes": '; a third argument "keys" compares keys alone',
    "keys": "",
}


def refuse_unlike(owner: str, hints: Iterable[tuple[str, Spec]]) -> None:
    """Raises SchemaError where no value can satisfy two hints of one `Same`.

    Args:
      owner: the function.
      hints: the name of each parameter with what it takes.
    """
    found = [(name, same) for name, spec in hints for same in _every(spec)]
    if len(found) < 2:
        return
    from .._spec.disjoint import less_strict, why_never
    from .alike_sizes import SizesOfCall

    sizes = SizesOfCall()
    shapes = [sizes.shapes(same.inner) for _, same in found]
    pairs = itertools.combinations(zip(found, shapes, strict=True), 2)
    for ((first, one), those), ((second, other), these) in pairs:
        if one.group != other.group:
            continue
        by = less_strict(one.by, other.by)
        reason = why_never(one.inner, other.inner, by)
        advice = _ADVICE[by]
        if not reason and by != "keys":
            reason, advice = sizes.equate(those, these), _ADVICE["shapes"]
        elif reason and why_never(one.inner, other.inner, "shapes"):
            advice = _ADVICE["keys" if by == "keys" else "shapes"]
        if reason:
            trees = f"{describe(one.inner)} and {describe(other.inner)}"
            raise SchemaError(
                f"{owner}: no {first} and {second} can be alike as Same[..., {one.group!r}] says "
                f"of {trees}: {reason}{advice}"
            )


def _every(spec: Spec) -> Iterator[SameSpec]:
    """Those that always have a tree: not those in a union or a list."""
    if isinstance(spec, SameSpec):
        yield spec
    elif isinstance(spec, TupleOf):
        for item in spec.items:
            yield from _every(item)
