"""Edits that turn a module's text into a stub, e.g. those that hide fields of a schema."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._spec.nodes import Schema
from ..schema.typed_state import SchemaMeta


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces lines of a module's text.

    Attributes:
      start: the index of the first line to replace, from 0.
      stop: the index after the last line to replace; equal to `start` for an insertion.
      lines: the new lines.
    """

    start: int
    stop: int
    lines: Sequence[str]


def hidden(cls: SchemaMeta | None, node: ast.ClassDef, lines: Sequence[str]) -> Iterator[Edit]:
    """Gives fields that are no attributes names that no editor offers.

    Such a field has another key, or is shared and in no state. Its annotation stays, as the plugin
    reads the key from it.
    """
    if cls is None:
        return
    spec: Schema = cls.__typedstate_ref__.resolve()
    others = {field.name for field in spec.fields if field.key != field.name or field.shared}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            if item.target.id not in others:
                continue
            line = lines[item.lineno - 1].encode()
            start = item.target.col_offset
            text = (line[:start] + b"__" + line[start:]).decode()
            yield Edit(item.lineno - 1, item.lineno, [text])
