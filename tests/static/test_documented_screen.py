"""What the page on type checkers shows is what mypy prints, but for file and line: without us, with
the stubs, with the plugin. The schemas are those of the README."""

import ast
import re
from pathlib import Path

import flax
import pytest
from flax import nnx
from type_checkers import HERE, OPTIONS, PLUGIN, installed, mypy

from tests.unread import SKIPPED

pytestmark = [
    installed("mypy"),
    pytest.mark.skipif(
        not hasattr(nnx, "restore_int_paths"), reason="the screen is about Flax 0.12"
    ),
]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "docs" / "reference" / "type-checkers.md").read_text()
IMPORTS = """
from flax import nnx
from jaxtyping import Array, Float
"""
OURS = "from typedstate import Bind, StateMap, TypedState\n"


def blocks(title: str) -> list[str]:
    """The code blocks of a section."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```(?:py|text)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def schemas() -> str:
    """The schema classes of the first example."""
    example = README.partition("```python\n")[2].partition("```")[0]
    classes = (node for node in ast.parse(example).body if isinstance(node, ast.ClassDef))
    return "\n".join(map(ast.unparse, classes))


def within_a_function(*snippets: str) -> str:
    lines = "".join(snippets).splitlines()
    return "\n".join(["def screen(model: nnx.Module) -> None:", *(f"    {x}" for x in lines), ""])


def printed(folder: Path, source: str, config: str, variant: str) -> str:
    """What mypy prints of a file, without places and the count.

    With the options of other tests it has the cache of those.
    """
    (folder / "user.py").write_text(source)
    (folder / "mypy.ini").write_text(config)
    result = mypy([folder / "user.py"], folder / "mypy.ini", variant)
    assert not result.stderr
    return "".join(re.findall(r"^.*user\.py:\d+: (.*\n)", result.stdout, re.MULTILINE))


def test_the_screen(tmp_path: Path) -> None:
    of_flax, before, with_stubs, of_schema, with_plugin = blocks("What mypy says")
    plain = IMPORTS + within_a_function(of_flax)
    assert printed(tmp_path, plain, (HERE / "mypy.ini").read_text(), "") == with_stubs

    # What stands on mypy's own path comes before stubs that are installed.
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "flax").symlink_to(Path(flax.__path__[0]))
    alone = f"[mypy]\nmypy_path = {tmp_path / 'alone'}\nfollow_imports = silent\n{SKIPPED}"
    assert printed(tmp_path, plain, alone, "-alone") == before

    takes = "def takes(state: ModelState) -> None: ...\n"
    function = within_a_function(of_flax, of_schema)
    source = "\n".join([IMPORTS + OURS, schemas(), takes, function])
    plugin = PLUGIN.format("typedstate.mypy_plugin") + OPTIONS
    assert printed(tmp_path, source, plugin, "-plugin") == with_stubs + with_plugin
