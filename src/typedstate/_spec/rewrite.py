"""Forms as functions from spec to spec: what `Only`, `Stacked`, `Pure`, ... make of a schema.

`rewrite` carries a `Transform` through the tree, lazily through nested schemas, so that recursive
schemas have forms too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from ..errors import SchemaError
from ..report import Path
from .dims import Expr, Name
from .filters import WILDCARD, WILDCARDS, Answer, decide_declared, leaf_of, reads_value
from .leaf_conditions import Predicate
from .node_groups import StateSpec, ValueSpec
from .nodes import (
    Anything,
    Argument,
    Array,
    Bound,
    Conditional,
    EntriesSpec,
    Extra,
    Field,
    FlatSpec,
    ItemsOf,
    KeyPattern,
    Leaf,
    Map,
    MappingOf,
    ModuleState,
    Node,
    NoValue,
    PlacedAsSpec,
    RecordOf,
    SameSpec,
    Schema,
    SchemaRef,
    ScopedSpec,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
    Within,
)
from .questions import one_of, present
from .transform import Impossible, Transform

T = TypeVar("T")


class Derived(msgspec.Struct, frozen=True):
    """The fields of a schema under a transform, made when first needed."""

    base: SchemaRef
    transform: Transform
    path: Path = ()
    _made: list[Schema] = msgspec.field(default_factory=list[Schema])

    def __eq__(self, other: object) -> bool:
        """Made from the same by an equal transform; what was made of it says nothing new."""
        if not isinstance(other, Derived):
            return NotImplemented
        return (self.base, self.transform, self.path) == (other.base, other.transform, other.path)

    def __reduce__(self) -> tuple[type[Derived], tuple[SchemaRef, Transform, Path]]:
        """For ``pickle``: the fields, which may refer to this, are made again."""
        return Derived, (self.base, self.transform, self.path)

    def __hash__(self) -> int:
        """By identity of what it is made from."""
        return hash((id(self.base), id(self.transform), self.path))

    @property
    def name(self) -> str:
        """E.g. ``Only[BlockState, Param]``."""
        return self.transform.title(self.base.name)

    @property
    def arguments(self) -> tuple[Spec, ...]:
        """The type arguments of the schema that the form was made of."""
        return self.base.arguments

    @property
    def owners(self) -> Mapping[object, bool]:
        """The owners of the schema that the form was made of."""
        return self.base.owners

    def resolve(self) -> Schema:
        """The transformed fields."""
        if not self._made:
            self._made.append(self._make())
        return self._made[0]

    def _make(self) -> Schema:
        schema = self.base.resolve()
        fields: list[Field] = []
        for item in schema.fields:
            try:
                spec = rewrite(item.spec, self.transform, (*self.path, item.key))
            except Impossible:
                if not item.optional:
                    raise
                continue
            if self.transform.requires((*self.path, item.key)):
                item = replace(item, optional=False)
            decided = item.decided or isinstance(item.spec, Conditional)
            if isinstance(spec, Union) and NoValue() in spec.options:
                fields.append(replace(item, spec=present(spec), optional=True, decided=decided))
            elif spec is not None:
                fields.append(replace(item, spec=spec, decided=decided))
        extra = _extra(self.transform, schema.extra, self.path)
        kept: list[KeyPattern] = []
        for pattern in extra.patterns:
            inner = rewrite(pattern.entry, self.transform, (*self.path, WILDCARD))
            if inner is not None:
                kept.append(replace(pattern, entry=inner))
        extra = replace(extra, patterns=tuple(kept))
        container = self.transform.container(schema.container)
        return Schema(self.name, tuple(fields), extra, container)


def rewrite(spec: Spec, transform: Transform, path: Path = ()) -> Spec | None:
    """Carries a transform through a tree; None where nothing is left of it.

    Raises:
      SchemaError: the form has no meaning for this hint.
    """
    match spec:
        case Node(ref):
            within = transform.entered(path)
            if within is None:
                return spec
            node = Node(Derived(ref, within, path if transform.by_path else ()))
            links = _passed_on(transform.link, transform.link)
            return Bound(node, links) if links else node
        case Bound(inner, links):
            below = transform.bound(links)
            found = rewrite(inner, below, path)
            if found is None:
                return None
            more = _passed_on(below.link, transform.link)
            return Bound(found, (*transform.relinked(links), *more))
        case Argument(inner):
            found = rewrite(inner, transform.written_around(), path)
            return None if found is None else replace(spec, inner=found)
        case ScopedSpec(inner) | SameSpec(inner) | PlacedAsSpec(inner):
            found = rewrite(inner, transform, path)
            return None if found is None else replace(spec, inner=found)
        case Map():
            found = rewrite(spec.entry, transform, (*path, WILDCARDS[spec.key]))
            if found is None:
                return None
            container = transform.container(spec.container)
            return replace(
                spec, entry=found, container=container, extra=_extra(transform, spec.extra, path)
            )
        case EntriesSpec(items):
            kept = tuple(
                None if item is None else rewrite(item, transform, (*path, index))
                for index, item in enumerate(items)
            )
            container = transform.container(spec.container)
            return replace(
                spec, items=kept, container=container, extra=_extra(transform, spec.extra, path)
            )
        case StateOfSpec(leaf):
            found = _any_leaf(leaf, transform, (*path, WILDCARD))
            if found is None:
                return None
            return replace(spec, leaf=found, container=transform.container(spec.container))
        case Union(options):
            rewritten = _possible(options, lambda option: rewrite(option, transform, path))
            left = [option for option in rewritten if option is not None]
            if not left:
                return None
            return one_of((*left, *[NoValue()] * (len(left) < len(rewritten))))
        case Conditional():
            return _conditional(spec, transform, path, rewrite)
        case TupleOf(items, rest) if path == ():
            kept_items = tuple(rewrite(item, transform, path) for item in items)
            kept_rest = None if rest is None else rewrite(rest, transform, path)
            return TupleOf(tuple(item for item in kept_items if item is not None), kept_rest)
        case ModuleState():
            raise SchemaError(f"{transform.title('...')}: a live module has no forms")
        case Anything() | ValueSpec() | Leaf() | Within() | FlatSpec():
            return transform.leaf(spec, path)
        case _:
            assert_never(spec)


def _conditional(
    spec: Conditional,
    transform: Transform,
    path: Path,
    below: Callable[[Spec, Transform, Path], Spec | None],
) -> Spec | None:
    """Both alternatives; where the filter can't be asked again, whatever one of them is."""
    then = None if spec.yes is None else below(spec.yes, transform, path)
    other = None if spec.no is None else below(spec.no, transform, path)
    if then is None and other is None:
        return None
    leaf = leaf_of(spec)
    answer = Answer.MAYBE if transform.keeps_kinds else decide_declared(spec, leaf)
    if answer is not Answer.MAYBE:
        return then if answer is Answer.YES else other
    reads = not transform.keeps_values and reads_value(spec.filter, spec.path, leaf)
    lost = spec.open or reads or not transform.keeps_kinds
    return Conditional(spec.filter, spec.path, then, other, lost)


def _any_leaf(spec: Spec, transform: Transform, path: Path) -> Spec | None:
    """A leaf of a tree of which nothing is said but what forms say of every leaf."""
    match spec:
        case Anything():
            return _saying(rewrite(spec, transform, path), transform.of_any_leaf())
        case Validated(inner=Anything(), predicates=known):
            kept = (item for item in known if transform.keeps_kinds or not item.reads_kind)
            bare = rewrite(Anything(), transform, path)
            return _saying(bare, (*kept, *transform.of_any_leaf()))
        case Conditional():
            return _conditional(spec, transform, path, _any_leaf)
        case _:
            return rewrite(spec, transform, path)


def _saying(spec: Spec | None, predicates: tuple[Predicate, ...]) -> Spec | None:
    match spec:
        case Anything() if predicates:
            return Validated(spec, predicates)
        case Conditional(yes=yes, no=no):
            return replace(spec, yes=_saying(yes, predicates), no=_saying(no, predicates))
        case _:
            return spec


def _extra(transform: Transform, extra: Extra, path: Path) -> Extra:
    """The transformed entries under undeclared keys, without filters that read values now gone."""
    found = transform.extra(extra, path)
    if transform.keeps_values:
        return found
    allowed = (
        replace(
            item,
            selections=tuple(
                one for one in item.selections if not reads_value(one.filter, one.path, Anything())
            ),
        )
        for item in found.allowed
    )
    return replace(found, allowed=tuple(allowed))


def _possible(options: tuple[Spec, ...], change: Callable[[Spec], T]) -> list[T]:
    """The changed alternatives, without those that no tree of the form can have."""
    found: list[T] = []
    failed: list[Impossible] = []
    for option in options:
        try:
            found.append(change(option))
        except Impossible as error:
            failed.append(error)
    if not found:
        raise failed[0]
    return found


def _passed_on(below: str | None, link: str | None) -> tuple[tuple[str, Expr[str]], ...]:
    """The link of a transform's own dim to what it is called below."""
    return () if below is None or link is None else ((below, Name(link)),)


def map_value(spec: Spec, change: Callable[[Array | Anything], Spec]) -> Spec:
    """Changes every array within a leaf's value.

    A value of which nothing is said is taken for an array where it is the whole leaf; within a
    tuple, a dict or a record it may be anything else, and stays so.
    """
    match spec:
        case Array() | Anything():
            return change(spec)
        case TupleOf(items, rest):
            return TupleOf(
                tuple(_map_part(item, change) for item in items),
                None if rest is None else _map_part(rest, change),
            )
        case ItemsOf(item=item):
            return replace(spec, item=_map_part(item, change))
        case MappingOf(value=value):
            return replace(spec, value=_map_part(value, change))
        case RecordOf(fields=fields):
            return replace(spec, fields=tuple((k, _map_part(v, change)) for k, v in fields))
        case Union(options):
            return one_of(tuple(_possible(options, lambda option: map_value(option, change))))
        case Validated(inner=inner):
            return replace(spec, inner=map_value(inner, change))
        case Leaf(value=value):
            return replace(spec, value=map_value(value, change))
        case ValueSpec() | StateSpec():
            return spec
        case _:
            assert_never(spec)


def _map_part(spec: Spec, change: Callable[[Array | Anything], Spec]) -> Spec:
    """Changes every array within a part of a leaf's value."""

    def change_array(part: Array | Anything) -> Spec:
        return part if isinstance(part, Anything) else change(part)

    return map_value(spec, change_array)
