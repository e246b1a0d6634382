"""Shared Variables of a live module, compared with what its schema declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

import msgspec

from .._spec.node_groups import StateSpec, ValueSpec, WrapperSpec
from .._spec.nodes import Anything, Field, Node, Spec, Union
from ..report import Path, show_path


class WrongShare(msgspec.Struct, frozen=True):
    """A shared attribute of a module that is the Variable of another place than declared."""

    path: Path
    target: str
    actual: str


def wrong_shares(spec: Spec, shared: Mapping[Path, Path]) -> Iterator[WrongShare]:
    """Yields the fields declared as shared that are shared with something else."""
    for path, field in _shared_fields(spec, (), frozenset()):
        first = shared.get(path)
        assert field.shared is not None
        if first is not None and show_path(first) != field.shared:
            yield WrongShare(path, field.shared, show_path(first))


def _shared_fields(spec: Spec, path: Path, seen: frozenset[int]) -> Iterator[tuple[Path, Field]]:
    match spec:
        case WrapperSpec():
            yield from _shared_fields(spec.inner, path, seen)
        case Node(ref) if id(ref) not in seen:
            for field in ref.resolve().fields:
                child = (*path, field.key)
                if field.shared is not None:
                    yield child, field
                else:
                    yield from _shared_fields(field.spec, child, seen | {id(ref)})
        case Anything() | Union() | ValueSpec() | StateSpec():
            return
        case _:
            assert_never(spec)
