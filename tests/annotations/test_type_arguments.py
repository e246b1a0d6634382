"""Names of dims in a type argument belong to where it is written, however often it is used."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.agreement import warm
from typedstate import (
    Bind,
    Entries,
    Only,
    Scoped,
    Stacked,
    StateMap,
    StateTypeError,
    TypedState,
    checked,
    explain,
)
from typedstate.layers import AdamState, EMAState, OptimizerState, Raw

S = TypeVar("S")
T = TypeVar("T")


class Layer(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None


class NetState(TypedState):
    head: Bind[Layer, "din=d dout=classes"]
    free: Layer  # its dims are linked to nothing


class Two(TypedState, Generic[S]):
    a: S
    b: S


class Outer(TypedState, Generic[S]):
    first: Two[S]
    last: S


class Tree(TypedState, Generic[S]):
    here: S
    below: "Tree[S] | None"


class Maps(TypedState, Generic[S]):
    plain: S | None
    own: StateMap[int, S] | None
    shared: StateMap[str, Two[S]] | None


class Statement(Two[Layer]): ...


class Body(TypedState):
    one: Two[Layer]
    other: Two[Layer]


class Linked(TypedState):
    one: Bind[Two[Layer], "din=d"]
    other: Two[Bind[Layer, "dout=d"]]


class Own(TypedState, Generic[S]):
    scale: nnx.Param[Float[Array, "din"]]
    x: S


def param(*shape: int) -> Any:
    return zoo.leaf(nnx.Param, jnp.ones(shape))


def layer(din: int, dout: int, bias: bool = True) -> dict[str, Any]:
    tree = {"kernel": param(din, dout)}
    return {**tree, "bias": param(dout)} if bias else tree


def net(d: int = 4, classes: int = 3, free: int = 5, bias: bool = True) -> dict[str, Any]:
    return {"head": layer(d, classes), "free": layer(free, free, bias)}


def two(one: Any, other: Any) -> dict[str, Any]:
    return {"a": one, "b": other}


def lines(value: Any, hint: Any) -> list[str]:
    return [f"{item.path}: {item.code}" for item in explain(value, hint).violations]


# -- In a class, in a signature -----------------------------------------------------------------


def test_all_uses_have_one_set_of_names() -> None:
    doors = warm(Two[Layer], two(layer(4, 3), layer(4, 3)), two(layer(5, 2), layer(5, 2)))
    assert not doors.ask(two(layer(4, 3), layer(4, 2)))
    assert lines(two(layer(4, 3), layer(5, 3)), Two[Layer]) == ["b.kernel: dim"]


def test_schemas_below_an_argument_agree_too() -> None:
    doors = warm(Two[NetState], two(net(), net()))
    assert not doors.ask(two(net(free=5), net(free=6)))
    assert lines(two(net(), net(bias=False)), Two[NetState]) == ["b.free.bias: missing"]
    assert lines(two(net(bias=False), net()), Two[NetState]) == [
        "b.free.bias: extra",
    ]


def test_an_argument_that_is_passed_on_is_the_same() -> None:
    tree = {"first": two(layer(4, 3), layer(4, 3)), "last": layer(4, 3)}
    doors = warm(Outer[Layer], tree)
    assert not doors.ask({**tree, "last": layer(4, 2)})
    assert not doors.ask({**tree, "first": two(layer(4, 3), layer(4, 2))})
    nested = {"here": layer(4, 3), "below": {"here": layer(4, 3)}}
    doors = warm(Tree[Layer], nested)
    assert not doors.ask({**nested, "below": {"here": layer(4, 2)}})


def test_an_entry_of_a_map_that_is_the_argument_has_its_own() -> None:
    doors = warm(Maps[Layer], {"plain": layer(4, 3), "own": {0: layer(1, 2), 1: layer(2, 5)}})
    shared = {"x": two(layer(4, 3), layer(4, 3))}
    assert doors.ask({"plain": layer(4, 3), "shared": shared})
    assert not doors.ask({"plain": layer(4, 2), "shared": shared})
    twice = two({"own": {0: layer(1, 2)}}, {"own": {0: layer(1, 2)}})
    doors = warm(Two[Maps[Layer]], twice)
    assert not doors.ask({**twice, "b": {"own": {0: layer(1, 3)}}})


def test_each_field_of_a_body_has_its_own() -> None:
    tree = {"one": two(layer(4, 3), layer(4, 3)), "other": two(layer(6, 7), layer(6, 7))}
    doors = warm(Body, tree)
    assert not doors.ask({**tree, "one": two(layer(4, 3), layer(6, 7))})


def test_an_argument_of_a_class_statement_is_of_the_class() -> None:
    doors = warm(Statement, two(layer(4, 3), layer(4, 3)))
    assert not doors.ask(two(layer(4, 3), layer(4, 2)))

    @checked
    def f(x: Layer, y: Statement) -> None: ...

    f(layer(1, 2), two(layer(4, 3), layer(4, 3)))


def test_bind_links_an_argument_within_and_around() -> None:
    tree = {"one": two(layer(4, 3), layer(4, 3)), "other": two(layer(6, 4), layer(6, 4))}
    doors = warm(Linked, tree)
    assert not doors.ask({**tree, "other": two(layer(6, 5), layer(6, 5))})
    assert not doors.ask({**tree, "one": two(layer(4, 3), layer(4, 2))})
    assert explain(tree, Linked).dims == {"d": 4}


def test_names_of_the_generic_class_are_not_those_of_its_argument() -> None:
    class Holder(TypedState):
        x: Own[Layer]

    warm(Holder, {"x": {"scale": param(9), "x": layer(4, 3)}})
    # at the top of a signature both are the call's
    assert lines({"scale": param(9), "x": layer(4, 3)}, Own[Layer]) == ["x.kernel: dim"]


def test_the_top_of_a_signature_is_the_calls() -> None:
    @checked
    def f(x: Float[Array, "batch din"], pair: Two[Layer]) -> None: ...

    f(jnp.ones((2, 4)), two(layer(4, 3), layer(4, 3)))
    with pytest.raises(StateTypeError, match="din is 4, but din=5 from x, axis 1"):
        f(jnp.ones((2, 5)), two(layer(4, 3), layer(4, 3)))

    @checked
    def apart(x: Float[Array, "batch din"], pair: Scoped[Two[Layer], "pair"]) -> None: ...

    apart(jnp.ones((2, 5)), two(layer(4, 3), layer(4, 3)))

    @checked
    def within(x: Float[Array, "batch din"], pair: Two[Scoped[Layer, "pair"]]) -> None: ...

    within(jnp.ones((2, 5)), two(layer(4, 3), layer(4, 3)))
    with pytest.raises(StateTypeError):
        within(jnp.ones((2, 5)), two(layer(4, 3), layer(4, 2)))


def test_tuples_unions_maps_and_stacks() -> None:
    @checked
    def pairs(x: tuple[Two[Layer], ...], y: dict[str, Two[Layer]]) -> None: ...

    pairs((two(layer(4, 3), layer(4, 3)),), {"a": two(layer(4, 3), layer(4, 3))})
    with pytest.raises(StateTypeError):  # the call's, in every item
        pairs((two(layer(4, 3), layer(4, 3)),), {"a": two(layer(4, 2), layer(4, 2))})
    several = {0: layer(4, 3), 1: layer(3, 2)}
    doors = warm(Two[StateMap[int, Layer]], two(several, several))
    assert doors.ask(two({0: layer(4, 3)}, {0: layer(4, 3)}))
    assert not doors.ask(two({0: layer(4, 3)}, {0: layer(4, 2)}))
    assert not doors.ask(two(several, {0: layer(4, 3)}))
    doors = warm(Two[Layer | NetState], two(layer(4, 3), net()), two(net(), net()))
    assert not doors.ask(two(layer(4, 3), layer(4, 2)))
    doors = warm(Two[Entries[Layer, None]], two({0: layer(4, 3)}, {0: layer(4, 3)}))
    assert not doors.ask(two({0: layer(4, 3)}, {0: layer(4, 2)}))
    stack = jax.tree.map(lambda x: jnp.stack([x] * 6), two(layer(4, 3), layer(4, 3)))
    doors = warm(Stacked[Two[Layer], "n"], stack)
    mixed = jax.tree.map(lambda x: jnp.stack([x] * 6), two(layer(4, 3), layer(4, 2)))
    assert not doors.ask(mixed)


# -- Optimizers ----------------------------------------------------------------------------------


class Net(nnx.Module):
    def __init__(self, d: int = 4, free: int = 5, bias: bool = True) -> None:
        rngs = nnx.Rngs(0)
        self.head = nnx.Linear(d, 3, rngs=rngs)
        self.free = nnx.Linear(free, free, use_bias=bias, rngs=rngs)


Params = Only[NetState, nnx.Param]
Optimizer = Annotated[nnx.Optimizer, OptimizerState[AdamState[Params]]]
needs_wrt = pytest.mark.skipif(
    zoo.HAS_VARIABLE_STATE, reason="on Flax 0.10 an optimizer holds its model"
)


def optimizer(model: Net) -> Any:
    return nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)


@checked
def train(model: Annotated[Net, NetState], opt: Optimizer) -> None: ...


def refusal(*args: Any) -> list[str]:
    with pytest.raises(StateTypeError) as error:
        train(*args)
    assert error.value.report is not None
    return [str(item).rpartition(" [")[0] for item in error.value.report.violations]


@needs_wrt
def test_an_optimizer_is_that_of_the_model() -> None:
    for size in (4, 6, 4):
        train(Net(size), optimizer(Net(size)))
    assert refusal(Net(4), optimizer(Net(7))) == [
        "opt.opt_state[0].mu.head.kernel: din is 7, but d=4 from model.head.kernel, axis 0",
        "opt.opt_state[0].nu.head.kernel: din is 7, but d=4 from model.head.kernel, axis 0",
    ]
    assert len(refusal(Net(free=5), optimizer(Net(free=6)))) == 6
    assert refusal(Net(), optimizer(Net(bias=False))) == [
        'opt.opt_state[0].mu.free.bias: missing, expected OptVariable[Inexact[Array, "dout"]] '
        "(model.free.bias is there)",
        'opt.opt_state[0].nu.free.bias: missing, expected OptVariable[Float[Array, "dout"]] '
        "(model.free.bias is there)",
    ]


class HeadOnly(nnx.Module):
    def __init__(self, bias: bool = True) -> None:
        self.head = nnx.Linear(4, 3, use_bias=bias, rngs=nnx.Rngs(0))
        self.free = nnx.Linear(5, 5, rngs=nnx.Rngs(0))


def head_params(bias: bool) -> Any:
    return nnx.state(HeadOnly(bias), nnx.Param)


def of_adam(bias: bool) -> Any:
    return nnx.state(optimizer(HeadOnly(bias)))


def of_both(bias: bool) -> Any:
    return {"opt_state": of_adam(bias)["opt_state"], "model": head_params(True)}


class ModelAndMoments(TypedState, Generic[S, T]):
    """Like `ModelAndOptimizerState`, on every Flax."""

    opt_state: T
    model: S


@pytest.mark.parametrize(
    ("hints", "trees", "root"),
    [
        pytest.param(
            (Params, OptimizerState[AdamState[Params]]),
            lambda bias: (head_params(True), of_adam(bias)),
            "[1].opt_state[0].mu",
            marks=needs_wrt,
        ),
        (
            (Params, Raw[AdamState[Params]]),
            lambda bias: (head_params(True), optax.adam(1e-3).init(head_params(bias))),
            "[1][0].mu",
        ),
        (
            (Params, EMAState[Params]),
            lambda bias: (head_params(True), nnx.State({"params": head_params(bias)})),
            "[1].params",
        ),
        pytest.param(
            (ModelAndMoments[Params, AdamState[Params]],),
            lambda bias: (of_both(bias),),
            "[0].opt_state[0].mu",
            marks=needs_wrt,
        ),
    ],
    ids=["OptimizerState", "Raw", "EMAState", "ModelAndMoments"],
)
def test_a_bias_of_a_bound_layer_is_in_moments_where_it_is_in_the_model(
    hints: tuple[Any, ...], trees: Any, root: str
) -> None:
    hint: Any = tuple[hints]
    assert explain(trees(True), hint)
    found = explain(trees(False), hint).violations[0]
    assert (found.path, found.code) == (f"{root}.head.bias", "missing")
    assert found.note.endswith("head.bias is there")


@needs_wrt
def test_a_known_model_beside_known_moments_of_another() -> None:
    @checked
    def step(params: Params, opt: OptimizerState[AdamState[Params]]) -> None: ...

    for _ in range(3):
        for bias in (True, False):
            step(head_params(bias), of_adam(bias))
    with pytest.raises(StateTypeError) as error:
        step(head_params(False), of_adam(True))
    assert str(error.value).splitlines()[2] == (
        "  opt.opt_state[0].mu.head.bias: expected nothing, found "
        'OptVariable[Inexact[Array, "dout"]] '
        "(params.head.bias is not there) [extra]"
    )


@needs_wrt
def test_with_two_models_nothing_says_of_which_an_optimizer_is() -> None:
    @checked
    def distil(
        a: Annotated[Net, NetState], b: Annotated[Net, NetState], opt: Optimizer
    ) -> None: ...

    distil(Net(), Net(free=8, bias=False), optimizer(Net()))
    distil(Net(), Net(free=8, bias=False), optimizer(Net(free=8, bias=False)))


def test_generic_blocks_of_one_level_have_names_of_their_own() -> None:
    blocks = {0: two(layer(4, 3), layer(4, 3)), 1: two(layer(5, 2), layer(5, 2))}
    warm(Entries[Two[Layer], Two[Layer]], blocks)
    warm(StateMap[int, Two[Layer]], blocks)
    warm(Two[Entries[Two[Layer], Two[Layer]]], two(blocks, blocks))


def test_moments_of_other_sizes_as_optax_returns_them() -> None:
    tx = optax.adam(1e-3)
    first, other = (tx.init(nnx.state(Net(d), nnx.Param)) for d in (4, 7))
    doors = warm(Raw[AdamState[Params]], first, other)
    assert not doors.ask((first[0]._replace(nu=other[0].nu), *first[1:]))
