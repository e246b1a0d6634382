"""Static tests describe Flax 0.12; what came later in it is tested where it is."""

from flax import nnx
from flax.nnx import statelib

collect_ignore: list[str] = []
if not hasattr(statelib, "restore_int_paths"):
    collect_ignore += [
        "test_static_filters.py",
        "test_static_functions.py",
        "test_static_states.py",
    ]
    collect_ignore += ["test_static_declared.py"]
if (
    not hasattr(nnx, "set_graph_updates")
    or not hasattr(nnx, "unpack")
    or not hasattr(nnx, "with_vars")
):
    collect_ignore += ["test_static_newest.py"]
