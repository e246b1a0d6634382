"""What of Flax's public names is unknown to pyright, or in part: every function, every method."""

import inspect
import json
import sys
from pathlib import Path

import pytest
from flax import nnx
from type_checkers import installed, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
    ),
]

#: Where they are defined has no stub: what else those modules have is typed, and their stubs would have to tell it all.
KNOWN = {
    "flax.nnx.extract": ("NodeStates.replace", "prefix", "to_tree"),
    "flax.nnx.helpers": ("TrainState.apply_gradients", "TrainState.create", "TrainState.replace"),
    "flax.nnx.nn.attention": ("dot_product_attention_with_rope",),
    "flax.nnx.pytreelib": ("check_pytree",),
    "flax.nnx.rnglib": ("reseed",),
    "flax.nnx.summary": ("tabulate",),
    "flax.nnx.variablelib": (
        "Variable.copy",
        "Variable.replace",
        "Variable.to_state",
        "use_eager_sharding.get_stack",
    ),
    "flax.nnx.visualization": ("display",),
}


def public() -> dict[str, str]:
    """An expression for each public function, and for each method of a public class."""
    found: dict[str, str] = {}
    for name, value in sorted(vars(nnx).items()):
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if not inspect.isclass(value):
            found[name] = f"nnx.{name}"
        elif value.__module__.startswith("flax."):
            methods = [key for key in vars(value) if not key.startswith("_")]
            found |= {
                f"{name}.{key}": f"the_{name}.{key}"
                for key in sorted(methods)
                if callable(getattr(value, key, None))
            }
    return found


def declared() -> list[str]:
    """A parameter for each public class, whose type variables are Any."""
    classes = {name.partition(".")[0] for name, text in public().items() if text[:4] == "the_"}
    variables = {name: getattr(getattr(nnx, name), "__parameters__", ()) for name in classes}
    return [
        f"the_{name}: nnx.{name}" + (f"[{', '.join(['Any'] * len(given))}]" if given else "")
        for name, given in sorted(variables.items())
    ]


@installed("pyright")
def test_what_is_unknown_is_in_no_module_with_a_stub(tmp_path: Path) -> None:
    names = public()
    assert len(names) > 300
    head = ["from typing import Any", "from flax import nnx", "def f("]
    head += [f"    {one}," for one in declared()] + [") -> None:"]
    (tmp_path / "probe.py").write_text("\n".join([*head, *(f"    {x}" for x in names.values())]))
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    given = ["--pythonpath", sys.executable, "--outputjson", "-p", tmp_path]
    found = json.loads(run(sys.executable, "-m", "pyright", *given).stdout)
    rules = ("reportUnknownMemberType", "reportUnknownVariableType")
    lines = {
        item["range"]["start"]["line"] - len(head)
        for item in found["generalDiagnostics"]
        if item.get("rule") in rules
    }
    unknown = {name for number, name in enumerate(names) if number in lines}
    assert unknown <= {name for names in KNOWN.values() for name in names}
    assert {"reseed", "Variable.copy"} <= unknown, "the probe sees nothing"
