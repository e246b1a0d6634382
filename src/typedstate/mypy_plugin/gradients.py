"""Types of JAX's and Flax's gradients, of functions with and without annotations."""

from __future__ import annotations

from typing import NamedTuple

from mypy.errorcodes import ARG_TYPE
from mypy.nodes import (
    ARG_POS,
    ARG_STAR,
    ARG_STAR2,
    CallExpr,
    Expression,
    IntExpr,
    RefExpr,
    TupleExpr,
    TypeInfo,
)
from mypy.plugin import FunctionContext, MethodContext
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    TupleType,
    Type,
    TypeVarType,
    UnionType,
    get_proper_type,
)

from .calling import (
    argument,
    callable_of,
    function_type,
    is_one_of_several,
    is_spread,
    is_unknown,
    modified,
    numbers,
    positional,
    truth,
)
from .filters import bare, of_expression, unknown
from .functions import Functions
from .modules import is_module
from .names import (
    ARRAY,
    ARRAYS,
    AUTODIFF,
    DICT,
    DIFF_STATE,
    LIST,
    PARAM,
    SCALARS,
    TUPLE,
)
from .recursion import recursive_alias
from .tags import is_of_trees, of_trees
from .titles import title
from .values import Values


class Differentiated(NamedTuple):
    """An argument by which a function is differentiated.

    Attributes:
      argnum: the position of the argument.
      filter: the filter for Variables of a module; None for the transform's default.
    """

    argnum: int
    filter: Type | None


class Gradients:
    """Answers mypy's questions about gradients.

    Attributes:
      values: changes the values of a tree.
      functions: selects parts of states.
    """

    def __init__(self, values: Values, functions: Functions) -> None:
        """Keeps both helpers."""
        self.values = values
        self.functions = functions

    def grad(self, context: FunctionContext) -> Type:
        """``jax.grad(f)``: takes f's parameters, returns the differentiated arguments."""
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
        if has_aux is None or is_spread(context):
            return context.default_return_type
        if function is None or is_unknown(function):
            return self._until_called(
                context, function, of_value=of_value, has_aux=has_aux, of_nodes=of_nodes
            )
        self._report_aux(context, function, has_aux=has_aux)
        graph = self._in_graph_mode(context) if of_nodes else False
        single, wanted = self._differentiated(argument(context, "argnums"), of_nodes=of_nodes)
        parts = [self._gradient_of(positional(function, one.argnum), one, graph) for one in wanted]
        pair = self.values.reader.lookup(TUPLE)
        if not parts or pair is None:
            return context.default_return_type
        fallback = Instance(pair, [unknown()])
        gradient = parts[0] if single else TupleType(parts, fallback)
        returned = get_proper_type(function.ret_type)
        first, aux = function.ret_type, None
        if has_aux:
            is_pair = isinstance(returned, TupleType) and len(returned.items) == 2
            first = returned.items[0] if isinstance(returned, TupleType) and is_pair else unknown()
            aux = _second(function)
        ret = _of_gradient(gradient, self.values.scalar(first) if of_value else None, aux, pair)
        return modified(function, ret_type=ret, fallback=self.values.plain(function))

    def _until_called(
        self,
        context: FunctionContext,
        function: CallableType | None,
        *,
        of_value: bool,
        has_aux: bool,
        of_nodes: bool,
    ) -> Type:
        """``grad(lambda p: ...)``: the type in the stubs of `nnx.grad`, which `called` refines.

        mypy itself gives Any if an argument contains Any and fits two overloads. The number of
        arguments is not checked: a name keeps the signature of the first function bound to it.
        """
        name = "_ValueAndGrad" if of_value else "_Grad"
        info = self.values.reader.lookup(f"{AUTODIFF}{name}{'WithAux' if has_aux else ''}")
        by_first = numbers(argument(context, "argnums")) == 0
        in_mode = not of_nodes or self._in_graph_mode(context)
        if info is None or function is None or not by_first or not in_mode:
            return context.default_return_type
        if is_one_of_several(context):
            return context.default_return_type
        anything = modified(
            function,
            arg_types=[unknown(), unknown()],
            arg_kinds=[ARG_STAR, ARG_STAR2],
            arg_names=[None, None],
            is_ellipsis_args=True,
            variables=(),
        )
        found = Instance(info, [anything])
        return found if of_nodes else of_trees(found)

    def called(self, context: MethodContext) -> Type:
        """``grad(f)(tree)`` for an f without annotations: the gradient by the given tree.

        mypy itself takes any tree for a module, as all overloads of such an f take Any.
        """
        owner, pair = get_proper_type(context.type), self.values.reader.lookup(TUPLE)
        array = self.values.reader.lookup(ARRAY)
        if not isinstance(owner, Instance) or array is None or pair is None:
            return context.default_return_type
        function = callable_of(owner.args[0])
        gradient = self._gradient_of(
            _first(context), Differentiated(0, None), not is_of_trees(owner)
        )
        is_typed = function is None or not is_unknown(function)
        if is_typed and isinstance(get_proper_type(gradient), AnyType):
            return context.default_return_type
        name = owner.type.name
        aux = _second(function) if name.endswith("WithAux") else None
        value = bare(array) if name.startswith("_Value") else None
        return _of_gradient(gradient, value, aux, pair)

    def _report_aux(
        self, context: FunctionContext, function: CallableType, *, has_aux: bool
    ) -> None:
        """Reports a function that returns a tuple without `has_aux`, or a single value with it."""
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
        """Whether gradients of a module are states; None if that is not known."""
        modes = [
            truth(argument(context, name), default=True) for name in ("graph", "graph_updates")
        ]
        return False if False in modes else None if None in modes else True

    def _differentiated(
        self, expr: Expression | None, *, of_nodes: bool
    ) -> tuple[bool, list[Differentiated]]:
        """Whether a single argument is meant, and the arguments; none if they are not known."""
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
        array = self.values.reader.lookup(ARRAY)
        found = None if typ is None else get_proper_type(typ)
        if typ is None or found is None or array is None:
            return unknown()
        if recursive_alias(typ) is not None:
            return self.values.changed(typ, bare(array))
        if isinstance(found, TypeVarType):  # of a function that takes a module of any class
            bound = get_proper_type(found.upper_bound)
            of_nodes = isinstance(bound, Instance) and is_module(bound) and graph
            return self._gradient_of(bound, one, graph) if of_nodes else unknown()
        if isinstance(found, UnionType):
            return UnionType.make_union([self._gradient_of(x, one, graph) for x in found.items])
        if isinstance(found, NoneType):
            return found
        if isinstance(found, Instance) and is_module(found):
            if graph is None:
                return unknown()
            return self._state(found, one.filter) if graph else found
        if isinstance(found, TupleType) and found.partial_fallback.type.fullname == TUPLE:
            parts = [self._gradient_of(item, one, graph) for item in found.items]
            return TupleType(parts, found.partial_fallback)
        if isinstance(found, Instance) and found.type.fullname in (LIST, TUPLE, DICT):
            held = self._gradient_of(found.args[-1], one, graph)
            return Instance(found.type, [*found.args[:-1], held])
        return self.values.changed(found, bare(array))

    def _state(self, module: Instance, filter_: Type | None) -> Type:
        """The state of a module that a filter selects."""
        if filter_ is None:
            param = self.values.reader.lookup(PARAM)
            if param is None:
                return unknown()
            filter_ = bare(param)
        return self.functions.selected_state(module, filter_)


def _of_gradient(gradient: Type, value: Type | None, aux: Type | None, pair: TypeInfo) -> Type:
    """The result of a transform: the gradient, with the value and `aux` before it if asked for."""
    fallback = Instance(pair, [unknown()])
    if value is None:
        return gradient if aux is None else TupleType([gradient, aux], fallback)
    left = value if aux is None else TupleType([value, aux], fallback)
    return TupleType([left, gradient], fallback)


def _first(context: MethodContext) -> Type | None:
    """The type of the first positional argument of a call; None without one."""
    given = [typ for types in context.arg_types for typ in types]
    kinds = [kind for kinds in context.arg_kinds for kind in kinds]
    return given[0] if given and kinds[0] == ARG_POS else None


def _second(function: CallableType | None) -> Type:
    """The type of the second item of a pair that a function returns."""
    returned = None if function is None else get_proper_type(function.ret_type)
    is_pair = isinstance(returned, TupleType) and len(returned.items) == 2
    return returned.items[1] if is_pair and isinstance(returned, TupleType) else unknown()
