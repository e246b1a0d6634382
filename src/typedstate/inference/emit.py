"""`emit`: makes the classes of an inferred schema from their drafts; `infer` calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Final, Union, cast, get_origin

import jaxtyping
from flax import nnx
from typing_extensions import TypedDict

from .._annotations.context import Context, NotYet
from .._annotations.parse import parse
from .._compat.storage import Storage, partition
from .._compat.unknown_kind import UnknownKind
from ..errors import SchemaError
from ..export.attributes import attributes
from ..export.source_writer import HEAD, NOTES
from ..export.unique_names import UniqueNames
from ..forms import Axis, Bind, Entries, Exactly, MemoryKind, Stacked, StateMap
from ..schema.field import Alias, Shared
from ..schema.typed_state import SchemaMeta, TypedState
from .naming import class_name, titles
from .needs import find_needs
from .optimizer import of_optimizer
from .settings import Settings
from .text import key_text
from .uses import (
    AroundUse,
    ArrayUse,
    CountedUse,
    DictUse,
    Draft,
    DraftUse,
    EntriesUse,
    FieldUse,
    Group,
    LayerUse,
    LeafNames,
    LeafUse,
    MapUse,
    OptimizerUse,
    OtherUse,
    Slot,
    StackedUse,
    TupleUse,
    UnionUse,
    Use,
    ValueUse,
)
from .within_uses import uses_of

_MODULE: Final = "typedstate.inferred"
#: The forms, typed as Any: checkers take them for what they stand for.
_bind: Final = cast(Any, Bind)
_map: Final = cast(Any, StateMap)
_entries: Final = cast(Any, Entries)
_stacked: Final = cast(Any, Stacked)
_exactly: Final = cast(Any, Exactly)
#: Floats that a configuration chooses from.
_PRECISIONS: Final = frozenset({"Float16", "BFloat16", "Float32", "Float64"})


def emit(drafts: Sequence[Draft], settings: Settings, name: str | None) -> Any:
    """The hint of the whole tree; a class is made before the classes that use it."""
    root = drafts[-1]
    _fix(root, settings)
    find_needs(drafts, several=settings.counts)
    used = [draft for draft in drafts if draft.seen and not draft.bare]
    found = titles(used, name)
    emitter = _Emitter(settings, _kept(used), UniqueNames(set(found.values())))
    for draft in used:
        draft.made = emitter.schema(draft, found[id(draft)])
    if not root.bare:
        return root.made
    return emitter.use(root.fields[0].use) if root.fields else TypedState


def _fix(root: Draft, settings: Settings) -> None:
    """Replaces dims of the top class by numbers, for the sizes that the caller fixed.

    Raises:
      SchemaError: no dim has such a name, or its size varies.
    """
    names = {group.text: group for group in root.groups if group.is_name}
    for name in sorted(settings.fix or ()):
        group = names.get(name)
        sizes = {size for size in group.sizes if size is not None} if group else set[int]()
        if group is None:
            there = f"there are {', '.join(filter(None, names))}" if names else "there are none"
            raise SchemaError(f"infer: fix={{{name!r}}}: no dim at the top has that name; {there}")
        if len(sizes) > 1:
            shown = ", ".join(map(str, sorted(sizes)))
            raise SchemaError(f"infer: fix={{{name!r}}}: its size varies: {shown}")
        group.text = str(sizes.pop())


def _kept(drafts: Sequence[Draft]) -> dict[object, dict[str, bool]]:
    """For each Flax layer with axis names: its keys, and whether all of its places have them."""
    found: dict[object, dict[str, bool]] = {}
    for draft in drafts:
        for item in draft.fields:
            for use in uses_of(item.use):
                if isinstance(use, LayerUse) and use.names:
                    known = found.setdefault((use.schema, use.names), dict(use.keys))
                    keys = dict(use.keys)
                    for key in {*known, *keys}:
                        known[key] = known.get(key, False) and keys.get(key, False)
    return found


@dataclass(slots=True)
class _Emitter:
    """Makes classes and their annotations.

    Attributes:
      settings: what the caller says of sizes.
      kept: the keys of each Flax layer with axis names, and whether they are always there.
      titles: the names of classes, of drafts and of those that are made on the way.
      named: those of Flax layers with axis names.
    """

    settings: Settings
    kept: dict[object, dict[str, bool]]
    titles: UniqueNames
    named: dict[object, Any] = field(default_factory=dict[object, Any])

    def schema(self, draft: Draft, title: str) -> Any:
        """The class of a draft."""
        hints: dict[str, Any] = {}
        fields = [item for item in draft.fields if not isinstance(item.use, CountedUse)]
        names = attributes([item.key for item in fields])
        for attribute, item in zip(names, fields, strict=True):
            hints[attribute] = self._field(item, attribute)
        extra = dict(self._counted(i.use) for i in draft.fields if isinstance(i.use, CountedUse))
        body: dict[str, Any] = {"__module__": _MODULE, "__qualname__": title}
        body["__annotations__"] = hints
        for name, said in ((NOTES, draft.notes), (HEAD, draft.head)):
            if said:
                body[name] = tuple(said)
        return SchemaMeta(title, (TypedState,), body, typevars={}, extra=extra or None)

    def _counted(self, use: CountedUse) -> tuple[str, Any]:
        """The pattern of numbered keys, and the annotation of each."""
        pattern = f"{use.run.before}{{len={use.length.group.text}}}{use.run.after}"
        return pattern, self.use(use.entry, use.run.entry)

    def _field(self, item: FieldUse, attribute: str) -> Any:
        hint = self.use(item.use, key_text(item.key))
        metadata: list[Any] = [] if attribute == item.key else [Alias(item.key)]
        if item.shared is not None:
            metadata.append(Shared(item.shared))
        if item.optional and item.shared is None:
            hint = hint | None
        return Annotated[(hint, *metadata)] if metadata else hint

    def use(self, use: Use, key: str = "") -> Any:
        """The annotation of a key."""
        match use:
            case LeafUse():
                return self._leaf(use)
            case LayerUse(schema, dims, names, keys, runs):
                made = self._with_names(schema, names, keys, key) if names else schema
                links = [(dim, self._text(slot)) for dim, slot in dims]
                long = [(run, [self._text(slot) for slot in axes]) for run, axes in runs]
                return _bound(made, links, long)
            case DraftUse(draft, dims):
                links = [
                    (group.text or "", self._text(slot)) for group, slot in dims if group.needed
                ]
                return _bound(draft.made, links)
            case AroundUse(schema, inner):
                return schema[tuple(self.use(item, key) for item in inner)]
            case MapUse(by, entry, length):
                hint = _map[by, self.use(entry, key)]
                size = None if by is str or length is None else length.group.text
                return hint if size is None else _bind[hint, f"len={size}"]
            case CountedUse():
                raise AssertionError("numbered keys are no field")
            case EntriesUse(items, optional):
                hints: list[Any] = [item and self.use(item, key) for item in items]
                said = [hint | None if at in optional else hint for at, hint in enumerate(hints)]
                return _entries[tuple(said)]
            case StackedUse(inner, length, stack):
                plain = stack.axis == 0 and stack.partition is ...
                more = [] if plain else [Axis(stack.axis, stack.partition)]
                hint = self.use(inner, key)
                return _stacked[(hint, length.group.text, *more, *(stack.kinds or ()))]
            case UnionUse(options):
                union: Any = None
                for hint in dict.fromkeys(self.use(option, key) for option in options):
                    union = hint if union is None else union | hint
                return union
            case OptimizerUse(node, model, whole):
                found = TypedState if model is None else self.use(model, key)
                return of_optimizer(node, found, whole=whole)

    def _text(self, slot: Slot | None) -> str | None:
        """The right side of a link for one dim of a field's class; None for a dim without link."""
        if slot is None:
            return None
        group: Group = slot.group
        if group.text is None or (group.is_name and not group.needed):
            return None
        one = group.text in ("0", "1") and self.settings.examples == 1
        return None if one and not self.settings.fixes_all else group.text

    def _with_names(
        self,
        schema: Any,
        names: tuple[LeafNames, ...],
        keys: tuple[tuple[str, bool], ...],
        key: str,
    ) -> Any:
        """A class of the catalogue whose leaves have axis names."""
        found = self.named.get((schema, names))
        if found is None:
            stem = schema.__name__.removesuffix("State")
            title = f"Sharded{stem}State"
            if title in self.titles.taken:
                title = f"{class_name(key).removesuffix('State')}{stem}State"
            declared = schema.__typedstate_ref__.declared
            kept = self.kept.get((schema, names)) or dict(keys)  # a state may be one layer
            hints: dict[str, Any] = {}
            for item in declared:
                hint = declared[item].raw
                if kept.get(item, False):
                    hints[item] = _there(hint)
                elif item in kept or _there(hint) is hint:
                    hints[item] = hint
            for item, axes, storage in names:
                hints[item] = _stored(hints[item], axes, storage)
            title = self.titles.give(title)
            body = {"__module__": _MODULE, "__qualname__": title, "__annotations__": hints}
            found = SchemaMeta(title, (TypedState,), body, typevars={})
            self.named[schema, names] = found
        return found

    def _leaf(self, use: LeafUse) -> Any:
        value = self._value(use.value)
        if use.kind is None:
            return _stored(value, None, use.storage)
        kind = cast(Any, nnx.Variable if use.kind is UnknownKind else use.kind)
        hint: Any = kind
        if value is not Any:
            subscriptable = getattr(kind, "__parameters__", ())
            hint = cast(Any, kind[value] if subscriptable else Annotated[kind, value])
        if use.kind is nnx.Variable and use.exact:
            hint = _exactly[hint]
        return _stored(hint, use.names, use.storage)

    def _value(self, value: ValueUse) -> Any:
        match value:
            case ArrayUse(cls, dtype, dims):
                axes = [("_" if dim is None else dim.group.text or "_") for dim in dims or ()]
                text = "..." if dims is None else " ".join(axes)
                open_dtype = dtype in _PRECISIONS and not self.settings.fixes_all
                return getattr(jaxtyping, "Float" if open_dtype else dtype)[cls, text]
            case TupleUse(items):
                made = tuple(self._value(item) for item in items)
                return cast(Any, tuple)[made]
            case DictUse(items):
                fields = {key: self._value(item) for key, item in items}
                return TypedDict(self.titles.give("ValueDict"), fields)  # type: ignore[operator]
            case OtherUse(cls):
                return _other(cls)


def _bound(
    schema: Any,
    links: Sequence[tuple[str, str | None]],
    runs: Sequence[tuple[str, Sequence[str | None]]] = (),
) -> Any:
    """A schema with links; runs of axes come last, as they take all that follows them."""
    said = [name if name == text else f"{name}={text}" for name, text in links if text]
    said += (f"*{run}={' '.join(map(str, axes))}" for run, axes in runs if None not in axes)
    return _bind[schema, " ".join(said)] if said else schema


def _stored(hint: Any, axes: tuple[Any, ...] | None, storage: Storage) -> Any:
    """A hint with its axis names, and the memory of its arrays."""
    found = hint if axes is None else _annotated(hint, partition(axes, storage))
    kind = storage.memory_kind
    return found if kind is None else _changed(found, lambda one: cast(Any, MemoryKind)[one, kind])


def _there(hint: Any) -> Any:
    """An optional hint as that of what is there."""
    args: tuple[Any, ...] = getattr(hint, "__args__", ())
    there = [option for option in args if option is not type(None)]
    if len(there) == len(args) or get_origin(hint) not in (Union, UnionType):
        return hint
    found = there[0]
    for option in there[1:]:
        found = found | option
    return found


def _annotated(hint: Any, metadata: Any) -> Any:
    """A hint with metadata; of an optional one, that of what may be there."""
    return _changed(hint, lambda one: Annotated[one, metadata])


def _changed(hint: Any, change: Callable[[Any], Any]) -> Any:
    args: tuple[Any, ...] = getattr(hint, "__args__", ())
    if type(None) in args and len(args) == 2:
        return change(args[0]) | None
    return change(hint)


def _other(cls: type | None) -> Any:
    """The hint of a value by its class; Any for a class that can't be a hint."""
    if cls is None or "<locals>" in cls.__qualname__:
        return Any
    try:
        parse(cls, Context("infer"))
    except (SchemaError, NotYet):
        return Any
    return cls
