"""`Having`: the paths of what has to be there, and what stands at them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

from mypy.nodes import Expression, StrExpr
from mypy.types import (
    LiteralType,
    NoneType,
    RawExpressionType,
    Type,
    UnboundType,
    UnionType,
    get_proper_type,
)

from .filters import Lookup, bare, of_expression
from .names import STR
from .tags import Tag

HAVING: Final = "Having"


def paths_of(args: Iterable[Type], lookup: Lookup) -> list[Type]:
    """The paths in an annotation, before mypy has looked at it."""
    return _literals((_path(arg) for arg in args), lookup)


def given_to(form: str, args: Iterable[Expression], lookup: Lookup) -> list[Type]:
    """The arguments of a form beside its schema, in an expression."""
    if form != HAVING:
        return [of_expression(arg, lookup) for arg in args]
    return _literals((arg.value if isinstance(arg, StrExpr) else None for arg in args), lookup)


def _literals(paths: Iterable[str | None], lookup: Lookup) -> list[Type]:
    text = lookup(STR)
    if text is None:
        return []
    return [LiteralType(path, bare(text)) for path in paths if path is not None]


def _path(arg: Type) -> str | None:
    match arg:
        case UnboundType(original_str_expr=str() as path):
            return path
        case RawExpressionType(literal_value=str() as path):
            return path
        case _:
            return None


def present_at(form: Tag, key: Hashable, typ: Type) -> tuple[Type, tuple[Type, ...]]:
    """The type under a key, without None where it has to be there, and the paths below it."""
    below: list[Type] = []
    for arg in map(get_proper_type, form.args):
        if not isinstance(arg, LiteralType) or not isinstance(arg.value, str):
            continue
        head, _, rest = arg.value.partition(".")
        if head not in ("*", str(key)):
            continue
        if rest:
            below.append(LiteralType(rest, arg.fallback))
        else:
            typ = without_none(typ)
    return typ, tuple(below)


def without_none(typ: Type) -> Type:
    """A type without ``None``."""
    found = get_proper_type(typ)
    if not isinstance(found, UnionType):
        return typ
    items = [item for item in found.items if not isinstance(get_proper_type(item), NoneType)]
    return UnionType.make_union(items)
