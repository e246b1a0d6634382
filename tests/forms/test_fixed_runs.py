"""Runs of axes that a `Bind` fixes: ``Bind[ConvState, "*window=3 3"]``."""

from __future__ import annotations

import pickle
from typing import Any, Generic, TypeVar, cast

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import LinearState
from typedstate import (
    Abstract,
    Bind,
    Flat,
    Only,
    Pure,
    SchemaDocument,
    SchemaError,
    Shardings,
    Stacked,
    StateMap,
    StateTypeError,
    TypedState,
    abstract,
    checked,
    diff,
    explain,
    fits,
    show,
    to_source,
)
from typedstate.layers import ConvState
from typedstate.testing import example

T = TypeVar("T")
bind: Any = Bind
Square = Bind[ConvState, "*window=3 3"]


class PairState(TypedState):
    a: Bind[ConvState, "*window=k k din=d"]
    b: Bind[ConvState, "window=w"]


class TopState(TypedState):
    pair: Bind[PairState, "*w=5 k"]


class BoxState(TypedState, Generic[T]):
    content: T


class BroadcastState(TypedState):
    x: nnx.Param[Float[Array, "#*batch d"]]


def conv(*window: int) -> Any:
    return nnx.state(nnx.Conv(2, 4, window, rngs=nnx.Rngs(0)))


def lines(value: Any, hint: Any) -> list[str]:
    return [str(item) for item in explain(value, hint).violations]


def test_the_sizes_and_the_number_of_axes_are_fixed() -> None:
    for _ in range(3):
        assert fits(conv(3, 3), Square)
        assert lines(conv(3, 5), Square) == ["kernel: expected 3 on axis 1, found 5 [size]"]
        assert lines(conv(3), Square) == [
            'kernel: expected rank 4 ("3 3 din dout"), found shape (3, 2, 4) [rank]'
        ]
        assert lines(conv(3, 3, 3), Square) == [
            'kernel: expected rank 4 ("3 3 din dout"), found shape (3, 3, 3, 2, 4) [rank]'
        ]


def test_what_stands_behind_a_run_up_to_the_next_link_belongs_to_it() -> None:
    assert explain(conv(3, 3), Bind[ConvState, "din=d *window=3 3 dout=e"]).dims == {"d": 2, "e": 4}
    assert lines(conv(3, 3), Bind[ConvState, "*window="]) == [
        'kernel: expected rank 2 ("din dout"), found shape (3, 3, 2, 4) [rank]'
    ]
    assert explain(conv(3, 3), Bind[ConvState, "*window=*w din"]).dims == {
        "din": 2,
        "dout": 4,
        "w": (3, 3),
    }


def test_its_sizes_may_be_names_and_expressions() -> None:
    hint = Bind[ConvState, "*window=k 2*k-1"]
    assert explain(conv(3, 5), hint).dims == {"k": 3, "din": 2, "dout": 4}
    assert lines(conv(3, 3), hint) == [
        "kernel: 2*k-1 is 3, but 2*k-1=5 with k=3 from kernel, axis 0 [dim]"
    ]


def test_a_run_of_a_schema_within_a_schema() -> None:
    inner = nnx.State({"a": conv(3, 3), "b": conv(5, 3)})
    for _ in range(3):
        assert explain(nnx.State({"pair": inner}), TopState).dims == {"k": 3}
    wrong = nnx.State({"pair": nnx.State({"a": conv(3, 3), "b": conv(3, 3)})})
    assert lines(wrong, TopState) == ["pair.b.kernel: expected 5 on axis 0, found 3 [size]"]
    again: Any = Bind[Bind[ConvState, "window=w"], "*w=3 5"]
    assert fits(conv(3, 5), again)
    assert not fits(conv(3, 3), again)


@pytest.mark.parametrize("hint", [BoxState[Square], bind[BoxState[ConvState], "*window=3 3"]])
def test_in_a_type_argument_and_around_a_generic_schema(hint: Any) -> None:
    assert fits(nnx.State({"content": conv(3, 3)}), hint)
    assert lines(nnx.State({"content": conv(3, 5)}), hint) == [
        "content.kernel: expected 3 on axis 1, found 5 [size]"
    ]


def test_other_forms_around_it() -> None:
    square, other = conv(3, 3), conv(3, 5)
    stack: Any = jax.tree.map(lambda x: x[None], square)
    assert fits(stack, Stacked[Square, "layers"])
    assert fits(jax.eval_shape(lambda: square), Abstract[Square])
    assert fits(nnx.to_pure_dict(square), Pure[Square])
    assert not fits(nnx.to_pure_dict(other), Pure[Square])
    assert fits(nnx.to_flat_state(square), Flat[Square])
    assert not fits(nnx.to_flat_state(other), bind[Flat[ConvState], "*window=3 3"])
    assert fits({0: square, 1: square}, StateMap[int, Square])
    assert not fits(other, Only[Square, nnx.Param])
    partition = jax.sharding.PartitionSpec("x")
    at = jax.sharding.NamedSharding(jax.make_mesh((2,), ("x",)), partition)
    assert lines(jax.tree.map(lambda _: at, square), Shardings[Square]) == [
        "kernel: expected axis 0 divisible by x=2, found size 3 [sharding]"
    ]


def test_what_is_broadcast_may_have_fewer_axes() -> None:
    hint: Any = Bind[BroadcastState, "*batch=7 8"]

    def of(*shape: int) -> Any:
        return nnx.State({"x": nnx.Param(jnp.ones(shape))})

    assert all(fits(of(*shape), hint) for shape in ((7, 8, 2), (1, 8, 2), (8, 2), (2,)))
    assert not any(fits(of(*shape), hint) for shape in ((7, 9, 2), (7, 2), (7, 7, 8, 2)))


def test_what_follows_from_a_schema_has_the_axes() -> None:
    made: Any = abstract(
        Square, din=2, dout=4, dtype=jnp.float32, choices={"bias": True, "mask": False}
    )
    assert sorted(leaf.shape for leaf in jax.tree.leaves(made)) == [(3, 3, 2, 4), (4,)]
    assert fits(example(Square), Square)


def test_in_a_signature_it_is_linked_to_arguments() -> None:
    @checked
    def blur(state: Bind[ConvState, "*window=k k"], weights: Float[Array, "k"]) -> None: ...

    for _ in range(4):
        blur(conv(3, 3), jnp.ones(3))
        blur(conv(5, 5), jnp.ones(5))
        with pytest.raises(StateTypeError, match=r"k is 4, but k=3 from state\.kernel, axis 0"):
            blur(conv(3, 3), jnp.ones(4))
        with pytest.raises(StateTypeError, match=r"state\.kernel: k is 5, but k=3"):
            blur(conv(3, 5), jnp.ones(3))
        with pytest.raises(StateTypeError, match=r'expected rank 4 \("k k din dout"\)'):
            blur(conv(3), jnp.ones(3))


@pytest.mark.parametrize(
    ("schema", "text", "message"),
    [
        (
            ConvState,
            "*windw=3 3",
            "Bind names the dim 'windw' that ConvState doesn't have; did you mean 'window'?",
        ),
        (ConvState, "*din=3 3", "'din' is one axis; write din=3 3"),
        (ConvState, "*din=3", "'din' is one axis; write din=3"),
        (ConvState, "window=3", "'window' is a run of axes; write *window=3"),
        (ConvState, "window=*w", "*w is a run of axes; write *window=*w"),
        (ConvState, "*window=3 ?", "'?' is neither a size, a name nor arithmetic"),
        (ConvState, "*window=3 *window=4", "'window' stands there twice"),
        (ConvState, "window *window=4", "'window' stands there twice"),
        (StateMap[int, LinearState], "*len=3 3", "the only dim of a StateMap is 'len'"),
    ],
)
def test_a_run_that_can_not_be(schema: Any, text: str, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        explain(conv(3, 3), bind[schema, text])
    assert str(caught.value) == f"Bind[{_name(schema)}, {text!r}]: {message}"


def _name(schema: Any) -> str:
    return str(schema.__name__)


def test_it_is_drawn_and_written() -> None:
    assert str(show(Square)) == (
        "ConvState *window=3 3: 3 leaves\n"
        '├─ kernel: Param[Float[Array, "3 3 din dout"]]\n'
        '├─ bias: Param[Float[Array, "dout"]] | None\n'
        '└─ mask: Shaped[Array, "3 3 din dout"] | Shaped[ndarray, "3 3 din dout"] | None'
    )
    assert "b: ConvState *window=*w\n" in str(show(TopState))
    assert '    a: Bind[ConvState, "*window=k k din=d"]\n' in to_source(PairState)
    assert '    pair: Bind[PairState, "*w=5 k"]\n' in to_source(TopState)


@pytest.mark.parametrize("hint", [Square, TopState, BoxState[Square]])
def test_it_has_a_document(hint: Any) -> None:
    again: Any = SchemaDocument.from_json(SchemaDocument.of(hint).to_json()).to_schema()
    assert str(show(again)) == str(show(hint))
    for value in (conv(3, 3), conv(3, 5), conv(3)):
        for tree in (value, nnx.State({"content": value})):
            assert lines(tree, again) == lines(tree, hint)
    found: dict[str, Any] = {}
    exec(to_source(again), found)  # without the run's name, and with as many axes
    written = next(found[name] for name in (*reversed(found),) if hasattr(found[name], "of"))
    assert fits(nnx.State({"content": conv(3, 3)}), written) == fits(
        nnx.State({"content": conv(3, 3)}), hint
    )


def test_it_differs_from_a_schema_with_the_run_left_open() -> None:
    found = diff(Square, ConvState)
    assert (found.forward, found.backward) == (True, False)
    assert not diff(Square, Bind[ConvState, "*window=3 3"])
    assert [str(change) for change in diff(Square, Bind[ConvState, "*window=3 5"]).changes] == [
        f"~ {key}: shape was axis 1 3, is axis 1 5 [breaks forward and backward]"
        for key in ("kernel", "mask")
    ]


def test_it_is_one_class_and_travels() -> None:
    assert bind[ConvState, "*window=3 3"] is Square
    assert pickle.loads(pickle.dumps(Square)) is Square
    assert isinstance(conv(3, 3), cast(Any, Square))
