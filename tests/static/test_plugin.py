"""The mypy plugin: the suite's verdicts with it, its options, and that it is never in the way."""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from flax import nnx
from type_checkers import (
    HERE,
    OFF,
    OPTIONS,
    PLUGIN,
    Errors,
    expected,
    installed,
    mypy,
    reported,
    run,
    schema_files,
)

from tests.unread import SKIPPED

pytestmark = [
    installed("mypy"),
    pytest.mark.skipif(
        not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
    ),
]


def test_the_suite_with_the_plugin(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + OPTIONS)
    files = schema_files(plugin=True)
    result = mypy(files, config, "-plugin")
    assert not result.stderr
    assert reported(result.stdout) == expected(files, "plugin")


def test_module_states_are_no_matter_where_they_are_switched_off(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + OFF)
    result = mypy([HERE / "schemas" / "plugin_modules.py"], config, "-off")
    assert "plugin_modules.py" not in {file for file, _ in reported(result.stdout)}


@pytest.mark.parametrize(
    ("name", "text", "reports"),
    [
        ("mypy.ini", OPTIONS, True),
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


USER = """
from flax import nnx
from schema_models import BlockState, ModelState

from typedstate import Only, Pure, TypedState

class Own(TypedState):
    params: Only[BlockState, nnx.Param]

def uses(state: ModelState, own: Own, pure: Pure[BlockState]) -> None:
    state["hed"]
    own.params.dropout
    own.params.norm.scael
    pure["up"]["krenel"]
    state["blocks"][0]["up"]["kernel"] = 3
    nnx.filter_state(state, nnx.Param)["temprature"]
"""

FOUND = "found = mypy_plugin.plugin(version)\n"


def run_changed(folder: Path, change: str, *, loads: bool = True) -> tuple[Errors, str]:
    """What mypy reports over a user's file, and what it prints beside."""
    config = folder / "mypy.ini"
    config.write_text(PLUGIN.format(HERE / "changing_plugin.py") + SKIPPED)
    (folder / "user.py").write_text(f"{USER}# {folder}\n")  # nothing that is in the cache
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHANGED", change)
        # mypy takes nothing from a cache that was written with a plugin when there is none.
        result = mypy([folder / "user.py"], config, "-changed" if loads else "-not-loaded")
    assert result.returncode in (0, 1), result.stdout + result.stderr
    assert "INTERNAL ERROR" not in result.stdout
    return reported(result.stdout), result.stderr


WITHOUT_PLUGIN = {
    ("user.py", 13): ['"NormState" has no attribute "scael"; maybe "scale"?  [attr-defined]'],
}
NOT_LOADED = "typedstate.mypy_plugin: no plugin on mypy {}: {}\n"
FAILED = "typedstate.mypy_plugin does not fit mypy {}, whose own answers stand where it fails: {}\n"


def test_a_mypy_that_has_not_changed(tmp_path: Path) -> None:
    errors, printed = run_changed(tmp_path, FOUND)
    assert [line for _, line in errors] == [11, 12, 13, 14, 15, 16]
    assert not printed


def test_a_module_of_mypy_that_is_gone(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['mypy.server.trigger'] = None\n"
    errors, printed = run_changed(tmp_path, f"{hide}{FOUND}")
    assert errors == WITHOUT_PLUGIN
    reason = "ModuleNotFoundError: import of mypy.server.trigger halted; None in sys.modules"
    assert printed == FAILED.format(version("mypy"), reason)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            "fields = 'type default_type is_lvalue context api'\n"
            "mypy.plugin.AttributeContext = collections.namedtuple('AttributeContext', fields)\n",
            "AttributeError: AttributeContext has no default_attr_type",
        ),
        (
            "class Plugin: get_type_analyze_hook = get_base_class_hook = None\n"
            "from typedstate.mypy_plugin import hooks, fallback\nfallback.Plugin = Plugin\n",
            "AttributeError: type object 'Plugin' has no attribute 'get_attribute_hook'",
        ),
    ],
)
def test_an_interface_that_lacks_something(tmp_path: Path, change: str, reason: str) -> None:
    errors, printed = run_changed(tmp_path, change + FOUND, loads=False)
    assert errors == WITHOUT_PLUGIN
    assert printed == NOT_LOADED.format(version("mypy"), reason)


@pytest.mark.parametrize("name", ["type", "api", "context", "args", "cls"])
def test_an_attribute_that_is_gone_when_a_hook_runs(tmp_path: Path, name: str) -> None:
    call = f"lambda hook, context: hook(Lacking(context, {name!r}))"
    _, printed = run_changed(tmp_path, f"{FOUND}found = calling(found, {call})")
    reason = f"AttributeError: the context has no {name}"
    assert printed == FAILED.format(version("mypy"), reason)


def test_a_hook_that_is_given_more(tmp_path: Path) -> None:
    call = "lambda hook, context: hook(context, None)"
    errors, printed = run_changed(tmp_path, f"{FOUND}found = calling(found, {call})")
    assert errors == WITHOUT_PLUGIN
    assert printed == FAILED.format(version("mypy"), "TypeError: a hook was given 2 arguments")


def test_a_method_that_is_asked_otherwise(tmp_path: Path) -> None:
    change = """
class Changed(found):
    def get_method_hook(self, fullname):
        return super().get_method_hook(fullname, 1)

    def get_attribute_hook(self, fullname):
        return super().get_attribute_hook()
found = Changed
"""
    errors, printed = run_changed(tmp_path, FOUND + change)
    assert errors == WITHOUT_PLUGIN
    assert printed.count("\n") == 1
    assert printed.startswith(FAILED.format(version("mypy"), "TypeError: ")[:-1])


def test_a_plugin_that_can_not_be_set_up(tmp_path: Path) -> None:
    change = "from typedstate.mypy_plugin import hooks\nhooks.read_options = None\n"
    errors, printed = run_changed(tmp_path, FOUND + change)
    assert errors == WITHOUT_PLUGIN
    reason = "TypeError: 'NoneType' object is not callable"
    assert printed == FAILED.format(version("mypy"), reason)


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
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + OPTIONS)
    (tmp_path / "odd.py").write_text(ODD)
    result = mypy([tmp_path / "odd.py"], config, "-plugin")
    assert not result.stderr
    assert "INTERNAL ERROR" not in result.stdout
    assert "did you mean" not in result.stdout


def test_a_text_that_this_python_cannot_read_is_not_guessed_at() -> None:
    bindings = pytest.importorskip("typedstate.mypy_plugin.bindings")
    guards = pytest.importorskip("typedstate.mypy_plugin.guards")
    nodes = pytest.importorskip("mypy.nodes")
    of_a_later_python = "state = first() of = second()"
    assert guards.guarded_reads(of_a_later_python) is None
    assert bindings.is_joined(of_a_later_python, nodes.NameExpr("state"))


def test_the_package_imports_without_mypy() -> None:
    code = "import sys; sys.modules['mypy'] = None; import typedstate.mypy_plugin"
    result = run(sys.executable, "-c", code)
    assert result.returncode == 0, result.stderr
