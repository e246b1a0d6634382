"""The forms that keep the types of the leaves: to a type checker they are all `Annotated`.

The stub beside this file says so to those checkers that read the name of a form where it is made,
and find its docstring.
"""

from .likeness import Cast
from .linking import Bind, Same, Scoped
from .memory import MemoryKind
from .placing import PlacedAs, PlacedBy, Sharded
from .presence import Having
from .selection import Only, Plus, Rest
from .stacking import Stacked

__all__ = [
    "Bind",
    "Cast",
    "Having",
    "MemoryKind",
    "Only",
    "PlacedAs",
    "PlacedBy",
    "Plus",
    "Rest",
    "Same",
    "Scoped",
    "Sharded",
    "Stacked",
]
