"""A newcomer: does what the first page of the documentation says, to the letter, and compares.

    python -m scripts.newcomer [PYTHON]

Files are written as the page has them, a block without a name is added to the last one, commands
are run, and what is shown has to be what is printed. PYTHON is an interpreter that has typedstate
and mypy, this one if none is named.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.environment import CHANGES_WORDS

PAGE = Path(__file__).parents[1] / "docs" / "index.md"
#: What a newcomer's terminal does not set, and tools heed.
UNUSUAL = ("PYTHONPATH", "XLA_FLAGS", "TYPEDSTATE", *CHANGES_WORDS)
FENCE = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One block of the page.

    Attributes:
      language: of the block.
      title: the file, or what the block shows.
      text: of the block.
    """

    language: str
    title: str
    text: str


def steps(page: Path = PAGE) -> list[Step]:
    """The blocks of a page, but what sets up the machine."""
    found = [Step(*match.groups(default="")) for match in FENCE.finditer(page.read_text())]
    return [step for step in found if step.language != "sh"]


@dataclass(slots=True)
class Newcomer:
    """Somebody in an empty folder.

    Attributes:
      python: the interpreter.
      folder: where files are written.
      file: the last Python file that was written.
    """

    python: Path
    folder: Path
    file: str = ""

    def follow(self, given: list[Step]) -> Iterator[str]:
        """Does what each step says; yields what was done.

        Raises:
          AssertionError: something else is printed than the page shows.
        """
        for step in given:
            match step.language, step.title:
                case "python", "":
                    with (self.folder / self.file).open("a") as file:
                        file.write(step.text)
                    yield f"added to {self.file}"
                case (("python" | "ini"), title):
                    self.file = title if step.language == "python" else self.file
                    (self.folder / title).write_text(step.text)
                    yield f"wrote {title}"
                case "console", _:
                    for command, shown in _commands(step.text):
                        self._compare(command, shown, self.run(command))
                        yield f"$ {command}"
                case "text", ("raises" | "mypy") as how:
                    command = f"{'python' if how == 'raises' else 'mypy'} {self.file}"
                    self._compare(command, step.text, self.run(command))
                    yield f"$ {command}"
                case "text", _:  # what a checker says that a newcomer has not installed
                    pass
                case language, title:
                    raise AssertionError(f"what to do with {language} {title}?")

    def run(self, command: str) -> str:
        """What a command prints, whether or not it fails."""
        tools = self.python.parent
        environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
        environment["PATH"] = os.pathsep.join([str(tools), environment.get("PATH", "")])
        for name in UNUSUAL:
            environment.pop(name, None)
        done = subprocess.run(
            command.split(),
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    @staticmethod
    def _compare(command: str, shown: str, printed: str) -> None:
        """Every line that is shown is in what was printed, in order."""
        lines = iter(printed.splitlines())
        for line in filter(None, map(str.rstrip, shown.splitlines())):
            found = any(one.rstrip().endswith(line) for one in lines)
            assert found, f"$ {command}\nthe page shows\n{line}\nand what is printed is\n{printed}"


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Yields each command of a console block, and what it shows."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def main() -> None:
    """Follows the page in an empty folder, and says how long that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", nargs="?", type=Path, default=Path(sys.executable))
    python = parser.parse_args().python
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        for done in Newcomer(python, Path(name).resolve()).follow(steps()):
            print(f"{time.perf_counter() - start:5.0f} s  {done}")


if __name__ == "__main__":
    main()
