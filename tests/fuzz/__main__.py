"""Fuzzes guided by coverage for a bounded number of runs: ``python -m tests.fuzz --runs 2000``.

Each target runs in a process of its own, as libFuzzer ends it; a failing input stays in the
folder that ``--keep`` names. Where atheris has no wheel this says so and fails nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SEEDS = 32
LENGTH = 4096
NAMES = ("dims", "declarations", "states", "reports", "source")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--runs", type=int, default=2000, help="inputs for each target")
    parser.add_argument("--keep", type=Path, help="folder for failing inputs")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    chosen = options()
    if importlib.util.find_spec("atheris") is None:
        print("skipped: atheris is not installed; it has wheels for Linux on x86-64 (extra fuzz)")
        return 0
    if chosen.inside:
        fuzz(chosen.targets[0], chosen.runs, chosen.keep)
    failed = [name for name in chosen.targets or NAMES if not passes(name, chosen)]
    print(f"failed: {', '.join(failed)}" if failed else "all targets hold")
    return 1 if failed else 0


def passes(name: str, chosen: argparse.Namespace) -> bool:
    """Fuzzes one target in a process of its own and shows what it says where it fails."""
    keep = chosen.keep or Path(tempfile.mkdtemp(prefix="typedstate-fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", "--inside", name, f"--runs={chosen.runs}"]
    done = subprocess.run(
        [*command, f"--keep={keep}"], capture_output=True, text=True, errors="replace", check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    last = next((line for line in reversed(lines) if line.startswith("Done ")), "no summary")
    if done.returncode == 0:
        print(f"{name}: {last}", flush=True)
        return True
    said = [line for line in lines if not line.startswith(("#", "INFO"))]  # of its progress none
    print("\n".join([f"{name}: exit status {done.returncode}, input in {keep}", *said[-60:]]))
    return False


def fuzz(name: str, runs: int, keep: Path) -> None:
    """Runs one target under atheris, which ends this process."""
    import atheris

    with atheris.instrument_imports(include=["typedstate"]):
        from tests.fuzz.targets import TARGETS

    test: Callable[[bytes], Any] = TARGETS[name].hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    arguments = [f"-runs={runs}", "-seed=1", f"-max_len={LENGTH}", "-len_control=0", "-timeout=120"]
    seeds = tempfile.mkdtemp(prefix="typedstate-seeds-")
    for seed in range(SEEDS):  # hypothesis draws from bytes: from too few it draws nothing
        (Path(seeds) / str(seed)).write_bytes(random.Random(seed).randbytes(LENGTH))
    atheris.Setup([sys.argv[0], *arguments, f"-artifact_prefix={keep}/", seeds], test)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
