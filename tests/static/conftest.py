"""Static tests describe Flax 0.12; what came later in it is tested where it is."""

from flax import nnx
from flax.nnx import statelib

collect_ignore_glob: list[str] = []
if not hasattr(statelib, "restore_int_paths"):
    collect_ignore_glob += ["test_static_*.py"]
elif not all(hasattr(nnx, name) for name in ("set_graph_updates", "unpack", "with_vars")):
    newest = ("machinery", "modules", "newest")
    collect_ignore_glob += [f"test_static_{name}.py" for name in newest]
