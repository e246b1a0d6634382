"""`Tree`: a schema with the forms around it, read from a type; `Fields`: the keys of a schema."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Final, NamedTuple

from mypy.expandtype import expand_type_by_instance
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import SymbolNode, TypeInfo, Var
from mypy.types import (
    Instance,
    Type,
    get_proper_type,
)

from .declaration import key_of, metadata_of
from .modules import OF_MODULE, is_module
from .names import ENTRIES, FORMS, MAP, SCHEMA
from .tags import Tag, tag_of

LEVELS: Final = (MAP, ENTRIES)
_NOMINAL: Final = ("Abstract", "Shardings", "Specs", "Like")


class Tree(NamedTuple):
    """A schema, `StateMap`, `Entries` or module, with the forms around it.

    Attributes:
      base: the innermost type.
      forms: the forms around it, the innermost first.
    """

    base: Instance
    forms: tuple[Tag, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether mypy itself does not know its keys and attributes."""
        return bool(self.forms) or is_module(self.base)


class Field(NamedTuple):
    """A field of a schema class.

    Attributes:
      name: the attribute.
      key: the key in the state.
      type: the declared type.
    """

    name: str
    key: Hashable
    type: Type


def is_schema(info: TypeInfo) -> bool:
    """Whether a class is a schema of a user's."""
    return info.has_base(SCHEMA) and info.fullname != SCHEMA


def tree_of(typ: Type) -> Tree | None:
    """The tree that a type describes; None if it is no tree that the plugin knows."""
    found = get_proper_type(typ)
    if not isinstance(found, Instance):
        return None
    tag = tag_of(found)
    if tag is None and is_schema(found.type):
        return Tree(found)
    tag = tag or _nominal(found)
    if tag is not None:
        if tag.form == OF_MODULE:
            module = get_proper_type(tag.inner)
            return Tree(module) if isinstance(module, Instance) else None
        inner = tree_of(tag.inner)
        return None if inner is None else Tree(inner.base, (*inner.forms, tag))
    return Tree(found) if found.type.fullname in LEVELS else None


def _nominal(typ: Instance) -> Tag | None:
    name = typ.type.fullname.removeprefix(FORMS)
    if name in _NOMINAL and typ.type.fullname.startswith(FORMS) and typ.args:
        return Tag(name, typ.args[0], tuple(typ.args[1:]))
    return None


class Fields(NamedTuple):
    """The known fields of a schema class.

    Attributes:
      by_key: the fields whose keys are known, by key.
      complete: whether all keys of the schema are known.
    """

    by_key: Mapping[Hashable, Field]
    complete: bool

    def named(self, name: str) -> Field | None:
        """The field of an attribute."""
        return next((field for field in self.by_key.values() if field.name == name), None)


def has_plain_field(info: TypeInfo, name: str) -> bool | None:
    """Whether an attribute of a schema class is a field that has its own name as key.

    None if the body of the class does not declare it, or not all of its keys are known.
    """
    symbol = info.names.get(name)
    if symbol is None or not _is_field(name, symbol.node):
        return None
    metadata = metadata_of(info)
    return key_of(metadata, name) == (name,) if metadata and not metadata.get("open") else None


def fields_of(base: Instance) -> Fields:
    """The fields of a schema, its bases' first."""
    found: dict[str, Field] = {}
    complete = True
    for info in reversed(base.type.mro):
        if not is_schema(info):
            continue
        metadata = metadata_of(info)
        if metadata.get("open") or not metadata:
            complete = False
            continue
        carrier = map_instance_to_supertype(base, info)
        for name, declared in _declared(info):
            key = key_of(metadata, name)
            if key is None:
                found.pop(name, None)
                complete = False
            else:
                found[name] = Field(name, key[0], expand_type_by_instance(declared, carrier))
    return Fields({field.key: field for field in found.values()}, complete)


def _declared(info: TypeInfo) -> Iterator[tuple[str, Type]]:
    """The annotations of a class body."""
    for name, symbol in info.names.items():
        node = symbol.node
        if isinstance(node, Var) and node.type is not None and _is_field(name, node):
            yield name, node.type


def _is_field(name: str, node: SymbolNode | None) -> bool:
    if not isinstance(node, Var) or node.type is None or node.is_classvar:
        return False
    return not (name.startswith("__") and name.endswith("__"))
