"""`Having`: what a schema leaves optional is required where it is used."""

from __future__ import annotations

import difflib
from collections.abc import Hashable
from typing import Any, Self

import msgspec

from .._annotations.context import NotYet
from .._spec.composition import transformed
from .._spec.describe import describe
from .._spec.filters import Wildcard
from .._spec.node_groups import WrapperSpec
from .._spec.nodes import Anything, EntriesSpec, Map, Node, Spec, Union
from .._spec.transform import Unchanged
from ..errors import SchemaError
from ..report import Path
from .form_class import FormMeta, want_tree

_Parts = tuple[str, ...]


class Requiring(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """`Having`: the entries at these paths have to be there."""

    paths: tuple[str, ...]

    def title(self, name: str) -> str:
        """``Having[LinearState, 'bias']``."""
        return f"Having[{', '.join([name, *map(repr, self.paths)])}]"

    def entered(self, path: Path) -> Self | None:
        """The rest of the paths, below a nested schema."""
        if not path:
            return self
        rest = [below for text in self.paths if (below := _below(text, path))]
        return type(self)(tuple(rest)) if rest else None

    def requires(self, path: Path) -> bool:
        """Whether one of the paths is this."""
        return any(_below(text, path) == "" for text in self.paths)

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Leaves stay."""
        return spec


def _below(text: str, path: Path) -> str | None:
    """What is left of a path below another; None where it leads somewhere else."""
    parts = text.split(".")
    if len(parts) < len(path) or not all(map(_is_key, parts, path)):
        return None
    return ".".join(parts[len(path) :])


def _is_key(part: str, key: Hashable) -> bool:
    return part == ("*" if isinstance(key, Wildcard) else str(key))


class Having(metaclass=FormMeta):
    """``Having[S, *paths]``: what S leaves optional is required here.

    Paths are dotted, from S: ``Having[AttentionState, "query.bias"]``; ``*`` stands for every
    entry of a map: ``Having[ModelState, "blocks.*.up.bias"]``.
    """

    @staticmethod
    def __typedstate_form__(inner: Spec, *paths: Any) -> Spec:
        want_tree(inner, "Having")
        title = f"Having[{', '.join([describe(inner), *map(repr, paths)])}]"
        if not paths:
            raise SchemaError(f'{title}: give what has to be there, "bias" say')
        for path in paths:
            if not isinstance(path, str):
                raise SchemaError(f'{title}: {path!r} is no path; write keys and dots, "up.bias"')
            try:
                _find(inner, tuple(path.split(".")), title)
            except NotYet:  # a schema in it is defined later
                continue
        return transformed(inner, Requiring(paths))


def _find(spec: Spec, parts: _Parts, title: str) -> None:
    """Refuses a path at which a tree has nothing to require."""
    while isinstance(spec, WrapperSpec):
        spec = spec.inner
    key, *rest = parts
    match spec:
        case Node(ref):
            schema = ref.resolve()
            fields = {str(field.key): field for field in schema.fields}
            if key not in fields:
                close = difflib.get_close_matches(key, fields, n=1)
                fix = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(fields)}"
                raise SchemaError(f"{title}: {describe(spec)} declares no {key!r}; {fix}")
            below = fields[key].spec
        case EntriesSpec(items):
            kept = items[int(key)] if key.isdecimal() and int(key) < len(items) else None
            if kept is None:
                raise SchemaError(f"{title}: {describe(spec)} keeps nothing at {key!r}")
            below = kept
        case Map():
            if key != "*" or not rest:
                raise SchemaError(f"{title}: the entries of a StateMap are alike; write '*.kernel'")
            below = spec.entry
        case Union(options):
            _find_in_any(options, parts, title)
            return
        case Anything():
            return
        case _:
            raise SchemaError(f"{title}: {describe(spec)} is a leaf, which has no {key!r}")
    if rest:
        _find(below, tuple(rest), title)


def _find_in_any(options: tuple[Spec, ...], parts: _Parts, title: str) -> None:
    failed: list[SchemaError] = []
    for option in options:
        try:
            _find(option, parts, title)
        except NotYet:
            raise
        except SchemaError as error:
            failed.append(error)
    if len(failed) == len(options):
        raise failed[0]
