"""Sizes that vary are named and linked, and only those."""

from __future__ import annotations

from typing import Any

import pytest
from flax import nnx

from tests.zoo import Mlp
from tests.zoo.published import GPT, abstract
from typedstate import Abstract, SchemaError, explain, infer, to_source


def test_what_follows_from_a_varied_size_is_an_expression_of_it() -> None:
    source = to_source(infer(GPT, vary={"d": (8, 12), "layers": (2, 3), "heads": (2, 4)}))
    assert 'up: Bind[LinearState, "din=d dout=4*d"]' in source
    assert '"din=d heads head_dim=d//heads dkv=d kv_heads=heads dout=d"' in source
    assert 'blocks: Bind[StateMap[int, Bind[BlockState, "d heads"]], "len=layers"]' in source
    assert 'head: Bind[LinearState, "din=d dout=31"]' in source


def test_other_sizes_of_what_was_varied_fit_and_no_others() -> None:
    schema: Any = Abstract[infer(GPT, vary={"d": (8, 12)})]
    assert explain(nnx.state(abstract(lambda rngs: GPT(d=20, rngs=rngs))), schema)
    assert not explain(nnx.state(abstract(lambda rngs: GPT(vocab=32, rngs=rngs))), schema)


def test_two_instances_name_what_grows_alike() -> None:
    first, second = (Mlp(*sizes, rngs=nnx.Rngs(0)) for sizes in ((4, 4), (4, 6)))
    schema = infer(first, second)
    assert explain(nnx.state(Mlp(4, 9, rngs=nnx.Rngs(0))), schema)
    assert not explain(nnx.state(Mlp(5, 9, rngs=nnx.Rngs(0))), schema)
    assert 'up: Bind[LinearState, "din=4 dout=hidden"]' in to_source(schema)


@pytest.mark.parametrize(
    ("arguments", "vary", "text"),
    [
        ((GPT,), {"d": 8}, r"infer: vary=\{'d': 8\}: give a sequence of values"),
        ((GPT, GPT), {"d": (8, 12)}, "infer: vary= takes one function that makes the module"),
        (({},), {"d": (8, 12)}, "infer: vary= takes one function that makes the module"),
    ],
)
def test_what_can_not_be_varied_is_said(arguments: Any, vary: Any, text: str) -> None:
    with pytest.raises(SchemaError, match=text):
        infer(*arguments, vary=vary)
