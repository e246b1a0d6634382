"""Calls of ``functools.partial`` objects around functions of Flax, JAX and optax.

mypy asks about such a call with the arguments of the call alone, so what was bound before would be
forgotten: ``partial(nnx.grad, has_aux=True)(f)`` is answered as ``nnx.grad(f, has_aux=True)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from mypy.nodes import ArgKind, CallExpr, Context, Decorator, Expression, RefExpr, TempNode
from mypy.plugin import MethodContext
from mypy.plugins.functools import partial_call_callback
from mypy.types import Instance, Type, get_proper_type

from .filters import unknown
from .names import GRADIENTS
from .reader import Reader

_KNOWN: Final = ("flax.", "jax.", "optax.")


class Whole(NamedTuple):
    """A call of a partial object, with the arguments that were bound before.

    Attributes:
      function: the function inside the partial object.
      args: all arguments, the bound ones first.
      kinds: their kinds.
      names: their names.
    """

    function: RefExpr
    args: list[Expression]
    kinds: list[ArgKind]
    names: list[str | None]


def in_whole(reader: Reader, context: MethodContext) -> Type | None:
    """The result of the whole call; None if its arguments are not in the text, or are wrong."""
    whole = _whole(context)
    if whole is None:
        return None
    checker = cast(Any, context.api)
    with reader.muted(), checker.msg.filter_errors() as errors, checker.local_type_map:
        _check(checker, whole, context.context)
    return None if errors.has_new_errors() else _check(checker, whole, context.context)


def in_part(reader: Reader, context: MethodContext) -> Type:
    """mypy's own result, in which the bound arguments are not known."""
    with reader.muted():
        found = partial_call_callback(context)
    proper = get_proper_type(found)
    of_overload = isinstance(proper, Instance) and proper.type.fullname in GRADIENTS
    return unknown() if of_overload else found  # of the first overload, whatever was bound


def _check(checker: Any, whole: Whole, context: Context) -> Type:
    function = checker.expr_checker.accept(whole.function)
    found, _ = checker.expr_checker.check_call(
        function,
        whole.args,
        whole.kinds,
        context,
        arg_names=whole.names,
        callable_node=None,
        callable_name=whole.function.fullname,
    )
    return cast(Type, found)


def _whole(context: MethodContext) -> Whole | None:
    """The whole call, if the partial object is made in it or is a decorator; else None."""
    made = _made(context)
    if made is None or not made.args or made.arg_kinds[0].is_star():
        return None
    function = made.args[0]
    if not isinstance(function, RefExpr) or not function.fullname.startswith(_KNOWN):
        return None
    given, kinds, names = _given(context)
    return Whole(
        function,
        [*made.args[1:], *given],
        [*made.arg_kinds[1:], *kinds],
        [*made.arg_names[1:], *names],
    )


def _made(context: MethodContext) -> CallExpr | None:
    """The call of ``partial`` that makes the called object."""
    call = context.context
    if isinstance(call, CallExpr):
        return call.callee if isinstance(call.callee, CallExpr) else None
    if not isinstance(call, Decorator):
        return None
    given, _, _ = _given(context)
    place = [(node.line, node.column) for node in given if isinstance(node, TempNode)]
    found = [item for item in call.decorators if [(item.line, item.column)] == place]
    return found[0] if len(found) == 1 and isinstance(found[0], CallExpr) else None


def _given(
    context: MethodContext,
) -> tuple[Sequence[Expression], Sequence[ArgKind], Sequence[str | None]]:
    """The arguments of the call itself, their kinds and names, each once."""
    found: dict[Expression, tuple[ArgKind, str | None]] = {}
    for args, kinds, names in zip(context.args, context.arg_kinds, context.arg_names, strict=False):
        for arg, kind, name in zip(args, kinds, names, strict=False):
            found.setdefault(arg, (kind, name))
    return [*found], [kind for kind, _ in found.values()], [name for _, name in found.values()]
