"""The mypy plugin: the suite's verdicts with it, its options, and that it is never in the way."""

import sys
from pathlib import Path

import pytest
from flax import nnx
from type_checkers import PLUGIN, expected, installed, mypy, reported, run, schema_files

pytestmark = [
    installed("mypy"),
    pytest.mark.skipif(
        not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
    ),
]

OPTIONAL = "\n[typedstate-mypy]\nreport_unguarded_optional = true\n"


def test_the_suite_with_the_plugin(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + OPTIONAL)
    files = schema_files(plugin=True)
    result = mypy(files, config, "-plugin")
    assert not result.stderr
    assert reported(result.stdout) == expected(files)


@pytest.mark.parametrize(
    ("name", "text", "reports"),
    [
        ("mypy.ini", OPTIONAL, True),
        ("mypy.ini", "[mypy]\nstrict = true\n", False),
        ("mypy.ini", "[typedstate-mypy]\nreport_unguarded_optional = no\n", False),
        ("mypy.ini", "no section", False),
        ("pyproject.toml", "[tool.typedstate-mypy]\nreport_unguarded_optional = true\n", True),
        ("pyproject.toml", "[tool.mypy]\n", False),
        ("pyproject.toml", "= no toml", False),
    ],
)
def test_options(tmp_path: Path, name: str, text: str, reports: bool) -> None:
    from typedstate.mypy_plugin.options import read_options

    (tmp_path / name).write_text(text)
    assert read_options(str(tmp_path / name)).report_unguarded_optional is reports


def test_no_configuration_file() -> None:
    from typedstate.mypy_plugin.options import PluginOptions, read_options

    assert read_options(None) == read_options("no such file") == PluginOptions()


def test_a_mypy_with_another_interface_gets_no_plugin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mypy.plugin import Plugin

    from typedstate.mypy_plugin import plugin

    monkeypatch.setitem(sys.modules, "typedstate.mypy_plugin.hooks", None)
    assert plugin("9.9") is Plugin
    error = capsys.readouterr().err
    assert error.startswith("typedstate.mypy_plugin: no plugin on mypy 9.9: ")
    assert error.count("\n") == 1


def test_a_hook_that_fails_answers_as_without_the_plugin(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from typedstate.mypy_plugin import hooks

    def fails(context: int) -> int:
        raise AttributeError(f"no attribute of context {context}")

    safe = hooks.safely(fails, lambda context: context + 1)
    assert [safe(1), safe(1)] == [2, 2]
    assert capsys.readouterr().err == (
        "typedstate.mypy_plugin: part of the plugin is off: "
        "AttributeError: no attribute of context 1\n"
    )


ODD = """
from typing import Annotated, Any, Generic, TypeVar
import jax
from flax import nnx
from typedstate import (
    Abstract, Alias, Entries, Like, Only, Plus, Pure, Rest, StateMap, TypedState, Values, check
)

S = TypeVar("S", bound=TypedState)

class Tree(TypedState):
    left: "Only[Tree, nnx.Param] | None"
    right: "Tree | None"
    leaf: nnx.Param[jax.Array]

class Generic1(TypedState, Generic[S]):
    inner: Only[S, nnx.Param]
    pure: Pure[S]
    tuple_key: Annotated[nnx.Param[jax.Array], Alias(("a", "b"))]
    computed: Annotated[nnx.Param[jax.Array], Alias(str(1))]

class Empty(TypedState): ...

def f(tree: Tree, g: Generic1[Tree], only: Only[Tree, nnx.BatchStat], e: Entries[()],
      dictionary: dict[str, int], anything: Any, key: str, un: Only[int, nnx.Param],
      p: Pure[Any], a: Abstract[Any], m: StateMap[int, Any], no: Only[Empty, nnx.Param],
      bad: Only[Tree], worse: Pure, like: Like[Tree, nnx.Param[Any] | int],
      maybe: Only[Tree, nnx.Param] | Rest[Tree, nnx.Param], plus: Plus[Tree, nnx.LoRAParam]
      ) -> None:
    tree["left"]
    tree["right"]["right"]["leaf"]
    tree[key]
    tree[0]
    g["inner"]["leaf"]
    g["computed"]
    g["anything"]
    only["left"]
    e[0]
    dictionary["a"]
    anything["a"]["b"]
    p["a"]["b"]
    a["a"].b
    m[0]["a"]
    no["a"]
    worse["a"]
    like["leaf"]
    maybe["leaf"]
    plus["other"]["thing"]
    check(anything, Pure[Only[Tree, nnx.Not(nnx.Param)]])["leaf"]
    nnx.filter_state(tree, lambda path, leaf: True)["leaf"]
    nnx.split_state(tree, nnx.Param, nnx.BatchStat, "tag", ...)[3]["leaf"]
    nnx.state(anything, *[nnx.Param, nnx.BatchStat])
    nnx.to_pure_dict(nnx.to_pure_dict(tree))
"""


def test_odd_code_is_no_internal_error(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + OPTIONAL)
    (tmp_path / "odd.py").write_text(ODD)
    result = mypy([tmp_path / "odd.py"], config, "-plugin")
    assert not result.stderr
    assert "INTERNAL ERROR" not in result.stdout
    assert "did you mean" not in result.stdout


def test_the_package_imports_without_mypy() -> None:
    code = "import sys; sys.modules['mypy'] = None; import typedstate.mypy_plugin"
    result = run(sys.executable, "-c", code)
    assert result.returncode == 0, result.stderr
