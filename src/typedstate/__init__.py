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

from .mode import suspended

if TYPE_CHECKING:
    from .boundaries.decorator import checked
    from .boundaries.import_hook import install_import_hook
    from .boundaries.nnx_functions import merge, update
    from .checking import check, explain, fits, source_of
    from .derive.trees import abstract, shardings, specs
    from .doctor import doctor
    from .errors import SchemaError, StateTypeError, TypedStateWarning
    from .export.document import SchemaDocument
    from .export.source import to_source
    from .forms import (
        Abstract,
        Axis,
        Bind,
        Cast,
        Entries,
        Exactly,
        Like,
        Only,
        Placed,
        PlacedBy,
        Plus,
        Pure,
        Rest,
        Same,
        Scoped,
        Sharded,
        Shardings,
        Specs,
        Stacked,
        StateMap,
        StateOf,
        Values,
    )
    from .inference.infer import infer
    from .report import Report, Unknown, Violation
    from .schema.field import Alias, Shared
    from .schema.typed_state import TypedState

#: The module of each public name; it is imported when the name is first asked for, so that a
#: pytest run or a command line that only finds typedstate installed does not import Flax.
_MODULES = {
    "doctor": "doctor",
    "Abstract": "forms",
    "Alias": "declaration",
    "Axis": "forms",
    "Bind": "forms",
    "Cast": "forms",
    "Entries": "forms",
    "Exactly": "forms",
    "Like": "forms",
    "Only": "forms",
    "Placed": "forms",
    "PlacedBy": "forms",
    "Plus": "forms",
    "Pure": "forms",
    "Report": "report",
    "Rest": "forms",
    "Same": "forms",
    "SchemaDocument": "export.document",
    "SchemaError": "errors",
    "Scoped": "forms",
    "Sharded": "forms",
    "Shardings": "forms",
    "Shared": "declaration",
    "Specs": "forms",
    "Stacked": "forms",
    "StateMap": "forms",
    "StateOf": "forms",
    "StateTypeError": "errors",
    "TypedState": "schema",
    "TypedStateWarning": "errors",
    "Unknown": "report",
    "Values": "forms",
    "Violation": "report",
    "abstract": "derive",
    "check": "checking",
    "checked": "boundary",
    "explain": "checking",
    "fits": "checking",
    "infer": "tools.infer",
    "install_import_hook": "hook",
    "merge": "structure",
    "shardings": "derive",
    "source_of": "checking",
    "specs": "derive",
    "to_source": "tools.source",
    "update": "structure",
}

__version__ = "0.1.0"
__all__ = [
    "Abstract",
    "Alias",
    "Axis",
    "Bind",
    "Cast",
    "Entries",
    "Exactly",
    "Like",
    "Only",
    "Placed",
    "PlacedBy",
    "Plus",
    "Pure",
    "Report",
    "Rest",
    "Same",
    "SchemaDocument",
    "SchemaError",
    "Scoped",
    "Sharded",
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
    "abstract",
    "check",
    "checked",
    "doctor",
    "explain",
    "fits",
    "infer",
    "install_import_hook",
    "merge",
    "shardings",
    "source_of",
    "specs",
    "suspended",
    "to_source",
    "update",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for."""
    home = _MODULES.get(name)
    if home is None:
        raise AttributeError(f"module 'typedstate' has no attribute {name!r}")
    from importlib import import_module

    from ._compat.requirement import require

    require()
    module = import_module(f".{home}", __name__)
    found = module if home == name else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})
