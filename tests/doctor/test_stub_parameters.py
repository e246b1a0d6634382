"""The doctor says what a Flax takes by name and the stubs do not know."""

from pathlib import Path

from typedstate.doctor.stubs import Stubs, stubs


def _found(folder: Path, text: str) -> Stubs:
    package = folder / "flax-stubs"
    (package / "nnx").mkdir(parents=True)
    (package / "py.typed").write_text("partial\n")
    (package / "nnx" / "statelib.pyi").write_text(text)
    return stubs([str(folder)])


def _stub(folder: Path, text: str) -> list[str]:
    return list(_found(folder, text).remarks())


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


METHOD = "class State:\n    def to_pure_dict(self{}) -> dict: ...\n"


def test_a_keyword_of_a_method_that_the_stub_lacks_is_reported(tmp_path: Path) -> None:
    assert _stub(tmp_path, METHOD.format("")) == [
        "flax.nnx.statelib: type checkers refuse what this Flax takes by name: "
        "State.to_pure_dict(extract_fn)"
    ]


def test_a_method_whose_stub_has_it_fits(tmp_path: Path) -> None:
    assert _stub(tmp_path, METHOD.format(", extract_fn: object = None")) == []


def test_a_static_method_has_no_self(tmp_path: Path) -> None:
    text = (
        "class FlatState:\n"
        "    @staticmethod\n"
        "    def from_sorted_keys_values(keys: tuple, values: list, /) -> FlatState: ...\n"
    )
    assert _stub(tmp_path, text) == []


def test_a_stub_that_asks_for_more_is_reported(tmp_path: Path) -> None:
    found = _found(tmp_path, METHOD.format(", extract_fn: object, into: dict"))
    assert list(found.remarks()) == [
        "flax.nnx.statelib: type checkers ask for more arguments than this Flax takes: "
        "State.to_pure_dict"
    ]
    assert (found.refusing, found.demanding) == ((), ("flax.nnx.statelib",))


def test_an_overload_that_asks_for_less_is_enough(tmp_path: Path) -> None:
    text = (
        "from typing import overload\n"
        "class State:\n"
        "    @overload\n    def to_pure_dict(self, extract_fn: object, into: dict) -> dict: ...\n"
        "    @overload\n    def to_pure_dict(self) -> dict: ...\n"
    )
    assert _stub(tmp_path, text) == []


def test_an_argument_that_the_stub_does_not_ask_for_is_reported(tmp_path: Path) -> None:
    found = _found(tmp_path, "def from_flat_state(*, cls: type = ...) -> object: ...\n")
    assert list(found.remarks()) == [
        "flax.nnx.statelib: type checkers let calls pass that lack an argument which this Flax "
        "requires: from_flat_state"
    ]
    assert (found.refusing, found.passing, found.demanding) == ((), ("flax.nnx.statelib",), ())


def test_a_keyword_that_is_required_is_asked_for(tmp_path: Path) -> None:
    text = "class FlatState:\n    def __init__(self, items, /, *, sort: bool{}) -> None: ...\n"
    assert _stub(tmp_path, text.format("")) == []
    assert _stub(tmp_path / "other", text.format(" = True")) == [
        "flax.nnx.statelib: type checkers let calls pass that lack an argument which this Flax "
        "requires: FlatState.__init__"
    ]


def test_a_method_that_is_gone_is_reported(tmp_path: Path) -> None:
    text = "class State:\n    def as_dict(self) -> dict: ...\n    @property\n    def x(self): ...\n"
    assert _stub(tmp_path, text) == [
        "flax.nnx.statelib: the stubs also allow what only other versions of Flax have there: "
        "State.as_dict"
    ]
