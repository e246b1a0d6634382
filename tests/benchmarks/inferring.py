"""What infer costs beside making the models: ``python -m tests.benchmarks.inferring``.

Ratios of process time: the inference of an abstract model of 10,000 leaves beside
``nnx.eval_shape`` of it, and ``infer --check`` on a project of ten models beside making those
abstractly.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from tests.zoo.published import GPT, abstract
from typedstate import infer
from typedstate.cli import main as command

LEAVES, MODELS = 10_000, 10
PROJECT = """
from flax import nnx

from tests.zoo.published import GPT


def make_{index}(layers: int = {layers}) -> nnx.Module:
    return GPT(layers=layers, rngs=nnx.Rngs(0))
"""


def taken(work: Callable[[], Any]) -> tuple[float, Any]:
    """Process time of some work, and what it gives."""
    begin = time.process_time()
    found = work()
    return time.process_time() - begin, found


def large() -> tuple[int, float]:
    """The leaves of a model, and the time of `infer` beside that of making it."""
    infer(abstract(lambda rngs: GPT(layers=2, rngs=rngs)))
    each = len(jax.tree.leaves(nnx.state(abstract(lambda rngs: GPT(layers=1, rngs=rngs)))))
    two = len(jax.tree.leaves(nnx.state(abstract(lambda rngs: GPT(layers=2, rngs=rngs)))))
    layers = (LEAVES - each) // (two - each) + 1
    made, model = taken(lambda: abstract(lambda rngs: GPT(layers=layers, rngs=rngs)))
    inferred, _ = taken(lambda: infer(model))
    return len(jax.tree.leaves(nnx.state(model))), inferred / made


def project(folder: Path) -> float:
    """The time of checking the schemas of ten models beside that of making them."""
    sys.path.insert(0, str(folder))
    for index in range(MODELS):
        text = PROJECT.format(index=index, layers=2 + index)
        (folder / f"model_{index}.py").write_text(text, encoding="utf-8")
    names = [(f"model_{index}:make_{index}", folder / f"s_{index}.py") for index in range(MODELS)]
    with contextlib.redirect_stdout(io.StringIO()):
        for target, file in names:
            assert command(["infer", target, "-o", str(file)]) == 0
        checked, _ = taken(
            lambda: [command(["infer", target, "--check", str(file)]) for target, file in names]
        )
    makers = [getattr(sys.modules[f"model_{index}"], f"make_{index}") for index in range(MODELS)]
    made, _ = taken(lambda: [nnx.eval_shape(make) for make in makers])
    return checked / made


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(
            f"infer --check of {MODELS} models: {project(Path(folder)):.2f} x making them",
            flush=True,
        )
    leaves, ratio = large()
    print(f"infer of {leaves} leaves: {ratio:.2f} x nnx.eval_shape")


if __name__ == "__main__":
    main()
