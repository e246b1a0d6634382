"""Forms of forms: a chain of them fits a chain of what Flax does; one without meaning says so."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import assume, given, settings, strategies as st
from jaxtyping import BFloat16

from tests import zoo
from tests.zoo import LinearState, leaf
from tests.zoo.transformed import ANIMALS, MESH, Model, N, as_pure
from typedstate import (
    Abstract,
    Axis,
    Bind,
    Cast,
    Like,
    Only,
    Placed,
    Plus,
    Pure,
    Rest,
    Same,
    SchemaError,
    Scoped,
    Sharded,
    Shardings,
    Specs,
    Stacked,
    Values,
    explain,
    fits,
)
from typedstate._compat import variables
from typedstate._validation import tree_signature

pytestmark = pytest.mark.slow


@dataclass(frozen=True, eq=False)
class Step:
    """A form, and what makes such a tree of any other.

    Attributes:
      name: for failures.
      hint: the form of a hint.
      make: the same of a tree.
      needs: what the tree must have: kinds, arrays.
      leaves: what it has afterwards, of what it had.
    """

    name: str
    hint: Callable[[Any], Any]
    make: Callable[[Any], Any]
    needs: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset({"kinds", "arrays"})


def as_state(tree: Any) -> Any:
    return tree if isinstance(tree, nnx.State) else nnx.State(tree)


def selected(*filters: Any) -> Callable[[Any], Any]:
    def make(tree: Any) -> Any:
        found = nnx.filter_state(as_state(tree), *filters)
        return found if isinstance(tree, nnx.State) else zoo.as_dict(found)

    return make


def mapped(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Changes the arrays; abstract ones as JAX does."""

    def make(tree: Any) -> Any:
        found = jax.tree.leaves(tree)
        if any(isinstance(item, jax.ShapeDtypeStruct) for item in found):
            return jax.eval_shape(change, tree)
        return change(tree)

    return make


def stacked(axis: int) -> Callable[[Any], Any]:
    return mapped(lambda tree: jax.vmap(lambda _: tree, out_axes=axis)(jnp.arange(N)))


def stacked_where(filter_: Any) -> Callable[[Any], Any]:
    def make(tree: Any) -> Any:
        one, rest = nnx.split_state(as_state(tree), filter_, ...)
        found = nnx.merge_state(stacked(0)(one), rest)
        return found if isinstance(tree, nnx.State) else zoo.as_dict(found)

    return make


def with_kind(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: with_kind(item) for key, item in tree.items()}
    return leaf(nnx.Cache, variables.raw_value(tree) if variables.is_variable(tree) else tree)


def with_seen(tree: Any) -> Any:
    seen = leaf(nnx.Intermediate, jnp.ones((3, 4)))
    return nnx.State({**zoo.as_dict(tree), "seen": seen})


def half(tree: Any) -> Any:
    def cast(array: Any) -> Any:
        floats = jnp.issubdtype(array.dtype, jnp.floating)
        return array.astype(jnp.bfloat16) if floats else array

    return jax.tree.map(cast, tree)


def pure(tree: Any) -> Any:
    return nnx.to_pure_dict(tree) if isinstance(tree, nnx.State) else tree


KINDS, ARRAYS = frozenset({"kinds"}), frozenset({"arrays"})
BIAS = nnx.PathContains("bias")
STEPS = (
    Step("Only Param", lambda h: Only[h, nnx.Param], selected(nnx.Param), KINDS),
    Step("Rest Param", lambda h: Rest[h, nnx.Param], selected(nnx.Not(nnx.Param)), KINDS),
    Step("Only bias", lambda h: Only[h, BIAS], selected(BIAS)),
    Step("Rest bias", lambda h: Rest[h, BIAS], selected(nnx.Not(BIAS))),
    Step("Plus", lambda h: Plus[h, nnx.Intermediate], with_seen, KINDS),
    Step("Stacked", lambda h: Stacked[h, N], stacked(0), ARRAYS),
    Step("Stacked last", lambda h: Stacked[h, N, Axis(-1)], stacked(-1), ARRAYS),
    Step(
        "Stacked kernels",
        lambda h: Stacked[h, N, nnx.PathContains("kernel")],
        stacked_where(nnx.PathContains("kernel")),
        ARRAYS,
    ),
    Step(
        "Stacked Params",
        lambda h: Stacked[h, N, nnx.Param],
        stacked_where(nnx.Param),
        KINDS | ARRAYS,
    ),
    Step("Pure", lambda h: Pure[h], pure, leaves=ARRAYS),
    Step("Values", lambda h: Values[h], as_pure, leaves=ARRAYS),
    Step("Abstract", lambda h: Abstract[h], lambda t: jax.eval_shape(lambda x: x, t), ARRAYS),
    Step("Specs", lambda h: Specs[h], nnx.get_partition_spec, ARRAYS, KINDS),
    Step(
        "Shardings",
        lambda h: Shardings[h],
        lambda t: nnx.get_named_sharding(t, MESH),
        ARRAYS,
        KINDS,
    ),
    Step("Cast", lambda h: Cast[h, BFloat16], mapped(half), ARRAYS),
    Step(
        "Like kind",
        lambda h: Like[h, nnx.Cache],
        lambda t: nnx.State(with_kind(zoo.as_dict(t))),
        KINDS,
    ),
    Step("Same", lambda h: Same[h, "T"], lambda t: t),
    Step("Scoped", lambda h: Scoped[h, "teacher"], lambda t: t),
    Step("Placed", lambda h: Placed[h], lambda t: t, ARRAYS),
)
MODELS = [Model(animal) for animal in ANIMALS]


def meaning(chain: list[Step]) -> bool:
    """Whether every step finds what it needs."""
    there = KINDS | ARRAYS
    for step in chain:
        if not step.needs <= there:
            return False
        there &= step.leaves
    return True


def of_floats(tree: Any) -> bool:
    """Whether a tree can have another dtype of floats: keys can't."""
    return all(jnp.issubdtype(array.dtype, jnp.floating) for array in jax.tree.leaves(tree))


@pytest.mark.both_policies
@given(st.sampled_from(MODELS), st.lists(st.sampled_from(STEPS), min_size=2, max_size=3))
@settings(max_examples=150)
def test_a_chain_of_forms_fits_what_a_chain_of_transforms_makes(
    model: Model, chain: list[Step]
) -> None:
    hint = model.schema
    if not meaning(chain):
        with pytest.raises(SchemaError, match=r"; (write|the two exclude) "):
            functools.reduce(lambda inner, step: step.hint(inner), chain, hint)
        return
    before: Any = None
    tree = model.state
    for step in chain:
        assume(step.name != "Like dtype" or of_floats(tree))
        hint, before, tree = step.hint(hint), tree, step.make(tree)
    report = explain(tree, hint)
    assert report, str(report)
    assert fits(tree, hint)
    assert fits(tree, hint)
    like = type(before) is type(tree) and tree_signature.signature_of(
        before
    ) == tree_signature.signature_of(tree)
    if not like and jax.tree.leaves(before) and chain[-1].name != "Plus":  # it only allows
        missing = {found.code for found in explain(before, hint).violations}
        assert missing, f"{hint} takes what it was before {chain[-1].name}"
        assert not fits(before, hint)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Only[Pure[LinearState], nnx.Param],
            "Only[Pure[LinearState], Param]: Pure[LinearState] has no kinds, only values; "
            "write Pure[Only[LinearState, Param]]",
        ),
        (
            lambda: Rest[Abstract[Values[Bind[LinearState, "din=2"]]], nnx.Not("tag")],
            "Rest[Abstract[Values[LinearState]], Not(WithTag('tag'))]: Values[LinearState] has no "
            "kinds, only values; write Abstract[Values[Rest[LinearState, Not(WithTag('tag'))]]]",
        ),
        (
            lambda: Stacked[Pure[LinearState], "n", Axis(1, "layers"), (nnx.Param, nnx.Cache)],
            "Stacked[Pure[LinearState], 'n', Axis(1, 'layers'), (Param, Cache)]: "
            "Pure[LinearState] has no kinds, only values; "
            "write Pure[Stacked[LinearState, 'n', Axis(1, 'layers'), (Param, Cache)]]",
        ),
        (
            lambda: Plus[Pure[LinearState], nnx.LoRAParam],
            "Plus[Pure[LinearState], LoRAParam]: Pure[LinearState] has no kinds, only values; "
            "write Pure[Plus[LinearState, LoRAParam]]",
        ),
        (
            lambda: Like[Pure[LinearState], nnx.OptState],
            "Like[Pure[LinearState], OptState]: Pure[LinearState] has no kinds, only values; "
            "write Pure[Like[LinearState, OptState]]",
        ),
        (
            lambda: Stacked[Specs[LinearState], "n"],
            "Stacked[Specs[LinearState], 'n']: Specs[LinearState] has no arrays; "
            "write Specs[Stacked[LinearState, 'n']]",
        ),
        (
            lambda: Cast[Shardings[LinearState], BFloat16],
            "Cast[Shardings[LinearState], BFloat16]: Shardings[LinearState] has no arrays; "
            "write Shardings[Cast[LinearState, BFloat16]]",
        ),
        (
            lambda: Placed[Specs[LinearState]],
            "Placed[Specs[LinearState]]: Specs[LinearState] has no arrays; "
            "write Specs[Placed[LinearState]]",
        ),
        (
            lambda: Sharded[Pure[Specs[LinearState]], "din=data"],
            "Sharded[Pure[Specs[LinearState]], 'din=data']: Specs[LinearState] has no arrays; "
            "write Pure[Specs[Sharded[LinearState, 'din=data']]]",
        ),
        (
            lambda: Abstract[Specs[LinearState]],
            "Abstract[Specs[LinearState]]: Specs[LinearState] has no arrays; "
            "write Specs[Abstract[LinearState]]",
        ),
        (
            lambda: Specs[Shardings[LinearState]],
            "Specs[Shardings[LinearState]]: Shardings[LinearState] has no arrays; "
            "the two exclude each other",
        ),
        (
            lambda: Stacked[Like[LinearState, float], "n"],
            "Stacked[Like[LinearState, float], 'n']: Like[LinearState, float] has no arrays; "
            "write Like[Stacked[LinearState, 'n'], float]",
        ),
        (
            lambda: Abstract[Scoped[Same[Specs[LinearState], "T"], "x"]],
            "Abstract[Specs[LinearState]]: Specs[LinearState] has no arrays; "
            "write Specs[Abstract[LinearState]]",
        ),
    ],
)
def test_a_composition_that_means_nothing_says_why(make: Any, message: str) -> None:
    with pytest.raises(SchemaError) as error:
        make()
    assert str(error.value) == message


def test_what_is_added_is_not_selected_by_the_filters_within() -> None:
    seen = leaf(nnx.Intermediate, jnp.ones(2))
    tree = zoo.as_dict(nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)), nnx.Param))
    found = nnx.State({**tree, "seen": seen})
    assert fits(found, Plus[Only[zoo.MlpState, nnx.Param], nnx.Intermediate])
    assert not fits(found, Only[Plus[zoo.MlpState, nnx.Intermediate], nnx.Param])
    one = Plus[Only[Plus[zoo.MlpState, nnx.Cache], nnx.Param], nnx.Intermediate]
    assert fits(found, one)
    assert not fits(nnx.State({**tree, "seen": leaf(nnx.Cache, jnp.ones(2))}), one)


@pytest.mark.parametrize(
    ("form", "change"),
    [
        (lambda h: Stacked[h, "n"], lambda x: jnp.stack([x] * 4)),
        (lambda h: Cast[h, BFloat16], lambda x: x.astype(jnp.bfloat16)),
        (lambda h: Abstract[h], None),
    ],
    ids=["Stacked", "Like", "Abstract"],
)
def test_what_a_filter_read_of_a_value_is_not_asked_of_another(form: Any, change: Any) -> None:
    def is_float_matrix(path: Any, value: Any) -> bool:
        array = variables.raw_value(value)
        return isinstance(array, jax.Array) and array.ndim == 2 and array.dtype == jnp.float32

    model = nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))
    kept = nnx.filter_state(model, is_float_matrix)
    changed = jax.tree.map(change, kept) if change else jax.eval_shape(lambda: kept)
    assert explain(changed, form(Only[zoo.MlpState, is_float_matrix]))


def test_a_bind_stands_although_a_form_leaves_its_dims_out() -> None:
    hint = Rest[Bind[LinearState, "din=2 dout=3"], nnx.Param]
    assert fits(nnx.State({}), hint)
    with pytest.raises(SchemaError) as error:
        fits(nnx.State({}), Rest[Bind[LinearState, "din=2 dot=3"], nnx.Param])
    assert str(error.value) == (
        "Rest[Bind[LinearState, 'din=2 dot=3'], Param]: Bind names the dim 'dot' that "
        "Rest[LinearState, Param] doesn't have; did you mean 'dout'?"
    )


def test_what_is_left_beside_a_kind_is_in_no_variable_of_it() -> None:
    specs = nnx.get_partition_spec(nnx.state(nnx.Linear(2, 3, rngs=nnx.Rngs(0))))
    left = Rest[Specs[zoo.LinearState], nnx.Param]
    assert {found.code for found in explain(specs, left).violations} == {"array"}
    assert explain(nnx.State({}), left)
