"""`Only`, `Rest`, `Plus`: select leaves of a schema by filters, or allow further kinds."""

from __future__ import annotations

from typing import Any, ClassVar

from .._annotations.hint_kinds import variable_class
from .._spec.composition import transformed
from .._spec.describe import describe
from .._spec.nodes import Spec
from .._spec.selecting import Adding, Selecting
from ..errors import SchemaError
from .form_class import FormMeta, want_tree


def _selected(inner: Spec, form: str, selecting: Selecting) -> Spec:
    if not selecting.filters:
        raise SchemaError(f"{form}[{describe(inner)}]: give a filter, e.g. nnx.Param")
    return transformed(want_tree(inner, form), selecting)


class Only(metaclass=FormMeta):
    """``Only[S, *filters]``: just the leaves that any of these NNX filters selects."""

    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, *filters: Any) -> Spec:
        return _selected(inner, "Only", Selecting(filters, keep=True))


class Rest(metaclass=FormMeta):
    """``Rest[S, *filters]``: the leaves that none of these NNX filters selects."""

    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, *filters: Any) -> Spec:
        return _selected(inner, "Rest", Selecting(filters, keep=False))


class Plus(metaclass=FormMeta):
    """``Plus[S, *kinds]``: leaves of these kinds may stand anywhere in it."""

    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, *kinds: Any) -> Spec:
        if not kinds or not all(variable_class(kind) for kind in kinds):
            raise SchemaError(f"Plus[{describe(inner)}, ...]: give Variable classes")
        return transformed(want_tree(inner, "Plus"), Adding(kinds))
