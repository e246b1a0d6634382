"""The spec and the name of a hint that is given at run time."""

from __future__ import annotations

from typing import Any

from .._spec.binds import check_binds
from .._spec.describe import class_name, describe
from .._spec.nodes import Node, Spec
from ..errors import SchemaError
from .array_hints import is_jaxtyped
from .context import Context, NotYet
from .parse import parse


def spec_of(hint: Any) -> Spec:
    """The spec of a hint given at run time."""
    own = getattr(hint, "__typedstate_spec__", None)
    context = Context(name_of(hint), boundary=True)
    try:
        spec = own(context) if own is not None else parse(hint, context)
    except SchemaError:
        raise
    except NotYet as error:
        raise SchemaError(f"{name_of(hint)}: {error}") from None
    if not isinstance(spec, Node):  # a schema class has looked at its own
        check_binds(spec, name_of(hint))
    return spec


def name_of(hint: Any, spec: Spec | None = None) -> str:
    """A hint as its user wrote it."""
    if isinstance(hint, type):
        return describe(spec) if spec is not None and is_jaxtyped(hint) else class_name(hint)
    return describe(spec) if spec is not None else str(hint).replace("typing.", "")
