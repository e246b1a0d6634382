"""Checkpoints and schemas: look into a checkpoint, verify, restore, migrate, save, map weights.

Imported only when it is asked for; Orbax and safetensors are the extra ``[checkpoint]``, and are
imported by the functions that need them.
"""

from __future__ import annotations

from . import comparing as comparing  # tells `diff` and `show` how a checkpoint is read
from .errors import CheckpointError
from .inspecting import inspect, is_checkpoint
from .migrating import migrate
from .proposing import Proposal, propose
from .restoring import Restored, restore
from .saving import save, save_args
from .stored import Checkpoint, StoredLeaf
from .verifying import verify
from .weight_rules import Rule
from .weights import Proof, Weights

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Proof",
    "Proposal",
    "Restored",
    "Rule",
    "StoredLeaf",
    "Weights",
    "inspect",
    "is_checkpoint",
    "migrate",
    "propose",
    "restore",
    "save",
    "save_args",
    "verify",
]
