"""Two processes, arrays that no single one of them holds, and a check in each of its own.

The parent starts both over loopback. A check reads metadata only: the first process finishes
all of its checks while the other one sleeps, and a wrong placement is reported by both.

    python examples/multihost.py
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import Any

PROCESSES, DEVICES = 2, 4
TIMEOUT = 240  # seconds
HEAD_START = 2.0  # seconds for which the second process sleeps


def main() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{server.getsockname()[1]}"
    flags = f"--xla_force_host_platform_device_count={DEVICES}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, address, str(index)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(PROCESSES)
    ]
    try:
        outputs = [worker.communicate(timeout=TIMEOUT) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for index, (worker, (out, err)) in enumerate(zip(workers, outputs, strict=True)):
        print(f"process {index}:\n{out}", end="")
        if worker.returncode:
            raise SystemExit(f"process {index} failed:\n{err[-2000:]}")


def work(address: str, index: int) -> None:
    """What each process does."""
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, PROCESSES, index)

    import numpy as np
    from flax import nnx
    from jax.sharding import Mesh
    from jaxtyping import Array, Float

    from typedstate import Bind, Placed, Sharded, StateTypeError, TypedState, checked, shardings

    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "din dout"]]
        bias: nnx.Param[Float[Array, "dout"]]

    class MLPState(TypedState):
        up: Bind[LinearState, "din=d dout=hidden"]
        down: Bind[LinearState, "din=hidden dout=d"]

    Model = Sharded[MLPState, "d=model hidden=data"]

    @checked
    def ready(state: Placed[Model]) -> Placed[Model]:
        return state

    def made(shape: tuple[int, ...], sharding: Any) -> jax.Array:
        """A global array: each process makes the shards of its own devices."""
        return jax.make_array_from_callback(
            shape, sharding, lambda at: np.ones(shape, np.float32)[at]
        )

    devices = np.array(jax.devices()).reshape(PROCESSES, DEVICES)
    named: Any = shardings(Model, Mesh(devices, ("data", "model")), d=8, hidden=16)
    shapes = {"up": {"kernel": (8, 16), "bias": (16,)}, "down": {"kernel": (16, 8), "bias": (8,)}}

    def state_at(partition: Any) -> Any:
        return nnx.State(
            {
                part: {
                    name: nnx.Param(made(shape, partition[part][name]))
                    for name, shape in leaves.items()
                }
                for part, leaves in shapes.items()
            }
        )

    state, wrong = state_at(named), state_at(named)
    wrong["down"]["kernel"] = nnx.Param(made((16, 8), named["up"]["kernel"]))
    arrays = jax.tree.leaves(state)
    print(f"  fully addressable: {[array.is_fully_addressable for array in arrays]}")

    # Nobody waits for anybody: the second process sleeps while the first one checks.
    synchronize(jax)
    started = time.perf_counter()
    if index == 1:
        time.sleep(HEAD_START)
    ready(state)
    try:
        ready(wrong)
    except StateTypeError as error:
        assert error.report is not None
        print(f"  {error.report.violations[0]}")
    else:
        raise SystemExit("the wrong placement was not reported")
    seconds = time.perf_counter() - started
    assert index == 1 or seconds < HEAD_START, f"the checks took {seconds:.1f} s"
    print(f"  checked before the other process woke up: {index == 0}")

    # The arrays are global all the same: a sum over both processes.
    total = jax.jit(lambda tree: sum(x.sum() for x in jax.tree.leaves(tree)))(state)
    print(f"  sum over both processes: {float(total)}")


def synchronize(jax: Any) -> None:
    """Waits until both processes are here."""
    from jax.experimental import multihost_utils

    multihost_utils.sync_global_devices("ready")
    jax.block_until_ready(jax.numpy.zeros(()))


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2])) if len(sys.argv) == 3 else main()
