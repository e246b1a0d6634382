"""The plugin loads and reads no more than mypy's questions need: most of a run asks for nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flax import nnx
from type_checkers import installed

from tests.unread import SKIPPED

pytestmark = [
    installed("mypy"),
    pytest.mark.skipif(
        not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
    ),
]

STATES = """
from typing import Annotated

from flax import nnx

from typedstate import Alias, TypedState

class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.head = nnx.Linear(2, 3, rngs=rngs)

class HeadState(TypedState):
    kernel: nnx.Param
    last: Annotated[nnx.Param, Alias("bias")]

class NetState(TypedState):
    head: HeadState

def both(net: Net, state: NetState) -> object:
    state.head.bias
    nnx.state(net)["hed"]
    return nnx.state(net)["head"], state.head
"""

PLAIN = """
import functools
from dataclasses import dataclass, field

@dataclass
class Counted:
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> int:
        self.counts[name] = self.counts.get(name, 0) + 1
        return functools.reduce(max, self.counts.values())

class Named(Counted):
    names: list[str]

Named().count("a").bit_length()
"""

#: Runs mypy, and prints what of the plugin was loaded and how many texts it parsed.
RUN = """
import json, sys
from mypy import api

said = api.run(sys.argv[1:])
loaded = sorted(name for name in sys.modules if name.startswith("typedstate"))
parsed = {}
for module, name in (("bindings", "_functions"), ("declaration", "_classes")):
    found = sys.modules.get(f"typedstate.mypy_plugin.{module}")
    parsed[name] = None if found is None else getattr(found, name).cache_info().misses
print(json.dumps({"said": said, "loaded": loaded, "parsed": parsed}))
"""

ENTRY = [
    "typedstate",
    "typedstate._lazy",
    "typedstate.mypy_plugin",
    "typedstate.mypy_plugin.fallback",
    "typedstate.mypy_plugin.hooks",
    "typedstate.mypy_plugin.names",
    "typedstate.mypy_plugin.options",
]


def checked(folder: Path) -> dict[str, Any]:
    """What a run of mypy over a folder says, loads and parses."""
    (folder / "mypy.ini").write_text(f"[mypy]\nplugins = typedstate.mypy_plugin\n{SKIPPED}")
    done = subprocess.run(
        [sys.executable, "-c", RUN, "--cache-dir", str(folder / "cache"), "."],
        cwd=folder,
        env={**os.environ, "MYPY_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_run_without_states_loads_the_entry_alone(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(PLAIN)
    found = checked(tmp_path)
    assert found["said"][0] == "Success: no issues found in 1 source file\n"
    assert found["loaded"] == ENTRY


def test_a_warm_run_loads_what_the_changed_file_asks_for(tmp_path: Path) -> None:
    (tmp_path / "states.py").write_text(STATES)
    (tmp_path / "plain.py").write_text(PLAIN)
    cold = checked(tmp_path)
    assert cold["said"][0] == (
        'states.py:20: error: "HeadState" has no attribute "bias"  [attr-defined]\n'
        'states.py:21: error: "State[Net]" has no key "hed": did you mean "head"?  [index]\n'
        "Found 2 errors in 1 file (checked 2 source files)\n"
    )
    assert "typedstate.mypy_plugin.answers" in cold["loaded"]
    # Neither a class's aliases nor how its states are made ask for the text of a whole module.
    assert cold["parsed"] == {"_functions": 0, "_classes": 0}
    warm = checked(tmp_path)
    assert warm["said"] == cold["said"]
    assert warm["loaded"] == ENTRY
    (tmp_path / "plain.py").write_text(f"{PLAIN}\nlast = 1\n")
    warm = checked(tmp_path)
    assert warm["said"] == cold["said"]
    assert warm["loaded"] == ENTRY


def test_the_entry_knows_all_that_is_answered() -> None:
    from typedstate.mypy_plugin import names
    from typedstate.mypy_plugin.answers import Answers
    from typedstate.mypy_plugin.options import PluginOptions

    answers = Answers(lambda _: None, lambda _: None, PluginOptions())
    made = {name for name in answers.functions if name.startswith(names.MADE)}
    assert set(answers.functions) - made == names.FUNCTIONS
    assert set(answers.own_methods) == names.METHODS
    assert set(answers.methods) == names.TREE_METHODS
