"""`Flat`: leaves by path, by name, as pairs; checked, derived, shown."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
import pytest
from flax import nnx, traverse_util
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests.zoo import LinearState
from typedstate import (
    Abstract,
    Bind,
    Entries,
    Flat,
    Only,
    Pure,
    Same,
    SchemaError,
    Scoped,
    Stacked,
    StateMap,
    StateTypeError,
    TypedState,
    Values,
    abstract,
    checked,
    explain,
    fits,
    specs,
    to_source,
)


class NetState(TypedState):
    layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]
    ends: Entries[Bind[LinearState, "din=d dout=c"], None, Bind[LinearState, "din=c dout=d"]]


def linear(din: int, dout: int) -> Any:
    return {"kernel": nnx.Param(jnp.ones((din, dout))), "bias": nnx.Param(jnp.ones(dout))}


def net(d: int = 2) -> Any:
    return nnx.State(
        {"layers": {0: linear(d, d), 1: linear(d, d)}, "ends": {0: linear(d, 3), 2: linear(3, d)}}
    )


PURE = nnx.to_pure_dict(net())
PAIRS = nnx.to_flat_state(net())
NAMED = {"/".join(map(str, path)): leaf for path, leaf in PAIRS}

FITTING = [
    (Flat[NetState], PAIRS),
    (Flat[NetState], dict(PAIRS)),
    (Flat[NetState], list(PAIRS)),
    (Flat[NetState, "/"], NAMED),
    (Flat[NetState, Literal["/"]], NAMED),
    (Flat[NetState, "."], {key.replace("/", "."): leaf for key, leaf in NAMED.items()}),
    (Flat[Pure[NetState]], traverse_util.flatten_dict(PURE)),
    (Flat[Pure[NetState], "/"], {key: leaf[...] for key, leaf in NAMED.items()}),
    (Flat[Values[NetState]], traverse_util.flatten_dict(PURE)),
    (Flat[Only[NetState, nnx.Param], "/"], NAMED),
    (Flat[Abstract[NetState]], nnx.to_flat_state(jax.eval_shape(net))),
    (Flat[Stacked[NetState, "n"]], [(k, nnx.Param(v[...][None])) for k, v in PAIRS]),
    (Flat[StateMap[int, LinearState], "/"], {"0/kernel": nnx.Param(jnp.ones((2, 3)))}),
    (Flat[StateMap[str, LinearState], "/"], {"7/kernel": nnx.Param(jnp.ones((2, 3)))}),
    (Flat[StateMap[int, LinearState]], {}),
    (Bind[Flat[LinearState, "/"], "din=4"], {"kernel": nnx.Param(jnp.ones((4, 3)))}),
]


@pytest.mark.parametrize(("hint", "value"), FITTING, ids=lambda item: getattr(item, "__name__", ""))
def test_a_flat_tree_fits(hint: Any, value: Any) -> None:
    report = explain(value, hint)
    assert report, str(report)
    for _ in range(3):
        assert fits(value, hint)
        assert isinstance(value, hint)


def wrong(hint: Any, value: Any) -> list[str]:
    assert not fits(value, hint)
    return [line.strip() for line in str(explain(value, hint)).splitlines()[1:]]


def test_what_is_wrong_is_found_at_its_path() -> None:
    bad = {**NAMED, "ends/2/bias": nnx.Param(jnp.ones(5)), "ends/0/extra": nnx.Param(jnp.ones(5))}
    del bad["layers/1/kernel"]
    found = wrong(Flat[NetState, "/"], bad)
    assert found[:3] == [
        'layers[1].kernel: missing, expected Param[Float[Array, "din dout"]] [missing]',
        "ends[0].extra: not declared, found Param float32[5] [extra]",
        "ends[2].bias: dout is 5, but d=2 from layers[0].kernel, axis 0 [dim]",
    ]


@pytest.mark.parametrize(
    ("hint", "value", "line"),
    [
        (
            Flat[NetState],
            net(),
            "expected leaves by path, as nnx.to_flat_state has them, found a state with keys ",
        ),
        (
            Flat[NetState],
            NAMED,
            "(a joined name: Flat[..., '/'] takes those) [container]",
        ),
        (
            Flat[NetState, "/"],
            dict(PAIRS),
            "(a path: Flat[...] without a separator takes those) [container]",
        ),
        (
            Flat[Pure[NetState]],
            PURE,
            "(a nested tree: flax.traverse_util.flatten_dict makes it flat) [container]",
        ),
        (Flat[NetState, "/"], {**NAMED, "layers": 1}, "expected a leaf or a branch, not both"),
        (Flat[NetState, "/"], {"layers": 1, **NAMED}, "expected a leaf or a branch, not both"),
        (Flat[NetState], [*PAIRS, PAIRS[0]], "expected each path once"),
        (Flat[NetState], 3, "found int [container]"),
        (Flat[NetState], "ab", "found str [container]"),
        (Flat[Pure[NetState], "/"], NAMED, "a Variable where its value was meant"),
    ],
)
def test_what_is_no_flat_tree(hint: Any, value: Any, line: str) -> None:
    assert line in str(explain(value, hint))
    assert not fits(value, hint)


def test_a_leaf_that_is_a_dict_is_left_as_it_is() -> None:
    leaf = {"b": jnp.ones(2)}
    assert not explain({("a",): leaf, ("a", "c"): jnp.ones(2)}, Flat[Pure[NetState]])
    assert list(leaf) == ["b"]


def test_at_a_boundary() -> None:
    @checked
    def load(
        weights: Flat[Pure[LinearState], "/"], x: Float[Array, "din"]
    ) -> Scoped[Flat[LinearState], "out"]:
        return nnx.to_flat_state(nnx.State(linear(5, 6)))

    weights = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
    for _ in range(3):
        load(weights, jnp.ones(2))
        with pytest.raises(StateTypeError, match=r"din is 4, but din=2|din is 2, but din=4"):
            load(weights, jnp.ones(4))
    jax.eval_shape(load, weights, jnp.ones(2))

    @checked
    def pair(one: Same[Flat[LinearState], "T"], two: Same[Flat[LinearState], "T"]) -> None: ...

    first = nnx.to_flat_state(nnx.State(linear(2, 3)))
    pair(first, first)
    with pytest.raises(StateTypeError):
        pair(first, nnx.to_flat_state(nnx.State(linear(2, 4))))


def test_derived() -> None:
    made = abstract(Flat[LinearState], din=2, dout=3, dtype=jnp.float32, choices={"bias": True})
    assert isinstance(made, type(PAIRS))
    assert explain(made, Flat[Abstract[LinearState]])
    named = abstract(
        Flat[Pure[LinearState], "/"], din=2, dout=3, dtype=jnp.float32, choices={"bias": True}
    )
    assert sorted(named) == ["bias", "kernel"]
    assert named["kernel"] == jax.ShapeDtypeStruct((2, 3), jnp.float32)
    partitions = specs(Flat[NetState, "/"], like=NAMED)
    assert set(partitions) == set(NAMED)
    assert set(partitions.values()) == {P()}


def test_its_source_and_name() -> None:
    assert Flat[NetState, "/"].__name__ == "Flat[NetState, '/']"

    assert 'Flat[NetState, "/"]' in to_source(Flat[NetState, "/"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Flat[NetState, 1], 'Flat[NetState, 1]: give what joins the keys, e.g. "/"'),
        (lambda: Flat[NetState, ""], "Flat[NetState, '']: give what joins the keys, e.g. \"/\""),
        (lambda: Flat[nnx.Param], "Flat[Param, ...]: a form takes a schema, not a leaf"),
        (
            lambda: Pure[Flat[NetState, "/"]],
            "Pure[Flat[NetState, '/'], ...]: Flat goes outside; "
            "write Flat[Pure[NetState, ...], '/']",
        ),
    ],
)
def test_mistakes(make: Any, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        make()
    assert str(caught.value) == message
