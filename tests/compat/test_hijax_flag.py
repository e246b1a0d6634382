"""With ``FLAX_HIJAX_VARIABLE=true`` every Variable is a hijax one; and what lazy imports raise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from flax.nnx import variablelib

STATES = """
import jax, jax.numpy as jnp, optax
from flax import nnx
from jaxtyping import Array, Float, Float32
import typedstate
from typedstate import Cast, Only, Pure, TypedState, abstract, checked, explain, infer
from typedstate.layers import AdamState, LinearState, OptimizerState, Raw

model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
assert isinstance(model.kernel, nnx.variablelib.HijaxVariable)
state = nnx.state(model)

def fits(value, hint):
    for _ in range(3):
        report = explain(value, hint)
        assert report, str(report)
        assert typedstate.fits(value, hint)

fits(state, LinearState)
fits(nnx.state(model, nnx.Param), Only[LinearState, nnx.Param])
fits(jax.tree.map(lambda leaf: leaf, state), LinearState)
fits(nnx.to_pure_dict(state), Pure[LinearState])
bad = explain(nnx.state(nnx.Conv(2, 3, (1,), rngs=nnx.Rngs(0))), LinearState)
assert [item.code for item in bad.violations] == ["rank"], str(bad)

@checked
def loss(tree: LinearState, x: Float[Array, "b din"]) -> Float[Array, ""]:
    return (x @ tree["kernel"][...]).sum()

loss(state, jnp.ones((4, 2)))
jax.jit(loss)(state, jnp.ones((4, 2)))
doubled = jax.tree.map(lambda leaf: 2 * leaf, state)  # to JAX such a Variable is a leaf
assert isinstance(doubled["kernel"], jax.Array)
fits(doubled, LinearState)
fits(doubled, Cast[LinearState, Float32])
wrong = nnx.State({**doubled, "bias": jnp.ones(4)})
assert [item.code for item in explain(wrong, LinearState).violations] == ["dim"]
assert not typedstate.fits(nnx.State({**doubled, "bias": 3.0}), LinearState)

optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
fits(nnx.state(optimizer), OptimizerState[AdamState[LinearState]])
fits(optax.adam(1e-3).init(state), Raw[AdamState[LinearState]])
other = nnx.Optimizer(nnx.Linear(2, 4, rngs=nnx.Rngs(0)), optax.adam(1e-3), wrt=nnx.Param)

@checked
def step(tree: LinearState, opt: OptimizerState[AdamState[LinearState]]) -> None: ...

step(state, nnx.state(optimizer))
try:
    step(state, nnx.state(other))
except typedstate.StateTypeError as error:
    assert "opt.opt_state[0].mu.kernel: dout is 4, but dout=3 from tree.kernel" in str(error)
else:
    raise AssertionError

infer(state)
abstract(LinearState, din=2, dout=3, dtype=jnp.float32, choices={"bias": True})
print("fits")
"""


@pytest.mark.skipif(
    not hasattr(variablelib, "HijaxVariable"), reason="this Flax has no hijax variables"
)
def test_states_of_hijax_variables() -> None:
    environment = {**os.environ, "FLAX_HIJAX_VARIABLE": "true"}
    command = [sys.executable, "-c", STATES]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert run.stdout == "fits\n", run.stderr


BROKEN = """
import flax.nnx
del flax.nnx.Optimizer, flax.nnx.State
try:
    from typedstate import TypedState
except ImportError as error:
    print(error)
    print(type(error.__cause__).__name__)
"""


def test_an_error_in_a_lazy_import_keeps_its_cause() -> None:
    command = [sys.executable, "-c", BROKEN]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    lines = [
        line.replace("module 'flax.nnx'", "Module flax.nnx") for line in run.stdout.splitlines()
    ]
    assert lines == [
        "typedstate.TypedState can't be imported: Module flax.nnx has no attribute 'State'",
        "AttributeError",
    ], run.stderr
