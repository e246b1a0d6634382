"""What is not there is missing: absent maps, gaps, leaves that an update leaves unset."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.agreement import warm
from typedstate import (
    Bind,
    Entries,
    Only,
    Pure,
    Same,
    Scoped,
    StateMap,
    StateTypeError,
    TypedState,
    explain,
    merge,
    update,
)


class Layer(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]


class Counted(TypedState):
    head: Layer
    layers: Bind[StateMap[int, Layer], "len=n"]


class Uncounted(TypedState):
    head: Layer
    layers: StateMap[int, Layer]
    maybe: StateMap[str, Layer] | None


def layer() -> dict[str, Any]:
    return {"kernel": zoo.leaf(nnx.Param, jnp.ones((2, 3)))}


def test_a_gap_in_the_keys_is_missing_whether_they_are_counted_or_not() -> None:
    for hint in (Counted, Uncounted):
        doors = warm(hint, {"head": layer(), "layers": {0: layer(), 1: layer()}})
        assert not doors.ask({"head": layer(), "layers": {0: layer(), 2: layer()}})
        assert not doors.ask({"head": layer(), "layers": {1: layer()}})
    gaps = explain({0: layer(), 3: layer()}, StateMap[int, Layer]).violations
    assert [item.path for item in gaps] == ["[1]", "[2]"]


class Streamed(TypedState, extra={"layers_{}": Layer}):
    layers: StateMap[int, Layer]
    drop: StateMap[str, nnx.RngKey]


class Around(TypedState):
    inner: Bind[Counted, "n"]
    width: nnx.Param[Float[Array, "n"]] | None


@pytest.mark.parametrize(
    ("hint", "missing"),
    [
        (Counted, {"layers": "StateMap[int, Layer] (absent only where n is 0)"}),
        (Uncounted, {"layers": "StateMap[int, Layer]"}),
        (Streamed, {"layers": "StateMap[int, Layer]", "drop": "StateMap[str, RngKey]"}),
        (Pure[Uncounted], {"layers": "StateMap[int, Pure[Layer]]"}),
        (Bind[Counted, "n=2"], {"layers": "StateMap[int, Layer] (absent only where n is 0)"}),
    ],
)
def test_an_absent_map_is_missing(hint: Any, missing: dict[str, str]) -> None:
    kernel: Any = jnp.ones((2, 3))
    head = {"kernel": kernel} if hint is Pure[Uncounted] else layer()
    tree = {} if hint is Streamed else {"head": head}
    assert [str(found) for found in explain(tree, hint).violations] == [
        f"{path}: missing, expected {text} [missing]" for path, text in missing.items()
    ]


def test_an_absent_map_is_right_where_its_length_is_bound_to_none() -> None:
    assert explain({"head": layer()}, Counted, dims={"n": 0})
    assert explain({"head": layer()}, Bind[Counted, "n=0"])
    assert explain({"inner": {"head": layer()}}, Around).violations[0].path == "inner.layers"
    empty = zoo.leaf(nnx.Param, jnp.ones(0))
    doors = warm(Around, {"inner": {"head": layer()}, "width": empty})
    assert doors.ask({"inner": {"head": layer()}, "width": empty})
    one = zoo.leaf(nnx.Param, jnp.ones(1))
    assert not doors.ask({"inner": {"head": layer()}, "width": one})
    assert not doors.ask({"inner": {"head": layer()}})


Numbers = Bind[StateMap[int, Layer], "len=n"]
Names = Bind[StateMap[str, Layer], "len=n"]


def of(layers: Any) -> Any:
    """A schema of such layers, and a leaf that says how many they are."""
    body = {"__module__": __name__, "__annotations__": {"sizes": Sizes, "layers": layers}}
    return type(TypedState)("Union", (TypedState,), body)


INTS, STRS = "StateMap[int, Layer]", "StateMap[str, Layer]"
Sizes = nnx.Param[Float[Array, "n"]] | None


def sizes(n: int) -> dict[str, Any]:
    return {"sizes": zoo.leaf(nnx.Param, jnp.ones(n))}


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (Numbers | Names, f"layers: {INTS} | {STRS}"),
        (Numbers | Layer, f"layers: {INTS} | Layer"),
        (Numbers | nnx.Param, f"layers: {INTS} | Param"),
        (StateMap[int, Layer] | Names, f"layers: {INTS} | {STRS}"),
        (Same[Numbers, "T"], f"layers: {INTS}"),
        (Bind[of(Numbers | Names), "n"], f"layers.layers: {INTS} | {STRS}"),
        (Scoped[Numbers, "x"] | Numbers, f"layers: {INTS} | {INTS}"),
    ],
)
def test_an_absent_union_with_a_map_is_right_where_its_length_is_none(
    layers: Any, text: str
) -> None:
    hint = of(layers)
    where, _, what = text.partition(": ")
    missing = f"{where}: missing, expected {what} (absent only where n is 0) [missing]"
    for tree in (sizes(2), {}):
        assert [str(found) for found in explain(tree, hint).violations] == [missing]
    doors = warm(hint, sizes(0))
    assert doors.ask(sizes(0))
    assert not doors.ask(sizes(1))


OPTIONAL = [
    Entries[Layer | None, Names | Numbers | None],
    *(Numbers | None, Numbers | Names | None),
    *(StateMap[int, Layer | None], StateMap[int, Layer] | None),
]


@pytest.mark.parametrize("layers", OPTIONAL)
def test_an_absent_map_is_right_where_it_is_optional(layers: Any) -> None:
    doors = warm(of(layers), sizes(2), {})
    assert doors.ask(sizes(3))


def test_the_names_that_others_bind_choose_between_maps_that_are_not_there() -> None:
    class Either(TypedState):
        n_of: nnx.Param[Float[Array, "n"]]
        m_of: nnx.Param[Float[Array, "m"]]
        layers: Bind[StateMap[int, Layer], "len=n"] | Bind[StateMap[int, Layer], "len=m"]

    def tree(n: int, m: int) -> dict[str, Any]:
        return {key: zoo.leaf(nnx.Param, jnp.ones(k)) for key, k in {"n_of": n, "m_of": m}.items()}

    doors = warm(Either, tree(0, 2), tree(3, 0))
    assert not doors.ask(tree(1, 2))
    assert doors.ask(tree(1, 0))


def test_an_empty_map_that_is_there_is_one_of_no_entries() -> None:
    assert explain({"head": layer(), "layers": {}}, Counted).dims["n"] == 0
    assert explain({"head": layer(), "layers": {}}, Uncounted)


def test_a_sub_state_that_holds_nothing_but_a_map_is_missing_with_it() -> None:
    class Body(TypedState):
        layers: StateMap[int, Layer]

    class Whole(TypedState):
        body: Body
        head: Layer

    assert [found.path for found in explain({"head": layer()}, Whole).violations] == ["body"]


def test_a_map_of_which_a_form_leaves_nothing_may_be_absent() -> None:
    assert explain({"head": layer()}, Only[Uncounted, nnx.PathContains("head")])
    assert not explain({"head": layer()}, Only[Uncounted, nnx.Param])


def test_what_a_filter_has_left_out_is_no_gap() -> None:
    def first(path: Any, leaf: Any) -> bool:
        return path[0] != 0

    tree = {"layers": {1: layer()}}
    assert warm(Only[StateMap[int, Layer], first], tree["layers"]).ask({2: layer()})
    assert not explain(tree["layers"], StateMap[int, Layer])


# -- Updates --------------------------------------------------------------------------------


class Net(nnx.Module):
    def __init__(self) -> None:
        self.first = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
        self.last = nnx.Linear(3, 2, rngs=nnx.Rngs(1))


class Tied(nnx.Module):
    def __init__(self) -> None:
        self.embed = nnx.Param(jnp.ones(3))
        self.lm = self.embed


def test_the_whole_of_a_node_is_set_or_nothing() -> None:
    state = nnx.to_pure_dict(nnx.state(Net()))
    update(Net(), state, whole=True)
    update(Net(), {"first": state["first"]})
    with pytest.raises(StateTypeError) as error:
        update(Net(), {"first": state["first"]}, whole=True)
    assert error.value.report is not None
    assert [item.path for item in error.value.report.violations] == ["last.bias", "last.kernel"]
    update(Tied(), {"embed": jnp.ones(3)}, whole=True)


def test_one_tied_variable_has_one_value() -> None:
    one = jnp.zeros(3)
    update(Tied(), {"embed": one, "lm": one})
    net = Tied()
    with pytest.raises(StateTypeError, match="both are one Variable of the node"):
        update(net, {"embed": one, "lm": jnp.full(3, 2.0)})
    assert (net.embed[...] == 1).all()


def test_a_deleted_array_is_named() -> None:
    net = Net()
    state = nnx.to_pure_dict(nnx.state(net))
    gone = jnp.ones(3)
    gone.delete()
    state["first"]["bias"] = gone
    assert isinstance(gone, jax.Array)
    with pytest.raises(StateTypeError, match=r"first\.bias: .*a deleted array"):
        update(net, state)
    with pytest.raises(StateTypeError, match="a deleted array"):
        merge(nnx.graphdef(net), nnx.State(state))
