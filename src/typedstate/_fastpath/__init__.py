"""Recognises values like accepted ones by generated code; walks and learns all others.

The modules that generate code are imported when a check first needs them.
"""

from __future__ import annotations

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
