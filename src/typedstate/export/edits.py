"""Edits of a module's text on its way to a stub, and which fields of a schema it hides."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from typedstate._spec.nodes import Schema
from typedstate.schema.typed_state import SchemaMeta


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines in the place of others.

    Attributes:
      start: the first line that goes, from 0.
      stop: the line after the last that goes; the same as start where none does.
      lines: what stands there instead.
    """

    start: int
    stop: int
    lines: Sequence[str]


def hidden(cls: SchemaMeta | None, node: ast.ClassDef, lines: Sequence[str]) -> Iterator[Edit]:
    """Fields that are no attributes get names that no editor offers.

    Their key is another, or they are shared and in no state. The annotation stays: the plugin reads
    the key out of it.
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
