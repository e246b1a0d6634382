"""The parts of a schema document: one pydantic model per node of the spec and per form.

They say what JSON may stand where, and the published JSON Schema is made from them; what the
parts mean is the spec's own business.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from .document_terms import (
    AxisNames,
    Container,
    DtypePart,
    FilterPart,
    Identifier,
    Inserted,
    Key,
    KeyText,
    Known,
    Likeness,
    Links,
    LiteralValue,
    Name,
    Part,
    Path,
    Pattern,
    PlacedPart,
    Rules,
    Shape,
    Size,
    Validator,
)

# -- Values --------------------------------------------------------------------------------


class AnyPart(Part):
    """``Any``."""

    type: Literal["any"]


class NonePart(Part):
    """``None``."""

    type: Literal["none"]


class InstancePart(Part):
    """An instance of a class."""

    type: Literal["instance"]
    cls: Known = Field(validation_alias="class", serialization_alias="class")


class LiteralPart(Part):
    """One of these values."""

    type: Literal["literal"]
    values: tuple[LiteralValue, ...]


class ArrayPart(Part):
    """An array: ``{"dtype": "Float", "class": "jax.Array", "shape": "din dout"}``.

    A dtype that is left out is any dtype, a shape that is left out any shape.
    """

    type: Literal["array"]
    dtype: Name | DtypePart | None = None
    cls: Known | None = Field(default=None, validation_alias="class", serialization_alias="class")
    shape: Shape | None = None
    abstract: StrictBool = False
    inserted: tuple[Inserted, ...] = ()


class TuplePart(Part):
    """A tuple; `rest` for one of any length."""

    type: Literal["tuple"]
    items: tuple[SpecPart, ...] = ()
    rest: SpecPart | None = None


class ItemsPart(Part):
    """A list, set or sequence of like items."""

    type: Literal["items"]
    cls: Known = Field(validation_alias="class", serialization_alias="class")
    item: SpecPart


class MappingPart(Part):
    """A mapping of like keys to like values."""

    type: Literal["mapping"]
    cls: Known = Field(validation_alias="class", serialization_alias="class")
    key: SpecPart
    value: SpecPart


class RecordField(Part):
    """A field of a NamedTuple, dataclass or TypedDict."""

    name: KeyText
    holds: SpecPart
    required: StrictBool = True


class RecordPart(Part):
    """A NamedTuple, dataclass or TypedDict of values."""

    type: Literal["record"]
    cls: Known = Field(validation_alias="class", serialization_alias="class")
    fields: tuple[RecordField, ...]


class PartitionPart(Part):
    """A PartitionSpec or NamedSharding in the place of an array."""

    type: Literal["partition"]
    cls: Known = Field(validation_alias="class", serialization_alias="class")
    axes: AxisNames | None = None
    shape: Shape | None = None
    rules: Rules | None = None
    memory_kind: KeyText | None = None
    unreduced: tuple[KeyText, ...] = ()
    reduced: tuple[KeyText, ...] = ()


class ValidatedPart(Part):
    """A value with validators, each by its name."""

    type: Literal["validated"]
    of: SpecPart
    validators: tuple[Validator, ...]


# -- Trees ---------------------------------------------------------------------------------


class LeafPart(Part):
    """A Variable of a kind; without a kind, a raw leaf of which more is said than its value."""

    type: Literal["leaf"]
    kind: Known | None = None
    holds: SpecPart
    exact: StrictBool = False
    axes: AxisNames | None = None
    by_dims: StrictBool = False
    validators: tuple[Validator, ...] = ()
    placed: PlacedPart | None = None
    stacked: tuple[StrictInt, ...] = ()
    memory_kind: KeyText | None = None
    unreduced: tuple[KeyText, ...] = ()
    reduced: tuple[KeyText, ...] = ()


class SchemaPart(Part):
    """A sub-state: one of the document's schemas, by its name there."""

    type: Literal["schema"]
    schema_: Name = Field(validation_alias="schema", serialization_alias="schema")


class SelectionPart(Part):
    """A filter of `Only` or `Rest` for undeclared leaves."""

    filter: FilterPart
    keep: StrictBool
    path: Path = ()


class AllowedPart(Part):
    """Leaves that may stand under undeclared keys, of any kind without `kinds`."""

    kinds: tuple[Known, ...] | None = None
    selections: tuple[SelectionPart, ...] = ()


class PatternPart(Part):
    """A hint for keys like ``layers_{}``; with a length, numbers from 0 stand in the braces."""

    keys: Pattern
    holds: SpecPart
    length: Size | None = None

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if self.length is not None and self.keys.count("{}") > 1:
            raise ValueError("a pattern whose keys are counted has one pair of braces")
        return self


class ExtraPart(Part):
    """The entries that are allowed under undeclared keys."""

    patterns: tuple[PatternPart, ...] = ()
    allowed: tuple[AllowedPart, ...] = ()


class MapPart(Part):
    """One level of like entries."""

    type: Literal["map"]
    keys: Literal["int", "str"]
    entry: SpecPart
    length: Size | None = None
    container: Container = "any"
    extra: ExtraPart | None = None


class EntriesPart(Part):
    """Entries by position; null keeps nothing."""

    type: Literal["entries"]
    items: tuple[SpecPart | None, ...]
    container: Container = "any"
    extra: ExtraPart | None = None


class TreePart(Part):
    """A tree of any depth with like leaves."""

    type: Literal["tree"]
    leaf: SpecPart
    container: Container = "any"


class UnionPart(Part):
    """One of these."""

    type: Literal["union"]
    options: Annotated[tuple[SpecPart, ...], Field(min_length=1)]


class BindPart(Part):
    """Dims of what is bound, as sizes over the names around it."""

    type: Literal["bind"]
    of: SpecPart
    dims: Links


class ScopedPart(Part):
    """Names kept apart under a name."""

    type: Literal["scoped"]
    of: SpecPart
    scope: Name


class ArgumentPart(Part):
    """A type argument in a schema made of a generic one: its names are those of where it stands.

    Attributes:
      subscription: the number of the subscription that wrote it; its schema has that too.
      index: the position of the argument, then that of an alternative of a union in it.
    """

    type: Literal["argument"]
    of: SpecPart
    subscription: StrictInt
    index: tuple[StrictInt, ...]


class WithinPart(Part):
    """A value, no state, with the names and type arguments of one of the document's schemas."""

    type: Literal["within"]
    of: SpecPart
    schema_: Name = Field(validation_alias="schema", serialization_alias="schema")


class SamePart(Part):
    """Alike with every other tree of a call that has this name, by all or by shapes or keys."""

    type: Literal["same"]
    of: SpecPart
    group: Name
    by: Likeness = "structure"


class PlacedAsPart(Part):
    """Each array is where that argument of a call puts its leaf."""

    type: Literal["placed_as"]
    of: SpecPart
    argument: Name


class FlatPart(Part):
    """Every leaf by its whole path: a tuple, or one name where a separator joins the keys."""

    type: Literal["flat"]
    of: SpecPart
    separator: Name | None = None


class DecidePart(Part):
    """A leaf of which the filters decide: what a selected one is, what another.

    Where it is open, nothing in the tree shows what the filter reads: either will do.
    """

    type: Literal["filtered"]
    filter: FilterPart
    path: Path = ()
    yes: SpecPart | None = None
    no: SpecPart | None = None
    open: StrictBool = False


class ModulePart(Part):
    """A live module with this state."""

    type: Literal["module"]
    cls: Known = Field(validation_alias="class", serialization_alias="class")
    state: SpecPart


SpecPart = Annotated[
    AnyPart
    | NonePart
    | InstancePart
    | LiteralPart
    | ArrayPart
    | TuplePart
    | ItemsPart
    | MappingPart
    | RecordPart
    | PartitionPart
    | ValidatedPart
    | LeafPart
    | SchemaPart
    | MapPart
    | EntriesPart
    | TreePart
    | UnionPart
    | BindPart
    | ScopedPart
    | ArgumentPart
    | WithinPart
    | SamePart
    | PlacedAsPart
    | FlatPart
    | DecidePart
    | ModulePart,
    Field(discriminator="type"),
]


class FieldPart(Part):
    """One declared key of a schema, and the attribute where that is another."""

    key: Key
    name: Identifier | None = None
    holds: SpecPart
    optional: StrictBool = False
    shared: KeyText | None = None


class SubscriptionPart(Part):
    """A subscription whose type arguments stand in the fields of a schema.

    Attributes:
      number: of the subscription in this document.
      own: its arguments are written in the class statement, so their names are the schema's own.
    """

    number: StrictInt
    own: StrictBool = False


class ClassPart(Part):
    """A schema class; one made of a generic one has `arguments`, written where it stands."""

    type: Literal["class"]
    name: Name
    fields: tuple[FieldPart, ...] = ()
    extra: ExtraPart | None = None
    subscriptions: tuple[SubscriptionPart, ...] = ()
    arguments: tuple[SpecPart, ...] = ()
