"""The forms: one schema describes every tree that shares its structure.

Each file has the transforms of some forms, and the classes that users subscribe. At run time a
form gives a hint class; the stub beside this file tells type checkers what it is to them.
"""

from .containers import Entries, Exactly, StateMap, StateOf
from .flat import Flat
from .likeness import Cast, Like
from .linking import Bind, Same, Scoped
from .memory import MemoryKind
from .placing import Placed, PlacedAs, PlacedBy, Sharded
from .presence import Having
from .replacing import Abstract, Pure, Shardings, Specs, Values
from .selection import Only, Plus, Rest
from .stacking import Axis, Stacked

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
