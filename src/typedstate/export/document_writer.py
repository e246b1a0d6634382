"""Turns a spec into a document: each node and each form becomes its pydantic model.

A validator, or a function that is a filter, is no data and is written by the name that the caller
gives it; without a name the hint has no document, and the error says where.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, assert_never

from .._spec import nodes as s
from .._spec.leaf_conditions import PlacedSpec
from .._spec.node_groups import StateSpec, ValueSpec
from .._spec.rewrite import Derived
from . import document_forms as f, document_nodes as n, document_terms as t
from .form_writer import form_part
from .term_writer import TermWriter, axis_part, cut, links_part, shape_part, size_part
from .unique_names import UniqueNames

MAX_SCHEMAS: Final = 10_000


@dataclass(slots=True)
class Writer:
    """Collects the schemas of one document.

    Attributes:
      terms: writes keys, filters, dims and the names of classes.
      schemas: the schemas that are written, by name.
    """

    terms: TermWriter
    schemas: dict[str, f.SchemaEntry] = field(default_factory=dict[str, "f.SchemaEntry"])
    _names: dict[s.SchemaRef, str] = field(default_factory=dict[s.SchemaRef, str])
    _waiting: list[s.SchemaRef] = field(default_factory=list[s.SchemaRef])
    _given: UniqueNames = field(default_factory=UniqueNames)
    _forms: dict[str, str] = field(default_factory=dict[str, str])
    _subscriptions: dict[object, int] = field(default_factory=dict[object, int])

    def root(self, spec: s.Spec) -> n.SpecPart:
        """Writes a hint and every schema below it."""
        found = self.spec(spec, "")
        while self._waiting:
            ref = self._waiting.pop(0)
            self.schemas[self._names[ref]] = self._class_entry(ref)
        return found

    # -- Schemas ---------------------------------------------------------------------------

    def _name(self, ref: s.SchemaRef) -> str:
        """The name of a schema in the document; a class itself is written later."""
        if ref not in self._names:
            if len(self._names) >= MAX_SCHEMAS:
                raise self.terms.error("", f"more than {MAX_SCHEMAS} schemas")
            if isinstance(ref, Derived):
                self._names[ref] = self._form(ref)
            else:
                self._names[ref] = self._unique(ref)
                self._waiting.append(ref)
        return self._names[ref]

    def _form(self, ref: Derived) -> str:
        """Writes a form, once for all equal ones, and gives its name."""
        entry = f.FormPart(
            type="form",
            of=self._name(ref.base),
            form=form_part(ref.transform, self.terms, self.spec, ref.base.name),
            path=tuple(self.terms.path_key(key, ref.base.name) for key in ref.path),
        )
        text = entry.model_dump_json()
        if text not in self._forms:
            self._forms[text] = self._unique(ref)
            self.schemas[self._forms[text]] = entry
        return self._forms[text]

    def _unique(self, ref: s.SchemaRef) -> str:
        return self._given.give(_title(ref), " #")

    def _class_entry(self, ref: s.SchemaRef) -> n.ClassPart:
        schema = ref.resolve()
        fields = tuple(self._field(item, f"{ref.name}.{item.name}") for item in schema.fields)
        return n.ClassPart(
            type="class",
            name=_title(ref),
            fields=fields,
            extra=self._extra(schema.extra, f"{ref.name}, extra="),
            subscriptions=tuple(
                n.SubscriptionPart(number=self._number(owner), own=own)
                for owner, own in ref.owners.items()
            ),
            arguments=tuple(self.spec(item, ref.name) for item in ref.arguments),
        )

    def _number(self, owner: object) -> int:
        """The number of a subscription of a generic schema."""
        return self._subscriptions.setdefault(owner, len(self._subscriptions) + 1)

    def _field(self, item: s.Field, where: str) -> n.FieldPart:
        return n.FieldPart(
            key=self.terms.key(item.key, where),
            name=None if item.name == item.key and type(item.key) is str else item.name,
            holds=self.spec(item.spec, where),
            optional=item.optional,
            shared=item.shared,
        )

    def _extra(self, extra: s.Extra, where: str) -> n.ExtraPart | None:
        if extra == s.Extra():
            return None
        patterns = tuple(
            n.PatternPart(
                keys=pattern.keys,
                holds=self.spec(pattern.entry, where),
                length=None if pattern.length is None else size_part(pattern.length),
            )
            for pattern in extra.patterns
        )
        allowed = tuple(
            n.AllowedPart(
                kinds=None
                if item.kinds is None
                else tuple(self.terms.class_name(kind, where) for kind in item.kinds),
                selections=tuple(
                    n.SelectionPart(
                        filter=self.terms.filter(one.filter, where),
                        keep=one.keep,
                        path=tuple(self.terms.path_key(key, where) for key in one.path),
                    )
                    for one in item.selections
                ),
            )
            for item in extra.allowed
        )
        return n.ExtraPart(patterns=patterns, allowed=allowed)

    # -- Hints -----------------------------------------------------------------------------

    def spec(self, spec: s.Spec, where: str) -> n.SpecPart:
        """A hint, or a part of one."""
        match spec:
            case s.Anything():
                return n.AnyPart(type="any")
            case s.NoValue():
                return n.NonePart(type="none")
            case s.Instance(cls):
                return n.InstancePart(type="instance", cls=self.terms.class_name(cls, where))
            case s.Literally(values):
                found = tuple(self.terms.literal(value, where) for value in values)
                return n.LiteralPart(type="literal", values=found)
            case s.Array():
                return self._array(spec, where)
            case s.TupleOf(items, rest):
                return n.TuplePart(
                    type="tuple",
                    items=tuple(self.spec(item, where) for item in items),
                    rest=None if rest is None else self.spec(rest, where),
                )
            case s.ItemsOf(cls, item):
                name = self.terms.class_name(cls, where)
                return n.ItemsPart(type="items", cls=name, item=self.spec(item, where))
            case s.MappingOf(cls, key, value):
                return n.MappingPart(
                    type="mapping",
                    cls=self.terms.class_name(cls, where),
                    key=self.spec(key, where),
                    value=self.spec(value, where),
                )
            case s.RecordOf(cls, fields, required):
                parts = tuple(
                    n.RecordField(
                        name=name, holds=self.spec(item, where), required=name in required
                    )
                    for name, item in fields
                )
                return n.RecordPart(
                    type="record", cls=self.terms.class_name(cls, where), fields=parts
                )
            case s.Partition(cls, names, shape, rules, storage):
                return n.PartitionPart(
                    type="partition",
                    cls=self.terms.class_name(cls, where),
                    axes=self.terms.axes(names, where),
                    shape=shape_part(shape),
                    rules=self.terms.rules(rules, where),
                    memory_kind=storage.memory_kind,
                    unreduced=self.terms.sums(storage.unreduced, where),
                    reduced=self.terms.sums(storage.reduced, where),
                )
            case s.Validated(inner, predicates):
                return n.ValidatedPart(
                    type="validated",
                    of=self.spec(inner, where),
                    validators=self.terms.validators(predicates, where),
                )
            case s.Union() | StateSpec():
                return self._tree(spec, where)
            case _:
                assert_never(spec)

    def _tree(self, spec: s.Spec, where: str) -> n.SpecPart:
        match spec:
            case s.Node(ref):
                return n.SchemaPart(type="schema", schema_=self._name(ref))
            case s.Map(key, entry, length, container, extra):
                return n.MapPart(
                    type="map",
                    keys=key,
                    entry=self.spec(entry, where),
                    length=None if length is None else size_part(length),
                    container=container,
                    extra=self._extra(extra, where),
                )
            case s.EntriesSpec(items, container, extra):
                return n.EntriesPart(
                    type="entries",
                    items=tuple(None if item is None else self.spec(item, where) for item in items),
                    container=container,
                    extra=self._extra(extra, where),
                )
            case s.StateOfSpec(leaf, container):
                return n.TreePart(type="tree", leaf=self.spec(leaf, where), container=container)
            case s.Union(options):
                found = tuple(self.spec(option, where) for option in options)
                return n.UnionPart(type="union", options=found)
            case s.Bound(inner, links):
                return n.BindPart(type="bind", of=self.spec(inner, where), dims=links_part(links))
            case s.ScopedSpec(inner, scope):
                return n.ScopedPart(type="scoped", of=self.spec(inner, where), scope=scope)
            case s.SameSpec(inner, group, by):
                part = self.spec(inner, where)
                return n.SamePart(type="same", of=part, group=group, by=by)
            case s.PlacedAsSpec(inner, argument):
                part = self.spec(inner, where)
                return n.PlacedAsPart(type="placed_as", of=part, argument=argument)
            case s.FlatSpec(inner, separator):
                return n.FlatPart(type="flat", of=self.spec(inner, where), separator=separator)
            case s.Conditional(filter_, path, yes, no, open_):
                return n.DecidePart(
                    type="filtered",
                    filter=self.terms.filter(filter_, where),
                    path=tuple(self.terms.path_key(key, where) for key in path),
                    yes=None if yes is None else self.spec(yes, where),
                    no=None if no is None else self.spec(no, where),
                    open=open_,
                )
            case s.Argument(inner, owner, index):
                part = self.spec(inner, where)
                return n.ArgumentPart(
                    type="argument", of=part, subscription=self._number(owner), index=index
                )
            case s.Within(inner, ref):
                part = self.spec(inner, where)
                return n.WithinPart(type="within", of=part, schema_=self._name(ref))
            case s.ModuleState(cls, inner):
                name = self.terms.class_name(cls, where)
                return n.ModulePart(type="module", cls=name, state=self.spec(inner, where))
            case s.Leaf():
                return self._leaf(spec, where)
            case s.Anything() | ValueSpec():
                raise self.terms.error(where, f"{type(spec).__name__} has no document")
            case _:
                assert_never(spec)

    def _leaf(self, leaf: s.Leaf, where: str) -> n.LeafPart:
        placed = leaf.placed
        return n.LeafPart(
            type="leaf",
            kind=None if leaf.kind is None else self.terms.class_name(leaf.kind, where),
            holds=self.spec(leaf.value, where),
            exact=leaf.exact,
            axes=self.terms.axes(leaf.names, where),
            by_dims=leaf.by_dims,
            validators=self.terms.validators(leaf.predicates, where),
            placed=None if placed is None else self._placed(placed, where),
            stacked=leaf.stacked,
            memory_kind=leaf.storage.memory_kind,
            unreduced=self.terms.sums(leaf.storage.unreduced, where),
            reduced=self.terms.sums(leaf.storage.reduced, where),
        )

    def _placed(self, placed: PlacedSpec, where: str) -> t.PlacedPart:
        return t.PlacedPart(rules=self.terms.rules(placed.rules, where))

    def _array(self, array: s.Array, where: str) -> n.ArrayPart:
        dtype: str | t.DtypePart | None = None
        if array.dtypes is not None or array.dtype:
            part = self.terms.dtype(array.dtype, array.dtypes, where)
            dtype = part.name if part.dtypes is None else part
        inserted = tuple(t.Inserted(at=at, axis=axis_part(axis)) for at, axis in array.inserted)
        return n.ArrayPart(
            type="array",
            dtype=dtype,
            cls=None if array.cls is None else self.terms.class_name(array.cls, where),
            shape=shape_part(array.shape),
            abstract=array.abstract,
            inserted=inserted,
        )


def _title(ref: s.SchemaRef) -> str:
    return cut("".join(char for char in ref.name if char.isprintable()) or "Schema")
