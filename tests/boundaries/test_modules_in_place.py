"""A live module is checked in place, exactly as its state is."""

from __future__ import annotations

import dataclasses
import functools
from typing import Annotated, Any

import flax.struct
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import given, strategies as st
from jaxtyping import Array, Float, Int

from tests import zoo
from tests.boundaries.helpers import SquareState, first_line, linear, linear_state, ones, refused
from tests.zoo import LinearState
from typedstate import Bind, SchemaError, StateMap, StateTypeError, TypedState, check, checked, fits


def test_a_module_is_checked_in_place() -> None:
    @checked
    def step(model: Annotated[nnx.Linear, LinearState], x: Float[Array, "b din"]) -> None: ...

    model = linear()
    for _ in range(2):
        step(model, ones((4, 2)))
    refused(step, model, ones((4, 3)))
    model.kernel = nnx.Param(ones((2, 4)))
    assert first_line(refused(step, model, ones((4, 2)))) == (
        "model.bias: dout is 3, but dout=4 from model.kernel, axis 1 [dim]"
    )
    assert first_line(refused(step, 3, ones((4, 2)))) == (
        "model: expected Linear, found int [container]"
    )


def test_only_a_module_is_a_module() -> None:
    @checked
    def step(model: Annotated[nnx.Linear, LinearState]) -> None: ...

    model = linear()
    step(model)
    tree = {"kernel": model.kernel, "bias": model.bias}
    assert first_line(refused(step, tree)).startswith("model: expected Linear, found a dict")
    assert first_line(refused(step, nnx.state(model))).startswith("model: expected Linear")


def test_an_optional_module_is_read_each_time() -> None:
    @checked
    def step(model: Annotated[nnx.Linear, SquareState] | None = None) -> None: ...

    step()
    step(linear(2, 2))
    step(linear(3, 3))
    refused(step, linear(2, 3))


def test_a_module_in_a_container() -> None:
    @checked
    def step(models: list[Annotated[nnx.Linear, SquareState]]) -> None: ...

    step([linear(2, 2), linear(2, 2)])
    step([linear(2, 2), linear(2, 2)])
    refused(step, [linear(2, 2), linear(2, 3)])


def test_a_container_that_jax_rebuilds_may_hold_anything_meanwhile() -> None:
    @checked
    @flax.struct.dataclass
    class Batch:
        tokens: Int[Array, "n"]
        state: LinearState
        weight: float = flax.struct.field(pytree_node=False, default=1.0)

    @checked
    @functools.partial(
        jax.tree_util.register_dataclass, data_fields=["tokens", "scale"], meta_fields=[]
    )
    @dataclasses.dataclass
    class Scaled:
        tokens: Int[Array, "n"]
        scale: float

    @jax.tree_util.register_pytree_node_class
    class Custom:
        @checked
        def __init__(self, tokens: Int[Array, "n"]) -> None:
            self.tokens = tokens

        def tree_flatten(self) -> tuple[Any, None]:
            return (self.tokens,), None

        @classmethod
        def tree_unflatten(cls, _: None, children: Any) -> Any:
            return cls(*children)

    @checked
    def use(batch: Batch, scaled: Scaled) -> Float[Array, ""]:
        return batch.tokens.sum() * scaled.scale

    tokens = jnp.arange(3)
    batch, scaled = Batch(tokens, linear_state()), Scaled(tokens, 2.0)
    for container in (batch, scaled, Custom(tokens)):
        for made in (None, True, "x", object()):
            rebuilt = jax.tree.map(lambda _, made=made: made, container)
            assert type(rebuilt) is type(container)
            assert rebuilt.tokens is made
        assert type(jax.eval_shape(lambda it: it, container)) is type(container)
    assert use(batch, scaled) == 6.0
    assert jax.jit(use)(batch, scaled) == 6.0  # the number is an array in there
    refused(Batch, None, linear_state())
    refused(batch.replace, tokens=None)
    refused(Scaled, None, 2.0)
    refused(Scaled, tokens, None)
    refused(Custom, None)
    refused(use, batch, batch)


def test_a_dtype_is_no_class_of_values() -> None:
    with pytest.raises(SchemaError) as caught:

        @checked
        def use(step: jnp.int32, x: Float[Array, "n"]) -> None: ...

    assert str(caught.value) == (
        "test_a_dtype_is_no_class_of_values.<locals>.use(step): jnp.int32 is a dtype, of which "
        'nothing is an instance: write Int32[Array, ""]'
    )
    for dtype, name in {
        jnp.bfloat16: "BFloat16",
        jnp.bool_: "Bool",
        jnp.complex64: "Complex64",
    }.items():
        with pytest.raises(SchemaError, match=f'write {name}\\[Array, ""\\]'):
            check(jnp.ones(()), dtype)


def test_a_module_class_that_is_a_dataclass() -> None:
    @dataclasses.dataclass
    class Layer(nnx.Module):
        kernel: nnx.Param
        parts: list[Any]

    @checked
    def use(layer: Layer) -> None: ...

    use(Layer(nnx.Param(ones(2)), zoo.list_of([])))
    refused(use, 3)


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_in_place_agrees_with_the_state(animal: zoo.Animal) -> None:
    model = animal.make()
    hint = Annotated[type(model), animal.schema]
    assert fits(nnx.state(model), animal.schema)
    assert fits(model, hint)

    def use(model: Any) -> None: ...

    use.__annotations__["model"] = hint
    use = checked(use)
    use(model)
    use(animal.make())


class Tree(nnx.Module):
    """Attributes are given from outside."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)


class TreeState(TypedState):
    a: Bind[SquareState, "d"] | None
    b: nnx.Param[Float[Array, "d"]] | None
    parts: StateMap[int, Bind[SquareState, "d"]]
    table: StateMap[str, nnx.Variable[Float[Array, "n"]]]
    raw: Float[Array, "d"] | None


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Modules with lists, dicts, shared Variables and modules, statics and wrong sizes."""
    size = st.sampled_from([2, 2, 2, 2, 3])
    pool: list[Any] = [linear(2, 2), linear(3, 3), linear(2, 3)]
    variables: list[Any] = [nnx.Param(ones(2)), nnx.BatchStat(ones(2))]
    module = st.sampled_from([0, 0, 0, 1, 2]).map(lambda index: pool[index])
    fresh = module.map(nnx.clone)
    variable = st.one_of(st.sampled_from(variables), size.map(lambda n: nnx.Param(ones(n))))
    attributes: dict[str, Any] = {}
    some = {
        "a": st.one_of(module, fresh, st.none()),
        "b": st.one_of(variable, st.none()),
        "parts": st.lists(st.one_of(module, fresh), max_size=3).map(zoo.list_of),
        "table": st.dictionaries(st.sampled_from("xyz"), variable, max_size=3).map(zoo.dict_of),
        "raw": size.map(lambda n: zoo.data(ones(n))),
        "static": st.sampled_from(["text", 3, jax.nn.relu]),
        "c": st.one_of(variable, module),
    }
    for name, strategy in some.items():
        if draw(
            st.sampled_from([True, True, True, False] if name != "c" else [False] * 4 + [True])
        ):
            attributes[name] = draw(strategy)
    return Tree(attributes)


@checked
def _takes_tree(model: Annotated[Tree, TreeState]) -> None: ...


@pytest.mark.both_policies
@given(trees())
def test_in_place_accepts_exactly_what_the_state_fits(model: Tree) -> None:
    expected = fits(nnx.state(model), TreeState)
    assert fits(model, Annotated[Tree, TreeState]) is expected
    for _ in range(2):
        try:
            _takes_tree(model)
        except StateTypeError:
            assert not expected
        else:
            assert expected
