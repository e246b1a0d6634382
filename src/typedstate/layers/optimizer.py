"""The states of ``nnx.Optimizer`` and of the optimizers of ``optax``.

Sources: ``flax/nnx/training/optimizer.py``, ``optax/_src/alias.py``. S is the state of the
parameters that the optimizer updates, usually ``Only[ModelState, nnx.Param]``.
"""

from typing import Annotated, Any, Generic, TypeVar

from flax.nnx.training.optimizer import OptState
from jaxtyping import Array, UInt32

from ..forms import StateOf
from ..schema.field import Alias
from ..schema.typed_state import TypedState
from .transformation import (
    EmaState,
    FactoredState,
    ScaleByAdaDeltaState,
    ScaleByAdamState,
    ScaleByAmsgradState,
    ScaleByBeliefState,
    ScaleByLionState,
    ScaleByNovogradState,
    ScaleByRmsState,
    ScaleByRssState,
    ScaleByRStdDevState,
    ScaleByScheduleState,
    TraceState,
)

S = TypeVar("S")
T = TypeVar("T")
M = TypeVar("M")


class OptimizerState(TypedState, Generic[T]):
    """The state of ``nnx.Optimizer`` over an optax transformation with state T.

    T is None for a transformation without state. On Flax 0.10 the model is part of the state.
    """

    step: Annotated[OptState, UInt32[Array, ""]]
    opt_state: T
    model: StateOf[Any] | None


class ModelAndOptimizerState(TypedState, Generic[M, T]):
    """The state of ``nnx.ModelAndOptimizer`` (on Flax 0.10 ``nnx.Optimizer``); M is its model's."""

    step: Annotated[OptState, UInt32[Array, ""]]
    opt_state: T
    model: M


class AdamState(TypedState, Generic[S]):
    """The state of ``optax.adam`` and of ``adamw``, ``nadam``, ``radam``, ``lamb``, ``yogi``."""

    adam: Annotated[ScaleByAdamState[S], Alias(0)]
    schedule_1: Annotated[ScaleByScheduleState | None, Alias(1)]
    schedule_2: Annotated[ScaleByScheduleState | None, Alias(2)]
    schedule_3: Annotated[ScaleByScheduleState | None, Alias(3)]


class AmsgradState(TypedState, Generic[S]):
    """The state of ``optax.amsgrad``."""

    amsgrad: Annotated[ScaleByAmsgradState[S], Alias(0)]
    schedule_1: Annotated[ScaleByScheduleState | None, Alias(1)]


class AdabeliefState(TypedState, Generic[S]):
    """The state of ``optax.adabelief``."""

    belief: Annotated[ScaleByBeliefState[S], Alias(0)]
    schedule_1: Annotated[ScaleByScheduleState | None, Alias(1)]


class NovogradState(TypedState, Generic[S]):
    """The state of ``optax.novograd``."""

    novograd: Annotated[ScaleByNovogradState[S], Alias(0)]
    schedule_1: Annotated[ScaleByScheduleState | None, Alias(1)]
    schedule_2: Annotated[ScaleByScheduleState | None, Alias(2)]


class LionState(TypedState, Generic[S]):
    """The state of ``optax.lion``."""

    lion: Annotated[ScaleByLionState[S], Alias(0)]
    schedule_1: Annotated[ScaleByScheduleState | None, Alias(1)]
    schedule_2: Annotated[ScaleByScheduleState | None, Alias(2)]


class SgdState(TypedState, Generic[S]):
    """The state of ``optax.sgd``, with or without momentum."""

    momentum: Annotated[TraceState[S] | None, Alias(0)]
    schedule_1: Annotated[ScaleByScheduleState | None, Alias(1)]


class RmspropState(TypedState, Generic[S]):
    """The state of ``optax.rmsprop``."""

    rms: Annotated[ScaleByRmsState[S], Alias(0)]
    momentum: Annotated[TraceState[S] | None, Alias(2)]
    schedule_1: Annotated[ScaleByScheduleState | None, Alias(1)]


class CenteredRmspropState(TypedState, Generic[S]):
    """The state of ``optax.rmsprop`` with ``centered=True``."""

    rms: Annotated[ScaleByRStdDevState[S], Alias(0)]
    momentum: Annotated[TraceState[S] | None, Alias(2)]
    schedule_1: Annotated[ScaleByScheduleState | None, Alias(1)]


class AdagradState(TypedState, Generic[S]):
    """The state of ``optax.adagrad``."""

    rss: Annotated[ScaleByRssState[S], Alias(0)]
    schedule_1: Annotated[ScaleByScheduleState | None, Alias(1)]


class AdadeltaState(TypedState, Generic[S]):
    """The state of ``optax.adadelta``."""

    adadelta: Annotated[ScaleByAdaDeltaState[S], Alias(1)]
    schedule_2: Annotated[ScaleByScheduleState | None, Alias(2)]


class AdafactorState(TypedState, Generic[S]):
    """The state of ``optax.adafactor``, with or without a schedule and momentum."""

    factored: Annotated[FactoredState[S], Alias(0)]
    entry_1: Annotated[ScaleByScheduleState | EmaState[S] | None, Alias(1)]
    entry_2: Annotated[ScaleByScheduleState | EmaState[S] | None, Alias(2)]
    entry_3: Annotated[EmaState[S] | None, Alias(3)]
    entry_4: Annotated[EmaState[S] | None, Alias(4)]
