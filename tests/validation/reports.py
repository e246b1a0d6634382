"""States with typical mistakes."""

from __future__ import annotations

from typing import Any

from flax import nnx

from tests import zoo
from typedstate import explain


def mlp() -> dict[str, Any]:
    """The state of a sound model, as plain dicts that a test may break."""
    tree: dict[str, Any] = zoo.as_dict(nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0))))
    return tree


def text(tree: Any, hint: Any) -> str:
    return str(explain(nnx.State(tree) if isinstance(tree, dict) else tree, hint))


def misspelt() -> Any:
    tree = mlp()
    tree["up"]["kernal"] = tree["up"].pop("kernel")
    return nnx.State(tree)
