"""What takes longer than a second is told to a person at a terminal, and to nobody else."""

from __future__ import annotations

import ast
import io
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from typedstate import commands
from typedstate.cli import main
from typedstate.commands import progress as module
from typedstate.commands.progress import progress

from . import shop


class Terminal(io.StringIO):
    """What a person reads."""

    def isatty(self) -> bool:
        return True


class Seconds(threading.Event):
    """So many seconds pass at once; then the work goes on until it is done."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left, self.passed = count, threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == 1
        if self.left:
            self.left -= 1
            return False
        self.passed.set()
        return super().wait()


def test_each_second_is_told_and_wiped_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, seconds = Terminal(), Seconds(2)
    monkeypatch.setattr("sys.stderr", terminal)
    with progress("building x", seconds):
        seconds.passed.wait()
        assert terminal.getvalue() == "\rbuilding x ... 1 s\rbuilding x ... 2 s"
    assert terminal.getvalue().endswith("2 s\r" + " " * len("building x ... 2 s") + "\r")


def test_what_is_quick_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, seconds = Terminal(), Seconds(0)
    monkeypatch.setattr("sys.stderr", terminal)
    with progress("building x", seconds):
        seconds.passed.wait()
    assert terminal.getvalue() == ""


def test_work_that_fails_wipes_it_away_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, seconds = Terminal(), Seconds(1)
    monkeypatch.setattr("sys.stderr", terminal)

    @progress("building x", seconds)
    def fail() -> None:
        seconds.passed.wait()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert terminal.getvalue().endswith(" \r")
    assert seconds.is_set()


def test_a_pipe_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    with progress("building x", Seconds(3)):
        pass
    assert pipe.getvalue() == ""


def test_a_command_tells_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    threads = SimpleNamespace(Thread=threading.Thread, Event=lambda: Seconds(1))
    monkeypatch.setattr(module, "threading", threads)
    assert main(["show", f"{shop.__name__}:make"]) == 0
    said = [text for text in terminal.getvalue().split("\r") if text.strip()]
    assert said == [
        f"building {shop.__name__}:make ... 1 s",
        f"drawing {shop.__name__}:make ... 1 s",
    ]
    assert capsys.readouterr().out.startswith("Model: 3 leaves")


@pytest.mark.parametrize(
    "command",
    sorted(
        path.stem
        for path in Path(commands.__path__[0]).glob("*.py")
        if "def add_parser" in path.read_text(encoding="utf-8")
        and path.stem != "flax_stubs"  # which renames a folder
    ),
)
def test_every_command_tells_what_it_does(command: str) -> None:
    path = Path(commands.__path__[0]) / f"{command}.py"
    calls = [
        node.context_expr.func.id
        for within in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(within, ast.With)
        for node in within.items
        if isinstance(node.context_expr, ast.Call) and isinstance(node.context_expr.func, ast.Name)
    ]
    assert "progress" in calls
