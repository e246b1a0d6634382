"""The import hook checks a whole package without a decorator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.boundaries.hooked_package import MODULE, environment
from tests.processes import forked
from typedstate import install_import_hook


def output(folder: Path, code: str, mode: str = "on") -> str:
    done = forked(code, environment(folder, mode))
    assert done.returncode == 0, done.stderr
    return done.stdout


HOOK = "import typedstate; typedstate.install_import_hook('pkg')\n"
ALL = [
    *("function", "nested", "method", "classmethod", "staticmethod", "inner class", "dataclass"),
    *("async", "generator", "async generator", "submodule", "names", "property"),
]


def test_the_hook_checks_everything_that_is_annotated(package: Path) -> None:
    lines = output(package, HOOK + "from use import *; show()").splitlines()
    assert lines == [f"{name}: accepted, StateTypeError" for name in ALL]


PUZZLES = """
from __future__ import annotations
from typing import TYPE_CHECKING, Any
from jaxtyping import Array, Float
from .schemas import S
from . import other

if TYPE_CHECKING:
    from somewhere import Trainer
else:
    Alias = Any

def hidden(trainer: Trainer, s: S) -> None: ...
def aliased(trainer: Alias.Trainer, s: S) -> list[Trainer]: ...
def braces(n: int, x: Float[Array, "{m}"], s: S) -> None: ...
def circular(late: other.Late, s: S) -> None: ...
"""
OTHER = """
from . import puzzles
class Late: ...
"""


def test_what_only_a_type_checker_can_read_is_left_alone(package: Path) -> None:
    (package / "pkg" / "puzzles.py").write_text(PUZZLES)
    (package / "pkg" / "other.py").write_text(OTHER)
    calls = """
import warnings, use, jax.numpy as jnp
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from pkg import other, puzzles
    refused, x = use.refused, jnp.ones(3)
    for first in [
        lambda s: puzzles.hidden(1, s),
        lambda s: puzzles.aliased(1, s),
        lambda s: puzzles.braces(3, x, s),
        lambda s: puzzles.circular(other.Late(), s),
    ]:
        print(refused(first, use.good), refused(first, 3))
    print(refused(puzzles.circular, 1, use.good))
for item in caught:
    if "enforced" in str(item.message):
        print(f"{item.filename.rpartition('pkg')[2]}:{item.lineno}: {item.message}")
"""
    assert output(package, HOOK + calls).splitlines() == [
        *["accepted StateTypeError"] * 4,
        "StateTypeError",
        "/puzzles.py:15: braces(x) is not enforced: '{m}': 'm' is no argument; there are n, x, s",
        "/puzzles.py:13: hidden(trainer) is not enforced: name 'Trainer' is not defined",
        "/puzzles.py:14: aliased(trainer) is not enforced: the annotation 'Alias.Trainer' can't be "
        "evaluated (AttributeError: type object 'Any' has no attribute 'Trainer')",
        "/puzzles.py:14: aliased(return) is not enforced: name 'Trainer' is not defined",
    ]


def test_a_mistake_in_a_schema_is_an_error_under_the_hook(package: Path) -> None:
    code = """
from typedstate import Bind
from .schemas import S
def wrong(s: Bind[S, "m=n"]) -> None: ...
"""
    (package / "pkg" / "wrong.py").write_text(code)
    calls = """
try:
    import pkg.wrong
except TypeError as error:
    print(error)
"""
    assert output(package, HOOK + calls).splitlines() == [
        "wrong(s): Bind names the dim 'm' that S doesn't have; it has n"
    ]


def test_off_is_off(package: Path) -> None:
    code = HOOK + "from use import *; show(); print(hasattr(code.function, '__wrapped__'))"
    lines = output(package, code, mode="off").splitlines()
    assert lines[-1] == "False"
    assert "function: accepted, accepted" in lines


def test_the_hook_goes_behind_its_block(package: Path) -> None:
    code = """
import typedstate, sys
with typedstate.install_import_hook("pkg.code"):
    from pkg import code
before = len(sys.meta_path)
from use import *
show()
"""
    lines = output(package, code).splitlines()
    assert "function: accepted, StateTypeError" in lines
    assert "submodule: accepted, accepted" in lines


def test_lines_docstrings_and_metadata_stay(package: Path) -> None:
    code = (
        HOOK
        + """
import traceback, inspect
from use import *
print(code.__doc__)
try:
    code.fails()
except ZeroDivisionError as error:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    print(frame.filename.rpartition("/")[2], frame.lineno, frame.line)
print(inspect.signature(code.function), code.function.__module__)
print(inspect.isgeneratorfunction(code.items))
print(hasattr(code.unannotated, "__wrapped__"), code.jitted.lower(good) is not None)
import gc, linecache
def count():
    gc.collect()
    return len([name for name in linecache.cache if name.startswith("<typedstate boundary")])
code.nested(good)
before = count()
for _ in range(20): code.nested(good)
print("nested functions leave nothing:", count() == before)
"""
    )
    lines = output(package, code).splitlines()
    line = MODULE.splitlines().index("    raise ZeroDivisionError  # line 60") + 1
    assert lines == [
        "Docstring.",
        f"code.py {line} raise ZeroDivisionError  # line 60",
        "(s: 'S', x: \"Float[Array, 'n']\") -> 'S' pkg.code",
        "True",
        "False True",
        "nested functions leave nothing: True",
    ]


OURS = "typedstate.install_import_hook('pkg')\n"
JAXTYPING = "import jaxtyping; jaxtyping.install_import_hook('pkg', 'beartype.beartype')\n"
CLAW = "from beartype.claw import beartype_package; beartype_package('pkg')\n"


@pytest.mark.parametrize(
    "hooks", [OURS + CLAW, CLAW + JAXTYPING + OURS], ids=["ours, claw", "claw, jaxtyping, ours"]
)
def test_with_other_hooks_ours_checks(package: Path, hooks: str) -> None:
    lines = output(package, f"import typedstate\n{hooks}from use import *; show()").splitlines()
    assert lines == [f"{name}: accepted, StateTypeError" for name in ALL]


def test_a_jaxtyping_hook_that_comes_later_takes_over(package: Path) -> None:
    code = f"import typedstate\n{OURS}{JAXTYPING}from use import *; show()"
    lines = output(package, code).splitlines()
    assert "function: accepted, TypeCheckError" in lines  # by isinstance, without shared names
    assert "names: accepted, accepted" in lines


def test_other_packages_keep_their_hooks(package: Path) -> None:
    code = """
import typedstate, jaxtyping
jaxtyping.install_import_hook("pkg.code", "beartype.beartype")
typedstate.install_import_hook("pkg.sub")
from use import *; show()
"""
    lines = output(package, code).splitlines()
    assert "submodule: accepted, StateTypeError" in lines
    assert "function: accepted, TypeCheckError" in lines


def test_a_package_that_another_finder_knows(package: Path) -> None:
    """As editable installs do: the package is not on the path."""
    (package / "elsewhere").mkdir()
    (package / "pkg").rename(package / "elsewhere" / "pkg")
    code = f"""
import sys
from importlib.machinery import PathFinder
class Editable:
    def find_spec(name, path=None, target=None):
        if name == "pkg":
            return PathFinder.find_spec(name, [{str(package / "elsewhere")!r}], target)
sys.meta_path.append(Editable)
{HOOK}
from use import *; show()
"""
    lines = output(package, code).splitlines()
    assert "function: accepted, StateTypeError" in lines


@pytest.mark.parametrize("names", [(), ("",), (3,)])
def test_a_name_is_wanted(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r'takes names of packages, e\.g\. "mypackage"'):
        install_import_hook(*names)


def test_a_package_must_not_be_imported_yet() -> None:
    message = "^os is imported already: install the hook before it$"
    with pytest.raises(ValueError, match=message):
        install_import_hook("os")


def test_what_flax_imports_itself_is_refused_by_name() -> None:
    code = "import typedstate; typedstate.install_import_hook('optax'); import optax"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    message = "ImportError: optax can't be checked: Flax imports it, and so does each check"
    assert run.stderr.splitlines()[-1] == message
