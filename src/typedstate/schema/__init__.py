"""Schema classes: `TypedState` and what may stand in its body."""

from .field import Alias, Shared
from .typed_state import TypedState

__all__ = ["Alias", "Shared", "TypedState"]
