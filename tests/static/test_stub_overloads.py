"""The overloads that a script writes are as it writes them."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "stub_overloads.py"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the script is in a checkout only")


def names() -> list[str]:
    return list(runpy.run_path(str(SCRIPT))["FAMILIES"]) if SCRIPT.exists() else []


@pytest.fixture
def script() -> dict[str, object]:
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize("name", names())
def test_a_stub_is_up_to_date(script, name) -> None:  # type: ignore[no-untyped-def]
    text = (ROOT / name).read_text(encoding="utf-8")
    assert script["written"](name, text) == text, "python scripts/stub_overloads.py --write"


def test_what_was_changed_by_hand_is_written_anew(script) -> None:  # type: ignore[no-untyped-def]
    name = script["GRAPHLIB"]
    text = (ROOT / name).read_text(encoding="utf-8")
    changed = text.replace("_FilterOf[_L2, _M2, _N2], /, *, graph", "Any, /, *, graph")
    changed = changed.replace(
        "def pop(node: Any, first: filterlib.Filter, /)", "def pop(n: Any, /)"
    )
    assert changed != text
    assert script["written"](name, changed) == text


def test_what_stands_between_is_not_lost(script) -> None:  # type: ignore[no-untyped-def]
    name = script["STATELIB"]
    text = (ROOT / name).read_text(encoding="utf-8")
    between = text.replace(
        "@overload\ndef filter_state(state: State",
        "# why\n@overload\ndef filter_state(state: State",
    )
    with pytest.raises(AssertionError, match="filter_state: something stands between"):
        script["written"](name, between)
