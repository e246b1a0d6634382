"""Document to spec: the schemas of a document as classes, its forms as forms of those.

Classes are found by name in `KnownClasses`; what is not there is refused with its place in the
document. Nothing is evaluated and nothing imported.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import jaxtyping
from flax import nnx
from flax.nnx import filterlib
from jax.sharding import NamedSharding, PartitionSpec

from .._sharding import axis_names
from .._spec import dim_grammar, dims
from .._spec.binds import check_binds
from .._spec.dims import Dim, Expr, SingleDim, VariadicDim
from .._spec.filters import Wildcard
from .._spec.nodes import (
    Allowed,
    Anything,
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
    Schema,
    SchemaRef,
    ScopedSpec,
    Selection,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
)
from .._spec.rewrite import Derived
from .._spec.selecting import Adding, Selecting
from .._spec.transform import Transform
from ..errors import SchemaError
from ..forms.form_class import want_tree
from ..forms.likeness import Resembling
from ..forms.placing import Naming, Placing
from ..forms.replacing import Abstracting, Replacing, Unwrapping
from ..forms.stacking import Stacking
from ..schema.class_ref import ClassRef
from ..schema.field import refuse_twins
from ..schema.typed_state import SchemaMeta, TypedState
from . import document_nodes as n, document_terms as t
from .known_classes import KnownClasses

#: Classes of documents are of no module that can be imported.
MODULE: Final = "typedstate.documents"
_PathIn: Final[Any] = getattr(filterlib, "PathIn", None)
_KEY_CLASSES: Final = {"int": int, "str": str, "object": object}
_partition_classes: Final = (PartitionSpec, NamedSharding)


@dataclass(slots=True)
class Reader:
    """Makes the schemas of one document.

    Attributes:
      entries: its schemas, by name.
      known: what the names of classes stand for.
    """

    entries: Mapping[str, n.SchemaEntry]
    known: KnownClasses
    _refs: dict[str, SchemaRef] = field(default_factory=dict[str, SchemaRef])
    _transforms: dict[str, Transform] = field(default_factory=dict[str, Transform])

    def root(self, part: n.SpecPart) -> Spec:
        """Reads all schemas, then the hint."""
        for name, entry in self.entries.items():
            if isinstance(entry, n.ClassPart):
                self._refs[name] = _empty_class(entry.name)
        for name in self.entries:
            self._form(name)
        for name, entry in self.entries.items():
            if isinstance(entry, n.ClassPart):
                self._fill(cast(ClassRef, self._refs[name]), entry, f"schemas[{name!r}]")
        for name, entry in self.entries.items():
            if isinstance(entry, n.ClassPart):
                for item in cast(ClassRef, self._refs[name]).resolve().fields:
                    check_binds(item.spec, f"schemas[{name!r}], {item.name}")
        spec = self.spec(part, "root")
        check_binds(spec, "root")
        return spec

    # -- Schemas ---------------------------------------------------------------------------

    def _form(self, name: str) -> None:
        """Makes the forms on the way to a class, the innermost first."""
        chain: list[str] = []
        while name not in self._refs:
            where = f"schemas[{chain[-1]!r}].of" if chain else f"schemas[{name!r}]"
            entry = self.entries.get(name)
            if entry is None:
                raise _error(where, f"the document has no schema {name!r}")
            if name in chain:
                raise _error(where, f"{name!r} is a form of itself")
            assert isinstance(entry, n.FormPart)
            chain.append(name)
            name = entry.of
        ref = self._refs[name]
        for form in reversed(chain):
            entry = self.entries[form]
            assert isinstance(entry, n.FormPart)
            where = f"schemas[{form!r}].form"
            path = tuple(map(self._path_key, entry.path))
            ref = self._refs[form] = Derived(ref, self._transform(entry.form, where), path)

    def _fill(self, ref: ClassRef, entry: n.ClassPart, where: str) -> None:
        """Gives a class its fields, now that all classes are there."""
        fields = tuple(
            self._field(part, f"{where}.fields[{index}]") for index, part in enumerate(entry.fields)
        )
        refuse_twins(f"{where}, {entry.name}", fields)
        ref.parsed = Schema(ref.name, fields, self._extra(entry.extra, f"{where}.extra"))

    def _field(self, part: n.FieldPart, where: str) -> Field:
        key = self._key(part.key)
        if part.name is None and not (isinstance(key, str) and key.isidentifier()):
            raise _error(where, f"the key {key!r} is no attribute: give a name")
        name = part.name or cast(str, key)
        where = f"{where} ({name})"
        return Field(name, key, self.spec(part.holds, where), part.optional, part.shared)

    def _extra(self, part: n.ExtraPart | None, where: str) -> Extra:
        if part is None:
            return Extra()
        patterns = tuple((item.keys, self.spec(item.holds, where)) for item in part.patterns)
        allowed = tuple(
            Allowed(
                None
                if item.kinds is None
                else tuple(self._kind(kind, where) for kind in item.kinds),
                tuple(
                    Selection(
                        self._filter(one.filter, where),
                        one.keep,
                        tuple(map(self._path_key, one.path)),
                    )
                    for one in item.selections
                ),
            )
            for item in part.allowed
        )
        return Extra(patterns, allowed)

    def _transform(self, part: n.TransformPart, where: str) -> Transform:
        """The forms that say the same are one, so that the schemas below are shared."""
        text = part.model_dump_json()
        if text not in self._transforms:
            self._transforms[text] = self._new_transform(part, where)
        return self._transforms[text]

    def _new_transform(self, part: n.TransformPart, where: str) -> Transform:
        match part:
            case n.SelectingForm(form=form, filters=filters):
                return Selecting(self._filters(filters, where), keep=form == "Only")
            case n.PlusForm(kinds=kinds):
                return Adding(tuple(self._kind(kind, where) for kind in kinds))
            case n.StackedForm():
                filters = self._filters(part.filters, where)
                axis: Any = ... if part.axis is None and not part.nameless else part.axis
                return Stacking(part.dim, part.text, part.at, axis, filters)
            case n.PlacedForm(form=form, rules=rules):
                return Placing(PlacedSpec(self._rules(rules, where)), form)
            case n.ShardedForm():
                groups = tuple(tuple(map(_links, group)) for group in part.groups)
                return Naming(part.text, dict(part.table), groups, tuple(map(_links, part.pending)))
            case n.PlainForm(form="Shardings"):
                return Replacing("Shardings", NamedSharding)
            case n.PlainForm(form="Specs"):
                return Replacing("Specs", PartitionSpec)
            case n.PlainForm(form="Abstract"):
                return Abstracting()
            case n.PlainForm(form=form):
                return Unwrapping(pure=form == "Pure")
            case n.LikeForm():
                like = tuple(self._leaf(kind, where) for kind in part.kinds)
                dtype = None if part.dtype is None else self._dtype(part.dtype, where)
                values = tuple(self.spec(value, where) for value in part.values)
                filters = self._filters(part.filters, where)
                return Resembling(part.text, like, dtype, values, part.form, filters)

    # -- Hints -----------------------------------------------------------------------------

    def spec(self, part: n.SpecPart, where: str) -> Spec:
        """A hint, or a part of one."""
        match part:
            case n.AnyPart():
                return Anything()
            case n.NonePart():
                return NoValue()
            case n.InstancePart(cls=cls):
                return Instance(self._class(cls, where))
            case n.LiteralPart(values=values):
                return Literally(tuple(map(self._key, values)))
            case n.ArrayPart():
                return self._array(part, where)
            case n.TuplePart(items=items, rest=rest):
                specs = tuple(self.spec(item, where) for item in items)
                return TupleOf(specs, None if rest is None else self.spec(rest, where))
            case n.ItemsPart(cls=cls, item=item):
                return ItemsOf(self._class(cls, where), self.spec(item, where))
            case n.MappingPart(cls=cls, key=key, value=value):
                found = self._class(cls, where)
                return MappingOf(found, self.spec(key, where), self.spec(value, where))
            case n.RecordPart(cls=cls, fields=fields):
                specs_of = tuple((item.name, self.spec(item.holds, where)) for item in fields)
                required = frozenset(item.name for item in fields if item.required)
                return RecordOf(self._class(cls, where), specs_of, required)
            case n.PartitionPart():
                found = self._class(part.cls, where)
                if found not in _partition_classes:
                    raise _error(where, f"{part.cls} is no PartitionSpec and no NamedSharding")
                rules = self._rules(part.rules, where)
                return Partition(found, _axes(part.axes), _shape(part.shape, where), rules)
            case n.ValidatedPart(of=inner, validators=validators):
                return Validated(self.spec(inner, where), self._validators(validators, where))
            case n.LeafPart():
                return self._leaf(part, where)
            case _:
                return self._tree(part, where)

    def _tree(self, part: n.SpecPart, where: str) -> Spec:
        match part:
            case n.SchemaPart(schema_=name):
                if name not in self._refs:
                    raise _error(where, f"the document has no schema {name!r}")
                return Node(self._refs[name])
            case n.MapPart():
                return Map(
                    part.keys,
                    self.spec(part.entry, where),
                    None if part.length is None else _size(part.length),
                    part.container,
                    self._extra(part.extra, where),
                )
            case n.EntriesPart(items=items, container=container, extra=extra):
                specs = tuple(None if item is None else self.spec(item, where) for item in items)
                return EntriesSpec(specs, container, self._extra(extra, where))
            case n.TreePart(leaf=leaf, container=container):
                return StateOfSpec(self.spec(leaf, where), container)
            case n.UnionPart(options=options):
                return Union(tuple(self.spec(option, where) for option in options))
            case n.BindPart(of=inner, dims=links):
                return Bound(self.spec(inner, where), _links(links))
            case n.ScopedPart(of=inner, scope=scope):
                return ScopedSpec(self.spec(inner, where), scope)
            case n.SamePart(of=inner, group=group):
                return SameSpec(self.spec(inner, where), group)
            case n.FlatPart(of=inner, separator=separator):
                return self._flat(self.spec(inner, where), separator, where)
            case n.DecidePart(yes=yes, no=no):
                return Conditional(
                    self._filter(part.filter, where),
                    tuple(map(self._path_key, part.path)),
                    None if yes is None else self.spec(yes, where),
                    None if no is None else self.spec(no, where),
                    part.open,
                )
            case n.ModulePart(cls=cls, state=state):
                return ModuleState(self._class(cls, where), self.spec(state, where))
            case _:
                raise _error(where, f"{type(part).__name__} is no part of a hint")

    def _flat(self, inner: Spec, separator: str | None, where: str) -> FlatSpec:
        try:
            return FlatSpec(want_tree(inner, "Flat"), separator)
        except SchemaError as error:
            raise _error(where, str(error)) from None

    def _leaf(self, part: n.LeafPart, where: str) -> Leaf:
        placed = part.placed
        return Leaf(
            None if part.kind is None else self._kind(part.kind, where),
            self.spec(part.holds, where),
            part.exact,
            _axes(part.axes),
            self._validators(part.validators, where),
            part.by_dims,
            None if placed is None else PlacedSpec(self._rules(placed.rules, where)),
            part.stacked,
        )

    def _array(self, part: n.ArrayPart, where: str) -> Array:
        dtype = part.dtype
        name, dtypes = "", None
        if dtype is not None:
            named = n.DtypePart(name=dtype) if isinstance(dtype, str) else dtype
            name, dtypes = self._dtype(named, where)
        return Array(
            name,
            dtypes,
            _shape(part.shape, where),
            None if part.cls is None else self._class(part.cls, where),
            part.abstract,
            tuple((item.at, _axis(item.axis)) for item in part.inserted),
        )

    def _dtype(self, part: n.DtypePart, where: str) -> tuple[str, tuple[Any, ...] | None]:
        if part.dtypes is not None:
            return part.name, tuple(part.dtypes)
        if part.name in ("", "Shaped"):
            return "", None
        found = self.known.given.get(part.name) or vars(jaxtyping).get(part.name)
        if not (isinstance(found, type) and issubclass(found, jaxtyping.AbstractDtype)):
            raise self._unknown(where, "dtype class", part.name)
        return part.name, tuple(cast(Any, found).dtypes)

    # -- Names, keys, filters --------------------------------------------------------------

    def _unknown(self, where: str, what: str, name: str) -> SchemaError:
        return _error(where, f"the {what} {name} is unknown; give kinds={{{name!r}: it}}")

    def _class(self, name: str, where: str) -> Any:
        try:
            found = self.known.find(name)
        except KeyError:
            raise self._unknown(where, "class", name) from None
        if not isinstance(found, type):
            raise _error(where, f"{name} is no class")
        return found

    def _kind(self, name: str, where: str) -> type:
        found = self._class(name, where)
        if not issubclass(found, nnx.Variable):
            raise _error(where, f"{name} is no class of Variables")
        return cast(type, found)

    def _validators(self, names: Iterable[str], where: str) -> tuple[Predicate, ...]:
        found: list[Predicate] = []
        for name in names:
            item = self.known.given.get(name)
            if not callable(getattr(item, "is_valid", None)):
                raise self._unknown(where, "validator", name)
            found.append(Predicate(name, cast(Any, item).is_valid))
        return tuple(found)

    def _callable(self, name: str, what: str, where: str) -> Any:
        item = self.known.given.get(name)
        if not callable(item):
            raise self._unknown(where, what, name)
        return item

    def _key(self, key: Any) -> Any:
        match key:
            case t.TupleKey(tuple=items):
                return tuple(map(self._key, items))
            case t.BytesKey(bytes=digits):
                return bytes.fromhex(digits)
            case _:
                return key

    def _path_key(self, key: Any) -> Hashable:
        if isinstance(key, t.AnyKey):
            return Wildcard(_KEY_CLASSES[key.any])
        return cast(Hashable, self._key(key))

    def _rules(self, rules: Any, where: str) -> Any:
        if isinstance(rules, t.CallableRules):
            return self._callable(rules.callable, "function", where)
        return None if rules is None else axis_names.as_rules(rules)

    def _filters(self, parts: Iterable[t.FilterPart], where: str) -> tuple[Any, ...]:
        return tuple(self._filter(part, where) for part in parts)

    def _filter(self, part: t.FilterPart, where: str) -> Any:
        match part:
            case t.OfClass(cls=cls):
                return self._class(cls, where)
            case t.OfTag(tag=tag):
                return tag
            case t.Everything():
                return ...
            case t.Nothing():
                return None
            case t.AnyOf(of=of, group=group):
                inner = self._filters(of, where)
                return inner if group else filterlib.Any(*inner)
            case t.AllOf(of=of):
                return filterlib.All(*self._filters(of, where))
            case t.NotOf(of=of):
                return filterlib.Not(self._filter(of, where))
            case t.WithKey(key=key, exact=exact):
                wanted = self._key(key)
                if exact:
                    return nnx.PathContains(wanted)
                return cast(Any, nnx.PathContains)(wanted, exact=False)
            case t.AtPaths(paths=paths):
                if _PathIn is None:
                    raise _error(where, "this Flax has no filter by whole paths")
                return _PathIn(*(tuple(map(self._key, path)) for path in paths))
            case t.Callable(name=name):
                return self._callable(name, "filter", where)


def _empty_class(name: str) -> ClassRef:
    body: dict[str, Any] = {"__module__": MODULE, "__qualname__": name, "__annotations__": {}}
    return SchemaMeta(name, (TypedState,), body, typevars={}).__typedstate_ref__


def _error(where: str, text: str) -> SchemaError:
    return SchemaError(f"schema document, {where}: {text}")


# -- Dims ----------------------------------------------------------------------------------


def _links(links: Mapping[str, Any]) -> tuple[tuple[str, Expr[str]], ...]:
    return tuple((name, _size(size)) for name, size in links.items())


def _size(part: Any) -> Expr[str]:
    match part:
        case t.HiddenName(name=name):
            return dims.Name(name)
        case t.Operation(op="+" | "-" as op, left=left, right=right):
            return dims.Sum(_size(left), _size(right), 1 if op == "+" else -1)
        case t.Operation(op="*", left=left, right=right):
            return dims.Product(_size(left), _size(right))
        case t.Operation(op=op, left=left, right=right):
            return dims.Opaque(op, _size(left), _size(right))
        case _:
            return dim_grammar.parse_expr(part)


def _shape(shape: Any, where: str) -> tuple[Dim, ...] | None:
    if shape is None:
        return None
    if isinstance(shape, str):
        return dim_grammar.parse_shape(shape)
    found = tuple(map(_dim, shape))
    if sum(isinstance(dim, VariadicDim) for dim in found) > 1:
        raise _error(where, "a shape has one run of axes at most")
    return found


def _dim(part: Any) -> Dim:
    if isinstance(part, t.AxisPart):
        return _axis(part)
    return VariadicDim(part.name, part.broadcast, part.per_leaf)


def _axis(part: t.AxisPart) -> SingleDim:
    size = None if part.size is None else _size(part.size)
    return SingleDim(part.text, size, part.broadcast, part.per_leaf)


def _axes(names: Any) -> tuple[Any, ...] | None:
    return None if names is None else tuple(map(_axis_name, names))


def _axis_name(name: Any) -> Any:
    match name:
        case t.RestOfAxes():
            return ...
        case t.AnyAxis():
            return PartitionSpec.UNCONSTRAINED
        case _:
            return name
