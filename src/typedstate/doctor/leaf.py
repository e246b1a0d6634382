"""Describes a leaf in one short notation: its class, its kind and the class of its raw value.

`Param[ArrayImpl]` is a `Param` that holds an `ArrayImpl`; `VariableState:Param[ArrayImpl]` a leaf
of another class that stands for a `Param`; `ndarray` a raw leaf. The probes of every context call
`describe`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from typedstate._compat import variables
from typedstate.doctor.installed import jax, module, named, nnx
from typedstate.report import Path

is_variable = variables.is_variable
is_ref = variables.is_reference


def is_leaf(value: Any) -> bool:
    """Whether an attribute of a module is something that a state could hold as a leaf."""
    numpy = module("numpy")
    return is_variable(value) or is_ref(value) or isinstance(value, (jax.Array, numpy.ndarray))


def value_class(value: Any) -> str:
    """The class of a raw value; for a tracer of no plain array also what it traces."""
    name = type(value).__name__
    if not isinstance(value, jax.core.Tracer):
        return name
    aval = type(named(value, "aval")).__name__
    return name if aval in ("ShapedArray", "NoneType") else f"{name} of {aval}"


def kind(leaf: Any) -> str:
    """The kind of a leaf: a Variable class's name, or `raw`."""
    return variables.kind_of(leaf).__name__ if is_variable(leaf) else "raw"


def describe(leaf: Any) -> str:
    """A leaf in the notation of this module."""
    if not is_variable(leaf):
        return value_class(leaf)
    name, value = kind(leaf), variables.raw_value(leaf)
    own = type(leaf).__name__
    prefix = "" if own == name else f"{own}:"
    return f"{prefix}{name}[{value_class(value)}]"


def metadata_of(leaf: Any) -> dict[str, Any]:
    """The metadata of a Variable, as it is stored."""
    return dict(variables.metadata_of(leaf))


def leaves_of(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf of a state or of nested dicts, with its path, in the tree's own order."""
    if not isinstance(tree, (nnx.State, Mapping)):
        yield path, tree
        return
    mapping: Mapping[Any, Any] = tree.raw_mapping if isinstance(tree, nnx.State) else tree
    for key, value in mapping.items():
        yield from leaves_of(value, (*path, key))


def join(path: Path) -> str:
    """A path in one string; a key that is no plain name is shown as its repr."""
    return "/".join(
        key if isinstance(key, str) and key.isidentifier() else repr(key) for key in path
    )


def summary(leaves: Iterator[Any] | list[Any]) -> str:
    """The different leaves among these, sorted, in one string."""
    found = sorted({describe(leaf) for leaf in leaves})
    return ", ".join(found) if found else "no leaves"


def tree_summary(tree: Any) -> str:
    """`summary` of a state or of nested dicts."""
    return summary([leaf for _, leaf in leaves_of(tree)])
