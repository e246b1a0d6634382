"""The first page, followed to the letter in processes of their own with what is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flax import nnx

from scripts import newcomer
from scripts.newcomer import Newcomer, Step
from tests.pages import readers

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"), reason="the page shows what Flax 0.12 makes"
)


@pytest.mark.slow
def test_a_newcomer_arrives_at_a_mistake_in_a_model_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mypy")
    monkeypatch.setenv("MYPY_CACHE_DIR", str(readers.cache()))  # mypy gets the same options
    done = list(Newcomer(Path(sys.executable), tmp_path).follow(newcomer.steps()))
    assert [line for line in done if line.startswith("$")] == [
        "$ python first.py",
        "$ python first.py",
        "$ mypy first.py",
        "$ typedstate infer mine:make --vary channels=8,12 --vary classes=10,5 -o mine_states.py",
        "$ cat mine_states.py",
        "$ python use.py",
    ]


def test_what_is_not_printed_is_noticed(tmp_path: Path) -> None:
    steps = [Step("python", "one.py", "print(1)\n"), Step("console", "", "$ python one.py\n2\n")]
    with pytest.raises(AssertionError, match=r"(?s)the page shows\n2\nand what is printed is\n1"):
        list(Newcomer(Path(sys.executable), tmp_path).follow(steps))


def test_a_page_in_another_language_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"what to do with toml setup\.toml"):
        list(Newcomer(Path(sys.executable), tmp_path).follow([Step("toml", "setup.toml", "")]))
