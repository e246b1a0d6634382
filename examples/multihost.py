"""Two processes, arrays that no single one of them holds, and a check in each of its own.

The parent starts both over loopback. A check reads metadata only: the first process finishes
all of its checks before the other one goes on, and a wrong placement is reported by both.

    python examples/multihost.py
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float

from typedstate import Bind, Placed, Sharded, StateTypeError, TypedState, checked, shardings

PROCESSES, DEVICES = 2, 4
TIMEOUT = 240  # seconds


class LinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]]


class MLPState(TypedState):
    up: Bind[LinearState, "din=d dout=hidden"]
    down: Bind[LinearState, "din=hidden dout=d"]


Model = Sharded[MLPState, "d=model hidden=data"]
SHAPES = {"up": {"kernel": (8, 16), "bias": (16,)}, "down": {"kernel": (16, 8), "bias": (8,)}}


@checked
def ready(state: Placed[Model]) -> Placed[Model]:
    return state


def made(shape: tuple[int, ...], sharding: Any) -> jax.Array:
    """A global array: each process makes the shards of its own devices."""
    return jax.make_array_from_callback(shape, sharding, lambda at: np.ones(shape, np.float32)[at])


def state_at(partition: Any) -> Any:
    return nnx.State(
        {
            part: {
                name: nnx.Param(made(shape, partition[part][name]))
                for name, shape in leaves.items()
            }
            for part, leaves in SHAPES.items()
        }
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder) / "first process is done")


def run(done: Path) -> None:
    """Starts both processes and prints what they say."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{server.getsockname()[1]}"
    flags = f"--xla_force_host_platform_device_count={DEVICES}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, address, str(index), str(done)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(PROCESSES)
    ]
    try:
        for index, worker in enumerate(workers):
            out, err = worker.communicate(timeout=TIMEOUT)
            print(f"process {index}:")
            print("\n".join(line for line in out.splitlines() if line.startswith("  ")))
            if worker.returncode:
                raise SystemExit(f"process {index} failed:\n{err[-2000:]}")
    finally:
        for worker in workers:
            worker.kill()


def work(address: str, index: int, done: Path) -> None:
    """What each process does."""
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, PROCESSES, index)

    devices = np.array(jax.devices()).reshape(PROCESSES, DEVICES)
    named: Any = shardings(Model, Mesh(devices, ("data", "model")), d=8, hidden=16)
    state, wrong = state_at(named), state_at(named)
    wrong["down"]["kernel"] = nnx.Param(made((16, 8), named["up"]["kernel"]))
    arrays = jax.tree.leaves(state)
    print(f"  fully addressable: {[array.is_fully_addressable for array in arrays]}")

    # The second process stands still until the first one has checked everything, so that
    # any communication in a check would hang.
    while index == 1 and not done.exists():
        time.sleep(0.01)
    ready(state)
    try:
        ready(wrong)
    except StateTypeError as error:
        violation = None if error.report is None else error.report.violations[0]
        print(f"  {violation}")
    else:
        raise SystemExit("the wrong placement was not reported")
    if index == 0:
        print("  checked while the other process stood still")
        done.touch()

    # The arrays are global all the same: a sum over both processes.
    total = jax.jit(lambda tree: sum(x.sum() for x in jax.tree.leaves(tree)))(state)
    print(f"  sum over both processes: {float(total)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
