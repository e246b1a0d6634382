"""The small parts of a schema document: keys, dims, axis names and filters.

Text is bounded and printable where it is a name, dims are parsed, nothing is evaluated.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
)

from .._spec import dim_grammar

MAX_TEXT: Final = 400
_MAX_BRACES: Final = 3


class Part(BaseModel):
    """A part of a document: no other keys than the declared ones, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


# -- Text ----------------------------------------------------------------------------------


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a name is of printable characters")
    return text


def _no_surrogates(text: str) -> str:
    text.encode()  # a UnicodeEncodeError is a ValueError
    return text


def _parsed_shape(text: str) -> str:
    dim_grammar.parse_shape(text)
    return text


def _parsed_size(text: str) -> str:
    dim_grammar.parse_expr(text)
    return text


def _few_braces(text: str) -> str:
    if not 1 <= text.count("{}") <= _MAX_BRACES:
        raise ValueError(f"a pattern has one to {_MAX_BRACES} braces, as in 'layers_{{}}'")
    return text


Name = Annotated[
    StrictStr,
    StringConstraints(min_length=1, max_length=MAX_TEXT),
    AfterValidator(_printable),
]
Identifier = Annotated[StrictStr, StringConstraints(max_length=MAX_TEXT, pattern=r"^[^\W\d]\w*$")]
KeyText = Annotated[StrictStr, StringConstraints(max_length=4096), AfterValidator(_no_surrogates)]
ShapeText = Annotated[StrictStr, StringConstraints(max_length=4096), AfterValidator(_parsed_shape)]
SizeText = Annotated[
    StrictStr, StringConstraints(min_length=1, max_length=MAX_TEXT), AfterValidator(_parsed_size)
]
Pattern = Annotated[KeyText, StringConstraints(max_length=MAX_TEXT), AfterValidator(_few_braces)]
#: A class, validator or callable: ``nnx.Param``, ``float``, ``package.module.Class``.
Known = Name
Container = Literal["any", "state", "dict"]
Likeness = Literal["structure", "shapes", "keys"]


# -- Keys ----------------------------------------------------------------------------------


class TupleKey(Part):
    """A tuple that is one key."""

    tuple: tuple[Key, ...]


class BytesKey(Part):
    """A key of bytes, or a literal of bytes, as hexadecimal digits."""

    bytes: Annotated[StrictStr, StringConstraints(pattern="^([0-9a-f]{2})*$", max_length=4096)]


class AnyKey(Part):
    """In a path: a key that the schema leaves open, of this class."""

    any: Literal["int", "str", "object"]


Key = KeyText | StrictInt | StrictBool | StrictFloat | None | TupleKey | BytesKey
PathKey = Key | AnyKey
Path = tuple[PathKey, ...]
LiteralValue = KeyText | StrictInt | StrictBool | None | BytesKey


# -- Dtypes --------------------------------------------------------------------------------


class DtypePart(Part):
    """A dtype class of jaxtyping by its name, or a class of these dtypes."""

    name: Annotated[StrictStr, StringConstraints(max_length=MAX_TEXT)]
    dtypes: tuple[Name, ...] | None = None


class DtypeCondition(Part):
    """A condition of `Cast` on every leaf of a tree of which nothing is declared."""

    type: Literal["dtype"]
    dtype: DtypePart


class KindPart(Part):
    """A Variable class, with its subclasses unless it is exact."""

    kind: Known
    exact: StrictBool = False


class KindCondition(Part):
    """A condition of `Like` on every leaf of a tree of which nothing is declared."""

    type: Literal["kind"]
    kinds: tuple[KindPart, ...]


#: What is asked of a leaf or a value: by its name, or as a form asks it.
Validator = Known | DtypeCondition | KindCondition

# -- Dims ----------------------------------------------------------------------------------


class HiddenName(Part):
    """A name that a form made, which no text can name: ``^layers`` of a `Stacked`."""

    name: Name


class Operation(Part):
    """Arithmetic over sizes, of which one is a hidden name."""

    op: Literal["+", "-", "*", "/", "//", "%", "**", "min", "max"]
    left: Size
    right: Size


#: Text in jaxtyping's grammar wherever that says it.
Size = SizeText | HiddenName | Operation


class AxisPart(Part):
    """One axis that text can't name."""

    type: Literal["axis"]
    text: Name
    size: Size | None = None
    broadcast: StrictBool = False
    per_leaf: StrictBool = False


class AxesPart(Part):
    """A run of axes, ``...`` or ``*name``, next to an axis that text can't name."""

    type: Literal["axes"]
    name: Name | None = None
    broadcast: StrictBool = False
    per_leaf: StrictBool = False


Dim = Annotated[AxisPart | AxesPart, Field(discriminator="type")]
Shape = ShapeText | tuple[Dim, ...]
Links = dict[Name, Size]


class Inserted(Part):
    """An axis whose place can only be known in the real array."""

    at: StrictInt
    axis: AxisPart


# -- Axis names and filters ----------------------------------------------------------------


class RestOfAxes(Part):
    """``...``: as many axes without a name as the rank leaves."""

    rest: Literal[True]


class AnyAxis(Part):
    """An axis of which nothing is said."""

    unconstrained: Literal[True]


AxisName = KeyText | tuple[KeyText, ...] | RestOfAxes | AnyAxis | None
AxisNames = tuple[AxisName, ...]


class CallableRules(Part):
    """Rules for logical names that are a function, by its name."""

    callable: Known


Rules = tuple[tuple[KeyText, KeyText | tuple[KeyText, ...] | None], ...] | CallableRules


class PlacedPart(Part):
    """Really sharded as declared, by these rules."""

    rules: Rules | None = None


class OfClass(Part):
    """Leaves of a class."""

    type: Literal["class"]
    cls: Known = Field(validation_alias="class", serialization_alias="class")


class OfTag(Part):
    """Leaves with a tag."""

    type: Literal["tag"]
    tag: KeyText


class Everything(Part):
    """All leaves."""

    type: Literal["everything"]


class Nothing(Part):
    """No leaf."""

    type: Literal["nothing"]


class AnyOf(Part):
    """Leaves that any of these selects; a group is written as a tuple."""

    type: Literal["any"]
    of: tuple[FilterPart, ...]
    group: StrictBool = False


class AllOf(Part):
    """Leaves that all of these select."""

    type: Literal["all"]
    of: tuple[FilterPart, ...]


class NotOf(Part):
    """Leaves that this does not select."""

    type: Literal["not"]
    of: FilterPart


class WithKey(Part):
    """Leaves with a key in their path."""

    type: Literal["key"]
    key: Key
    exact: StrictBool = True


class AtPaths(Part):
    """Leaves at these paths."""

    type: Literal["paths"]
    paths: tuple[tuple[Key, ...], ...]


class Callable(Part):
    """Leaves that a function selects, by its name."""

    type: Literal["callable"]
    name: Known


FilterPart = Annotated[
    OfClass | OfTag | Everything | Nothing | AnyOf | AllOf | NotOf | WithKey | AtPaths | Callable,
    Field(discriminator="type"),
]
