"""Dims that are f-strings of a call's arguments, as jaxtyping has them: ``Float[Array, "{n}"]``."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import beartype
import cloudpickle
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st
from jaxtyping import Array, Float, jaxtyped

from tests.zoo import LinearState
from typedstate import Bind, SchemaError, StateTypeError, TypedState, checked, suspended


@dataclass
class Block:
    width: int

    @checked
    def apply(self, x: Float[Array, "batch {self.width}"]) -> Float[Array, "batch 2*{self.width}"]:
        return jnp.concatenate([x, x], 1)

    @checked
    def wrong(self, x: Float[Array, "batch {self.width}"]) -> Float[Array, "batch 3*{self.width}"]:
        return jnp.concatenate([x, x], 1)


@checked
def full(size: int, x: Float[Array, "{size}"], y: Float[Array, "{size}-1 d"]) -> None: ...


def refusal(call: Any) -> str:
    with pytest.raises(StateTypeError) as caught:
        call()
    return str(caught.value)


def test_an_argument_says_the_size() -> None:
    for _ in range(3):
        for size in (3, 4):
            full(size, jnp.ones(size), jnp.ones((size - 1, 2)))
            assert refusal(lambda n=size: full(n, jnp.ones(7), jnp.ones((n - 1, 2)))) == (
                "the arguments of full() do not fit: 1 violation\n"
                f"  x: expected {{size}}={size} on axis 0, found 7 [size]\n"
                "  dims: d=2\n"
                "signature:\n"
                "     size: int\n"
                '  -> x: Float[Array, "{size}"]\n'
                '     y: Float[Array, "{size}-1 d"]'
            ).replace("     size: int\n", "")


def test_an_attribute_of_an_argument_says_it() -> None:
    for _ in range(3):
        for width in (2, 5):
            assert Block(width).apply(jnp.ones((4, width))).shape == (4, 2 * width)
        assert "x: expected {self.width}=2 on axis 1, found 3 [size]" in refusal(
            lambda: Block(2).apply(jnp.ones((4, 3)))
        )
        assert "return: expected 3*{self.width}=6 on axis 1, found 4 [size]" in refusal(
            lambda: Block(2).wrong(jnp.ones((4, 2)))
        )


def test_defaults_keywords_and_names_of_dims() -> None:
    @checked
    def padded(
        x: Float[Array, "d"], *extra: Any, times: int = 2, **kw: Any
    ) -> Float[Array, "{times}*d"]:
        return jnp.tile(x, kw.get("really", times))

    for _ in range(3):
        assert padded(jnp.ones(3)).shape == (6,)
        assert padded(jnp.ones(3), times=4).shape == (12,)
        assert "return: {times}*d is 9, but 2*d=6 with d=3 from x, axis 0 [dim]" in refusal(
            lambda: padded(jnp.ones(3), really=3)
        )
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        padded()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_wherever_it_stands_in_a_signature() -> None:
    @checked
    def several(
        n: int,
        pairs: dict[str, Float[Array, "{n}"]],
        maybe: Float[Array, "{n} {len(pairs)}"] | None,
        param: nnx.Param[Float[Array, "#{n}"]],
        state: Bind[LinearState, "din=d"],
    ) -> list[Float[Array, "{n} d"]]:
        return [jnp.ones((n, 2))]

    state = nnx.state(nnx.Linear(2, 3, rngs=nnx.Rngs(0)))
    one, two = nnx.Param(jnp.ones(1)), nnx.Param(jnp.ones(2))
    pairs = {"a": jnp.ones(4)}
    for _ in range(3):
        several(4, pairs, jnp.ones((4, 1)), one, state)
        several(4, pairs, None, one, state)
        assert "pairs.a: expected {n}=5" in refusal(lambda: several(5, pairs, None, one, state))
        assert "maybe: expected {len(pairs)}=1 on axis 1, found 2" in refusal(
            lambda: several(4, pairs, jnp.ones((4, 2)), one, state)
        )
        assert "param: expected {n}=4 on axis 0, found 2" in refusal(
            lambda: several(4, pairs, None, two, state)
        )


def test_generators_and_coroutines() -> None:
    @checked
    def stream(n: int) -> Iterator[Float[Array, "{n}"]]:
        yield jnp.ones(3)
        yield jnp.ones(4)

    @checked
    async def later(n: int, x: Float[Array, "{n}"]) -> Float[Array, "{n}+1"]:
        return jnp.ones(3)

    values = stream(3)
    assert next(values).shape == (3,)
    assert "yield: expected {n}=3 on axis 0, found 4 [size]" in refusal(lambda: next(values))
    assert asyncio.run(later(2, jnp.ones(2))).shape == (3,)
    assert "return: expected {n}+1=4" in refusal(lambda: asyncio.run(later(3, jnp.ones(3))))


def test_under_jit_and_with_types_that_come_later() -> None:
    @jax.jit
    @checked
    def traced(x: Float[Array, "n"], y: Late) -> Any:
        return x

    @checked
    def waiting(n: int, x: Float[Array, "{n}"], y: Late) -> None: ...

    global Late
    Late = Float[Array, "{x.shape[0]}"]
    assert traced(jnp.ones(2), jnp.ones(2)).shape == (2,)
    assert "y: expected {x.shape[0]}=2" in refusal(lambda: traced(jnp.ones(2), jnp.ones(3)))
    waiting(3, jnp.ones(3), jnp.ones(3))
    assert "x: expected {n}=3" in refusal(lambda: waiting(3, jnp.ones(4), jnp.ones(4)))


def test_what_can_not_be_read() -> None:
    with pytest.raises(SchemaError) as caught:

        @checked
        def strange(n: int, x: Float[Array, "{m}"]) -> None: ...

    assert str(caught.value).endswith("strange(x): '{m}': 'm' is no argument; there are n, x")

    @checked
    def absent(n: int, x: Float[Array, "{n.width}"]) -> None: ...

    with pytest.raises(SchemaError) as caught:
        absent(3, jnp.ones(3))
    assert str(caught.value).endswith(
        "absent(): '{n.width}' can't be read from the arguments "
        "(AttributeError: 'int' object has no attribute 'width')"
    )

    with pytest.raises(
        SchemaError, match=r"BracesState\.w: '\{n\}': braces read the arguments of a"
    ):

        class BracesState(TypedState):
            w: nnx.Param[Float[Array, "{n}"]]


def test_suspended_it_is_not_asked() -> None:
    with suspended():
        full(3, jnp.ones(9), jnp.ones(1))


def test_many_sizes_and_other_processes() -> None:
    for size in range(1, 100):
        full(size, jnp.ones(size), jnp.ones((size - 1, 2)))
    assert "{size}=2" in refusal(lambda: full(2, jnp.ones(3), jnp.ones((1, 2))))
    again = pickle.loads(cloudpickle.dumps(full))
    again(3, jnp.ones(3), jnp.ones((2, 2)))
    assert "{size}=3" in refusal(lambda: again(3, jnp.ones(4), jnp.ones((2, 2))))


def both() -> Any:
    def plain(
        n: int, x: Float[Array, "{n} d"], y: Float[Array, "#{n}*2 d"]
    ) -> Float[Array, "{n}-1 d"]:
        return x[: n - 1] if y.sum() else x

    return checked(plain), jaxtyped(typechecker=beartype.beartype)(plain)


OURS, THEIRS = both()


@given(
    n=st.integers(1, 4),
    x=st.tuples(st.integers(1, 4), st.integers(1, 2)),
    y=st.tuples(st.integers(1, 8), st.integers(1, 2)),
    zero=st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_it_is_enforced_as_jaxtyping_does(
    n: int, x: tuple[int, int], y: tuple[int, int], zero: bool
) -> None:
    values = (n, jnp.ones(x), jnp.zeros(y) if zero else jnp.ones(y))

    def accepts(function: Any) -> bool:
        try:
            function(*values)
        except Exception:
            return False
        return True

    assert accepts(OURS) == accepts(THEIRS)


def test_a_leaf_with_metadata_too() -> None:
    @checked
    def take(n: int, x: Annotated[nnx.Param, Float[Array, "{n}"]]) -> None: ...

    take(2, nnx.Param(jnp.ones(2)))
    assert "x: expected {n}=3 on axis 0" in refusal(lambda: take(3, nnx.Param(jnp.ones(2))))
