"""Results of JAX's and optax's functions over trees: the same tree, with new values."""

from __future__ import annotations

from typing import Any, cast

from mypy.nodes import CallExpr, Expression, LambdaExpr, RefExpr
from mypy.plugin import FunctionContext
from mypy.types import AnyType, Instance, NoneType, TupleType, Type, UnionType, get_proper_type

from .calling import (
    argument,
    argument_type,
    callable_of,
    function_type,
    is_single,
    is_spread,
    rest,
    result,
)
from .filters import bare, unknown
from .names import (
    ARRAY,
    FLAT_STATE,
    LIST,
    NDARRAY,
    SHAPE,
    SHARDING,
    SPEC,
    STATE,
    TUPLE,
    VARIABLE,
    VARIABLES,
)
from .values import Values


class TreeFunctions:
    """Answers mypy's questions about functions over trees.

    Attributes:
      values: changes the values of a tree.
    """

    def __init__(self, values: Values) -> None:
        """Keeps the helper."""
        self.values = values

    def first(self, context: FunctionContext) -> Type:
        """``block_until_ready(x)``, ``psum(x, "i")``: the type of x."""
        return self._as(context, 0)

    def first_as_arrays(self, context: FunctionContext) -> Type:
        """``with_sharding_constraint(x, s)``: x with arrays of JAX."""
        given, info = self._as(context, 0), self.values.reader.lookup(ARRAY)
        found = given if info is None else self.values.changed(given, bare(info))
        return given if isinstance(get_proper_type(found), AnyType) else found

    def second(self, context: FunctionContext) -> Type:
        """``incremental_update(new, old, size)``: the type of `old`."""
        return self._as(context, 1)

    def _as(self, context: FunctionContext, place: int) -> Type:
        if not is_single(context, place):
            return context.default_return_type
        found = context.arg_types[place][0]
        known = isinstance(get_proper_type(found), Instance | TupleType)
        return _without_literal(found) if known else context.default_return_type

    def device_put(self, context: FunctionContext) -> Type:
        """``jax.device_put(x)``: x with arrays of JAX."""
        return self._with(context, argument_type(context, "x"), ARRAY)

    def device_get(self, context: FunctionContext) -> Type:
        """``jax.device_get(x)``: x with arrays of NumPy."""
        return self._with(context, argument_type(context, "x"), NDARRAY, scalars=False)

    def eval_shape(self, context: FunctionContext) -> Type:
        """``eval_shape(f, *args)``: f's result with abstract values; a module keeps its class."""
        function = callable_of(function_type(context))
        if function is None or function.variables:
            return context.default_return_type
        return self._with(context, function.ret_type, SHAPE)

    def partition_spec(self, context: FunctionContext) -> Type:
        """``nnx.get_partition_spec(tree)``: the tree with partition specs."""
        return self._with(context, argument_type(context, "tree"), SPEC, scalars=False)

    def named_sharding(self, context: FunctionContext) -> Type:
        """``nnx.get_named_sharding(tree, mesh)``: the tree with shardings."""
        return self._with(context, argument_type(context, "tree"), SHARDING, scalars=False)

    def _with(
        self, context: FunctionContext, typ: Type | None, name: str, *, scalars: bool = True
    ) -> Type:
        info = self.values.reader.lookup(name)
        if typ is None or info is None:
            return context.default_return_type
        found = self.values.changed(typ, bare(info), scalars=scalars)
        return context.default_return_type if isinstance(found, AnyType) else found

    def map(self, context: FunctionContext) -> Type:
        """``jax.tree.map(f, tree, *rest)``: the tree with f's results as values."""
        return self._mapped(context, [])

    def map_with_path(self, context: FunctionContext) -> Type:
        """``jax.tree.map_with_path(f, tree, *rest)``: f takes the path before the values."""
        path = self.values.reader.lookup(TUPLE)
        return context.default_return_type if path is None else self._mapped(context, [bare(path)])

    def _mapped(self, context: FunctionContext, before: list[Type]) -> Type:
        function, typ = argument(context, "f"), argument_type(context, "f")
        tree = argument_type(context, "tree")
        if function is None or typ is None or tree is None or is_spread(context):
            return context.default_return_type
        if isinstance(get_proper_type(tree), AnyType | NoneType):  # None until a method assigns it
            return context.default_return_type
        whole = _leaf_class(argument(context, "is_leaf"))
        if whole is None:
            return self._structure(tree, context.default_return_type)
        given = [self._given(one, whole) for one in (tree, *rest(context, "rest"))]
        new = result(context.api, function, typ, [*before, *given], context.context)
        proper = get_proper_type(new)
        if isinstance(proper, NoneType | UnionType) or (whole and not isinstance(proper, Instance)):
            return self._structure(tree, context.default_return_type)
        found = self._of_leaves(tree, new) if whole else self.values.changed(tree, new)
        if isinstance(get_proper_type(found), AnyType):
            return self._structure(tree, context.default_return_type)
        return found

    def _given(self, tree: Type, whole: str) -> Type:
        """The type of the values that a function gets from a tree."""
        found = get_proper_type(tree)
        if whole:
            held = isinstance(found, Instance) and found.type.fullname in (STATE, FLAT_STATE)
            return found.args[-1] if held and isinstance(found, Instance) else unknown()
        values = self.values.of(tree)
        return UnionType.make_union(values) if values else unknown()

    def _of_leaves(self, tree: Type, new: Type) -> Type:
        """A tree whose Variables are replaced by other leaves."""
        found, leaf = get_proper_type(tree), get_proper_type(new)
        if not isinstance(found, Instance) or found.type.fullname not in (STATE, FLAT_STATE):
            return unknown()
        return found if found.args[-1] == leaf else Instance(found.type, [*found.args[:-1], leaf])

    def _structure(self, tree: Type, default: Type) -> Type:
        """A state of the same class whose leaves may be anything."""
        found = get_proper_type(tree)
        if isinstance(found, Instance) and found.type.fullname in (STATE, FLAT_STATE):
            return Instance(found.type, [*found.args[:-1], unknown()])
        return default

    def leaves(self, context: FunctionContext) -> Type:
        """``jax.tree.leaves(tree)``: a list of its values."""
        found = self._listed(context)
        return context.default_return_type if found is None else found

    def flatten(self, context: FunctionContext) -> Type:
        """``jax.tree.flatten(tree)``: the list of its values, and the structure."""
        found, default = self._listed(context), get_proper_type(context.default_return_type)
        if found is None or not isinstance(default, TupleType) or len(default.items) != 2:
            return context.default_return_type
        return TupleType([found, default.items[1]], default.partial_fallback)

    def _listed(self, context: FunctionContext) -> Type | None:
        tree, info = argument_type(context, "tree"), self.values.reader.lookup(LIST)
        whole = _leaf_class(argument(context, "is_leaf"))
        if tree is None or info is None or whole is None or is_spread(context):
            return None
        leaf = self._given(tree, whole)
        return None if isinstance(get_proper_type(leaf), AnyType) else Instance(info, [leaf])


def _leaf_class(is_leaf: Expression | None) -> str | None:
    """The class at which a function over trees stops: empty without one, None if it is not known.

    Only ``lambda x: isinstance(x, nnx.Variable)`` is recognised.
    """
    if is_leaf is None or (isinstance(is_leaf, RefExpr) and is_leaf.fullname == "builtins.None"):
        return ""
    if not isinstance(is_leaf, LambdaExpr):
        return None
    match is_leaf.expr():
        case CallExpr(callee=RefExpr(fullname="builtins.isinstance"), args=[_, RefExpr() as kind]):
            return VARIABLE if kind.fullname in VARIABLES else None
        case _:
            return None


def _without_literal(typ: Type) -> Type:
    found = get_proper_type(typ)
    if isinstance(found, Instance) and found.last_known_value is not None:
        return cast(Instance, cast(Any, found).copy_modified(last_known_value=None))
    return typ
