"""The kind of a Variable of which nothing says the kind, as that of a stored array is."""

from __future__ import annotations

from typing import Any

from flax import nnx


class UnknownKind(nnx.Variable[Any]):
    """Stands for any kind: no format of checkpoints keeps of which kind a Variable was."""
