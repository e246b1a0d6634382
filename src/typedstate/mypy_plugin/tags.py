"""How a type remembers the form it came from.

To every checker ``Only[S, nnx.Param]`` is ``S`` and ``Pure[S]`` a dict. The plugin keeps it so,
and hangs the form on the instance, where mypy keeps attributes that single instances have: it
takes part in no subtype question, and it stays with the type in variables, containers and caches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mypy.types import ExtraAttrs, Instance, Type

_FORM: Final = "<typedstate form>"
_ARGUMENT: Final = "<typedstate argument {}>"


@dataclass(frozen=True, slots=True)
class Tag:
    """A form that was applied to a type.

    Attributes:
      form: its name, such as ``Only``.
      inner: the type that it was applied to.
      args: its other arguments; filters as `filters` encodes them.
    """

    form: str
    inner: Type
    args: tuple[Type, ...]


def tagged(carrier: Instance, tag: Tag) -> Instance:
    """A type that is what the carrier is to mypy, and remembers a form."""
    new = Instance(carrier.type, carrier.args, carrier.line, carrier.column)
    attrs = {f"{_FORM} {tag.form}": tag.inner}
    for index, arg in enumerate(tag.args):
        attrs[_ARGUMENT.format(index)] = arg
    new.extra_attrs = ExtraAttrs(attrs)
    return new


def tag_of(typ: Instance) -> Tag | None:
    """The form that a type remembers."""
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


def _arguments(attrs: dict[str, Type]) -> tuple[Type, ...]:
    count = sum(name.startswith(_ARGUMENT[:-4]) for name in attrs)
    return tuple(attrs[_ARGUMENT.format(index)] for index in range(count))
