"""Tells specs apart as files do: levels of keys, single arrays, values of several arrays."""

from __future__ import annotations

from typing import assert_never

from .._spec.node_groups import ContainerSpec, LevelSpec, OneChildSpec, StateSpec, ValueSpec
from .._spec.nodes import Anything, Array, Spec, Union, Validated


def is_tree(spec: Spec) -> bool:
    """Whether a spec describes a level of keys."""
    match spec:
        case LevelSpec():
            return True
        case Validated():
            return False
        case OneChildSpec():
            return is_tree(spec.inner)
        case Anything() | Union() | ValueSpec() | StateSpec():
            return False
        case _:
            assert_never(spec)


def is_structure(value: Spec) -> bool:
    """Whether the value of a Variable has several arrays, e.g. a tuple of them."""
    match value:
        case ContainerSpec():
            return True
        case Validated(inner):
            return is_structure(inner)
        case Union(options):
            return any(map(is_structure, options))
        case Anything() | ValueSpec() | StateSpec():
            return False
        case _:
            assert_never(value)


def array_of(value: Spec) -> Array | None:
    """The array in the value of a Variable, the first one of a union; None if there is none."""
    match value:
        case Array():
            return value
        case Validated(inner):
            return array_of(inner)
        case Union(options):
            found = [array for option in options if (array := array_of(option)) is not None]
            return found[0] if found else None
        case Anything() | ValueSpec() | StateSpec():
            return None
        case _:
            assert_never(value)
