"""`diff`: what it says of two schemas, states or modules, and that a check never contradicts it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from tests import zoo
from tests.random_hints import Case, form_cases, schema_of, tree_cases
from typedstate import (
    Abstract,
    Bind,
    Exactly,
    Flat,
    Like,
    Only,
    Pure,
    SchemaDocument,
    SchemaError,
    Stacked,
    StateMap,
    TypedState,
    diff,
    explain,
    fits,
    infer,
)


class Before(TypedState):
    up: Bind[zoo.LinearState, "din=d dout=h"]
    square: nnx.Param[Float[Array, "d d"]]
    blocks: StateMap[int, zoo.LinearState]
    old_name: nnx.Param[Float[Array, "q"]]
    kind: nnx.Param
    rank: nnx.Param[Float[Array, ""]]
    dtype: nnx.Param[Float[Array, "n"]]
    names: Annotated[nnx.Param, P("x")]
    may: nnx.Param | None


class After(TypedState):
    up: Bind[zoo.LinearState, "din=d dout=4*d"]
    square: nnx.Param[Float[Array, "d e"]]
    blocks: Bind[StateMap[int, zoo.LinearState], "len=3"]
    new_name: nnx.Param[Float[Array, "q"]]
    kind: nnx.Variable
    rank: nnx.Param[Float[Array, "2"]]
    dtype: nnx.Param[Int[Array, "n"]]
    names: Annotated[nnx.Param, P("y")]
    may: nnx.Param
    added: nnx.Param | None


def test_the_whole_text() -> None:
    assert str(diff(Before, After)) == "\n".join(
        [
            "Before -> After: breaking forward, breaking backward; 1 added, 1 moved, 1 presence, "
            "1 kind, 1 dtype, 5 shape, 1 sharding",
            "  ~ blocks: shape was any number of entries, is a number of entries [breaks forward]",
            "  > old_name is now new_name [breaks forward and backward]",
            '  ~ rank: shape was "", is "2" [breaks forward and backward]',
            "  ~ dtype: dtype was Float, is Int [breaks forward and backward]",
            "  ~ names: sharding was P('x'), is P('y') [breaks forward and backward]",
            "  ~ may: presence was may be absent, is Param [breaks forward]",
            "  ~ up.kernel: shape was axis 1 h, is axis 1 4*d [breaks forward]",
            "  ~ up.bias: shape was axis 0 h, is axis 0 4*d [breaks forward]",
            "  ~ kind: kind was Param, is Variable [breaks backward]",
            "  + added: Param [breaks backward]",
            "  ~ square: shape was axis 1 d, is axis 1 e [breaks backward]",
        ]
    )


def test_the_other_way_round_is_the_mirror_image() -> None:
    found, mirrored = diff(Before, After), diff(After, Before)
    assert (found.forward, found.backward) == (mirrored.backward, mirrored.forward)
    sides = {(item.path, item.forward, item.backward) for item in found.changes}
    moved = {("old_name", False, False), ("new_name", False, False)}
    others = {(item.path, item.backward, item.forward) for item in mirrored.changes}
    assert sides - moved == others - moved


def test_truth_and_exit_status() -> None:
    same, other = diff(Before, Before), diff(Before, After)
    assert not same
    assert same.exit_status == 0
    assert str(same) == "Before -> Before: the same"
    assert other
    assert other.exit_status == 1
    assert same.to_dict() == {
        "first": "Before",
        "second": "Before",
        "differs": False,
        "forward": True,
        "backward": True,
        "changes": [],
    }
    assert other.to_dict()["changes"][0] == {
        "path": "blocks",
        "kind": "shape",
        "before": "any number of entries",
        "after": "a number of entries",
        "forward": False,
        "backward": True,
    }


class Wide(TypedState, extra="allow"):
    kernel: nnx.Param


@pytest.mark.parametrize(
    ("a", "b", "forward", "backward"),
    [
        (zoo.LinearState, Wide, True, False),
        (schema_of({"a": nnx.Param}), schema_of({"a": nnx.Param | None}), True, False),
        (int, float, True, False),
        (tuple[bool, Literal[1, 2.5]], tuple[int, complex], True, False),
        (schema_of({"a": int}), schema_of({"a": float}), False, False),
        (schema_of({"a": Exactly[nnx.Param]}), schema_of({"a": nnx.Param}), True, False),
        (
            schema_of({"a": Float[Array, "n 2*n"]}),
            schema_of({"a": Float[Array, "a b"]}),
            True,
            False,
        ),
        (
            schema_of({"a": Float[Array, "4 8"]}),
            schema_of({"a": Float[Array, "n 2*n"]}),
            True,
            False,
        ),
        (schema_of({"a": Float[Array, "a b"]}), schema_of({"a": Float[Array, "*c"]}), True, False),
        (schema_of({"a": Float[Array, "a b"]}), schema_of({"a": Float[Array, "x y"]}), True, True),
        (schema_of({"a": Float[Array, "a+b"]}), schema_of({"a": Float[Array, "b+a"]}), True, True),
        (Only[zoo.ConvNetState, nnx.Param], Only[zoo.ConvNetState, nnx.Param], True, True),
        (Pure[zoo.MlpState], zoo.MlpState, False, False),
        (zoo.MlpState, Abstract[zoo.MlpState], False, False),
        (zoo.MlpState, Stacked[zoo.MlpState, "layers"], False, False),
        (zoo.LinearState | zoo.MlpState, zoo.LinearState, False, True),
    ],
    ids=str,
)  # fmt: skip
def test_directions(a: Any, b: Any, forward: bool | None, backward: bool | None) -> None:
    found = diff(a, b)
    assert (found.forward, found.backward) == (forward, backward), str(found)


def test_a_schema_and_its_document_are_the_same() -> None:
    assert not diff(zoo.ConvNetState, SchemaDocument.of(zoo.ConvNetState))


def test_a_rename_deep_in_a_tree() -> None:
    class Inner(TypedState):
        weight: nnx.Param[Float[Array, "din dout"]]
        bias: nnx.Param[Float[Array, "dout"]] | None

    found = diff(zoo.LinearState, Inner)
    assert [(item.kind, item.path, item.after) for item in found.changes] == [
        ("moved", "kernel", "weight")
    ]


def test_a_branch_that_moved_is_one_change() -> None:
    a = schema_of({"attention": zoo.MlpState, "norm": zoo.NormState})
    b = schema_of({"attn": zoo.MlpState, "norm": zoo.NormState})
    assert [(item.kind, item.path, item.after) for item in diff(a, b).changes] == [
        ("moved", "attention", "attn")
    ]


def test_what_only_looks_alike_is_no_move() -> None:
    a = schema_of({"x": schema_of({"scale": nnx.Param[Float[Array, "n"]]})})
    b = schema_of({"y": schema_of({"offset": nnx.Param[Float[Array, "n"]]})})
    assert {item.kind for item in diff(a, b).changes} == {"added", "removed"}


# -- Values --------------------------------------------------------------------------------


def test_modules_states_and_abstract_ones() -> None:
    small, large = zoo.ConvNet(1, 2, 4, nnx.Rngs(0)), zoo.ConvNet(1, 2, 5, nnx.Rngs(0))
    abstract = nnx.eval_shape(lambda: zoo.ConvNet(1, 2, 4, nnx.Rngs(0)))
    assert not diff(small, nnx.state(small))
    assert not diff(abstract, small)
    assert not diff(small, zoo.ConvNetState)
    assert not diff(zoo.ConvNetState, abstract)
    assert str(diff(small, large)) == "\n".join(
        [
            "a ConvNet -> a ConvNet: breaking forward, breaking backward; 2 shape",
            "  ~ head.bias: shape was axis 0 4, is axis 0 5 [breaks forward and backward]",
            "  ~ head.kernel: shape was axis 1 4, is axis 1 5 [breaks forward and backward]",
        ]
    )


def test_a_state_beside_a_schema_is_judged_as_a_check_judges() -> None:
    state = zoo.as_dict(nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0))))
    state["upp"] = state.pop("up")
    assert str(diff(nnx.State(state), zoo.MlpState)) == "\n".join(
        [
            "a state -> MlpState: breaking forward, undecided backward; 1 added, 1 removed",
            "  + up: LinearState (there is 'upp': misspelt?) [breaks forward]",
            "  - upp: a dict with keys 'bias', 'kernel' (did you mean 'up'?) [breaks forward]",
        ]
    )


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(SchemaError) as error:
        diff(zoo.MlpState, 3)
    assert str(error.value) == ("a schema, a state, a module or a checkpoint was expected, not int")


# -- What check says and what diff says ----------------------------------------------------


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_the_zoo_never_contradicts_a_check(animal: zoo.Animal) -> None:
    module = animal.make()
    assert not diff(module, animal.schema)
    assert not diff(animal.schema, animal.schema)
    for other in zoo.ZOO:
        state = nnx.state(module)
        assert (diff(state, other.schema).forward is True) is fits(state, other.schema)
        if diff(animal.schema, other.schema).forward:
            assert fits(state, other.schema)
        if diff(infer(module), other.schema).forward:
            assert fits(state, other.schema)


@given(tree_cases(), tree_cases())
@settings(max_examples=40)
def test_what_fits_forward_fits(one: Case, other: Case) -> None:
    """Random schemas differ; those that say more of the same tree are made from it."""
    for a, b in ((one, other), (other, one)):
        found = diff(a.hint, b.hint)
        if found.forward:
            assert fits(nnx.State(a.build()), b.hint)
        if not fits(nnx.State(a.build()), b.hint):
            assert found.forward is not True
            assert found


@given(form_cases())
@settings(max_examples=30)
def test_a_hint_is_like_itself_and_its_value_like_it(case: Case) -> None:
    found = diff(case.hint, case.hint)
    assert not found, str(found)
    assert not diff(case.build(), case.hint)


@given(tree_cases())
@settings(max_examples=30)
def test_an_inferred_schema_never_contradicts_a_check(case: Case) -> None:
    state = nnx.State(case.build())
    inferred = infer(state)
    found = diff(inferred, case.hint)
    if found.forward:
        assert fits(state, case.hint)
    assert fits(state, case.hint)
    assert fits(state, inferred), str(explain(state, inferred))
    assert diff(state, inferred).forward
    narrowed = jax.tree.map(lambda x: x[None] if x.ndim else x, state)
    verdict = diff(narrowed, case.hint)
    assert (verdict.forward is True) is fits(narrowed, case.hint)
    if diff(infer(narrowed), case.hint).forward:
        assert fits(narrowed, case.hint)


def test_a_flat_state_is_a_value_too() -> None:
    state = nnx.state(nnx.Linear(2, 3, rngs=nnx.Rngs(0)))
    flat = nnx.to_flat_state(state)
    assert not diff(flat, Flat[zoo.LinearState])
    assert not diff(flat, flat)
    assert [str(change) for change in diff(flat[:1], Flat[zoo.LinearState]).changes] == [
        '+ kernel: Param[Float[Array, "din dout"]] [breaks forward]'
    ]


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas that differ in one leaf, of few possible ones."""
    shapes = ["a", "a a", "a b", "2*a", "a+b", "4", "_ a", "*a", "...", "#a b", "a b a", "b a 2*a"]
    kinds = [nnx.Param, nnx.Variable, nnx.BatchStat]

    def leaf() -> Any:
        dtype = draw(st.sampled_from([Float, Int]))
        return draw(st.sampled_from(kinds))[dtype[Array, draw(st.sampled_from(shapes))]]

    shared = leaf()
    return schema_of({"x": shared, "y": leaf()}), schema_of({"x": shared, "y": leaf()})


@given(neighbours(), st.data())
@settings(max_examples=30)
def test_neighbours_never_contradict_a_check(pair: tuple[Any, Any], data: st.DataObject) -> None:
    """Every small tree that fits the first must fit the second where diff says so."""
    a, b = pair
    forward = diff(a, b).forward
    shapes = st.lists(st.sampled_from([1, 2, 4]), max_size=3)
    for _ in range(4):
        tree = {
            key: data.draw(st.sampled_from([nnx.Param, nnx.BatchStat]))(
                jnp.zeros(data.draw(shapes), data.draw(st.sampled_from(["float32", "int32"])))
            )
            for key in ("x", "y")
        }
        state = zoo.state(tree)
        if forward and fits(state, a):
            assert fits(state, b)


def test_moments_are_like_their_parameters_but_for_the_kind() -> None:
    found = diff(zoo.LinearState, Like[zoo.LinearState, nnx.optimizer.OptVariable])
    assert {item.kind for item in found.changes} == {"kind"}
