"""Memory that `Weights.load` takes: ``python -m tests.checkpoint.memory_of_load FILE list|stack``.

Prints the bytes of the result, of one tensor, and by how much the peak of the process grew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, Stacked, StateMap, TypedState
from typedstate.checkpoint import Rule, Weights, inspect


class KernelState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]


class ListState(TypedState):
    layers: StateMap[int, Bind[KernelState, "din=d dout=d"]]


class StackState(TypedState):
    layers: Bind[Stacked[KernelState, "n"], "din=d dout=d"]


WEIGHTS: dict[str, Weights[Any]] = {
    "list": Weights(ListState, Rule("m.{i}.weight", "layers[{i}].kernel", transpose=True)),
    "stack": Weights(StackState, Rule("m.{i}.weight", "layers.kernel", transpose=True)),
}


def memory(key: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``VmHWM`` at most."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024


def main(file: str, way: str) -> None:
    weights = WEIGHTS[way]
    jax.block_until_ready(weights.load(Path(file).with_name("small.safetensors")))
    held = inspect(file)
    before = memory("VmRSS")
    jax.block_until_ready(weights.load(file))
    print(held.nbytes, held.leaves[0].nbytes, memory("VmHWM") - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
