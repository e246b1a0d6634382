"""Every command, option and kind of error has its whole output in a transcript."""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import typedstate
from typedstate.cli import parser

from . import transcript

pytest.importorskip("orbax.checkpoint")
pytest.importorskip("safetensors")
FILES = sorted(path.stem for path in transcript.FOLDER.glob("*.txt"))
#: What `typedstate doctor` says is another on each Flax.
DOCTOR = ("0.12.8", "0.10.2")
#: Thousands of lines, which other tests hold whole: against the record, against what is published.
ELSEWHERE = {("doctor", "--all"), ("doctor", "--json"), ("flax-stubs", "--json")}


def commands() -> dict[str, argparse.ArgumentParser]:
    """The commands that there are."""
    (action,) = [one for one in parser()._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(action.choices)


def said(name: str) -> list[transcript.Said]:
    return list(transcript.read(transcript.FOLDER / f"{name}.txt"))


@pytest.mark.parametrize("name", FILES)
def test_commands_say_what_stands_there(name: str, tmp_path: Path) -> None:
    if name == "doctor" and (metadata.version("flax"), metadata.version("jax")) != DOCTOR:
        pytest.skip("other leaves on this Flax")
    if name == "help" and sys.version_info >= (3, 13):
        pytest.skip("argparse lays help out otherwise")
    with transcript.shell(tmp_path):
        for wanted in said(name):
            assert str(transcript.run(wanted.command)) == str(wanted)


@pytest.mark.parametrize("name", commands())
def test_every_command_has_a_transcript(name: str) -> None:
    assert name in FILES
    found = said(name)
    statuses = {one.status for one in found if one.command.startswith(f"typedstate {name}")}
    # A document is written, or not asked rightly; what stubs there are depends on the environment.
    sure = {"document": {0, 2}, "doctor": {0, 2}, "flax-stubs": {2}}
    assert statuses == sure.get(name, {0, 1, 2})
    typed = [word for one in (*found, *said("help")) for word in one.command.split()]
    for action in commands()[name]._actions:
        for option in action.option_strings:
            if option != "-h" and (name, option) not in ELSEWHERE:
                assert option in typed, f"typedstate {name} {option}"
    helped = [one for one in said("help") if one.command == f"typedstate {name} --help"]
    assert [one.status for one in helped] == [0]


def raised() -> Iterator[tuple[str, str]]:
    """Yields what each wrong usage says, as a pattern, with where it stands."""
    folder = Path(typedstate.__file__).parent / "commands"
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            if name in ("UsageError", "ArgumentTypeError"):
                yield f"{path.name}:{node.lineno}", _pattern(node.args[0])


def _pattern(text: ast.expr) -> str:
    match text:
        case ast.Constant(str(plain)):
            return re.escape(plain)
        case ast.JoinedStr(values):
            return "".join(map(_pattern, values))
        case ast.FormattedValue(value=ast.Name(id="_SETTLED" | "HELP")):
            return ".+"
        case _:
            return ".+"


@pytest.mark.parametrize(("where", "pattern"), list(raised()), ids=lambda text: text[:40])
def test_every_wrong_usage_is_said(where: str, pattern: str) -> None:
    lines = ["\n".join(one.errors) for name in FILES for one in said(name) if one.status == 2]
    assert any(re.search(pattern, text, re.S) for text in lines), where


def test_every_option_says_what_it_is_for() -> None:
    for name, command in commands().items():
        for action in command._actions:
            assert action.help, f"typedstate {name} {action.option_strings}"
        options = {option for action in command._actions for option in action.option_strings}
        assert "--json" in options
        assert f"  typedstate {name}" in (command.description or ""), "an example"
