"""Functions that read their caller's frame are left alone by the import hook, with a warning."""

from __future__ import annotations

from pathlib import Path

from tests.boundaries.test_import_hook import output

HELPERS = """
import sys

def climb() -> str:
    frame = sys._getframe(1)
    while "wanted" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["wanted"]
"""
READERS = """
from __future__ import annotations
import inspect
from . import helpers
from .helpers import climb
from .schemas import S

def direct(s: S) -> str:
    return inspect.currentframe().f_back.f_code.co_name

def by_stack(s: S) -> str:
    return inspect.stack()[1].function

def two_up() -> str:
    return inspect.currentframe().f_back.f_back.f_code.co_name

def calls_reader(s: S) -> str:
    return two_up()

def imported(s: S) -> str:
    return climb()

def by_module(s: S) -> str:
    return helpers.climb()

def helper(s: S) -> int:
    return 1

def calls_helper(s: S) -> tuple[str, int]:
    return inspect.currentframe().f_back.f_code.co_name, helper(s)

class Layer:
    def _scope(self) -> str:
        return inspect.currentframe().f_back.f_back.f_code.co_name

    def named(self, s: S) -> str:
        return self._scope()

    def plain(self, s: S) -> str:
        return "plain"

def plain(s: S) -> str:
    return inspect.currentframe().f_code.co_name
"""
USE = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from pkg import readers
import use

def caller(function):
    wanted = "found"
    try:
        return function(1)
    except TypeError as error:
        return type(error).__name__

layer = readers.Layer()
for function in [
    readers.direct, readers.by_stack, readers.calls_reader, readers.imported, readers.by_module,
    readers.calls_helper, readers.helper, layer.named, layer.plain, readers.plain,
]:
    print(function.__name__, caller(function))
for warning in caught:
    if warning.category is not DeprecationWarning:  # JAX's, of a Flax that is older
        print(warning.message)
"""


def test_whoever_reads_frames_sees_the_same_as_without_the_hook(package: Path) -> None:
    (package / "pkg" / "helpers.py").write_text(HELPERS)
    (package / "pkg" / "readers.py").write_text(READERS)
    plain = output(package, USE).splitlines()
    hooked = output(package, "import typedstate; typedstate.install_import_hook('pkg')\n" + USE)
    found, warnings = hooked.splitlines()[: len(plain)], hooked.splitlines()[len(plain) :]
    assert found == [
        *plain[:-2],
        "plain StateTypeError",
        "plain StateTypeError",
    ]
    between = "reads its caller's frame, and a check would stand between"
    may = "which reads its caller's frame: a check may stand between"
    assert sorted(warnings) == sorted(
        [
            f"climb is not enforced: it {between}",
            f"direct is not enforced: it {between}",
            f"by_stack is not enforced: it {between}",
            f"two_up is not enforced: it {between}",
            f"calls_reader is not enforced: it calls two_up, {may}",
            f"imported is not enforced: it calls climb, {may}",
            f"by_module is not enforced: it calls climb, {may}",
            "helper is not enforced: calls_helper calls it and reads its caller's frame: "
            "a check may stand between",
            f"calls_helper is not enforced: it {between}",
            f"Layer._scope is not enforced: it {between}",
            f"Layer.named is not enforced: it calls Layer._scope, {may}",
        ]
    )
