"""What verify and restore cost beside Orbax alone: ``python -m tests.benchmarks.checkpoints``.

Ratios of work that is warm, ours and Orbax's by turns, of the least and of the median of each:
metadata of 10,000 leaves, and 128 arrays of random weights into the same target; of memory, the
peak of a process of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
from typedstate.checkpoint import restore, save, verify

LEAVES, LAYERS, WIDTH, TURNS = 10_000, 64, 1024, 30


class DenseState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]]


class StackState(TypedState):
    layers: StateMap[int, Bind[DenseState, "din=d dout=d"]]


def stack(count: int, size: int) -> nnx.State[Any, Any]:
    """Layers of the same random weights: numbers all alike would be read three times as fast."""
    kernel, bias = jax.random.normal(jax.random.key(0), (size, size)), jnp.zeros(size)
    layer = lambda: {"kernel": nnx.Param(kernel), "bias": nnx.Param(bias)}  # noqa: E731
    return nnx.State({"layers": {index: layer() for index in range(count)}})


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any], turns: int) -> str:
    """The fastest of our turns beside the fastest of theirs, and the median beside the median."""
    times: tuple[list[float], list[float]] = ([], [])
    sides = list(zip(times, (ours, theirs), strict=True))
    for turn in range(turns + 1):
        sides.reverse()  # neither always finds what the other has left of memory and caches
        for taken, work in sides:
            begin = time.perf_counter()
            work()
            if turn:
                taken.append(time.perf_counter() - begin)
    least, median = (of(times[0]) / of(times[1]) for of in (min, statistics.median))
    return f"{least:.2f} (median {median:.2f}) x"


def metadata(path: Path) -> Any:
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.metadata(path)


def by_orbax(path: Path, target: Any) -> Any:
    with ocp.StandardCheckpointer() as checkpointer:
        return jax.block_until_ready(checkpointer.restore(path, target))


def by_us(path: Path) -> Any:
    return jax.block_until_ready(restore(path, StackState).state)


def peak(path: Path, whose: str) -> int:
    """Peak memory of one restore in a process of its own, in KiB."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.checkpoints"]
    found = subprocess.run(
        [*command, whose, str(path)], capture_output=True, text=True, check=True
    ).stdout
    return int(found.split()[-1])


def high_water() -> int:
    """Peak memory of this process in KiB; ``ru_maxrss`` would be that of the one that began it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def target_of(state: Any) -> Any:
    at = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at), state)


def one(whose: str, path: Path) -> None:
    if whose == "ours":
        by_us(path)
    else:
        small = stack(1, 1)["layers"][0]
        whole = {index: dict(small) for index in range(LAYERS)}
        shaped = {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}
        at = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        for layer in whole.values():
            for name, shape in shaped.items():
                made = jax.ShapeDtypeStruct(shape, jnp.float32, sharding=at)
                layer[name] = nnx.Param(jnp.zeros(())).replace(made)
        by_orbax(path, nnx.State({"layers": whole}))
    print(high_water())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many"
        save(many, stack(LEAVES // 2, 2), StackState)
        found = ratio(lambda: verify(many, StackState), lambda: metadata(many), turns=3)
        print(f"verify of {LEAVES} leaves: {found} Orbax's metadata", flush=True)
        large = Path(folder) / "large"
        state = stack(LAYERS, WIDTH)
        save(large, state, StackState)
        target = target_of(state)
        del state
        found = ratio(lambda: by_us(large), lambda: by_orbax(large, target), TURNS)
        print(f"restore of 256 MB: {found} Orbax's own", flush=True)
        memory = peak(large, "ours") / peak(large, "orbax")
        print(f"peak memory: {memory:.2f} x Orbax's own", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        one(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
