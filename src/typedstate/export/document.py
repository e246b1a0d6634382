"""`SchemaDocument`: a schema or form as JSON, and back.

A document is data: it names classes, and its reader must know them. Nothing in it is evaluated, and
no module is imported. The size and depth of a hostile document are bounded here.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal, NoReturn, cast

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

from .._annotations.spec_of import name_of, spec_of
from .._spec.nodes import Node
from ..errors import SchemaError
from ..report import show_path
from ..schema.class_ref import ClassRef
from ..schema.hint_class import HintMeta
from .document_forms import SchemaEntry
from .document_nodes import SpecPart
from .document_reader import MODULE, Reader
from .document_terms import Name
from .document_writer import MAX_SCHEMAS, Writer
from .known_classes import KnownClasses, NamedByText, Registry, known
from .term_reader import TermReader
from .term_writer import TermWriter

VERSION: Final = 1
_MAX_BYTES: Final = 64 * 2**20
_MAX_PARTS: Final = 1_000_000
_MAX_DEPTH: Final = 80
_SHOWN: Final = 20


class SchemaDocument(BaseModel):
    """A schema, or a form of one, as data: for files, for other programs, beside weights.

    ::

        text = SchemaDocument.of(ModelState).to_json()
        ModelState = SchemaDocument.from_json(text).to_schema()

    Classes stand in it by name. Those of Flax, optax, NumPy, JAX and Python are known; your own
    Variables and containers are given by ``kinds=``, a list of classes or a dict of names to
    classes, validators and functions (as filters and rules), which have no name of their own.

    Attributes:
      format: always ``"typedstate-schema"``.
      version: of the format; a newer one than this package knows is refused.
      name: the hint as its user wrote it.
      root: the hint.
      schemas: the schemas that it is made of, by name; forms name the schema they are of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["typedstate-schema"]
    version: StrictInt = Field(ge=1, le=VERSION)
    name: Name
    root: SpecPart
    schemas: dict[Name, SchemaEntry] = Field(default_factory=dict, max_length=MAX_SCHEMAS)

    @model_validator(mode="before")
    @classmethod
    def _refuse_hostile(cls, data: Any) -> Any:
        """Refuses a document that is too large, too deep, or of a newer version."""
        _refuse_size(data)
        if isinstance(data, dict):
            version: Any = cast(Any, data).get("version")
            if type(version) is int and version > VERSION:
                raise ValueError(
                    f"this document is of version {version}, and this typedstate reads up to "
                    f"{VERSION}: install a newer one"
                )
        return cast(Any, data)

    @classmethod
    def of(cls, hint: Any, *, kinds: Registry = ()) -> SchemaDocument:
        """The document of a schema, a form, or any other hint.

        Args:
          hint: what `check` takes.
          kinds: names for validators, functions and classes that need one.

        Raises:
          SchemaError: it holds what is no data and has no name; the message says where.
        """
        return _written(hint, known(kinds))[0]

    def to_schema(self, *, kinds: Registry = ()) -> Any:
        """The schema or form, ready for ``isinstance``, `check` and every form.

        Args:
          kinds: what the names in the document stand for, beside those that are known anyway.

        Raises:
          SchemaError: a name is unknown, or the document contradicts itself; the message says
            where.
        """
        spec = Reader(self.schemas, TermReader(known(kinds))).root(self.root)
        if isinstance(spec, Node) and isinstance(spec.ref, ClassRef):
            return spec.ref.cls
        body = {"__module__": MODULE, "__typedstate_build__": staticmethod(lambda: spec)}
        return HintMeta(self.name, (), body)

    def to_json(self, indent: int | None = 2) -> str:
        """The document as text; what is as usual is left out."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True, indent=indent) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> SchemaDocument:
        """Reads a document.

        Raises:
          SchemaError: it is none, a newer one or a hostile one; the message says where.
        """
        if len(text) > _MAX_BYTES:
            raise SchemaError(f"schema document: more than {_MAX_BYTES >> 20} MiB")
        try:
            data = json.loads(
                text, object_pairs_hook=_without_twins, parse_constant=_refuse_constant
            )
        except RecursionError:
            raise SchemaError("schema document: nested too deeply") from None
        except ValueError as error:  # no JSON, or of no encoding
            raise SchemaError(f"schema document: {error}") from None
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise SchemaError(f"schema document: {_reasons(error, data)}") from None


def document_and_names(hint: Any) -> tuple[SchemaDocument, dict[str, Any]]:
    """A document in which every object has a name, and the objects by name.

    Validators and functions are named by their text, so that documents of the same source are
    the same; ``kinds=`` of another document's `SchemaDocument.to_schema` takes the names.

    Raises:
      SchemaError: it holds what is no data; the message says where.
    """
    return _written(hint, NamedByText({}))


def _written(hint: Any, classes: KnownClasses) -> tuple[SchemaDocument, dict[str, Any]]:
    spec = spec_of(hint)
    title = name_of(hint, spec)
    writer = Writer(TermWriter(title, classes))
    try:
        root = writer.root(spec)
        document = SchemaDocument(
            format="typedstate-schema",
            version=VERSION,
            name=_printable(title),
            root=root,
            schemas=writer.schemas,
        )
        _refuse_size(document.model_dump())
    except RecursionError:
        raise writer.terms.error("", "nested too deeply for a document") from None
    except ValidationError as error:
        raise writer.terms.error("", _reasons(error)) from None
    except ValueError as error:  # larger than what is read back
        raise writer.terms.error("", str(error)) from None
    return document, {**writer.terms.classes, **classes.given}


def _refuse_size(data: Any) -> None:
    """Refuses data that is nested too deeply or contains itself, before any recursion."""
    waiting: list[tuple[Any, int]] = [(data, 0)]
    count = 0
    while waiting:
        item, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise ValueError(f"nested more than {_MAX_DEPTH} levels deep")
        below: list[Any] = []
        if isinstance(item, dict):
            below = list(cast(Any, item).values())
        elif isinstance(item, list | tuple):
            below = list(cast(Any, item))
        count += len(below)
        if count > _MAX_PARTS:
            raise ValueError(f"more than {_MAX_PARTS} parts")
        waiting += [(one, depth + 1) for one in below]


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:60]!r} stands there twice")
        found[key] = value
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:400] or "Schema"


def _reasons(error: ValidationError, data: Any = None) -> str:
    """The faults that pydantic found, the first at each position in the document."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False, include_input=False):
        place = _place(item["loc"], data, missing=item["type"] == "missing")
        text = item["msg"].removeprefix("Value error, ")
        found.setdefault(place, f"{place}: {text}" if place else text)
    more = len(found) - _SHOWN
    return "; ".join([*found.values()][:_SHOWN] + [f"and {more} more"] * (more > 0))


def _place(loc: tuple[int | str, ...], data: Any, *, missing: bool) -> str:
    """The position of a fault in the data, without the model names that pydantic adds."""
    path: list[int | str] = []
    for index, part in enumerate(loc):
        try:
            data = data[part]
        except (TypeError, KeyError, IndexError):
            if missing and index == len(loc) - 1:
                path.append(part)
            continue
        path.append(part)
    return show_path(tuple(path))
