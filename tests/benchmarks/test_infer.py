"""`infer` of an abstract model takes at most twice what making it takes."""

from __future__ import annotations

import time

from flax import nnx

from tests.zoo.published import GPT, abstract
from typedstate import infer


def _model(layers: int) -> nnx.Module:
    found: nnx.Module = abstract(lambda rngs: GPT(layers=layers, rngs=rngs))
    return found


def test_infer_takes_at_most_twice_the_time_of_eval_shape() -> None:
    infer(_model(2))  # warm
    start = time.process_time()
    model = _model(20)
    made = time.process_time()
    infer(model)
    done = time.process_time()
    assert done - made <= 2 * (made - start)
