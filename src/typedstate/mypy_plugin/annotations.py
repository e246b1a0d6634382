"""Analyses forms in annotations: gives mypy's own type with the form as its tag."""

from __future__ import annotations

from typing import Any, Final, cast

from mypy.errorcodes import TYPE_ARG
from mypy.nodes import TypeInfo
from mypy.plugin import AnalyzeTypeContext
from mypy.types import Instance, PlaceholderType, Type, get_proper_type

from .fallback import report
from .filters import bare, of_annotation, unknown
from .names import STATE
from .presence import HAVING, paths_of
from .reader import Reader
from .tags import Tag
from .trees import tree_of

KEEPING: Final = ("Only", "Rest", "Plus", HAVING)


def analyze(reader: Reader, fullname: str, context: AnalyzeTypeContext) -> Type:
    """The type of a form; mypy analyses any other use of `Annotated`."""
    name = context.type.name.rpartition(".")[2]
    if fullname.startswith("typedstate."):
        return _unwrapped(reader, fullname.rpartition(".")[2], context)
    default = as_without(fullname, context)
    return _tagged(reader, name, context, default) if name in KEEPING else default


def as_without(fullname: str, context: AnalyzeTypeContext) -> Type:
    """The type that mypy gives without the plugin, as far as its public interface goes."""
    # The hook stands in for mypy's own analysis of Annotated, which has no public name.
    try:
        special = getattr(context.api, "try_analyze_special_unbound_type", None)
        if special is not None and not fullname.startswith("typedstate."):
            found: Type | None = special(context.type, fullname)
            if found is not None:
                return found
        if not fullname.startswith("typedstate.") and context.type.args:
            return context.api.analyze_type(context.type.args[0])
    except Exception as error:
        report(error)
    return unknown()


def _tagged(reader: Reader, name: str, context: AnalyzeTypeContext, default: Type) -> Type:
    found = get_proper_type(default)
    if not isinstance(found, Instance) or not _is_complete(found):
        return default
    if tree_of(found) is None:
        return default

    def resolve(text: str) -> TypeInfo | None:
        symbol = cast(Any, context.api).lookup_qualified(text, context.type, suppress_errors=True)
        return symbol.node if symbol is not None and isinstance(symbol.node, TypeInfo) else None

    if name == HAVING:
        args = paths_of(context.type.args[1:], reader.lookup)
    else:
        args = [of_annotation(arg, resolve, reader.lookup) for arg in context.type.args[1:]]
    return reader.wrap(Tag(name, found, tuple(args)), found)


def _is_complete(typ: Instance) -> bool:
    return bool(typ.type.mro)


def _unwrapped(reader: Reader, name: str, context: AnalyzeTypeContext) -> Type:
    """The dict or state that the form's alias names, with the form as its tag."""
    inner: Type = unknown()
    given = len(context.type.args)
    if given > 1:
        message = f"Bad number of arguments for type alias, expected 1, given {given}"
        context.api.fail(message, context.context, code=TYPE_ARG)
    if given == 1:
        inner = context.api.analyze_type(context.type.args[0])
    if isinstance(inner, PlaceholderType):
        return inner
    found = get_proper_type(inner)
    if isinstance(found, Instance) and _is_complete(found) and tree_of(found) is not None:
        return reader.wrap(Tag(name, found, ()), found)
    if name == "Pure":
        text = context.api.named_type("builtins.str", [])
        return context.api.named_type("builtins.dict", [text, unknown()])
    state = reader.lookup(STATE)
    return unknown() if state is None else bare(state)
