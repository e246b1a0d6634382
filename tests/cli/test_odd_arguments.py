"""Targets and arguments that are odd or wrong: an answer in one line, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flax import nnx

from tests.cli import shop
from typedstate import SchemaError, infer
from typedstate.cli import main

MODELS = '''
import jax.numpy as jnp
from flax import nnx


class Plain:
    """No module."""


class NoRngs(nnx.Module):
    def __init__(self, d=4):
        self.w = nnx.Param(jnp.zeros((d, 2)))


class Stack(nnx.Module):
    def __init__(self, sizes=(3, 4), *, rngs=None):
        pairs = zip(sizes, sizes[1:])
        listed = getattr(nnx, "List", list)  # before Flax 0.12
        self.layers = listed([nnx.Linear(a, b, rngs=rngs) for a, b in pairs])


class Any(nnx.Module):
    def __init__(self, **kwargs):
        self.inner = nnx.Linear(2, 3, **kwargs)


def make(rngs, d=3):
    return nnx.Linear(d, 4, rngs=rngs)


def silent():
    raise ValueError
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with modules that go wrong when they are imported, and files of other kinds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for name, text in {
        "odd_models.py": MODELS,
        "odd_exit.py": "import sys\nsys.exit(3)\n",
        "odd_syntax.py": "def (\n",
        "broken.txt": "class M(\n",
        "nul.txt": "a = 1\0",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "odd_space").mkdir()
    yield tmp_path
    for name in ("odd_models", "odd_exit", "odd_syntax", "odd_space"):
        sys.modules.pop(name, None)


def written(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last class or alias that ``infer`` writes."""
    status = main(["infer", *arguments])
    found = capsys.readouterr()
    assert (status, found.err) == (0, "")
    return found.out.rpartition("\n\n\n")[2]


def wrong(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = main([*arguments])
    found = capsys.readouterr()
    assert (status, found.out) == (2, "")
    return found.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["odd_models:NoRngs"],
            'class NoRngsState(TypedState):\n    w: nnx.Param[Float[Array, "din dout"]]\n',
        ),
        (
            ["odd_models:NoRngs", "--vary", "d=2,3"],
            'class NoRngsState(TypedState):\n    w: nnx.Param[Float[Array, "d 2"]]\n',
        ),
        (["odd_models:make"], "ModelState = LinearState\n"),
        (
            ["odd_models:make", "--vary", "d=2,3"],
            'ModelState = Bind[LinearState, "din=d dout=4"]\n',
        ),
        (
            ["odd_models:Any"],
            'class AnyState(TypedState):\n    inner: Bind[LinearState, "din dout"]\n',
        ),
        (
            ["odd_models:Stack", "--vary", "sizes=(3, 4),(3, 5)"],
            "class StackState(TypedState):\n"
            '    layers: Bind[StateMap[int, Bind[LinearState, "din=3 dout"]], "len=1"]\n',
        ),
        (
            ["odd_models:Stack", "--with", "sizes=(3, 4, 3)"],
            "class StackState(TypedState):\n    layers: Entries["
            'Bind[LinearState, "din=d dout=hidden"], Bind[LinearState, "din=hidden dout=d"]]\n',
        ),
    ],
    ids=lambda item: " ".join(item)[:40] if isinstance(item, list) else "",
)
def test_a_factory_gets_what_it_takes(
    capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    assert written(capsys, *arguments) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["infer", "odd_models:Plain"], "infer: Plain makes no module and no state, but Plain"),
        (
            ["infer", "odd_models:silent"],
            "odd_models:silent could not be called: ValueError; give arguments by --with",
        ),
        (["infer", "odd_exit:X"], "odd_exit:X: importing odd_exit failed: SystemExit: 3"),
        (["infer", f"{'a' * 300}"], f"{'a' * 300!r} is no package.module:name, a checkpoint, or a "
         "schema document (.json)"),
        (["infer", ""], "'' is no package.module:name, a checkpoint, or a schema document (.json)"),
        (["infer", "odd_models:NoRngs", "--check", "latin.txt"], "latin.txt: no text in UTF-8"),
        (
            ["infer", "odd_models:NoRngs", "--check", "broken.txt"],
            "broken.txt, line 1: no Python source ('(' was never closed)",
        ),
        (
            ["infer", "odd_models:NoRngs", "--name", "class"],
            "infer: name='class' is no name for a class",
        ),
        (
            ["infer", "odd_models:NoRngs", "--fix", "dim"],
            "infer: fix={'dim'}: no dim at the top has that name; there are din, dout",
        ),
        (
            ["infer", "odd_models:Stack", "--vary", "sizes=(3, 4)"],
            "--vary sizes=(3, 4): give two or more values",
        ),
        (
            ["document", "odd_models:NoRngs"],
            "odd_models:NoRngs is no schema but a module class: typedstate infer writes its own",
        ),
    ],
    ids=lambda item: " ".join(item)[:40] if isinstance(item, list) else "",
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    assert wrong(capsys, *arguments) == f"typedstate: {text}\n"


def test_a_file_with_a_nul_is_no_source(capsys: pytest.CaptureFixture[str]) -> None:
    text = wrong(capsys, "infer", "odd_models:NoRngs", "--check", "nul.txt")
    assert text.startswith("typedstate: nul.txt: no Python source (")


@pytest.mark.parametrize("value", ["{[]}", "(" * 300, "{1: 2}, [3"])
def test_a_value_that_is_no_literal_is_text(capsys: pytest.CaptureFixture[str], value: str) -> None:
    text = wrong(capsys, "infer", "odd_models:NoRngs", "--with", f"d={value}")
    assert text.startswith("typedstate: odd_models:NoRngs could not be called: TypeError: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sys", "sys has no source in Python"),
        ("odd_space", "odd_space has no source in Python"),
        ("odd_nowhere", "there is no module 'odd_nowhere'"),
        ("odd_exit", "importing odd_exit failed: SystemExit: 3"),
        (
            "odd_syntax",
            "importing odd_syntax failed: SyntaxError: invalid syntax (odd_syntax.py, line 1)",
        ),
    ],
)
def test_a_module_that_can_have_no_stub(
    capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    assert main(["stubs", name]) == 1
    assert capsys.readouterr().err == f"typedstate stubs: {text}\n"


def test_a_foreign_stub_in_another_encoding_is_left_alone(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    source = "from flax import nnx\nfrom typedstate import TypedState\n\n\n"
    (folder / "odd_models.py").write_text(f"{source}class S(TypedState):\n    w: nnx.Param\n")
    (folder / "odd_models.pyi").write_bytes(b"# \xff\n")
    assert main(["stubs", "odd_models"]) == 1
    assert capsys.readouterr().err.endswith("odd_models.pyi was not written by typedstate stubs\n")


def test_a_class_that_lacks_arguments_is_refused_as_such() -> None:
    with pytest.raises(SchemaError) as error:
        infer(shop.Model)
    assert str(error.value) == (
        "infer can't call this function: Model.__init__() missing 2 required positional "
        "arguments: 'd' and 'hidden'"
    )


def test_sizes_that_are_fixed_by_name_are_there_and_do_not_vary() -> None:
    def layer(d: int) -> nnx.Module:
        return nnx.Linear(d, 3, rngs=nnx.Rngs(0))

    with pytest.raises(SchemaError) as error:
        infer(layer, vary={"d": (4, 5)}, fix={"d"})
    assert str(error.value) == "infer: fix={'d'}: its size varies: 4, 5"
    with pytest.raises(SchemaError) as error:
        infer(layer(2), fix="din")
    assert str(error.value) == "infer: fix='din': give a collection of names, e.g. {'din'}"
