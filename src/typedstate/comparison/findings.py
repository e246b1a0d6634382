"""`Finding` and `Equation`: what `Containment` collects in one direction."""

from __future__ import annotations

from typing import Literal

import msgspec

from .._spec.dims import Expr
from .._spec.nodes import Spec
from .._validation.scopes import Var
from ..report import Code as ReportCode, Path

Code = ReportCode | Literal["other"]


class Finding(msgspec.Struct, frozen=True):
    """A way in which the second spec refuses values of the first.

    Attributes:
      path: the keys from the root.
      code: the code of the violation in a report; ``other`` if it can't be told.
      expected: the declaration of the second.
      actual: the declaration of the first.
      sure: whether some value of the first is certainly refused.
      spec: the spec of a key that only one of the two has, else None.
    """

    path: Path
    code: Code
    expected: str
    actual: str
    sure: bool = True
    spec: Spec | None = None

    def __hash__(self) -> int:
        """A hash of the shown text."""
        return hash((self.path, self.code, self.expected, self.actual))


class Equation(msgspec.Struct, frozen=True):
    """A size of the second spec that must equal a size of the first."""

    first: Expr[Var]
    second: Expr[Var]
    path: Path
    text: str
    sure: bool = True
