"""The leaves that a GraphDef of the installed Flax wants, in the order of its `merge`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ..report import Path


class GraphDefLeaf(msgspec.Struct, frozen=True):
    """One leaf that a GraphDef wants.

    Attributes:
      path: the keys of the leaf.
      kind: the class of its Variable; None for a raw leaf.
      metadata: the Variable's metadata.
    """

    path: Path
    kind: type | None
    metadata: Mapping[str, Any]


def graphdef_slots(graphdef: Any) -> list[GraphDefLeaf]:
    """The leaves of a GraphDef, in the order in which Flax's ``merge`` takes them.

    Raises:
      TypeError: this is no GraphDef whose entries can be read.
    """
    nodes = getattr(graphdef, "nodes", None)
    if nodes is None:
        raise TypeError(f"expected an nnx.GraphDef, got {type(graphdef).__name__}")
    if nodes and type(nodes[0]).__name__ == "TreeNodeDef":
        return list(_tree_slots(graphdef))
    slots: list[GraphDefLeaf] = []
    _read_slots(iter(nodes), iter(graphdef.attributes), (), slots)
    return slots


def _tree_slots(graphdef: Any) -> Iterator[GraphDefLeaf]:
    root, *rest = graphdef.nodes
    variables = {definition.index: definition for definition in rest}
    for index, (path, _) in enumerate(root.path_index):
        definition = variables.get(index)
        if definition is None:
            yield GraphDefLeaf(tuple(path), None, {})
        else:
            yield GraphDefLeaf(tuple(path), definition.type, dict(definition.metadata))


def _read_slots(
    nodes: Iterator[Any], attributes: Iterator[Any], path: Path, slots: list[GraphDefLeaf]
) -> None:
    node = next(nodes)
    match type(node).__name__:
        case "NodeRef":
            return
        case "VariableDef":
            reference = getattr(node, "array_refdef", getattr(node, "mutable_arraydef", None))
            if type(reference).__name__ != "NodeRef":
                slots.append(GraphDefLeaf(path, node.type, dict(node.metadata)))
            return
        case "ArrayRefDef" | "MutableArrayDef":
            slots.append(GraphDefLeaf(path, None, {}))
            return
        case "NodeDef":
            pass
        case other:
            raise TypeError(f"a GraphDef with a {other} can't be read on this Flax")
    for _ in range(node.num_attributes):
        key, attribute = next(attributes)
        match type(attribute).__name__:
            case "NodeAttr" | "MutableArrayAttr":
                _read_slots(nodes, attributes, (*path, key), slots)
            case "LeafAttr" | "ArrayAttr":
                slots.append(GraphDefLeaf((*path, key), None, {}))
            case _:
                pass
