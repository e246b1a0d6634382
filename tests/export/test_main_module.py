"""Sources with classes of the program that runs, whose module is ``__main__``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import forked

PROGRAM = """
import jax.numpy as jnp
from flax import nnx
from typedstate import infer, to_source


class Scale(nnx.Variable):
    pass


class Kinds:
    class Shift(nnx.Variable):
        pass


class Net(nnx.Module):
    def __init__(self):
        self.scale = Scale(jnp.ones(3))
        self.shift = Kinds.Shift(jnp.ones(3))


if __name__ == "__main__":
    print(to_source(infer(Net())))
"""
SCHEMA = """
class NetState(TypedState):
    scale: Annotated[Scale, Float[Array, "d"]]
    shift: Annotated[Kinds.Shift, Float[Array, "d"]]
"""
NOTE = "# In the file of {0} itself, leave out its import: it makes the classes anew.\n"


def test_a_class_of_a_script_is_imported_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    source = _run(tmp_path, "train.py")
    assert source.startswith(NOTE.format("train"))
    assert "from train import Kinds, Scale\n" in source
    assert SCHEMA in source
    assert "__main__" not in source
    (tmp_path / "schemas.py").write_text(source)
    (tmp_path / "use.py").write_text(
        "import schemas, train\nfrom typedstate import check\n"
        "check(train.nnx.state(train.Net()), schemas.NetState)"
    )
    _run(tmp_path, "use.py")


def test_a_source_below_the_classes_of_its_script_needs_no_import(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    source = _run(tmp_path, "train.py").replace("from train import Kinds, Scale\n", "")
    checked = "from typedstate import check\ncheck(nnx.state(Net()), NetState)\n"
    (tmp_path / "train.py").write_text("\n".join([PROGRAM, source, checked]))
    _run(tmp_path, "train.py")


def test_a_program_that_is_run_by_its_module_has_that_name(tmp_path: Path) -> None:
    package = tmp_path / "net"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "train.py").write_text(PROGRAM)
    source = _run(tmp_path, "-m", "net.train")
    assert source.startswith(NOTE.format("net.train"))
    assert "from net.train import Kinds, Scale\n" in source


def test_a_session_has_no_module() -> None:
    source = _session(PROGRAM)
    assert source.startswith(
        "# Write this below Scale, which no module has.\n"
        "# Write this below Kinds, which no module has.\n"
    )
    assert SCHEMA in source
    assert "__main__" not in source
    assert _session(f"__file__ = 'train-1.py'\n{PROGRAM}") == source


def test_a_class_of_a_session_may_have_the_name_of_what_the_source_imports() -> None:
    source = _session(PROGRAM.replace("Scale", "Array"))
    assert 'scale: Annotated[Array, Float[jaxtyping.Array, "d"]]' in source


def test_a_class_of_a_session_that_has_the_name_of_a_schema_is_refused() -> None:
    found = forked(PROGRAM.replace("Scale", "NetState"), dict(os.environ))
    assert found.stderr.endswith(
        "typedstate.errors.SchemaError: to_source(NetState, NetState.scale): "
        "the name NetState is taken; define the class in a module\n"
    ), found.stderr


def _run(folder: Path, *words: str) -> str:
    path = os.pathsep.join([str(folder), *sys.path])
    found = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def _session(code: str) -> str:
    found = forked(code, dict(os.environ))
    assert found.returncode == 0, found.stderr
    return found.stdout
