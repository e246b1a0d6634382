"""What infer costs beside making the models: ``python -m tests.benchmarks.inferring``.

Ratios of process time: the inference of an abstract model of 10,000 leaves beside
``nnx.eval_shape`` of each of its blocks, and ``infer --check`` on a project of ten models beside
making those abstractly. It takes about a minute.
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

from tests.zoo import list_of
from tests.zoo.published import GPT, Block, abstract
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
    """The leaves of a model, and the time of `infer` beside that of making its parts.

    ``nnx.eval_shape`` of the whole takes time that grows as the square of its leaves: of 2,900
    three minutes, of 10,000 half an hour. So each block is made by its own ``nnx.eval_shape``, and
    the model is put together of these. Their sum grows as the leaves do, and is less than what the
    whole would take: the ratio is above the one that a user sees.
    """
    infer(_of_blocks(2))
    each, two = (len(jax.tree.leaves(nnx.state(_of_blocks(number)))) for number in (1, 2))
    layers = (LEAVES - each) // (two - each) + 1
    made, model = taken(lambda: _of_blocks(layers))
    inferred, _ = taken(lambda: infer(model))
    return len(jax.tree.leaves(nnx.state(model))), inferred / made


def _of_blocks(layers: int) -> GPT:
    """An abstract GPT, each block of which was made by itself."""
    model: GPT = abstract(lambda rngs: GPT(layers=0, rngs=rngs))
    made = [nnx.eval_shape(lambda: Block(8, 2, nnx.Rngs(0))) for _ in range(layers)]
    model.blocks = list_of(made)
    return model


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
    print(f"infer of {leaves} leaves: {ratio:.2f} x nnx.eval_shape of its blocks")


if __name__ == "__main__":
    main()
