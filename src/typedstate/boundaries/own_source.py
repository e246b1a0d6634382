"""Tells annotations in a function's own source from those of imported packages.

An alias of another package, e.g. ``optax.OptState``, may refer to names that only its own module
has: its user can't fix that, so the hint is not checked, without a warning.
"""

from __future__ import annotations

import inspect
import logging
import re
import types
import typing
from collections.abc import Iterator
from typing import Any, cast

from ..errors import warn_of


def writes(function: types.FunctionType, annotation: object, name: str | None) -> bool:
    """Whether a name stands in an annotation's text, or else in the function's source.

    ``Tree`` does not stand in ``others.Tree``, which is an attribute.
    """
    if name is None:
        return True
    text = annotation if isinstance(annotation, str) else _source(function)
    return text is None or name in re.findall(r"(?<![.\w])\w+", text)


def _source(function: types.FunctionType) -> str | None:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError, IndentationError, SyntaxError):
        return None


def is_of_others(function: types.FunctionType, annotation: object, hint: Any) -> bool:
    """Whether the part of a hint that can't be evaluated belongs to another package."""
    parts = list(_parts(hint))
    package = function.__module__.partition(".")[0]
    names = [part.__forward_arg__ for part in parts if isinstance(part, typing.ForwardRef)]
    protocols = [part for part in parts if getattr(part, "_is_protocol", False)]
    if any(writes(function, annotation, name) for name in names):
        return False
    packages = {str(part.__module__).partition(".")[0] for part in protocols}
    return bool(names or packages) and package not in packages


def _parts(hint: Any) -> Iterator[Any]:
    """Yields every hint within a hint, and the hint itself."""
    yield hint
    for part in typing.get_args(hint):
        several: list[Any] = cast(Any, part) if isinstance(part, list) else [part]
        for each in several:
            yield from _parts(each)


def leave_alone(function: types.FunctionType, what: str, reason: str, of_others: bool) -> None:
    """Says that a parameter is not enforced: a warning where the function's author may mend it."""
    if of_others:
        logging.getLogger("typedstate").debug("%s is not enforced: %s", what, reason)
    else:
        warn_of(function, what, reason)
