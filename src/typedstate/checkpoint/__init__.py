"""Checkpoints beside their schemas: what they hold, whether it fits, and reading it so.

Imported only when it is asked for; Orbax and safetensors are the extra ``[checkpoint]``, and are
imported by the functions that need them.
"""

from __future__ import annotations

from .errors import CheckpointError
from .inspecting import inspect, is_checkpoint
from .restoring import Restored, restore
from .saving import save
from .stored import Checkpoint, StoredLeaf
from .verifying import verify
from .weight_rules import Rule
from .weights import Proof, Weights

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Proof",
    "Restored",
    "Rule",
    "StoredLeaf",
    "Weights",
    "inspect",
    "is_checkpoint",
    "restore",
    "save",
    "verify",
]
