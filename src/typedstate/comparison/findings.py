"""The findings of a comparison of two specs in one direction."""

from __future__ import annotations

from typing import Literal

import msgspec

from .._spec.dims import Expr
from .._spec.nodes import Spec
from .._validation.scopes import Var
from ..report import Code as ReportCode, Path

Code = ReportCode | Literal["other"]


class Finding(msgspec.Struct, frozen=True):
    """Something that the first may be and the second refuses.

    Attributes:
      path: where.
      code: as in a report; ``other`` for what can't be told.
      expected: what the second says.
      actual: what the first says.
      sure: some value of the first is really refused.
      spec: what stands there, of a key that is on one side only.
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
    """A size of the second that must say the same as one of the first."""

    first: Expr[Var]
    second: Expr[Var]
    path: Path
    text: str
    sure: bool = True
