"""Schemas of the catalogue without a `Bind`: a warning on request, and in ``infer --check``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from flax import nnx

from tests.zoo.published import GPT, abstract
from typedstate import (
    Bind,
    Having,
    Only,
    Scoped,
    StateMap,
    TypedState,
    UnlinkedDimsWarning,
    infer,
    to_source,
)
from typedstate.inference.unlinked import unlinked
from typedstate.layers import DropoutState, EmbedState, LinearState, RngStreamState

LINEAR = (
    "the dims din, dout of LinearState link to nothing: write "
    'Bind[LinearState, "din=... dout=..."], with names of the class around it'
)


def declared(extra: Any = "forbid", **fields: Any) -> list[str]:
    """What is said of such a schema, by field."""
    body = {"__module__": __name__, "__annotations__": fields}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnlinkedDimsWarning)
        type(TypedState)("Net", (TypedState,), body, extra=extra)
    assert all(item.filename == str(Path(__file__)) for item in caught)
    return [str(item.message) for item in caught]


@pytest.mark.parametrize(
    "hint",
    [
        LinearState,
        LinearState | None,
        StateMap[int, LinearState],
        Having[LinearState, "bias"],
        Only[LinearState, nnx.Param],
    ],
)
def test_a_field_without_a_bind_is_named_with_its_dims(hint: Any) -> None:
    assert declared(head=hint, other=Bind[LinearState, "din=d"]) == [f"Net.head: {LINEAR}"]


def test_what_is_linked_kept_apart_or_has_no_dims_is_not() -> None:
    assert declared(
        up=Bind[LinearState, "din=d"],
        apart=Scoped[LinearState, "apart"],
        dropout=DropoutState,
        stream=RngStreamState,
        down=Bind[StateMap[int, Bind[LinearState, "dout=d"]], "len=n"],
    ) == []  # fmt: skip


def test_what_has_nothing_beside_it_is_not() -> None:
    assert declared(head=LinearState, dropout=DropoutState) == []
    assert declared(head=LinearState, embed=EmbedState) == [
        f"Net.head: {LINEAR}",
        "Net.embed: the dims vocab, features of EmbedState link to nothing: write "
        'Bind[EmbedState, "vocab=... features=..."], with names of the class around it',
    ]


def test_what_stands_under_a_pattern_is_named_by_the_pattern() -> None:
    other = Bind[LinearState, "din=d"]
    assert declared({"layers_{len=n}": LinearState}, head=other) == [
        f"Net.layers_{{}}: {LINEAR}",
    ]
    assert declared({"layers_{}": Bind[LinearState, "dout=d"]}, head=other) == []


def test_nobody_is_told_who_did_not_ask() -> None:
    body = {"__module__": __name__, "__annotations__": {"a": LinearState, "b": LinearState}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        type(TypedState)("Net", (TypedState,), body)
        warnings.simplefilter("ignore", UnlinkedDimsWarning)
        type(TypedState)("Net", (TypedState,), body)


def test_a_source_that_lost_a_bind_is_told_by_line() -> None:
    fresh = to_source(infer(abstract(GPT)))
    assert unlinked(fresh, fresh, path="states.py") == []
    whole = next(line for line in fresh.splitlines() if "Bind[LayerNormState" in line)
    field = whole.split(":")[0].strip()
    text = fresh.replace(whole, f"    {field}: LayerNormState")
    line = text.splitlines().index(f"    {field}: LayerNormState") + 1
    [said] = unlinked(text, fresh, path="states.py")
    assert said.startswith(f"states.py:{line}: ")
    assert said.endswith(
        f".{field}: the dim features of LayerNormState links to nothing: write "
        'Bind[LayerNormState, "features=..."], with names of the class around it'
    )


SPELLINGS = """
import typedstate.layers
import typedstate.layers as catalogue
from typedstate import Bind, layers, StateMap, TypedState
from typedstate.layers import LinearState as Linear

class Net(TypedState):
    a: Linear
    b: "catalogue.LinearState | None"
    c: StateMap[int, layers.LinearState]
    d: typedstate.layers.LinearState
    e: Bind[Linear, "din=d"]
    f: layers.OptimizerState[layers.AdamState[Linear]]
    g: layers.DropoutState
    h: int

class Tower(TypedState, extra={"layers_{len=n}": Linear, "b_{}": Bind[Linear, "din=d"]}):
    i: int
"""


def test_a_name_of_the_catalogue_is_known_however_it_is_imported() -> None:
    found = unlinked(SPELLINGS, "", path="s.py")
    fields = [line.split(": ")[1] for line in found]
    assert fields == ["Net.a", "Net.b", "Net.c", "Net.d", "Net.f", "Tower.layers_{}"]
    text = SPELLINGS.replace("layers_{len=n}", "layers_{len=5}")
    assert len(unlinked(SPELLINGS, text, path="s.py")) == 0
