"""`UnknownKind`: the kind of a Variable whose kind is not known, e.g. in a checkpoint."""

from __future__ import annotations

from typing import Any

from flax import nnx


class UnknownKind(nnx.Variable[Any]):
    """Stands for any kind: no format of checkpoints keeps the kinds of Variables."""
