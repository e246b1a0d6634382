"""States of single optax transformations, as ``nnx.Optimizer`` keeps them.

Each class has the name of optax's own. S is the state of the parameters that the
optimizer updates, usually ``Only[ModelState, nnx.Param]``. Sources: ``optax/transforms``,
``optax/_src/{transform,factorized,linesearch}.py``, ``optax/contrib``; the kinds of their
leaves: ``flax/nnx/training/optimizer.py``.
"""

from typing import Annotated, Generic, TypeAlias, TypeVar

import optax  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
from flax.nnx.training.optimizer import OptArray, OptVariable
from jaxtyping import Array, Bool, Float, Inexact, Int, Key

from ..forms import Cast, Like, Stacked
from ..schema.typed_state import TypedState

S = TypeVar("S")

Maskable: TypeAlias = Like[S, OptVariable | optax.MaskedNode]
"""``Maskable[S]``: parameters S, of which a mask may leave some out; for use within `Masked`."""

Moment: TypeAlias = Like[Cast[S, Inexact], OptVariable]
"""``Moment[S]``: parameters S in an optimizer, of any precision."""


class ScaleByAdamState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_adam`` or ``scale_by_yogi``; ``mu`` may have its own dtype."""

    count: Annotated[OptArray, Int[Array, ""]]
    mu: Moment[S]
    nu: Like[S, OptVariable]


class ScaleByAmsgradState(ScaleByAdamState[S], Generic[S]):
    """The state of ``optax.scale_by_amsgrad``."""

    nu_max: Like[S, OptVariable]


class ScaleByBeliefState(ScaleByAdamState[S], Generic[S]):
    """The state of ``optax.scale_by_belief``."""


class ScaleByNovogradState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_novograd``: ``nu`` is one number for each parameter."""

    count: Annotated[OptArray, Int[Array, ""]]
    mu: Moment[S]
    nu: Like[S, Annotated[OptVariable, Inexact[Array, ""]]]


class ScaleByLionState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_lion``; ``mu`` may have a dtype of its own."""

    count: Annotated[OptArray, Int[Array, ""]]
    mu: Moment[S]


class ScaleByAdanState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_adan``."""

    m: Like[S, OptVariable]
    v: Like[S, OptVariable]
    n: Like[S, OptVariable]
    g: Like[S, OptVariable]
    t: Annotated[OptArray, Int[Array, ""]]


class TraceState(TypedState, Generic[S]):
    """The state of ``optax.trace``, the momentum of SGD; it may have a dtype of its own."""

    trace: Moment[S]


class EmaState(TypedState, Generic[S]):
    """The state of ``optax.ema``; it may have a dtype of its own."""

    count: Annotated[OptArray, Int[Array, ""]]
    ema: Moment[S]


class ScaleByRmsState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_rms``; only bias correction keeps a ``count``."""

    count: Annotated[OptArray, Int[Array, ""]] | None
    nu: Like[S, OptVariable]


class ScaleByRStdDevState(ScaleByRmsState[S], Generic[S]):
    """The state of ``optax.scale_by_stddev``, of a centered RMSProp."""

    mu: Like[S, OptVariable]


class ScaleByRssState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_rss``, of Adagrad."""

    sum_of_squares: Like[S, OptVariable]


class ScaleByAdaDeltaState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_adadelta``."""

    e_g: Like[S, OptVariable]
    e_x: Like[S, OptVariable]


class ScaleByRpropState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_rprop``."""

    step_sizes: Like[S, OptVariable]
    prev_updates: Like[S, OptVariable]


class FactoredState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_factored_rms``: ``v_row`` and ``v_col`` of large kernels."""

    count: Annotated[OptArray, Int[Array, ""]]
    v_row: Like[S, Annotated[OptVariable, Inexact[Array, "..."]]]
    v_col: Like[S, Annotated[OptVariable, Inexact[Array, "..."]]]
    v: Like[S, Annotated[OptVariable, Inexact[Array, "..."]]]


class MuonState(TypedState, Generic[S]):
    """The state of ``optax.contrib.scale_by_muon``; ``mu`` may have a dtype of its own."""

    count: Annotated[OptArray, Int[Array, ""]]
    mu: Moment[S]
    ns_coeffs: Annotated[OptArray, Float[Array, "..."]]


class ScaleByLBFGSState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_lbfgs``; its memories have one further, leading axis."""

    count: Annotated[OptArray, Int[Array, ""]]
    params: Like[S, OptVariable]
    updates: Like[S, OptVariable]
    diff_params_memory: Stacked[Like[S, OptVariable], "memory"]
    diff_updates_memory: Stacked[Like[S, OptVariable], "memory"]
    weights_memory: Annotated[OptArray, Inexact[Array, "memory"]]


class LinesearchInfoState(TypedState):
    """The ``info`` of ``optax.scale_by_zoom_linesearch`` and of the backtracking one."""

    num_linesearch_steps: Annotated[OptArray, Int[Array, ""]]
    decrease_error: Annotated[OptArray, Float[Array, ""]]
    curvature_error: Annotated[OptArray, Float[Array, ""]] | None


class ScaleByZoomLinesearchState(TypedState, Generic[S]):
    """The state of ``optax.scale_by_zoom_linesearch``."""

    learning_rate: Annotated[OptArray, Float[Array, ""]]
    value: Annotated[OptArray, Inexact[Array, ""]]
    grad: Like[S, OptVariable]
    info: LinesearchInfoState


class ScaleByScheduleState(TypedState):
    """The state of ``optax.scale_by_schedule``: of a learning rate that follows a schedule."""

    count: Annotated[OptArray, Int[Array, ""]]


class AddNoiseState(TypedState):
    """The state of ``optax.add_noise``."""

    count: Annotated[OptArray, Int[Array, ""]]
    rng_key: Annotated[OptArray, Key[Array, ""]]


class ZeroNansState(TypedState, Generic[S]):
    """The state of ``optax.zero_nans``."""

    found_nan: Like[S, Annotated[OptVariable, Bool[Array, ""]]]


class ReduceLROnPlateauState(TypedState):
    """The state of ``optax.contrib.reduce_on_plateau``."""

    scale: Annotated[OptArray, Float[Array, ""]]
    best_value: Annotated[OptArray, Float[Array, ""]]
    plateau_count: Annotated[OptArray, Int[Array, ""]]
    cooldown_count: Annotated[OptArray, Int[Array, ""]]
    count: Annotated[OptArray, Int[Array, ""]]
    avg_value: Annotated[OptArray, Float[Array, ""]]
