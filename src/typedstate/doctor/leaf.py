"""What a leaf is: its class, its kind and the class of its raw value, in one short notation.

`Param[ArrayImpl]` is a `Param` that holds an `ArrayImpl`; `VariableState:Param[ArrayImpl]` a leaf
of another class that stands for a `Param`; `ndarray` a raw leaf. The probes of every context call
`describe`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from typedstate.doctor.installed import jax, module, named, nnx, own_names, variablelib

Path = tuple[Any, ...]

_VARIABLE: Any = named(variablelib, "Variable")
_SLOT = "_raw_value" if "_raw_value" in _VARIABLE.__slots__ else "raw_value"


def _class_of(name: str) -> Any:
    """A class of Flax's variablelib by that very name; an alias of `Variable` does not count."""
    found = own_names(variablelib).get(name)
    return None if found is _VARIABLE else found


_STATE_LEAF: Any = _class_of("VariableState")
_HIJAX: Any = _class_of("HijaxVariable")


def is_variable(leaf: Any) -> bool:
    """Whether the leaf is a Variable or stands for one."""
    stands_for_one = _STATE_LEAF is not None and isinstance(leaf, _STATE_LEAF)
    return stands_for_one or isinstance(leaf, _VARIABLE)


def is_ref(leaf: Any) -> bool:
    """Whether the leaf is a mutable array reference."""
    test = named(variablelib, "is_array_ref", "is_mutable_array")
    return bool(test(leaf)) if test is not None else False


def is_leaf(value: Any) -> bool:
    """Whether an attribute of a module is something that a state could hold as a leaf."""
    numpy = module("numpy")
    return is_variable(value) or is_ref(value) or isinstance(value, (jax.Array, numpy.ndarray))


def _traced_inside(leaf: Any) -> Any:
    """The plain Variable of abstract values that a traced hijax variable stands for.

    Made from the tracer's type or its current state type: reading it through the tracer's own
    methods would add an equation to the program that is being traced.
    """
    aval = jax.typeof(leaf)
    if getattr(aval, "_leaves", None) is not None:
        return jax.tree.unflatten(aval._treedef, aval._leaves)
    current = module("jax.experimental").cur_qdd(leaf)
    return jax.tree.unflatten(current.treedef, current.leaf_avals)


def _hijax_parts(leaf: Any) -> tuple[Any, Any]:
    if isinstance(leaf, jax.core.Tracer):
        inside = _traced_inside(leaf)
    elif "_leaves" in _HIJAX.__slots__:
        inside = jax.tree.unflatten(leaf._treedef, leaf._leaves)
    else:
        return leaf._var_type, object.__getattribute__(leaf, "_raw_value")
    return inside.__class__, object.__getattribute__(inside, _SLOT)


def _parts(leaf: Any) -> tuple[Any, Any]:
    """The kind and the raw value of a leaf that `is_variable`."""
    if _STATE_LEAF is not None and isinstance(leaf, _STATE_LEAF):
        return leaf.type, object.__getattribute__(leaf, "value")
    if _HIJAX is not None and isinstance(leaf, (_HIJAX, jax.core.Tracer)):
        return _hijax_parts(leaf)
    return leaf.__class__, object.__getattribute__(leaf, _SLOT)


def value_class(value: Any) -> str:
    """The class of a raw value; a tracer of anything but a plain array also says of what."""
    name = type(value).__name__
    if not isinstance(value, jax.core.Tracer):
        return name
    aval = type(named(value, "aval")).__name__
    return name if aval in ("ShapedArray", "NoneType") else f"{name} of {aval}"


def kind(leaf: Any) -> str:
    """The kind of a leaf: a Variable class's name, or `raw`."""
    return str(_parts(leaf)[0].__name__) if is_variable(leaf) else "raw"


def describe(leaf: Any) -> str:
    """A leaf in the notation of this module."""
    if not is_variable(leaf):
        return value_class(leaf)
    stands_for, value = _parts(leaf)
    name = stands_for.__name__
    own = type(leaf).__name__
    prefix = "" if own == name else f"{own}:"
    return f"{prefix}{name}[{value_class(value)}]"


def metadata_of(leaf: Any) -> dict[str, Any]:
    """The metadata of a Variable, as it is stored."""
    found: dict[str, Any] = dict(object.__getattribute__(leaf, "_var_metadata"))
    return found


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
