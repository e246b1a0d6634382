"""Results of calls that follow from a schema, or from a filter that overloads can't express."""

from __future__ import annotations

from collections.abc import Sequence

from mypy.maptype import map_instance_to_supertype
from mypy.nodes import (
    ARG_POS,
    Expression,
    IndexExpr,
    MemberExpr,
    NameExpr,
    RefExpr,
    TupleExpr,
    TypeInfo,
)
from mypy.plugin import FunctionContext, MethodContext
from mypy.types import AnyType, Instance, TupleType, Type, UnionType, get_proper_type

from .annotations import KEEPING
from .calling import as_made
from .filters import bare, leaf_of, of_expression, selects, unknown
from .leaves import HOLDING
from .modules import is_module
from .names import ANNOTATED, ARRAY, INTERMEDIATE, STATE, TUPLE
from .presence import given_to
from .reader import Reader, is_without_schema
from .tags import Tag, has_any_values, tag_of, tagged, without_any_values
from .trees import tree_of


class Functions:
    """Answers mypy's questions about calls.

    Attributes:
      reader: reads types out of trees.
      of_modules: whether the state of a module is read from its class.
    """

    def __init__(self, reader: Reader, *, of_modules: bool) -> None:
        """Keeps the reader and the option."""
        self.reader = reader
        self.of_modules = of_modules

    def of(self, context: MethodContext) -> Type:
        """``S.of(node, *filters)`` is an `Only`."""
        found = get_proper_type(context.default_return_type)
        filters = self._filters(context.args[1:], context.callee_arg_names[1:])
        if not filters or not isinstance(found, Instance) or tree_of(found) is None:
            return context.default_return_type
        return self.reader.wrap(Tag("Only", found, tuple(filters)), found)

    def check(self, context: FunctionContext) -> Type:
        """``check(value, Only[S, nnx.Param])`` keeps the form that mypy drops."""
        if len(context.args) < 2 or not context.args[1]:
            return context.default_return_type
        found = self._type_of(context.args[1][0])
        return context.default_return_type if found is None else found

    def to_pure_dict(self, context: FunctionContext) -> Type:
        """``nnx.to_pure_dict(state)`` is a `Pure`."""
        extract = context.args[1] if len(context.args) > 1 else []
        if extract or not context.arg_types or not context.arg_types[0]:
            return context.default_return_type
        return self._wrapped("Pure", context.arg_types[0][0], context.default_return_type)

    def to_pure_dict_method(self, context: MethodContext) -> Type:
        """``state.to_pure_dict()`` is a `Pure`."""
        if any(context.args):
            return context.default_return_type
        return self._wrapped("Pure", context.type, context.default_return_type)

    def to_flat_state(self, context: FunctionContext) -> Type:
        """``nnx.to_flat_state(state)`` has the leaves of the state, in any context.

        mypy infers a type variable from the expected type too, which is Any in an argument of an
        untyped function.
        """
        flat = get_proper_type(context.default_return_type)
        given = [get_proper_type(item) for item in context.arg_types[0]]
        state = self.reader.lookup(STATE)
        if not isinstance(flat, Instance) or len(given) != 1 or not isinstance(given[0], Instance):
            return context.default_return_type
        lost = flat.args and isinstance(get_proper_type(flat.args[0]), AnyType)
        if not lost or state is None or not given[0].type.has_base(STATE):
            return context.default_return_type
        return Instance(flat.type, map_instance_to_supertype(given[0], state).args[1:])

    def as_pure(self, context: FunctionContext) -> Type:
        """``nnx.as_pure(state)`` is a `Values`."""
        if not context.arg_types or not context.arg_types[0]:
            return context.default_return_type
        return self._wrapped("Values", context.arg_types[0][0], context.default_return_type)

    def _wrapped(self, form: str, inner: Type, default: Type) -> Type:
        found = get_proper_type(inner)
        if not isinstance(found, Instance) or tree_of(found) is None:
            return default
        if not found.type.has_base(STATE):  # a Pure of a Pure
            return default
        return self.reader.wrap(Tag(form, found, ()), found)

    def filtered(self, context: FunctionContext) -> Type:
        """``nnx.state``, ``split``, ``variables``."""
        if not context.arg_types or not context.arg_types[0]:
            return context.default_return_type
        filters = self._filters(context.args[1:], context.callee_arg_names[1:])
        node = as_made(context.api, context.arg_types[0][0], context.args[0][0])
        given = self._state_of(node)
        return self._filtered(given, filters, context.default_return_type)

    def filtered_state(self, context: FunctionContext) -> Type:
        """``nnx.filter_state``, ``split_state``."""
        if not context.arg_types or not context.arg_types[0]:
            return context.default_return_type
        return self._of_state(context, context.arg_types[0][0], 1)

    def popped(self, context: FunctionContext) -> Type:
        """``nnx.pop``: popped leaves were mostly sown, and no attribute declares them."""
        filters = self._filters(context.args[1:], context.callee_arg_names[1:])
        any_node = unknown()
        return self._filtered(any_node, filters, context.default_return_type)

    def merged(self, context: FunctionContext) -> Type:
        """``nnx.merge_state(params, rest)``: the whole of which the first is a part."""
        found = get_proper_type(context.default_return_type)
        tree = tree_of(found)
        several = sum(len(given) for given in context.args) > 1
        if tree is None or not isinstance(found, Instance) or not several:
            return found
        kept = (form for form in tree.forms if form.form not in ("Only", "Rest"))
        return self.reader.in_forms(tree.base, kept)

    def _state_of(self, given: Type) -> Type:
        """The state of a module, if it is read from its class; else the given type."""
        found = get_proper_type(given)
        if not self.of_modules or not isinstance(found, Instance) or not is_module(found):
            return found
        state = self.reader.modules.state_of(found)
        if not has_any_values(found) or not isinstance(state, Instance):
            return state
        return self.reader.wrap(Tag(HOLDING, state, (unknown(),)), state)

    def filtered_method(self, context: MethodContext) -> Type:
        """``state.filter`` and ``state.split``."""
        return self._of_state(context, context.type, 0)

    def _of_state(self, context: FunctionContext | MethodContext, given: Type, first: int) -> Type:
        """What filters, the arguments from the first on, select from a state."""
        filters = self._filters(context.args[first:], context.callee_arg_names[first:])
        state = get_proper_type(given)
        kinds = {kind for kinds in context.arg_kinds[first:] for kind in kinds}
        # A filter with Any in its type fits several overloads, and mypy takes no answer of theirs.
        unsure = any(isinstance(get_proper_type(filter_), AnyType) for filter_ in filters)
        given_by_place = kinds == {ARG_POS}
        if unsure and given_by_place and isinstance(state, Instance) and _is_plain_state(state):
            return self._left_of(state, filters, context.default_return_type)
        return self._filtered(given, filters, context.default_return_type)

    def _left_of(self, state: Instance, filters: list[Type], default: Type) -> Type:
        """Parts of a state: each has leaves of the state that its filter may select."""
        keys, held = state.args
        found = get_proper_type(held)
        leaves = found.items if isinstance(found, UnionType) else [found]
        parts: list[Type] = []
        for filter_ in filters:
            left = [x for x in map(get_proper_type, leaves) if selects(filter_, x) is not False]
            part = Instance(state.type, [keys, UnionType.make_union(left) if left else held])
            parts.append(self._with_leaves(part, [filter_]))
        if len(parts) == 1:
            return parts[0]
        whole = self.reader.lookup(TUPLE)
        return (
            default
            if whole is None
            else TupleType(parts, Instance(whole, [UnionType.make_union(parts)]))
        )

    def _filtered(self, given: Type, filters: list[Type], default: Type) -> Type:
        tree = get_proper_type(given)
        whole = isinstance(tree, Instance) and is_without_schema(tree)
        if not filters and not whole:
            return default
        found = get_proper_type(default)
        if isinstance(found, Instance):
            items: Sequence[Type] = [found]
        elif isinstance(found, TupleType):
            items = found.items
        else:
            return default
        head = len(items) - max(len(filters), 1)
        if head not in (0, 1):
            return default
        states = [
            self._part(tree, filters[: index + 1], item) for index, item in enumerate(items[head:])
        ]
        if isinstance(found, TupleType):
            graphdefs = map(_graphdef, items[:head])
            return TupleType([*graphdefs, *states], found.partial_fallback)
        return states[0]

    def _part(self, given: Type, filters: list[Type], default: Type) -> Type:
        """The state that the last filter selects from the leaves that the others don't select."""
        found, tree = get_proper_type(default), get_proper_type(given)
        if not isinstance(found, Instance):
            return default
        if not isinstance(tree, Instance) or tree.type != found.type or tree_of(tree) is None:
            return self._with_leaves(found, filters)
        selected = self._selected(tree, filters)
        tag = tag_of(selected) if isinstance(selected, Instance) else None
        if tag is None or not is_without_schema(tree):
            return selected
        whole = tag_of(tree)
        if whole is not None and whole.form == HOLDING:
            leaf = leaf_of(filters[-1], unknown()) if filters else None
            given = found.args[1] if _is_any(found.args[1]) else unknown()
            held = Instance(found.type, [found.args[0], leaf or given])
            return self.reader.with_leaves(tagged(held, tag))
        new = tagged(self._with_leaves(found, filters), tag)
        return self.reader.with_leaves(new) if _is_any(new.args[-1]) else new

    def selected_state(self, module: Instance, filter_: Type) -> Type:
        """``nnx.state(module, filter_)``."""
        state = self.reader.lookup(STATE)
        if state is None:
            return unknown()
        return self._part(self._state_of(module), [filter_], bare(state))

    def _with_leaves(self, state: Instance, filters: list[Type]) -> Instance:
        """A state with the leaves of the last filter, if they are all that is known of its own."""
        array = self.reader.lookup(ARRAY)
        leaf = None if array is None or not filters else leaf_of(filters[-1], bare(array))
        if state.type.fullname != STATE or leaf is None:
            return state
        known_by_filter = _is_any(state.args[1]) or state.args[1] == leaf
        return Instance(state.type, [state.args[0], _sown(leaf)]) if known_by_filter else state

    def _selected(self, tree: Instance, filters: list[Type]) -> Type:
        inner = tree
        if not filters:
            return inner
        if len(filters) > 1:
            rest = self.reader.wrap(Tag("Rest", inner, tuple(filters[:-1])), inner)
            inner = rest if isinstance(rest, Instance) else inner
        return self.reader.wrap(Tag("Only", inner, (filters[-1],)), inner)

    def _filters(
        self, args: Sequence[Sequence[Expression]], names: Sequence[str | None]
    ) -> list[Type]:
        return [
            of_expression(expr, self.reader.lookup)
            for name, given in zip(names, args, strict=False)
            if name != "graph"
            for expr in given
        ]

    def _type_of(self, expr: Expression) -> Type | None:
        """The type of a form that is used as a value; None for any other expression."""
        if not isinstance(expr, IndexExpr) or not isinstance(expr.base, RefExpr):
            return None
        if expr.base.fullname not in ANNOTATED or not isinstance(expr.index, TupleExpr):
            return None
        form = expr.base.name if isinstance(expr.base, NameExpr | MemberExpr) else ""
        inner = self._type_of(expr.index.items[0]) or _class_of(expr.index.items[0])
        if form not in KEEPING or not isinstance(inner, Instance) or tree_of(inner) is None:
            return None
        filters = given_to(form, expr.index.items[1:], self.reader.lookup)
        return self.reader.wrap(Tag(form, inner, tuple(filters)), inner)


def _class_of(expr: Expression) -> Type | None:
    if isinstance(expr, RefExpr) and isinstance(expr.node, TypeInfo):
        return bare(expr.node) if not expr.node.defn.type_vars else None
    return None


def _is_plain_state(typ: Instance) -> bool:
    """Whether a type is Flax's state, of which no key is known."""
    return typ.type.fullname == STATE and len(typ.args) == 2 and tree_of(typ) is None


def _graphdef(graphdef: Type) -> Type:
    """A graph definition, which is merged with other values than those of its node."""
    found = get_proper_type(graphdef)
    node = get_proper_type(found.args[0]) if isinstance(found, Instance) and found.args else None
    if not isinstance(found, Instance) or not isinstance(node, Instance) or not is_module(node):
        return graphdef
    return Instance(found.type, [without_any_values(node)])


def _sown(leaf: Type) -> Type:
    """A leaf that a class selects: what `sow` keeps in an `Intermediate` is mostly a tuple."""
    found = get_proper_type(leaf)
    items = found.items if isinstance(found, UnionType) else [found]
    kinds = [item for item in map(get_proper_type, items) if isinstance(item, Instance)]
    return UnionType.make_union(
        [bare(kind.type) if kind.type.fullname == INTERMEDIATE else kind for kind in kinds]
    )


def _is_any(typ: Type) -> bool:
    """Whether leaves may be anything; the stubs declare them as ``Variable[Any] | Any``."""
    found = get_proper_type(typ)
    items = found.items if isinstance(found, UnionType) else [found]
    return any(isinstance(get_proper_type(item), AnyType) for item in items)


__all__ = ["Functions"]
