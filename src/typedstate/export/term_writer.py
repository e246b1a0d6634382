"""`TermWriter`: writes classes, keys, filters, axis names and dims of a document.

`document_writer` and `form_writer` use it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from re import Pattern
from typing import Any, Final, cast

import jaxtyping
from flax.nnx import filterlib
from jax.sharding import PartitionSpec

from .._spec import dim_grammar, dims
from .._spec.dims import Dim, Expr, SingleDim, VariadicDim
from .._spec.filters import Wildcard
from .._spec.leaf_conditions import Predicate
from ..errors import SchemaError
from ..forms.likeness import OfDtypes, OfKinds
from . import document_terms as t
from .known_classes import KnownClasses

_PathContains: Final[Any] = filterlib.PathContains
_PathIn: Final[Any] = getattr(filterlib, "PathIn", None)


@dataclass(slots=True)
class TermWriter:
    """Writes the small parts of one document.

    Attributes:
      title: the title of the hint, for messages.
      known: the names of classes and other objects.
      classes: the objects that the document names, by name.
    """

    title: str
    known: KnownClasses
    classes: dict[str, Any] = field(default_factory=dict[str, Any])

    def error(self, where: str, text: str) -> SchemaError:
        """A SchemaError that says where."""
        place = f", {where}" if where else ""
        return SchemaError(f"SchemaDocument.of({self.title}{place}): {text}")

    def class_name(self, cls: Any, where: str) -> str:
        """The name of a class; raises SchemaError if it has none, or another class has it too."""
        name = self.known.name(cls)
        if name is None or len(name) > t.MAX_TEXT:
            raise self.error(where, f"{cls!r} has no name; give kinds={{'name': it}}")
        if self.classes.setdefault(name, cls) is not cls:
            raise self.error(
                where, f"two classes are called {name}; give names by kinds={{'name': it}}"
            )
        return name

    def callable_name(self, item: Any, what: str, where: str) -> str:
        """The name of a function; `what` names its use in messages."""
        name = self.known.name_of_callable(item)
        if name is not None:
            return name
        shown = getattr(item, "__name__", type(item).__name__)
        raise self.error(where, f"{what} {shown} has no name; give kinds={{'name': it}}")

    def dtype(self, name: str, dtypes: tuple[Any, ...] | None, where: str) -> t.DtypePart:
        """A dtype class; one of jaxtyping or of the caller is written by its name alone."""
        if dtypes is None:
            return t.DtypePart(name=name)
        for table in (vars(jaxtyping), self.known.given):
            if getattr(table.get(name), "dtypes", None) in (dtypes, list(dtypes)):
                return t.DtypePart(name=name)
        if any(isinstance(dtype, Pattern) for dtype in dtypes):
            raise self.error(where, f"the dtype class {name} has no name in kinds={{{name!r}: it}}")
        return t.DtypePart(name=name, dtypes=cast("tuple[str, ...]", dtypes))

    def validators(self, predicates: Iterable[Predicate], where: str) -> tuple[t.Validator, ...]:
        """The names of validators, and what forms ask of leaves that are not declared."""
        found: list[t.Validator] = []
        for predicate in predicates:
            if (condition := self._condition(predicate, where)) is not None:
                found.append(condition)
                continue
            name = self.known.name_of_validator(predicate)
            if name is None:
                text = f"the validator {predicate.text} has no name; give kinds={{'name': it}}"
                raise self.error(where, text)
            found.append(name)
        return tuple(found)

    def _condition(
        self, predicate: Predicate, where: str
    ) -> t.DtypeCondition | t.KindCondition | None:
        test: object = predicate.test
        if isinstance(test, OfDtypes):
            part = self.dtype(predicate.text.removeprefix("dtype "), test.dtypes, where)
            return t.DtypeCondition(type="dtype", dtype=part)
        if isinstance(test, OfKinds):
            parts = (
                t.KindPart(kind=self.class_name(kind, where), exact=exact)
                for kind, exact in test.kinds
            )
            return t.KindCondition(type="kind", kinds=tuple(parts))
        return None

    def key(self, key: Hashable, where: str) -> Any:
        """A key of a state or of a mapping."""
        if key is None or type(key) in (str, int, bool, float):
            return key
        if type(key) is bytes:
            return t.BytesKey(bytes=key.hex())
        if type(key) is tuple:
            return t.TupleKey(tuple=tuple(self.key(item, where) for item in key))
        raise self.error(where, f"a key of class {type(key).__name__} is no data")

    def path_key(self, key: Hashable, where: str) -> Any:
        """A key of a path, which may stand for every key of a class."""
        if isinstance(key, Wildcard):
            return t.AnyKey(any=cast(Any, key.of.__name__))
        return self.key(key, where)

    def literal(self, value: Any, where: str) -> Any:
        """A value of ``Literal``."""
        if value is None or type(value) in (str, int, bool):
            return value
        if type(value) is bytes:
            return t.BytesKey(bytes=value.hex())
        raise self.error(where, f"the literal {value!r} is no data")

    def axes(self, names: tuple[Any, ...] | None, where: str) -> Any:
        """Names of mesh axes, one entry for each axis of an array."""
        return None if names is None else tuple(self.axis_name(name, where) for name in names)

    def sums(self, axes: frozenset[Any], where: str) -> tuple[str, ...]:
        """Mesh axes over which something is summed, sorted."""
        for axis in axes:
            if not isinstance(axis, str):
                raise self.error(where, f"the axis name {axis!r} is no data")
        return tuple(sorted(axes))

    def axis_name(self, name: Any, where: str) -> Any:
        """The mesh axes of one axis of an array."""
        if name is None or isinstance(name, str):
            return name
        if name is ...:
            return t.RestOfAxes(rest=True)
        if name is PartitionSpec.UNCONSTRAINED:
            return t.AnyAxis(unconstrained=True)
        given: Any = name
        if isinstance(name, tuple) and all(isinstance(item, str) for item in given):
            return given
        raise self.error(where, f"the axis name {name!r} is no data")

    def rules(self, rules: Any, where: str) -> Any:
        """Rules for logical names of axes."""
        if rules is None:
            return None
        if callable(rules):
            return t.CallableRules(callable=self.callable_name(rules, "the rules", where))
        return tuple((name, self.axis_name(axes, where)) for name, axes in rules)

    def filters(self, filters: Iterable[Any], where: str) -> tuple[t.FilterPart, ...]:
        """NNX filters, each by `filter`."""
        return tuple(self.filter(item, where) for item in filters)

    def filter(self, item: Any, where: str) -> t.FilterPart:
        """An NNX filter."""
        match item:
            case type():
                return t.OfClass(type="class", cls=self.class_name(item, where))
            case filterlib.OfType(type=cls):
                return t.OfClass(type="class", cls=self.class_name(cls, where))
            case str():
                return t.OfTag(type="tag", tag=item)
            case filterlib.WithTag(tag=tag):
                return t.OfTag(type="tag", tag=tag)
            case _ if item is ... or item is True or isinstance(item, filterlib.Everything):
                return t.Everything(type="everything")
            case None | False | filterlib.Nothing():
                return t.Nothing(type="nothing")
            case list() | tuple():
                inner = self.filters(cast("Iterable[Any]", item), where)
                return t.AnyOf(type="any", of=inner, group=True)
            case filterlib.Any(predicates=predicates):
                return t.AnyOf(type="any", of=self.filters(predicates, where))
            case filterlib.All(predicates=predicates):
                return t.AllOf(type="all", of=self.filters(predicates, where))
            case filterlib.Not(predicate=predicate):
                return t.NotOf(type="not", of=self.filter(predicate, where))
            case _PathContains():
                exact = bool(getattr(item, "exact", True))
                return t.WithKey(type="key", key=self.key(item.key, where), exact=exact)
            case _ if _PathIn is not None and isinstance(item, _PathIn):
                paths = sorted(item.paths, key=repr)
                keys = tuple(tuple(self.key(key, where) for key in path) for path in paths)
                return t.AtPaths(type="paths", paths=keys)
            case _:
                return t.Callable(
                    type="callable", name=self.callable_name(item, "the filter", where)
                )


def cut(text: str) -> str:
    """A title, shortened to what a document allows."""
    return text if len(text) <= t.MAX_TEXT - 10 else f"{text[: t.MAX_TEXT - 13]}..."


# -- Dims ----------------------------------------------------------------------------------


def links_part(links: Iterable[tuple[str, Expr[str]]]) -> dict[str, Any]:
    """The dims of a `Bind`."""
    return {name: size_part(expr) for name, expr in links}


def size_part(expr: Expr[str]) -> Any:
    """The size as text, if the text reads back as the same size; else as a model."""
    text = dim_grammar.show_expr(expr)
    try:
        if dim_grammar.parse_expr(text) == expr:
            return text
    except dim_grammar.DimError:
        pass
    match expr:
        case dims.Name(name):
            return t.HiddenName(name=name)
        case dims.Sum(left, right, sign):
            return t.Operation(
                op="+" if sign > 0 else "-", left=size_part(left), right=size_part(right)
            )
        case dims.Product(left, right):
            return t.Operation(op="*", left=size_part(left), right=size_part(right))
        case dims.Opaque(symbol, left, right):
            operator: Any = symbol
            return t.Operation(op=operator, left=size_part(left), right=size_part(right))
        case _:
            return text


def shape_part(shape: tuple[Dim, ...] | None) -> Any:
    """The shape as text, if the text reads back as the same shape; else as a list."""
    if shape is None:
        return None
    text = dim_grammar.show_shape(shape)
    try:
        if dim_grammar.parse_shape(text) == shape:
            return text
    except dim_grammar.DimError:
        pass
    return tuple(map(_dim, shape))


def _dim(dim: Dim) -> Any:
    if isinstance(dim, SingleDim):
        return axis_part(dim)
    assert isinstance(dim, VariadicDim)
    return t.AxesPart(type="axes", name=dim.name, broadcast=dim.broadcast, per_leaf=dim.per_leaf)


def axis_part(axis: SingleDim) -> t.AxisPart:
    """One axis of a shape."""
    return t.AxisPart(
        type="axis",
        text=axis.text,
        size=None if axis.expr is None else size_part(axis.expr),
        broadcast=axis.broadcast,
        per_leaf=axis.per_leaf,
    )
