# PYTHON_ARGCOMPLETE_OK
"""``python -m typedstate``, and the script of that name."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
