"""Types of `flax.nnx.training.optimizer`.

Gradients are Any: what optax makes of them is a union with arrays and tuples in it, and passes too. The mypy plugin
looks at what they are.
"""

from typing import Any, Generic

import optax  # type: ignore[import-untyped, unused-ignore]
from flax.nnx import filterlib
from flax.nnx.pytreelib import Pytree  # type: ignore[import-not-found, unused-ignore]  # since Flax 0.12
from flax.nnx.variablelib import Variable
from typing_extensions import TypeVar

M = TypeVar("M", default=Any)

class OptState(Variable[Any]): ...
class OptArray(OptState): ...
class OptVariable(OptState): ...

def to_opt_state(tree: Any) -> Any: ...

class Optimizer(Pytree, Generic[M]):
    step: OptState
    tx: optax.GradientTransformation
    opt_state: Any
    wrt: filterlib.Filter
    graph: bool | None
    def __init__(
        self, model: M, tx: optax.GradientTransformation, *, wrt: filterlib.Filter, graph: bool | None = None
    ) -> None: ...
    def update(self, model: M, grads: Any, /, **kwargs: Any) -> Any: ...

class ModelAndOptimizer(Optimizer[M]):
    model: M
    def __init__(self, model: M, tx: optax.GradientTransformation, *, wrt: filterlib.Filter = ...) -> None: ...
    def update(self, grads: Any, /, **kwargs: Any) -> Any: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]

def __getattr__(name: str) -> Any: ...
