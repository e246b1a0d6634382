"""States of optax transformations that wrap others, as ``nnx.Optimizer`` keeps them.

T is the state of the wrapped transformation, S that of the parameters. Sources:
``optax/transforms/{_combining,_masking,_accumulation,_conditionality}.py``,
``optax/schedules/_inject.py``.
"""

from typing import Annotated, Any, Generic, TypeVar

from flax.nnx.training.optimizer import OptArray, OptVariable
from jaxtyping import Array, Bool, Float, Int

from ..forms import Entries, Like, StateMap, StateOf
from ..schema.typed_state import TypedState
from .transformation import Moment

S = TypeVar("S")
T = TypeVar("T")

Chain = Entries
"""``Chain[A, None, B]``: the state of ``optax.chain``; None where a member keeps nothing."""


class Masked(TypedState, Generic[T]):
    """The state of ``optax.masked``: T over `Maskable` parameters."""

    inner_state: T


class MultiTransform(TypedState, Generic[T]):
    """The state of ``optax.multi_transform`` and ``optax.partition``; T is a union over labels."""

    inner_states: StateMap[str, Masked[T]]


class WrappedScheduleState(TypedState):
    """The state of one schedule in ``optax.inject_hyperparams``."""

    count: Annotated[OptArray, Int[Array, ""]]


class Injected(TypedState, Generic[T]):
    """The state of ``optax.inject_hyperparams``."""

    count: Annotated[OptArray, Int[Array, ""]]
    hyperparams: StateMap[str, Annotated[OptArray, Any]]
    hyperparams_states: StateMap[str, WrappedScheduleState] | None
    inner_state: T


class MultiSteps(TypedState, Generic[T, S]):
    """The state of ``optax.MultiSteps``; ``acc_grads`` has the shapes of the parameters S."""

    mini_step: Annotated[OptArray, Int[Array, ""]]
    gradient_step: Annotated[OptArray, Int[Array, ""]]
    inner_opt_state: T
    acc_grads: Like[S, OptVariable]
    skip_state: StateOf[OptArray] | None


class ApplyIfFinite(TypedState, Generic[T]):
    """The state of ``optax.apply_if_finite``."""

    notfinite_count: Annotated[OptArray, Int[Array, ""]]
    last_finite: Annotated[OptArray, Bool[Array, ""]]
    total_notfinite: Annotated[OptArray, Int[Array, ""]]
    inner_state: T


class Conditional(TypedState, Generic[T]):
    """The state of ``optax.conditionally_transform`` and ``optax.conditionally_mask``."""

    step: Annotated[OptArray, Int[Array, ""]]
    inner_state: T


class Lookahead(TypedState, Generic[T]):
    """The state of ``optax.lookahead`` around an optimizer with state T.

    Its parameters are pairs, so ``nnx.Optimizer`` can't keep it: write ``Raw[Lookahead[T]]``.
    """

    fast_state: T
    steps_since_sync: Annotated[OptArray, Int[Array, ""]]


class ScheduleFree(TypedState, Generic[T, S]):
    """The state of ``optax.contrib.schedule_free``."""

    b1: Annotated[OptArray, Float[Array, ""]]
    weight_sum: Annotated[OptArray, Float[Array, ""]]
    step_count: Annotated[OptArray, Int[Array, ""]]
    max_lr: Annotated[OptArray, Float[Array, ""]]
    base_optimizer_state: T
    z: Moment[S]
