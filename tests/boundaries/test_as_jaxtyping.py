"""Array hints mean what they mean to jaxtyping: one table, asked of its decorator and of ours.

What is decided otherwise stands in `DIFFERENCES` with its reason; docs/ideas/dims.md says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jaxtyping
import pytest
from beartype import beartype
from flax import nnx
from jaxtyping import Array, Float, PyTree, jaxtyped

from tests.boundaries.jaxtyping_table import DIFFERENCES, ROWS, TREES, Difference, Row, f, z
from tests.zoo import leaf, state
from typedstate import StateTypeError, TypedState, TypedStateWarning, checked, fits


def function_of(row: Row) -> Any:
    """A function with these annotations, which returns what it gets last."""
    names = [f"x{index}" for index in range(len(row.hints))]
    given = names if row.result is None else [*names, "out"]
    space: dict[str, Any] = {}
    exec(f"def f({', '.join(given)}): return {given[-1]}", space)
    function = space["f"]
    function.__module__ = __name__
    function.__annotations__ = dict(zip(names, row.hints, strict=True))
    if row.result is not None:
        function.__annotations__["return"] = row.result
    return function


def accepts(function: Any, args: tuple[Any, ...]) -> bool:
    try:
        function(*args)
    except (StateTypeError, jaxtyping.TypeCheckError):
        return False
    return True


def shown(args: tuple[Any, ...]) -> str:
    return str(jax.tree.map(lambda x: getattr(x, "shape", x), args))


@pytest.mark.parametrize("name", [*ROWS, *TREES])
def test_a_signature_means_what_it_means_to_jaxtyping(name: str) -> None:
    row = (ROWS | TREES)[name]
    theirs, ours = jaxtyped(function_of(row), typechecker=beartype), checked(function_of(row))
    for _ in range(3):  # walked, code generated, recognised
        for expected, calls in ((True, row.right), (False, row.wrong)):
            for args in calls:
                assert accepts(theirs, args) is expected, shown(args)
                assert accepts(ours, args) is expected, shown(args)


@pytest.mark.parametrize("name", ROWS)
def test_leaves_of_a_schema_mean_the_same(name: str) -> None:
    row = ROWS[name]
    hints = [*row.hints, *([] if row.result is None else [row.result])]
    names = [f"x{index}" for index in range(len(hints))]
    fields = {key: nnx.Param[hint] for key, hint in zip(names, hints, strict=True)}
    schema: Any = type(TypedState)("TableState", (TypedState,), {"__annotations__": fields})
    for _ in range(3):
        for expected, calls in ((True, row.right), (False, row.wrong)):
            for args in calls:
                tree = {key: leaf(nnx.Param, x) for key, x in zip(names, args, strict=True)}
                assert fits(state(tree), schema) is expected, shown(args)


@pytest.mark.filterwarnings("ignore::typedstate.TypedStateWarning")
@pytest.mark.parametrize("case", DIFFERENCES, ids=lambda case: f"{case.why}, {case.ours}")
def test_where_we_decide_otherwise(case: Difference) -> None:
    row = Row(case.hints, [], [], case.result)
    theirs = jaxtyped(function_of(row), typechecker=beartype)
    for decorate, expected in (
        (lambda: theirs, case.theirs),
        (lambda: checked(function_of(row)), case.ours),
    ):
        if isinstance(expected, bool):
            function = decorate()
            assert [accepts(function, case.args) for _ in range(3)] == [expected] * 3
        else:
            with pytest.raises(expected):
                decorate()(*case.args)


def test_a_structure_that_nobody_bound_is_warned_of() -> None:
    function = checked(function_of(Row([PyTree[int, "S T"]], [], [])))
    with pytest.warns(TypedStateWarning) as warned:
        function(1)
    assert str(warned[0].message) == (
        "f(x0) is not enforced: Cannot process composite structure 'S T' as the structure name S "
        "has not been seen before."
    )


def test_a_report_shows_a_tree_as_it_was_written() -> None:
    row = Row([PyTree[f("n"), "T"], f("n")], [], [])
    with pytest.raises(StateTypeError) as error:
        checked(function_of(row))([z(2)], z(3))
    assert str(error.value) == (
        "the arguments of f() do not fit: 1 violation\n"
        "  x0: expected PyTree[Float[Array, \"n\"], 'T'], found list [array]\n"
        "signature:\n"
        '     x1: Float[Array, "n"]\n'
        "  -> x0: PyTree[Float[Array, \"n\"], 'T']"
    )


async def _give(out: Any) -> Any:
    return out


def test_trees_of_coroutines_and_generators_are_compared() -> None:
    @checked
    async def later(
        x: PyTree[Float[Array, "n"], "T"], y: Float[Array, "n"], out: Any
    ) -> PyTree[Float[Array, "n"], "T"]:
        return await _give(out)

    @checked
    def one_by_one(
        x: PyTree[Float[Array, "n"], "T"], y: Float[Array, "n"], out: Any
    ) -> Iterator[PyTree[Float[Array, "n"], "T"]]:
        yield out

    ways: list[Callable[..., Any]] = [
        lambda *args: asyncio.run(later(*args)),
        lambda *args: list(one_by_one(*args)),
    ]
    for way in ways:
        assert accepts(way, ([z(2)], z(2), [z(2)]))
        assert not accepts(way, ([z(2)], z(3), [z(2)]))
        assert not accepts(way, ([z(2)], z(2), [z(3)]))
        assert not accepts(way, ([z(2)], z(2), (z(2),)))
