"""A hint as a document and back."""

from __future__ import annotations

from typing import Any

import pytest
from flax import nnx

from typedstate import (
    SchemaDocument,
    SchemaError,
)


class Own(nnx.Variable):  # type: ignore[type-arg]
    """A kind that only its user knows."""


def there_and_back(hint: Any, **kinds: Any) -> Any:
    """The schema that a hint's document gives; both have the same document."""
    document = SchemaDocument.of(hint, **kinds)
    text = document.to_json()
    read = SchemaDocument.from_json(text)
    assert read == document
    assert read.to_json() == text
    found = read.to_schema(**kinds)
    again = SchemaDocument.of(found, **kinds)
    assert again.model_copy(update={"name": document.name}) == document
    return found


def refused(hint: Any, **kinds: Any) -> str:
    with pytest.raises(SchemaError) as error:
        SchemaDocument.of(hint, **kinds)
    return str(error.value)
