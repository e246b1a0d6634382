"""Checks calls of ``nnx.Optimizer.update``: gradients must be those of its parameters."""

from __future__ import annotations

from mypy.errorcodes import ARG_TYPE
from mypy.nodes import CallExpr, MemberExpr
from mypy.plugin import MethodContext
from mypy.types import AnyType, Instance, TupleType, Type, UnionType, get_proper_type

from .calling import is_made_once, is_single
from .filters import selects
from .leaves import value_in
from .modules import is_module
from .names import ARRAYS, MODEL_AND_OPTIMIZER, SCALARS, STATE, VALUES, VARIABLE
from .reader import Reader
from .tags import selected_by
from .titles import title
from .trees import tree_of


class Optimizers:
    """Checks the arguments of an optimizer.

    Attributes:
      reader: reads types out of trees.
    """

    def __init__(self, reader: Reader) -> None:
        """Keeps the reader."""
        self.reader = reader

    def update(self, context: MethodContext) -> Type:
        """``optimizer.update(model, grads)``; reports gradients that can't be right."""
        optimizer = get_proper_type(context.type)
        if not isinstance(optimizer, Instance):
            return context.default_return_type
        place = 0 if optimizer.type.has_base(MODEL_AND_OPTIMIZER) else 1
        if is_single(context, place):
            grads = get_proper_type(context.arg_types[place][0])
            model = get_proper_type(optimizer.args[0]) if optimizer.args else None
            if isinstance(model, AnyType) and place == 1 and is_single(context, 0):
                model = get_proper_type(context.arg_types[0][0])
            why = self._refusal(grads, model, self._wrt(context, optimizer))
            if why is not None:
                text = f'Argument {place + 1} to "update" of "{optimizer.type.name}" {why}'
                context.api.fail(text, context.args[place][0], code=ARG_TYPE)
        return context.default_return_type

    def _wrt(self, context: MethodContext, optimizer: Instance) -> Type | None:
        """The filter of an optimizer; None if it is not known."""
        found = selected_by(optimizer)
        if found is None:
            return None
        read = context.context.callee if isinstance(context.context, CallExpr) else None
        known = isinstance(read, MemberExpr) and is_made_once(context.api, read.expr)
        return found if known else None

    def _refusal(self, grads: Type, model: Type | None, wrt: Type | None) -> str | None:
        """The reason why gradients can't be right; None if they may be."""
        found = get_proper_type(grads)
        module = model if isinstance(model, Instance) and is_module(model) else None
        match found:
            case TupleType(items=items):
                first = get_proper_type(items[0]) if items else None
                of_one = isinstance(first, Instance) and first.type.fullname in ARRAYS
                return "is a tuple, and no gradients" if module is not None or of_one else None
            case Instance() if found.type.fullname in ARRAYS | SCALARS:
                return f'is "{title(found)}", and no gradients'
            case Instance() if is_module(found):
                return self._of_other(found, module)
            case Instance() if found.type.has_base(STATE):
                tree = tree_of(found)
                base = None if tree is None or not is_module(tree.base) else tree.base
                of_other = None if base is None else self._of_other(base, module)
                return of_other or self._of_kinds(found, wrt)
            case _:
                return None

    def _of_other(self, found: Instance, model: Instance | None) -> str | None:
        if model is None or found.type.has_base(model.type.fullname):
            return None
        if model.type.has_base(found.type.fullname):
            return None
        return f'is of "{title(found)}", and the model is "{title(model)}"'

    def _of_kinds(self, state: Instance, wrt: Type | None) -> str | None:
        """The reason why a state has no gradients for a filter; None if it may have some."""
        if len(state.args) != 2:
            return None
        held = get_proper_type(state.args[1])
        leaves = [
            get_proper_type(leaf)
            for leaf in (held.items if isinstance(held, UnionType) else [held])
        ]
        if not all(isinstance(leaf, Instance) and leaf.type.has_base(VARIABLE) for leaf in leaves):
            return None
        if wrt is not None and all(selects(wrt, leaf) is False for leaf in leaves):
            return f'has leaves of "{title(held)}", and the optimizer is over "{title(wrt)}"'
        values = [
            get_proper_type(value_in(leaf, self.reader.lookup))
            for leaf in leaves
            if isinstance(leaf, Instance)
        ]
        abstract = [
            isinstance(value, Instance) and value.type.fullname in VALUES - ARRAYS
            for value in values
        ]
        return "is an abstract state, and no gradients" if all(abstract) else None
