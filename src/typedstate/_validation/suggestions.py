"""Notes that reports add to a violation whose likely mistake is known.

Each function recognises one pattern and answers a sentence, or nothing.
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

import jax
import numpy as np
from flax import nnx
from flax.nnx import filterlib

from .._compat import modules, variables
from .._spec import flat_trees
from .._spec.describe import class_name, describe
from .._spec.nodes import (
    Argument,
    Array,
    Bound,
    Field,
    Leaf,
    Map,
    Node,
    Schema,
    SchemaRef,
    ScopedSpec,
    Spec,
)
from .._spec.rewrite import Derived
from .._spec.selecting import Selecting
from ..report import Violation
from .key_patterns import int_of

_MAX_KEYS: Final = 100
_RESTORE: Final = "nnx.restore_int_paths"
_FEW: Final = 2
_LEAVES_OUT: Final = "leaves it out"
INT_KEYS: Final = "StateMap[int, ...] takes int keys"
_DONATED: Final = "was it donated to a jitted function?"
#: Of an array that has lost its values: what is expected, what is found, and why.
DELETED: Final = ("an array with values", "a deleted array", _DONATED)
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
    "a checkpoint keeps a Variable's array under 'value'": (
        "the tree is that of a checkpoint, which keeps each array under 'value'"
    ),
    INT_KEYS: "the keys are ints: StateMap[int, ...] takes those",
    _LEAVES_OUT: (
        "the whole tree is here where a selection of it is wanted: nnx.state(model, nnx.Param), "
        "say, selects"
    ),
    _DONATED: (
        "the arrays are deleted, as those are that a jitted function takes with donate_argnums: "
        "go on with what it returned"
    ),
    _RESTORE: "the int keys are text, as in a checkpoint: nnx.restore_int_paths makes them int",
}
#: What is said of arrays that no mesh splits, by what is found of one.
_WHOLE: Final = {
    "one device": "on one device",
    "an array on one device": "on one device",
    "a numpy array": "numpy's",
}
#: What `Cast` takes for a dtype of floating leaves.
_CAST: Final = {
    "bfloat16": "BFloat16",
    "float16": "Float16",
    "float32": "Float32",
    "float64": "Float64",
}


def too_deep(mapping: Mapping[Hashable, Any], schema: Schema) -> Hashable | None:
    """The single key that holds the whole tree, which is one level too deep."""
    if len(mapping) != 1 or not schema.fields:
        return None
    (key,) = mapping
    below = variables.mapping_of(mapping[key])
    declared = {field.key for field in schema.fields}  # a scalar of numpy's == tuple is an array
    if below is None or key in declared or schema.extra.open:
        return None
    required = [field.key for field in schema.fields if not field.optional]
    return key if required and all(wanted in below for wanted in required) else None


def _of_module(module: Any, spec: Spec) -> str:
    """The hint that takes a module as it is: without the filters that leave something of it out."""
    while isinstance(spec, Bound | ScopedSpec | Argument):
        spec = spec.inner
    ref = spec.ref if isinstance(spec, Node) else None
    if isinstance(ref, Derived) and isinstance(ref.transform, Selecting):
        with contextlib.suppress(Exception):  # of a filter of the user's own
            selects, keep = filterlib.to_predicate(ref.transform.filters), ref.transform.keep
            flat = nnx.to_flat_state(nnx.state(module))
            if any(bool(selects(path, leaf)) is not keep for path, leaf in flat):
                return ref.base.name
    return describe(spec)


def closest(key: Hashable, keys: Iterable[Hashable]) -> Hashable | None:
    """The key that was probably meant."""
    if not isinstance(key, str):
        return None
    others = [other for other in itertools.islice(keys, _MAX_KEYS) if isinstance(other, str)]
    found = difflib.get_close_matches(key, others, n=1, cutoff=0.7)
    return found[0] if found else None


def stacked_note(mapping: Mapping[Hashable, Any], spec: Map) -> str:
    """The note for one entry, perhaps a stack, instead of several numbered ones."""
    entry = spec.entry
    while isinstance(entry, Bound | ScopedSpec | Argument):
        entry = entry.inner
    if spec.key != "int" or not isinstance(entry, Node):
        return ""
    fields = {field.key: field for field in entry.ref.resolve().fields}
    required = (key for key, field in fields.items() if not field.optional)
    if all(key in fields for key in mapping) and all(key in mapping for key in required):
        text = describe(spec.entry)
        return f"one state for all: Stacked[{text}, ...] is what nnx.vmap and nnx.scan make"
    return ""


def missing_note(key: Hashable, strange: Collection[Hashable]) -> str:
    """The note with the undeclared key that was likely meant for a missing one."""
    if isinstance(key, int) and str(key) in strange:
        return f"there is {str(key)!r}: nnx.restore_int_paths makes it an int"
    found = closest(key, strange)
    return "" if found is None else f"there is {found!r}: misspelt?"


def extra_note(key: Hashable, mapping: Mapping[Hashable, Any], fields: tuple[Field, ...]) -> str:
    """The note with the missing key that an undeclared one was likely meant for."""
    return unknown_note(key, [field.key for field in fields if field.key not in mapping])


def left_out(ref: SchemaRef | None, key: Hashable) -> str:
    """The note for a key that the schema declares and a form has dropped."""
    while isinstance(ref, Derived):
        if key in {field.key for field in ref.base.resolve().fields}:  # see `too_deep`
            return f"nothing, as {ref.name} {_LEAVES_OUT}"
        ref = ref.base
    return ""


def unknown_note(key: Hashable, known: Iterable[Hashable]) -> str:
    """The note with the known key that an unknown one was likely meant for."""
    known = list(known)
    found = closest(key, known)
    if found is not None:
        return f"did you mean {found!r}?"
    if int_of(key) in known:
        return "nnx.restore_int_paths makes the key an int"
    return ""


def container_note(value: object, spec: Spec | None = None) -> str:
    """Why something that is no state stands where one is wanted."""
    if modules.is_module(value):
        name, hint = class_name(type(value)), "..." if spec is None else _of_module(value, spec)
        hint = f"Annotated[{name}, {hint}] takes it"
        if modules.tree_mode():  # what nnx.grad and nnx.jit give there has the class of the model
            return f"a module tree: {hint}"
        return f"a module: nnx.state(module) is its state, {hint} as it is"
    if isinstance(value, tuple) and any(variables.is_state(item) for item in cast(Any, value)):
        return "several states: nnx.state with two filters gives a tuple"
    if flat_trees.is_pairs(value):
        return "a flat state: Flat[...] takes it, nnx.from_flat_state nests it"
    return ""


def flat_note(separator: str | None) -> str:
    """The note with the call that nests a flat tree."""
    if separator is None:
        nest, hint = "flax.traverse_util.unflatten_dict", "Flat[...]"
    else:
        nest = f"flax.traverse_util.unflatten_dict(tree, sep={separator!r})"
        hint = f"Flat[..., {separator!r}]"
    return f"{hint} takes it, {nest} nests it"


def kind_note(value: object, spec: Leaf) -> str:
    """The note for a leaf that is no Variable."""
    mapping = variables.mapping_of(value)
    if mapping is not None and set(mapping) == {"value"}:
        return "a checkpoint keeps a Variable's array under 'value'"
    abstract = isinstance(value, jax.ShapeDtypeStruct)
    wanted = isinstance(spec.value, Array) and spec.value.abstract
    if (variables.is_array(value) or (abstract and wanted)) and spec.kind is not None:
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
    if variables.is_variable(value):
        return "a Variable where its value was meant: variable[...]"
    return ""


def array_note(value: object, spec: Array) -> str:
    """The note for a value that is no array, or another one."""
    if isinstance(value, jax.ShapeDtypeStruct):
        return "an abstract value: Abstract[...] takes those"
    if spec.abstract and variables.is_array(value):
        return "a concrete value: jax.eval_shape gives abstract ones"
    if spec.abstract and variables.is_shaped(value):
        return "no array but what is known of one: jax.ShapeDtypeStruct(x.shape, x.dtype)"
    if isinstance(value, np.ndarray) and spec.cls is not None and issubclass(spec.cls, jax.Array):
        return "a numpy array: jnp.asarray makes it a jax.Array"
    return ""


def dtype_note(dtype: str, value: Any) -> str:
    """Old-style PRNG keys are plain uint32 arrays."""
    shape = tuple(value.shape)
    if dtype == "Key" and str(value.dtype) == "uint32" and shape[-1:] in {(2,), (4,)}:
        return "an old-style key: jax.random.key makes typed ones"
    return ""


class Cause(NamedTuple):
    """A mistake that explains most violations of a report.

    Attributes:
      text: the cause as a report shows it; empty if none is recognised.
      explained: the indices of the violations that it explains.
    """

    text: str = ""
    explained: frozenset[int] = frozenset()


def common_cause(violations: Iterable[Violation]) -> Cause:
    """The one mistake that explains most violations; None if there is none, or few violations."""
    marks = [_mark(one) for one in violations]
    counts = Counter(marks)
    for mark, count in counts.items():
        if mark and count > _FEW and count * 2 > counts.total():
            cause = _CAUSES.get(mark, "") if isinstance(mark, str) else mark.cause
            if cause:
                explained = frozenset(i for i, other in enumerate(marks) if other == mark)
                return Cause(f"{cause} ({count} leaves)", explained)
    return Cause()


class _Dtypes(NamedTuple):
    """The dtype that was found and the one that is declared."""

    found: str
    wanted: str

    @property
    def cause(self) -> str:
        """With the form that takes the tree as it is."""
        text = f"the arrays are {self.found} where {self.wanted} is declared"
        cast_to = _CAST.get(self.found)
        return f"{text}: Cast[..., {cast_to}] takes those" if cast_to else text


class _Whole(NamedTuple):
    """Arrays that should be split over a mesh: what they are, and of which argument the mesh is."""

    found: str
    argument: str

    @property
    def cause(self) -> str:
        """With the call that places the tree."""
        text = f"the arrays are {self.found}, not on the mesh"
        if self.argument:
            return f"{text} of {self.argument}: jax.device_put with its shardings places them"
        return f"{text}: jax.device_put(state, shardings(S, mesh)) places them"


def _mark(violation: Violation) -> str | _Dtypes | _Whole:
    """A key that is equal for violations with one cause: of what is found, a note's first words."""
    if _RESTORE in violation.note:
        return _RESTORE
    if violation.code == "extra" and violation.expected.endswith(_LEAVES_OUT):
        return _LEAVES_OUT
    found = _dtypes(violation) or _whole(violation)
    return found or re.split(": |, from |; as ", violation.note)[0]


def _dtypes(violation: Violation) -> _Dtypes | None:
    if violation.code != "dtype" or (violation.note and not violation.note.startswith("as ")):
        return None
    found = violation.actual.rpartition(" ")[2].partition("[")[0]
    return _Dtypes(found, violation.expected.removeprefix("dtype "))


def _whole(violation: Violation) -> _Whole | None:
    if violation.code != "sharding" or violation.actual not in _WHOLE:
        return None
    _, _, place = violation.expected.partition(" as in ")
    return _Whole(_WHOLE[violation.actual], re.split(r"[.\[]", place)[0])
