"""A type as its user wrote it, with its forms, for messages."""

from __future__ import annotations

from mypy.types import AnyType, Instance, LiteralType, NoneType, Type, UnionType, get_proper_type

from .leaves import HOLDING
from .names import FILTERS
from .tags import operands_of, tag_of


def title(typ: Type) -> str:
    """``Only[LinearState, Param]`` and the like."""
    found = get_proper_type(typ)
    match found:
        case AnyType():
            return "..."
        case NoneType():
            return "None"
        case UnionType(items=items):
            return " | ".join(title(item) for item in items)
        case LiteralType(value=value):
            return repr(value)
        case Instance():
            return _instance(found)
        case _:
            return str(found)


def _instance(typ: Instance) -> str:
    tag = tag_of(typ)
    if tag is not None and tag.form == HOLDING:  # no form of a user's
        return title(tag.inner)
    if tag is not None:
        return f"{tag.form}[{', '.join(map(title, (tag.inner, *tag.args)))}]"
    name = typ.type.name
    if typ.type.fullname.startswith(FILTERS):
        operands = ", ".join(map(title, operands_of(typ)))
        return {"Everything": "...", "Nothing": "None"}.get(name, f"{name}({operands})")
    args = [arg for arg in typ.args if not isinstance(get_proper_type(arg), AnyType)]
    return f"{name}[{', '.join(map(title, args))}]" if args else name
