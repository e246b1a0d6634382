"""Tells a person at a terminal about work that takes longer than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def progress(text: str, done: threading.Event | None = None) -> Generator[None]:
    """Says on a terminal, after each second, what is being done, and since when.

    The line is gone when the work is, so that output never stands beside it; where nobody
    reads, as in a pipe or in CI, nothing is said.

    Args:
      text: what is being done.
      done: is waited for, a second at a time; set when the work is done.
    """
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event() if done is None else done
    thread = threading.Thread(target=_tell, args=(text, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _tell(text: str, done: threading.Event) -> None:
    seconds, line = 0, ""
    while not done.wait(1):
        seconds += 1
        line = f"{text} ... {seconds} s"
        sys.stderr.write(f"\r{line}")
        sys.stderr.flush()
    if seconds:
        sys.stderr.write("\r" + " " * len(line) + "\r")
        sys.stderr.flush()
