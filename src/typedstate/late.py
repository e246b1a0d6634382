"""What only a check needs, imported by the first one that asks: ``late.Explanation``.

Schemas are declared, forms made and functions decorated without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .evidence import Reading as Reading
    from .explainer import Explanation as Explanation
    from .law import Root as Root
    from .replay import (
        Unrepeatable as Unrepeatable,
        address as address,
        generate as generate,
        is_aval as is_aval,
    )

_MODULES: Final = {
    "Explanation": "explainer",
    "Reading": "evidence",
    "Root": "law",
    "Unrepeatable": "replay",
    "address": "replay",
    "generate": "replay",
    "is_aval": "replay",
}


def _found(name: str) -> Any:
    home = _MODULES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{home}", __package__), name)
    globals()[name] = found
    return found


if not TYPE_CHECKING:  # to a type checker there is nothing but those names
    __getattr__ = _found
