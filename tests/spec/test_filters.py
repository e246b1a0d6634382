"""`Only` and `Rest` select what Flax's filters select, of declared leaves and of real ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from flax.nnx import filterlib
from jaxtyping import Array, Float

from tests import zoo
from tests.zoo import leaf, state
from tests.zoo.transformed import ANIMALS
from typedstate import Exactly, Only, Rest, SchemaError, StateMap, TypedState, explain, fits
from typedstate._compat import variables
from typedstate._validation import tree_signature

PathIn: Any = filterlib.PathIn


def held(value: Any) -> Any:
    """What a Variable holds, or a raw leaf."""
    return variables.raw_value(value) if variables.is_variable(value) else value


def is_matrix(path: Any, value: Any) -> bool:
    """Reads a shape."""
    return getattr(held(value), "ndim", 0) > 1


def is_float(path: Any, value: Any) -> bool:
    """Reads a dtype."""
    dtype = getattr(held(value), "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jnp.floating)


def has_metadata(path: Any, value: Any) -> bool:
    """Reads what Flax keeps beside a value."""
    return bool(variables.is_variable(value) and getattr(value, "tag", None))


FILTERS: dict[str, tuple[Any, ...]] = {
    "Param": (nnx.Param,),
    "BatchStat": (nnx.BatchStat,),
    "LoRAParam": (nnx.LoRAParam,),
    "OptState": (nnx.OptState,),
    "RngState": (nnx.RngState,),
    "Variable": (nnx.Variable,),
    "array": (jax.Array,),
    "everything": (...,),
    "nothing": (None,),
    "True": (True,),
    "False": (False,),
    "two kinds": (nnx.Param, nnx.RngKey),
    "a tuple": ((nnx.BatchStat, nnx.RngCount),),
    "a list": ([nnx.BatchStat, nnx.PathContains("up")],),
    "a list in a tuple": ((nnx.Cache, [nnx.RngKey, nnx.PathContains("bias")]),),
    "Not": (nnx.Not(nnx.Param),),
    "Not Not": (nnx.Not(nnx.Not(nnx.Param)),),
    "All": (nnx.All(nnx.Param, nnx.PathContains("kernel")),),
    "Any": (nnx.Any(nnx.BatchStat, nnx.PathContains("bias")),),
    "Not All": (nnx.Not(nnx.All(nnx.Variable, nnx.PathContains("up"))),),
    "All of nothing": (nnx.All(),),
    "Any of nothing": (nnx.Any(),),
    "PathContains": (nnx.PathContains("kernel"),),
    "PathContains an int": (nnx.PathContains(0),),
    "PathContains a part": (nnx.PathContains("ern", exact=False),)
    if hasattr(nnx.PathContains("a"), "exact")
    else (nnx.PathContains("kernel"),),
    "PathIn": (PathIn(("up", "kernel"), ("kernel",), ("layers", 0, "up", "bias")),),
    "OfType": (nnx.OfType(nnx.Param),),
    "Everything": (filterlib.Everything(),),
    "Nothing": (filterlib.Nothing(),),
    "a tag": ("seen",),
    "WithTag": (nnx.WithTag("seen"),),
    "Not a tag": (nnx.Not("seen"),),
    "path callable": (lambda path, value: "up" in path or path[-1] == "bias",),
    "first entries": (lambda path, value: 1 not in path,),
    "kind callable": (lambda path, value: isinstance(value, nnx.Variable),),
    "shape callable": (is_matrix,),
    "dtype callable": (is_float,),
    "metadata callable": (has_metadata,),
    "callable and kind": (is_matrix, nnx.BatchStat),
}


def tagged(found: Any) -> Any:
    """A state in which every second Variable has a tag, as ``nnx.WithTag`` reads it."""
    tree, count = zoo.as_dict(found), iter(range(1_000))

    def walk(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {key: walk(item) for key, item in tree.items()}
        if not variables.is_variable(tree) or next(count) % 2:
            return tree
        return leaf(variables.kind_of(tree), variables.raw_value(tree), tag="seen")

    return nnx.State(walk(tree))


@pytest.fixture(scope="module")
def modules() -> dict[str, Any]:
    return {animal.name: animal.make() for animal in ANIMALS}


@pytest.fixture(scope="module")
def states(modules: dict[str, Any]) -> dict[str, nnx.State[Any, Any]]:
    return {name: tagged(nnx.state(module)) for name, module in modules.items()}


def one_of(filters: tuple[Any, ...]) -> Any:
    return filters[0] if len(filters) == 1 else filters


def paths_of(tree: Any) -> frozenset[Any]:
    return frozenset(path for path, _ in nnx.to_flat_state(tree))


#: Of these no schema knows what they say: they read values.
OPEN = frozenset(name for name in FILTERS if "callable" in name) | {"first entries", "array"}


@dataclass(frozen=True)
class Asked:
    """A schema that is asked once about each tree: most filters leave few different ones.

    Attributes:
      schema: the schema.
      verdicts: the answers, by the identities of the leaves, with the trees that keep those alive.
      others: what else a schema takes at the place of a leaf, by its identity.
    """

    schema: Any
    verdicts: dict[frozenset[Any], tuple[bool, Any]] = field(default_factory=dict)
    others: dict[int, tuple[Any, ...]] = field(default_factory=dict)

    def takes(self, tree: dict[Any, Any]) -> bool:
        leaves = frozenset((path, id(item)) for path, item in tree.items())
        if leaves not in self.verdicts:
            self.verdicts[leaves] = fits(nnx.from_flat_state(tree), self.schema), tree
        return self.verdicts[leaves][0]

    def variants(self, real: Any) -> tuple[Any, ...]:
        if id(real) not in self.others:
            self.others[id(real)] = tuple(variants(real))
        return self.others[id(real)]


def may_lack(
    tree: dict[Any, Any], gone: frozenset[Any], kept: frozenset[Any], asked: Asked, f: Any
) -> bool:
    """Whether the schema takes a state of which a filter selects all but some leaves.

    Those are other leaves, of which it says the opposite, or have another key, or are not there:
    alone, or with what stands beside them.
    """
    test = filterlib.to_predicate(f)
    tree, gone = under_other_keys(dict(tree), gone, asked, test)
    lost: set[Any] = set()
    for path in gone:
        real = tree[path]
        other = next(
            (one for one in asked.variants(real) if test(path, one) != test(path, real)), None
        )
        if other is not None:
            tree[path] = other
            continue
        near = [{p for p in tree if p[:n] == path[:n]} - kept for n in range(len(path))]
        alone = ({path}, *reversed(near))
        lost |= next((away for away in alone if asked.takes(less(tree, away))), {path})
    return asked.takes(less(tree, lost))


def under_other_keys(
    tree: dict[Any, Any], gone: frozenset[Any], asked: Asked, test: Any
) -> tuple[dict[Any, Any], frozenset[Any]]:
    """The tree with one entry, by a key that the filter names, for each map that is gone whole."""
    places = [(path, depth) for path in sorted(gone, key=str) for depth in range(len(path))]
    for (path, depth), named in itertools.product(places, ("up", "bias")):
        if path not in gone or not isinstance(path[depth], str):
            continue
        beside = {p for p in tree if p[:depth] == path[:depth]}
        entry = {p for p in beside if p[depth] == path[depth]}
        moved = {(*p[:depth], named, *p[depth + 1 :]): tree[p] for p in entry}
        alike = {p for p in beside if test(p, tree[p]) == test(path, tree[path])}
        if not alike <= gone or any(
            test(p, item) == test(path, tree[path]) for p, item in moved.items()
        ):
            continue
        other = {p: item for p, item in tree.items() if p not in beside} | moved
        if asked.takes(other):
            tree, gone = other, gone - beside
    return tree, gone


def less(tree: dict[Any, Any], away: set[Any]) -> dict[Any, Any]:
    return {path: item for path, item in tree.items() if path not in away}


def variants(real: Any) -> Iterator[Any]:
    """Other leaves that a schema takes at the same place."""
    if variables.is_variable(real):
        kind = variables.kind_of(real)
        more = (nnx.LoRAParam,) if kind is nnx.Param else ()
        for one in (kind, *more):
            yield leaf(one, variables.raw_value(real))
            yield leaf(one, variables.raw_value(real), tag="seen")


def accepts(hint: Any, value: Any) -> bool:
    verdict = bool(explain(value, hint))
    assert fits(value, hint) is verdict
    assert fits(value, hint) is verdict
    return verdict


@pytest.mark.parametrize("animal", ANIMALS, ids=lambda animal: animal.name)
def test_a_selection_accepts_what_flax_selects_and_no_other_selection(
    animal: zoo.Animal, states: dict[str, Any]
) -> None:
    """A selection is right where some state that the schema takes has it."""
    found, asked = states[animal.name], Asked(animal.schema)
    tree = dict(nnx.to_flat_state(found))
    selections = {paths_of(part): part for part in parts(found)}
    for name, filters in FILTERS.items():
        kept, rest = nnx.split_state(found, one_of(filters), ...)
        for form, value in ((Only, kept), (Rest, rest)):
            try:
                hint = form[(animal.schema, *filters)]
            except SchemaError:  # a form of nothing
                assert not nnx.to_flat_state(value)
                continue
            own = paths_of(value)
            assert accepts(hint, value), f"{form.__name__} {name}: {explain(value, hint)}"
            for other, part in neighbours(selections, own):
                answer, where = accepts(hint, part), (form.__name__, name, sorted(own - other))
                if not other <= own:
                    assert not answer, where
                elif name not in OPEN:
                    whole = may_lack(tree, own - other, other, asked, one_of(filters))
                    assert answer is whole, where


def neighbours(selections: dict[Any, Any], own: frozenset[Any]) -> Iterator[tuple[Any, Any]]:
    """The selections within one, and a few that have what it hasn't."""
    yield from ((other, part) for other, part in selections.items() if other <= own)
    strange = ((other, part) for other, part in selections.items() if not other <= own)
    yield from itertools.islice(strange, 3)


def parts(found: Any) -> list[Any]:
    """What each filter selects and leaves."""
    return [
        part
        for filters in FILTERS.values()
        for part in nnx.split_state(found, one_of(filters), ...)
    ]


@pytest.mark.parametrize("name", FILTERS)
def test_modules_are_filtered_alike(name: str, modules: dict[str, Any]) -> None:
    filters = FILTERS[name]
    for animal in ANIMALS:
        module = modules[animal.name]
        found = nnx.state(module, one_of(filters))
        try:
            hint = Only[(animal.schema, *filters)]
        except SchemaError:  # a form of nothing
            assert not nnx.to_flat_state(found)
            continue
        assert explain(found, hint), str(explain(found, hint))
        assert tree_signature.signature_of(
            animal.schema.of(module, *filters)
        ) == tree_signature.signature_of(found)


class MaybeState(TypedState):
    """Fields of which a filter may say yes or no."""

    kernel: nnx.Param[Float[Array, "d"]]
    exact: Exactly[nnx.Param[Float[Array, "d"]]]
    any: nnx.Variable[Float[Array, "d"]]
    either: nnx.Param[Float[Array, "d"]] | nnx.BatchStat[Float[Array, "d"]]
    table: StateMap[str, nnx.Param[Float[Array, "d"]]]


class Frozen(nnx.Param[Any]):
    """A kind of a user's own."""


@pytest.mark.parametrize("kind", [nnx.Param, nnx.LoRAParam, Frozen])
@pytest.mark.parametrize("other", [nnx.BatchStat, nnx.Param])
@pytest.mark.parametrize("free", [nnx.Cache, nnx.LoRAParam])
@pytest.mark.parametrize("filter_", [nnx.Param, nnx.LoRAParam, nnx.BatchStat, nnx.Cache, Frozen])
def test_of_maybe_fields_the_real_leaf_decides(
    kind: Any, other: Any, free: Any, filter_: Any
) -> None:
    ones = jnp.ones(2)
    found = state(
        {
            "kernel": kind(ones),
            "exact": nnx.Param(ones),
            "any": free(ones),
            "either": other(ones),
            "table": {"a": kind(ones), "b": nnx.Param(ones)},
        }
    )
    assert fits(found, MaybeState)
    kept, rest = nnx.split_state(found, filter_, ...)
    only, others = Only[MaybeState, filter_], Rest[MaybeState, filter_]
    assert accepts(only, kept)
    assert accepts(others, rest)
    if nnx.to_flat_state(kept):
        assert not accepts(others, found)
        assert not accepts(others, kept)
    if nnx.to_flat_state(rest):
        assert not accepts(only, found)
        assert not accepts(only, rest)


def test_a_wrong_leaf_of_a_selection_is_reported_as_ever() -> None:
    found = state({"up": {"kernel": nnx.Param(jnp.ones((2, 3)))}, "down": {}})
    kernels = nnx.PathContains("kernel")
    assert str(explain(found, Only[zoo.MlpState, kernels])) == (
        f"does not fit Only[MlpState, {kernels}]: 1 violation\n"
        '  down.kernel: missing, expected Param[Float[Array, "din dout"]] [missing]\n'
        "  dims: d=2 hidden=3"
    )
