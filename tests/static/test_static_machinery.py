"""The classes and functions behind the state API, as code that extends Flax uses them."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, assert_type

import jax.numpy as jnp
from flax import nnx
from flax.nnx import graphlib
from flax.typing import Key, PathParts
from static_check import check
from static_models import Net, linear, net


class Box:
    """A node type of a user's own."""

    def __init__(self, items: dict[Key, Any]) -> None:
        self.items = items


class Crate(Box):
    """Another one."""


def flatten(box: Box) -> tuple[Sequence[tuple[Key, Any]], None]:
    return list(box.items.items()), None


def set_key(box: Box, key: Key, value: Any) -> None:
    box.items[key] = value


def pop_key(box: Box, key: Key) -> Any:
    return box.items.pop(key)


def create_empty(metadata: None) -> Box:
    return Box({})


def clear(box: Box) -> None:
    box.items.clear()


def init(box: Box, items: Iterable[tuple[Key, Any]]) -> None:
    box.items = dict(items)


def unflatten(items: Sequence[tuple[Key, Any]], metadata: None) -> Crate:
    return Crate(dict(items))


def test_node_types() -> None:
    check(
        assert_type(
            graphlib.register_graph_node_type(
                Box, flatten, set_key, pop_key, create_empty, clear, init
            ),
            None,
        ),
        type(None),
    )
    assert nnx.state(Box({"a": nnx.Param(jnp.ones(2))}))["a"].shape == (2,)
    check(
        assert_type(graphlib.register_pytree_node_type(Crate, flatten, unflatten), None), type(None)
    )
    assert nnx.state(Crate({"a": nnx.Param(jnp.ones(2))}))["a"].shape == (2,)
    found = graphlib.get_node_impl(Box({"a": 1}))
    assert isinstance(found, graphlib.GraphNodeImpl)
    check(assert_type(found.node_dict(Box({"a": 1})), dict[Key, Any]), dict)


def test_reference_maps() -> None:
    references = graphlib.RefMap([(net(), 0)])
    indices = check(
        assert_type(graphlib.IndexMap.from_refmap(references), graphlib.IndexMap), graphlib.IndexMap
    )
    again = check(
        assert_type(graphlib.RefMap.from_indexmap(indices), graphlib.RefMap), graphlib.RefMap
    )
    check(assert_type(again[indices[0]], int), int)
    check(assert_type(again.get(indices[0]), int | None), int)
    check(assert_type(len(again), int), int)
    check(assert_type(again.items(), Any), object)


def test_update_contexts() -> None:
    with nnx.update_context("tag") as context:
        references = graphlib.RefMap()
        check(assert_type(context.flatten_end(references), None), type(None))
        check(
            assert_type(context.unflatten_end(graphlib.IndexMap(), inner_merge=True), None),
            type(None),
        )


def test_the_cache() -> None:
    graphdef, _ = nnx.split(linear())
    cached = check(
        assert_type(
            graphlib.StaticCache.create(graphdef, (), [], graphlib.RefMap()), graphlib.StaticCache
        ),
        graphlib.StaticCache,
    )
    check(assert_type(cached.paths, tuple[PathParts, ...]), tuple)
    check(
        assert_type(graphlib.static_cache({}), AbstractContextManager[None]), AbstractContextManager
    )


def test_modes() -> None:
    check(assert_type(nnx.set_graph_mode.get_default(), bool), bool)
    check(assert_type(nnx.set_graph_mode.get_stack(), list[bool]), list)
    check(assert_type(nnx.set_graph_updates.get_default(), bool), bool)
    check(assert_type(nnx.set_graph_updates.get_stack(), list[bool]), list)


def test_what_a_graphdef_holds() -> None:
    graphdef = nnx.graphdef(net())
    check(assert_type(graphdef, nnx.GraphDef[Net]), nnx.GraphDef)
    check(assert_type(graphdef.num_leaves, int), int)
    check(assert_type(graphdef.nodes, list[graphlib.NodeDefType[Any]]), list)
    check(assert_type(graphdef.attributes, list[tuple[Key, graphlib.AttrType]]), list)
    first = graphdef.nodes[0]
    assert isinstance(first, graphlib.NodeDef)
    check(assert_type(first.num_attributes, int), int)
