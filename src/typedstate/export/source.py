"""`to_source`: the Python source of a schema, which gives an equal schema when it is run."""

from __future__ import annotations

from typing import Any

from .._annotations.spec_of import name_of, spec_of
from .._spec.nodes import Node
from ..errors import SchemaError
from ..forms import Bind, Stacked
from ..schema.typed_state import SchemaMeta
from .lines import fitted
from .source_file import SourceFile, identifier
from .source_writer import HEAD, Writer, comments
from .type_variables import TypeVariables
from .written import can_write, is_catalogued, write


def to_source(hint: Any, *, name: str | None = None) -> str:
    """The source of a schema or form, imports first; when it is run the last name is the schema.

    Forms and classes of `typedstate.layers` keep their names. A form that can't be written, e.g.
    one whose filter is a lambda, is replaced by the classes that it makes; two forms of one type
    argument then have names of dims of their own. A class made of a generic one is written as a
    generic one. Text from the data, such as a key that is no identifier, is written as a literal.

    Args:
      hint: a schema class, or a form.
      name: the name of the schema in the source.

    Raises:
      SchemaError: the hint has a part without source: a validator, a class that can't be
        imported. Or it is nested too deeply.
    """
    try:
        return _source(hint, name)
    except RecursionError:
        title = name_of(hint)
        raise SchemaError(f"to_source({title}): nested too deeply to be written") from None


def _source(hint: Any, name: str | None) -> str:
    file = SourceFile(name_of(hint))
    spec = spec_of(hint)
    writer = Writer(file, TypeVariables.below(spec))
    if not _is_class(hint) and can_write(hint):
        title = file.unique(identifier(name or _alias(hint)))
        file.blocks.append(fitted(f"{title} = ", write(hint, writer, title), 0))
        return file.text()
    if isinstance(spec, Node):
        own = not writer.generics.of(spec.ref)
        writer.reserve(spec.ref, name if own else None)
        text = writer.node(spec.ref, "")
        file.head = comments(getattr(hint, HEAD, ()))
        wrapper = writer.wrapper(spec.ref.resolve())
        if wrapper:
            title = file.unique(f"{wrapper}{writer.names[spec.ref]}")
            file.blocks.append(f"{title} = {wrapper}[{text}]")
        elif not own:
            title = file.unique(identifier(name or name_of(hint)))
            file.blocks.append(fitted(f"{title} = ", text, 0))
        return file.text()
    title = file.unique(identifier(name or name_of(hint)))
    file.blocks.append(fitted(f"{title} = ", writer.spec(spec, title), 0))
    return file.text()


def _is_class(hint: Any) -> bool:
    """Whether a hint is a schema class of the user's, no form and none of the catalogue."""
    return (
        isinstance(hint, SchemaMeta)
        and hint.__typedstate_written__ is None
        and not is_catalogued(hint)
    )


def _alias(hint: Any) -> str:
    """A name for a form, or for an alias of a class of the catalogue."""
    form, *arguments = _written(hint)
    if form is Stacked:
        inner = arguments[0]
        while _written(inner)[0] in (Bind, Stacked):
            inner = _written(inner)[1]
        return f"Stacked{inner.__name__ if _written(inner)[0] is None else _alias(inner)}"
    optimizer = form is not None and form.__name__.endswith("OptimizerState")
    return "ModelOptimizerState" if optimizer else "ModelState"


def _written(hint: Any) -> tuple[Any, ...]:
    """The form of a hint and its arguments; None for a class that is no form of another."""
    written = getattr(hint, "__typedstate_written__", None)
    return (None,) if written is None else (written[0], *written[1])
