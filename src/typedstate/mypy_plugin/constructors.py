"""Reads the call that makes a module for facts beyond its class: no bias, its items, a filter."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from mypy.nodes import ARG_NAMED, ARG_POS, DictExpr, Expression, ListExpr, StarExpr, StrExpr
from mypy.plugin import FunctionContext
from mypy.types import Instance, Type, get_proper_type

from .calling import argument, as_made, truth
from .filters import Lookup, of_expression
from .tags import lacking, selecting, with_items

_OPTIONS: Final = {"use_bias": "bias", "use_scale": "scale"}


class Constructors:
    """Answers mypy's questions about calls of Flax's own classes.

    Attributes:
      lookup: finds a class by its full name.
    """

    def __init__(self, lookup: Lookup) -> None:
        """Keeps the lookup."""
        self.lookup = lookup

    def layer(self, context: FunctionContext) -> Type:
        """``nnx.Linear(2, 3, use_bias=False, rngs=rngs)``: a layer without a bias."""
        found = get_proper_type(context.default_return_type)
        without = [
            name
            for option, name in _OPTIONS.items()
            if truth(argument(context, option), default=True) is False
        ]
        known = isinstance(found, Instance) and without
        return lacking(found, without) if known and isinstance(found, Instance) else found

    def optimizer(self, context: FunctionContext) -> Type:
        """``nnx.Optimizer(model, tx, wrt=nnx.Param)``: an optimizer that remembers its filter."""
        found, wrt = get_proper_type(context.default_return_type), argument(context, "wrt")
        if not isinstance(found, Instance) or wrt is None:
            return found
        return selecting(found, of_expression(wrt, self.lookup))

    def list_of(self, context: FunctionContext) -> Type:
        """``nnx.List([a, b])``: a list whose items are of their own classes."""
        match context.args:
            case [[ListExpr(items=items)], *_]:
                return self._with_items(context, dict(enumerate(items)))
            case _:
                return context.default_return_type

    def sequential(self, context: FunctionContext) -> Type:
        """``nnx.Sequential(a, b)``."""
        given = [expr for args in context.args for expr in args]
        if any(kind != ARG_POS for kinds in context.arg_kinds for kind in kinds):
            return context.default_return_type
        return self._with_items(context, dict(enumerate(given)))

    def dict_of(self, context: FunctionContext) -> Type:
        """``nnx.Dict(a=..., b=...)`` and ``nnx.Dict({"a": ...})``."""
        items: dict[Hashable, Expression] = {}
        for args, kinds, names in zip(
            context.args, context.arg_kinds, context.arg_names, strict=False
        ):
            for expr, kind, name in zip(args, kinds, names, strict=False):
                if kind == ARG_NAMED and name is not None:
                    items[name] = expr
                elif isinstance(expr, DictExpr):
                    for key, value in expr.items:
                        if not isinstance(key, StrExpr):
                            return context.default_return_type
                        items[key.value] = value
                else:
                    return context.default_return_type
        return self._with_items(context, items)

    def _with_items(self, context: FunctionContext, items: dict[Hashable, Expression]) -> Type:
        found = get_proper_type(context.default_return_type)
        if not isinstance(found, Instance) or not items:
            return found
        if any(isinstance(item, StarExpr) for item in items.values()):
            return found
        ask = context.api.get_expression_type
        types = {key: as_made(context.api, ask(item), item) for key, item in items.items()}
        return with_items(found, types)
