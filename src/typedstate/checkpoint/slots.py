"""Where a stored array belongs: `Slot`; and the leaves that no format keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from .._compat.variables import make_variable
from .._spec.nodes import Argument, Instance, Leaf, NoValue, Spec, TupleOf, Within
from .stored import Path, StoredLeaf

#: Stands for a leaf that is not there.
ABSENT: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Slot:
    """One stored array and where it belongs.

    Attributes:
      path: in the declared tree, down to the array itself.
      leaf: where the Variable is: `path` without the keys inside of its value.
      stored: what is stored; None for a leaf that holds no array and so is nowhere stored.
      spec: the declared leaf; None where nothing is declared.
      implementation: of the PRNG keys whose numbers are stored, None for any other array.
      dtypes: the names of the dtypes that fit, None for any.
    """

    path: Path
    leaf: Path
    stored: StoredLeaf
    spec: Leaf | None
    implementation: str | None = None
    dtypes: tuple[Any, ...] | None = None


def rewrap(held: Any, slot: Slot, value: Any) -> Any:
    """A leaf with another abstract value at a slot."""
    kind = None if slot.spec is None else slot.spec.kind
    if slot.path != slot.leaf:
        return held
    return value if kind is None else make_variable(kind, value, {})


def without_arrays(spec: Spec) -> Any:
    """The leaf that a spec stands for where it holds no array, so that no format keeps it."""
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
