"""Round trips over random schemas: what comes back judges as what it began with, faults too.

A fault names the code and the path that every report on it must hold, so that a copy which merely
refuses is told from one that refuses the right thing.
"""

from __future__ import annotations

from typing import Any

import pytest
from flax import nnx
from hypothesis import HealthCheck, Phase, assume, given, settings, strategies as st

from tests.random_hints import Case, form_cases, schema_of, tree_cases
from typedstate import (
    SchemaDocument,
    SchemaError,
    abstract,
    check,
    explain,
    infer,
    to_source,
)
from typedstate.testing import BrokenState, broken_states, example

#: Without shrinking: of trees as large as these it takes minutes.
draws = settings(max_examples=20, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


def imported(source: str) -> Any:
    """What a source declares last."""
    names: dict[str, Any] = {"__name__": "written"}
    exec(compile(source, "<written>", "exec"), names)
    return list(names.values())[-1]


def without_comments(source: str) -> str:
    """A source without what `infer` says of its guesses, which no class keeps."""
    lines = source.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def source_of(hint: Any) -> str | None:
    """The source of a hint; None where it holds a filter, which has none."""
    try:
        return to_source(hint)
    except SchemaError as error:
        if "has no source" not in str(error) or "PathContains" not in repr(hint):
            raise
        return None


def assert_refused(broken: BrokenState, *hints: Any) -> None:
    """Each hint refuses a broken tree for its fault, and finds what the others find."""
    all_found: list[Any] = []
    for hint in hints:
        report = explain(broken.value, hint)
        found = [(item.code, item.path, item.actual, item.note) for item in report.violations]
        assert (broken.code, broken.path) in [one[:2] for one in found], (broken.name, str(report))
        all_found.append(found)
    assert all(found == all_found[0] for found in all_found), broken.name


@given(tree_cases(), st.data())
@draws
def test_from_a_state_to_its_schema_its_source_and_back(case: Case, data: st.DataObject) -> None:
    state = nnx.State(case.build())
    inferred = infer(state)
    source = to_source(inferred)
    read = imported(source)
    assert check(state, read) is state
    assert to_source(read) == without_comments(source)
    assert explain(state, read).dims == explain(state, inferred).dims
    for hint in (inferred, read):
        assert_refused(data.draw(broken_states(hint)), inferred, read)


@given(form_cases(), st.data())
@draws
def test_from_a_hint_to_its_document_and_back(case: Case, data: st.DataObject) -> None:
    text = SchemaDocument.of(case.hint).to_json()
    read = SchemaDocument.from_json(text).to_schema()
    assert SchemaDocument.of(read).to_json() == text
    assert explain(case.build(), read) == explain(case.build(), case.hint)
    for hint in (case.hint, read):
        assert_refused(data.draw(broken_states(hint)), case.hint, read)


@given(form_cases(), st.data())
@draws
def test_from_a_hint_to_its_source_and_back(case: Case, data: st.DataObject) -> None:
    source = source_of(case.hint)
    assume(source is not None)
    read = imported(source or "")
    assert to_source(read) == source
    assert explain(case.build(), read).dims == explain(case.build(), case.hint).dims
    value = case.build()
    assert check(value, read) is value
    for hint in (case.hint, read):
        assert_refused(data.draw(broken_states(hint)), case.hint, read)


@given(form_cases(), st.data())
@draws
def test_from_a_hint_to_an_abstract_tree_an_example_and_back(
    case: Case, data: st.DataObject
) -> None:
    value = case.build()
    tree: Any = abstract(case.hint, like=value)
    assert check(tree, case.abstract) is tree
    sizes = explain(tree, case.abstract).dims
    assert sizes == explain(value, case.hint).dims
    made: Any = example(case.hint, 0, dims=sizes)
    assert check(made, case.hint) is made
    shapes: Any = abstract(case.hint, like=made)
    assert check(shapes, case.abstract) is shapes
    for hint in (case.hint, case.abstract):
        assert_refused(data.draw(broken_states(hint)), hint)


@given(tree_cases())
@draws
def test_from_a_document_to_a_source_and_back(case: Case) -> None:
    """What crosses from one to the other is the same schema."""
    read = SchemaDocument.from_json(SchemaDocument.of(case.hint).to_json()).to_schema()
    crossed = imported(to_source(read))
    assert to_source(crossed) == to_source(read)
    value = nnx.State(case.build())
    assert explain(value, crossed).dims == explain(value, case.hint).dims
    assert check(value, crossed) is value


def test_a_copy_that_accepts_a_fault_is_noticed() -> None:
    """The judge of this file tells a copy that accepts more."""
    strict = schema_of({"x": nnx.Param})
    lenient = schema_of({"x": nnx.Param}, extra="allow")
    fault = BrokenState(nnx.State({"x": nnx.Param(1), "surplus": 1}), "more", "extra", "surplus")
    assert_refused(fault, strict)
    with pytest.raises(AssertionError, match="more"):
        assert_refused(fault, strict, lenient)
