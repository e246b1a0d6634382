"""The exceptions that users see: a wrong declaration, a wrong value, a limit worth a warning."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from types import FunctionType

    from .report import Report


class SchemaError(TypeError):
    """A declaration that can mean nothing: says which class and field, why, and the likely fix."""


class StateTypeError(TypeError):
    """A value that does not fit its annotation.

    Attributes:
      report: every violation as data; None where beartype, not a schema, refused the value.
    """

    report: Report | None

    def __init__(self, message: str, report: Report | None = None) -> None:
        """Keeps the rendered message and, where a schema refused the value, its report."""
        super().__init__(message)
        self.report = report


class TypedStateWarning(UserWarning):
    """The warning of ``TYPEDSTATE=warn``, and of annotations that can't be enforced."""


class UnlinkedDimsWarning(TypedStateWarning):
    """A field's schema, of `typedstate.layers`, has no `Bind`: its dims link to nothing.

    Off, unless a filter names it: ``warnings.simplefilter("default", UnlinkedDimsWarning)`` before
    the schemas are declared, or ``default::typedstate.UnlinkedDimsWarning`` among pytest's.
    """


def leave_alone(cls: type, what: str, reason: str, is_foreign: bool) -> None:
    """Says that a field of a class is not enforced: a warning where its author may mend it."""
    text = f"{what} is not enforced: {reason}"
    module: Any = sys.modules.get(cls.__module__)
    if is_foreign or module is None:
        logging.getLogger("typedstate").debug("%s", text)
        return
    registry = cast("dict[str, Any]", vars(module)).setdefault("__warningregistry__", {})
    place = getattr(module, "__file__", None) or cls.__module__
    warnings.warn_explicit(text, TypedStateWarning, place, 1, registry=registry)


def warn_of(function: FunctionType, what: str, reason: str) -> None:
    """Warns, at the line of a function, that it or one of its parameters is not enforced."""
    code = function.__code__
    warnings.warn_explicit(
        f"{what} is not enforced: {reason}",
        TypedStateWarning,
        code.co_filename,
        code.co_firstlineno,
        registry=function.__globals__.setdefault("__warningregistry__", {}),
    )
