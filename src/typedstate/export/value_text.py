"""Writes what leaves hold, and arguments that are no trees, for `source_writer`."""

from __future__ import annotations

from typing import Any, Final, assert_never

import jax
import jaxtyping

from .._spec import nodes as s
from .._spec.describe import describe
from .._spec.node_groups import StateSpec, ValueSpec
from .dim_text import dim_text
from .source_file import quoted
from .written import Writer

LITERALS: Final = (str, bytes, int, bool, type(None))


def value_text(value: s.Spec, writer: Writer, where: str) -> str:
    """The expression of a value, in a leaf or alone."""
    match value:
        case s.Anything():
            return writer.file.imported("typing", "Any")
        case s.NoValue():
            return "None"
        case s.Array():
            return _array(value, writer, where)
        case s.Instance(cls):
            return writer.file.class_name(cls, where)
        case s.Literally(values) if all(type(item) in LITERALS for item in values):
            literal = writer.file.imported("typing", "Literal")
            return f"{literal}[{', '.join(map(repr, values))}]"
        case s.TupleOf((), None):
            return "tuple[()]"
        case s.TupleOf(items, rest):
            inner = [writer.spec(item, where) for item in items]
            if rest is not None:
                more = f"{writer.spec(rest, where)}, ..."
                inner += [f"*tuple[{more}]" if inner else more]
            return f"tuple[{', '.join(inner)}]"
        case s.ItemsOf(cls, item):
            return f"{writer.file.class_name(cls, where)}[{writer.spec(item, where)}]"
        case s.MappingOf(cls, key, item):
            hints = f"{writer.spec(key, where)}, {writer.spec(item, where)}"
            return f"{writer.file.class_name(cls, where)}[{hints}]"
        case s.RecordOf():
            return _record(value, writer, where)
        case s.Union(options):
            return " | ".join(value_text(option, writer, where) for option in options)
        case ValueSpec() | StateSpec():
            raise writer.file.error(where, f"{describe(value)} has no source")
        case _:
            assert_never(value)


def _array(array: s.Array, writer: Writer, where: str) -> str:
    cls = _array_class(array, writer, where)
    if array.dtypes is None and array.shape is None and array.cls is not None:
        return cls
    if array.dtypes is None and array.shape is None and array.abstract:
        return cls
    found: Any = getattr(jaxtyping, array.dtype or "Shaped", None)
    if found is None or (array.dtypes is not None and tuple(found.dtypes) != array.dtypes):
        raise writer.file.error(where, f"jaxtyping has no dtype class {array.dtype!r}")
    if array.inserted:
        raise writer.file.error(where, f"{describe(array)} has no source")
    shape = "..." if array.shape is None else " ".join(map(dim_text, array.shape))
    return f"{writer.file.imported('jaxtyping', array.dtype or 'Shaped')}[{cls}, {quoted(shape)}]"


def _array_class(array: s.Array, writer: Writer, where: str) -> str:
    if array.abstract:
        return f"{writer.file.module('jax')}.ShapeDtypeStruct"
    if array.cls is None:
        return writer.file.imported("typing", "Any")
    if array.cls is jax.Array:
        return writer.file.imported("jaxtyping", "Array")
    return writer.file.class_name(array.cls, where)


def _record(record: s.RecordOf, writer: Writer, where: str) -> str:
    if record.cls is not dict:
        return writer.file.class_name(record.cls, where)
    typed = writer.file.imported("typing_extensions", "TypedDict")
    fields: list[str] = []
    for key, spec in record.fields:
        hint = writer.spec(spec, where)
        if key not in record.required:
            hint = f"{writer.file.imported('typing_extensions', 'NotRequired')}[{hint}]"
        fields.append(f"{quoted(key)}: {hint}")
    title = writer.file.unique("ValueDict")
    writer.file.blocks.append(f"{title} = {typed}({quoted(title)}, {{{', '.join(fields)}}})")
    return title
