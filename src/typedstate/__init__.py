"""Precise types for Flax NNX states: schemas that type checkers know and boundaries enforce.

Declare what a state holds, once, and use it everywhere::

    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "din dout"]]
        bias: nnx.Param[Float[Array, "dout"]] | None

    @checked
    def scale(state: LinearState, by: float) -> LinearState: ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .boundary import checked
from .checking import check, explain, fits, source_of
from .errors import SchemaError, StateTypeError, TypedStateWarning
from .forms import (
    Abstract,
    Axis,
    Bind,
    Entries,
    Exactly,
    Like,
    Only,
    Plus,
    Pure,
    Rest,
    Same,
    Scoped,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    StateOf,
    Values,
)
from .mode import suspended
from .report import Report, Unknown, Violation
from .schema import Alias, Shared, TypedState

if TYPE_CHECKING:
    from .doctor import doctor as doctor
    from .hook import install_import_hook
    from .structure import merge, update

#: Where names live that few programs need; `doctor` is its own module, which can be called.
_LATER = {
    "doctor": "doctor",
    "install_import_hook": "hook",
    "merge": "structure",
    "update": "structure",
}

__version__ = "0.1.0"
__all__ = [
    "Abstract",
    "Alias",
    "Axis",
    "Bind",
    "Entries",
    "Exactly",
    "Like",
    "Only",
    "Plus",
    "Pure",
    "Report",
    "Rest",
    "Same",
    "SchemaError",
    "Scoped",
    "Shardings",
    "Shared",
    "Specs",
    "Stacked",
    "StateMap",
    "StateOf",
    "StateTypeError",
    "TypedState",
    "TypedStateWarning",
    "Unknown",
    "Values",
    "Violation",
    "check",
    "checked",
    "doctor",
    "explain",
    "fits",
    "install_import_hook",
    "merge",
    "source_of",
    "suspended",
    "update",
]


def __getattr__(name: str) -> Any:
    """Imports what few programs need when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module 'typedstate' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f".{_LATER[name]}", __name__)
    return module if name == _LATER[name] else getattr(module, name)
