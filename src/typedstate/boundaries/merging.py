"""`Merges`: ties a GraphDef in a signature to the states beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .._compat import axis_rules, variables
from ..errors import SchemaError
from ..report import Path, Violation, show_path

if TYPE_CHECKING:
    from .._validation.findings import Findings


@dataclasses.dataclass(frozen=True, slots=True)
class Merges:
    """``Annotated[nnx.GraphDef[Model], Merges("params", "rest")]``: the states that it merges with.

    Attributes:
      parameters: the names of the parameters with the states, which together have each leaf of
        the GraphDef once. Keys, kinds and axis names are compared, as `merge` does; a GraphDef
        has no shapes.
    """

    parameters: tuple[str, ...]

    def __init__(self, *parameters: str) -> None:
        """Names the parameters of the function that have the states."""
        if not parameters:
            raise SchemaError('Merges names the parameters that have the states: Merges("state")')
        object.__setattr__(self, "parameters", parameters)


def merges_of(hint: Any) -> tuple[str, ...]:
    """The parameters that a hint of a GraphDef names."""
    metadata = getattr(hint, "__metadata__", ())
    return tuple(n for item in metadata if isinstance(item, Merges) for n in item.parameters)


def refuse_unknown(owner: str, merges: tuple[str, ...], annotated: Mapping[str, Any]) -> None:
    """Raises SchemaError where a name is of no parameter that has an annotation."""
    for name in merges:
        if name not in annotated:
            known = ", ".join(annotated)
            raise SchemaError(
                f"{owner}: Merges({name!r}) names no annotated parameter; there are {known}"
            )


def see_belonging(
    found: Findings, name: str, merges: tuple[str, ...], values: Mapping[str, Any]
) -> None:
    """Adds what is wrong with the states of a GraphDef, and what a known call must ask again.

    Args:
      found: what the walk of the call saw.
      name: the parameter that has the GraphDef.
      merges: those that have its states.
      values: of all parameters.
    """
    from .._validation import Guard
    from .nnx_functions import unmergeable

    graphdef, states = values[name], tuple(values[one] for one in merges)
    try:
        unfit = unmergeable(graphdef, states)
    except TypeError:  # no GraphDef, which its own hint says
        return
    for item in unfit:
        one = item.violation
        found.order += 1
        root = _root(one.keys, dict(zip(merges, states, strict=True)))
        path = show_path(one.keys, root)
        note = one.note or f"{name} is of another model"
        violation = Violation(path, one.code, one.expected, one.actual, note, one.keys)
        found.violate(violation, item.cause)
    found.traces[name].guards.append(Guard((), lambda other: bool(other == graphdef)))
    for state, parameter in zip(states, merges, strict=True):
        signs = _signs(state)
        found.traces[parameter].guards.append(Guard((), partial(_has_signs, signs)))


def _root(keys: Path, states: Mapping[str, Any]) -> str:
    """The state in which a path leads furthest; of several equal ones the first."""
    return max(states, key=lambda name: _depth(states[name], keys))


def _depth(value: Any, keys: Path) -> int:
    for depth, key in enumerate(keys):
        mapping = variables.mapping_of(value)
        if mapping is None or key not in mapping:
            return depth
        value = mapping[key]
    return len(keys)


def _signs(state: Any) -> dict[Path, Hashable]:
    """Kind and axis names of each leaf."""
    return dict(_leaf_signs(state, ()))


def _has_signs(signs: dict[Path, Hashable], state: Any) -> bool:
    return _signs(state) == signs


def _leaf_signs(value: Any, path: Path) -> Iterator[tuple[Path, Hashable]]:
    mapping = variables.mapping_of(value)
    if mapping is not None:
        for key, item in dict(mapping).items():
            yield from _leaf_signs(item, (*path, key))
    elif variables.is_variable(value):
        names = axis_rules.declared_names(variables.metadata_of(value))
        yield path, (variables.kind_of(value), names)
    else:
        yield path, None
