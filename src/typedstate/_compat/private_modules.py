"""Private modules and slots of Flax, for the probe, which reports on them.

All is `Any`: the probe runs on Flaxes whose names differ, and asks instead of assuming.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any


def module(*names: str) -> Any:
    """The first of these modules that exists here, or None; shows no deprecation warning."""
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return importlib.import_module(name)
            except ImportError:
                continue
    return None


variablelib: Any = module("flax.nnx.variablelib")
statelib: Any = module("flax.nnx.statelib")
graphlib: Any = module("flax.nnx.graphlib", "flax.nnx.graph")


def metadata_slot(variable: Any) -> Any:
    """The object in which a Variable keeps its metadata; AttributeError where there is none."""
    return object.__getattribute__(variable, "_var_metadata")
