"""Reads the annotations of a class or a function, also those that can't be evaluated yet.

From Python 3.14 on, annotations are evaluated when they are read (PEP 649), and a name may still be
undefined then. Such an annotation is returned as text, as all are after ``from __future__ import
annotations``, and is resolved later like those.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final, ForwardRef, cast, get_args


def _annotationlib() -> Any:
    """The module that evaluates annotations; None before Python 3.14."""
    try:
        return importlib.import_module("annotationlib")
    except ImportError:
        return None


#: How annotations are read on this Python.
LIBRARY: Final[Any] = _annotationlib()


def annotations_of(owner: Any) -> dict[str, Any]:
    """The annotations in the body of a class, or of a function's parameters and result.

    A string, or a text in the place of what can't be evaluated, is left as it is.
    """
    if LIBRARY is None:
        if isinstance(owner, type):
            return dict(vars(owner).get("__annotations__", {}))
        return dict(owner.__annotations__)
    try:
        return dict(LIBRARY.get_annotations(owner))
    except Exception:  # whatever an annotation raises, e.g. a NameError
        return _with_texts(owner)


def fields_of(cls: type) -> dict[str, Any]:
    """The annotations in the body of a class that annotate instances: all but class variables."""
    found = annotations_of(cls)
    return {name: hint for name, hint in found.items() if not _is_class_variable(hint)}


def signature_of(function: types.FunctionType) -> inspect.Signature:
    """The parameters of a function itself, not of what it wraps; evaluates no annotation."""
    if LIBRARY is None:
        return inspect.signature(function, follow_wrapped=False)
    signature: Any = inspect.signature
    texts = LIBRARY.Format.STRING
    found = signature(function, follow_wrapped=False, annotation_format=texts)
    return cast("inspect.Signature", found)


def _with_texts(owner: Any) -> dict[str, Any]:
    """All annotations; the text of each that has a name in it that is not there."""
    found = LIBRARY.get_annotations(owner, format=LIBRARY.Format.FORWARDREF)
    texts = LIBRARY.get_annotations(owner, format=LIBRARY.Format.STRING)
    return {
        name: texts[name] if any(map(_is_reference, _parts(hint))) else hint
        for name, hint in found.items()
    }


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    items = cast("Iterable[Any]", hint) if isinstance(hint, list) else get_args(hint)
    for item in items:
        yield from _parts(item)


def _is_reference(part: Any) -> bool:
    return isinstance(part, ForwardRef)


def _is_class_variable(hint: Any) -> bool:
    if isinstance(hint, str):
        return hint.startswith(("ClassVar", "typing.ClassVar"))
    return hint is ClassVar or typing.get_origin(hint) is ClassVar
