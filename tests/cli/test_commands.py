"""The command line: the whole output of each command, and of each kind of error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from typedstate import SchemaDocument, diff
from typedstate.cli import main

from . import shop

M = shop.__name__


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Status, output and errors of a command."""
    status = main([str(argument) for argument in arguments])
    found = capsys.readouterr()
    return status, found.out, found.err


def test_show_draws_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "show", f"{M}:make") == (
        0,
        """Model: 3 leaves, 15 numbers, 60 B
├─ down (1 leaf, 6 numbers, 24 B)
│  └─ kernel: Param ShapeDtypeStruct float32[3,2]
└─ up (2 leaves, 9 numbers, 36 B)
   ├─ bias: Param ShapeDtypeStruct float32[3]
   └─ kernel: Param ShapeDtypeStruct float32[2,3]
""",
        "",
    )


def test_show_by_depth_and_filter(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--with", "d=256", "hidden=1024", "--depth", 1, "--filter", "*.kernel")
    assert run(capsys, "show", f"{M}:make", *arguments) == (
        0,
        """Model: 2 leaves, 524,288 numbers, 2.0 MiB
├─ down (1 leaf, 262,144 numbers, 1.0 MiB)
└─ up (1 leaf, 262,144 numbers, 1.0 MiB)
""",
        "",
    )


def test_show_draws_a_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "show", f"{M}:ModelState") == (
        0,
        """ModelState: 4 leaves
├─ up: DenseState din=d dout=hidden
│  ├─ kernel: Param[Float[Array, "din dout"]]
│  └─ bias: Param[Float[Array, "dout"]] | None
└─ down: DenseState din=hidden dout=d
   ├─ kernel: Param[Float[Array, "din dout"]]
   └─ bias: Param[Float[Array, "dout"]] | None
""",
        "",
    )


def test_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = run(capsys, "show", f"{M}:make", "--json", "--filter", "*.bias")
    assert status == 0
    assert json.loads(text) == {
        "path": "",
        "is": "",
        "parameters": 3,
        "bytes": 12,
        "leaves": 1,
        "below": [
            {
                "path": "up",
                "is": "",
                "parameters": 3,
                "bytes": 12,
                "leaves": 1,
                "below": [
                    {
                        "path": "up.bias",
                        "is": "Param ShapeDtypeStruct float32[3]",
                        "parameters": 3,
                        "bytes": 12,
                        "leaves": 1,
                    }
                ],
            }
        ],
    }


def test_show_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = run(capsys, "show", f"{M}:make", "--filter", "BatchStat")
    assert found == (1, "no leaf is like 'BatchStat'\n", "")


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check", f"{M}:make", f"{M}:ModelState") == (
        0,
        "fits Abstract[ModelState]\n  dims: d=2 hidden=3\n",
        "",
    )
    arguments = ("--with", "d=4", "--dims", "d=2")
    assert run(capsys, "check", f"{M}:make", f"{M}:ModelState", *arguments) == (
        1,
        """does not fit Abstract[ModelState]: 2 violations
  up.kernel: din is 4, but d=2 as given by dims= [dim]
  down.kernel: dout is 4, but d=2 as given by dims= [dim]
  dims: d=2 hidden=3
""",
        "",
    )


def test_check_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = run(capsys, "check", f"{M}:make", f"{M}:DenseState", "--json")
    assert status == 1
    found = json.loads(text)
    assert [(item["path"], item["code"]) for item in found["violations"]] == [
        ("kernel", "missing"),
        ("down", "extra"),
        ("up", "extra"),
    ]


def test_diff(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "diff", f"{M}:ModelState", f"{M}:DenseState") == (
        1,
        f"{diff(shop.ModelState, shop.DenseState)}\n",
        "",
    )
    assert run(capsys, "diff", f"{M}:make", f"{M}:ModelState") == (
        0,
        "a Model -> ModelState: the same\n",
        "",
    )
    status, text, _ = run(capsys, "diff", f"{M}:make", f"{M}:DenseState", "--json")
    assert status == 1
    assert json.loads(text)["forward"] is False


def test_diff_by_direction(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    class Wider(shop.DenseState):
        more: shop.nnx.Param | None

    old = tmp_path / "old.json"
    old.write_text(SchemaDocument.of(Wider).to_json())
    assert run(capsys, "diff", f"{M}:DenseState", old, "--breaking", "forward")[0] == 0
    assert run(capsys, "diff", f"{M}:DenseState", old, "--breaking", "backward")[0] == 1
    assert run(capsys, "diff", f"{M}:DenseState", old) == (
        1,
        "DenseState -> Wider: compatible forward, breaking backward; 1 added\n"
        "  + more: Param [breaks backward]\n",
        "",
    )


def test_infer_writes_checks_and_notices(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "states.py"
    vary = ("--vary", "d=2,4", "--vary", "hidden=3,5")
    assert run(capsys, "infer", f"{M}:make", *vary, "-o", file) == (0, f"{file}\n", "")
    assert "ModelState" in file.read_text()
    assert run(capsys, "infer", f"{M}:make", *vary, "--check", file) == (
        0,
        f"{file} is up to date\n",
        "",
    )
    written = file.read_text()
    bound = next(line for line in written.splitlines() if "    down: Bind[LinearState" in line)
    file.write_text(written.replace(bound, "    down: LinearState"))
    status, _, said = run(capsys, "infer", f"{M}:make", *vary, "--check", file)
    assert (status, said.count("warning: ")) == (1, 1)
    assert said.endswith(
        ".down: the dims din, dout of LinearState link to nothing: write Bind[LinearState, "
        '"din=... dout=..."], with names of the class around it\n'
    )
    file.write_text(written.replace("down", "below"))
    status, text, _ = run(capsys, "infer", f"{M}:make", *vary, "--check", file)
    assert status == 1
    assert text.startswith(f"--- {file}")
    status, text, _ = run(capsys, "infer", f"{M}:make", *vary, "--json")
    assert status == 0
    assert SchemaDocument.from_json(text).to_schema().__name__ == "ModelState"


def test_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = SchemaDocument.of(shop.ModelState).to_json()
    assert run(capsys, "document", f"{M}:ModelState") == (0, text, "")
    file = tmp_path / "states.json"
    assert run(capsys, "document", f"{M}:ModelState", "-o", file) == (0, f"{file}\n", "")
    assert run(capsys, "diff", file, f"{M}:ModelState")[0] == 0
    status, text, _ = run(capsys, "document", "--json-schema")
    assert (status, json.loads(text)) == (0, SchemaDocument.model_json_schema())


WRONG = [
    (("show", "nowhere:x"), "typedstate: nowhere:x: there is no module 'nowhere'\n"),
    (("show", f"{M}:nothing"), f"typedstate: {M}:nothing: {M} has no 'nothing'\n"),
    (
        ("show", M),
        f"typedstate: {M!r} is no package.module:name, a checkpoint, or a schema document "
        "(.json)\n",
    ),
    (
        ("check", f"{M}:ModelState", f"{M}:ModelState"),
        f"typedstate: {M}:ModelState is a schema: typedstate diff compares two\n",
    ),
    (("check", f"{M}:make", f"{M}:make"), f"typedstate: {M}:make is no schema but function\n"),
    (
        ("check", f"{M}:make", f"{M}:ModelState", "--dims", "x=2"),
        "typedstate: Abstract[ModelState] has no dim 'x': it has d, hidden\n",
    ),
    (
        ("check", f"{M}:make", f"{M}:ModelState", "--with", "d"),
        "typedstate: 'd' is not name=value\n",
    ),
    (
        ("show", f"{M}:Model"),
        f"typedstate: {M}:Model could not be called: TypeError: Model.__init__() missing 2 "
        "required positional arguments: 'd' and 'hidden'; give arguments by --with\n",
    ),
    (
        ("show", f"{M}:broken"),
        f"typedstate: {M}:broken could not be called: RuntimeError: no such file: weights; give "
        "arguments by --with\n",
    ),
    (("document",), "typedstate: give a SCHEMA or --json-schema\n"),
    (("show", "none.json"), "typedstate: none.json: No such file or directory\n"),
    (
        ("infer", f"{M}:ModelState", "--vary", "d=1,2"),
        f"typedstate: {M}:ModelState is no function: --vary wants one that it can call\n",
    ),
    (("infer", f"{M}:make", "--vary", "d"), "typedstate: --vary d: write NAME=A,B\n"),
    (("infer", f"{M}:make", "--vary", "d=1"), "typedstate: --vary d=1: give two or more values\n"),
    (("infer", f"{M}:make", "--check", "no.py"), "typedstate: no.py: No such file or directory\n"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=lambda item: str(item)[:50])
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run(capsys, *arguments) == (2, "", said)


def test_a_hostile_document_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "newer.json"
    file.write_text('{"version": 9}')
    assert run(capsys, "show", file) == (
        2,
        "",
        f"typedstate: {file}: schema document: this document is of version 9, and this typedstate "
        "reads up to 1: install a newer one\n",
    )


def test_argparse_says_what_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, said = run(capsys, "frob")
    assert (status, out) == (2, "")
    assert said.startswith(
        "usage: typedstate [-h] COMMAND ...\ntypedstate: error: argument COMMAND"
    )
    assert run(capsys)[0] == 2


@pytest.mark.parametrize(
    "command",
    ["infer", "check", "diff", "show", "map", "document", "doctor", "stubs", "flax-stubs"],
)
def test_help_teaches(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, text, said = run(capsys, command, "--help")
    assert (status, said) == (0, "")
    assert f"usage: typedstate {command}" in text
    if command not in ("doctor", "stubs", "flax-stubs"):
        assert f"  typedstate {command} " in text, "an example"


def test_help_imports_no_flax() -> None:
    code = """
import sys
from typedstate.cli import main
assert main(["--help"]) == 0
assert not {"flax", "jax", "pydantic"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
