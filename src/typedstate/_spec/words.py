"""Words that fields of nodes have for values."""

from __future__ import annotations

from typing import Literal

#: What the levels of a tree are: a State, a dict, or either.
Container = Literal["any", "state", "dict"]
#: In what trees of one group agree.
Likeness = Literal["structure", "shapes", "keys"]
