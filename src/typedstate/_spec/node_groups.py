"""Groups of nodes: a ``match`` over specs may name one in the place of each of its members.

A node names its groups as bases. They hold no data: what a spec is, the union in `nodes` says.
"""

from __future__ import annotations

import msgspec


class ValueSpec(msgspec.Struct, frozen=True):
    """The content of a leaf, or an argument at a boundary: neither a leaf nor a part of a tree."""


class ContainerSpec(ValueSpec, frozen=True):
    """A container of values."""


class StateSpec(msgspec.Struct, frozen=True):
    """A leaf, a tree, or what takes the place of one: no value."""


class OneChildSpec(msgspec.Struct, frozen=True):
    """A node with one child, its ``inner``."""


class LevelSpec(StateSpec, frozen=True):
    """One level of a tree, with what stands under its keys."""


class WrapperSpec(StateSpec, OneChildSpec, frozen=True):
    """Says something of the names in its ``inner``, whose keys it has."""
