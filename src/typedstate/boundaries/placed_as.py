"""The parameters that `PlacedAs` names, in a signature."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from .._spec.nodes import PlacedAsSpec, Spec
from .._spec.questions import parts
from ..errors import SchemaError


def arguments_of(spec: Spec | None) -> Iterator[str]:
    """The arguments by which something in a hint is placed."""
    if spec is None:
        return
    if isinstance(spec, PlacedAsSpec):
        yield spec.argument
    for part in parts(spec):
        yield from arguments_of(part)


def refuse_unknown(owner: str, spec: Spec, name: str, parameters: Iterable[str]) -> None:
    """Raises SchemaError where one of them is no other parameter that has an annotation."""
    known = [one for one in parameters if one != name]
    for argument in arguments_of(spec):
        if argument not in known:
            close = difflib.get_close_matches(argument, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
            text = f"PlacedAs[..., {argument!r}] names no other parameter with an annotation"
            raise SchemaError(f"{owner}: {text}; {hint}")
