"""Python's numbers in signatures: what JAX and numpy hand on in their place."""

from __future__ import annotations

import dataclasses
import os
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype.vale import Is
from flax import nnx, struct
from jaxtyping import Array, Float

from tests.processes import forked
from typedstate import StateTypeError, TypedState, checked, explain

ONES = jnp.ones(3)


def scaled(x: Float[Array, "n"], by: float) -> Float[Array, "n"]:
    return x * by


def counted(by: int) -> Any:
    return by


def flagged(by: bool) -> Any:
    return by


def turned(by: complex) -> Any:
    return by


def optional(by: float | None = None) -> Any:
    return by


def defaulted(by: float = 0.5) -> Any:
    return by


def listed(by: list[float]) -> Any:
    return by


def keyed(by: dict[str, int | None]) -> Any:
    return by


def paired(by: tuple[Float[Array, "n"], float]) -> Any:
    return by


def literal(by: Literal[1, 2]) -> Any:
    return by


def validated(by: Annotated[float, Is[lambda value: value > 1]]) -> Any:
    return by


def many(*by: int) -> Any:
    return by


def named(**by: int) -> Any:
    return by


def returned(by: Any) -> float:
    return by


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (counted, 2),
        (counted, True),
        (flagged, False),
        (turned, 1j),
        (optional, 1.5),
        (optional, None),
        (optional, 1),
        (defaulted, 1.5),
        (listed, [1.0, 2.0]),
        (listed, [1, True]),
        (keyed, {"a": 1, "b": None}),
        (paired, (ONES, 1.0)),
        (paired, (ONES, 1)),
        (literal, 2),
        (validated, 2.0),
        (returned, 1.0),
        (returned, 1),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_a_number_that_fits_does_so_where_jax_traces_it(function: Any, value: Any) -> None:
    wrapped = checked(function)
    if function is not returned:
        wrapped(value)
    jax.eval_shape(wrapped, value)
    jax.eval_shape(wrapped, value)  # the second is no other


def test_under_each_transform() -> None:
    wrapped = checked(scaled)
    jax.jit(wrapped)(ONES, 2.0)
    jax.vmap(wrapped, (None, 0))(ONES, jnp.ones(2))
    jax.grad(lambda by: wrapped(ONES, by).sum())(2.0)
    jax.lax.scan(lambda by, _: (by, wrapped(ONES, by)), 2.0, length=2)


def test_variadic_parameters() -> None:
    jax.eval_shape(checked(many), 1, 2)
    jax.eval_shape(lambda a: checked(named)(a=a), 1)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (counted, 2.0),
        (flagged, 1),
        (optional, 1j),
        (optional, jnp.ones(2)),
        (listed, [1j, 2j]),
        (keyed, {"a": 1.0}),
        (paired, (ONES, 1j)),
        (literal, 2.0),
        (returned, 1j),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_another_dtype_or_rank_is_refused_when_traced(function: Any, value: Any) -> None:
    with pytest.raises(StateTypeError):
        jax.eval_shape(checked(function), value)


def test_outside_of_transforms_an_array_is_no_number() -> None:
    with pytest.raises(StateTypeError) as caught:
        checked(scaled)(ONES, jnp.float32(1))
    assert "by: expected float, found float32[]" in str(caught.value)
    with pytest.raises(StateTypeError) as caught:
        checked(paired)((ONES, jnp.float32(1)))
    assert "by[1]: expected float, found float32[] [array]" in str(caught.value)


def test_numpys_scalars_are_numbers() -> None:
    size = np.prod((2, 3))
    checked(counted)(size)
    checked(keyed)({"a": size})
    checked(many)(size, 1)
    checked(flagged)(np.bool_(True))
    checked(optional)(np.float32(1))
    checked(paired)((ONES, np.float32(1)))
    checked(paired)((ONES, size))
    for function, value in [
        (counted, np.float64(1)),
        (many, "a"),
        (paired, (ONES, "a")),
    ]:
        with pytest.raises(StateTypeError):
            checked(function)(value)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (optional, 1),
        (optional, True),
        (defaulted, 2),
        (turned, 1.5),
        (turned, 1),
        (listed, [1, 2.5]),
        (paired, (ONES, 1)),
        (validated, 2),
        (returned, 3),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_an_int_counts_for_a_float_as_type_checkers_have_it(function: Any, value: Any) -> None:
    wrapped = checked(function)
    wrapped(value)
    wrapped(value)  # by guarded code


def test_a_float_counts_for_no_int() -> None:
    for function, value in [(counted, 1.0), (flagged, 1), (keyed, {"a": 2.0}), (validated, 1)]:
        with pytest.raises(StateTypeError):
            checked(function)(value)
    with pytest.raises(StateTypeError) as caught:
        checked(listed)(["a"])
    said = "found list (list index 0 item str 'a' not float)"
    assert str(caught.value).splitlines()[1] == f"  by: expected list[float], {said} [array]"


def test_a_dtype_by_its_scalar_type_or_name() -> None:
    @checked
    def made(dtype: jnp.dtype, other: np.dtype[Any] | None = None) -> None: ...

    made(jnp.float32, "bfloat16")
    made(np.dtype("int8"), np.int8)
    with pytest.raises(StateTypeError):
        made("no dtype")
    with pytest.raises(StateTypeError):
        made(1)


def test_a_jitted_function_returns_arrays_for_numbers() -> None:
    def halved(by: float) -> float:
        return by / 2

    def both(by: float) -> tuple[Float[Array, "n"], float | None]:
        return ONES, by / 2

    for function in (halved, both):
        checked(jax.jit(function))(1.0)
        jax.jit(checked(function))(1.0)

    def wrong(by: float) -> float:
        return 3j  # type: ignore[return-value]

    with pytest.raises(StateTypeError):
        checked(jax.jit(wrong))(1.0)


class Pair(NamedTuple):
    x: Float[Array, "n"]
    step: int


@struct.dataclass
class Frozen:
    x: Float[Array, "n"]
    step: int
    rate: float | None = None


@pytest.mark.parametrize("cls", [Pair, Frozen])
def test_fields_of_records(cls: Any) -> None:
    @checked
    def stepped(pair: cls) -> cls:
        return pair._replace(step=pair.step + 1) if cls is Pair else pair

    stepped(cls(ONES, 1))
    out = jax.jit(stepped)(cls(ONES, 1))
    stepped(out)  # of jit: arrays without axes
    with pytest.raises(StateTypeError):
        stepped(cls(ONES, 1.5))
    with pytest.raises(StateTypeError):
        jax.eval_shape(stepped, cls(ONES, 1.5))
    with pytest.raises(StateTypeError):
        stepped(cls(ONES, jnp.float32(1)))


def test_the_init_of_a_dataclass() -> None:
    @checked
    @dataclasses.dataclass
    class Settings:
        rate: float

    jax.eval_shape(lambda rate: Settings(rate).rate, 1.0)
    with pytest.raises(StateTypeError):
        Settings(jnp.float32(1))


class Counted(TypedState):
    x: nnx.Param[Float[Array, "n"]]
    step: int


class Scaled(TypedState):
    scale: float


def test_a_leaf_of_a_state_is_of_its_class() -> None:
    state = nnx.State({"scale": 1})  # JAX makes another dtype of it
    assert str(explain(state, Scaled)).splitlines()[1:2] == [
        "  scale: expected float, found int [array]"
    ]
    with pytest.raises(StateTypeError):
        jax.eval_shape(checked(scale_of), state)
    jax.eval_shape(checked(scale_of), nnx.State({"scale": 1.0}))


def scale_of(state: Scaled) -> Any:
    return state["scale"]


def test_a_number_in_a_state() -> None:
    state = nnx.State({"x": nnx.Param(ONES), "step": 3})

    @checked
    def same(tree: Counted) -> Counted:
        return tree

    same(state)
    out = jax.jit(same)(state)
    assert str(explain(out, Counted)).splitlines()[1:2] == [
        "  step: expected int, found int32[] [array]"
    ]
    assert not explain(nnx.State({"x": nnx.Param(ONES), "step": np.int64(3)}), Counted)


STRICT = """
import jax, pytest
import numpy as np
from typedstate import StateTypeError, checked

@checked
def counted(by: int) -> None: ...

@checked
def scaled(by: float, others: list[float]) -> None: ...

for call in (
    lambda: jax.eval_shape(counted, 1),
    lambda: counted(np.int64(1)),
    lambda: scaled(1, []),
    lambda: scaled(1.0, [1]),
):
    with pytest.raises(StateTypeError):
        call()
"""


def test_the_knob_makes_numbers_strict() -> None:
    environment = {**os.environ, "TYPEDSTATE_SCALARS": "strict"}
    run = forked(STRICT, environment)
    assert run.returncode == 0, run.stderr


def test_a_wrong_knob() -> None:
    environment = {**os.environ, "TYPEDSTATE_SCALARS": "loose"}
    run = forked("import typedstate.mode", environment)
    assert run.stderr.splitlines()[-1] == (
        "ValueError: TYPEDSTATE_SCALARS='loose' is no choice: the choices are traced, strict"
    )
