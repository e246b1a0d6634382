"""Times of two or more functions, measured in turn so that noise meets them alike.

Each is called once before it is timed: what it reads then comes from the cache, as it would
for the others, which the one before has just warmed.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Work = Callable[[], Any]

WARM: Final = 3  # what is seen for the first time, and for the second, is not like the rest


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
      repeats: of each function.
      seconds: that one repeat should take at least.
      clock: tells the time.
    """

    repeats: int
    seconds: float
    clock: Callable[[], float] = time.thread_time  # what others do meanwhile does not count


FULL = Effort(repeats=20, seconds=0.02)
QUICK = Effort(repeats=2, seconds=0.0)


@dataclass(frozen=True)
class Time:
    """Seconds per call."""

    least: float
    median: float


def measure(effort: Effort, *works: Work) -> list[Time]:
    """The time that each function takes once it is warm."""
    loops = [_loops(work, effort) for work in works]
    found: list[list[float]] = [[] for _ in works]
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(effort.repeats):
            for work, count, times in zip(works, loops, found, strict=True):
                work()
                times.append(_once(work, count, effort.clock))
            gc.collect(0)
    finally:
        if collects:
            gc.enable()
    return [Time(min(times), statistics.median(times)) for times in found]


def once(work: Work) -> float:
    """The time of a single call, for what can't be repeated."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return _once(work, 1, time.thread_time)
    finally:
        if collects:
            gc.enable()


def measure_cold(effort: Effort, *works: Work) -> list[Time]:
    """The time of single calls for which all that they read comes from memory."""
    cache = np.ones(16_000_000)  # larger than the processor's
    found: list[list[float]] = [[] for _ in works]
    for _ in range(effort.repeats):
        for work, times in zip(works, found, strict=True):
            cache.sum()
            times.append(once(work))
    return [Time(min(times), statistics.median(times)) for times in found]


def _loops(work: Work, effort: Effort) -> int:
    for _ in range(WARM):
        work()
    return max(1, min(100_000, int(effort.seconds / max(_once(work, 1, effort.clock), 1e-9))))


def _once(work: Work, count: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(count):
        work()
    return (clock() - start) / count


def peak_bytes(work: Work) -> int:
    """The most memory that one call holds at a time."""
    for _ in range(WARM):
        work()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
