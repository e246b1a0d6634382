"""Trains a small convolutional network on scikit-learn's digits, every boundary typed.

Then five broken states meet the same boundaries, and the five reports are printed.

    python examples/train_digits.py
"""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from typedstate import Bind, Only, Same, StateTypeError, TypedState, checked
from typedstate.layers import (
    AdamState,
    BatchNormState,
    ConvState,
    DropoutState,
    LinearState,
    OptimizerState,
)

EPOCHS = 12
BATCH = 64


# What the model holds: its keys, the kinds of its leaves, and how their sizes are linked.
class StageState(TypedState):
    conv: Bind[ConvState, "dout=channels"]
    norm: Bind[BatchNormState, "features=channels"]


class DigitsState(TypedState):
    first: Bind[StageState, "channels=c1"]
    second: Bind[StageState, "channels=c2"]
    dropout: DropoutState
    hidden: Bind[LinearState, "din=4*c2 dout=width"]
    head: Bind[LinearState, "din=width dout=classes"]


Params = Only[DigitsState, nnx.Param]


class Stage(nnx.Module):
    def __init__(self, inputs: int, outputs: int, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(inputs, outputs, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(outputs, rngs=rngs)

    @checked
    def __call__(self, x: Float[Array, "b h w cin"]) -> Float[Array, "b h//2 w//2 cout"]:
        return nnx.max_pool(nnx.relu(self.norm(self.conv(x))), (2, 2), strides=(2, 2))


class Digits(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = Stage(1, 16, rngs)
        self.second = Stage(16, 32, rngs)
        self.dropout = nnx.Dropout(0.3, rngs=rngs)
        self.hidden = nnx.Linear(2 * 2 * 32, 64, rngs=rngs)
        self.head = nnx.Linear(64, 10, rngs=rngs)

    @checked
    def __call__(self, x: Float[Array, "b 8 8 1"]) -> Float[Array, "b 10"]:
        x = self.second(self.first(x))
        x = self.dropout(nnx.relu(self.hidden(x.reshape(x.shape[0], -1))))
        return self.head(x)


# Live modules, checked in place: their schemas ride along with their classes.
Net = Annotated[Digits, DigitsState]
Adam = Annotated[nnx.Optimizer[Digits], OptimizerState[AdamState[Params]]]


@checked
def loss_of(model: Net, x: Float[Array, "b 8 8 1"], y: Int[Array, "b"]) -> Float[Array, ""]:
    return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()


@nnx.jit
@checked
def train_step(
    model: Net, optimizer: Adam, x: Float[Array, "b 8 8 1"], y: Int[Array, "b"]
) -> Float[Array, ""]:
    loss, grads = nnx.value_and_grad(loss_of)(model, x, y)
    apply(model, optimizer, grads)
    return loss


@checked
def apply(model: Net, optimizer: Adam, grads: Params) -> None:
    optimizer.update(model, grads)


@nnx.jit
@checked
def correct(model: Net, x: Float[Array, "b 8 8 1"], y: Int[Array, "b"]) -> Int[Array, ""]:
    return (model(x).argmax(-1) == y).sum()


@checked
def ema(
    average: Same[Params, "trainable"], params: Same[Params, "trainable"], decay: float
) -> Same[Params, "trainable"]:
    return jax.tree.map(lambda a, p: decay * a + (1 - decay) * p, average, params)


def load() -> tuple[Array, Array, Array, Array]:
    digits: Any = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., None]
    split = train_test_split(
        images,
        digits.target.astype(np.int32),
        test_size=0.25,
        random_state=0,
        stratify=digits.target,
    )
    x_train, x_test, y_train, y_test = (jnp.asarray(part) for part in split)
    return x_train, y_train, x_test, y_test


def train() -> tuple[Digits, float]:
    x_train, y_train, x_test, y_test = load()
    model = Digits(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adamw(2e-3), wrt=nnx.Param)
    average = DigitsState.of(model, nnx.Param)
    order = np.random.default_rng(0)
    for epoch in range(EPOCHS):
        model.train()
        rows = order.permutation(len(x_train))
        for start in range(0, len(rows) - BATCH + 1, BATCH):
            batch = rows[start : start + BATCH]
            loss = train_step(model, optimizer, x_train[batch], y_train[batch])
        average = ema(average, DigitsState.of(model, nnx.Param), 0.8)
        print(f"epoch {epoch + 1:2}: loss {float(loss):.3f}")
    model.eval()
    accuracy = int(correct(model, x_test, y_test)) / len(x_test)
    print(f"accuracy on {len(x_test)} held-out digits: {accuracy:.3f}")
    return model, accuracy


def broken_states(model: Digits) -> dict[str, Any]:
    def fresh() -> Any:
        return nnx.state(nnx.clone(model))

    misspelt = fresh()
    misspelt["head"]["kernal"] = misspelt["head"].raw_mapping.pop("kernel")
    narrow = fresh()
    narrow["hidden"]["kernel"] = nnx.Param(jnp.zeros((128, 63)))
    swapped = fresh()
    norm = swapped["first"]["norm"]
    norm["mean"], norm["scale"] = norm["scale"], norm["mean"]
    half = fresh()
    half["second"]["conv"]["kernel"] = nnx.Param(jnp.zeros((3, 3, 16, 32), jnp.int8))
    return {
        "a misspelt key": misspelt,
        "a kernel of another width": narrow,
        "statistics and scale swapped": swapped,
        "a quantised kernel": half,
        "a tree one level too deep": {"params": fresh()},
    }


@checked
def serve(state: DigitsState) -> None:
    """Takes a whole state, as a server does that has just restored one."""


def main() -> None:
    model, accuracy = train()
    if accuracy <= 0.95:
        raise SystemExit("the model did not learn")
    serve(DigitsState.of(model))
    for title, state in broken_states(model).items():
        print(f"\n{title}:")
        try:
            serve(state)
        except StateTypeError as error:
            print(error)
        else:
            raise SystemExit(f"{title} was not noticed")


if __name__ == "__main__":
    main()
