"""The doctor says what a Flax takes by name and the stubs do not know."""

from pathlib import Path

from typedstate.doctor.stubs import stubs


def _stub(folder: Path, text: str) -> list[str]:
    package = folder / "flax-stubs"
    (package / "nnx").mkdir(parents=True)
    (package / "py.typed").write_text("partial\n")
    (package / "nnx" / "statelib.pyi").write_text(text)
    return list(stubs([str(folder)]).remarks())


def test_a_keyword_that_the_stub_lacks_is_reported(tmp_path: Path) -> None:
    assert _stub(tmp_path, "def from_flat_state(flat_state: object) -> object: ...\n") == [
        "flax.nnx.statelib: type checkers refuse what this Flax takes by name: from_flat_state(cls)"
    ]


def test_a_keyword_of_any_overload_is_known(tmp_path: Path) -> None:
    text = (
        "from typing import overload\n"
        "@overload\ndef from_flat_state(flat_state: object) -> object: ...\n"
        "@overload\ndef from_flat_state(flat_state: object, *, cls: type) -> object: ...\n"
    )
    assert _stub(tmp_path, text) == []


def test_keywords_without_names_are_all(tmp_path: Path) -> None:
    text = "def from_flat_state(flat_state: object, **others: object) -> object: ...\n"
    assert _stub(tmp_path, text) == []


def test_the_stubs_know_every_keyword_of_this_flax() -> None:
    assert [module.name for module in stubs().modules if module.parameters] == []
