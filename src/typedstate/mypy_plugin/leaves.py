"""Changes the type of a leaf: for a form, and for a function that changes every value of a tree."""

from __future__ import annotations

from typing import Final

from mypy.maptype import map_instance_to_supertype
from mypy.types import (
    AnyType,
    Instance,
    ProperType,
    Type,
    get_proper_type,
)

from .filters import Lookup, bare, selects, unknown
from .names import ARRAYS, SCALARS, SHAPE, SHARDING, SPEC, STATE, VALUES, VARIABLE
from .tags import Tag

#: The form whose leaves have another class of value than those of the inner tree.
HOLDING: Final = "Holding"
#: The forms whose leaves all have one class of value, with that class.
HELD: Final = {"Abstract": SHAPE, "Shardings": SHARDING, "Specs": SPEC}

_SCALARS_TOO: Final = VALUES | SCALARS


def is_array(typ: Type) -> bool:
    """Whether a type is JAX's array class."""
    found = get_proper_type(typ)
    return isinstance(found, Instance) and found.type.fullname in ARRAYS - {"numpy.ndarray"}


def leaf_in(form: Tag, leaf: Instance, lookup: Lookup) -> Type | None:
    """The type of a leaf in a form; None if the form drops it."""
    match form.form:
        case "Only":
            answers = [selects(arg, leaf) for arg in form.args]
            return None if answers and all(answer is False for answer in answers) else leaf
        case "Rest":
            return None if any(selects(arg, leaf) is True for arg in form.args) else leaf
        case "Plus" | "Having":
            return leaf
        case "Pure" | "Values":
            return _value_of(leaf, lookup)
        case "Like":
            return _alike(form, leaf, lookup)
        case name if name == HOLDING and form.args:
            return _replaced(leaf, get_proper_type(form.args[0]), lookup)
        case name:
            info = lookup(HELD[name])
            return unknown() if info is None else _replaced(leaf, bare(info), lookup)


def value_in(leaf: Instance, lookup: Lookup) -> Type:
    """The type of a Variable's value; Any if it is not known."""
    variable = lookup(VARIABLE)
    if variable is None or not leaf.type.has_base(VARIABLE):
        return unknown()
    return map_instance_to_supertype(leaf, variable).args[0]


def _value_of(leaf: Instance, lookup: Lookup) -> Type:
    if leaf.type.has_base(VARIABLE) and lookup(VARIABLE) is not None:
        return value_in(leaf, lookup)
    return bare(leaf.type) if leaf.type.has_base(STATE) else leaf


def _replaced(leaf: Instance, new: ProperType, lookup: Lookup) -> Type:
    """The leaf with another class of value."""
    if leaf.type.has_base(STATE):
        return unknown()
    if not leaf.type.has_base(VARIABLE):
        return new if _is_value(leaf) else unknown()
    held = get_proper_type(value_in(leaf, lookup))
    known = isinstance(held, Instance) and _is_value(held)
    return holding(leaf, new if known else unknown(), lookup)


def _is_value(typ: Instance) -> bool:
    return typ.type.fullname in VALUES | SCALARS


def holding(leaf: Instance, value: Type, lookup: Lookup) -> Type:
    """A Variable of the leaf's kind around a value; of any kind where the kind fixes its own."""
    if len(leaf.args) == 1:
        return Instance(leaf.type, [value])
    variable = lookup(VARIABLE)
    if variable is None or isinstance(get_proper_type(value), AnyType):
        return unknown()  # of the leaf's kind, but not of its value
    return Instance(variable, [value])


def _alike(form: Tag, leaf: Instance, lookup: Lookup) -> Type:
    """The leaf with the form's kind, if the form names one."""
    hint = get_proper_type(form.args[0]) if form.args else unknown()
    if not isinstance(hint, Instance):
        return hint
    if not hint.type.has_base(VARIABLE) or not leaf.type.has_base(VARIABLE) or not hint.args:
        return hint
    if lookup(VARIABLE) is None or not isinstance(get_proper_type(hint.args[0]), AnyType):
        return hint
    return Instance(hint.type, [value_in(leaf, lookup)])
