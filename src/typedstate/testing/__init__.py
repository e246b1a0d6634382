"""Test data from a declaration.

`example` makes a real state; `states` and `broken_states` are strategies of hypothesis, which is
imported by those alone. The fixture ``typedstate_example`` of the pytest plugin is `example` with
a key of each test's own.
"""

from __future__ import annotations

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
