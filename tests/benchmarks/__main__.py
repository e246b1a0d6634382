"""Runs the benchmarks and prints the table; ``--plot docs/cost.svg`` draws cost against leaves."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from . import call_cases, start_cases, value_cases
from .measure import FULL, QUICK
from .row import Row

SIZES = (10, 100, 1000, 10_000)


def rows(quick: bool = False) -> Iterator[Row]:
    """All rows of the table; quick ones say nothing of the time."""
    effort, sizes, size = (QUICK, (10, 100), 60) if quick else (FULL, SIZES, 1000)
    for each in sizes:
        yield from value_cases.passing(each, effort)
    yield from value_cases.kinds(size, effort)
    yield from value_cases.new_dims(size, effort)
    yield from value_cases.module(size, effort)
    yield from call_cases.calls(effort)
    yield from start_cases.off(effort)
    yield from call_cases.step(size // 5, effort)
    yield from value_cases.failing(size, effort)
    yield from start_cases.first_check(effort, *((20, 100) if quick else (200, 1_000)))
    yield from value_cases.memory((sizes[1], sizes[-1]))
    yield from start_cases.imports(effort)


def show(row: Row) -> str:
    """A row of the table, as Markdown."""
    target = "" if row.target is None else f"{row.target:g}"
    late = " (!)" if row.target is not None and row.ratio > row.target * 1.05 else ""
    cells = [
        row.work,
        f"{row.leaves:,}" if row.leaves else "",
        _shown(row.ours.least, row.unit),
        f"{row.baseline} {_shown(row.base.least, row.unit)}".strip(),
        f"{row.ratio:.3f}{late}",
        f"{row.median_ratio:.3f}",
        target,
    ]
    return f"| {' | '.join(cells)} |"


def _shown(value: float, unit: str) -> str:
    if unit == "B":
        return f"{value / 1024:.1f} KiB"
    if unit == "":
        return ""
    for scale, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= scale:
            return f"{value / scale:.3g} {name}"
    return f"{value * 1e9:.3g} ns"


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of both tables: ours with its baselines, as they come, and the peers."""
    found: list[Row] = []
    packages = ("flax", "jax", "jaxtyping", "beartype", "pydantic")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    yield f"Python {platform.python_version()}, {versions}"
    yield ""
    yield "| work | leaves | ours | baseline | ratio | of medians | at most |"
    yield "| --- | ---: | ---: | --- | ---: | ---: | ---: |"
    for row in rows:
        found.append(row)
        yield show(row)
    compared = [row for row in found if "tree.leaves" in row.others]
    names = list(dict.fromkeys(name for row in compared for name in row.others))
    yield ""
    yield "Multiples of `jax.tree.leaves` for one passing check:"
    yield ""
    yield f"| | {' | '.join(f'{row.leaves:,} leaves' for row in compared)} |"
    yield f"| --- |{' ---: |' * len(compared)}"
    for name in ("typedstate", *names):
        cells: list[str] = []
        for row in compared:
            time = row.ours.least if name == "typedstate" else row.others.get(name)
            cells.append("" if time is None else f"{time / row.base.least:.3g}")
        yield f"| {name} | {' | '.join(cells)} |"


def _kept(rows: Iterable[Row], found: list[Row]) -> Iterator[Row]:
    for row in rows:
        found.append(row)
        yield row


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run everything once, tiny")
    parser.add_argument("--plot", type=Path, help="an SVG to draw; needs matplotlib")
    options = parser.parse_args()
    found: list[Row] = []
    for line in table(_kept(rows(options.quick), found)):
        print(line, flush=True)
    if options.plot is not None:
        from .plot import draw

        draw(found, options.plot)


if __name__ == "__main__":
    main()
