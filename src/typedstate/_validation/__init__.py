"""Does a value fit a spec, and why not: `Walk` judges, `Findings` say what it saw.

The modules are imported by the first check: schemas are declared and functions decorated
without them.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
