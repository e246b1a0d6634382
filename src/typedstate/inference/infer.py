"""`infer`: a schema from a state, a live module or an abstract one.

The trees are read by `observe`, their sub-states and dims found by `shape`; here they become
classes. Nothing of a value is read, and no text of the data becomes code.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, cast

import jaxtyping
from flax import nnx
from jax.sharding import PartitionSpec
from typing_extensions import TypedDict

from .._annotations.context import Context, NotYet
from .._annotations.parse import parse
from ..errors import SchemaError
from ..forms import Bind, Entries, StateMap
from ..schema.field import Alias
from ..schema.typed_state import SchemaMeta, TypedState
from .naming import key_text
from .observe import observe
from .shape import Shaper
from .template import (
    ArrayUse,
    DictUse,
    EntriesUse,
    FieldUse,
    LeafUse,
    MapUse,
    NodeUse,
    OtherUse,
    Slot,
    Template,
    TupleUse,
    Use,
    ValueUse,
)

_MODULE: Final = "typedstate.inferred"
_RESERVED: Final = frozenset({*dir(nnx.State), "of"})
#: `Bind` and the others as what they are at run time.
_bind: Final = cast(Any, Bind)
_map: Final = cast(Any, StateMap)
_entries: Final = cast(Any, Entries)
_partition: Final = cast(Any, PartitionSpec)

#: What an occurrence of a template says of one of its dims: a size, a name, or nothing.
Demand = int | str | None


def infer(example: Any, *more: Any, name: str | None = None) -> Any:
    """A schema that fits an example, ready for ``isinstance``, `check` and the forms.

    Of one example, sizes are fixed, but for those that tie leaves together: a bias and its
    kernel, and axes of equal size in neighbouring sub-states, become dims with a name. Two
    axes that happen to have one size can't be told apart so: give a second example of other
    sizes, and what grows alike becomes a dim, what differs in dtype or presence is widened,
    and all other sizes are fixed::

        ModelState = infer(Model(d=8, hidden=16), Model(d=4, hidden=12))

    Alike sub-states are of one class, entries by int keys a `StateMap` where one schema fits
    all of them. Of an abstract example comes the schema of the state that it stands for: it
    fits ``Abstract`` of it.

    Args:
      example: a state, a nested dict of leaves, a live module, one of ``nnx.eval_shape``.
      more: others of the same structure.
      name: of the schema; without, that of the module class.

    Raises:
      SchemaError: an example is none of these, or the name that of no class.
    """
    if name is not None and not (name.isidentifier() and name.isascii()):
        raise SchemaError(f"infer: name={name!r} is no name for a class")
    try:
        trees = [observe(item) for item in (example, *more)]
        shaper = Shaper(len(trees))
        use, slots = shaper.root(trees, name or "Model")
        return _Emitter(_root_demands(slots, len(trees))).root(use, slots, name)
    except RecursionError:
        raise SchemaError("infer: the tree is nested too deeply for a schema") from None


def _root_demands(slots: Sequence[Slot], examples: int) -> list[Demand]:
    """What is free at the root: what ties leaves together, or grows from example to example."""
    found: list[Demand] = []
    for slot in slots:
        sizes = [size for size in slot.signature if size is not None]
        varies = len(set(sizes)) > 1
        free = varies or (examples == 1 and len(slot.leaves) > 1 and sizes[0] > 1)
        found.append(None if free else sizes[0])
    return found


@dataclass(slots=True)
class _Class:
    """A template on its way to be a class.

    Attributes:
      template: its fields.
      demands: what each occurrence says of each dim.
      texts: how each dim is written in the body; None where only a sub-state has it.
    """

    template: Template
    demands: list[tuple[Demand, ...]] = field(default_factory=list[tuple[Demand, ...]])
    texts: list[str | None] = field(default_factory=list["str | None"])
    made: Any = None

    def settle(self) -> None:
        """Decides what is a name of the class, a size in its body, or left to a sub-state."""
        dims = zip(self.template.dims, self.template.alone, strict=True)
        for index, (name, alone) in enumerate(dims):
            said = {demand[index] for demand in self.demands}
            if len(said) == 1 and isinstance(one := next(iter(said)), int):
                self.texts.append(str(one))
            else:
                self.texts.append(None if alone and said == {None} else name)

    def passed(self, arg: int | None) -> Demand:
        """What the body says of a dim to a sub-state that has it."""
        text = None if arg is None else self.texts[arg]
        return int(text) if text is not None and text.isdigit() else text


@dataclass(slots=True)
class _Emitter:
    """Makes the classes, those that hold others last."""

    demands: list[Demand]
    classes: dict[Template, _Class] = field(default_factory=dict[Template, _Class])
    taken: set[str] = field(default_factory=set[str])

    def root(self, use: Use, slots: Sequence[Slot], name: str | None) -> Any:
        if isinstance(use, NodeUse):
            top = _Class(use.template)
            self.classes[use.template] = top
            top.demands.append(tuple(self.demands[arg] for arg in use.args if arg is not None))
        else:  # entries at the root: their names are the call's
            names = tuple(f"{slot.name or 'n'}{index}" for index, slot in enumerate(slots))
            top = _Class(Template((FieldUse("", use),), names, (False,) * len(slots), ""))
            top.demands.append(tuple(self.demands))
        order = _by_height([top.template])
        for template in order:
            self.classes.setdefault(template, _Class(template))
        self.classes[top.template] = top
        for template in reversed(order):
            found = self.classes[template]
            found.settle()
            for item in template.fields:
                self._demand(item.use, found)
        title = name or _class_name(top.template.title)
        if isinstance(use, NodeUse):
            self.taken.add(title)
        for template in order:
            found = self.classes[template]
            if template is not top.template:
                found.made = self._class(found, self._unique(_class_name(template.title)))
        if isinstance(use, NodeUse):
            return self._class(top, title)
        return self._use(use, top)

    def _demand(self, use: Use, around: _Class) -> None:
        for node in _nodes(use):
            self.classes[node.template].demands.append(tuple(map(around.passed, node.args)))

    def _unique(self, name: str) -> str:
        number, found = 1, name
        while found in self.taken:
            number += 1
            found = f"{name}{number}"
        self.taken.add(found)
        return found

    def _class(self, found: _Class, name: str) -> Any:
        hints: dict[str, Any] = {}
        attributes = _attributes([item.key for item in found.template.fields])
        for attribute, item in zip(attributes, found.template.fields, strict=True):
            hint = self._use(item.use, found)
            if item.optional:
                hint = hint | None
            hints[attribute] = hint if attribute == item.key else Annotated[hint, Alias(item.key)]
        body = {"__module__": _MODULE, "__qualname__": name, "__annotations__": hints}
        return SchemaMeta(name, (TypedState,), body, typevars={})

    def _use(self, use: Use, around: _Class) -> Any:
        match use:
            case LeafUse():
                return self._leaf(use, around)
            case NodeUse(template, args):
                inner = self.classes[template]
                links = [
                    _link(text, around.texts[arg])
                    for text, arg in zip(inner.texts, args, strict=True)
                    if arg is not None and text is not None and not text.isdigit()
                ]
                text = " ".join(link for link in links if link)
                return _bind[inner.made, text] if text else inner.made
            case MapUse(entry, length):
                hint = _map[int, self._use(entry, around)]
                size = None if length is None else around.texts[length]
                return hint if size is None else _bind[hint, f"len={size}"]
            case EntriesUse(items):
                made = [None if item is None else self._use(item, around) for item in items]
                return _entries[tuple(made)]

    def _leaf(self, use: LeafUse, around: _Class) -> Any:
        value = self._value(use.value, around)
        if use.kind is None:
            return value
        hint: Any = use.kind
        if value is not Any:
            subscriptable = getattr(use.kind, "__parameters__", ())
            kind = cast(Any, use.kind)
            hint = cast(Any, kind[value] if subscriptable else Annotated[kind, value])
        return hint if use.names is None else Annotated[hint, _partition(*use.names)]

    def _value(self, value: ValueUse, around: _Class) -> Any:
        match value:
            case ArrayUse(cls, dtype, dims):
                axes = [around.texts[dim] or "_" for dim in dims or ()]
                text = "..." if dims is None else " ".join(axes)
                return getattr(jaxtyping, dtype)[cls, text]
            case TupleUse(items):
                made = tuple(self._value(item, around) for item in items)
                return cast(Any, tuple)[made]
            case DictUse(items):
                fields = {key: self._value(item, around) for key, item in items}
                return TypedDict(self._unique("ValueDict"), fields)  # type: ignore[operator]
            case OtherUse(cls):
                return _other(cls)


def _by_height(roots: Iterable[Template]) -> list[Template]:
    """All templates, those without others first."""
    heights: dict[Template, int] = {}

    def height(template: Template) -> int:
        if template not in heights:
            inner = [node.template for item in template.fields for node in _nodes(item.use)]
            heights[template] = 1 + max(map(height, inner), default=0)
        return heights[template]

    for root in roots:
        height(root)
    return sorted(heights, key=lambda template: heights[template])


def _nodes(use: Use) -> list[NodeUse]:
    match use:
        case NodeUse():
            return [use]
        case MapUse(entry=entry):
            return _nodes(entry)
        case EntriesUse(items):
            return [node for item in items if item is not None for node in _nodes(item)]
        case LeafUse():
            return []


def _link(inner: str, outer: str | None) -> str:
    if outer is None:
        return ""
    return inner if inner == outer else f"{inner}={outer}"


def _other(cls: type | None) -> Any:
    """The class of a value as a hint, where that means something."""
    if cls is None or "<locals>" in cls.__qualname__:
        return Any
    try:
        parse(cls, Context("infer"))
    except (SchemaError, NotYet):
        return Any
    return cls


def _attributes(keys: Sequence[Any]) -> list[str]:
    """For each key itself, or an attribute in the place of one that can't be one."""
    taken = {key for key in keys if _is_attribute(key)}
    return [key if _is_attribute(key) else _stand_in(key, taken) for key in keys]


def _is_attribute(key: Any) -> bool:
    return (
        type(key) is str
        and key.isidentifier()
        and unicodedata.normalize("NFKC", key) == key  # as Python reads identifiers
        and not keyword.iskeyword(key)
        and not key.startswith("__")
        and key not in _RESERVED
    )


def _stand_in(key: Any, taken: set[str]) -> str:
    base = re.sub(r"\W+", "_", key_text(key), flags=re.ASCII).strip("_")[:40]
    base = f"{base}_" if base and not base[0].isdigit() else f"key_{base}".rstrip("_")
    found, number = base, 1
    while found in taken or not _is_attribute(found):
        number += 1
        found = f"{base}{number}"
    taken.add(found)
    return found


def _class_name(title: str) -> str:
    words = re.split(r"[\W_]+", title, flags=re.ASCII)
    name = "".join(word[:1].upper() + word[1:] for word in words if word)
    if not name or name[0].isdigit():
        name = f"Entry{name}"
    return name if name.endswith("State") else f"{name}State"
