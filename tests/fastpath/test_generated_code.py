"""Generated code is bounded, readable, and takes nothing else for an array."""

from __future__ import annotations

import gc
import linecache
import weakref
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from tests.fastpath.helpers import learn, learned, np_ones, raw, verdicts
from tests.zoo import LinearState, leaf, state
from typedstate import StateMap, TypedState, source_of
from typedstate._compat import variables
from typedstate._fastpath.judge import Known


def entries() -> set[str]:
    gc.collect()
    return {name for name in linecache.cache if name.startswith("<typedstate guards")}


def test_plans_are_bounded() -> None:
    class Wide(TypedState):
        table: StateMap[str, nnx.Param[Float[Array, "?n"]]]

    before = entries()
    for n in range(40):
        assert isinstance(state({"table": {str(i): nnx.Param(np_ones(2)) for i in range(n)}}), Wide)
    known: Known = Wide.__dict__["__typedstate_known__"]
    assert len(known.structures.sources()) == 16
    ours = entries() - before  # others may vanish meanwhile
    assert len(ours) == 17  # the first 16, and then at each power of two
    del known, Wide
    assert not entries() & ours


def test_generated_code_can_be_read() -> None:
    class Small(TypedState):
        kernel: nnx.Param[Float[Array, "n"]]

    assert source_of(Small) == ""
    assert isinstance(state({"kernel": nnx.Param(np_ones(3))}), Small)
    source = source_of(Small)
    assert source.startswith("def like0(v0, a0):")
    assert "numpy" not in source
    cached: list[Any] = list(linecache.cache.values())  # some are not read yet
    assert source in {"".join(entry[2]) for entry in cached if len(entry) == 4}


class Likeness:
    """Has an array's abstract value, shape and dtype, and is none."""

    def __init__(self, array: Any) -> None:
        self.aval, self.shape, self.dtype = array.aval, array.shape, array.dtype


def test_what_only_resembles_an_array_is_none() -> None:
    known = learned(LinearState, state({"kernel": nnx.Param(np_ones(2, 3))}))
    for other in (
        np_ones(2, 3),
        np.ones((2, 3), np.float32),
        Likeness(np_ones(2, 3)),
        jax.ShapeDtypeStruct((2, 3), "float32"),
    ):
        value = state({"kernel": leaf(nnx.Param, other)})
        is_array = isinstance(other, jax.Array)
        assert verdicts(known, LinearState, value) == (is_array, is_array)


def test_a_tracer_is_no_array_to_generated_code() -> None:
    concrete = state({"kernel": nnx.Param(np_ones(2, 3))})

    @jax.jit
    def traced(value: Any, again: Any) -> Any:
        known = learned(LinearState, value)
        assert known.accepts(again) is not None
        assert known.accepts(concrete) is None
        assert learn(known, LinearState, concrete)
        assert known.accepts(concrete) is not known.accepts(again)
        return value

    traced(concrete, concrete)


def test_like_siblings_share_code() -> None:
    def stack(depth: int) -> Any:
        layer = {"kernel": nnx.Param(np_ones(2, 2)), "bias": nnx.Param(np_ones(2))}
        return state({"layers": {i: dict(layer) for i in range(depth)}})

    class Deep(TypedState):
        layers: StateMap[int, LinearState]

    sizes = []
    for depth in (4, 400):
        sizes.append(len(learned(Deep, stack(depth)).structures.sources()[0]))
    assert sizes[0] == sizes[1] - len("400") + len("4")


def test_items_are_fetched_before_any_is_read() -> None:
    """Then the processor waits once for several that are not in its cache."""
    layer = {"kernel": nnx.Param(np_ones(2, 2)), "bias": nnx.Param(np_ones(2))}
    known = learned(StateMap[str, LinearState], state({name: dict(layer) for name in ("a", "b")}))
    lines = known.structures.sources()[0].split("def read")[0].splitlines()
    slot = "value" if variables.VariableState is not None else variables.RAW_SLOT
    fetched = [
        i for i, line in enumerate(lines) if line.rstrip().endswith(("'kernel']", "'bias']"))
    ]
    read = [i for i, line in enumerate(lines) if line.endswith(f".{slot}")]
    assert len(fetched) == len(read) == 4
    assert max(fetched) < min(read)


def test_the_locals_of_code_are_few_however_wide_the_tree_is() -> None:
    class Wide(TypedState, extra="allow"):
        pass

    values = {f"p{i}": nnx.Param(np_ones(1 + i % 7, 1 + i % 5)) for i in range(300)}
    known = learned(Wide, state(values))
    (plan,) = known.calls.latest.specializations
    assert plan.match.__code__.co_nlocals < 60  # type: ignore[attr-defined]


def test_code_grows_no_faster_than_the_tree() -> None:
    def wide(count: int) -> Any:
        """Layers with sizes of their own: none is like another."""
        sizes = ((i + 2, i + 3) for i in range(count))
        layers = {
            f"layer{i}": {"kernel": nnx.Param(np_ones(*size)), "bias": nnx.Param(np_ones(size[1]))}
            for i, size in enumerate(sizes)
        }
        return state({"layers": layers})

    class Wide(TypedState):
        layers: StateMap[str, LinearState]

    few, many = (len(learned(Wide, wide(count)).structures.sources()[0]) for count in (30, 120))
    assert many < 4.4 * few


def test_a_plan_keeps_no_array() -> None:
    value = state({"kernel": nnx.Param(np_ones(2, 3)), "bias": nnx.Param(np_ones(3))})
    array = weakref.ref(raw(value["kernel"]))
    known = learned(LinearState, value)
    del value
    gc.collect()
    assert array() is None
    assert known.structures.sources()


def test_the_classes_of_keys_are_asked_without_a_call() -> None:
    class Listed(TypedState):
        rows: StateMap[int, nnx.Param[Float[Array, "n"]]]

    def rows(key: Any) -> Any:
        return state({"rows": {0: nnx.Param(np_ones(2)), key: nnx.Param(np_ones(2))}})

    for tree in (rows(1), rows(1)):
        assert isinstance(tree, Listed)
    source = source_of(Listed)
    assert "{*map(type, v1)} != k_" in source
    assert "g_" not in source
    known = learned(Listed, rows(1))
    for key in (True, 1.0, np.int64(1)):  # equal to 1, and to a dict the same key
        recognised, accepted = verdicts(known, Listed, rows(key))
        assert not recognised
        assert isinstance(rows(key), Listed) is accepted
