"""Writes what an older Flax keeps of a small model and its optimizer.

Run it with an older Flax: ``python write_older.py FOLDER``. The tests read what it wrote with
0.8.5 and jax 0.4.31, 0.10.7 and 0.6.2, 0.11.2 and 0.7.2, 0.12.0 and 0.8.0, 0.12.8 and 0.10.2,
0.12.12 and 0.12.0.1, in ``older/<version>``; each is a few kilobytes of msgpack, and an Orbax
checkpoint beside it.
"""

import sys
from pathlib import Path

import flax
import jax
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import nnx, serialization


class Net(nnx.Module):
    def __init__(self, rngs):
        layers = [nnx.Linear(4, 4, rngs=rngs) for _ in range(2)]
        self.layers = getattr(nnx, "List", list)(layers)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)


def optimizer(model):
    try:
        return nnx.Optimizer(model, optax.sgd(0.1, momentum=0.9), wrt=nnx.Param)
    except TypeError:  # Flax < 0.10
        return nnx.Optimizer(model, optax.sgd(0.1, momentum=0.9))


def numbers(leaf):
    """A leaf as numpy has it: of PRNG keys the numbers."""
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def vars_of(key):
    """The key, name or index of one step of a path."""
    return [getattr(key, name) for name in ("key", "name", "idx") if hasattr(key, name)]


def plain(tree):
    """Nested dicts as that Flax's state has them, ``value`` levels included."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    found = {}
    for path, leaf in leaves:
        below = found
        names = [str(next(iter(vars_of(key)))) for key in path]
        for name in names[:-1]:
            below = below.setdefault(name, {})
        below[names[-1]] = numbers(leaf)
    return found


def main(folder):
    model = Net(nnx.Rngs(0))
    place = Path(folder).absolute() / flax.__version__
    place.mkdir(parents=True, exist_ok=True)
    for name, node in (("model", model), ("optimizer", optimizer(model))):
        tree = plain(nnx.state(node))
        (place / f"{name}.msgpack").write_bytes(serialization.msgpack_serialize(tree))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(place / "orbax", nnx.state(model, nnx.Param))
    marker = place / "orbax" / "commit_success.txt"
    if marker.exists():  # it names the folder that it was written to
        marker.write_text("Checkpoint commit was successful to orbax")


if __name__ == "__main__":
    main(sys.argv[1])
