"""Turns the models of forms in a document into transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from jax.sharding import NamedSharding, PartitionSpec

from .._spec.leaf_conditions import PlacedSpec
from .._spec.nodes import Leaf, Spec
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
from .term_reader import TermReader, links_of

ReadSpec = Callable[[n.SpecPart, str], Spec]


def transform_of(part: f.TransformPart, terms: TermReader, spec: ReadSpec, where: str) -> Transform:
    """The transform that a model describes.

    Args:
      part: the model.
      terms: reads its filters, kinds and dims.
      spec: reads the hints in it.
      where: the position in the document, for messages.

    Raises:
      SchemaError: a class or a function in the model is unknown.
    """
    match part:
        case f.SelectingForm(form=form, filters=filters):
            return Selecting(terms.filters(filters, where), keep=form == "Only")
        case f.PlusForm(kinds=kinds):
            return Adding(tuple(terms.kind(kind, where) for kind in kinds))
        case f.HavingForm(paths=paths):
            return Requiring(paths)
        case f.StackedForm():
            filters = terms.filters(part.filters, where)
            axis: Any = ... if part.axis is None and not part.nameless else part.axis
            return Stacking(part.dim, part.text, part.at, axis, filters)
        case f.PlacedForm(form=form, rules=rules):
            return Placing(PlacedSpec(terms.rules(rules, where)), form)
        case f.MemoryForm(kind=kind):
            return Keeping(kind)
        case f.RunsForm(own=own, outside=outside):
            return Unrolling(None, tuple(own.items()), tuple(outside.items()))
        case f.ShardedForm():
            groups = tuple(tuple(map(links_of, group)) for group in part.groups)
            return Naming(part.text, dict(part.table), groups, tuple(map(links_of, part.pending)))
        case f.PlainForm(form="Shardings"):
            return Replacing("Shardings", NamedSharding)
        case f.PlainForm(form="Specs"):
            return Replacing("Specs", PartitionSpec)
        case f.PlainForm(form="Abstract"):
            return Abstracting()
        case f.PlainForm(form=form):
            return Unwrapping(pure=form == "Pure")
        case f.LikeForm():
            like = tuple(cast(Leaf, spec(kind, where)) for kind in part.kinds)
            dtype = None if part.dtype is None else terms.dtype(part.dtype, where)
            values = tuple(spec(value, where) for value in part.values)
            filters = terms.filters(part.filters, where)
            return Resembling(part.text, like, dtype, values, part.form, filters)
