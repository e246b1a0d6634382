"""What others take for as much as they can say of the same state; only those installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import pydantic
from beartype import beartype
from flax import nnx
from jaxtyping import Array, Float, PyTree

from .measure import Work


def touching(state: Any) -> Callable[[Any], None]:
    """Generated code that reads of each leaf what a check must know, and compares nothing.

    That is its class, its shape and dtype, and whether it was donated.
    """
    lines = ["def touch(m):", "    m = m.raw_mapping"]
    names: dict[str, Any] = {}

    def walk(mapping: Any, depth: int) -> None:
        for key, item in mapping.items():
            names[f"k{len(names)}"] = key
            lines.append(f"    v{depth} = v{depth - 1}[k{len(names) - 1}]")
            if isinstance(item, dict | nnx.State):
                walk(item, depth + 1)
            else:
                lines.append(f"    r = v{depth}._raw_value; type(v{depth}); a = r.aval")
                lines.append("    a.shape; a.dtype; r.is_deleted()")

    lines.append("    v0 = m")
    walk(state.raw_mapping, 1)
    exec("\n".join(lines), names)
    touch: Callable[[Any], None] = names["touch"]
    return touch


def of(state: Any) -> dict[str, Work]:
    """The peers' checks of a right state, by name."""
    flat = [leaf.get_raw_value() for _, leaf in nnx.to_flat_state(state)]
    dims = [Float[Array, " ".join(f"d{axis}" for axis in range(leaf.ndim))] for leaf in flat]

    @beartype
    def beartyped(state: nnx.State[Any, Any]) -> None: ...

    adapter = (
        pydantic.TypeAdapter(
            nnx.State[Any, Any], config=pydantic.ConfigDict(arbitrary_types_allowed=True)
        )
        if _pydantic_takes_states()
        else None
    )
    works: dict[str, Work] = {
        "beartype (the class only)": lambda: beartyped(state),
        "jaxtyping, each leaf by hand": lambda: [
            isinstance(leaf, hint) for leaf, hint in zip(flat, dims, strict=True)
        ],
    }
    if adapter is not None:
        works["pydantic (the class only)"] = lambda: adapter.validate_python(state)
    return works


def slow(state: Any) -> dict[str, Work]:
    """Those that take many times as long as ``jax.tree.leaves``."""
    tree: Any = PyTree[Float[Array, "..."]]
    works: dict[str, Work] = {"jaxtyping PyTree": lambda: isinstance(state, tree)}
    return works | _chex(state) | _penzai(state)


def _pydantic_takes_states() -> bool:
    try:
        config = pydantic.ConfigDict(arbitrary_types_allowed=True)
        pydantic.TypeAdapter(nnx.State[Any, Any], config=config)
    except Exception:
        return False
    return True


def _chex(state: Any) -> dict[str, Work]:
    try:
        import chex
    except ImportError:
        return {}
    reference = jax.tree.map(lambda x: x, state)
    return {"chex": lambda: chex.assert_trees_all_equal_shapes_and_dtypes(state, reference)}


def _penzai(state: Any) -> dict[str, Work]:
    try:
        from penzai.core import shapecheck
    except ImportError:
        return {}
    reference = shapecheck.as_array_structure(state)
    return {"penzai": lambda: shapecheck.check_structure(state, reference)}
