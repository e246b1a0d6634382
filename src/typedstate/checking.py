"""Checks of a value: `check`, `fits`, `explain`; and `source_of`, the generated code of a hint."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flax import nnx
from typing_extensions import TypeForm, TypeIs

from . import _validation
from ._annotations.spec_of import name_of, spec_of
from ._compat import modules, variables
from ._fastpath.judge import Known, given_sizes, judged
from .errors import StateTypeError

if TYPE_CHECKING:
    from .report import Report

T = TypeVar("T")


def check(value: object, hint: TypeForm[T], *, dims: Mapping[str, int] | None = None) -> T:
    """Returns a value once it fits a hint.

    Args:
      value: a state, a nested dict, a leaf, or a container of those; it is returned as it is.
      hint: any hint that a checked function may have: a schema, a form, an array, a union.
      dims: sizes of the hint's outermost names, e.g. from a configuration.

    Raises:
      StateTypeError: it does not fit; the error holds every violation.
      SchemaError: the hint can mean nothing.
    """
    __tracebackhide__ = True
    is_class = isinstance(hint, type)
    report = judged(value, hint, dims) if is_class else explain(value, hint, dims=dims)
    if report is not None and not report:
        raise StateTypeError(str(report), report)
    return value  # type: ignore[return-value]


def fits(value: object, hint: TypeForm[T], *, dims: Mapping[str, int] | None = None) -> TypeIs[T]:
    """Whether a value fits a hint; to a type checker it then has that type."""
    is_class = isinstance(hint, type)
    report = judged(value, hint, dims) if is_class else explain(value, hint, dims=dims)
    return report is None or bool(report)


def explain(value: object, hint: Any, *, dims: Mapping[str, int] | None = None) -> Report:
    """Reports every way in which a value does not fit a hint; the report is truthy if it fits.

    Raises:
      SchemaError: the hint means nothing, or `dims` has a name that the hint lacks.
    """
    spec = spec_of(hint)
    walk = _validation.Walk(given=given_sizes(dims, hint, spec))
    walk.visit(value, spec, hint=hint)
    return walk.report(name_of(hint, spec))


def source_of(hint: Any) -> str:
    """The code that was generated for the values of a schema or form accepted so far.

    Empty before the second of them.
    """
    own = cast(Mapping[str, Any], vars(hint))
    plain: Known | None = own.get("__typedstate_known__")
    given: Mapping[Hashable, Known] = own.get("__typedstate_given__", {})
    every = [known for known in (plain, *given.values()) if known is not None]
    texts = [
        text for known in every for text in (*known.structures.sources(), *known.calls.sources())
    ]
    return "\n".join(texts)


def checked_state(
    hint: Any, node_or_state: Any, filters: tuple[Any, ...], dims: Mapping[str, int] | None
) -> Any:
    """The state of a node, or a state itself, checked against a hint and filters."""
    __tracebackhide__ = True
    state = node_or_state
    if modules.is_module(node_or_state):
        state = nnx.state(node_or_state, *(filters and (_any_of(filters),)))
    elif filters and (mapping := variables.mapping_of(state)) is not None:
        state = _filtered(state if variables.is_state(state) else nnx.State(mapping), filters)
    return check(state, hint, dims=dims)


def _filtered(state: Any, filters: tuple[Any, ...]) -> Any:
    try:
        return nnx.filter_state(state, _any_of(filters))
    except Exception:  # keys that Flax can't sort, a filter that raises: the check says which
        return state


def _any_of(filters: tuple[Any, ...]) -> Any:
    return filters[0] if len(filters) == 1 else nnx.filterlib.Any(*filters)
