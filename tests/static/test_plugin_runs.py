"""Runs of mypy after another, warm and in the daemon, say what a first one says."""

import sys
from pathlib import Path

import pytest
from flax import nnx
from type_checkers import OPTIONS, PLUGIN, installed, mypy_in, run

from tests.unread import UNASKED

pytestmark = [
    installed("mypy"),
    pytest.mark.skipif(
        not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
    ),
]


SCHEMA = """
import jax
from flax import nnx
from typedstate import TypedState

class Leaves(TypedState):
    {}: nnx.{}[jax.Array]

class Whole(TypedState):
    up: Leaves
"""
BETWEEN = """
from flax import nnx
from dependent_schema import Whole
from typedstate import Only, Pure

def pure(state: Whole) -> Pure[Whole]:
    return nnx.to_pure_dict(state)

def only(state: Whole) -> Only[Whole, nnx.Param]:
    return state

def whole(pure: Pure[Whole]) -> Whole:
    return Whole(pure)
"""
DEPENDENT = """
import jax
from dependent_between import only, pure, whole
from flax import nnx
from typing import assert_type

state = whole({})
assert_type(pure(state)["up"]["kernel"], jax.Array)

def f() -> None:
    pure(state)["up"]["kernel"]
    only(state)["up"]
    assert_type(state["up"]["kernel"], nnx.Param[jax.Array])
"""
OF_ANOTHER_KIND = """\
dependent.py:12: error: "Only[Whole, Param]" has no key "up": Only drops it  [index]
dependent.py:13: error: Expression is of type "BatchStat[Array]", not "Param[Array]"  [assert-type]
"""
OF_ANOTHER_KEY = """\
dependent.py:8: error: Expression is of type "Any", not "Array"  [assert-type]
dependent.py:8: error: "Pure[Leaves]" has no key "kernel": it has "weight"  [index]
dependent.py:11: error: "Pure[Leaves]" has no key "kernel": it has "weight"  [index]
dependent.py:13: error: Expression is of type "Any", not "Param[Array]"  [assert-type]
dependent.py:13: error: "Leaves" has no key "kernel": it has "weight"  [index]
"""


@pytest.mark.parametrize("daemon", [False, True])
def test_answers_change_with_the_schema(tmp_path: Path, daemon: bool) -> None:
    config = tmp_path / "mypy.ini"
    # The daemon fails over a module that it was told to skip.
    options = OPTIONS.removeprefix(UNASKED) if daemon else OPTIONS
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + options)
    (tmp_path / "dependent_between.py").write_text(BETWEEN)
    (tmp_path / "dependent.py").write_text(DEPENDENT)
    status = tmp_path / "daemon.json"

    def errors(key: str, kind: str) -> str:
        schema = tmp_path / "dependent_schema.py"
        # Of another size each time: the daemon looks at no file whose size and time are the same.
        longer = schema.stat().st_size if schema.exists() else 0
        schema.write_text(SCHEMA.format(key, kind) + "#" * longer + "\n")
        result = mypy_in(tmp_path, [tmp_path / "dependent.py"], config, status if daemon else None)
        assert not result.stderr
        return "".join(line for line in result.stdout.splitlines(True) if " error: " in line)

    try:
        assert not errors("kernel", "Param")
        assert errors("kernel", "BatchStat") == OF_ANOTHER_KIND
        assert errors("weight", "Param") == OF_ANOTHER_KEY
        assert not errors("kernel", "Param")
    finally:
        if daemon:
            run(sys.executable, "-m", "mypy.dmypy", "--status-file", status, "stop")


PLAIN_CLASS = """
class Leaves:
    scale: int
"""
SCHEMA_CLASS = """
import jax
from flax import nnx
from typedstate import TypedState

class Leaves(TypedState):
    scale: nnx.Param[jax.Array]
"""
OF_LEAVES = """
from becoming_base import Leaves

class Both(Leaves):
    pass
"""
READING = """
import typedstate  # the daemon fails where a change brings so much with it
from becoming_both import Both
from flax import nnx

def f(both: typedstate.Only[Both, nnx.BatchStat]) -> None:
    both.scale
"""
DROPPED = (
    'becoming.py:7: error: "Only[Both, BatchStat]" has no attribute "scale": Only drops it'
    "  [attr-defined]"
)


def test_a_class_may_become_a_schema_in_the_daemon(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + OPTIONS.removeprefix(UNASKED))
    (tmp_path / "becoming_both.py").write_text(OF_LEAVES)
    (tmp_path / "becoming.py").write_text(READING)
    status = tmp_path / "daemon.json"

    def errors(base: str) -> list[str]:
        (tmp_path / "becoming_base.py").write_text(base)
        result = mypy_in(tmp_path, [tmp_path / "becoming.py"], config, status)
        assert not result.stderr
        return [line for line in result.stdout.splitlines() if " error: " in line]

    try:
        assert not errors(PLAIN_CLASS)
        assert errors(SCHEMA_CLASS) == [DROPPED]
        assert not errors(PLAIN_CLASS + "# again")
    finally:
        run(sys.executable, "-m", "mypy.dmypy", "--status-file", status, "stop")


MODULES = """
import jax
from flax import nnx

def doubled(x: jax.Array) -> jax.Array: return 2 * x

class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.Sequential(nnx.Linear(2, 2, rngs=rngs), nnx.relu)
        self.act, self.kind = doubled, nnx.Linear
        self.head = nnx.Linear(2, 2, use_bias=False, rngs=rngs)
"""
OF_MODULES = """
from flax import nnx
from modules import Net

def read(net: Net) -> None:
    nnx.state(net)["layers"]["layers"][1]
    nnx.state(net)["act"]
    nnx.state(net)["kind"]
    nnx.state(net)["head"]["bias"]
"""
NO_LEAVES = """\
reading.py:6: error: "State[List]" has no key 1: no leaf stands there  [index]
reading.py:7: error: "State[Net]" has no key "act": no leaf stands in the attribute act  [index]
reading.py:8: error: "State[Net]" has no key "kind": no leaf stands in the attribute kind  [index]
reading.py:9: error: "State[Linear]" has no key "bias": no leaf stands in the attribute bias  [index]
"""


def test_a_warm_run_says_what_a_cold_one_said(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + OPTIONS)
    (tmp_path / "modules.py").write_text(MODULES)
    for ending in ("", "# The module that it imports is read from the cache now.\n"):
        (tmp_path / "reading.py").write_text(OF_MODULES + ending)
        result = mypy_in(tmp_path, [tmp_path / "reading.py"], config, None)
        found = [line for line in result.stdout.splitlines(True) if " error: " in line]
        assert "".join(found) == NO_LEAVES
