"""`lazy_loader`, with the types that it lacks: the names in a stub are imported at first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import lazy_loader  # pyright: ignore[reportMissingTypeStubs]


def attach_stub(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The ``__getattr__``, ``__dir__`` and ``__all__`` of a package with a stub beside it."""
    found: Any = cast(Any, lazy_loader).attach_stub(package, file)
    return found[0], found[1], found[2]
