"""Turns transforms into the models of forms in a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from .._spec.nodes import Spec
from .._spec.selecting import Adding, Selecting
from .._spec.transform import Transform
from .._spec.unrolling import Unrolling
from ..forms.likeness import Resembling
from ..forms.memory import Keeping
from ..forms.placing import Naming, Placing
from ..forms.presence import Requiring
from ..forms.replacing import Abstracting, Replacing, Unwrapping
from ..forms.stacking import Stacking
from . import document_forms as f, document_nodes as n
from .term_writer import TermWriter, cut, links_part

WriteSpec = Callable[[Spec, str], n.SpecPart]


def form_part(form: Transform, terms: TermWriter, spec: WriteSpec, where: str) -> f.TransformPart:
    """The model of a form.

    Args:
      form: the transform.
      terms: writes its filters, kinds and dims.
      spec: writes the hints in it.
      where: the position in the hint, for messages.

    Raises:
      SchemaError: the form has a part that can't be written.
    """
    match form:
        case Selecting(filters, keep):
            kept = terms.filters(filters, where)
            return f.SelectingForm(form="Only" if keep else "Rest", filters=kept)
        case Adding(kinds):
            classes = tuple(terms.class_name(kind, where) for kind in kinds)
            return f.PlusForm(form="Plus", kinds=classes)
        case Requiring(paths):
            return f.HavingForm(form="Having", paths=paths)
        case Stacking(dim, text, index, partition, filters):
            return f.StackedForm(
                form="Stacked",
                dim=dim,
                text=text,
                at=index,
                axis=None if partition is ... else partition,
                nameless=partition is None,
                filters=terms.filters(filters, where),
            )
        case Placing(placed, name):
            rules = terms.rules(placed.rules, where)
            return f.PlacedForm(form=cast(Any, name), rules=rules)
        case Keeping(kind):
            return f.MemoryForm(form="MemoryKind", kind=kind)
        case Unrolling(_, own, outside):
            return f.RunsForm(form="Bind", own=dict(own), outside=dict(outside))
        case Naming(text, table, groups, pending):
            return f.ShardedForm(
                form="Sharded",
                text=text,
                table=dict(table),
                groups=tuple(tuple(map(links_part, group)) for group in groups),
                pending=tuple(map(links_part, pending)),
            )
        case Unwrapping(pure):
            return f.PlainForm(form="Pure" if pure else "Values")
        case Abstracting():
            return f.PlainForm(form="Abstract")
        case Replacing(name, _):
            return f.PlainForm(form=cast(Any, name))
        case Resembling(text, kinds, dtype, values, name, filters):
            leaves = tuple(spec(kind, where) for kind in kinds)
            return f.LikeForm(
                form=cast(Any, name),
                text=cut(text),
                kinds=cast("tuple[n.LeafPart, ...]", leaves),
                dtype=None if dtype is None else terms.dtype(*dtype, where),
                values=tuple(spec(value, where) for value in values),
                filters=terms.filters(filters, where),
            )
        case _:
            raise terms.error(where, f"the form {form.title('...')} has no document")
