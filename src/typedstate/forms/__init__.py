"""The forms: one schema describes every tree that shares its structure.

Each file has the transforms of some forms, and the classes that users subscribe. At run time a
form gives a hint class; the stub beside this file tells type checkers what it is to them.
"""

from .containers import Entries, Exactly, StateMap, StateOf
from .flat import Flat
from .keeping import (
    Bind,
    Cast,
    Having,
    MemoryKind,
    Only,
    PlacedAs,
    PlacedBy,
    Plus,
    Rest,
    Same,
    Scoped,
    Sharded,
    Stacked,
)
from .likeness import Like
from .placing import Placed
from .replacing import Abstract, Pure, Shardings, Specs, Values
from .stacking import Axis

__all__ = [
    "Abstract",
    "Axis",
    "Bind",
    "Cast",
    "Entries",
    "Exactly",
    "Flat",
    "Having",
    "Like",
    "MemoryKind",
    "Only",
    "Placed",
    "PlacedAs",
    "PlacedBy",
    "Plus",
    "Pure",
    "Rest",
    "Same",
    "Scoped",
    "Sharded",
    "Shardings",
    "Specs",
    "Stacked",
    "StateMap",
    "StateOf",
    "Values",
]
