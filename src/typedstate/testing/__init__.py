"""Test data from a declaration.

`example` makes a real state; `states` and `broken_states` are hypothesis strategies, and only they
import hypothesis. The fixture ``typedstate_example`` of the pytest plugin is `example` with a
different key for each test.
"""

from __future__ import annotations

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
