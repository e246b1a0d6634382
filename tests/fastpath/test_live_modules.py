"""Live modules on the fast path: what it recognises, the walk accepts.

Each case changes a module in one way; whatever the generated code then says, ``S`` decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import LinearState, data, list_of
from typedstate import Bind, Shared, StateMap, StateOf, StateTypeError, TypedState, checked, explain
from typedstate._annotations.spec_of import spec_of
from typedstate._compat.module_layout import layout_of
from typedstate._fastpath.judge import Known
from typedstate._validation.walk import Walk


class NetState(TypedState):
    blocks: StateMap[int, Bind[LinearState, "din=d dout=d"]]
    head: Bind[LinearState, "din=d dout=classes"]
    scale: Float[Array, ""] | None
    late: nnx.Param[Float[Array, "d"]] | None


class Net(nnx.Module):
    def __init__(self, count: int = 4, d: int = 4) -> None:
        rngs = nnx.Rngs(0)
        self.blocks = list_of([nnx.Linear(d, d, rngs=rngs) for _ in range(count)])
        self.head = nnx.Linear(d, 3, rngs=rngs)
        self.scale = data(jnp.ones(()))
        self.name = "net"


def learned(hint: Any, module: Any) -> Known:
    walk = Walk()
    walk.visit(module, spec_of(Annotated[type(module), hint]))
    report = walk.report("")
    assert report, report
    known = Known()
    assert known.learn(module, walk, report) is not None
    assert known.accepts(module) is not None
    return known


def tie(net: Net) -> None:
    net.blocks[1] = net.blocks[0]


def tie_variables(net: Net) -> None:
    net.blocks[2].kernel = net.blocks[1].kernel


def swap(net: Net) -> None:
    net.blocks[0], net.head = net.head, net.blocks[0]


def drop_bias(net: Net) -> None:
    net.blocks[3].bias = None


def other_kind(net: Net) -> None:
    net.head.kernel = nnx.BatchStat(jnp.ones((4, 3)))


def other_shape(net: Net) -> None:
    net.blocks[2].kernel = nnx.Param(jnp.ones((4, 5)))


def other_dtype(net: Net) -> None:
    net.head.bias = nnx.Param(jnp.ones(3, int))


def one_more(net: Net) -> None:
    net.late = nnx.Param(jnp.ones(4))


def one_more_wrong(net: Net) -> None:
    net.late = nnx.Param(jnp.ones(9))


def unknown(net: Net) -> None:
    net.blocks[0].strange = nnx.Param(jnp.ones(4))


def static(net: Net) -> None:
    net.name = "other"


def no_scale(net: Net) -> None:
    del net.scale


def longer(net: Net) -> None:
    net.blocks.append(nnx.Linear(4, 4, rngs=nnx.Rngs(1)))


def function_in_list(net: Net) -> None:
    net.blocks[1] = jnp.tanh


CHANGES: list[Callable[[Net], None]] = [
    *(tie, tie_variables, swap, drop_bias, other_kind, other_shape, other_dtype, one_more),
    *(one_more_wrong, unknown, static, no_scale, longer, function_in_list),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("back", [False, True])
def test_the_fast_path_accepts_what_the_state_allows(
    change: Callable[[Net], None], back: bool
) -> None:
    net, changed = Net(), Net()
    try:
        change(changed)
    except (ValueError, TypeError, AttributeError) as error:
        pytest.skip(f"Flax refuses: {error}")
    first, second = (changed, net) if back else (net, changed)
    if not explain(nnx.state(first), NetState):
        pytest.skip("nothing to learn from")
    known = learned(NetState, first)
    accepts = bool(explain(nnx.state(second), NetState))
    assert bool(explain(second, Annotated[Net, NetState])) is accepts
    assert accepts or known.accepts(second) is None


def test_what_is_no_part_of_the_state_may_differ() -> None:
    known, other = learned(NetState, Net()), Net()
    assert known.accepts(other) is not None
    static(other)
    assert known.accepts(other) is not None


def test_other_sizes_of_a_module_follow_the_law() -> None:
    known = learned(NetState, Net())
    assert known.accepts(Net(d=6)) is not None
    wrong = Net(d=6)
    other_shape(wrong)
    assert known.accepts(wrong) is None


class TiedState(TypedState):
    first: LinearState
    second: Annotated[LinearState, Shared("first")] | None


class Pair(nnx.Module):
    def __init__(self, tied: bool) -> None:
        self.first = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
        self.second = self.first if tied else nnx.Linear(2, 2, rngs=nnx.Rngs(1))


class PairState(TypedState):
    first: LinearState
    second: LinearState | None


def test_sharing_is_part_of_what_is_recognised() -> None:
    tied, free = Pair(tied=True), Pair(tied=False)
    for one, other in ((tied, free), (free, tied)):
        known = learned(PairState, one)
        assert known.accepts(other) is None
        assert known.accepts(Pair(one is tied)) is not None


@dataclass
class Range:
    low: Float[Array, "n"]
    high: Float[Array, "n"]


class RangesState(TypedState):
    first: Range
    second: Range


class Ranges(nnx.Module):
    def __init__(self, *shapes: int) -> None:
        first, second, third, fourth = map(jnp.ones, shapes)
        self.first, self.second = data(Range(first, second)), data(Range(third, fourth))


@pytest.mark.skipif(not hasattr(nnx, "data"), reason="a leaf of any class is new in this Flax")
def test_records_beside_each_other_are_kept_apart() -> None:
    if not nnx.to_flat_state(nnx.state(Ranges(2, 2, 2, 2))):
        pytest.skip("up to Flax 0.11 a state has no leaf of any class")
    known = learned(RangesState, Ranges(2, 2, 2, 2))
    assert known.accepts(Ranges(3, 3, 3, 3)) is not None
    for shapes in ((3, 2, 2, 2), (2, 3, 2, 2), (2, 2, 3, 2), (2, 2, 2, 3), (2, 2, 3, 3)):
        assert known.accepts(Ranges(*shapes)) is None


def test_an_optimizer_holds_pytrees() -> None:
    model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))

    def optimizer(tx: Any) -> Any:
        return nnx.Optimizer(model, tx, wrt=nnx.Param)

    hint = StateOf[Any]
    known = learned(hint, optimizer(optax.adamw(1e-3)))
    assert known.accepts(optimizer(optax.adamw(1e-2))) is not None
    assert known.accepts(optimizer(optax.sgd(1e-2))) is None


def test_modules_at_any_depth_of_a_boundary() -> None:
    @checked
    def run(nets: list[Annotated[Net, NetState]], one: Annotated[Net, NetState] | None) -> int:
        return len(nets)

    wrong = Net()
    other_kind(wrong)
    for _ in range(2):
        assert run([Net(), Net()], None) == 2
        assert run([Net()], Net()) == 1
        for nets, one in (([Net(), wrong], None), ([Net()], wrong)):
            with pytest.raises(TypeError):
                run(nets, one)


def test_modules_under_a_transform() -> None:
    calls = 0

    @checked
    def run(net: Annotated[Net, NetState], x: Float[Array, "b d"]) -> Float[Array, "b d"]:
        nonlocal calls
        calls += 1
        return net.blocks[0](x)

    for d in (4, 4, 5):
        nnx.jit(run)(Net(d=d), jnp.ones((2, d)))
    with pytest.raises(TypeError):
        nnx.jit(run)(Net(d=4), jnp.ones((2, 5)))
    assert calls >= 2


def test_the_layout_of_what_flax_reads() -> None:
    net = Net()
    layout = layout_of(net)
    assert layout.kind == "attributes"
    found = {child.key: child.role for child in layout.children if child.role != "ignored"}
    assert {"blocks": "node", "head": "node", "scale": "leaf"}.items() <= found.items()
    assert layout_of({"a": jnp.ones(1)}).kind == "items"
    assert layout_of(nnx.state(net)).kind == "mapping"
    assert layout_of(optax.EmptyState()).children == ()
    assert layout_of(jax.tree_util.Partial(jnp.sum, 1)).kind == "flatten"


def test_a_declared_share_is_asked_of_every_module() -> None:
    @checked
    def use(model: Annotated[Pair, TiedState]) -> None: ...

    for _ in range(2):  # the second time from a plan
        use(Pair(tied=True))
    for _ in range(2):
        with pytest.raises(StateTypeError) as error:
            use(Pair(tied=False))
        assert error.value.report is not None
        found = [(item.path, item.code) for item in error.value.report.violations]
        assert found == [("model.second", "extra")]
