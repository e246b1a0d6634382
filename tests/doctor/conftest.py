"""What the tests of the doctor share: one probe of the installed pair, and the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from typedstate.doctor.probe import probe
from typedstate.doctor.record import Record, load

if TYPE_CHECKING:
    from typedstate.doctor.findings import Findings


@pytest.fixture(scope="session")
def found() -> Findings:
    return probe()


@pytest.fixture(scope="session")
def record() -> Record:
    return load()
