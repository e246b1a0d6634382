"""Modules that are drawn: what is inferred of them takes them, comes back, and refuses others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from tests import zoo
from tests.inference.inferred import conv, linear
from tests.zoo.published import DenseBlock
from typedstate import SchemaDocument, diff, explain, infer, to_source
from typedstate.inference.stale import stale

draws = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SIZES = st.sampled_from([2, 3, 4, 6])
NAMES = ["layers_{}", "norm_{}", "block{}", "b{}_mix", "b{}_out", "w_{}", "x"]


@dataclasses.dataclass(frozen=True)
class Part:
    """Attributes of one module.

    Attributes:
      name: of each, with braces for its number.
      make: makes one by its number.
      count: how many there are.
      gap: a number that is left out; below 0 for none.
    """

    name: str
    make: Callable[[int], Any]
    count: int
    gap: int = -1


class Drawn(nnx.Module):
    """Attributes that a loop sets."""

    def __init__(self, parts: list[Part], more: int = 0) -> None:
        for part in parts:
            numbers = range(part.count + (more if part.count > 1 else 0))
            for index in numbers:
                if index != part.gap:
                    setattr(self, part.name.format(index), part.make(index))


class Other(Drawn):
    """Another class of the same kind, within one."""


@st.composite
def makers(draw: st.DrawFn, depth: int) -> Callable[[int], Any]:
    """Makes an attribute; of another size by its number, perhaps."""
    size, step, rank = draw(SIZES), draw(st.sampled_from([0, 0, 0, 1])), draw(st.integers(0, 2))
    bias = draw(st.booleans())
    window = draw(st.lists(st.sampled_from([1, 3]), min_size=rank, max_size=rank))
    match draw(st.integers(0, 7 if depth else 6)):
        case 0:
            return lambda index: linear(size, size + step * index, use_bias=bias)
        case 1:
            return lambda index: conv(size, size + step * index, tuple(window) or (3,))
        case 2:
            return lambda index: DenseBlock(size, 2 * size + step * index, nnx.Rngs(0))
        case 3:
            return lambda index: nnx.Param(jnp.ones((size + step * index, *window)))
        case 4:
            return lambda index: nnx.LayerNorm(size, use_bias=bias and index > 0, rngs=nnx.Rngs(0))
        case 5:
            options: Any = [lambda: linear(size, size), lambda: conv(size, size), lambda: None]
            return lambda index: options[(index * step) % 3]()
        case 6:
            return lambda index: nnx.Sequential(linear(size, 4), nnx.relu, linear(4, size + step))
        case _:
            parts = draw(recipes(depth - 1))
            return lambda index: Other(parts, step * index)


@st.composite
def recipes(draw: st.DrawFn, depth: int = 2) -> list[Part]:
    """The attributes of a module."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    return [
        Part(
            name,
            draw(makers(depth)),
            1 if name == "x" else draw(st.integers(1, 4)),
            draw(st.sampled_from([-1, -1, -1, 0, 1])),
        )
        for name in names
    ]


def imported(source: str) -> Any:
    names: dict[str, Any] = {"__name__": "written"}
    exec(compile(source, "<written>", "exec"), names)
    return list(names.values())[-1]


def grown(state: Any, index: int, axis: int) -> Any:
    """A state in which one array is longer along one axis; None where it has no axes."""
    leaves, treedef = jax.tree.flatten(state)
    place = index % len(leaves)
    shape = list(leaves[place].shape)
    if not shape:
        return None
    shape[axis % len(shape)] += 1
    leaves[place] = jnp.zeros(shape, leaves[place].dtype)
    return jax.tree.unflatten(treedef, leaves)


@given(recipes(), st.booleans(), st.integers(0, 50), st.integers(0, 5))
@draws
def test_from_a_module_to_its_schema_its_source_its_document_and_back(
    parts: list[Part], fix: bool, index: int, axis: int
) -> None:
    state = nnx.state(Drawn(parts))
    schema = infer(Drawn(parts), fix=fix)
    source = to_source(schema)
    document = SchemaDocument.from_json(SchemaDocument.of(schema).to_json())
    hints = (schema, imported(source), document.to_schema())
    assert all(explain(state, hint) == explain(state, schema) for hint in hints)
    assert all(diff(schema, hint).exit_status == 0 for hint in hints), source
    assert explain(state, schema), source
    assert stale(source, schema) == ""
    assert to_source(hints[1]) == "".join(
        line for line in source.splitlines(keepends=True) if not line.startswith("#")
    )
    broken = grown(state, index, axis) if jax.tree.leaves(state) else None
    if broken is not None:
        refused = {bool(explain(broken, hint)) for hint in hints}
        assert refused == {False} if fix else len(refused) == 1, source


@given(recipes(), st.integers(0, 2))
@draws
def test_of_two_examples_both_fit_and_others_by_the_dims(parts: list[Part], more: int) -> None:
    schema = infer(Drawn(parts), Drawn(parts, more))
    assert explain(nnx.state(Drawn(parts)), schema), to_source(schema)
    assert explain(nnx.state(Drawn(parts, more)), schema), to_source(schema)
    read = imported(to_source(schema))
    assert explain(nnx.state(Drawn(parts, more)), read)


@given(recipes(1), st.data())
@draws
def test_a_key_less_and_one_more_are_refused_where_all_is_fixed(
    parts: list[Part], data: st.DataObject
) -> None:
    state = zoo.as_dict(nnx.state(Drawn(parts)))
    schema = infer(Drawn(parts), fix=True)
    if not state:
        return
    key = data.draw(st.sampled_from(sorted(state)))
    part = data.draw(st.sampled_from(parts))
    more = part.name.format(part.count)
    if more not in state and part.name != "x":
        assert not explain(nnx.State({**state, more: state[key]}), schema), to_source(schema)
    may_lack = infer({key: state.pop(key)}, fix=True)
    if not explain(nnx.State({}), may_lack):
        assert not explain(nnx.State(state), schema), to_source(schema)
