"""Trees of which little is known: recursive aliases, what is Any to mypy, modules that hold no arrays."""

from abc import ABC
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, Union, assert_type

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec
from plugin_train_models import Net, net, squares
from schema_models import seen

Array = jax.Array
Param = nnx.Param[Array]
Tree: TypeAlias = Union[Array, "dict[str, Tree]", "list[Tree]"]
Settings: TypeAlias = Union[int, str, "dict[str, Settings]", "list[Settings]"]
Nested: TypeAlias = dict[str, "Nested"]
M = TypeVar("M", bound=nnx.Module)
T = TypeVar("T")


class Pair(NamedTuple):
    mean: Array
    scale: Array


class Abstract(nnx.Module, ABC):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.rngs = rngs


class Configured(nnx.Module):
    def __init__(self, settings: dict[str, Settings], nested: Nested, rngs: nnx.Rngs) -> None:
        self.settings = settings
        self.nested = nested
        self.linear = nnx.Linear(2, 3, rngs=rngs)


class Noted(nnx.Module, Generic[T]):
    def __init__(self, note: T, rngs: nnx.Rngs) -> None:
        self.note = note
        self.linear = nnx.Linear(2, 3, rngs=rngs)


def total(tree: Tree) -> Array:
    return jnp.stack([jnp.sum(leaf) for leaf in jax.tree.leaves(tree)]).sum()


def spread(pair: Pair) -> Array:
    return jnp.sum(pair.mean * pair.scale)


def value_and_gradient(model: M) -> tuple[Array, nnx.State[Any, Param]]:
    def loss(model: M) -> Array:
        return squares(nnx.state(model, nnx.Param), jnp.ones(()))

    return assert_type(nnx.value_and_grad(loss)(model), tuple[Array, nnx.State[Any, Param]])


def test_a_module_of_a_recursive_alias() -> None:
    noted: Noted[Settings] = Noted("a", nnx.Rngs(0))
    seen(assert_type(nnx.state(noted)["linear"]["kernel"], Param), nnx.Param)


def test_trees_of_recursive_aliases() -> None:
    tree: dict[str, Tree] = {"a": jnp.ones(2), "b": {"c": jnp.ones(3)}}
    given: Tree = tree
    whole: Tree = assert_type(total(given), Array)
    assert isinstance(whole, Array)
    for leaf in assert_type(jax.tree.leaves(tree), list[Array]):
        seen(leaf, Array)
    seen(assert_type(jax.tree.map(lambda x: 2 * x, tree), dict[str, Tree]), dict)
    assert_type(jax.tree.map(lambda x: x.shape, tree)["a"], Any)
    seen(assert_type(jax.device_put(tree), dict[str, Tree]), dict)
    seen(assert_type(jax.grad(lambda t: total(t))(tree), dict[str, Tree]), dict)
    nested: Nested = {}
    assert_type(jax.tree.leaves(nested), list[Any])


def test_settings_are_no_data_of_a_module() -> None:
    configured = Configured({"depth": 2, "widths": [1, 2]}, {}, nnx.Rngs(0))
    state = assert_type(nnx.state(configured), nnx.State[Any, Param])
    assert "settings" not in state
    seen(assert_type(state["linear"]["kernel"], Param), nnx.Param)


def test_named_tuples() -> None:
    pair = Pair(jnp.ones(2), jnp.ones(2))
    seen(assert_type(jax.grad(spread)(pair), Pair), Pair)
    seen(assert_type(jax.tree.map(lambda x: 2 * x, pair), Pair), Pair)
    assert_type(jax.tree.map(lambda x: x.shape, pair), Any)


def test_gradients_by_what_is_any() -> None:
    def loss(x):  # type: ignore[no-untyped-def]
        return jnp.sum(jnp.stack(jax.tree.leaves(x)) ** 2)

    x: Any = jnp.ones(2)
    assert_type(jax.grad(loss)(x), Any)
    seen(jax.grad(loss)(x), Array)
    value, grads = jax.value_and_grad(loss)(x)
    seen(assert_type(value, Array), Array)
    assert_type(grads, Any)
    (value, _), grads = nnx.value_and_grad(lambda v: (jnp.sum(v), v), has_aux=True)(x)
    seen(assert_type(value, Array), Array)
    assert_type(grads, Any)
    assert_type(nnx.grad(loss)(*[x]), Any)


def test_gradients_by_a_module_of_any_class() -> None:
    value, grads = value_and_gradient(net())
    seen(value, Array)
    seen(grads["head"]["kernel"], nnx.Param)


@pytest.mark.parametrize("of_nodes", [False, True])
def test_a_name_of_several_gradients(of_nodes: bool) -> None:
    def loss(x):  # type: ignore[no-untyped-def]
        return jnp.sum(x**2), x

    if of_nodes:
        gradient = nnx.value_and_grad(loss, argnums=0, has_aux=True)
    else:
        gradient = jax.value_and_grad(loss, argnums=(0,), has_aux=True)
    assert callable(gradient)


def test_the_whole_state_of_a_module_without_arrays() -> None:
    def make() -> Abstract:
        return Abstract(nnx.Rngs(0))

    model = nnx.eval_shape(make)
    assert_type(nnx.state(model), nnx.State[Any, nnx.Variable[Any] | Any])
    assert_type(nnx.state(model, nnx.Param), nnx.State[Any, nnx.Param[Any]])
    whole = nnx.eval_shape(lambda: Net(4, 2, nnx.Rngs(0)))
    _, params, rest = nnx.split(whole, nnx.Param, ...)
    assert_type(params, nnx.State[Any, nnx.Param[Any]])
    assert_type(rest, nnx.State[Any, nnx.Variable[Any] | Any])


def test_partition_specs_and_shardings() -> None:
    params = nnx.state(net(), nnx.Param)
    specs = assert_type(nnx.get_partition_spec(params), nnx.State[Any, nnx.Param[PartitionSpec]])
    seen(assert_type(specs["head"]["kernel"], nnx.Param[PartitionSpec]), nnx.Param)
    for spec in jax.tree.leaves(specs):
        seen(spec, PartitionSpec)
    mesh = jax.make_mesh((1,), ("data",))
    placed = nnx.get_named_sharding(params, mesh)
    seen(assert_type(placed["head"]["kernel"], nnx.Param[NamedSharding]), nnx.Param)
    for sharding in jax.tree.leaves(placed):
        seen(sharding, NamedSharding)
    seen(assert_type(nnx.get_partition_spec(jnp.ones(2)), PartitionSpec), PartitionSpec)


class Sowing(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(2, 2, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        self.sow(nnx.Intermediate, "seen", x)
        return self.linear(x)


def test_what_is_sown_is_a_tuple() -> None:
    model = Sowing(nnx.Rngs(0))
    model(jnp.ones((1, 2)))
    state = nnx.state(model, nnx.Intermediate)
    assert_type(state, nnx.State[Any, nnx.Intermediate[Any]])
    both = nnx.state(model, (nnx.Param, nnx.Intermediate))
    assert_type(both, nnx.State[Any, Param | nnx.Intermediate[Any]])
    popped = nnx.pop(model, nnx.Intermediate)
    leaf = assert_type(popped, nnx.State[Any, nnx.Intermediate[Any]])["seen"]
    seen(leaf[0], Array)


class Cached:
    def __init__(self) -> None:
        self.layouts = None

    def shapes(self) -> Any:
        return assert_type(jax.tree.map(lambda x: x.shape, self.layouts), Any)


def test_what_is_none_until_a_method_assigns_it() -> None:
    assert Cached().shapes() is None
