"""The places of a live module's leaves, read once for code that recognises modules like it.

Guarded code asks it for every node of a module that was accepted; the rules are those of
`modules.module_tree`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Literal, cast

import msgspec

from . import modules, variables

Role = Literal["node", "leaf", "ignored"]
Kind = Literal["attributes", "mapping", "items", "flatten"]


class Child(msgspec.Struct, frozen=True):
    """One attribute or item of a node.

    Attributes:
      place: the name of an attribute, the key of a mapping, or an index.
      key: the key in the state.
      value: the value in the accepted module.
      role: a node has leaves below it, a leaf is in the state, the rest is ignored.
      item: the item of Flax's flatten, for a node that must be flattened at each check.
    """

    place: Hashable
    key: Hashable
    value: Any
    role: Role
    item: Any = None


class NodeLayout(msgspec.Struct, frozen=True):
    """The children of a node.

    Attributes:
      kind: ``attributes`` of an object; the ``mapping`` of a State; ``items`` of a dict, list or
        tuple; ``flatten``, if Flax's own function must be called at each check.
      children: the children to compare; if the node has a record, only those that are data.
      size: the number of attributes or items; None if names and record decide.
      record: the node's own record of which attributes are data; None without one.
      unset: names that the record calls data and that the node lacks.
    """

    kind: Kind
    children: tuple[Child, ...]
    size: int | None = None
    record: Mapping[str, bool] | None = None
    unset: tuple[str, ...] = ()


def layout_of(node: Any) -> NodeLayout:
    """The children of a node and how to find them in another of the same class."""
    items: list[tuple[Hashable, Any]] = list(modules.flatten_of(node)(node)[0])
    if modules.is_object(node):
        layout = _attributes(node, items) if modules.keeps_attributes(node) else None
    else:
        layout = _items(node, items)
    if layout is not None:
        return layout
    children: list[Child] = []
    for index, (key, item) in enumerate(items):
        value, is_data = modules.unwrap(item)
        children.append(Child(index, key, value, _role(value, is_data), item))
    return NodeLayout("flatten", tuple(children), len(children))


def _attributes(node: Any, items: list[tuple[Hashable, Any]]) -> NodeLayout | None:
    attributes = cast(Mapping[str, Any], vars(node))
    record = modules.data_names(node)
    children: list[Child] = []
    for key, item in items:
        name = str(key)
        value, is_data = modules.unwrap(item)
        if attributes.get(name) is not value:
            return None
        if is_data is not (None if record is None else record.get(name, False)):
            return None
        if is_data is not False:
            children.append(Child(name, key, value, _role(value, is_data)))
    if record is None:
        return NodeLayout("attributes", tuple(children), len(attributes))
    unset = tuple(name for name, data in record.items() if data and name not in attributes)
    return NodeLayout("attributes", tuple(children), None, record, unset)


def _items(node: Any, items: list[tuple[Hashable, Any]]) -> NodeLayout | None:
    kind: Kind = "items"
    found: dict[Any, Any]
    if variables.is_state(node):
        kind, found = "mapping", dict(variables.mapping_of(node) or {})
    elif type(node) is dict:
        found = cast(Any, node)
    elif isinstance(node, tuple | list):
        found = dict(enumerate(cast(Iterable[Any], node)))
    else:
        return None
    fields: tuple[str, ...] = getattr(cast(Any, node), "_fields", ())
    children: list[Child] = []
    for key, value in items:
        place = fields.index(key) if key in fields else key
        if place not in found or found[place] is not value:
            return None
        children.append(Child(place, key, value, _role(value, None)))
    return NodeLayout(kind, tuple(children), len(found)) if len(items) == len(found) else None


def _role(value: Any, is_data: bool | None) -> Role:
    if is_data is False:
        return "ignored"
    if variables.is_variable(value) or variables.is_reference(value):
        return "leaf"
    if modules.is_node(value):
        return "node"
    return "leaf" if is_data or variables.is_plain_array(value) else "ignored"
