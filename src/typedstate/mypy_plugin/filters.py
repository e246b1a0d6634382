"""Encodes NNX filters as types, and tells which leaves they select.

A Variable class is itself, ``OfType``, ``Any``, ``All`` and ``Not`` are their classes with their
operands, a tuple or list is ``Any``, ``...`` and the booleans are ``Everything`` and ``Nothing``.
Any other filter is the type Any, of which it is not known what it selects (None).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mypy.nodes import (
    CallExpr,
    EllipsisExpr,
    Expression,
    ListExpr,
    RefExpr,
    TupleExpr,
    TypeInfo,
)
from mypy.types import (
    AnyType,
    EllipsisType,
    Instance,
    NoneType,
    ProperType,
    TupleType,
    Type,
    TypeList,
    TypeOfAny,
    UnboundType,
    UnionType,
    get_proper_type,
)

from .names import FILTERS, VARIABLE
from .tags import operands_of, with_operands

Lookup = Callable[[str], TypeInfo | None]


def unknown() -> AnyType:
    """Any, for a type that the plugin does not know."""
    return AnyType(TypeOfAny.special_form)


def bare(info: TypeInfo) -> Instance:
    """An instance of a class with Any in the place of its type variables."""
    return Instance(info, [unknown() for _ in info.defn.type_vars])


def of_annotation(arg: Type, resolve: Lookup, lookup: Lookup) -> Type:
    """The filter in an annotation that mypy has not analysed yet."""
    match arg:
        case EllipsisType():
            return _combined("Everything", (), lookup)
        case TupleType(items=items) | TypeList(items=items):
            parts = [of_annotation(item, resolve, lookup) for item in items]
            return _combined("Any", parts, lookup)
        case UnboundType(name="True"):
            return _combined("Everything", (), lookup)
        case UnboundType(name="False" | "None"):
            return _combined("Nothing", (), lookup)
        case UnboundType(name=name):
            return _class(resolve(name))
        case NoneType():
            return _combined("Nothing", (), lookup)
        case _:
            return unknown()


def of_expression(expr: Expression, lookup: Lookup) -> Type:
    """The filter in an argument of a call."""
    match expr:
        case EllipsisExpr():
            return _combined("Everything", (), lookup)
        case TupleExpr(items=items) | ListExpr(items=items):
            parts = [of_expression(item, lookup) for item in items]
            return _combined("Any", parts, lookup)
        case RefExpr(fullname="builtins.True"):
            return _combined("Everything", (), lookup)
        case RefExpr(fullname="builtins.False" | "builtins.None"):
            return _combined("Nothing", (), lookup)
        case RefExpr(node=TypeInfo() as info):
            return _class(info)
        case CallExpr(callee=RefExpr(fullname=name), args=args) if name.startswith(FILTERS):
            parts = [of_expression(item, lookup) for item in args]
            return _call(name.removeprefix(FILTERS), parts, lookup)
        case _:
            return unknown()


def _call(name: str, parts: Sequence[Type], lookup: Lookup) -> Type:
    match name, parts:
        case "OfType", [part]:
            return part
        case ("Any" | "All") as name, _:
            return _combined(name, parts, lookup)
        case "Not", [part]:
            return _combined("Not", [part], lookup)
        case ("Everything" | "Nothing") as name, []:
            return _combined(name, (), lookup)
        case _:
            return unknown()


def _class(info: TypeInfo | None) -> Type:
    return unknown() if info is None else bare(info)


def _combined(name: str, parts: Sequence[Type], lookup: Lookup) -> Type:
    info = lookup(f"{FILTERS}{name}")
    return unknown() if info is None else with_operands(bare(info), parts)


def selects(filter_: Type, leaf: ProperType) -> bool | None:
    """Whether a filter selects a leaf; None if that is not known."""
    found = get_proper_type(filter_)
    if not isinstance(found, Instance):
        return None
    name = found.type.fullname
    if not name.startswith(FILTERS):
        return _is_of(found.type, leaf)
    answers = [selects(part, leaf) for part in operands_of(found)]
    match name.removeprefix(FILTERS):
        case "Everything":
            return True
        case "Nothing":
            return False
        case "Any":
            return True if True in answers else None if None in answers else False
        case "All":
            return False if False in answers else None if None in answers else True
        case "Not":
            return None if answers[0] is None else not answers[0]
        case _:
            return None


def _is_of(kind: TypeInfo, leaf: ProperType) -> bool | None:
    """Whether a leaf is of a class; None for a base class, as the leaf may be of a subclass."""
    if not isinstance(leaf, Instance) or not kind.has_base(VARIABLE):
        return None
    if leaf.type.has_base(kind.fullname):
        return True
    return None if kind.has_base(leaf.type.fullname) else False


def leaf_of(filter_: Type, array: Type) -> Type | None:
    """The type of the leaves that a filter selects from any node; None if it is not known."""
    found = get_proper_type(filter_)
    if not isinstance(found, Instance):
        return None
    name = found.type.fullname
    if not name.startswith(FILTERS):
        if not found.type.has_base(VARIABLE):
            return None
        return Instance(found.type, [array for _ in found.args])
    parts = [leaf_of(part, array) for part in operands_of(found)]
    known = [part for part in parts if part is not None]
    match name.removeprefix(FILTERS):
        case "Any" if parts and len(known) == len(parts):
            return UnionType.make_union(known)
        case "All" if known:
            return known[0]
        case _:
            return None
