"""Requires the oldest supported Flax and JAX, before either is imported.

`import typedstate` alone requires nothing, as pytest and mypy import it without Flax.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import metadata, util
from typing import Final

#: As ``pyproject.toml`` has them; an installer that was told to ignore those meets these.
OLDEST: Final = {"flax": "0.10.7", "jax": "0.6.2"}


@cache
def require() -> None:
    """Refuses a Flax or JAX that is missing or older than the oldest supported one.

    Raises:
      ImportError: one sentence with what is needed, what is there and what to install.
    """
    if all(_is_met(name, oldest) for name, oldest in OLDEST.items()):
        return
    wanted = [f"{name}>={oldest}" for name, oldest in OLDEST.items()]
    raise ImportError(
        f"typedstate needs {' and '.join(wanted)}, but finds {' and '.join(map(_found, OLDEST))}: "
        f"pip install --upgrade {' '.join(repr(item) for item in wanted)}",
        name=__package__,
    )


def _version(name: str) -> str | None:
    imported = getattr(sys.modules.get(name), "__version__", None)
    if isinstance(imported, str):  # a millisecond quicker than what its installer wrote
        return imported
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _is_met(name: str, oldest: str) -> bool:
    version = _version(name)
    if version is None:  # a package that no installer put there has no version to compare
        return util.find_spec(name) is not None
    return _release(version) >= _release(oldest)


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _found(name: str) -> str:
    version = _version(name)
    return f"no {name}" if version is None else f"{name} {version}"
