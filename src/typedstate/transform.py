"""Forms as functions from spec to spec: what `Only`, `Stacked`, `Pure`, ... make of a schema.

A transform says what becomes of one leaf; `rewrite` carries it through the tree, lazily
through nested schemas, so that recursive schemas have forms too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import jax

from .dims import Axes, Axis, Dim, Expr, Name
from .errors import SchemaError
from .filters import WILDCARD, Answer, decide
from .filters import show as show_filter
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
    Path,
    Record,
    Schema,
    SchemaRef,
    Selection,
    Spec,
    Tree,
    TupleOf,
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
        fields = []
        for item in schema.fields:
            spec = rewrite(item.spec, self.transform, (*self.path, item.key))
            if isinstance(spec, OneOf) and NoValue() in spec.options:
                fields.append(replace(item, spec=_present(spec), optional=True))
            elif spec is not None:
                fields.append(replace(item, spec=spec))
        extra = self.transform.extra(schema.extra, self.path)
        kept = []
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
            node = Node(Derived(ref, transform, path if transform.by_path else ()))
            return node if transform.link is None else Bound(node, (_self_link(transform.link),))
        case Bound(inner, links):
            found = rewrite(inner, transform, path)
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
        if answer is Answer.MAYBE or (isinstance(spec, Anything) and answer is not Answer.NO):
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
        if isinstance(stacked, Leaf) and stacked.names is not None and self.partition is not None:
            stacked = replace(stacked, names=self._names(spec, stacked.names))
        if answer is Answer.YES:
            return stacked
        return Decide(self.filters, path, stacked, spec)

    def _names(self, spec: Spec, names: tuple[Any, ...]) -> tuple[Any, ...]:
        """The axis names with that of the new axis inserted."""
        at = self.index
        if at < 0:
            shape = spec.value.shape if isinstance(spec, Leaf) and isinstance(spec.value, Array) else None
            if shape is None or any(isinstance(dim, Axes) for dim in shape):
                raise SchemaError(f"Axis({at}) of a leaf whose rank is open: count from the front")
            at += len(shape) + 1
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
        opened = (*(Axis("_", None),) * (at - run), dim)
        shape = (*shape[:run], *opened, *shape[run + 1 :])
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
            return replace(spec, kind=None, exact=False, names=None)
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
        raw = Instance(self.cls)
        if isinstance(spec, Anything):
            return spec
        if not isinstance(spec, Leaf) or spec.kind is None:
            return raw
        return OneOf((Leaf(spec.kind, raw, spec.exact), raw))

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
            return changed if not self.kinds else self._kinds(value)
        if not self.kinds:
            return _one_of(self.values)
        return self._kinds(value)

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

    def _kinds(self, value: Spec) -> Spec:
        options: list[Spec] = []
        for kind in self.kinds:
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


def _one_of(options: tuple[Spec, ...]) -> Spec:
    return options[0] if len(options) == 1 else OneOf(options)


__all__ = ["Derived", "NoValue", "Transform", "rewrite"]
