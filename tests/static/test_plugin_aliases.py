"""Aliases are read from the text of a class, wherever and however the class is written."""

from pathlib import Path

import pytest
from flax import nnx
from type_checkers import PLUGIN, installed, mypy, reported

from tests.unread import SKIPPED

pytestmark = [
    installed("mypy"),
    pytest.mark.skipif(
        not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
    ),
]

WRITTEN = {
    "at the margin": """
class S(TypedState):
    kernel: Annotated[nnx.Param[Array], Alias("w")]
""",
    "below an if": """
if TYPE_CHECKING or True:
    class S(TypedState):
        kernel: Annotated[nnx.Param[Array], Alias("w")]
""",
    "with tabs": """
if TYPE_CHECKING or True:
\tclass S(TypedState):
\t\tkernel: Annotated[nnx.Param[Array], Alias("w")]
""",
    "in a class": """
class Outer:
    class S(TypedState):
        kernel: Annotated[nnx.Param[Array], Alias("w")]
S = Outer.S
""",
    "with a decorator": """
def same(cls: type[T]) -> type[T]:
    return cls
@same
@same
class S(TypedState):
    kernel: Annotated[nnx.Param[Array], Alias("w")]
""",
    "in odd words": """
class   S ( TypedState ):
    kernel: Annotated[nnx.Param[Array], Alias("w")]
""",
    "over many lines": """
class S(
    TypedState,
):
    '''Its text is
outdented, with "Alias" in it.
    '''
    kernel: (
        Annotated[
nnx.Param[Array], Alias(
    key="w"),
        ]
    )
""",
    "quoted": """
class S(TypedState):
    kernel: "Annotated[nnx.Param[Array], Alias('w')] | None"
""",
    "behind a form feed": """
\x0c
class First(TypedState):
    kernel: nnx.Param[Array]
\x0c
class S(TypedState):
    kernel: Annotated[nnx.Param[Array], Alias("w")]
""",
    "inherited": """
class Base(TypedState):
    kernel: Annotated[nnx.Param[Array], Alias("w")]
class S(Base):
    '''No Alias of its own.'''
""",
}

HEAD = """
from typing import TYPE_CHECKING, Annotated, TypeVar
from flax import nnx
from jax import Array
from typedstate import Alias, TypedState
T = TypeVar("T")
"""

#: The attribute is an error, the key is none: both are known.
USE = """
def use(state: S) -> None:
    state.kernel
    state["w"]
    state["kernel"]
"""


def test_every_way_to_write_a_class(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + SKIPPED)
    files = {name: tmp_path / f"way{index}.py" for index, name in enumerate(WRITTEN)}
    for name, file in files.items():
        file.write_text(HEAD + WRITTEN[name] + USE)
    result = mypy(list(files.values()), config, "-aliases")
    found = reported(result.stdout)
    lines = {name: (HEAD + text).count("\n") for name, text in WRITTEN.items()}
    for name, file in files.items():
        of_file = {line: texts for (path, line), texts in found.items() if path == file.name}
        assert of_file == {
            lines[name] + 3: [
                '"S" has no attribute "kernel" at run time: its key is \'w\'  [attr-defined]'
            ],
            lines[name] + 5: ['"S" has no key "kernel": the key of kernel is \'w\'  [index]'],
        }, name
