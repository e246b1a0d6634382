"""Forms as functions from spec to spec: what `Only`, `Stacked`, `Pure`, ... make of a schema.

A transform says what becomes of one leaf; `rewrite` carries it through the tree, lazily
through nested schemas, so that recursive schemas have forms too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, cast

import jax

from .dims import Axes, Axis, Dim, Expr, Name, names_of, show, substitute
from .errors import SchemaError
from .filters import WILDCARD, Answer, decide, show as show_filter
from .spec import (
    Alike,
    Anything,
    Apart,
    Array,
    Bound,
    Container,
    Decide,
    Entries,
    Extra,
    Field,
    Guarded,
    InPlace,
    Instance,
    ItemsOf,
    Leaf,
    Map,
    MappingOf,
    Node,
    NoValue,
    OneOf,
    Partition,
    Path,
    Placed,
    Record,
    Schema,
    SchemaRef,
    Selection,
    Spec,
    Tree,
    TupleOf,
    parts,
)


class Transform(Protocol):
    """What a form does."""

    @property
    def by_path(self) -> bool:
        """Whether a leaf's path matters."""
        ...

    @property
    def link(self) -> str | None:
        """A dim name that every nested schema takes from the outermost one."""
        ...

    @property
    def keeps_kinds(self) -> bool:
        """Whether a filter still selects the leaves that it selected before."""
        ...

    def title(self, name: str) -> str:
        """The form of a schema, as its user wrote it."""
        ...

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """What becomes of a leaf; None where it is gone."""
        ...

    def entered(self) -> Transform:
        """The transform within a nested schema, whose names are its own."""
        ...

    def bound(self, links: tuple[tuple[str, Expr[str]], ...]) -> Transform:
        """The transform below a `Bind` with these links."""
        ...

    def container(self, container: Container) -> Container:
        """What a level of the tree must be."""
        ...

    def extra(self, extra: Extra, path: Path) -> Extra:
        """What may stand under undeclared keys of the level at a path."""
        ...


@dataclass(frozen=True, slots=True)
class _Plain:
    """What most transforms leave alone."""

    @property
    def by_path(self) -> bool:
        return False

    @property
    def link(self) -> str | None:
        return None

    @property
    def keeps_kinds(self) -> bool:
        return True

    def entered(self) -> Self:
        return self

    def bound(self, links: tuple[tuple[str, Expr[str]], ...]) -> Self:
        return self

    def container(self, container: Container) -> Container:
        return container

    def extra(self, extra: Extra, path: Path) -> Extra:
        return extra


@dataclass(frozen=True)
class Derived:
    """The fields of a schema under a transform, made when first needed."""

    base: SchemaRef
    transform: Transform
    path: Path = ()
    _made: list[Schema] = field(default_factory=list[Schema], compare=False, repr=False)

    def __hash__(self) -> int:
        """By identity of what it is made from."""
        return hash((id(self.base), id(self.transform), self.path))

    @property
    def name(self) -> str:
        """E.g. ``Only[BlockState, Param]``."""
        return self.transform.title(self.base.name)

    def resolve(self) -> Schema:
        """The transformed fields."""
        if not self._made:
            self._made.append(self._make())
        return self._made[0]

    def _make(self) -> Schema:
        schema = self.base.resolve()
        fields: list[Field] = []
        for item in schema.fields:
            spec = rewrite(item.spec, self.transform, (*self.path, item.key))
            if isinstance(spec, OneOf) and NoValue() in spec.options:
                fields.append(replace(item, spec=_present(spec), optional=True))
            elif spec is not None:
                fields.append(replace(item, spec=spec))
        extra = self.transform.extra(schema.extra, self.path)
        kept: list[tuple[str, Spec]] = []
        for pattern, spec in extra.patterns:
            inner = rewrite(spec, self.transform, (*self.path, WILDCARD))
            if inner is not None:
                kept.append((pattern, inner))
        extra = replace(extra, patterns=tuple(kept))
        container = self.transform.container(schema.container)
        return Schema(self.name, tuple(fields), extra, container)


def rewrite(spec: Spec, transform: Transform, path: Path = ()) -> Spec | None:
    """Carries a transform through a tree; None where nothing is left of it.

    Raises:
      SchemaError: the form has no meaning for this hint.
    """
    below = (*path, WILDCARD)
    match spec:
        case Node(ref):
            within = transform.entered()
            node = Node(Derived(ref, within, path if transform.by_path else ()))
            return node if transform.link is None else Bound(node, (_self_link(transform.link),))
        case Bound(inner, links):
            found = rewrite(inner, transform.bound(links), path)
            if found is None:
                return None
            more = () if transform.link is None else (_self_link(transform.link),)
            return Bound(found, (*links, *more))
        case Apart(inner) | Alike(inner):
            found = rewrite(inner, transform, path)
            return None if found is None else replace(spec, inner=found)
        case Map():
            found = rewrite(spec.entry, transform, below)
            if found is None:
                return None
            container = transform.container(spec.container)
            return replace(
                spec, entry=found, container=container, extra=transform.extra(spec.extra, path)
            )
        case Entries(items):
            kept = tuple(
                None if item is None else rewrite(item, transform, (*path, index))
                for index, item in enumerate(items)
            )
            container = transform.container(spec.container)
            return replace(
                spec, items=kept, container=container, extra=transform.extra(spec.extra, path)
            )
        case Tree(leaf):
            found = rewrite(leaf, transform, below)
            if found is None:
                return None
            return replace(spec, leaf=found, container=transform.container(spec.container))
        case OneOf(options):
            rewritten = [rewrite(option, transform, path) for option in options]
            left = [option for option in rewritten if option is not None]
            if not left:
                return None
            return _one_of((*left, *[NoValue()] * (len(left) < len(options))))
        case Decide(filter=filter_, yes=yes, no=no):
            then = None if yes is None else rewrite(yes, transform, path)
            other = None if no is None else rewrite(no, transform, path)
            if then is None and other is None:
                return None
            if not transform.keeps_kinds:  # what is there is one of the two, or was left out
                return _one_of(tuple(option or NoValue() for option in (then, other)))
            return Decide(filter_, spec.path, then, other)
        case TupleOf(items, rest) if path == ():
            kept_items = tuple(rewrite(item, transform, path) for item in items)
            kept_rest = None if rest is None else rewrite(rest, transform, path)
            return TupleOf(tuple(item for item in kept_items if item is not None), kept_rest)
        case InPlace():
            raise SchemaError(f"{transform.title('...')}: a live module has no forms")
        case _:
            return transform.leaf(spec, path)


def _present(spec: OneOf) -> Spec:
    return _one_of(tuple(option for option in spec.options if option != NoValue()))


def _self_link(name: str) -> tuple[str, Expr[str]]:
    return name, Name(name)


def map_value(spec: Spec, change: Any) -> Spec:
    """Changes every array within a leaf's value."""
    match spec:
        case Array() | Anything():
            found: Spec = change(spec)
            return found
        case TupleOf(items, rest):
            return TupleOf(
                tuple(map_value(item, change) for item in items),
                None if rest is None else map_value(rest, change),
            )
        case ItemsOf(item=item):
            return replace(spec, item=map_value(item, change))
        case MappingOf(value=value):
            return replace(spec, value=map_value(value, change))
        case Record(fields=fields):
            return replace(spec, fields=tuple((k, map_value(v, change)) for k, v in fields))
        case OneOf(options):
            return OneOf(tuple(map_value(option, change) for option in options))
        case Guarded(inner=inner):
            return replace(spec, inner=map_value(inner, change))
        case Leaf(value=value):
            return replace(spec, value=map_value(value, change))
        case _:
            return spec


# -- The transforms ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Selecting(_Plain):
    """`Only` and `Rest`: the leaves that filters select, or all others."""

    filters: tuple[Any, ...]
    keep: bool

    @property
    def by_path(self) -> bool:
        """Filters may read paths."""
        return not all(isinstance(item, type) for item in self.filters)

    def title(self, name: str) -> str:
        """``Only[S, Param]``."""
        form = "Only" if self.keep else "Rest"
        return f"{form}[{', '.join([name, *map(show_filter, self.filters)])}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """A maybe is decided by the real leaf."""
        answer = decide(self.filters, path, spec)
        if answer is Answer.MAYBE or isinstance(spec, Anything):
            yes, no = (spec, None) if self.keep else (None, spec)
            return Decide(self.filters, path, yes, no)
        return spec if (answer is Answer.YES) == self.keep else None

    def extra(self, extra: Extra, path: Path) -> Extra:
        """The filters decide on the real leaves."""
        selection = Selection(self.filters, self.keep, path)
        return replace(extra, selections=(*extra.selections, selection))


@dataclass(frozen=True, slots=True, eq=False)
class Adding(_Plain):
    """`Plus`: leaves of these kinds may stand anywhere."""

    kinds: tuple[type, ...]

    def title(self, name: str) -> str:
        """``Plus[S, LoRAParam]``."""
        return f"Plus[{', '.join([name, *(kind.__name__ for kind in self.kinds)])}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Leaves stay."""
        return spec

    def extra(self, extra: Extra, path: Path) -> Extra:
        """More kinds may stand under undeclared keys."""
        return replace(extra, kinds=(*extra.kinds, *self.kinds))


@dataclass(frozen=True, slots=True, eq=False)
class Stacking(_Plain):
    """`Stacked`: one more axis on the selected leaves.

    Attributes:
      dim: the name of the axis inside the form; it is linked to what the user wrote.
      text: the axis as its user wrote it.
      index: where the axis is inserted; negative from the end of the stacked array.
      partition: its name in sharding metadata, None where none is inserted.
      filters: which leaves; all without.
    """

    dim: str
    text: str
    index: int
    partition: Any
    filters: tuple[Any, ...]

    @property
    def link(self) -> str | None:
        """The axis has one size in the whole tree."""
        return self.dim

    @property
    def by_path(self) -> bool:
        """Filters may read paths."""
        return not all(isinstance(item, type) for item in self.filters)

    def title(self, name: str) -> str:
        """``Stacked[S, "layers"]``."""
        filters = [show_filter(item) for item in self.filters]
        return f"Stacked[{', '.join([name, repr(self.text), *filters])}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Selected leaves get the axis; a maybe is decided by the real leaf."""
        answer = decide(self.filters, path, spec) if self.filters else Answer.YES
        if answer is Answer.NO or isinstance(spec, Anything):
            return spec
        stacked = map_value(spec, self._stack)
        inserts = self.partition is not None or (isinstance(spec, Leaf) and spec.by_dims)
        if inserts and isinstance(stacked, Leaf) and stacked.names is not None:
            stacked = replace(stacked, names=self._names(spec, stacked.names))
        if answer is Answer.YES:
            return stacked
        return Decide(self.filters, path, stacked, spec)

    def _names(self, spec: Spec, names: tuple[Any, ...]) -> tuple[Any, ...]:
        """The axis names with that of the new axis inserted."""
        at = self.index
        if at < 0:
            shape = (
                spec.value.shape
                if isinstance(spec, Leaf) and isinstance(spec.value, Array)
                else None
            )
            if shape is None or any(isinstance(dim, Axes) for dim in shape):
                raise SchemaError(f"Axis({at}) of a leaf whose rank is open: count from the front")
            at += len(shape) + 1
        if ... in names[:at]:  # the single axes of a run that stand before the new one
            run = names.index(...)
            opened = (*names[:run], *(None,) * (at - run))
            return (*opened, self.partition, *names[run:])
        padded = (*names, *(None,) * (at - len(names)))
        return (*padded[:at], self.partition, *padded[at:])

    def _stack(self, spec: Array | Anything) -> Spec:
        array = spec if isinstance(spec, Array) else Array("", None, None, None)
        new = Axis(self.text, Name(self.dim))
        shape: tuple[Dim, ...] = (Axes(None),) if array.shape is None else array.shape
        return replace(array, shape=_insert(shape, new, self.index))


def _insert(shape: tuple[Dim, ...], new: Axis, index: int) -> tuple[Dim, ...]:
    """Inserts an axis; where a run of axes stands before it, single axes of the run move out."""
    at = index if index >= 0 else len(shape) + 1 + index
    run = next((i for i, dim in enumerate(shape) if isinstance(dim, Axes)), None)
    if index < 0:
        if run is not None and at <= run:
            raise SchemaError(f"Axis({index}) lies within {shape[run]}: count from the front")
    elif run is not None and run < at:
        dim = shape[run]
        if not isinstance(dim, Axes) or dim.name is not None:
            raise SchemaError(f"Axis({index}) lies behind *name: its place can't be known")
        single: tuple[Dim, ...] = (Axis("_", None),) * (at - run)
        shape = (*shape[:run], *single, dim, *shape[run + 1 :])
    elif at > len(shape):
        raise SchemaError(f"Axis({index}) lies beyond the {len(shape)} axes of a leaf")
    return (*shape[:at], new, *shape[at:])


@dataclass(frozen=True, slots=True, eq=False)
class Unwrapping(_Plain):
    """`Pure` and `Values`: no Variables, only what they hold."""

    pure: bool

    def title(self, name: str) -> str:
        """``Pure[S]``."""
        return f"{'Pure' if self.pure else 'Values'}[{name}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The value of a Variable."""
        if isinstance(spec, Leaf):
            return replace(spec, kind=None, exact=False)
        return spec

    @property
    def keeps_kinds(self) -> bool:
        """Values have none."""
        return False

    def container(self, container: Container) -> Container:
        """``nnx.to_pure_dict`` gives plain dicts, ``nnx.pure`` a State."""
        return "dict" if self.pure else container

    def extra(self, extra: Extra, path: Path) -> Extra:
        """A value does not show of which kind its Variable was."""
        return _extra_of_any_kind(extra)


@dataclass(frozen=True, slots=True, eq=False)
class Abstracting(_Plain):
    """`Abstract`: a ``jax.ShapeDtypeStruct`` in the place of each array."""

    def title(self, name: str) -> str:
        """``Abstract[S]``."""
        return f"Abstract[{name}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Arrays become abstract; ``jax.eval_shape`` makes arrays of Python numbers too."""
        if isinstance(spec, Anything):
            return spec
        if isinstance(spec, Instance) and issubclass(spec.cls, int | float | complex):
            return OneOf((spec, Array("", None, (), None, abstract=True)))
        return map_value(spec, _abstract)


def _abstract(spec: Array | Anything) -> Spec:
    if isinstance(spec, Array):
        return replace(spec, cls=None, abstract=True)
    return OneOf((Array("", None, None, None, abstract=True), NoValue()))


@dataclass(frozen=True, slots=True, eq=False)
class Replacing(_Plain):
    """`Shardings` and `Specs`: something else in the place of each array."""

    form: str
    cls: type

    def title(self, name: str) -> str:
        """``Shardings[S]``."""
        return f"{self.form}[{name}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """A Variable may hold it, or it stands for the Variable."""
        if isinstance(spec, Anything):
            return spec
        names = spec.names if isinstance(spec, Leaf) else None
        raw = self._value(spec.value if isinstance(spec, Leaf) else spec, names)
        if not isinstance(spec, Leaf) or spec.kind is None:
            return raw
        return OneOf((Leaf(spec.kind, raw, spec.exact), raw))

    def _bare(self, array: Spec) -> Spec:
        return self._value(array, None)

    def _value(self, value: Spec, names: tuple[Any, ...] | None) -> Spec:
        """Stands for an array by itself; for a structure as a whole, for its arrays, or not."""
        if isinstance(value, Array | Anything):
            shape = value.shape if isinstance(value, Array) else None
            return Partition(self.cls, names, shape)
        inner = map_value(value, self._bare)
        return _one_of(tuple(dict.fromkeys((inner, Partition(self.cls), NoValue()))))

    @property
    def keeps_kinds(self) -> bool:
        """What stands for a Variable has none."""
        return False

    def extra(self, extra: Extra, path: Path) -> Extra:
        """What stands for a Variable does not show its kind."""
        return _extra_of_any_kind(extra)


@dataclass(frozen=True, slots=True, eq=False)
class Resembling(_Plain):
    """`Like`: another kind, dtype or whole leaf in the place of each leaf.

    Attributes:
      text: the second argument as its user wrote it.
      kinds: Variable classes that hold the value.
      dtype: name and dtypes that the arrays get.
      values: what may stand for the value, or for the whole leaf.
    """

    text: str
    kinds: tuple[Leaf, ...]
    dtype: tuple[str, tuple[Any, ...] | None] | None
    values: tuple[Spec, ...]

    def title(self, name: str) -> str:
        """``Like[S, OptVariable]``."""
        return f"Like[{name}, {self.text}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The leaf with what `Like` says in place of what the schema says."""
        if isinstance(spec, Anything):
            return spec
        value: Spec = spec.value if isinstance(spec, Leaf) else spec
        if self.dtype is not None:
            value = map_value(value, self._retype)
            changed = replace(spec, value=value) if isinstance(spec, Leaf) else value
            return changed if not self.kinds else self._kinds(spec, value)
        if not self.kinds:
            return _one_of(self.values)
        return self._kinds(spec, value)

    @property
    def keeps_kinds(self) -> bool:
        """Another dtype leaves the kinds alone."""
        return not self.kinds and not self.values

    def extra(self, extra: Extra, path: Path) -> Extra:
        """The kinds that were allowed are other ones now."""
        if self.keeps_kinds:
            return extra
        kinds = tuple(kind.kind for kind in self.kinds if kind.kind is not None)
        if not self.values and extra.kinds:
            return replace(extra, kinds=kinds, selections=())
        return _extra_of_any_kind(extra)

    def _kinds(self, spec: Spec, value: Spec) -> Spec:
        """Other kinds with the same value: they are placed as the schema says of its own."""
        options: list[Spec] = []
        for kind in self.kinds:
            if isinstance(kind.value, Anything) and isinstance(spec, Leaf):
                held = _one_of((value, *self.values))
                changed = replace(spec, kind=kind.kind, value=held, exact=kind.exact)
                options.append(replace(changed, predicates=(), by_dims=True))
                continue
            held = kind.value if not isinstance(kind.value, Anything) else value
            options.append(Leaf(kind.kind, _one_of((held, *self.values)), kind.exact))
        return _one_of((*options, *self.values))

    def _retype(self, spec: Array | Anything) -> Spec:
        assert self.dtype is not None
        name, dtypes = self.dtype
        array = spec if isinstance(spec, Array) else Array("", None, None, jax.Array)
        return replace(array, dtype=name, dtypes=dtypes)


def _extra_of_any_kind(extra: Extra) -> Extra:
    allow = extra.allow or bool(extra.kinds)
    return replace(extra, allow=allow, kinds=(), selections=())


@dataclass(frozen=True, slots=True, eq=False)
class Placing(_Plain):
    """`Placed`: every array is where its names say.

    Attributes:
      placed: with the rules for logical names.
    """

    placed: Placed

    def title(self, name: str) -> str:
        """``Placed[S]``."""
        return f"Placed[{name}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Arrays, also raw ones, are looked at."""
        if isinstance(spec, Leaf):
            return replace(spec, placed=self.placed)
        return Leaf(None, spec, placed=self.placed) if isinstance(spec, Array) else spec


@dataclass(frozen=True, slots=True, eq=False)
class Naming(_Plain):
    """`Sharded`: axis names by dims, where a leaf declares none.

    A dim is found by its name where it is written, or by that of a schema that links it.

    Attributes:
      text: what the user wrote.
      table: the axis names of each dim, by its text.
      groups: the links around each schema that was entered, the innermost first.
      pending: the links since then, the innermost first.
    """

    text: str
    table: Mapping[str, Any]
    groups: tuple[tuple[Links, ...], ...] = ()
    pending: tuple[Links, ...] = ()

    def title(self, name: str) -> str:
        """``Sharded[S, "d=fsdp"]``."""
        return f"Sharded[{name}, {self.text!r}]"

    def entered(self) -> Naming:
        """A new schema: only what is linked is known outside of it."""
        return replace(self, groups=(self.pending, *self.groups), pending=())

    def bound(self, links: Links) -> Naming:
        """Names stand for expressions over the outer ones."""
        return replace(self, pending=(links, *self.pending))

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The leaf with names for all its axes; a mesh axis splits the first that has it."""
        if isinstance(spec, Leaf) and spec.names is not None:
            return spec
        array = spec.value if isinstance(spec, Leaf) else spec
        if not isinstance(array, Array) or array.shape is None:
            return spec
        names: list[Any] = []
        used: set[Any] = set()
        for dim in array.shape:
            entry = ... if isinstance(dim, Axes) else self._entry(dim)
            axes: set[Any] = (
                set(cast(Any, entry)) if isinstance(entry, tuple) else {entry} - {None, ...}
            )
            names.append(None if axes & used else entry)
            used |= axes
        leaf = spec if isinstance(spec, Leaf) else Leaf(None, spec)
        return replace(leaf, names=tuple(names), by_dims=True)

    def _entry(self, dim: Axis) -> Any:
        if dim.expr is None:
            return None
        found = {text: self.table[text] for text in self._spellings(dim.expr) if text in self.table}
        return list(found.values())[-1] if found else None

    def _spellings(self, expr: Expr[str]) -> Iterator[str]:
        """The dim as it is written here, and in every schema that links it, outwards."""
        yield show(expr)
        for links in self.pending:
            expr = _relinked(expr, links)
            yield show(expr)
        for group in self.groups:
            own = set(names_of(expr))
            for links in group:
                own -= {name for name, _ in links}
                expr = _relinked(expr, links)
                yield show(expr)
            if own:
                return


Links = tuple[tuple[str, Expr[str]], ...]


def _relinked(expr: Expr[str], links: Links) -> Expr[str]:
    table = dict(links)
    return substitute(expr, lambda name: table.get(name) or Name(name))


def spellings(spec: Spec, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """Yields every dim that is written in a spec or in a schema below it.

    Raises:
      SchemaError: a schema below is not defined yet.
    """
    match spec:
        case Array(shape=shape) if shape is not None:
            for dim in shape:
                if isinstance(dim, Axis) and dim.expr is not None:
                    yield show(dim.expr)
        case Node(ref) if id(_root(ref)) not in seen:
            schema = ref.resolve()
            below = seen | {id(_root(ref))}
            for item in schema.fields:
                yield from spellings(item.spec, below)
            for _, inner in schema.extra.patterns:
                yield from spellings(inner, below)
        case Bound(inner, links):
            for name, expr in links:
                yield from (name, show(expr))
            yield from spellings(inner, seen)
        case _:
            for part in parts(spec):
                yield from spellings(part, seen)


def _root(ref: SchemaRef) -> SchemaRef:
    while isinstance(ref, Derived):
        ref = ref.base
    return ref


def _one_of(options: tuple[Spec, ...]) -> Spec:
    return options[0] if len(options) == 1 else OneOf(options)
