"""The import hook's cache of byte code, beside Python's own.

The name of a file has this version of typedstate, its mode and a hash of the hook's text. The file
holds the source's time and size as in PEP 552, so that a change is noticed.
"""

from __future__ import annotations

import marshal
import struct
import sys
import zlib
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType
from typing import Any, Final, cast

from .. import __version__
from ..mode import MODE

_HEAD: Final = struct.Struct("<4sIII")  # magic number, no flags, time and size of the source
_WORD: Final = 0xFFFFFFFF


def read(loader: SourceFileLoader, path: str) -> CodeType | None:
    """The decorated code of an unchanged source; None if there is none, or if it is damaged."""
    try:
        data = loader.get_data(_place(path))
        if data[: _HEAD.size] != _head(loader, path):
            return None
        code: object = marshal.loads(data[_HEAD.size :])
    except (OSError, NotImplementedError, EOFError, ValueError, TypeError):
        return None
    return code if isinstance(code, CodeType) else None


def write(loader: SourceFileLoader, path: str, code: CodeType) -> None:
    """Keeps decorated code, where Python would keep the module's own and the folder allows it."""
    if sys.dont_write_bytecode:
        return
    try:
        place, data = _place(path), _head(loader, path) + marshal.dumps(code)
    except (OSError, NotImplementedError):
        return
    cast(Any, loader).set_data(place, data)  # replaces the file at once; errors are swallowed


def _place(path: str) -> str:
    level = sys.flags.optimize
    return cache_from_source(path, optimization=f"{_decorated_by()}{level or ''}")


def _head(loader: SourceFileLoader, path: str) -> bytes:
    stats = loader.path_stats(path)
    time, size = int(stats["mtime"]) & _WORD, int(stats["size"]) & _WORD
    return _HEAD.pack(MAGIC_NUMBER, 0, time, size)


@cache
def _decorated_by() -> str:
    """The version, the mode and a sum of the hook's text: letters and digits, as PEP 488 wants."""
    text = Path(__file__).with_name("import_hook.py").read_bytes()
    version = "".join(char if char.isalnum() else "x" for char in __version__)
    return f"typedstate{version}{MODE}{zlib.crc32(text):08x}"
