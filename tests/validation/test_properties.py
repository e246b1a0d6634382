"""Random schemas: states built to match are accepted, single mutations are refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st
from jaxtyping import Array, Float, Int

from tests import zoo
from typedstate import (
    Abstract,
    Alias,
    Bind,
    Entries,
    Exactly,
    Only,
    Pure,
    Rest,
    Stacked,
    StateMap,
    StateTypeError,
    TypedState,
    check,
    explain,
    fits,
)
from typedstate._spec.dim_grammar import DimError, parse_dim, parse_expr, show_expr
from typedstate._spec.dims import evaluate, solve

KINDS = (nnx.Param, nnx.BatchStat, nnx.Cache, nnx.Intermediate)
NAMES = ["kernel", "bias", "values", "a b", "items"]
SIZES = {"a": 2, "b": 3, "c": 5}


@dataclass(frozen=True)
class Case:
    """A hint, and a tree that fits it.

    Attributes:
      hint: what stands behind the colon.
      build: makes a tree that fits it anew.
    """

    hint: Any
    build: Callable[[], Any]


def schema_of(fields: dict[Any, Any], extra: str = "forbid") -> Any:
    """A schema class with these keys."""
    annotations = {
        f"field_{index}": Annotated[hint, Alias(key)]
        for index, (key, hint) in enumerate(fields.items())
    }
    body = {"__module__": __name__, "__annotations__": annotations}
    return type(TypedState)("Random", (TypedState,), body, extra=extra)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, tuple[int, ...]]:
    """Dims and a shape that they allow."""
    dims = draw(st.lists(st.sampled_from(["a", "b", "c", "2*a", "a+b", "4", "_"]), max_size=3))
    sizes = {**SIZES, "2*a": 4, "a+b": 5, "4": 4, "_": 1}
    return " ".join(dims), tuple(sizes[dim] for dim in dims)


@st.composite
def leaf_cases(draw: st.DrawFn) -> Case:
    dims, shape = draw(arrays())
    kind = draw(st.sampled_from([*KINDS, None]))
    dtype, hint = draw(st.sampled_from([("float32", Float), ("int32", Int), ("bfloat16", Float)]))
    inner = hint[Array, dims]
    if kind is None:
        return Case(inner, lambda: jnp.ones(shape, dtype))
    exact = draw(st.booleans())
    whole = Exactly[kind[inner]] if exact else kind[inner]
    return Case(whole, lambda: zoo.leaf(kind, jnp.ones(shape, dtype)))


@st.composite
def tree_cases(draw: st.DrawFn, depth: int = 2) -> Case:
    """A schema with a state, maps and entries in it, nested to a depth."""
    below = leaf_cases() if depth == 0 else st.one_of(leaf_cases(), inner_cases(depth - 1))
    keys = st.sampled_from(draw(st.sampled_from([NAMES, [0, 3], [("t", 1), ("t", 2)]])))
    chosen = draw(st.dictionaries(keys, below, min_size=1, max_size=3))
    hint = schema_of({key: case.hint for key, case in chosen.items()})
    return Case(hint, lambda: {key: case.build() for key, case in chosen.items()})


@st.composite
def inner_cases(draw: st.DrawFn, depth: int) -> Case:
    case = draw(tree_cases(depth))
    match draw(st.integers(0, 4)):
        case 0:
            count = draw(st.integers(1, 3))
            hint = Bind[StateMap[int, case.hint], f"len={count}"]
            return Case(hint, lambda: {index: case.build() for index in range(count)})
        case 1:
            return Case(StateMap[str, case.hint], lambda: {"x": case.build(), "y": case.build()})
        case 2:
            return Case(
                Entries[case.hint, None, case.hint], lambda: {0: case.build(), 2: case.build()}
            )
        case 3:
            names = explain(case.build(), case.hint).dims
            text = " ".join(name for name in names if name in SIZES)
            return Case(Bind[case.hint, text], case.build) if text else case
        case _:
            return case


def leaves_of(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(tree, dict):
        return [path]
    return [found for key, item in tree.items() for found in leaves_of(item, (*path, key))]


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def agree(value: Any, hint: Any, expected: bool) -> None:
    """Every question about a value has the same answer."""
    report = explain(value, hint)
    assert bool(report) is expected, report
    assert fits(value, hint) is expected
    assert isinstance(value, hint) is expected
    assert isinstance(value, hint) is expected  # from a plan, where there is one
    assert (hint.__instancecheck_str__(value) == "") is expected
    if expected:
        assert check(value, hint) is value
        return
    with pytest.raises(StateTypeError) as error:
        check(value, hint)
    assert error.value.report is not None
    assert error.value.report.violations == report.violations


@pytest.mark.both_policies
@given(tree_cases())
@settings(max_examples=25)
def test_states_built_to_match_are_accepted(case: Case) -> None:
    agree(nnx.State(case.build()), case.hint, True)
    agree(case.build(), case.hint, True)


@st.composite
def mutations(draw: st.DrawFn) -> tuple[Case, Any]:
    """A case, and its tree with one fault in it."""
    case = draw(tree_cases())
    tree = case.build()
    path = draw(st.sampled_from(leaves_of(tree)))
    holder, key, old = at(tree, path[:-1]), path[-1], at(tree, path)
    variable = not isinstance(old, jax.Array)
    (array,) = jax.tree.leaves(old)
    match draw(st.sampled_from(["drop", "extra", "kind", "dtype", "rank", "container", "key"])):
        case "drop":
            del holder[key]
        case "extra":
            holder["surplus"] = old
        case "kind" if variable:
            holder[key] = zoo.leaf(nnx.RngState, array, tag="t")
        case "kind":
            holder[key] = zoo.leaf(nnx.Param, array)
        case "dtype":
            holder[key] = jax.tree.map(lambda x: x > 0, old)
        case "rank":
            holder[key] = jax.tree.map(lambda x: jnp.stack([x] * 3), old)
        case "container":
            holder[key] = {"value": array}
        case _:
            holder[("another", key)] = holder.pop(key)
    return case, tree


@pytest.mark.both_policies
@given(mutations())
@settings(max_examples=40)
def test_single_mutations_are_refused(found: tuple[Case, Any]) -> None:
    case, tree = found
    agree(nnx.State(case.build()), case.hint, True)  # a plan that must not take the next one
    agree(nnx.State(tree), case.hint, False)
    agree(tree, case.hint, False)


@pytest.mark.both_policies
@given(tree_cases(depth=2), st.sampled_from([*KINDS, nnx.Variable, jax.Array, ...]))
@settings(max_examples=12)
def test_forms_follow_what_flax_does(case: Case, filter_: Any) -> None:
    state = nnx.State(case.build())
    kept, rest = nnx.split_state(state, filter_, ...)
    for form, part in ((Only, kept), (Rest, rest)):
        if nnx.to_flat_state(part):
            assert fits(part, form[case.hint, filter_])
    assert fits(nnx.to_pure_dict(state), Pure[case.hint])
    assert fits(jax.eval_shape(lambda: state), Abstract[case.hint])
    stacked = jax.tree.map(lambda x: jnp.stack([x] * 7), state)
    assert explain(stacked, Stacked[case.hint, "n"]).dims["n"] == 7
    assert not fits(state, Stacked[case.hint, "n"])


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(["a", "b", "c", "1", "2", "7"]))
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    return f"({left}){draw(st.sampled_from(['+', '-', '*', '//', '%', '**']))}({right})"


@given(expressions(), st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)))
@settings(max_examples=80)
def test_expressions_mean_what_python_means(text: str, sizes: dict[str, int]) -> None:
    parsed = parse_expr(text)
    assert parse_expr(show_expr(parsed)) == parsed
    found = evaluate(parsed, sizes)
    try:
        expected = eval(text, {}, dict(sizes))
    except (NameError, ZeroDivisionError, OverflowError):
        return
    if found is not None:
        assert found == expected


@given(expressions(), st.fixed_dictionaries({key: st.integers(0, 9) for key in "abc"}))
@settings(max_examples=80)
def test_a_solution_solves(text: str, sizes: dict[str, int]) -> None:
    parsed = parse_expr(text)
    size = evaluate(parsed, sizes)
    known = {key: value for key, value in sizes.items() if key != "a"}
    if size is None:
        return
    solution = solve(parsed, size, known)
    if solution is not None:
        assert solution.name == "a"
        assert solution.size is not None  # as the size of a is one
        assert evaluate(parsed, {**known, "a": solution.size}) == size


@given(st.text(max_size=12))
@settings(max_examples=80)
def test_any_text_is_a_dim_or_an_error(text: str) -> None:
    with contextlib.suppress(DimError):
        parse_dim(text)


@pytest.mark.both_policies
@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 3))
@settings(max_examples=30)
def test_the_verdict_does_not_depend_on_the_order_of_keys(order: list[str], wrong: int) -> None:
    hint = StateMap[str, nnx.Param[Float[Array, "n"]]]
    tree = {key: zoo.leaf(nnx.Param, jnp.ones(2)) for key in order}
    agree(nnx.State(tree), hint, True)
    tree["abcd"[wrong]] = zoo.leaf(nnx.Param, jnp.ones(3))
    agree(nnx.State(tree), hint, False)
    assert [found.path for found in explain(tree, hint).violations] == ["abcd"[wrong]]


@pytest.mark.both_policies
@given(st.lists(st.sampled_from([0, 1, 2, 3, 5, "0", "1", "x", True, -1, np.int64(2)]), max_size=5))
@settings(max_examples=60)
def test_int_keys_are_ints_without_gaps(keys: list[Any]) -> None:
    tree = {key: zoo.leaf(nnx.Param, jnp.ones(1)) for key in keys}
    ints = {int(key) for key in tree if not isinstance(key, str) and key >= 0}
    only_ints = all(not isinstance(key, str) and key >= 0 for key in tree)
    whole = only_ints and ints == set(range(len(ints)))
    agree(nnx.State(tree), StateMap[int, nnx.Param], whole)
    agree(nnx.State(tree), Bind[StateMap[int, nnx.Param], "len=n"], whole)
