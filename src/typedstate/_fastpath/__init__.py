"""Values like accepted ones are recognised by generated code; all others are walked and learned.

What generates code is imported by the first check that learns.
"""

from __future__ import annotations

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
