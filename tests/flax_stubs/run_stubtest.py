"""Runs mypy's stubtest over the installed Flax stubs, on any supported Flax.

Before 0.12.5 the functions that `graphlib.pyi` describes live in `flax.nnx.graph`: there it stands
in for the runtime module, so that every signature is compared and not only the names that
`graph.pyi` re-exports.
"""

import importlib
import importlib.util
import sys

from mypy import stubtest

MODULES = (
    "flax.linen.pooling",
    *(
        f"flax.nnx.{name}"
        for name in (
            "filterlib",
            "statelib",
            "graphlib",
            "graph",
            "module",
            "spmd",
            "nn.linear",
            "training.metrics",
            "training.optimizer",
            "transforms.autodiff",
            "transforms.compilation",
            "transforms.iteration",
            "transforms.transforms",
        )
    ),
)


def main(arguments: list[str]) -> int:
    if importlib.util.find_spec("flax.nnx.graphlib") is None:
        sys.modules["flax.nnx.graphlib"] = importlib.import_module("flax.nnx.graph")
    return stubtest.test_stubs(stubtest.parse_options([*arguments, *MODULES]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
