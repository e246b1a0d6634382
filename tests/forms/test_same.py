"""`Same` ties the trees of one call to each other, with a schema or without any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests import zoo
from tests.zoo import Mlp, MlpState, leaf, state
from typedstate import Only, Pure, Same, StateTypeError, checked, explain, fits
from typedstate._compat import variables

Tree = Same[nnx.State[Any, Any], "T"]


def params(d: int = 2, hidden: int = 3, seed: int = 0) -> Any:
    return nnx.state(Mlp(d, hidden, rngs=nnx.Rngs(seed)), nnx.Param)


def averaged(old: Any, new: Any) -> Any:
    return jax.tree.map(lambda one, other: 0.9 * one + 0.1 * other, old, new)


@checked
def ema(
    old: Same[nnx.State[Any, Any], "T"], new: Same[nnx.State[Any, Any], "T"]
) -> Same[nnx.State[Any, Any], "T"]:
    return averaged(old, new)


@checked
def half(old: Same[nnx.State, "T"], new: Same[nnx.State, "T"]) -> Same[nnx.State, "T"]:
    return jax.tree.map(lambda array: array.astype(jnp.bfloat16), averaged(old, new))


def test_trees_of_one_call_agree_without_a_schema() -> None:
    for hidden in (3, 4, 3):  # other calls are free to have other trees
        found = ema(params(2, hidden), params(2, hidden, seed=1))
        assert variables.raw_value(found["up"]["kernel"]).shape == (2, hidden)
    mixed = jax.jit(ema)(params(), params(seed=1))
    assert fits((mixed, params()), tuple[Tree, Tree])


def test_an_argument_that_differs_is_refused_before_the_call() -> None:
    ema(params(), params(seed=1))  # known structures are compared all the same
    with pytest.raises(StateTypeError) as error:
        ema(params(), params(2, 4))
    assert str(error.value).splitlines()[:4] == [
        "the arguments of ema() do not fit: 3 violations",
        "  new.down.kernel: expected Param float32[3,2] as in old.down.kernel, "
        "found Param float32[4,2] [size]",
        "  new.up.bias: expected Param float32[3] as in old.up.bias, found Param float32[4] [size]",
        "  new.up.kernel: expected Param float32[2,3] as in old.up.kernel, "
        "found Param float32[2,4] [size]",
    ]


def test_a_result_that_differs_is_refused() -> None:
    with pytest.raises(StateTypeError) as error:
        half(params(), params(seed=1))
    lines = str(error.value).splitlines()
    assert lines[0] == "the return value of half() does not fit: 4 violations"
    assert lines[1] == (
        "  return.down.bias: expected Param float32[2] as in old.down.bias, "
        "found Param bfloat16[2] [dtype]"
    )


def test_groups_are_apart() -> None:
    @checked
    def step(
        old: Same[nnx.State, "model"],
        grads: Same[nnx.State, "model"],
        first: Same[nnx.State, "other"],
        second: Same[nnx.State, "other"],
    ) -> None: ...

    step(params(), params(), params(5, 7), params(5, 7))
    with pytest.raises(StateTypeError, match=r"second\.down\.bias: .* as in first\.down\.bias"):
        step(params(), params(), params(5, 7), params())


def test_pure_dicts_and_forms_are_compared_as_they_are() -> None:
    @checked
    def swap(
        one: Same[Pure[MlpState], "T"], other: Same[dict[str, Any], "T"]
    ) -> Same[Pure[Only[MlpState, nnx.Param]], "T"]:
        return other

    pure = nnx.to_pure_dict(params())
    assert swap(pure, nnx.to_pure_dict(params(seed=1)))
    with pytest.raises(StateTypeError) as error:
        swap(pure, {**pure, "up": {"kernel": pure["up"]["kernel"]}})
    assert str(error.value).splitlines()[1] == (
        "  other.up.bias: missing, expected float32[3] as in one.up.bias [missing]"
    )
    both = tuple[Same[nnx.State, "T"], Same[dict[str, Any], "T"]]
    assert str(explain((params(), pure), both)).splitlines()[1] == (
        "  [1].down.bias: expected Param float32[2] as in [0].down.bias, found float32[2] [kind]"
    )


def test_lists_of_trees_agree_with_each_other() -> None:
    @checked
    def mean(grads: list[Same[nnx.State, "T"]]) -> Same[nnx.State, "T"]:
        return jax.tree.map(lambda *arrays: sum(arrays) / len(arrays), *grads)

    assert mean([params(seed=seed) for seed in range(3)])
    with pytest.raises(StateTypeError, match=r"grads\[2\]\.down\.kernel: .* as in grads\[0\]"):
        mean([params(), params(), params(2, 4)])


def test_what_a_generator_yields_agrees_with_its_arguments() -> None:
    @checked
    def steps(start: Same[nnx.State, "T"], found: list[Any]) -> Iterator[Same[nnx.State, "T"]]:
        yield from found

    assert len(list(steps(params(), [params(seed=1), params(seed=2)]))) == 2
    running = steps(params(), [params(seed=1), params(2, 4)])
    next(running)
    with pytest.raises(StateTypeError, match=r"as in start\.down\.kernel"):
        next(running)


def test_what_an_async_generator_yields_agrees_with_its_arguments() -> None:
    import asyncio

    @checked
    async def steps(
        start: Same[nnx.State, "T"], found: list[Any]
    ) -> AsyncIterator[Same[nnx.State, "T"]]:
        for item in found:
            yield item

    async def run(found: list[Any]) -> int:
        return len([item async for item in steps(params(), found)])

    assert asyncio.run(run([params(seed=1)])) == 1
    with pytest.raises(StateTypeError, match=r"as in start\.down\.kernel"):
        asyncio.run(run([params(2, 4)]))


def test_a_module_in_place_agrees_with_a_state() -> None:
    @checked
    def check(model: Same[Annotated[Mlp, MlpState], "T"], found: Same[nnx.State, "T"]) -> None: ...

    check(Mlp(2, 3, rngs=nnx.Rngs(0)), params())
    with pytest.raises(StateTypeError, match=r"found\.down\.kernel: .* as in model\.down\.kernel"):
        check(Mlp(2, 3, rngs=nnx.Rngs(0)), params(2, 4))


def test_keys_of_any_kind_and_leaves_that_are_no_arrays_are_compared() -> None:
    one = state({"a": {0: nnx.Param(jnp.ones(2)), ("t",): nnx.Param(jnp.ones(1))}})
    other = zoo.as_dict(one)
    assert fits((one, nnx.State(other)), tuple[Tree, Tree])
    other["a"][1] = other["a"].pop(0)
    other["b"] = leaf(nnx.Intermediate, (jnp.ones(2),))
    report = explain((one, nnx.State(other)), tuple[Tree, Tree])
    assert [(found.path, found.code) for found in report.violations] == [
        ("[1].a[0]", "missing"),
        ("[1].a[1]", "extra"),
        ("[1].b[0]", "extra"),
    ]


def test_what_variables_hold_is_compared_within() -> None:
    def sown(*arrays: Any) -> Any:
        return state({"seen": nnx.Intermediate(arrays)})

    one = sown(jnp.ones(2), jnp.ones(3))
    assert fits((one, sown(jnp.ones(2), jnp.zeros(3))), tuple[Tree, Tree])
    report = explain((one, sown(jnp.ones(2), jnp.ones(4))), tuple[Tree, Tree])
    assert str(report).splitlines()[1] == (
        "  [1].seen[1]: expected Intermediate float32[3] as in [0].seen[1], "
        "found Intermediate float32[4] [size]"
    )
    report = explain((one, sown(jnp.ones(2))), tuple[Tree, Tree])
    assert [(found.path, found.code) for found in report.violations] == [("[1].seen[1]", "missing")]
    assert not fits((one, sown()), tuple[Tree, Tree])
    assert not fits((state({"seen": nnx.Param(None)}), sown()), tuple[Tree, Tree])
