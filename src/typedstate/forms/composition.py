"""Forms around forms: what one takes away from the leaves, another may need.

`Pure` leaves no kinds, `Specs` leaves no arrays: a form that selects by kind or adds an axis
goes inside of those. `typedstate.forms` asks here before it applies a form.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._spec.filters import asks_for_kinds
from .._spec.nodes import (
    Argument,
    Bound,
    EntriesSpec,
    Map,
    Node,
    SameSpec,
    ScopedSpec,
    Spec,
    StateOfSpec,
    Union,
)
from .._spec.questions import parts
from .._spec.rewrite import Derived, Transform
from .._spec.selecting import Adding, Selecting
from ..errors import SchemaError
from .likeness import Resembling
from .placing import Naming, Placing
from .replacing import Abstracting, Replacing, Unwrapping
from .stacking import Stacking


def refuse_senseless(spec: Spec, transform: Transform) -> None:
    """Refuses a form that needs what a form inside of it has taken away.

    Raises:
      SchemaError: the message says in which order they go.
    """
    for chain in _forms_of(spec):
        for depth, inner in enumerate(chain):
            reason = _clash(inner.transform, transform)
            if reason is None:
                continue
            found = f"{transform.title(chain[0].name)}: {inner.name} has no {reason}"
            if _clash(transform, inner.transform) is not None:
                raise SchemaError(f"{found}; the two exclude each other")
            fixed = transform.title(inner.base.name)
            for outer in reversed(chain[: depth + 1]):
                fixed = outer.transform.title(fixed)
            raise SchemaError(f"{found}; write {fixed}")


def _forms_of(spec: Spec) -> Iterator[tuple[Derived, ...]]:
    """Yields the forms of each schema in a hint, the outermost first."""
    match spec:
        case Node(ref):
            chain: list[Derived] = []
            while isinstance(ref, Derived):
                chain.append(ref)
                ref = ref.base
            if chain:
                yield tuple(chain)
        case (
            Bound()
            | ScopedSpec()
            | SameSpec()
            | Argument()
            | Map()
            | EntriesSpec()
            | StateOfSpec()
            | Union()
        ):
            for part in parts(spec):
                yield from _forms_of(part)
        case _:
            return


def _clash(inner: Transform, outer: Transform) -> str | None:
    """What the outer form needs and the inner one has left nothing of."""
    by_kind = isinstance(outer, Selecting | Stacking) and asks_for_kinds(outer.filters)
    by_kind |= isinstance(outer, Adding) or (isinstance(outer, Resembling) and bool(outer.kinds))
    if isinstance(inner, Unwrapping) and by_kind:
        return "kinds, only values"
    if not _holds_arrays(inner) and _reads_arrays(outer):
        return "arrays"
    return None


def _holds_arrays(form: Transform) -> bool:
    if isinstance(form, Resembling):
        return form.dtype is not None or bool(form.kinds)
    return not isinstance(form, Replacing)


def _reads_arrays(form: Transform) -> bool:
    if isinstance(form, Resembling):
        return form.dtype is not None
    return isinstance(form, Stacking | Abstracting | Replacing | Placing | Naming)
