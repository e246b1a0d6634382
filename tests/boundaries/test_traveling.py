"""Checked functions, schemas, forms and errors travel to other processes, and still check there.

By reference with ``pickle``; by value with cloudpickle, as Ray, Dask and submitit send what
stands in ``__main__``. What was accepted so far, and the code generated for it, stays behind.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, Generic, TypeVar

import jax
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import LinearState, MlpState
from typedstate import (
    Bind,
    Entries,
    Like,
    Only,
    Pure,
    Stacked,
    StateMap,
    StateOf,
    StateTypeError,
    TypedState,
    check,
    checked,
    explain,
)

A = TypeVar("A")


class BoxState(TypedState, Generic[A]):
    inner: A


@checked
def width(params: LinearState, x: Float[Array, "b din"]) -> int:
    return x.shape[1]


FORMS: list[Any] = [
    Pure[LinearState],
    Only[MlpState, nnx.Param],
    Bind[LinearState, "din=4"],
    StateMap[int, LinearState],
    Stacked[MlpState, "layers"],
    Like[LinearState, nnx.optimizer.OptVariable],
    Pure[Only[Stacked[MlpState, "layers"], nnx.Param]],
    StateOf[nnx.Param],
    Entries[LinearState, None],
    BoxState[LinearState],
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_form_is_pickled_as_it_was_written(form: Any) -> None:
    assert pickle.loads(pickle.dumps(form)) is form


@pytest.mark.parametrize("target", [LinearState, BoxState, Pure, width])
def test_what_has_a_name_is_pickled_by_it(target: Any) -> None:
    assert pickle.loads(pickle.dumps(target)) is target


def test_an_error_keeps_its_report() -> None:
    with pytest.raises(StateTypeError) as caught:
        check(3, LinearState)
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value)
    assert error.report == explain(3, LinearState)


SENDER = """
import sys, cloudpickle, jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from typedstate import Bind, Only, Pure, TypedState, checked, fits
class LinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
class ChainState(TypedState):
    here: Bind[LinearState, "din=d dout=d"]
    below: "ChainState | None"
@checked
def apply(
    params: LinearState, x: Float[Array, "b din"], scale: float = 1.0
) -> Float[Array, "b dout"]:
    return scale * x @ params["kernel"][...]
@checked
class Layer:
    def apply(self, params: LinearState) -> LinearState:
        return params
def linear(a, b):
    return nnx.State({"kernel": nnx.Param(jnp.ones((a, b)))})
for n in range(1, 6):  # code is generated for these
    apply(linear(2, 3), jnp.ones((n, 2)))
    Layer().apply(linear(2, 3))
    assert fits(linear(2, 3), LinearState) and fits({"kernel": jnp.ones((2, 3))}, Pure[LinearState])
    assert fits(nnx.State({"here": linear(n, n)}), ChainState)
things = apply, Layer, LinearState, ChainState, Pure[LinearState], Only[ChainState, nnx.Param]
with open(sys.argv[1], "wb") as file:
    cloudpickle.dump(things, file)
"""

RECEIVER = """
import pickle, sys, jax.numpy as jnp
from flax import nnx
from typedstate import StateTypeError, fits, source_of
with open(sys.argv[1], "rb") as file:
    apply, Layer, LinearState, ChainState, pure, only = pickle.load(file)
def linear(a, b):
    return nnx.State({"kernel": nnx.Param(jnp.ones((a, b)))})
assert source_of(LinearState) == ""
for n in range(1, 6):
    assert apply(linear(2, 3), jnp.ones((n, 2)), 2.0).shape == (n, 3)
    for call in (lambda: apply(linear(2, 3), jnp.ones((n, 4))), lambda: Layer().apply(3),
                 lambda: apply(linear(2, 3), jnp.ones((n, 2)), "much")):
        try:
            call()
        except StateTypeError as error:
            print(str(error).splitlines()[0])
        else:
            raise AssertionError("accepted")
    Layer().apply(linear(2, 3))
    assert fits(linear(n, 3), LinearState) and not fits(linear(n, 3), pure)
    assert fits({"kernel": jnp.ones((2, n))}, pure) and not fits({}, pure)
    chain = nnx.State({"here": linear(n, n), "below": {"here": linear(2, 2)}})
    assert fits(chain, ChainState) and fits(chain, only)
    assert not fits(nnx.State({"here": linear(n, n + 1)}), ChainState)
print(source_of(LinearState) != "")
"""


@pytest.mark.skipif(
    "." in jax.Array.__qualname__,
    reason="this JAX names its Array so that no pickle finds the class",
)
def test_what_stands_in_main_travels_by_value(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle")
    runs: list[str] = []
    for name, text in (("sender", SENDER), ("receiver", RECEIVER)):
        (tmp_path / f"{name}.py").write_text(text)
        run = subprocess.run(
            [sys.executable, str(tmp_path / f"{name}.py"), str(tmp_path / "things")],
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        runs.append(run.stdout)
    assert runs[0] == ""
    lines = runs[1].splitlines()
    assert lines[0] == "the arguments of apply() do not fit: 1 violation"
    assert lines[1] == "the arguments of Layer.apply() do not fit: 1 violation"
    assert len(lines) == 16
    assert lines[-1] == "True"
