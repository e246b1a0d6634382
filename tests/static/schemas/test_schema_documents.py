"""Documents, differences and examples as the type checkers see them."""

from typing import Any, assert_type

from schema_models import LinearState, ModelState, seen

from typedstate import Change, Difference, SchemaDocument, diff
from typedstate.testing import example


def test_documents() -> None:
    document = seen(assert_type(SchemaDocument.of(ModelState), SchemaDocument), SchemaDocument)
    seen(assert_type(SchemaDocument.from_json(document.to_json()), SchemaDocument), SchemaDocument)
    seen(assert_type(document.to_schema(), Any), type)


def test_differences() -> None:
    found = diff(ModelState, LinearState)
    seen(assert_type(found, Difference), Difference)
    seen(assert_type(diff(ModelState, ModelState), Difference), Difference)
    for change in found.changes:
        seen(assert_type(change, Change), Change)


def test_examples() -> None:
    seen(assert_type(example(ModelState, 0), ModelState), ModelState)
