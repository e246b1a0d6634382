from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.leaves_page.page import page
from typedstate.doctor.difference import differences
from typedstate.doctor.record import FILE, Record, dump, load, nearest

if TYPE_CHECKING:
    from typedstate.doctor.findings import Findings

PAGE = Path(__file__).parents[2] / "docs" / "leaves.md"


def test_the_probe_finds_what_is_recorded(found: Findings, record: Record) -> None:
    if found.pair not in record:
        pytest.skip(f"{found.pair} was never recorded")
    assert [str(change) for change in differences(record[found.pair], found)] == []


def test_the_file_is_what_the_probe_writes(record: Record) -> None:
    text = resources.files("typedstate.doctor").joinpath(FILE).read_text(encoding="utf-8")
    assert dump(record) == text


def test_what_is_written_is_read_back(record: Record) -> None:
    assert load(dump(record)) == record


def test_the_page_is_up_to_date(record: Record) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(record)


def test_every_supported_step_of_flax_is_recorded(record: Record) -> None:
    flax = list(dict.fromkeys(entry.flax for entry in record.values()))
    assert flax == ["0.10.7", "0.11.2", *(f"0.12.{patch}" for patch in range(13))]


@pytest.mark.parametrize(
    ("flax", "jax", "pair"),
    [
        ("0.12.8", "0.10.2", "0.12.8 + jax 0.10.2"),
        ("0.12.8", "0.11.0", "0.12.8 + jax 0.10.2"),
        ("0.11.1", "0.7.2", "0.11.2 + jax 0.7.2"),
        ("0.10.4", "0.6.2", "0.10.7 + jax 0.6.2"),
        ("0.13.0", "0.13.0", "0.12.12 + jax 0.12.0.1"),
        ("1.0.0", "1.0.0", "0.12.12 + jax 0.12.0.1"),
        ("0.12.13.dev1", "0.12.0.1", "0.12.12 + jax 0.12.0.1"),
    ],
)
def test_an_unrecorded_pair_is_compared_with_the_nearest(
    record: Record, flax: str, jax: str, pair: str
) -> None:
    entry = nearest(record, flax, jax)
    assert entry is not None
    assert entry.pair == pair


def test_an_empty_record_has_no_nearest_pair() -> None:
    assert nearest({}, "0.12.0", "0.8.0") is None
