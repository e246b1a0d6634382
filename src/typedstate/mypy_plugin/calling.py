"""Asks mypy for the return type of a function with arguments of known types, without errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from mypy.nodes import (
    ARG_OPT,
    ARG_POS,
    CallExpr,
    Context,
    Expression,
    IntExpr,
    LambdaExpr,
    MemberExpr,
    NameExpr,
    TempNode,
    TupleExpr,
    UnaryExpr,
)
from mypy.plugin import CheckerPluginInterface, FunctionContext, MethodContext
from mypy.subtypes import find_member
from mypy.types import AnyType, CallableType, Instance, Type, get_proper_type

from . import bindings
from .declaration import source_of
from .filters import unknown
from .modules import is_module
from .tags import forgetting

_Called = FunctionContext | MethodContext
_POSITIONAL: Final = (ARG_POS, ARG_OPT)


def argument(context: _Called, name: str) -> Expression | None:
    """The only argument that a call gives to a parameter, else None."""
    place = _place(context, name)
    return None if place is None else context.args[place][0]


def argument_type(context: _Called, name: str) -> Type | None:
    """The type of the only argument that a call gives to a parameter, else None."""
    place = _place(context, name)
    return None if place is None else context.arg_types[place][0]


def _place(context: _Called, name: str) -> int | None:
    """The place of a parameter that is given one argument, and no ``*args`` or ``**kwargs``."""
    for place, known in enumerate(context.callee_arg_names):
        if known == name and is_single(context, place):
            return place
    return None


def is_single(context: _Called, place: int) -> bool:
    """Whether a parameter is given one argument, and no ``*args`` or ``**kwargs``."""
    kinds = context.arg_kinds[place] if place < len(context.arg_kinds) else []
    return len(kinds) == 1 and not kinds[0].is_star()


def is_spread(context: _Called) -> bool:
    """Whether a call has ``*args`` or ``**kwargs``: any parameter may be given something."""
    return any(kind.is_star() for kinds in context.arg_kinds for kind in kinds)


def function_type(context: _Called) -> Type | None:
    """The type of the function that a transform is given, which is its first argument."""
    for name in ("fun", "f"):
        found = argument_type(context, name)
        if found is not None:
            return found
    is_first = is_single(context, 0) and context.callee_arg_names[0] is None
    return context.arg_types[0][0] if is_first else None


def rest(context: _Called, name: str) -> list[Type]:
    """The types of the arguments of a ``*name``."""
    for known, given in zip(context.callee_arg_names, context.arg_types, strict=False):
        if known == name:
            return list(given)
    return []


def truth(expr: Expression | None, default: bool) -> bool | None:
    """The value of a bool that is written as a literal; None for another expression."""
    match expr:
        case None:
            return default
        case NameExpr(fullname="builtins.True"):
            return True
        case NameExpr(fullname="builtins.False"):
            return False
        case _:
            return None


def numbers(expr: Expression | None) -> int | tuple[int, ...] | None:
    """The ints that are written as literals; 0 without an argument, None for another expression."""
    match expr:
        case None:
            return 0
        case IntExpr(value=value):
            return value
        case UnaryExpr(op="-", expr=IntExpr(value=value)):
            return -value
        case TupleExpr(items=items):
            found = [item.value for item in items if isinstance(item, IntExpr)]
            return tuple(found) if len(found) == len(items) else None
        case _:
            return None


def is_made_once(api: CheckerPluginInterface, expr: Expression) -> bool:
    """Whether an expression is the value of one call: the call, or a name that is bound once.

    A variable that is bound again keeps the type of its first value for mypy.
    """
    if isinstance(expr, CallExpr):
        return True
    if not isinstance(expr, NameExpr | MemberExpr):
        return False
    source = source_of(cast(Any, api).tree.path)
    if source is None:
        return False
    line = None if isinstance(expr, MemberExpr) else expr.line
    return bindings.is_made_once(source, expr.name, line)


def as_made(api: CheckerPluginInterface, typ: Type, expr: Expression) -> Type:
    """The type of an expression; of a module that may be another one by now only the class."""
    found = get_proper_type(typ)
    if not isinstance(found, Instance) or not is_module(found):
        return typ
    by_class = forgetting(found)
    # What is made once is a question to the text, asked where it makes a difference.
    return typ if by_class is found or is_made_once(api, expr) else by_class


def is_one_of_several(context: _Called) -> bool:
    """Whether a call's result is assigned to a name that is bound elsewhere too.

    mypy reports what has another class than the first of them.
    """
    source, call = source_of(cast(Any, context.api).tree.path), context.context
    if source is None:
        return False
    name = bindings.assigned_name(source, call)
    return name is not None and bindings.times_bound(source, name, call.line) > 1


def callable_of(typ: Type | None) -> CallableType | None:
    """The only signature of a value that can be called, else None."""
    found = None if typ is None else get_proper_type(typ)
    if isinstance(found, Instance):
        member = find_member("__call__", found, found, is_operator=True)
        found = None if member is None else get_proper_type(member)
    return found if isinstance(found, CallableType) else None


def positional(function: CallableType, index: int) -> Type | None:
    """The type of the parameter that takes a positional argument."""
    if index < 0 or index >= len(function.arg_types):
        return None
    if any(kind not in _POSITIONAL for kind in function.arg_kinds[: index + 1]):
        return None
    return function.arg_types[index]


def result(
    api: CheckerPluginInterface,
    function: Expression,
    typ: Type,
    given: Sequence[Type],
    context: Context,
) -> Type:
    """The type of ``function(*given)``; a lambda's parameters get the types of the arguments."""
    checker = cast(Any, api)
    kinds = [ARG_POS] * len(given)
    with checker.msg.filter_errors() as errors, checker.local_type_map:
        if isinstance(function, LambdaExpr):
            plain = checker.named_type("builtins.function")
            wanted = CallableType(list(given), kinds, [None] * len(given), unknown(), plain)
            typ = checker.expr_checker.accept(function, type_context=wanted)
        called = get_proper_type(typ)
        if isinstance(called, AnyType):
            return called
        nodes = [_node(arg, context) for arg in given]
        found, _ = checker.expr_checker.check_call(called, nodes, kinds, context)
        return unknown() if errors.has_new_errors() else cast(Type, found)


def _node(typ: Type, context: Context) -> TempNode:
    node = TempNode(typ)
    node.set_line(context)
    return node


def modified(function: CallableType, **changes: Any) -> CallableType:
    """The function with some parts changed; mypy has no types for these."""
    return cast(CallableType, cast(Any, function).copy_modified(**changes))


def is_unknown(function: CallableType) -> bool:
    """Whether no parameter of a function has a type."""
    return all(isinstance(get_proper_type(part), AnyType) for part in function.arg_types)
