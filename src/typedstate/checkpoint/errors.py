"""`CheckpointError`: a file is wrong; `StateTypeError` says that a value is."""

from __future__ import annotations

from os import PathLike, fspath

AnyPath = str | PathLike[str]


class CheckpointError(ValueError):
    """A checkpoint that can't be read: says which file, where in it, and why.

    Attributes:
      path: the file or folder.
      reason: what is wrong with it.
    """

    def __init__(self, path: AnyPath, reason: str) -> None:
        """Makes the message of path and reason."""
        super().__init__(f"{fspath(path)}: {reason}")
        self.path, self.reason = fspath(path), reason
