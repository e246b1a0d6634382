"""The benchmarks run and measure what they say; how long anything takes is not asked here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.__main__ import rows, table
from tests.benchmarks.row import Row
from typedstate._compat import variables

pytestmark = pytest.mark.skipif(
    variables.VariableState is not None or variables.RAW_SLOT != "_raw_value",
    reason="the figures are those of newer Flaxes",
)


@pytest.fixture(scope="module")
def found() -> list[Row]:
    return list(rows(quick=True))


def test_every_kind_of_work_is_measured(found: list[Row]) -> None:
    works = {row.work.split(",")[0] for row in found}
    assert works >= {
        "passing check",
        "Annotated[Module",
        "@checked f(state",
        "@checked f(state)",
        "failing check",
        "walk of a right state",
        "off: checked(f) is f",
        "jitted step",
        "memory of a passing check",
        "import typedstate",
    }
    assert {row.leaves for row in found if row.work == "passing check"} == {10, 98}


def test_times_are_positive_and_ratios_follow_from_them(found: list[Row]) -> None:
    for row in found:
        assert row.base.least > 0
        assert 0 <= row.ours.least <= row.ours.median or row.unit != "s"
        assert row.target is None or row.target >= 0


def test_what_does_not_depend_on_the_machine_holds(found: list[Row]) -> None:
    by_work = {row.work: row for row in found}
    assert by_work["off: checked(f) is f"].ratio == 0
    assert by_work["memory of a passing check"].ratio < 2
    assert by_work["memory of a passing check of a module"].ratio < 2


def test_the_table_is_markdown(found: list[Row]) -> None:
    lines = list(table(found))
    first = next(i for i, line in enumerate(lines) if line.startswith("| work"))
    for line in lines[first : first + 2 + len(found)]:
        assert line.startswith("| ")
        assert line.count("|") == 8
    assert any(line.startswith("| jaxtyping PyTree |") for line in lines)


def test_the_plot_is_drawn(found: list[Row], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from tests.benchmarks.plot import draw

    draw(found, tmp_path / "cost.svg")
    assert (tmp_path / "cost.svg").read_text().startswith("<?xml")
