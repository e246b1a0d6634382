"""`Flat`: every leaf by its whole path."""

from __future__ import annotations

import typing
from typing import Any

from .._spec.describe import describe
from .._spec.nodes import FlatSpec, Spec
from ..errors import SchemaError
from .form_class import FormMeta, want_tree


class Flat(metaclass=FormMeta):
    """``Flat[S]``: leaves by path, as ``nnx.to_flat_state`` gives; ``Flat[S, "/"]``, by name.

    Without a separator it is pairs of a path and a leaf, or a dict whose keys are paths as tuples.
    With a separator it is a dict whose keys are joined names, such as ``"layers/0/kernel"``. Other
    forms go inside: ``Flat[Pure[S], "/"]`` has values instead of Variables. To a type checker it is
    a dict, and a separator is written ``Literal["/"]``, which the run time takes too.
    """

    @staticmethod
    def __typedstate_form__(inner: Spec, separator: Any = None) -> Spec:
        if typing.get_origin(separator) is typing.Literal:
            (separator,) = typing.get_args(separator)
        if separator is not None and not (isinstance(separator, str) and separator):
            owner = f"Flat[{describe(inner)}, {separator!r}]"
            raise SchemaError(f'{owner}: give what joins the keys, e.g. "/"')
        return FlatSpec(want_tree(inner, "Flat"), separator)
