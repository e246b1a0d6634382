"""Sound states of every make, all of which fit `WholeState`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx

from tests.validation.faults import array, linear, mlp, nested, param, whole
from tests.zoo import leaf


class Custom(nnx.Param):
    pass


def subclass_kinds() -> Any:
    tree = whole()
    tree["positive"] = leaf(Custom, array(2))
    tree["heads"]["a"]["kernel"] = leaf(nnx.LoRAParam, array(2, 5))
    return nnx.State(tree)


def extra_metadata() -> Any:
    tree = whole()
    tree["positive"] = leaf(nnx.Param, array(2), author="me", when=3)
    return nnx.State(tree)


def without_optionals() -> Any:
    tree = whole()
    del tree["heads"]["a"]["bias"], tree["blocks"][0]["up"]["bias"]
    return nnx.State(tree)


def half_precision() -> Any:
    tree = whole()
    tree["scale"] = array(2, dtype="bfloat16")
    tree["heads"]["a"]["kernel"] = param(2, 5, dtype="float16")
    return nnx.State(tree)


SOUND: dict[str, Callable[[], Any]] = {
    "as it is": lambda: nnx.State(whole()),
    "of other sizes": lambda: nnx.State(whole(d=5, hidden=1, depth=1)),
    "of a size of one": lambda: nnx.State(whole(1, 1, 1)),
    "without blocks": lambda: nnx.State({**whole(), "blocks": {}}),
    "with an empty dict": lambda: nnx.State({**whole(), "heads": {}}),
    "with subclass kinds": subclass_kinds,
    "with more metadata": extra_metadata,
    "without what is optional": without_optionals,
    "of half precision": half_precision,
    "a plain dict": whole,
    "nested by hand": lambda: nested(whole()),
    "nested in part": lambda: nnx.State({**whole(), "blocks": nested(whole()["blocks"])}),
    "in another order": lambda: nnx.State(dict(reversed(whole().items()))),
    "with numpy int keys": lambda: nnx.State(
        {**whole(), "blocks": {np.int64(i): mlp(2, 3) for i in range(3)}}
    ),
    "with a shared Variable": lambda: nnx.State(
        {**whole(), "heads": dict.fromkeys(("a", "b"), linear(2, 5))}
    ),
    "of a flat state and back": lambda: nnx.from_flat_state(nnx.to_flat_state(nnx.State(whole()))),
    "of a tree map": lambda: jax.tree.map(
        lambda x: x, nnx.State({k: v for k, v in whole().items() if k != "steps"} | {"steps": 3})
    ),
    "of a merge": lambda: nnx.merge_state(
        *nnx.split_state(nnx.State(whole()), nnx.Param, nnx.RngState, ...)
    ),
}
