"""`merge` and `update` refuse what Flax silently accepts, and change nothing then."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, strategies as st

from tests import zoo
from tests.zoo import Mlp, MlpState, Stack, StackState, Tied, leaf, named, state
from typedstate import StateTypeError, merge, update
from typedstate._compat import variables

HAS_GRAPH_OPTION = "graph" in inspect.signature(nnx.split).parameters


def ones(*shape: int, dtype: Any = np.float32) -> jax.Array:
    return jnp.asarray(np.ones(shape, dtype))


def model() -> Mlp:
    return Mlp(2, 3, rngs=nnx.Rngs(0))


def refused(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(StateTypeError) as caught:
        call(*args, **kwargs)
    assert caught.value.report is not None
    return str(caught.value)


def arrays_of(node: Any) -> list[tuple[Any, Any]]:
    """Each leaf of a live node with its value, by identity."""
    flat = jax.tree_util.tree_flatten_with_path(nnx.to_pure_dict(nnx.state(node)))[0]
    return [(path, id(value)) for path, value in flat]


def leaves_of(tree: Any) -> list[tuple[Any, int]]:
    if isinstance(tree, nnx.State):
        tree = tree.raw_mapping
    if isinstance(tree, dict):
        return [(key, leaf) for key, item in tree.items() for leaf in leaves_of(item)]
    held = variables.raw_value(tree) if variables.is_variable(tree) else tree
    return [(None, id(held))]


def swapped(tree: Any) -> Any:
    """With kernel renamed so that it sorts before bias: Flax's merge swaps the two."""
    tree = zoo.as_dict(tree)
    tree["up"]["abc"] = tree["up"].pop("kernel")
    return nnx.State(tree)


# -- merge -------------------------------------------------------------------------------------


def test_merge_is_flaxs() -> None:
    node = model()
    graphdef, params, rest = nnx.split(node, nnx.Param, ...)
    merged = merge(graphdef, params, rest)
    assert isinstance(merged, Mlp)
    assert leaves_of(nnx.state(merged)) == leaves_of(nnx.state(node))
    assert isinstance(merge(graphdef, params, rest, hint=MlpState), Mlp)
    assert isinstance(merge(graphdef, rest, params), Mlp)


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_merge_takes_what_split_gives(animal: zoo.Animal) -> None:
    graphdef, found = nnx.split(animal.make())
    merged = merge(graphdef, found, hint=animal.schema)
    assert str(nnx.state(merged)) == str(found)


def test_merge_refuses_a_renamed_key() -> None:
    graphdef, found = nnx.split(model())
    wrong = swapped(found)
    before = leaves_of(wrong)
    assert refused(merge, graphdef, wrong) == (
        "does not fit the GraphDef: 2 violations\n"
        "  up.kernel: missing, expected Param [missing]\n"
        "  up.abc: not declared, found Param float32[2,3] [extra]"
    )
    assert leaves_of(wrong) == before


def test_merge_refuses_kinds_and_axis_names() -> None:
    graphdef, found = nnx.split(model())
    tree = zoo.as_dict(found)
    tree["up"]["kernel"] = leaf(nnx.BatchStat, ones(2, 3))
    tree["down"]["kernel"] = named(nnx.Param, ones(3, 2), "mlp", "embed")
    lines = refused(merge, graphdef, nnx.State(tree)).splitlines()
    assert lines[0] == "does not fit the GraphDef: 2 violations"
    assert sorted(lines[1:]) == [
        "  down.kernel: expected no axis names, found the axis names ('mlp', 'embed') [metadata]",
        "  up.kernel: expected Param, found BatchStat float32[2,3] [kind]",
    ]


def test_merge_knows_shapes_by_the_hint_only() -> None:
    graphdef, found = nnx.split(model())
    tree = zoo.as_dict(found)
    tree["up"]["kernel"] = leaf(nnx.Param, ones(2, 4))
    merge(graphdef, nnx.State(tree))
    assert refused(merge, graphdef, nnx.State(tree), hint=MlpState) == (
        "does not fit MlpState: 1 violation\n"
        "  up.kernel: dout is 4, but hidden=3 from up.bias, axis 0 [dim]\n"
        "  dims: d=2 hidden=3"
    )


def test_merge_takes_pure_values_and_refuses_their_wrong_keys() -> None:
    graphdef, found = nnx.split(model())
    pure = nnx.to_pure_dict(found)
    assert isinstance(merge(graphdef, pure), Mlp)
    pure["up"]["kernl"] = pure["up"].pop("kernel")
    assert "kernl" in refused(merge, graphdef, pure)


def test_merge_refuses_leaves_twice_and_none() -> None:
    graphdef, params, rest = nnx.split(model(), nnx.Param, ...)
    assert "again in state 1" in refused(merge, graphdef, params, params)
    assert refused(merge, graphdef, rest).startswith("does not fit the GraphDef: 4 violations")
    assert "expected a state" in refused(merge, graphdef, 3)
    assert "4 violations" in refused(merge, graphdef)


def test_merge_refuses_str_keys_for_int() -> None:
    graphdef, found = nnx.split(Stack(2, 3, 2, nnx.Rngs(0)))
    merge(graphdef, found, hint=StackState)
    tree = zoo.as_dict(found)
    tree["layers"] = {str(key): item for key, item in tree["layers"].items()}
    message = refused(merge, graphdef, nnx.State(tree))
    assert "layers[0].up.kernel: missing" in message
    assert "layers['0']" in message


def test_merge_takes_shared_variables_once() -> None:
    graphdef, found = nnx.split(Tied(5, 3, nnx.Rngs(0)))
    merged = merge(graphdef, found)
    assert merged.head is merged.embed.embedding
    twice = zoo.as_dict(found)
    twice["head"] = twice["embed"]["embedding"]
    assert "head: not declared" in refused(merge, graphdef, nnx.State(twice))


def test_merge_takes_a_list_of_leaves() -> None:
    graphdef, found = nnx.split(model())
    flat = jax.tree.leaves(found, is_leaf=variables.is_variable)
    try:
        nnx.merge(graphdef, flat)
    except Exception:
        pytest.skip("this Flax takes no list of leaves")
    assert isinstance(merge(graphdef, flat), Mlp)
    assert "a list of 4 leaves" in refused(merge, graphdef, flat[:3])


@pytest.mark.skipif(not HAS_GRAPH_OPTION, reason="this Flax has no graph=False")
def test_merge_without_a_graph() -> None:
    graphdef, found = nnx.split(model(), graph=False)  # type: ignore[call-overload]
    assert isinstance(merge(graphdef, found), Mlp)
    assert "up.kernel: missing" in refused(merge, graphdef, swapped(found))


def test_merge_wants_a_graphdef() -> None:
    with pytest.raises(TypeError, match=r"expected an nnx.GraphDef, got int"):
        merge(3, state({}))  # type: ignore[arg-type]


def test_merge_inside_jit() -> None:
    graphdef, found = nnx.split(model())

    @jax.jit
    def run(found: Any, x: Any) -> Any:
        return merge(graphdef, found, hint=MlpState)(x)

    assert run(found, ones(4, 2)).shape == (4, 2)
    with pytest.raises(StateTypeError):
        jax.jit(lambda found: merge(graphdef, found)(ones(4, 2)))(swapped(found))


# -- update ------------------------------------------------------------------------------------


def refused_update(node: Any, *states: Any, **options: bool) -> str:
    """The message, once it is sure that neither the node nor the states have changed."""
    before, given_ = arrays_of(node), [leaves_of(item) for item in states if item != 3]
    message = refused(update, node, *states, **options)
    assert arrays_of(node) == before
    assert [leaves_of(item) for item in states if item != 3] == given_
    return message


def test_update_takes_a_part() -> None:
    node = model()
    kernel = node.up.kernel
    update(node, {"up": {"bias": ones(3) * 5}})
    update(node, state({"down": {"bias": nnx.Param(ones(2) * 7)}}))
    update(node)
    update(node, {})
    assert float(node.up.bias[...][0]) == 5
    assert float(node.down.bias[...][0]) == 7
    assert node.up.kernel is kernel


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_update_takes_the_nodes_own_state(animal: zoo.Animal) -> None:
    node, other = animal.make(), nnx.state(animal.make())
    update(node, other)
    assert str(nnx.state(node)) == str(other)


def test_update_refuses_what_flax_accepts() -> None:
    node = model()
    wrong = {
        "up": {"kernel": ones(3, 2), "bias": ones(3, dtype=np.int32)},
        "down": {"kernel": ones(3), "bias": leaf(nnx.BatchStat, ones(2))},
    }
    assert refused_update(node, wrong) == (
        "does not fit Mlp: 4 violations\n"
        "  up.kernel: expected float32[2,3], found float32[3,2] (resize=True takes it) [size]\n"
        "  up.bias: expected float32[3], found int32[3] (resize=True takes it) [dtype]\n"
        "  down.kernel: expected float32[3,2], found float32[3] (resize=True takes it) [rank]\n"
        "  down.bias: expected Param float32[2], found BatchStat float32[2] [kind]"
    )


def test_update_resizes_on_request() -> None:
    node = model()
    update(node, {"up": {"kernel": ones(2, 9)}}, resize=True)
    assert node.up.kernel.shape == (2, 9)
    assert "kind" in refused_update(
        node, {"up": {"bias": leaf(nnx.BatchStat, ones(3))}}, resize=True
    )
    assert "array" in refused_update(node, {"up": {"bias": 3.5}}, resize=True)


def test_update_refuses_unknown_keys() -> None:
    node = model()
    assert refused_update(node, {"up": {"kernl": ones(2, 3)}}) == (
        "does not fit Mlp: 1 violation\n"
        "  up.kernl: not declared, found float32[2,3] (did you mean 'kernel'?) [extra]"
    )
    assert "new=True adds it" in refused_update(node, {"zzz": ones(3)})


def test_update_adds_on_request() -> None:
    node = model()
    if hasattr(nnx, "data"):
        update(node, {"extra": nnx.Param(ones(2))}, new=True)
        assert node.extra.shape == (2,)  # type: ignore[attr-defined]
    assert "container" in refused_update(node, {"up": ones(2)}, new=True)


def test_update_refuses_containers() -> None:
    node = model()
    assert "up: expected a sub-state" in refused_update(node, {"up": ones(2)})
    assert "up.bias: expected Param float32[3], found a sub-state" in refused_update(
        node, {"up": {"bias": {"x": ones(3)}}}
    )
    assert "expected a state" in refused_update(node, 3)
    assert "again in state 1" in refused_update(
        node, {"up": {"bias": ones(3)}}, {"up": {"bias": ones(3)}}
    )


def test_update_refuses_other_axis_names() -> None:
    node = model()
    assert "found the axis names ('embed',) [metadata]" in refused_update(
        node, state({"up": {"bias": named(nnx.Param, ones(3), "embed")}})
    )


def test_update_refuses_str_keys_for_int() -> None:
    node = Stack(2, 3, 2, nnx.Rngs(0))
    message = refused_update(node, {"layers": {"0": {"up": {"kernel": ones(2, 3)}}}})
    assert "layers['0'].up.kernel: not declared" in message


def test_update_reaches_a_shared_variable_by_each_path() -> None:
    node = Tied(5, 3, nnx.Rngs(0))
    update(node, {"embed": {"embedding": ones(5, 3) * 3}})
    assert float(node.head[...][0, 0]) == 3
    assert "size" in refused_update(node, {"head": ones(5, 4)})


def test_update_is_atomic_over_several_states() -> None:
    node = model()
    refused_update(node, {"up": {"bias": ones(3)}}, {"down": {"bias": ones(9)}})


def test_update_of_an_optimizer() -> None:
    animal = next(animal for animal in zoo.ZOO if animal.name == "adam")
    node = animal.make()
    found = zoo.as_dict(nnx.state(node))
    found["opt_state"][0]["count"] = leaf(nnx.OptState, ones(2, dtype=np.int32))
    before = arrays_of(node)
    refused(update, node, nnx.State(found))
    assert arrays_of(node) == before


@pytest.mark.both_policies
@given(st.data())
def test_update_refuses_any_wrong_leaf(data: st.DataObject) -> None:
    node = model()
    layer = data.draw(st.sampled_from(["up", "down"]))
    name = data.draw(st.sampled_from(["kernel", "bias"]))
    live = getattr(getattr(node, layer), name)
    wrong = data.draw(
        st.sampled_from(
            [
                ones(*live.shape, 1),
                ones(*(n + 1 for n in live.shape)),
                ones(*live.shape, dtype=np.int32),
                leaf(nnx.BatchStat, ones(*live.shape)),
                "text",
                None,
                3,
            ]
        )
    )
    refused_update(node, {layer: {name: wrong}})


def test_raw_arrays() -> None:
    class Raw(nnx.Module):
        def __init__(self) -> None:
            self.scale = zoo.data(ones(3))

    node = Raw()
    update(node, {"scale": ones(3) * 2})
    assert float(node.scale[0]) == 2
    assert "size" in refused_update(node, {"scale": ones(4)})
    assert "kind" in refused_update(node, state({"scale": nnx.Param(ones(3))}))
    graphdef, found = nnx.split(node)
    merge(graphdef, found)
    assert "kind" in refused(merge, graphdef, state({"scale": nnx.Param(ones(3))}))
