"""The forms of a schema document: one pydantic model per form, and what a document has by name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from .document_nodes import ClassPart, LeafPart, SpecPart
from .document_terms import DtypePart, FilterPart, KeyText, Known, Links, Name, Part, Path, Rules


class SelectingForm(Part):
    """`Only` and `Rest`."""

    form: Literal["Only", "Rest"]
    filters: tuple[FilterPart, ...]


class PlusForm(Part):
    """`Plus`."""

    form: Literal["Plus"]
    kinds: tuple[Known, ...]


class HavingForm(Part):
    """`Having`."""

    form: Literal["Having"]
    paths: tuple[KeyText, ...]


class StackedForm(Part):
    """`Stacked`: `dim` is the axis's name inside, `text` what its user wrote.

    Attributes:
      axis: the axis's name in metadata.
      nameless: without a name it has its place there, which cannot be left out.
    """

    form: Literal["Stacked"]
    dim: Name
    text: Name
    at: StrictInt = 0
    axis: KeyText | None = None
    nameless: StrictBool = False
    filters: tuple[FilterPart, ...] = ()


class PlacedForm(Part):
    """`Placed` and `PlacedBy`."""

    form: Literal["Placed", "PlacedBy"]
    rules: Rules | None = None


class MemoryForm(Part):
    """`MemoryKind`."""

    form: Literal["MemoryKind"]
    kind: KeyText


class RunsForm(Part):
    """A `Bind` of runs of axes: each by the text of its axes.

    Attributes:
      own: the runs of the schema.
      outside: those that its type arguments have.
    """

    form: Literal["Bind"]
    own: dict[Name, tuple[Name, ...]]
    outside: dict[Name, tuple[Name, ...]]


class ShardedForm(Part):
    """`Sharded`, and the links that were passed on the way to the schema."""

    form: Literal["Sharded"]
    text: Name
    table: dict[Name, KeyText | tuple[KeyText, ...] | None]
    groups: tuple[tuple[Links, ...], ...] = ()
    pending: tuple[Links, ...] = ()


class PlainForm(Part):
    """A form without arguments."""

    form: Literal["Pure", "Values", "Abstract", "Shardings", "Specs"]


class LikeForm(Part):
    """`Like` and `Cast`."""

    form: Literal["Like", "Cast"]
    text: Name
    kinds: tuple[LeafPart, ...] = ()
    dtype: DtypePart | None = None
    values: tuple[SpecPart, ...] = ()
    filters: tuple[FilterPart, ...] = ()


TransformPart = Annotated[
    SelectingForm
    | PlusForm
    | HavingForm
    | StackedForm
    | PlacedForm
    | MemoryForm
    | RunsForm
    | ShardedForm
    | PlainForm
    | LikeForm,
    Field(discriminator="form"),
]


class FormPart(Part):
    """A form of another schema of the document.

    `path` are the keys on the way to it, where the form's filters read paths.
    """

    type: Literal["form"]
    of: Name
    form: TransformPart
    path: Path = ()


SchemaEntry = Annotated[ClassPart | FormPart, Field(discriminator="type")]
