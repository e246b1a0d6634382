"""A file of schemas is stale where a fresh inference says something else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.inference.inferred import built, linear
from tests.zoo.published import GPT, abstract
from typedstate import SchemaError, infer, to_source
from typedstate.inference.stale import stale


def Counted(self: Any) -> None:
    for index in range(2):
        setattr(self, f"layer_{index}", linear(3, 3))


def test_comments_layout_and_order_do_not_count() -> None:
    fresh = infer(abstract(GPT))
    text = to_source(fresh)
    assert stale(text, fresh) == ""
    assert stale(f'"""Read by a person."""\n{text}\n# the end\n', fresh) == ""


def test_a_text_in_a_class_without_fields_does_not_count() -> None:
    fresh = infer(built(Counted))
    text = to_source(fresh)
    assert stale(text.replace("No field of its own.", "Two layers."), fresh) == ""
    assert stale(text.replace("len=layers", "len=2"), fresh) != ""


def test_a_model_that_has_moved_on_is_shown_as_a_diff() -> None:
    fresh = infer(abstract(GPT))
    text = to_source(fresh).replace("norm2: ", "norm3: ")
    found = stale(text, fresh, path="states.py").splitlines()
    assert found[:2] == ["--- states.py", "+++ states.py, inferred"]
    assert '-    norm3: Bind[LayerNormState, "features=d"]' in found
    assert '+    norm2: Bind[LayerNormState, "features=d"]' in found


def test_what_is_no_python_is_said() -> None:
    with pytest.raises(SchemaError, match=r"states.py, line 1: no Python source"):
        stale("class (:", infer(abstract(GPT)))
