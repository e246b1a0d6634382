"""`Slot`: a stored array with its place in the declared tree; and leaves that hold no array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from .._compat.variables import make_variable
from .._spec.nodes import Argument, Instance, Leaf, NoValue, Spec, TupleOf, Within
from .stored import Path, StoredLeaf

#: Stands for a leaf that is absent.
ABSENT: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Slot:
    """One stored array and its place in the declared tree.

    Attributes:
      path: the keys in the declared tree, down to the array itself.
      leaf: the keys of the Variable: `path` without the keys inside the Variable's value.
      stored: the stored array.
      spec: the declared leaf; None for an undeclared one.
      implementation: the PRNG implementation, if the array is the numbers of keys, else None.
      dtypes: the names of the declared dtypes, None for any dtype.
    """

    path: Path
    leaf: Path
    stored: StoredLeaf
    spec: Leaf | None
    implementation: str | None = None
    dtypes: tuple[Any, ...] | None = None


def rewrap(held: Any, slot: Slot, value: Any) -> Any:
    """A slot's leaf with another value: a Variable of the declared kind, or the value alone."""
    kind = None if slot.spec is None else slot.spec.kind
    if slot.path != slot.leaf:
        return held
    return value if kind is None else make_variable(kind, value, {})


def without_arrays(spec: Spec) -> Any:
    """The pair of trees of a leaf without arrays, which no format keeps; `ABSENT` for any other."""
    while isinstance(spec, Argument | Within):
        spec = spec.inner
    value = spec.value if isinstance(spec, Leaf) else spec
    if isinstance(value, NoValue):
        held: Any = None
    elif isinstance(value, Instance) and _is_empty_record(value.cls):
        held = cast(Any, value.cls)()
    elif value == TupleOf((), None):
        held = ()
    else:
        return ABSENT
    kind = spec.kind if isinstance(spec, Leaf) else None
    return held, held if kind is None else make_variable(kind, held, {})


def _is_empty_record(cls: type) -> bool:
    return issubclass(cls, tuple) and getattr(cast(Any, cls), "_fields", None) == ()
