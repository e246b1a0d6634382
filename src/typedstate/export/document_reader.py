"""Turns a document into a spec: its schemas become classes, its forms become forms of those.

Classes are looked up by name in `KnownClasses`; an unknown one is refused with its position in the
document. Nothing is evaluated and nothing imported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgspec
from jax.sharding import NamedSharding, PartitionSpec

from .._annotations.context import Context
from .._compat.modules import is_module_class
from .._spec import nodes as s
from .._spec.binds import check_binds
from .._spec.leaf_conditions import Allowed, PlacedSpec, Selection
from .._spec.questions import parts, root_of
from .._spec.rewrite import Derived
from .._spec.transform import Transform
from ..errors import SchemaError
from ..forms.form_class import want_tree
from ..schema.class_ref import ClassRef
from ..schema.field import refuse_twins
from ..schema.typed_state import SchemaMeta, TypedState
from . import document_forms as f, document_nodes as n, document_terms as t
from .form_reader import transform_of
from .term_reader import (
    TermReader,
    axes_of,
    axis_of,
    error_at,
    links_of,
    shape_of,
    size_of,
    storage_of,
)

#: The module of a document's classes; it can't be imported.
MODULE: Final = "typedstate.documents"
_MAX_FORMS: Final = 50
_PARTITION_CLASSES: Final = (PartitionSpec, NamedSharding)


class ReadHint(msgspec.Struct, frozen=True):
    """A hint of which a document gives the spec: a type argument of a schema."""

    spec: s.Spec

    def __typedstate_spec__(self, context: Context) -> s.Spec:
        """The spec, which names nothing that is looked up."""
        return self.spec


@dataclass(slots=True)
class Reader:
    """Makes the schemas of one document.

    Attributes:
      entries: the schemas of the document, by name.
      terms: reads keys, filters, dims and the names of classes.
    """

    entries: Mapping[str, f.SchemaEntry]
    terms: TermReader
    _refs: dict[str, s.SchemaRef] = field(default_factory=dict[str, s.SchemaRef])
    _transforms: dict[str, Transform] = field(default_factory=dict[str, Transform])
    _subscriptions: dict[int, object] = field(default_factory=dict[int, object])

    def root(self, part: n.SpecPart) -> s.Spec:
        """Reads all schemas, then the hint."""
        for name, entry in self.entries.items():
            if isinstance(entry, n.ClassPart):
                self._refs[name] = _empty_class(entry.name)
        for name in self.entries:
            self._form(name)
        for name, entry in self.entries.items():
            if isinstance(entry, n.ClassPart):
                self._fill(cast(ClassRef, self._refs[name]), entry, f"schemas[{name!r}]")
        classes = {
            name: cast(ClassRef, self._refs[name])
            for name, entry in self.entries.items()
            if isinstance(entry, n.ClassPart)
        }
        _refuse_circles_of_arguments(classes)
        for name, ref in classes.items():
            for item in ref.resolve().fields:
                check_binds(item.spec, f"schemas[{name!r}], {item.name}")
        spec = self.spec(part, "root")
        check_binds(spec, "root")
        return spec

    # -- Schemas ---------------------------------------------------------------------------

    def _form(self, name: str) -> None:
        """Makes a form, and before it the forms that it is a form of."""
        chain: list[str] = []
        while name not in self._refs:
            where = f"schemas[{chain[-1]!r}].of" if chain else f"schemas[{name!r}]"
            entry = self.entries.get(name)
            if entry is None:
                raise error_at(where, f"the document has no schema {name!r}")
            if name in chain:
                raise error_at(where, f"{name!r} is a form of itself")
            if len(chain) == _MAX_FORMS:
                raise error_at(where, f"more than {_MAX_FORMS} forms of forms")
            assert isinstance(entry, f.FormPart)
            chain.append(name)
            name = entry.of
        ref = self._refs[name]
        for form in reversed(chain):
            entry = self.entries[form]
            assert isinstance(entry, f.FormPart)
            where = f"schemas[{form!r}].form"
            path = tuple(map(self.terms.path_key, entry.path))
            ref = self._refs[form] = Derived(ref, self._transform(entry.form, where), path)

    def _fill(self, ref: ClassRef, entry: n.ClassPart, where: str) -> None:
        """Gives a class its fields, once all classes exist."""
        fields = tuple(
            self._field(part, f"{where}.fields[{index}]") for index, part in enumerate(entry.fields)
        )
        refuse_twins(f"{where}, {entry.name}", fields)
        ref.parsed = s.Schema(ref.name, fields, self._extra(entry.extra, f"{where}.extra"))
        ref.owners = {self._subscription(one.number): one.own for one in entry.subscriptions}
        ref.hints = tuple(
            ReadHint(self.spec(part, f"{where}.arguments[{index}]"))
            for index, part in enumerate(entry.arguments)
        )

    def _subscription(self, number: int) -> object:
        """What stands for a subscription of a generic schema: equal to no other."""
        return self._subscriptions.setdefault(number, object())

    def _field(self, part: n.FieldPart, where: str) -> s.Field:
        key = self.terms.key(part.key)
        if part.name is None and not (isinstance(key, str) and key.isidentifier()):
            raise error_at(where, f"the key {key!r} is no attribute: give a name")
        name = part.name or cast(str, key)
        where = f"{where} ({name})"
        return s.Field(name, key, self.spec(part.holds, where), part.optional, part.shared)

    def _extra(self, part: n.ExtraPart | None, where: str) -> s.Extra:
        if part is None:
            return s.Extra()
        patterns = tuple(
            s.KeyPattern(
                item.keys,
                self.spec(item.holds, where),
                None if item.length is None else size_of(item.length),
            )
            for item in part.patterns
        )
        allowed = tuple(
            Allowed(
                None
                if item.kinds is None
                else tuple(self.terms.kind(kind, where) for kind in item.kinds),
                tuple(
                    Selection(
                        self.terms.filter(one.filter, where),
                        one.keep,
                        tuple(map(self.terms.path_key, one.path)),
                    )
                    for one in item.selections
                ),
            )
            for item in part.allowed
        )
        return s.Extra(patterns, allowed)

    def _transform(self, part: f.TransformPart, where: str) -> Transform:
        """The transform of a form; equal forms give the same object, so that schemas are shared."""
        text = part.model_dump_json()
        if text not in self._transforms:
            self._transforms[text] = transform_of(part, self.terms, self.spec, where)
        return self._transforms[text]

    # -- Hints -----------------------------------------------------------------------------

    def spec(self, part: n.SpecPart, where: str) -> s.Spec:
        """A hint, or a part of one."""
        match part:
            case n.AnyPart():
                return s.Anything()
            case n.NonePart():
                return s.NoValue()
            case n.InstancePart(cls=cls):
                return s.Instance(self.terms.find_class(cls, where))
            case n.LiteralPart(values=values):
                return s.Literally(tuple(map(self.terms.key, values)))
            case n.ArrayPart():
                return self._array(part, where)
            case n.TuplePart(items=items, rest=rest):
                specs = tuple(self.spec(item, where) for item in items)
                return s.TupleOf(specs, None if rest is None else self.spec(rest, where))
            case n.ItemsPart(cls=cls, item=item):
                return s.ItemsOf(self.terms.find_class(cls, where), self.spec(item, where))
            case n.MappingPart(cls=cls, key=key, value=value):
                found = self.terms.find_class(cls, where)
                return s.MappingOf(found, self.spec(key, where), self.spec(value, where))
            case n.RecordPart(cls=cls, fields=fields):
                specs_of = tuple((item.name, self.spec(item.holds, where)) for item in fields)
                required = frozenset(item.name for item in fields if item.required)
                return s.RecordOf(self.terms.find_class(cls, where), specs_of, required)
            case n.PartitionPart():
                found = self.terms.find_class(part.cls, where)
                if found not in _PARTITION_CLASSES:
                    raise error_at(where, f"{part.cls} is no PartitionSpec and no NamedSharding")
                rules = self.terms.rules(part.rules, where)
                shape, storage = shape_of(part.shape, where), storage_of(part)
                return s.Partition(found, axes_of(part.axes), shape, rules, storage)
            case n.ValidatedPart(of=inner, validators=validators):
                return s.Validated(
                    self.spec(inner, where), self.terms.validators(validators, where)
                )
            case n.LeafPart():
                return self._leaf(part, where)
            case _:
                return self._tree(part, where)

    def _tree(self, part: n.SpecPart, where: str) -> s.Spec:
        match part:
            case n.SchemaPart(schema_=name):
                return s.Node(self._schema(name, where))
            case n.MapPart():
                return s.Map(
                    part.keys,
                    self.spec(part.entry, where),
                    None if part.length is None else size_of(part.length),
                    part.container,
                    self._extra(part.extra, where),
                )
            case n.EntriesPart(items=items, container=container, extra=extra):
                specs = tuple(None if item is None else self.spec(item, where) for item in items)
                return s.EntriesSpec(specs, container, self._extra(extra, where))
            case n.TreePart(leaf=leaf, container=container):
                return s.StateOfSpec(self.spec(leaf, where), container)
            case n.UnionPart(options=options):
                found = tuple(self.spec(option, where) for option in options)
                if all(option == s.NoValue() for option in found):
                    raise error_at(where, "a union of nothing but none")
                return s.Union(found)
            case n.BindPart(of=inner, dims=links):
                return s.Bound(self.spec(inner, where), links_of(links))
            case n.ScopedPart(of=inner, scope=scope):
                return s.ScopedSpec(self.spec(inner, where), scope)
            case n.ArgumentPart(of=inner, subscription=number, index=index):
                return s.Argument(self.spec(inner, where), self._subscription(number), index)
            case n.WithinPart(of=inner, schema_=name):
                return s.Within(self.spec(inner, where), self._schema(name, where))
            case n.SamePart(of=inner, group=group, by=by):
                return s.SameSpec(self.spec(inner, where), group, by)
            case n.PlacedAsPart(of=inner, argument=argument):
                return s.PlacedAsSpec(self.spec(inner, where), argument)
            case n.FlatPart(of=inner, separator=separator):
                return self._flat(self.spec(inner, where), separator, where)
            case n.DecidePart(yes=yes, no=no):
                return s.Conditional(
                    self.terms.filter(part.filter, where),
                    tuple(map(self.terms.path_key, part.path)),
                    None if yes is None else self.spec(yes, where),
                    None if no is None else self.spec(no, where),
                    part.open,
                )
            case n.ModulePart(cls=cls, state=state):
                module = self.terms.find_class(cls, where)
                if not is_module_class(module):
                    raise error_at(where, f"{cls} is no class of modules")
                return s.ModuleState(module, self.spec(state, where))
            case _:
                raise error_at(where, f"{type(part).__name__} is no part of a hint")

    def _schema(self, name: str, where: str) -> s.SchemaRef:
        if name not in self._refs:
            raise error_at(where, f"the document has no schema {name!r}")
        return self._refs[name]

    def _flat(self, inner: s.Spec, separator: str | None, where: str) -> s.FlatSpec:
        try:
            return s.FlatSpec(want_tree(inner, "Flat"), separator)
        except SchemaError as error:
            raise error_at(where, str(error)) from None

    def _leaf(self, part: n.LeafPart, where: str) -> s.Leaf:
        placed = part.placed
        return s.Leaf(
            None if part.kind is None else self.terms.kind(part.kind, where),
            self.spec(part.holds, where),
            part.exact,
            axes_of(part.axes),
            self.terms.validators(part.validators, where),
            part.by_dims,
            None if placed is None else PlacedSpec(self.terms.rules(placed.rules, where)),
            part.stacked,
            storage_of(part),
        )

    def _array(self, part: n.ArrayPart, where: str) -> s.Array:
        dtype = part.dtype
        name, dtypes = "", None
        if dtype is not None:
            named = t.DtypePart(name=dtype) if isinstance(dtype, str) else dtype
            name, dtypes = self.terms.dtype(named, where)
        return s.Array(
            name,
            dtypes,
            shape_of(part.shape, where),
            None if part.cls is None else self.terms.find_class(part.cls, where),
            part.abstract,
            tuple((item.at, axis_of(item.axis)) for item in part.inserted),
        )


def _refuse_circles_of_arguments(classes: Mapping[str, ClassRef]) -> None:
    """Refuses a schema that is a type argument of itself: its names would have no end."""
    waiting = {name: {id(other) for other in _in_arguments(ref)} for name, ref in classes.items()}
    names = {id(ref): name for name, ref in classes.items()}
    uses: defaultdict[int, list[str]] = defaultdict(list)
    for name, others in waiting.items():
        for other in others:
            uses[other].append(name)
    done = [name for name, others in waiting.items() if not others]
    for name in done:  # grows, as the last argument of another is done
        del waiting[name]
        for user in uses[id(classes[name])]:
            waiting[user].discard(id(classes[name]))
            if not waiting[user]:
                done.append(user)
    for name, others in waiting.items():
        inside = next(names[other] for other in others)
        raise error_at(f"schemas[{name!r}].arguments", f"{inside!r} is a type argument of itself")


def _in_arguments(ref: ClassRef) -> Iterator[s.SchemaRef]:
    """The schemas in the type arguments of a schema; of a form the schema that it was made of."""
    specs: list[s.Spec] = [*ref.arguments]
    while specs:
        match spec := specs.pop():
            case s.Node(other) | s.Within(ref=other):
                yield root_of(other)
            case _:
                specs += parts(spec)


def _empty_class(name: str) -> ClassRef:
    body: dict[str, Any] = {"__module__": MODULE, "__qualname__": name, "__annotations__": {}}
    return SchemaMeta(name, (TypedState,), body, typevars={}).__typedstate_ref__
