"""Writes hints as their user did: forms with their arguments, classes of the catalogue by name.

`to_source` asks `can_write` for each field. Other hints (a filter that is a lambda, a generic class
of the user's) are replaced by the classes that they make.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Final, Protocol, TypeGuard, cast, get_args, get_origin

from .._annotations.context import Context
from .._annotations.parse import parse
from .._spec.nodes import SchemaRef, Spec
from ..forms import Axis, MemoryKind
from ..forms.form_class import FormMeta
from ..schema.class_ref import ClassRef
from ..schema.field import Alias, Shared
from ..schema.hint_class import HintMeta
from ..schema.typed_state import SchemaMeta
from .source_file import SourceFile, quoted

_UNIONS: Final = (typing.Union, types.UnionType)
_FORMS: Final = "typedstate"


class Writer(Protocol):
    """The writer of leaves and classes that `write` calls."""

    @property
    def file(self) -> SourceFile:
        """The file under construction."""
        ...

    def spec(self, spec: Spec, where: str) -> str:
        """The expression of a leaf."""
        ...

    def node(self, ref: SchemaRef, where: str) -> str:
        """Writes a class once, and gives its name."""
        ...


@cache
def catalogue() -> dict[int, str]:
    """The names of the catalogue's classes, by identity."""
    from .. import layers

    return {id(getattr(layers, name)): name for name in layers.__all__}


def is_catalogued(hint: Any) -> bool:
    """Whether a hint is a class of `typedstate.layers`."""
    return id(hint) in catalogue() and not isinstance(hint, FormMeta | typing.TypeVar)


def plain(hint: Any) -> Any:
    """A field's annotation without `Alias`, `Shared` and ``None``."""
    if get_origin(hint) in _UNIONS:
        options = [plain(arg) for arg in get_args(hint) if arg is not types.NoneType]
        return options[0] if len(options) == 1 else typing.Union[tuple(options)]  # noqa: UP007
    if get_origin(hint) is Annotated:
        inner, *metadata = get_args(hint)
        rest = [item for item in metadata if not isinstance(item, Alias | Shared)]
        inner = plain(inner)
        return Annotated[(inner, *rest)] if rest else inner
    if isinstance(hint, HintMeta) and hint.__typedstate_written__ is not None:
        form, args = hint.__typedstate_written__
        if form is cast(Any, MemoryKind) and get_origin(args[0]) in _UNIONS:
            return form[(plain(args[0]), *args[1:])]
    return hint


def can_write(hint: Any) -> bool:
    """Whether `write` can write a hint."""
    if hint is None or hint is types.NoneType or is_catalogued(hint):
        return True
    if get_origin(hint) in _UNIONS:
        return all(map(can_write, get_args(hint)))
    if not isinstance(hint, HintMeta):
        return not _mentions_schema(hint)
    written = hint.__typedstate_written__
    if written is None:
        return isinstance(hint, SchemaMeta) and not hint.__dict__.get("__parameters__")
    form, args = written
    if isinstance(form, FormMeta):
        return all(_can_write_argument(form, index, arg) for index, arg in enumerate(args))
    return is_catalogued(form) and all(map(can_write, args))


def _can_write_argument(form: FormMeta, index: int, arg: Any) -> bool:
    if form.takes_hint(index):
        return can_write(arg)
    if isinstance(arg, Axis | str | int) or arg is ... or arg is None:
        return True
    return _is_plain_class(arg)


def _is_plain_class(arg: Any) -> TypeGuard[type]:
    return isinstance(arg, type) and "<locals>" not in arg.__qualname__


def _mentions_schema(hint: Any) -> bool:
    """Whether a leaf's annotation contains a form, a schema class or a type variable."""
    if isinstance(hint, HintMeta | typing.TypeVar | typing.ForwardRef | str):
        return True
    if hasattr(hint, "form") and hasattr(hint, "args"):
        return True
    return any(_mentions_schema(arg) for arg in get_args(hint) if not isinstance(arg, str))


def write(hint: Any, writer: Writer, where: str) -> str:
    """The text of a hint that `can_write` accepts."""
    if hint is None or hint is types.NoneType:
        return "None"
    if is_catalogued(hint):
        return writer.file.imported("typedstate.layers", catalogue()[id(hint)])
    if get_origin(hint) in _UNIONS:
        return " | ".join(write(arg, writer, where) for arg in get_args(hint))
    if not isinstance(hint, HintMeta):
        return writer.spec(parse(hint, Context(where)), where)
    if hint.__typedstate_written__ is None:
        return writer.node(_ref(hint), where)
    form, args = hint.__typedstate_written__
    if isinstance(form, FormMeta):
        texts = [_argument(form, index, arg, writer, where) for index, arg in enumerate(args)]
        name = writer.file.imported(_FORMS, form.__name__)
    else:
        texts = [write(arg, writer, where) for arg in args]
        name = writer.file.imported("typedstate.layers", catalogue()[id(form)])
    return f"{name}[{', '.join(texts)}]"


def _argument(form: FormMeta, index: int, arg: Any, writer: Writer, where: str) -> str:
    if form.takes_hint(index):
        return write(arg, writer, where)
    if isinstance(arg, Axis):
        axis, name = writer.file.imported(_FORMS, "Axis"), arg.partition_name
        if isinstance(name, str):
            return f"{axis}({arg.index}, {quoted(name)})"
        return repr(arg).replace("Axis", axis, 1)
    if arg is ...:
        return "..."
    if isinstance(arg, type):
        return writer.file.class_name(arg, where)
    return quoted(arg) if isinstance(arg, str) else repr(arg)


def _ref(hint: HintMeta) -> ClassRef:
    return cast(ClassRef, cast(Any, hint).__typedstate_ref__)


def field_hint(ref: SchemaRef, name: str) -> Any:
    """The annotation of a field as its user wrote it; None if there is none.

    Fields of a class that was read from a document have no annotations.
    """
    found = ref.declared.get(name) if isinstance(ref, ClassRef) else None
    if not isinstance(ref, ClassRef) or found is None:
        return None
    context = Context(f"{ref.name}.{name}", ({}, found.local, {}), found.typevars)
    raw = found.raw
    try:
        for _ in range(3):
            if isinstance(raw, str | typing.ForwardRef):
                raw = _resolve(ref, name, raw if isinstance(raw, str) else raw.__forward_arg__)
    except Exception:  # whatever the annotation's own code raises
        return None
    hint = plain(context.typevars.get(raw, raw) if isinstance(raw, typing.TypeVar) else raw)
    return hint if can_write(hint) else None


def pattern_hint(ref: SchemaRef, index: int) -> Any:
    """The hint under a pattern's keys as its user wrote it; None if there is none."""
    if not isinstance(ref, ClassRef) or isinstance(ref.extra, str):
        return None
    hint = [*ref.extra.values()][index]
    return hint if can_write(hint) else None


def _resolve(ref: ClassRef, name: str, text: str) -> Any:
    context: Callable[..., Any] = ref._context  # pyright: ignore[reportPrivateUsage]
    return context(name, ref.declared[name]).resolve(text)


__all__ = [
    "Writer",
    "can_write",
    "catalogue",
    "field_hint",
    "is_catalogued",
    "pattern_hint",
    "write",
]
