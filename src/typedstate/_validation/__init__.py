"""Checks a value against a spec: `Walk` judges it, `Findings` keep the violations and sizes.

The modules are imported by the first check: schemas are declared and functions decorated
without them.
"""

from __future__ import annotations

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
