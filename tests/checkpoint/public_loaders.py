"""What the loaders of tunix and bonsai do with faulty files, beside typedstate, as a table.

``python -m tests.checkpoint.public_loaders TUNIX BONSAI`` prints it, with the paths of checkouts of
google/tunix and jax-ml/bonsai; docs/guides/checkpoints.md holds it. Their code is imported from
there: of tunix ``models/safetensors_loader.py``, of bonsai the loop of
``models/qwen3/params.py``, with a model and a mapping of names of our own.
"""

from __future__ import annotations

import importlib
import logging
import sys
import tempfile
import types
import warnings
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float32
from safetensors.numpy import save_file

from typedstate import Bind, StateMap, StateTypeError, TypedState
from typedstate.checkpoint import CheckpointError, restore

Tensors = dict[str, Any]


class DenseState(TypedState):
    kernel: nnx.Param[Float32[Array, "din dout"]]
    bias: nnx.Param[Float32[Array, "dout"]]


class NetState(TypedState):
    layers: StateMap[int, Bind[DenseState, "din=d dout=d"]]


class Net(nnx.Module):
    """Two square layers, so that a transposed kernel has the shape of the right one."""

    def __init__(self, config: Any, rngs: nnx.Rngs) -> None:
        del config
        layers = [nnx.Linear(4, 4, rngs=rngs) for _ in range(2)]
        self.layers: Any = getattr(nnx, "List", list)(layers)


def tensors() -> Tensors:
    names = [f"layers.{index}" for index in range(2)]
    kernels = {f"{name}.kernel": np.ones((4, 4), np.float32) for name in names}
    return kernels | {f"{name}.bias": np.zeros(4, np.float32) for name in names}


def changed(**changes: Any) -> Tensors:
    """The right tensors but for some of layer 1; None takes one away."""
    made = tensors() | {f"layers.1.{name}": value for name, value in changes.items()}
    return {name: value for name, value in made.items() if value is not None}


CASES: dict[str, Callable[[], Tensors]] = {
    "right": tensors,
    "a tensor is missing": lambda: changed(bias=None),
    "a tensor is misspelt": lambda: changed(bias=None, biass=np.zeros(4, np.float32)),
    "a tensor too many": lambda: changed(scale=np.ones(4, np.float32)),
    "another shape": lambda: changed(kernel=np.ones((4, 3), np.float32)),
    "float16 for float32": lambda: changed(kernel=np.ones((4, 4), np.float16)),
    "names that no rule matches": lambda: {f"model.{name}": v for name, v in tensors().items()},
}
MAPPING = {r"layers\.(\d+)\.(kernel|bias)$": (r"layers.\1.\2", None)}


def packages(checkout: Path, *names: str) -> None:
    """Packages without what their front doors import: trainers, every model."""
    for name in names:
        package = types.ModuleType(name)
        package.__path__ = [str(checkout / name.replace(".", "/"))]
        sys.modules[name] = package


def tunix(checkout: Path) -> Callable[[Path], Any]:
    packages(checkout, "tunix", "tunix.oss", "tunix.utils", "tunix.models")
    sys.modules.setdefault("huggingface_hub", types.ModuleType("huggingface_hub"))
    loader: Any = importlib.import_module("tunix.models.safetensors_loader")
    return lambda path: loader.load_and_create_model_orig(
        str(path), Net, {}, None, lambda _: MAPPING
    )


def bonsai(checkout: Path) -> Callable[[Path], Any]:
    packages(checkout, "bonsai", "bonsai.utils", "bonsai.models", "bonsai.models.qwen3")
    params: Any = importlib.import_module("bonsai.models.qwen3.params")
    same = Enum("Same", {"AS_IT_IS": None})  # type: ignore[misc]
    rules = {pattern: (name, same.AS_IT_IS) for pattern, (name, _) in MAPPING.items()}  # type: ignore[attr-defined]
    params.model_lib = types.SimpleNamespace(Qwen3=Net, ModelConfig=object)
    params._get_key_and_transform_mapping = lambda _: rules
    config = types.SimpleNamespace(use_tied_embedding=False, tie_word_embeddings=False)
    return lambda path: params.create_model_from_safe_tensors(str(path), config)


def outcome(load: Callable[[], Any]) -> str:
    try:
        model = load()
    except (StateTypeError, CheckpointError) as error:
        return said(error)
    except Exception as error:  # whatever a loader raises
        return said(error)
    leaves = jax.tree.leaves(nnx.state(model) if isinstance(model, nnx.Module) else model)
    abstract = sum(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves)
    if abstract:
        return f"accepted, {abstract} of {len(leaves)} leaves abstract"
    cast = any(leaf.dtype != np.float32 for leaf in leaves)
    return "accepted, in another dtype" if cast else "accepted"


def said(error: Exception) -> str:
    named = any(word in str(error) for word in ("layers.1", "layers[1]", "layers[0]", "layers:"))
    return f"refused, {'path named' if named else f'no path: {error!r:.120}'}"


def ours(folder: Path) -> str:
    """What typedstate does with the file in a folder."""
    return outcome(lambda: restore(folder, NetState).state)


def table(checkouts: tuple[Path, Path]) -> str:
    """The table as Markdown."""
    loaders = [tunix(checkouts[0]), bonsai(checkouts[1])]
    rows = ["| the file | tunix | bonsai | typedstate |", "| --- | --- | --- | --- |"]
    logging.disable(logging.WARNING)
    for name, made in CASES.items():
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            save_file(made(), Path(folder) / "model.safetensors")
            found = [outcome(lambda load=load: load(Path(folder))) for load in loaders]  # type: ignore[misc]
            found.append(ours(Path(folder)))
        rows.append(f"| {name} | {' | '.join(found)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table((Path(sys.argv[1]), Path(sys.argv[2]))))
