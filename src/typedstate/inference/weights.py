"""Finds the roles of the axes of a layer, of a leaf, and of an einsum's weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flax import nnx

from .._compat.storage import ANYWHERE, Storage
from .catalogue import is_convolution
from .observe import (
    ArraySeen,
    BranchSeen,
    LeafSeen,
)
from .roles import (
    ANY,
    FEATURES,
    HEADS,
    IN,
    KV_HEADS,
    OUT,
    VOCAB,
    Role,
    of_axis_names,
    of_kernel,
    of_layer,
    of_leaf,
    of_letters,
    of_norm,
    of_projection,
    of_table,
)
from .uses import (
    Draft,
    LeafNames,
)


def role_here(role: Role, key: str, projection: str) -> Role:
    """The role of a dim of a class, by the attribute that holds it.

    Args:
      role: that it has in the class.
      key: the attribute.
      projection: the attribute as that of a layer between two widths; empty if it is none.
    """
    if role.kind == FEATURES:
        return of_norm(key)
    if role.kind == VOCAB and key:
        return of_table(key)
    if role.kind in (IN, OUT) and not role.name:
        return of_projection(projection)[role.kind == OUT]
    if role.kind == HEADS and of_layer("SplitHeadsState", "heads", key).kind == KV_HEADS:
        return Role(KV_HEADS)
    return role


def layer_names(branches: Sequence[BranchSeen | None]) -> tuple[LeafNames, ...]:
    """The axis names and storage of a layer's leaves, by key, where all places have them."""
    names: dict[str, set[tuple[tuple[Any, ...] | None, Storage]]] = {}
    for branch in branches:
        for key, item in branch.items.items() if branch is not None else ():
            if isinstance(key, str) and isinstance(item, LeafSeen):
                names.setdefault(key, set()).add((item.names, item.storage))
    one = {key: next(iter(found)) for key, found in names.items() if len(found) == 1}
    said = one.items()
    return tuple((key, *found) for key, found in said if found != (None, ANYWHERE))


def layer_keys(branches: Sequence[BranchSeen | None]) -> tuple[tuple[str, bool], ...]:
    """The keys of a layer's leaves, and whether all of its places have them."""
    there = [branch.items for branch in branches if branch is not None]
    keys = dict.fromkeys(key for items in there for key in items if isinstance(key, str))
    return tuple((key, all(key in items for items in there)) for key in keys)


def leaf_roles(
    owner: Draft, key: str, names: Sequence[object] | None, rank: int, sole: bool
) -> tuple[Role, ...]:
    """The roles of a leaf's axes: from its einsum, the names of its axes, or its key."""
    roles = _roles_of(owner, key, rank, sole)
    if names is None or len(names) > rank:
        return roles
    return of_axis_names((*names, *(None for _ in range(rank - len(names)))), roles)


def _roles_of(owner: Draft, key: str, rank: int, sole: bool) -> tuple[Role, ...]:
    if owner.roles is not None and len(owner.roles) == rank:
        return owner.roles
    if key == "kernel" and is_convolution(owner.cls):
        return of_kernel(rank)
    roles = of_leaf(key, rank, sole)
    return roles if len(roles) == rank else tuple(Role(ANY) for _ in range(rank))


def weight_roles(branch: BranchSeen) -> tuple[Role, ...] | None:
    """The roles of the axes of a module's only weight with three or more axes, from its einsum."""
    equation = _equation(branch.node)
    ranks = {
        len(item.value.shape)
        for item in branch.items.values()
        if isinstance(item, LeafSeen) and isinstance(item.value, ArraySeen)
    }
    wide = [rank for rank in ranks if rank > 2]
    if equation is None or len(wide) != 1:
        return None
    roles = of_letters(equation, wide[0])
    if roles is None:
        return None
    heads = Role(HEADS)
    return tuple(heads if role.kind == KV_HEADS else role for role in roles)


def _equation(node: Any) -> str | None:
    if not isinstance(node, nnx.Module):
        return None
    for name in ("einsum_str", "equation", "eqn", "einsum"):
        found = vars(node).get(name)
        if isinstance(found, str) and "->" in found:
            return found
    return None
