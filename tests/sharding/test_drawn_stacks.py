"""Drawn trees of stacked layers: `shardings`, a real ``device_put`` and `Placed` agree.

Maps may be empty, have gaps or be absent; stacks lie at any axis, and their metadata has every
spelling that Flax makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.zoo import leaf, state
from tests.zoo.meshes import mesh_of
from typedstate import (
    Axis,
    Bind,
    Placed,
    Shardings,
    Stacked,
    StateMap,
    TypedState,
    check,
    explain,
    fits,
    shardings,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")
SHAPE = (8, 16)
#: Of a layer's two axes, over the mesh axes that a stack may not take as well.
NAMES = [(), ("fsdp",), (None, "fsdp"), ("fsdp", None), (None, None)]
OTHERS = [("fsdp", "tensor"), ("tensor", "fsdp"), (("fsdp", "tensor"),), (None, ("tensor", "fsdp"))]
MISSING = object()


@dataclass
class Stack:
    """A stacked axis: where, with which name, of which size."""

    index: int
    name: Any
    size: int

    @property
    def axis(self) -> Axis:
        return Axis(self.index) if self.name is MISSING else Axis(self.index, self.name)


@dataclass
class Drawn:
    """A schema with a tree that fits it, and what is known of every leaf.

    Attributes:
      hint: the schema.
      names: of a leaf, for every axis.
      spellings: that its metadata may have.
      shape: of a leaf.
    """

    hint: Any
    names: tuple[Any, ...]
    spellings: list[tuple[Any, ...]]
    shape: tuple[int, ...]

    def leaf(self, spelling: tuple[Any, ...], value: Any = None) -> Any:
        array = jnp.ones(self.shape) if value is None else value
        metadata = {"sharding": spelling, "eager_sharding": False} if spelling else {}
        return leaf(nnx.Param, array, **metadata)


def schema(fields: dict[str, Any], extra: Any = "forbid") -> Any:
    body = {"__module__": __name__, "__annotations__": fields}
    return type(TypedState)("DrawnState", (TypedState,), body, extra=extra)


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """One leaf ``w``, named in its schema, in no stack, one, or a stack of stacks."""
    count = draw(st.integers(0, 2))
    base = draw(st.sampled_from(NAMES if count else [*NAMES, *OTHERS]))
    hint = schema({"w": Annotated[nnx.Param[Float[Array, "m n"]], P(*base)]})
    names: list[Any] = [*base, *[None] * (2 - len(base))]
    spellings: list[list[Any]] = [[*names]]
    shape = [*SHAPE]
    free = {"tensor"}
    for number in range(count):
        choices: list[Any] = [MISSING, MISSING, None, *free]
        index, name = draw(st.integers(-1, len(shape))), draw(st.sampled_from(choices))
        stack = Stack(index, name, 8)  # which every mesh axis divides
        free -= {stack.name} if isinstance(stack.name, str) else set()
        at = stack.index if stack.index >= 0 else len(shape) + 1 + stack.index
        name = None if stack.name is MISSING else stack.name
        hint = Stacked[hint, f"L{number}", stack.axis]
        shape.insert(at, stack.size)
        names.insert(at, name)
        written = [[*one[:at], name, *one[at:]] for one in spellings]
        spellings = written + (spellings if stack.name is MISSING else [])
    return Drawn(hint, tuple(names), [_cut(one) for one in spellings], tuple(shape))


def _cut(names: list[Any]) -> tuple[Any, ...]:
    while names and names[-1] is None:
        names = names[:-1]
    return tuple(names)


def places(tree: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    """The leaves of a tree of states or dicts by path."""
    if isinstance(tree, nnx.State | dict):
        return {at: one for key in tree for at, one in places(tree[key], (*path, key)).items()}
    return {path: tree}


def array_of(found: Any) -> Any:
    return found.get_value() if hasattr(found, "get_value") else found.value


def moved(tree: Any, where: Any) -> Any:
    """The tree on the mesh by ``jax.device_put``."""
    return jax.device_put(tree, where)


def asserts_agreement(case: Drawn, tree: Any, hint: Any, there: Any) -> None:
    """`shardings`, ``device_put``, `Shardings` and `Placed` say the same of every leaf."""
    mesh = mesh_of()
    check(tree, hint)
    found = shardings(hint, mesh, like=tree)
    assert fits(found, Shardings[hint])
    wanted = NamedSharding(mesh, P(*case.names))
    for path, one in places(found).items():
        one = array_of(one) if hasattr(one, "get_value") else one
        assert one.is_equivalent_to(wanted, len(case.shape)), (path, one, wanted)
    put = moved(tree, found)
    report = explain(put, Placed[hint])
    assert report, report
    assert not report.unknown
    for one in places(put).values():
        assert array_of(one).sharding.is_equivalent_to(wanted, len(case.shape))
    if not places(put):
        return
    for spec in (P(*there), P()):
        astray = NamedSharding(mesh, spec)
        real = moved(tree, astray)
        said = explain(real, Placed[hint])
        assert bool(said) is astray.is_equivalent_to(wanted, len(case.shape)), (said, spec)
        if not said:
            assert {one.code for one in said.violations} == {"sharding"}
            assert {one.keys for one in said.violations} == set(places(put))


@settings(max_examples=80)
@given(drawn(), st.data())
def test_shardings_device_put_and_placed_agree(case: Drawn, data: st.DataObject) -> None:
    spelling = data.draw(st.sampled_from(case.spellings))
    there = data.draw(st.permutations(case.names))
    asserts_agreement(case, state({"w": case.leaf(spelling)}), case.hint, there)


@settings(max_examples=50)
@given(drawn(), st.integers(0, 3), st.booleans(), st.data())
def test_maps_of_stacks(case: Drawn, count: int, counted: bool, data: st.DataObject) -> None:
    """Maps with as many entries as a dim says, keys with numbers, or without a count."""
    spelling = st.sampled_from(case.spellings)
    entries = {n: {"w": case.leaf(data.draw(spelling))} for n in range(count)}
    length = "len=depth" if counted else "len=d"
    layers = Bind[StateMap[int, case.hint], length]
    fields = {"head": nnx.Param[Float[Array, "depth"]], "layers": layers}
    hint = schema(fields, {f"x_{{{length}}}": case.hint})
    only = schema({"layers": layers})
    numbered = {f"x_{n}": entry for n, entry in entries.items()}
    head = {"head": leaf(nnx.Param, jnp.ones(count))}
    tree = state({**head, "layers": entries, **numbered})
    assert explain(tree, hint), explain(tree, hint)
    without = state({**head, **({"layers": entries} if entries else {}), **numbered})
    # absent, it is right only where the dim that counts it is bound to 0
    assert bool(explain(without, hint)) is (count > 0 or counted)
    longer = state({"head": leaf(nnx.Param, jnp.ones(count + 1)), "layers": entries, **numbered})
    assert bool(explain(longer, hint)) is not counted
    if count:
        there = data.draw(st.permutations(case.names))
        asserts_agreement(case, state({"layers": entries}), only, there)
    if count > 1:
        gap = data.draw(st.integers(0, count - 2))
        less = {n: entry for n, entry in entries.items() if n != gap}
        said = explain(state({**head, "layers": less, **numbered}), hint)
        assert [(one.code, one.keys) for one in said.violations] == [("missing", ("layers", gap))]
        del numbered[f"x_{gap}"]
        said = explain(state({**head, "layers": entries, **numbered}), hint)
        assert [(one.code, one.keys) for one in said.violations] == [("missing", (f"x_{gap}",))]


@settings(max_examples=20)
@given(
    st.sampled_from([*NAMES, *OTHERS]),
    st.sampled_from(["absent", "none", "named"]),
    st.integers(0, 2),
)
def test_stacks_that_flax_makes(base: Any, way: str, index: int) -> None:
    """``nnx.vmap`` with and without ``PARTITION_NAME``, of which None is a name as well."""
    named = way == "named" and "tensor" not in str(base)
    transform: Any = {} if way == "absent" else {nnx.PARTITION_NAME: "tensor" if named else None}

    @nnx.split_rngs(splits=8)
    @nnx.vmap(in_axes=0, out_axes=index, axis_size=8, transform_metadata=transform)
    def make(rngs: nnx.Rngs) -> nnx.Linear:
        init: Any = nnx.initializers.lecun_normal()
        names = (*base, *[None] * (2 - len(base)))
        if base:
            init = nnx.with_partitioning(init, names, eager_sharding=False)
        return nnx.Linear(8, 16, use_bias=False, kernel_init=init, rngs=rngs)

    stacked = nnx.state(make(nnx.Rngs(0)), nnx.Param)
    layer = schema({"kernel": Annotated[nnx.Param[Float[Array, "m n"]], P(*base)]})
    axis = Axis(index, "tensor") if named else Axis(index)
    names: list[Any] = [*base, *[None] * (2 - len(base))]
    names.insert(index, "tensor" if named else None)
    shape = [8, 16]
    shape.insert(index, 8)
    case = Drawn(None, tuple(names), [], tuple(shape))
    if named and not base:  # Flax names no axis of an array without names
        return
    asserts_agreement(case, stacked, Stacked[layer, "L", axis], names[::-1])
