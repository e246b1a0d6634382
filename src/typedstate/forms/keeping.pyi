"""`Annotated` under the name of each form that keeps the types of the leaves."""

from typing import Annotated

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

Bind = Annotated
Cast = Annotated
Having = Annotated
MemoryKind = Annotated
Only = Annotated
PlacedAs = Annotated
PlacedBy = Annotated
Plus = Annotated
Rest = Annotated
Same = Annotated
Scoped = Annotated
Sharded = Annotated
Stacked = Annotated
