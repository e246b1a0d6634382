"""Guarded code: functions that say whether a value is like one that the walk accepted.

A verdict depends on keys, classes, dtypes and sizes, and on the answers of guards. The code
compares all of these but the sizes; `SizeConstraints` tell which sizes fit together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import msgspec

from .._validation.trace import Trace
from ..report import Path
from .compiled import execute
from .emitter import Emitter, Source, is_aval
from .module_code import live_lines
from .size_code import ShapeSource
from .value_code import NotCompilable, ValueCode


class GuardedCode(msgspec.Struct, frozen=True, eq=False):
    """The functions that were generated for one structure.

    Attributes:
      source: the text of the functions.
      like: whether a value with given shapes is like the accepted one; an exception means no.
      read: the shapes of a value, and a key that is equal for equal shapes; an exception means
        that the value is not like the accepted one.
      shapes: the shapes of the accepted value.
      places: the index of the shape of the array at each path.
    """

    source: str
    like: Callable[..., bool]
    read: Callable[[Any], tuple[Hashable, tuple[ShapeSource, ...]]]
    shapes: tuple[ShapeSource, ...]
    places: Mapping[Path, int]


def generate(value: Any, trace: Trace) -> GuardedCode:
    """Generates the functions that recognise values like this one.

    Args:
      value: one that was accepted.
      trace: of its walk.

    Raises:
      NotCompilable: the value holds something whose class does not decide.
    """
    text = Emitter()
    values = ValueCode(text, trace, live_lines)
    root, order = values.function(value, (), None)
    if values.guards:  # of something that the code does not reach, e.g. an attribute
        raise NotCompilable
    shapes = [text.shapes[number] for number in order]
    places = {number: place for place, number in enumerate(order)}
    reads = [_reached(text.sources[number], "v0") for number in order]
    keys = [f"address(a{i})" if is_aval(item) else f"a{i}" for i, item in enumerate(shapes)]
    read = [f"    a{place} = {read}" for place, read in enumerate(reads)]
    names = ", ".join(f"a{place}" for place in range(len(order)))
    read.append(f"    return ({', '.join(keys)},), ({names},)" if keys else "    return (), ()")
    source = "\n".join([*text.functions, "def read(v0):", *read, ""])
    execute(source, "guards", text.names, root)
    text.learn_aliases()
    return GuardedCode(
        source,
        text.names[root],
        text.names["read"],
        tuple(shapes),
        {path: places[number] for path, number in text.places.items()},
    )


def _reached(source: Source, whole: str) -> str:
    """The text that reads a part of a value."""
    steps: list[tuple[str, str]] = []
    while source is not None:
        source, before, after = source
        steps.append((before, after))
    for before, after in reversed(steps):
        whole = f"{before}{whole}{after}"
    return whole
