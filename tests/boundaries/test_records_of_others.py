"""Annotations that are classes of Flax, optax and others, or of nobody's making but the user's."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import unittest.mock
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import flax.core
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx, struct
from jaxtyping import Array, Float

from typedstate import StateTypeError, TypedState, TypedStateWarning, checked, explain

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.head = nnx.Linear(2, 3, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)


NET = Net(nnx.Rngs(0))
GRAPHDEF, STATE = nnx.split(NET)


def enforced(hint: Any) -> Any:
    def takes(value: hint) -> None: ...  # type: ignore[valid-type]

    takes.__annotations__["value"] = hint
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return checked(takes)


@pytest.mark.parametrize("hint", [nnx.GraphDef, nnx.GraphDef[Net]], ids=repr)
def test_a_graphdef(hint: Any) -> None:
    takes = enforced(hint)
    for value in (GRAPHDEF, nnx.graphdef(NET), GRAPHDEF):
        takes(value)
    with pytest.raises(StateTypeError):
        takes(STATE)


def test_a_graphdef_in_a_record() -> None:
    @struct.dataclass
    class TrainState:
        step: int
        params: Float[Array, "n"]
        graphdef: nnx.GraphDef[Net] = struct.field(pytree_node=False)

    takes = enforced(TrainState)
    good = TrainState(1, jnp.zeros(3), GRAPHDEF)
    takes(good)
    jax.eval_shape(takes, good)
    for bad in (TrainState(1, jnp.zeros((3, 2)), GRAPHDEF), TrainState(1, jnp.zeros(3), STATE)):
        with pytest.raises(StateTypeError):
            takes(bad)


def test_flaxs_train_state_with_a_plain_dict() -> None:
    train_state = pytest.importorskip("flax.training.train_state")
    state = train_state.TrainState.create(
        apply_fn=len, params={"w": jnp.zeros(3)}, tx=optax.adam(1e-3)
    )
    takes = enforced(train_state.TrainState)
    takes(state)
    takes(jax.tree.map(lambda leaf: leaf.sharding, state.replace(step=jnp.int32(1))))
    jax.eval_shape(takes, state)
    with pytest.raises(StateTypeError):
        takes(STATE)


# -- All public classes, by values that can be made -----------------------------------------------


def real_values() -> Iterator[Any]:
    """Real values of public classes, with those that they hold."""
    optimizer = nnx.Optimizer(NET, optax.adam(1e-3), wrt=nnx.Param)
    yield from (NET, NET.head, NET.drop, nnx.Rngs(0), GRAPHDEF, STATE, optimizer)
    yield from (nnx.PathContains("a"), nnx.Not(nnx.Param), nnx.OfType(nnx.Param))
    yield getattr(nnx, "List", list)([1])
    yield from (nnx.StateAxes({nnx.Param: 0}), nnx.to_flat_state(STATE), nnx.relu)
    yield from jax.tree.leaves(STATE, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
    yield from (GRAPHDEF.nodes if hasattr(GRAPHDEF, "nodes") else ())
    params = {"w": jnp.ones((2, 3))}
    everything = {**vars(optax), **vars(getattr(optax, "contrib", types.ModuleType("none")))}
    for name, make in everything.items():
        if not inspect.isfunction(make) or name.startswith("_"):
            continue
        try:
            made = make(0.1)
            state = made.init(params) if hasattr(made, "init") else None
        except Exception:
            continue  # it wants other arguments
        yield made
        yield from jax.tree.leaves(state, is_leaf=lambda item: True)
        if isinstance(state, tuple):
            yield from state
    mesh = jax.make_mesh((8,), ("data",))
    spec = jax.sharding.PartitionSpec("data")
    yield from (mesh, mesh.abstract_mesh, spec, jax.sharding.NamedSharding(mesh, spec))
    yield from (jax.devices()[0], jnp.ones(2), jax.random.key(0), np.ones(2), jnp.dtype("int8"))
    yield from (jax.ShapeDtypeStruct((2,), jnp.float32), jax.tree.structure(params))
    yield from (jax.jit(len), jax.tree_util.DictKey("a"), jax.tree_util.Partial(len))
    yield from (flax.core.FrozenDict(params), jax.nn.initializers.ones)


MODULES = (nnx, optax, jax, jax.sharding, jax.tree_util, flax.core, jax.numpy, jax.typing)


def public_classes(values: list[Any]) -> list[Any]:
    every: dict[int, Any] = {}
    for module in MODULES:
        for name in dir(module):
            if not name.startswith("_"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = getattr(module, name, None)
                if isinstance(found, type) and not issubclass(found, enum.Enum):
                    every[id(found)] = found
    for value in values:
        for cls in type(value).__mro__[:-1]:
            if cls.__module__.partition(".")[0] in ("jax", "flax", "optax", "jaxlib", "numpy"):
                every[id(cls)] = cls
    return list(every.values())


def test_every_public_class_takes_its_own_values() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = list(real_values())
    met = 0
    for cls in public_classes(values):
        own = []
        for value in values:
            try:
                is_one = isinstance(value, cls)
            except TypeError:  # a protocol that can't be asked
                break
            own += [value] if is_one else []
        if not own:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            takes = checked(_function(cls))
        for value in own[:3]:
            takes(value)
        met += 1
    assert met > 60


def _function(hint: Any) -> Any:
    def takes(value: Any) -> None: ...

    takes.__annotations__["value"] = hint
    return takes


# -- Fields that nobody can evaluate --------------------------------------------------------------


class Speaks(Protocol):
    def speak(self) -> str: ...


class Dog:
    def speak(self) -> str:
        return "woof"


@dataclasses.dataclass
class Kennel:
    dog: Speaks
    dogs: list[Speaks]
    food: Float[Array, "n"]


def test_a_protocol_that_can_not_be_asked_is_left_alone_in_a_record() -> None:
    takes = enforced(Kennel)
    takes(Kennel(Dog(), [Dog()], jnp.zeros(3)))
    takes(Kennel(Dog(), [Dog()], jnp.zeros(3)))
    with pytest.raises(StateTypeError) as caught:
        takes(Kennel(Dog(), [Dog()], jnp.zeros((3, 1))))
    assert str(caught.value).splitlines()[1] == (
        '  value.food: expected rank 1 ("n"), found shape (3, 1) [rank]'
    )


def test_a_protocol_within_containers_and_unions() -> None:
    for hint, value in [
        (tuple[Speaks, Float[Array, "n"]], (Dog(), jnp.zeros(3))),
        (dict[str, Speaks | Float[Array, "n"]], {"a": Dog(), "b": jnp.zeros(3)}),
    ]:
        takes = enforced(hint)
        takes(value)
        takes(value)


@dataclasses.dataclass
class Partly:
    missing: Missing
    x: Float[Array, "n"]


def test_a_field_that_can_not_be_resolved_is_left_alone_with_a_warning() -> None:
    @checked
    def takes(value: Partly) -> None: ...

    with pytest.warns(TypedStateWarning) as caught:
        takes(Partly(None, jnp.zeros(3)))
    assert [str(item.message) for item in caught] == [
        "Partly.missing is not enforced: name 'Missing' is not defined"
    ]
    with pytest.raises(StateTypeError):
        takes(Partly(None, jnp.zeros((3, 1))))


@dataclasses.dataclass
class Early:
    later: Later
    x: Float[Array, "n"]


class Later(TypedState):
    w: nnx.Param[Float[Array, "n"]]


def test_a_field_of_a_class_that_comes_later() -> None:
    @checked
    def takes(value: Early) -> None: ...

    def state(n: int) -> Any:
        return nnx.State({"w": nnx.Param(jnp.zeros(n))})

    takes(Early(state(3), jnp.zeros(3)))
    with pytest.raises(StateTypeError):
        takes(Early(state(4), jnp.zeros((3, 2))))


@dataclasses.dataclass
class Twig:
    x: Float[Array, "n"]
    left: Twig | None = None


def test_a_class_within_itself() -> None:
    takes = enforced(Twig)
    takes(Twig(jnp.zeros(3), Twig(jnp.zeros(3))))
    for bad in (Twig(jnp.zeros((3, 1))), Twig(jnp.zeros(3), Dog())):  # type: ignore[arg-type]
        with pytest.raises(StateTypeError):
            takes(bad)


def test_plain_records_are_instances() -> None:
    class Point(NamedTuple):
        x: int
        y: int

    takes = enforced(Point)
    takes(Point(1, 2))
    with pytest.raises(StateTypeError):
        takes((1, 2))


# -- Keys that are records --------------------------------------------------------------------


class Cell(NamedTuple):
    row: int
    column: int


@dataclasses.dataclass(frozen=True)
class Named:
    name: str
    at: Cell


class Pairs(TypedState):
    pairs: nnx.Variable[dict[Cell, tuple[Float[Array, "n"], Float[Array, "n"]]]]


def test_a_record_as_a_key() -> None:
    takes = enforced(dict[Cell, tuple[Float[Array, "n"], Float[Array, "n"]]])
    pair = (jnp.zeros(3), jnp.zeros(3))
    for _ in range(3):
        takes({Cell(1, 2): pair, Cell(2, 2): pair})
    with pytest.raises(StateTypeError):
        takes({Cell(1, 2): (jnp.zeros(3), jnp.zeros(4))})
    state = nnx.State({"pairs": nnx.Variable({Cell(1, 2): pair})})
    for _ in range(3):
        assert isinstance(state, Pairs)
    equal = nnx.State({"pairs": nnx.Variable({Cell(1.0, 2): pair})})  # type: ignore[arg-type]
    assert not isinstance(equal, Pairs)
    assert not explain(equal, Pairs)


def test_a_dataclass_as_a_key() -> None:
    takes = enforced(dict[Named, Float[Array, "n"]])
    for _ in range(3):
        takes({Named("a", Cell(1, 2)): jnp.zeros(3)})
    with pytest.raises(StateTypeError):
        takes({"a": jnp.zeros(3)})


# -- Values that only look like arrays ---------------------------------------------------------


def test_a_mock_is_refused_without_a_foreign_error() -> None:
    mock = unittest.mock.MagicMock(spec=jax.Array)
    takes = enforced(Float[Array, "n"])
    with pytest.raises(StateTypeError):
        takes(mock)
    assert not explain(mock, Float[Array, "n"])
    assert not explain(nnx.State({"w": mock}), Later)
