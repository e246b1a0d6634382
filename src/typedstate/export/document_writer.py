"""Spec to document: every node and form of a hint as the model that says the same.

What is no data (a validator, a function as a filter) is written by the name that the caller
gives it; without one the hint has no document, and the error says where.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from re import Pattern
from typing import Any, Final, assert_never, cast

import jaxtyping
from flax.nnx import filterlib
from jax.sharding import PartitionSpec

from .._spec import dim_grammar, dims
from .._spec.dims import Dim, Expr, SingleDim, VariadicDim
from .._spec.filters import Wildcard
from .._spec.nodes import (
    Anything,
    Argument,
    Array,
    Bound,
    Conditional,
    EntriesSpec,
    Extra,
    Field,
    FlatSpec,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    Map,
    MappingOf,
    ModuleState,
    Node,
    NoValue,
    Partition,
    PlacedSpec,
    Predicate,
    RecordOf,
    SameSpec,
    SchemaRef,
    ScopedSpec,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
    Within,
)
from .._spec.rewrite import Derived
from .._spec.selecting import Adding, Selecting
from .._spec.transform import Transform
from ..errors import SchemaError
from ..forms.likeness import Resembling
from ..forms.placing import Naming, Placing
from ..forms.replacing import Abstracting, Replacing, Unwrapping
from ..forms.stacking import Stacking
from . import document_nodes as n, document_terms as t
from .known_classes import KnownClasses

MAX_SCHEMAS: Final = 10_000
_PathContains: Final[Any] = filterlib.PathContains
_PathIn: Final[Any] = getattr(filterlib, "PathIn", None)


@dataclass(slots=True)
class Writer:
    """Collects the schemas of one document.

    Attributes:
      title: of the hint, for messages.
      known: the names of classes.
      schemas: what is written, by name.
      classes: what the names in it stand for.
    """

    title: str
    known: KnownClasses
    schemas: dict[str, n.SchemaEntry] = field(default_factory=dict[str, "n.SchemaEntry"])
    classes: dict[str, Any] = field(default_factory=dict[str, Any])
    _names: dict[SchemaRef, str] = field(default_factory=dict[SchemaRef, str])
    _waiting: list[SchemaRef] = field(default_factory=list[SchemaRef])
    _taken: set[str] = field(default_factory=set[str])
    _forms: dict[str, str] = field(default_factory=dict[str, str])

    def root(self, spec: Spec) -> n.SpecPart:
        """Writes a hint and every schema below it."""
        found = self.spec(spec, "")
        while self._waiting:
            ref = self._waiting.pop(0)
            self.schemas[self._names[ref]] = self._class_entry(ref)
        return found

    def error(self, where: str, text: str) -> SchemaError:
        """A SchemaError that says where."""
        place = f", {where}" if where else ""
        return SchemaError(f"SchemaDocument.of({self.title}{place}): {text}")

    # -- Schemas ---------------------------------------------------------------------------

    def _name(self, ref: SchemaRef) -> str:
        """The name of a schema in the document; that of a class is written later."""
        if ref not in self._names:
            if len(self._names) >= MAX_SCHEMAS:
                raise self.error("", f"more than {MAX_SCHEMAS} schemas")
            if isinstance(ref, Derived):
                self._names[ref] = self._form(ref)
            else:
                self._names[ref] = self._unique(ref)
                self._waiting.append(ref)
        return self._names[ref]

    def _form(self, ref: Derived) -> str:
        """Writes a form, once for all that say the same."""
        entry = n.FormPart(
            type="form",
            of=self._name(ref.base),
            form=self._transform(ref.transform, ref.base.name),
            path=tuple(self._path_key(key, ref.base.name) for key in ref.path),
        )
        text = entry.model_dump_json()
        if text not in self._forms:
            self._forms[text] = self._unique(ref)
            self.schemas[self._forms[text]] = entry
        return self._forms[text]

    def _unique(self, ref: SchemaRef) -> str:
        text = _title(ref)
        name, number = text, 1
        while name in self._taken:
            number += 1
            name = f"{text} #{number}"
        self._taken.add(name)
        return name

    def _class_entry(self, ref: SchemaRef) -> n.ClassPart:
        schema = ref.resolve()
        fields = tuple(self._field(item, f"{ref.name}.{item.name}") for item in schema.fields)
        extra = self._extra(schema.extra, f"{ref.name}, extra=")
        return n.ClassPart(type="class", name=_title(ref), fields=fields, extra=extra)

    def _field(self, item: Field, where: str) -> n.FieldPart:
        return n.FieldPart(
            key=self._key(item.key, where),
            name=None if item.name == item.key and type(item.key) is str else item.name,
            holds=self.spec(item.spec, where),
            optional=item.optional,
            shared=item.shared,
        )

    def _extra(self, extra: Extra, where: str) -> n.ExtraPart | None:
        if extra == Extra():
            return None
        patterns = tuple(
            n.PatternPart(keys=pattern, holds=self.spec(spec, where))
            for pattern, spec in extra.patterns
        )
        allowed = tuple(
            n.AllowedPart(
                kinds=None
                if item.kinds is None
                else tuple(self._class(kind, where) for kind in item.kinds),
                selections=tuple(
                    n.SelectionPart(
                        filter=self._filter(one.filter, where),
                        keep=one.keep,
                        path=tuple(self._path_key(key, where) for key in one.path),
                    )
                    for one in item.selections
                ),
            )
            for item in extra.allowed
        )
        return n.ExtraPart(patterns=patterns, allowed=allowed)

    def _transform(self, form: Transform, where: str) -> n.TransformPart:
        match form:
            case Selecting(filters, keep):
                kept = self._filters(filters, where)
                return n.SelectingForm(form="Only" if keep else "Rest", filters=kept)
            case Adding(kinds):
                classes = tuple(self._class(kind, where) for kind in kinds)
                return n.PlusForm(form="Plus", kinds=classes)
            case Stacking(dim, text, index, partition, filters):
                return n.StackedForm(
                    form="Stacked",
                    dim=dim,
                    text=text,
                    at=index,
                    axis=None if partition is ... else partition,
                    nameless=partition is None,
                    filters=self._filters(filters, where),
                )
            case Placing(placed, name):
                rules = self._rules(placed.rules, where)
                return n.PlacedForm(form=cast(Any, name), rules=rules)
            case Naming(text, table, groups, pending):
                return n.ShardedForm(
                    form="Sharded",
                    text=text,
                    table=dict(table),
                    groups=tuple(tuple(map(_links, group)) for group in groups),
                    pending=tuple(map(_links, pending)),
                )
            case Unwrapping(pure):
                return n.PlainForm(form="Pure" if pure else "Values")
            case Abstracting():
                return n.PlainForm(form="Abstract")
            case Replacing(name, _):
                return n.PlainForm(form=cast(Any, name))
            case Resembling(text, kinds, dtype, values, name, filters):
                leaves = tuple(self.spec(kind, where) for kind in kinds)
                return n.LikeForm(
                    form=cast(Any, name),
                    text=_cut(text),
                    kinds=cast("tuple[n.LeafPart, ...]", leaves),
                    dtype=None if dtype is None else self._dtype(*dtype, where),
                    values=tuple(self.spec(value, where) for value in values),
                    filters=self._filters(filters, where),
                )
            case _:
                raise self.error(where, f"the form {form.title('...')} has no document")

    # -- Hints -----------------------------------------------------------------------------

    def spec(self, spec: Spec, where: str) -> n.SpecPart:
        """A hint, or a part of one."""
        match spec:
            case Anything():
                return n.AnyPart(type="any")
            case NoValue():
                return n.NonePart(type="none")
            case Instance(cls):
                return n.InstancePart(type="instance", cls=self._class(cls, where))
            case Literally(values):
                found = tuple(self._literal(value, where) for value in values)
                return n.LiteralPart(type="literal", values=found)
            case Array():
                return self._array(spec, where)
            case TupleOf(items, rest):
                return n.TuplePart(
                    type="tuple",
                    items=tuple(self.spec(item, where) for item in items),
                    rest=None if rest is None else self.spec(rest, where),
                )
            case ItemsOf(cls, item):
                name = self._class(cls, where)
                return n.ItemsPart(type="items", cls=name, item=self.spec(item, where))
            case MappingOf(cls, key, value):
                return n.MappingPart(
                    type="mapping",
                    cls=self._class(cls, where),
                    key=self.spec(key, where),
                    value=self.spec(value, where),
                )
            case RecordOf(cls, fields, required):
                parts = tuple(
                    n.RecordField(
                        name=name, holds=self.spec(item, where), required=name in required
                    )
                    for name, item in fields
                )
                return n.RecordPart(type="record", cls=self._class(cls, where), fields=parts)
            case Partition(cls, names, shape, rules):
                return n.PartitionPart(
                    type="partition",
                    cls=self._class(cls, where),
                    axes=self._axes(names, where),
                    shape=_shape(shape),
                    rules=self._rules(rules, where),
                )
            case Validated(inner, predicates):
                return n.ValidatedPart(
                    type="validated",
                    of=self.spec(inner, where),
                    validators=self._validators(predicates, where),
                )
            case Leaf():
                return self._leaf(spec, where)
            case (
                Node()
                | Map()
                | EntriesSpec()
                | StateOfSpec()
                | Union()
                | Bound()
                | Argument()
                | Within()
                | ScopedSpec()
                | SameSpec()
                | FlatSpec()
                | Conditional()
                | ModuleState()
            ):
                return self._tree(spec, where)
            case _:
                assert_never(spec)

    def _tree(self, spec: Spec, where: str) -> n.SpecPart:
        match spec:
            case Node(ref):
                return n.SchemaPart(type="schema", schema_=self._name(ref))
            case Map(key, entry, length, container, extra):
                return n.MapPart(
                    type="map",
                    keys=key,
                    entry=self.spec(entry, where),
                    length=None if length is None else _size(length),
                    container=container,
                    extra=self._extra(extra, where),
                )
            case EntriesSpec(items, container, extra):
                return n.EntriesPart(
                    type="entries",
                    items=tuple(None if item is None else self.spec(item, where) for item in items),
                    container=container,
                    extra=self._extra(extra, where),
                )
            case StateOfSpec(leaf, container):
                return n.TreePart(type="tree", leaf=self.spec(leaf, where), container=container)
            case Union(options):
                found = tuple(self.spec(option, where) for option in options)
                return n.UnionPart(type="union", options=found)
            case Bound(inner, links):
                return n.BindPart(type="bind", of=self.spec(inner, where), dims=_links(links))
            case ScopedSpec(inner, scope):
                return n.ScopedPart(type="scoped", of=self.spec(inner, where), scope=scope)
            case SameSpec(inner, group):
                return n.SamePart(type="same", of=self.spec(inner, where), group=group)
            case FlatSpec(inner, separator):
                return n.FlatPart(type="flat", of=self.spec(inner, where), separator=separator)
            case Conditional(filter_, path, yes, no, open_):
                return n.DecidePart(
                    type="filtered",
                    filter=self._filter(filter_, where),
                    path=tuple(self._path_key(key, where) for key in path),
                    yes=None if yes is None else self.spec(yes, where),
                    no=None if no is None else self.spec(no, where),
                    open=open_,
                )
            case Argument(inner=inner) | Within(inner=inner):
                return self.spec(inner, where)  # what was written; its names become the class's
            case ModuleState(cls, inner):
                name = self._class(cls, where)
                return n.ModulePart(type="module", cls=name, state=self.spec(inner, where))
            case (
                Anything()
                | NoValue()
                | Instance()
                | Literally()
                | Array()
                | TupleOf()
                | ItemsOf()
                | MappingOf()
                | RecordOf()
                | Partition()
                | Validated()
                | Leaf()
            ):
                raise self.error(where, f"{type(spec).__name__} has no document")
            case _:
                assert_never(spec)

    def _leaf(self, leaf: Leaf, where: str) -> n.LeafPart:
        placed = leaf.placed
        return n.LeafPart(
            type="leaf",
            kind=None if leaf.kind is None else self._class(leaf.kind, where),
            holds=self.spec(leaf.value, where),
            exact=leaf.exact,
            axes=self._axes(leaf.names, where),
            by_dims=leaf.by_dims,
            validators=self._validators(leaf.predicates, where),
            placed=None if placed is None else self._placed(placed, where),
            stacked=leaf.stacked,
        )

    def _placed(self, placed: PlacedSpec, where: str) -> t.PlacedPart:
        return t.PlacedPart(rules=self._rules(placed.rules, where))

    def _array(self, array: Array, where: str) -> n.ArrayPart:
        dtype: str | n.DtypePart | None = None
        if array.dtypes is not None or array.dtype:
            part = self._dtype(array.dtype, array.dtypes, where)
            dtype = part.name if part.dtypes is None else part
        inserted = tuple(t.Inserted(at=at, axis=_axis(axis)) for at, axis in array.inserted)
        return n.ArrayPart(
            type="array",
            dtype=dtype,
            cls=None if array.cls is None else self._class(array.cls, where),
            shape=_shape(array.shape),
            abstract=array.abstract,
            inserted=inserted,
        )

    def _dtype(self, name: str, dtypes: tuple[Any, ...] | None, where: str) -> n.DtypePart:
        """A dtype class: by name alone where it is jaxtyping's or the caller's."""
        if dtypes is None:
            return n.DtypePart(name=name)
        for table in (vars(jaxtyping), self.known.given):
            if getattr(table.get(name), "dtypes", None) in (dtypes, list(dtypes)):
                return n.DtypePart(name=name)
        if any(isinstance(dtype, Pattern) for dtype in dtypes):
            raise self.error(where, f"the dtype class {name} has no name in kinds={{{name!r}: it}}")
        return n.DtypePart(name=name, dtypes=cast("tuple[str, ...]", dtypes))

    # -- Names, keys, filters --------------------------------------------------------------

    def _class(self, cls: Any, where: str) -> str:
        name = self.known.name(cls)
        if name is None or len(name) > t.MAX_TEXT:
            raise self.error(where, f"{cls!r} has no name; give kinds={{'name': it}}")
        if self.classes.setdefault(name, cls) is not cls:
            raise self.error(
                where, f"two classes are called {name}; give names by kinds={{'name': it}}"
            )
        return name

    def _callable(self, item: Any, what: str, where: str) -> str:
        name = self.known.name_of_callable(item)
        if name is not None:
            return name
        shown = getattr(item, "__name__", type(item).__name__)
        raise self.error(where, f"{what} {shown} has no name; give kinds={{'name': it}}")

    def _validators(self, predicates: Iterable[Predicate], where: str) -> tuple[str, ...]:
        found: list[str] = []
        for predicate in predicates:
            name = self.known.name_of_validator(predicate)
            if name is None:
                text = f"the validator {predicate.text} has no name; give kinds={{'name': it}}"
                raise self.error(where, text)
            found.append(name)
        return tuple(found)

    def _key(self, key: Hashable, where: str) -> Any:
        if key is None or type(key) in (str, int, bool, float):
            return key
        if type(key) is bytes:
            return t.BytesKey(bytes=key.hex())
        if type(key) is tuple:
            return t.TupleKey(tuple=tuple(self._key(item, where) for item in key))
        raise self.error(where, f"a key of class {type(key).__name__} is no data")

    def _path_key(self, key: Hashable, where: str) -> Any:
        if isinstance(key, Wildcard):
            return t.AnyKey(any=cast(Any, key.of.__name__))
        return self._key(key, where)

    def _literal(self, value: Any, where: str) -> Any:
        if value is None or type(value) in (str, int, bool):
            return value
        if type(value) is bytes:
            return t.BytesKey(bytes=value.hex())
        raise self.error(where, f"the literal {value!r} is no data")

    def _axes(self, names: tuple[Any, ...] | None, where: str) -> Any:
        return None if names is None else tuple(self._axis_name(name, where) for name in names)

    def _axis_name(self, name: Any, where: str) -> Any:
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

    def _rules(self, rules: Any, where: str) -> Any:
        if rules is None:
            return None
        if callable(rules):
            return t.CallableRules(callable=self._callable(rules, "the rules", where))
        return tuple((name, self._axis_name(axes, where)) for name, axes in rules)

    def _filters(self, filters: Iterable[Any], where: str) -> tuple[t.FilterPart, ...]:
        return tuple(self._filter(item, where) for item in filters)

    def _filter(self, item: Any, where: str) -> t.FilterPart:
        match item:
            case type():
                return t.OfClass(type="class", cls=self._class(item, where))
            case filterlib.OfType(type=cls):
                return t.OfClass(type="class", cls=self._class(cls, where))
            case str():
                return t.OfTag(type="tag", tag=item)
            case filterlib.WithTag(tag=tag):
                return t.OfTag(type="tag", tag=tag)
            case _ if item is ... or item is True or isinstance(item, filterlib.Everything):
                return t.Everything(type="everything")
            case None | False | filterlib.Nothing():
                return t.Nothing(type="nothing")
            case list() | tuple():
                inner = self._filters(cast("Iterable[Any]", item), where)
                return t.AnyOf(type="any", of=inner, group=True)
            case filterlib.Any(predicates=predicates):
                return t.AnyOf(type="any", of=self._filters(predicates, where))
            case filterlib.All(predicates=predicates):
                return t.AllOf(type="all", of=self._filters(predicates, where))
            case filterlib.Not(predicate=predicate):
                return t.NotOf(type="not", of=self._filter(predicate, where))
            case _PathContains():
                exact = bool(getattr(item, "exact", True))
                return t.WithKey(type="key", key=self._key(item.key, where), exact=exact)
            case _ if _PathIn is not None and isinstance(item, _PathIn):
                paths = sorted(item.paths, key=repr)
                keys = tuple(tuple(self._key(key, where) for key in path) for path in paths)
                return t.AtPaths(type="paths", paths=keys)
            case _:
                return t.Callable(type="callable", name=self._callable(item, "the filter", where))


def _title(ref: SchemaRef) -> str:
    return _cut("".join(char for char in ref.name if char.isprintable()) or "Schema")


def _cut(text: str) -> str:
    return text if len(text) <= t.MAX_TEXT - 10 else f"{text[: t.MAX_TEXT - 13]}..."


# -- Dims ----------------------------------------------------------------------------------


def _links(links: Iterable[tuple[str, Expr[str]]]) -> dict[str, Any]:
    return {name: _size(expr) for name, expr in links}


def _size(expr: Expr[str]) -> Any:
    """Text wherever that is read back as the same."""
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
            return t.Operation(op="+" if sign > 0 else "-", left=_size(left), right=_size(right))
        case dims.Product(left, right):
            return t.Operation(op="*", left=_size(left), right=_size(right))
        case dims.Opaque(symbol, left, right):
            operator: Any = symbol
            return t.Operation(op=operator, left=_size(left), right=_size(right))
        case _:
            return text


def _shape(shape: tuple[Dim, ...] | None) -> Any:
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
        return _axis(dim)
    assert isinstance(dim, VariadicDim)
    return t.AxesPart(type="axes", name=dim.name, broadcast=dim.broadcast, per_leaf=dim.per_leaf)


def _axis(axis: SingleDim) -> t.AxisPart:
    return t.AxisPart(
        type="axis",
        text=axis.text,
        size=None if axis.expr is None else _size(axis.expr),
        broadcast=axis.broadcast,
        per_leaf=axis.per_leaf,
    )
