"""Signatures of the functions that JAX's and Flax's transforms return."""

from __future__ import annotations

from mypy.nodes import ARG_POS, Decorator, MemberExpr
from mypy.plugin import FunctionContext, MethodContext
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    Parameters,
    TupleType,
    Type,
    get_proper_type,
)

from .calling import (
    argument,
    argument_type,
    callable_of,
    function_type,
    is_spread,
    is_unknown,
    modified,
    rest,
)
from .filters import bare, unknown
from .names import (
    ARRAY,
    JITTED,
    NNX_JITTED,
    SCALARS,
    TUPLE,
)
from .partials import in_part, in_whole
from .values import Values


class Transforms:
    """Answers mypy's questions about transforms other than gradients.

    Attributes:
      values: changes the values of a tree.
    """

    def __init__(self, values: Values) -> None:
        """Keeps the helper."""
        self.values = values

    def jit(self, context: FunctionContext) -> Type:
        """``jax.jit(f)``: f's signature, with methods such as ``lower``."""
        return self._jitted(function_type(context), context.default_return_type)

    def _jitted(self, given: Type | None, default: Type) -> Type:
        function, found = callable_of(given), get_proper_type(default)
        if function is None or not isinstance(found, Instance):
            return default
        if found.type.fullname not in JITTED or (function.arg_types and is_unknown(function)):
            return default
        array = self.values.reader.lookup(ARRAY)
        if array is None:
            return default
        ret = self._traced(function.ret_type)
        return modified(function, ret_type=ret, fallback=found)

    def _traced(self, typ: Type) -> Type:
        """The return type of a traced function: numbers become arrays."""
        found, array = get_proper_type(typ), self.values.reader.lookup(ARRAY)
        if array is None:
            return typ
        match found:
            case Instance() if found.type.fullname in SCALARS:
                return bare(array)
            case TupleType(items=items) if found.partial_fallback.type.fullname == TUPLE:
                return TupleType([self._traced(item) for item in items], found.partial_fallback)
            case _:
                return typ

    def partial(self, context: MethodContext) -> Type:
        """``partial(jax.jit, static_argnums=0)(f)``, which is how a decorator takes options."""
        whole = in_whole(self.values.reader, context)
        if whole is not None:
            return whole
        default = in_part(self.values.reader, context)
        given = [typ for types in context.arg_types for typ in types]
        if len(given) != 1:
            return default
        wrapped = _wrapped(callable_of(given[0]), default)
        return self._jitted(given[0], default) if wrapped is None else wrapped

    def same(self, context: FunctionContext) -> Type:
        """``jax.checkpoint(f)``: f's signature."""
        function = callable_of(function_type(context))
        if function is None or is_unknown(function):
            return context.default_return_type
        return modified(function, fallback=self.values.plain(function))

    def scan(self, context: FunctionContext) -> Type:
        """``jax.lax.scan(f, init, xs)``: the carry has the type of `init`."""
        found, init = get_proper_type(context.default_return_type), argument_type(context, "init")
        if not isinstance(found, TupleType) or len(found.items) != 2 or init is None:
            return context.default_return_type
        carry = self._arrays(init)
        if isinstance(get_proper_type(carry), AnyType):
            return context.default_return_type
        return TupleType([carry, found.items[1]], found.partial_fallback)

    def loop(self, context: FunctionContext) -> Type:
        """``jax.lax.fori_loop(lower, upper, body, init)``, ``while_loop``: the type of `init`."""
        init = argument_type(context, "init_val")
        if init is None:
            return context.default_return_type
        found = self._arrays(init)
        is_of_other_class = isinstance(get_proper_type(found), AnyType)
        return init if is_of_other_class else found

    def cond(self, context: FunctionContext) -> Type:
        """``jax.lax.cond(pred, f, g, *operands)``: the type that both branches return."""
        names = ("true_fun", "false_fun")
        one, other = (callable_of(argument_type(context, name)) for name in names)
        if one is None or other is None or one.ret_type != other.ret_type or one.variables:
            return context.default_return_type
        return self._traced(one.ret_type)

    def vjp(self, context: FunctionContext) -> Type:
        """``jax.vjp(f, *primals)``: the value, and a function from its cotangent to theirs."""
        found, pair = callable_of(function_type(context)), self.values.reader.lookup(TUPLE)
        if found is None or pair is None or argument(context, "has_aux") is not None:
            return context.default_return_type
        if found.variables or is_spread(context):
            return context.default_return_type
        parts = [self._arrays(primal) for primal in rest(context, "primals")]
        back = CallableType(
            [unknown()], [ARG_POS], [None],
            TupleType(parts, Instance(pair, [unknown()])), self.values.plain(found),
        )  # fmt: skip
        return TupleType([self.values.scalar(found.ret_type), back], Instance(pair, [unknown()]))

    def _arrays(self, typ: Type) -> Type:
        array = self.values.reader.lookup(ARRAY)
        return unknown() if array is None else self.values.changed(typ, bare(array))


def bound(context: MethodContext) -> Type:
    """``self.f`` of a jitted f: one that `staticmethod` decorates takes no object."""
    read = context.context
    owner = get_proper_type(context.arg_types[0][0]) if context.arg_types[0] else None
    if not isinstance(read, MemberExpr) or not isinstance(owner, Instance):
        return context.default_return_type
    symbol = owner.type.get(read.name)
    node = None if symbol is None else symbol.node
    is_static = isinstance(node, Decorator) and node.var.is_staticmethod
    return context.type if is_static else context.default_return_type


def _wrapped(function: CallableType | None, default: Type) -> Type | None:
    """The signature of ``partial(nnx.jit, ...)(f)``, which mypy loses; None if it is not known."""
    found = get_proper_type(default)
    returned = get_proper_type(found.ret_type) if isinstance(found, CallableType) else found
    if function is None or not isinstance(returned, Instance) or len(returned.args) != 2:
        return None
    if returned.type.fullname != NNX_JITTED or function.variables:
        return None
    given = Parameters(function.arg_types, function.arg_kinds, function.arg_names)
    return Instance(returned.type, [given, function.ret_type])
