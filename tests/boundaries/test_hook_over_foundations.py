"""The import hook over what typedstate itself stands on is refused before anything is imported."""

import subprocess
import sys

import pytest

from typedstate import install_import_hook

NAMES = ("flax", "flax.nnx", "jax", "jaxtyping", "beartype", "numpy", "typedstate")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can't be checked: typedstate itself stands on it") as it:
        install_import_hook("mypackage", name)
    assert str(it.value).startswith(f"{name} ")


def test_nothing_is_left_half_imported() -> None:
    code = """
from typedstate.boundaries.import_hook import install_import_hook
try:
    install_import_hook("flax")
except ValueError as error:
    print(error)
import flax.nnx
print(flax.nnx.Linear.__name__)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert run.stdout.splitlines() == [
        "flax can't be checked: typedstate itself stands on it",
        "Linear",
    ], run.stderr
