"""`MemoryKind`: arrays that lie in another memory of their devices, as offloaded moments do."""

from __future__ import annotations

import re
from typing import Annotated, Any, cast

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.sharding.helpers import set_mesh
from tests.zoo import LinearState, as_dict
from tests.zoo.sharded_transformer import value_of
from typedstate import (
    Abstract,
    Bind,
    Like,
    MemoryKind,
    Only,
    Placed,
    SchemaDocument,
    SchemaError,
    Sharded,
    Shardings,
    TypedState,
    abstract,
    checked,
    diff,
    explain,
    fits,
    infer,
    shardings,
    show,
    to_source,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")
KINDS = {memory.kind for memory in cast(Any, jax.devices()[0]).addressable_memories()}
USUAL = cast(Any, jax.devices()[0]).default_memory().kind
#: A kind of memory that this JAX's CPU has besides its usual one.
OTHER: str = next((kind for kind in ("pinned_host", "device") if kind in KINDS - {USUAL}), "")
needs_memories = pytest.mark.skipif(
    not OTHER or not hasattr(nnx.Param, "set_metadata"),
    reason="this JAX's CPU has one memory, or Flax 0.11 keeps axis names otherwise",
)


class KernelState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "a b"]], P("x", None)]
    bias: MemoryKind[nnx.Param[Float[Array, "b"]], OTHER or "pinned_host"]
    raw: MemoryKind[Float[Array, "b"], OTHER or "pinned_host"] | None


Offloaded: Any = MemoryKind[KernelState, OTHER or "pinned_host"]


def mesh_of() -> jax.sharding.Mesh:
    return jax.make_mesh((4, 2), ("x", "y"))


def tree_in(kind: str, bias_kind: str | None = None) -> Any:
    def put(value: Any, spec: P, memory: str) -> Any:
        at = NamedSharding(mesh_of(), spec, memory_kind=memory)
        return nnx.Param(jax.device_put(value, at))

    kernel = put(jnp.ones((4, 3)), P("x", None), kind)
    kernel.set_metadata(out_sharding=("x", None))
    return nnx.State({"kernel": kernel, "bias": put(jnp.ones(3), P(), bias_kind or kind)})


def lines(report: Any) -> list[str]:
    return [str(item) for item in report.violations]


@needs_memories
def test_placed_compares_the_memory() -> None:
    good, usual, mixed = tree_in(OTHER), tree_in(USUAL), tree_in(USUAL, OTHER)
    wrong = f"expected memory kind '{OTHER}', found memory kind '{USUAL}' [sharding]"
    for _ in range(3):
        assert fits(good, Placed[Offloaded])
        assert lines(explain(usual, Placed[Offloaded])) == [f"kernel: {wrong}", f"bias: {wrong}"]
        assert fits(mixed, Placed[KernelState])
        assert fits(good, Placed[KernelState])
        assert lines(explain(usual, Placed[KernelState])) == [f"bias: {wrong}"]
        assert fits(usual, Offloaded)  # without Placed no array is asked where it is


@needs_memories
def test_a_structure_that_was_accepted_is_asked_again() -> None:
    @checked
    def step(state: Placed[Offloaded]) -> None: ...

    for _ in range(4):
        step(tree_in(OTHER))
        with pytest.raises(TypeError, match="memory kind"):
            step(tree_in(USUAL))


@needs_memories
def test_derived_shardings_put_arrays_there() -> None:
    tree = shardings(Offloaded, mesh_of(), a=4, b=3, choices={"raw": False})
    assert {leaf.memory_kind for leaf in jax.tree.leaves(tree)} == {OTHER}
    moved = jax.device_put(tree_in(USUAL), tree)
    assert fits(moved, Placed[Offloaded])
    assert fits(tree, Shardings[Offloaded])
    usual = shardings(Only[KernelState, nnx.PathContains("kernel")], mesh_of(), a=4, b=3)
    assert lines(explain(usual, Shardings[Only[Offloaded, nnx.PathContains("kernel")]])) == [
        f"kernel: expected memory kind '{OTHER}', found memory kind '{USUAL}' [sharding]"
    ]
    made: Any = abstract(
        Offloaded, mesh=mesh_of(), dtype=jnp.float32, a=4, b=3, choices={"raw": False}
    )
    assert value_of(made["kernel"]).sharding.memory_kind == OTHER
    assert fits(made, Placed[Abstract[Offloaded]])


@needs_memories
def test_a_kind_that_the_devices_do_not_have() -> None:
    with pytest.raises(SchemaError, match="Got memory kind: nowhere"):
        shardings(MemoryKind[KernelState, "nowhere"], mesh_of(), a=4, b=3, choices={"raw": False})


@needs_memories
def test_a_trace_shows_the_space_or_says_that_it_does_not() -> None:
    seen: list[Any] = []

    @jax.jit
    def look(state: Any) -> Any:
        seen.append(explain(state, Placed[MemoryKind[nnx.State[Any, Any], OTHER]]))
        seen.append(explain(state, Placed[Offloaded]))
        return jnp.zeros(())

    with set_mesh(mesh_of()):
        look(tree_in(OTHER))
        look(tree_in(USUAL))
    shows = hasattr(jax.typeof(jnp.ones(1)), "memory_space") if hasattr(jax, "typeof") else False
    assert seen[1], seen[1]
    if shows and OTHER == "pinned_host":
        assert lines(seen[3]) == [
            f"{key}: expected memory kind 'pinned_host', found memory kind 'device' [sharding]"
            for key in ("kernel", "bias")
        ]
    else:
        assert seen[3], seen[3]


def test_a_numpy_array_lies_in_no_memory_of_a_device() -> None:
    class HeldState(TypedState):
        kernel: MemoryKind[nnx.Param, "pinned_host"]

    tree = nnx.State({"kernel": nnx.Param(jax.device_get(jnp.ones(3)))})
    assert lines(explain(tree, Placed[HeldState])) == [
        "kernel: expected memory kind 'pinned_host', found a numpy array [sharding]"
    ]


@needs_memories
def test_moments_are_offloaded_as_a_whole() -> None:
    hint: Any = MemoryKind[Like[Bind[LinearState, "din dout"], nnx.optimizer.OptVariable], OTHER]
    model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.scale_by_adam(), wrt=nnx.Param)
    usual: Any = nnx.State(as_dict(nnx.state(optimizer)["opt_state"])["mu"])
    offloaded = jax.device_put(usual, NamedSharding(mesh_of(), P(), memory_kind=OTHER))
    for _ in range(3):
        assert fits(usual, hint)
        assert fits(offloaded, Placed[hint])
        assert lines(explain(usual, Placed[hint])) == [
            f"{key}: expected memory kind '{OTHER}', found memory kind '{USUAL}' [sharding]"
            for key in ("kernel", "bias")
        ]


def test_its_own_kind_stays() -> None:
    outer: Any = MemoryKind[MemoryKind[LinearState, "pinned_host"], "device"]
    assert str(show(outer)).count("in pinned_host") == 2


def test_it_stands_beside_other_placements() -> None:
    hint: Any = MemoryKind[Sharded[LinearState, "din=x"], "pinned_host"]
    assert "P('x', None) in pinned_host" in str(show(hint))


def test_what_is_no_kind() -> None:
    with pytest.raises(SchemaError, match=r"^MemoryKind\[LinearState, 3\]: write a kind of memory"):
        cast(Any, MemoryKind)[LinearState, 3]
    with pytest.raises(
        SchemaError, match=r"^MemoryKind\[LinearState, ''\]: write a kind of memory"
    ):
        cast(Any, MemoryKind)[LinearState, ""]
    text = (
        r"^MemoryKind\[Shardings\[LinearState\], 'device'\]: Shardings\[LinearState\] has no arrays"
    )
    with pytest.raises(SchemaError, match=text):
        cast(Any, MemoryKind)[Shardings[LinearState], "device"]


def test_it_is_drawn() -> None:
    class HostState(TypedState):
        kernel: MemoryKind[Annotated[nnx.Param[Float[Array, "a b"]], P("x", None)], "pinned_host"]
        raw: MemoryKind[Float[Array, "b"], "pinned_host"]

    assert str(show(HostState)) == (
        "HostState: 2 leaves\n"
        "├─ kernel: Param[Float[Array, \"a b\"]] P('x') in pinned_host\n"
        '└─ raw: Float[Array, "b"] in pinned_host'
    )


def test_it_has_a_source_and_a_document() -> None:
    class HostState(TypedState):
        kernel: MemoryKind[Annotated[nnx.Param[Float[Array, "a b"]], P("x", None)], "pinned_host"]
        raw: MemoryKind[Float[Array, "b"], "pinned_host"] | None

    whole: Any = MemoryKind[LinearState, "pinned_host"]
    for hint in (HostState, whole, Shardings[HostState], Placed[whole]):
        document = SchemaDocument.of(hint)
        again: Any = SchemaDocument.from_json(document.to_json()).to_schema()
        assert str(show(again)) == str(show(hint))
        assert diff(hint, again).changes == diff(again, hint).changes == ()
    source = to_source(HostState)
    assert (
        '    kernel: MemoryKind[Annotated[nnx.Param[Float[Array, "a b"]], P("x")], "pinned_host"]\n'
        '    raw: MemoryKind[Float[Array, "b"], "pinned_host"] | None\n'
    ) in re.sub(r"\(\s+|\s+\)", "", source)
    found: dict[str, Any] = {}
    exec(source, found)
    assert str(show(found["HostState"])) == str(show(HostState))
    assert 'MemoryKind[LinearState, "pinned_host"]' in to_source(whole)


@needs_memories
def test_infer_writes_the_memory_that_is_not_usual() -> None:
    hint = infer(tree_in(USUAL, OTHER))
    source = to_source(hint)
    assert f'    bias: MemoryKind[nnx.Param[Float[Array, "dout"]], "{OTHER}"]' in source
    assert f'"{USUAL}"' not in source
    assert fits(tree_in(USUAL, OTHER), Placed[hint])
    assert not fits(tree_in(USUAL), Placed[hint])


def test_a_change_of_memory_is_a_difference() -> None:
    device: Any = MemoryKind[LinearState, "device"]
    host: Any = MemoryKind[LinearState, "pinned_host"]
    assert [str(change) for change in diff(device, host).changes] == [
        f"~ {key}: sharding was memory kind 'device', is memory kind 'pinned_host' [may break]"
        for key in ("kernel", "bias")
    ]
