"""The keys of ``extra={"layers_{}": S}``, and the count in ``"layers_{len=n}"``."""

from __future__ import annotations

import re
from typing import Any, Final

from .._annotations.context import Context
from .._spec import dim_grammar
from .._spec.dims import evaluate
from .._spec.nodes import KeyPattern, Spec
from ..errors import SchemaError

_COUNT: Final = re.compile(r"\{len=([^{}]*)\}")


def refuse_pattern(pattern: Any, owner: str) -> None:
    """Refuses what is no pattern; `owner` is the schema's name."""
    text = _COUNT.sub("{}", pattern) if isinstance(pattern, str) else ""
    given = f"{owner}: extra={{{pattern!r}: ...}}"
    if "{}" not in text:
        raise SchemaError(
            f'{given} needs braces for what varies, as in "layers_{{}}" or "layers_{{len=n}}"; '
            "a fixed key is a field"
        )
    if text != pattern and text.count("{}") > 1:
        raise SchemaError(f"{given}: keys that are counted have one pair of braces")


def read_pattern(text: str, entry: Spec, context: Context) -> KeyPattern:
    """The pattern with what stands under its keys.

    Raises:
      SchemaError: the count is no size.
    """
    found = _COUNT.search(text)
    if found is None:
        return KeyPattern(text, entry)
    try:
        length = dim_grammar.parse_expr(found[1])
    except dim_grammar.DimError as error:
        raise context.error(f"{text!r}: {error}") from None
    if (evaluate(length, {}) or 0) < 0:
        raise context.error(f"{text!r}: {found[1]} is no size, as it is below 0")
    return KeyPattern(_COUNT.sub("{}", text), entry, length)
