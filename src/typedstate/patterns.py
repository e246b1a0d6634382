"""What a mistake looks like: the notes that reports add to a violation.

Each function recognises one pattern and answers a sentence, or nothing.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any, Final, cast

import jax
import numpy as np

from . import leaves
from .dataclass import dataclass
from .report import Violation, show_path
from .spec import Alike, Apart, Array, Bound, Field, Leaf, Node, Path, Schema, Spec

_MAX_DIGITS: Final = 19
_MAX_KEYS: Final = 100
_FEW: Final = 2
#: What many notes that begin alike say of the whole tree.
_CAUSES: Final = {
    "a value where its Variable was meant": (
        "values stand for their Variables: Pure[...] takes a dict of them, Values[...] a State"
    ),
    "a Variable where its value was meant": (
        "Variables stand for their values: nnx.to_pure_dict gives a dict of those"
    ),
    "an abstract value": "the arrays are abstract: Abstract[...] takes those",
    "a concrete value": "the arrays are concrete: jax.eval_shape gives abstract ones",
    "a numpy array": "the arrays are numpy's: jax.tree.map(jnp.asarray, tree) makes them JAX's",
    "another class of that name": "the kinds are classes of a reload or of another Flax",
    "an old checkpoint keeps a Variable's array under 'value'": (
        "the tree is that of an old checkpoint, which keeps each array under 'value'"
    ),
}


def matches(pattern: str, key: Hashable) -> bool:
    """Whether a key is like ``layers_{}``: braces stand for one or more characters."""
    if not isinstance(key, str):
        return False
    expression = ".+".join(re.escape(piece) for piece in pattern.split("{}"))
    return re.fullmatch(expression, key, re.DOTALL) is not None


def int_of(key: object) -> int | None:
    """The int that a str key was before a checkpoint wrote it as text."""
    if isinstance(key, str) and key.isdecimal() and key.isascii() and len(key) < _MAX_DIGITS:
        return int(key)
    return None


def too_deep(mapping: Mapping[Hashable, Any], schema: Schema) -> Hashable | None:
    """The single key under which the whole tree stands, one level too deep."""
    if len(mapping) != 1 or not schema.fields:
        return None
    (key,) = mapping
    below = leaves.mapping_of(mapping[key])
    if below is None or any(field.key == key for field in schema.fields) or schema.extra.open:
        return None
    required = [field.key for field in schema.fields if not field.optional]
    return key if required and all(wanted in below for wanted in required) else None


def closest(key: Hashable, keys: Iterable[Hashable]) -> Hashable | None:
    """The key that was probably meant."""
    if not isinstance(key, str):
        return None
    others = [other for other in itertools.islice(keys, _MAX_KEYS) if isinstance(other, str)]
    found = difflib.get_close_matches(key, others, n=1, cutoff=0.7)
    return found[0] if found else None


def missing_note(key: Hashable, strange: Collection[Hashable]) -> str:
    """The undeclared key that stands for a missing one: misspelt, or of another type."""
    if isinstance(key, int) and str(key) in strange:
        return f"there is {str(key)!r}: nnx.restore_int_paths makes it an int"
    found = closest(key, strange)
    return "" if found is None else f"there is {found!r}: misspelt?"


def extra_note(key: Hashable, mapping: Mapping[Hashable, Any], fields: tuple[Field, ...]) -> str:
    """The declared key that an undeclared one stands for, where it is missing."""
    return unknown_note(key, [field.key for field in fields if field.key not in mapping])


def unknown_note(key: Hashable, known: Iterable[Hashable]) -> str:
    """The known key that an unknown one stands for: misspelt, or of another type."""
    known = list(known)
    found = closest(key, known)
    if found is not None:
        return f"did you mean {found!r}?"
    if int_of(key) in known:
        return "nnx.restore_int_paths makes the key an int"
    return ""


def container_note(value: object) -> str:
    """Why something that is no state stands where one is wanted."""
    if leaves.is_module(value):
        return "a module: nnx.state(module) is its state"
    if isinstance(value, tuple) and any(leaves.is_state(item) for item in cast(Any, value)):
        return "several states: nnx.state with two filters gives a tuple"
    return ""


def kind_note(value: object, spec: Leaf) -> str:
    """Why something that is no Variable stands where one is wanted."""
    mapping = leaves.mapping_of(value)
    if mapping is not None and set(mapping) == {"value"}:
        return "an old checkpoint keeps a Variable's array under 'value'"
    abstract = isinstance(value, jax.ShapeDtypeStruct)
    wanted = isinstance(spec.value, Array) and spec.value.abstract
    if (leaves.is_array(value) or (abstract and wanted)) and spec.kind is not None:
        return f"a value where its Variable was meant: {spec.kind.__name__}(value)"
    if abstract:
        return "an abstract value: Abstract[...] takes those"
    return ""


def stale_kind_note(found: type, wanted: type) -> str:
    """A kind that has the right name but is another class: of a reload or an old Flax."""
    if found.__name__ == wanted.__name__:
        return f"another class of that name, from {found.__module__}"
    return ""


def value_note(value: object) -> str:
    """A Variable where its value was meant."""
    if leaves.is_variable(value):
        return "a Variable where its value was meant: variable[...]"
    return ""


def array_note(value: object, spec: Array) -> str:
    """Why something is not the array that is wanted."""
    if isinstance(value, jax.ShapeDtypeStruct):
        return "an abstract value: Abstract[...] takes those"
    if spec.abstract:
        return "a concrete value: jax.eval_shape gives abstract ones"
    if isinstance(value, np.ndarray) and spec.cls is not None and issubclass(spec.cls, jax.Array):
        return "a numpy array: jnp.asarray makes it a jax.Array"
    return ""


def dtype_note(dtype: str, value: Any) -> str:
    """Old-style PRNG keys are plain uint32 arrays."""
    shape = tuple(value.shape)
    if dtype == "Key" and str(value.dtype) == "uint32" and shape[-1:] in {(2,), (4,)}:
        return "an old-style key: jax.random.key makes typed ones"
    return ""


def common_cause(violations: Iterable[Violation]) -> str:
    """What most violations have in common, where it is more than a few."""
    notes = Counter(re.split(": |, from ", violation.note)[0] for violation in violations)
    for note, cause in _CAUSES.items():
        if notes[note] > _FEW and notes[note] * 2 > notes.total():
            return f"{cause} ({notes[note]} leaves)"
    return ""


@dataclass(frozen=True, slots=True)
class WrongShare:
    """A shared attribute of a module that is the Variable of another place than declared."""

    path: Path
    target: str
    actual: str


def wrong_shares(spec: Spec, shared: Mapping[Path, Path]) -> Iterator[WrongShare]:
    """Yields the fields declared as shared that are shared with something else."""
    for path, field in _shared_fields(spec, (), frozenset()):
        first = shared.get(path)
        assert field.shared is not None
        if first is not None and show_path(first) != field.shared:
            yield WrongShare(path, field.shared, show_path(first))


def _shared_fields(spec: Spec, path: Path, seen: frozenset[int]) -> Iterator[tuple[Path, Field]]:
    match spec:
        case Bound(inner=inner) | Apart(inner=inner) | Alike(inner=inner):
            yield from _shared_fields(inner, path, seen)
        case Node(ref) if id(ref) not in seen:
            for field in ref.resolve().fields:
                child = (*path, field.key)
                if field.shared is not None:
                    yield child, field
                else:
                    yield from _shared_fields(field.spec, child, seen | {id(ref)})
        case _:
            return
