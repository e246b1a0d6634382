"""Does a value fit a spec, and why not: `Walk` judges, `Findings` say what it saw.

The modules are imported by the first check: schemas are declared and functions decorated
without them.
"""

from __future__ import annotations

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
