"""Notes that reports add to a violation whose likely mistake is known.

Each function recognises one pattern and answers a sentence, or nothing; a `Note` where the mistake
may be that of a whole report.
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Any, Final, cast

import jax
import numpy as np
from flax import nnx
from flax.nnx import filterlib

from .._compat import modules, variables
from .._spec import flat_trees
from .._spec.describe import class_name, describe
from .._spec.dtypes import dtype_name
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
from .causes import Mistake, Note, another_dtype
from .key_patterns import int_of

_MAX_KEYS: Final = 100
#: Of int keys that are text.
TEXT_KEYS: Final = Note("nnx.restore_int_paths makes them int", Mistake.TEXT_KEYS)
#: Of int keys where text keys are declared.
INT_KEYS: Final = Note("StateMap[int, ...] takes int keys", Mistake.INT_KEYS)
#: Of an array that has lost its values: what is expected, what is found, and why.
DELETED: Final = (
    "an array with values",
    "a deleted array",
    Note("was it donated to a jitted function?", Mistake.DONATED),
)
_ABSTRACT: Final = Note("an abstract value: Abstract[...] takes those", Mistake.ABSTRACT)
_NOTHING: Final = Note()


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


def missing_note(key: Hashable, strange: Collection[Hashable]) -> Note:
    """The note with the undeclared key that was likely meant for a missing one."""
    if isinstance(key, int) and str(key) in strange:
        text = f"there is {str(key)!r}: nnx.restore_int_paths makes it an int"
        return Note(text, Mistake.TEXT_KEYS)
    found = closest(key, strange)
    return _NOTHING if found is None else Note(f"there is {found!r}: misspelt?")


def extra_note(key: Hashable, mapping: Mapping[Hashable, Any], fields: tuple[Field, ...]) -> Note:
    """The note with the missing key that an undeclared one was likely meant for."""
    return unknown_note(key, [field.key for field in fields if field.key not in mapping])


def left_out(ref: SchemaRef | None, key: Hashable) -> str:
    """What is expected of a key that the schema declares and a form has dropped; else empty."""
    while isinstance(ref, Derived):
        if key in {field.key for field in ref.base.resolve().fields}:  # see `too_deep`
            return f"nothing, as {ref.name} leaves it out"
        ref = ref.base
    return ""


def unknown_note(key: Hashable, known: Iterable[Hashable]) -> Note:
    """The note with the known key that an unknown one was likely meant for."""
    known = list(known)
    found = closest(key, known)
    if found is not None:
        return Note(f"did you mean {found!r}?")
    if int_of(key) in known:
        return Note("nnx.restore_int_paths makes the key an int", Mistake.TEXT_KEYS)
    return _NOTHING


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


def kind_note(value: object, spec: Leaf) -> Note:
    """The note for a leaf that is no Variable."""
    mapping = variables.mapping_of(value)
    if mapping is not None and set(mapping) == {"value"}:
        return Note("a checkpoint keeps a Variable's array under 'value'", Mistake.CHECKPOINT)
    abstract = isinstance(value, jax.ShapeDtypeStruct)
    wanted = isinstance(spec.value, Array) and spec.value.abstract
    if (variables.is_array(value) or (abstract and wanted)) and spec.kind is not None:
        text = f"a value where its Variable was meant: {spec.kind.__name__}(value)"
        return Note(text, Mistake.VALUES)
    return _ABSTRACT if abstract else _NOTHING


def stale_kind_note(found: type, wanted: type) -> Note:
    """A kind that has the right name but is another class: of a reload or an old Flax."""
    if found.__name__ != wanted.__name__:
        return _NOTHING
    return Note(f"another class of that name, from {found.__module__}", Mistake.STALE_KINDS)


def value_note(value: object) -> Note:
    """A Variable where its value was meant."""
    if not variables.is_variable(value):
        return _NOTHING
    return Note("a Variable where its value was meant: variable[...]", Mistake.VARIABLES)


def array_note(value: object, spec: Array) -> Note:
    """The note for a value that is no array, or another one."""
    if isinstance(value, jax.ShapeDtypeStruct):
        return _ABSTRACT
    if spec.abstract and variables.is_array(value):
        return Note("a concrete value: jax.eval_shape gives abstract ones", Mistake.CONCRETE)
    if spec.abstract and variables.is_shaped(value):
        return Note("no array but what is known of one: jax.ShapeDtypeStruct(x.shape, x.dtype)")
    if isinstance(value, np.ndarray) and spec.cls is not None and issubclass(spec.cls, jax.Array):
        return Note("a numpy array: jnp.asarray makes it a jax.Array", Mistake.NUMPY)
    return _NOTHING


def dtype_note(dtype: str, value: Any) -> Note:
    """The note for an array of another dtype; old-style PRNG keys are plain uint32 arrays."""
    shape = tuple(value.shape)
    if dtype == "Key" and str(value.dtype) == "uint32" and shape[-1:] in {(2,), (4,)}:
        return Note("an old-style key: jax.random.key makes typed ones")
    return Note("", another_dtype(dtype_name(value.dtype), dtype))
