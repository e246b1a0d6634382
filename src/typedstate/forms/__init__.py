"""The forms: one schema, every tree that shares its structure.

A form is one file: the transform of the spec, and the class that users subscribe. At run time
a form is a hint class; what it is to a type checker, the stub beside this file says.
"""

from .containers import Entries, Exactly, StateMap, StateOf
from .flat import Flat
from .likeness import Cast, Like
from .linking import Bind, Same, Scoped
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
