"""Lets pydantic enforce a field whose type is a schema, by the same check."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticCustomError, core_schema

from .._compat.variables import mapping_of
from .._fastpath.judge import holds
from ..checking import explain


def field_schema(hint: type) -> core_schema.CoreSchema:
    """The core schema of a field: the value stays as it is, or the report is the error."""

    def validate(value: Any) -> Any:
        if holds(value, hint):
            return value
        report = explain(value, hint)
        raise PydanticCustomError(
            "state_type",
            "does not fit {hint}: {reason}",
            {
                "hint": report.hint,
                "reason": "; ".join(line.strip() for line in report.lines()[:3]),
                "violations": [item.to_dict() for item in report.violations[:20]],
            },
        )

    return core_schema.no_info_plain_validator_function(
        validate,
        serialization=core_schema.plain_serializer_function_ser_schema(
            lambda value: describe_tree(value), when_used="json"
        ),
        metadata={"typedstate": hint.__name__},
    )


def json_schema(hint: type) -> dict[str, Any]:
    """The JSON Schema of a field: an object, by title; arrays are no JSON."""
    doc = (hint.__doc__ or "").strip().splitlines()
    schema: dict[str, Any] = {"type": "object", "title": hint.__name__}
    return {**schema, "description": doc[0]} if doc else schema


def describe_tree(value: Any) -> Any:
    """A state as JSON: each leaf by class, dtype and shape."""
    from .._validation.show_value import describe_value

    mapping = mapping_of(value)
    if mapping is None:
        return describe_value(value)
    return {str(key): describe_tree(item) for key, item in mapping.items()}
