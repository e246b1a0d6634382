"""Transforms of functions, JAX's and Flax's: the signature of what they return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from mypy.errorcodes import ARG_TYPE
from mypy.nodes import (
    ARG_POS,
    CallExpr,
    Expression,
    IntExpr,
    RefExpr,
    TupleExpr,
)
from mypy.plugin import FunctionContext, MethodContext
from mypy.plugins.functools import partial_call_callback
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    TupleType,
    Type,
    UnionType,
    get_proper_type,
)

from .calling import (
    argument,
    argument_type,
    callable_of,
    function_type,
    numbers,
    positional,
    rest,
    truth,
)
from .filters import bare, of_expression
from .functions import Functions
from .leaves import unknown
from .modules import is_module
from .names import ARRAY, ARRAYS, DIFF_STATE, JITTED, PARAM, SCALARS, TUPLE
from .titles import title
from .values import Values


@dataclass(frozen=True, slots=True)
class Differentiated:
    """An argument that a gradient is taken of.

    Attributes:
      index: its place.
      filter: which Variables of a module; None for all that a transform takes.
    """

    index: int
    filter: Type | None


class Transforms:
    """Answers what transforms return.

    Attributes:
      values: changes the values of a tree.
      functions: selects parts of states.
    """

    def __init__(self, values: Values, functions: Functions) -> None:
        """Keeps both."""
        self.values = values
        self.functions = functions

    def grad(self, context: FunctionContext) -> Type:
        """``jax.grad(f)``: f's parameters, and what it was differentiated by."""
        return self._gradient(context, of_value=False, of_nodes=False)

    def value_and_grad(self, context: FunctionContext) -> Type:
        """``jax.value_and_grad(f)``."""
        return self._gradient(context, of_value=True, of_nodes=False)

    def nnx_grad(self, context: FunctionContext) -> Type:
        """``nnx.grad(f)``: of a module, the state that a filter selects, `Param` by default."""
        return self._gradient(context, of_value=False, of_nodes=True)

    def nnx_value_and_grad(self, context: FunctionContext) -> Type:
        """``nnx.value_and_grad(f)``."""
        return self._gradient(context, of_value=True, of_nodes=True)

    def _gradient(self, context: FunctionContext, *, of_value: bool, of_nodes: bool) -> Type:
        function = callable_of(function_type(context))
        has_aux = truth(argument(context, "has_aux"), default=False)
        if function is None or has_aux is None or _is_unknown(function):
            return context.default_return_type
        self._report_aux(context, function, has_aux=has_aux)
        graph = self._in_graph_mode(context) if of_nodes else False
        single, wanted = self._differentiated(argument(context, "argnums"), of_nodes=of_nodes)
        parts = [self._gradient_of(positional(function, one.index), one, graph) for one in wanted]
        pair = self.values.reader.lookup(TUPLE)
        if not parts or pair is None:
            return context.default_return_type
        fallback = Instance(pair, [unknown()])
        gradient = parts[0] if single else TupleType(parts, fallback)
        returned = get_proper_type(function.ret_type)
        value, aux = self._value(function.ret_type), None
        if has_aux:
            is_pair = isinstance(returned, TupleType) and len(returned.items) == 2
            items = (
                returned.items if isinstance(returned, TupleType) and is_pair else [unknown()] * 2
            )
            value, aux = self._value(items[0]), items[1]
        left = value if aux is None else TupleType([value, aux], fallback)
        if of_value:
            ret: Type = TupleType([left, gradient], fallback)
        else:
            ret = gradient if aux is None else TupleType([gradient, aux], fallback)
        return _modified(function, ret_type=ret, fallback=self._plain(function))

    def _report_aux(
        self, context: FunctionContext, function: CallableType, *, has_aux: bool
    ) -> None:
        """A gradient is that of a scalar, or with `has_aux` of the first of a pair."""
        returned = get_proper_type(function.ret_type)
        is_tuple = isinstance(returned, TupleType)
        is_array = isinstance(returned, Instance) and returned.type.fullname in ARRAYS | SCALARS
        if is_tuple and not has_aux:
            text = "The function returns a tuple: a gradient of it takes has_aux=True"
        elif is_array and has_aux:
            text = f'The function returns "{title(returned)}": has_aux=True takes a pair'
        else:
            return
        context.api.fail(text, context.context, code=ARG_TYPE)

    def _in_graph_mode(self, context: FunctionContext) -> bool | None:
        """Whether gradients of a module are states; None where that is not known."""
        modes = [
            truth(argument(context, name), default=True) for name in ("graph", "graph_updates")
        ]
        return False if False in modes else None if None in modes else True

    def _differentiated(
        self, expr: Expression | None, *, of_nodes: bool
    ) -> tuple[bool, list[Differentiated]]:
        """Whether one argument is meant, and which; none at all where that is not known."""
        match numbers(expr):
            case int() as index:
                return True, [Differentiated(index, None)]
            case tuple() as indices:
                return False, [Differentiated(index, None) for index in indices]
            case None:
                pass
        if not of_nodes:
            return False, []
        if isinstance(expr, TupleExpr):
            several = [self._diff_state(item) for item in expr.items]
            known = [one for one in several if one is not None]
            return False, known if len(known) == len(several) else []
        one = None if expr is None else self._diff_state(expr)
        return True, [] if one is None else [one]

    def _diff_state(self, expr: Expression) -> Differentiated | None:
        match expr:
            case IntExpr(value=index):
                return Differentiated(index, None)
            case CallExpr(callee=RefExpr(fullname=name), args=[IntExpr(value=index), filter_]):
                if name == DIFF_STATE:
                    selected = of_expression(filter_, self.values.reader.lookup)
                    return Differentiated(index, selected)
            case _:
                pass
        return None

    def _gradient_of(self, typ: Type | None, one: Differentiated, graph: bool | None) -> Type:
        """The gradient by a value of a type."""
        found = None if typ is None else get_proper_type(typ)
        if isinstance(found, UnionType):
            return UnionType.make_union([self._gradient_of(x, one, graph) for x in found.items])
        if isinstance(found, NoneType):
            return found
        if isinstance(found, Instance) and is_module(found):
            if graph is None:
                return unknown()
            return self._state(found, one.filter) if graph else found
        array = self.values.reader.lookup(ARRAY)
        if found is None or array is None:
            return unknown()
        return self.values.changed(found, bare(array))

    def _state(self, module: Instance, filter_: Type | None) -> Type:
        """The state of a module that a filter selects."""
        if filter_ is None:
            param = self.values.reader.lookup(PARAM)
            if param is None:
                return unknown()
            filter_ = bare(param)
        return self.functions.selected_state(module, filter_)

    def _value(self, typ: Type) -> Type:
        """The value of a differentiated function: an array, whatever number it says."""
        found, array = get_proper_type(typ), self.values.reader.lookup(ARRAY)
        if array is None or not isinstance(found, Instance):
            return typ
        return bare(array) if found.type.fullname in SCALARS else typ

    def _plain(self, function: CallableType) -> Instance:
        """What a new function is beside its signature: a plain one, though it was of a class."""
        info = self.values.reader.lookup("builtins.function")
        return function.fallback if info is None else Instance(info, [])

    def jit(self, context: FunctionContext) -> Type:
        """``jax.jit(f)``: f's signature, with ``lower`` and its like beside."""
        return self._jitted(function_type(context), context.default_return_type)

    def _jitted(self, given: Type | None, default: Type) -> Type:
        function, found = callable_of(given), get_proper_type(default)
        if function is None or not isinstance(found, Instance):
            return default
        if found.type.fullname not in JITTED or (function.arg_types and _is_unknown(function)):
            return default
        array = self.values.reader.lookup(ARRAY)
        if array is None:
            return default
        ret = self._traced(function.ret_type)
        return _modified(function, ret_type=ret, fallback=found)

    def _traced(self, typ: Type) -> Type:
        """What a traced function returns: numbers are arrays."""
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
        default = partial_call_callback(context)
        given = [typ for types in context.arg_types for typ in types]
        return self._jitted(given[0], default) if len(given) == 1 else default

    def same(self, context: FunctionContext) -> Type:
        """``jax.checkpoint(f)``: f's signature."""
        function = callable_of(function_type(context))
        if function is None or _is_unknown(function):
            return context.default_return_type
        return _modified(function, fallback=self._plain(function))

    def scan(self, context: FunctionContext) -> Type:
        """``jax.lax.scan(f, init, xs)``: the carry is what it was before."""
        found, init = get_proper_type(context.default_return_type), argument_type(context, "init")
        if not isinstance(found, TupleType) or len(found.items) != 2 or init is None:
            return context.default_return_type
        carry = self._arrays(init)
        if isinstance(get_proper_type(carry), AnyType):
            return context.default_return_type
        return TupleType([carry, found.items[1]], found.partial_fallback)

    def fori_loop(self, context: FunctionContext) -> Type:
        """``jax.lax.fori_loop(lower, upper, body, init)``: as the first value."""
        init = argument_type(context, "init_val")
        return context.default_return_type if init is None else self._arrays(init)

    def cond(self, context: FunctionContext) -> Type:
        """``jax.lax.cond(pred, f, g, *operands)``: what both branches return."""
        names = ("true_fun", "false_fun")
        one, other = (callable_of(argument_type(context, name)) for name in names)
        if one is None or other is None or one.ret_type != other.ret_type or one.variables:
            return context.default_return_type
        return self._traced(one.ret_type)

    def vjp(self, context: FunctionContext) -> Type:
        """``jax.vjp(f, *primals)``: the value, and from its cotangent those of the primals."""
        found, pair = callable_of(function_type(context)), self.values.reader.lookup(TUPLE)
        if found is None or pair is None or argument(context, "has_aux") is not None:
            return context.default_return_type
        if found.variables:
            return context.default_return_type
        parts = [self._arrays(primal) for primal in rest(context, "primals")]
        back = CallableType(
            [unknown()], [ARG_POS], [None],
            TupleType(parts, Instance(pair, [unknown()])), self._plain(found),
        )  # fmt: skip
        return TupleType([self._value(found.ret_type), back], Instance(pair, [unknown()]))

    def _arrays(self, typ: Type) -> Type:
        array = self.values.reader.lookup(ARRAY)
        return unknown() if array is None else self.values.changed(typ, bare(array))


def _modified(function: CallableType, **changes: Any) -> CallableType:
    """The function with some of its parts changed, whose types mypy does not write."""
    return cast(CallableType, cast(Any, function).copy_modified(**changes))


def _is_unknown(function: CallableType) -> bool:
    """Whether no parameter of a function has a type."""
    return all(isinstance(get_proper_type(part), AnyType) for part in function.arg_types)
