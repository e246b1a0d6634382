"""Tags: mark a type with the form that it came from.

To every checker ``Only[S, nnx.Param]`` is ``S`` and ``Pure[S]`` a dict. The plugin keeps it so,
and hangs the form on the instance, where mypy keeps attributes that single instances have: it
takes part in no subtype question, and it stays with the type in variables, containers and caches.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Final, NamedTuple

from mypy.types import ExtraAttrs, Instance, NoneType, Type, UnionType, get_proper_type

from .recursion import recursive_alias

_FORM: Final = "<typedstate form>"
_ARGUMENT: Final = "<typedstate argument {}>"
_LACKS: Final = "<typedstate lacks {}>"
_SELECTS: Final = "<typedstate selects>"
_TREES: Final = "<typedstate of trees>"
_ANY_VALUES: Final = "<typedstate any values>"
_ITEM: Final = "<typedstate item {}>"


class Tag(NamedTuple):
    """A form that was applied to a type.

    Attributes:
      form: the name of the form, e.g. ``Only``.
      inner: the type that it was applied to.
      args: the other arguments of the form; filters are encoded by `filters`.
    """

    form: str
    inner: Type
    args: tuple[Type, ...]


def tagged(carrier: Instance, tag: Tag) -> Instance:
    """The carrier's type, marked with a form."""
    new = Instance(carrier.type, carrier.args, carrier.line, carrier.column)
    attrs = {f"{_FORM} {tag.form}": tag.inner}
    for index, arg in enumerate(tag.args):
        attrs[_ARGUMENT.format(index)] = arg
    new.extra_attrs = ExtraAttrs(attrs)
    return new


def tag_of(typ: Instance) -> Tag | None:
    """The form with which a type is marked; None without one."""
    if typ.extra_attrs is None:
        return None
    attrs = typ.extra_attrs.attrs
    for name, inner in attrs.items():
        if name.startswith(_FORM):
            return Tag(name[len(_FORM) + 1 :], inner, _arguments(attrs))
    return None


def with_operands(carrier: Instance, operands: Sequence[Type]) -> Instance:
    """A filter class with the filters that it combines."""
    new = Instance(carrier.type, carrier.args, carrier.line, carrier.column)
    new.extra_attrs = ExtraAttrs(
        {_ARGUMENT.format(index): operand for index, operand in enumerate(operands)}
    )
    return new


def operands_of(typ: Instance) -> tuple[Type, ...]:
    """The filters that a filter class combines."""
    return () if typ.extra_attrs is None else _arguments(typ.extra_attrs.attrs)


def lacking(carrier: Instance, names: Sequence[str]) -> Instance:
    """A module some of whose attributes are None by arguments of its constructor."""
    return _with(carrier, {_LACKS.format(name): NoneType() for name in names})


def lacks(typ: Instance) -> frozenset[str]:
    """The attributes that are None by arguments of the constructor."""
    attrs = {} if typ.extra_attrs is None else typ.extra_attrs.attrs
    start = _LACKS[:-3]
    return frozenset(name[len(start) : -1] for name in attrs if name.startswith(start))


def with_items(carrier: Instance, items: Mapping[Hashable, Type]) -> Instance:
    """A list or dict of modules with the type of each item."""
    return _with(carrier, {_ITEM.format(repr(key)): typ for key, typ in items.items()})


def item_of(typ: Instance, key: Hashable) -> Type | None:
    """The type of an item of such a list or dict; None if it is not known."""
    return None if typ.extra_attrs is None else typ.extra_attrs.attrs.get(_ITEM.format(repr(key)))


def items_of(typ: Instance) -> list[Type]:
    """The types of all items of such a list or dict."""
    attrs = {} if typ.extra_attrs is None else typ.extra_attrs.attrs
    return [item for name, item in attrs.items() if name.startswith(_ITEM[:-3])]


def selecting(carrier: Instance, filter_: Type) -> Instance:
    """An optimizer with its filter."""
    return _with(carrier, {_SELECTS: filter_})


def selected_by(typ: Instance) -> Type | None:
    """The filter of an optimizer; None if it is not known."""
    return None if typ.extra_attrs is None else typ.extra_attrs.attrs.get(_SELECTS)


def of_trees(carrier: Instance) -> Instance:
    """A transformed function that treats a module as a tree, as JAX's transforms do."""
    return _with(carrier, {_TREES: NoneType()})


def is_of_trees(typ: Instance) -> bool:
    """Whether a transformed function treats a module as a tree."""
    return typ.extra_attrs is not None and _TREES in typ.extra_attrs.attrs


def with_any_values(carrier: Instance) -> Instance:
    """A module whose Variables hold anything: abstract ones, until an update gives it arrays."""
    return _with(carrier, {_ANY_VALUES: NoneType()})


def has_any_values(typ: Instance) -> bool:
    """Whether the Variables of a module may hold anything."""
    return typ.extra_attrs is not None and _ANY_VALUES in typ.extra_attrs.attrs


def without_any_values(carrier: Instance) -> Instance:
    """A module whose Variables hold what its class says."""
    if not has_any_values(carrier) or carrier.extra_attrs is None:
        return carrier
    attrs = {key: typ for key, typ in carrier.extra_attrs.attrs.items() if key != _ANY_VALUES}
    new = Instance(carrier.type, carrier.args, carrier.line, carrier.column)
    new.extra_attrs = ExtraAttrs(attrs) if attrs else None
    return new


def forgetting(typ: Instance) -> Instance:
    """A module of which only the classes are known, its own and those of its items.

    Without facts of a constructor it is the very type.
    """
    args = [_forgotten(arg) for arg in typ.args]
    is_bare = all(new is old for new, old in zip(args, typ.args, strict=True))
    if typ.extra_attrs is None and is_bare:
        return typ
    new = Instance(typ.type, args, typ.line, typ.column)
    return with_any_values(new) if has_any_values(typ) else new


def _forgotten(typ: Type) -> Type:
    if recursive_alias(typ) is not None:
        return typ
    found = get_proper_type(typ)
    if isinstance(found, UnionType):
        items = [_forgotten(item) for item in found.items]
        is_bare = all(new is old for new, old in zip(items, found.items, strict=True))
        return typ if is_bare else UnionType.make_union(items)
    if not isinstance(found, Instance):
        return typ
    facts = {} if found.extra_attrs is None else found.extra_attrs.attrs
    if not all(name.startswith((_LACKS[:-3], _ITEM[:-3])) for name in facts):
        return typ  # a form
    known = forgetting(found)
    return typ if known is found else known


def _with(carrier: Instance, attrs: Mapping[str, Type]) -> Instance:
    new = Instance(carrier.type, carrier.args, carrier.line, carrier.column)
    before = {} if carrier.extra_attrs is None else carrier.extra_attrs.attrs
    new.extra_attrs = ExtraAttrs({**before, **attrs})
    return new


def _arguments(attrs: dict[str, Type]) -> tuple[Type, ...]:
    count = sum(name.startswith(_ARGUMENT[:-4]) for name in attrs)
    return tuple(attrs[_ARGUMENT.format(index)] for index in range(count))
