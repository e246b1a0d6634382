"""How to build each layer of Flax, and the catalogue's schema for what that gives.

A layer that the installed Flax doesn't have is left out; one that it has and that is not here
fails `test_every_layer_has_a_schema`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from typedstate import StateMap, layers

#: No leaf: a plain `nnx.State` without keys.
NOTHING = None


@dataclass(frozen=True, eq=False)
class Case:
    """One way to build a layer.

    Attributes:
      name: the class's name in ``nnx`` or ``nnx.metrics``.
      build: builds the layer; takes options of its constructor.
      hint: what fits its state.
      options: sets of options that drop or add leaves, beside the booleans of the signature.
      open: keys of leaves whose shape the schema leaves open.
      windows: keys of leaves with any number of leading axes.
      fixed: booleans that can't be set freely.
    """

    name: str
    build: Callable[..., Any]
    hint: Any
    options: tuple[dict[str, Any], ...] = ()
    open: frozenset[Any] = frozenset()
    windows: frozenset[Any] = frozenset()
    fixed: frozenset[str] = frozenset()

    @cached_property
    def state(self) -> Any:
        """The state without any option; tests copy it before they change it."""
        return nnx.state(self.build())

    @property
    def cls(self) -> Any:
        """The class, None where the installed Flax has none of that name."""
        return getattr(nnx, self.name, None) or getattr(nnx.metrics, self.name, None)

    def variants(self) -> Iterator[dict[str, Any]]:
        """Options for the constructor: none, each boolean turned, all turned, and `options`."""
        parameters = inspect.signature(self.cls.__init__).parameters
        turned = {
            name: not parameter.default
            for name, parameter in parameters.items()
            if isinstance(parameter.default, bool) and name not in self.fixed
        }
        yield {}
        for name, value in turned.items():
            yield {name: value}
        if len(turned) > 1:
            yield turned
        for options in self.options:
            if set(options) <= set(parameters):
                yield options


def rngs() -> nnx.Rngs:
    """Two streams, so that keeping all or one makes a difference."""
    return nnx.Rngs(0, dropout=1)


def linear(**options: Any) -> nnx.Linear:
    """A small dense layer."""
    return nnx.Linear(2, 3, rngs=rngs(), **options)


def attention(cache: bool = False, **options: Any) -> nnx.MultiHeadAttention:
    """Attention, after `init_cache` where that is asked for."""
    layer = nnx.MultiHeadAttention(2, 4, 8, 5, rngs=rngs(), **options)
    if cache:
        layer.init_cache((7, 10, 4))
    return layer


def cell(kind: str) -> Callable[..., Any]:
    """Builds a recurrent cell."""
    return lambda **options: getattr(nnx, kind)(2, 3, rngs=rngs(), **options)


def rnn(**options: Any) -> nnx.RNN:
    """A GRU over time."""
    return nnx.RNN(cell("GRUCell")(), **options)


def fork(**options: Any) -> Any:
    """Forked streams."""
    return nnx.Rngs(0, **options).fork()


RNN = layers.RNNState[layers.GRUCellState]
RATE = {"dropout_rate": 0.1}
MASK = {"mask": jnp.ones((3, 4, 6))}
NUMPY_MASK = {"mask": np.ones((3, 4, 6))}
KERNEL = frozenset({"kernel"})
ANY_SHAPE = frozenset({"kernel", "bias"})

CASES = (
    Case("Linear", linear, layers.LinearState),
    Case(
        "LinearGeneral",
        lambda **options: nnx.LinearGeneral((2, 3), (4, 5), axis=(-2, -1), rngs=rngs(), **options),
        layers.LinearGeneralState,
        options=({"batch_axis": {0: 7}},),
        open=ANY_SHAPE,
    ),
    Case(
        "Einsum",
        lambda **options: nnx.Einsum("abc,cd->abd", (3, 4), rngs=rngs(), **options),
        layers.EinsumState,
        options=({"bias_shape": (4,)},),
        open=ANY_SHAPE,
    ),
    Case(
        "Conv",
        lambda **options: nnx.Conv(4, 6, (3,), rngs=rngs(), **options),
        layers.ConvState,
        options=(MASK, NUMPY_MASK),
        windows=KERNEL,
    ),
    Case(
        "Conv",
        lambda **options: nnx.Conv(4, 6, (3, 5, 7), feature_group_count=2, rngs=rngs(), **options),
        layers.ConvState,
        windows=KERNEL,
    ),
    Case(
        "ConvTranspose",
        lambda **options: nnx.ConvTranspose(4, 6, (3,), rngs=rngs(), **options),
        layers.ConvTransposeState,
        options=(MASK,),
        windows=KERNEL,
    ),
    Case("Embed", lambda **options: nnx.Embed(5, 3, rngs=rngs(), **options), layers.EmbedState),
    Case("BatchNorm", lambda **o: nnx.BatchNorm(4, rngs=rngs(), **o), layers.BatchNormState),
    Case("LayerNorm", lambda **o: nnx.LayerNorm(4, rngs=rngs(), **o), layers.LayerNormState),
    Case("RMSNorm", lambda **o: nnx.RMSNorm(4, rngs=rngs(), **o), layers.RMSNormState),
    Case(
        "GroupNorm",
        lambda **options: nnx.GroupNorm(4, num_groups=2, rngs=rngs(), **options),
        layers.GroupNormState,
    ),
    Case(
        "InstanceNorm",
        lambda **options: nnx.InstanceNorm(4, rngs=rngs(), **options),
        layers.InstanceNormState,
    ),
    Case(
        "WeightNorm",
        lambda **options: nnx.WeightNorm(linear(), rngs=rngs(), **options),
        layers.WeightNormState[layers.LinearState],
        options=({"variable_filter": nnx.Param}, {"feature_axes": None}),
        open=frozenset({("kernel",), ("bias",)}),
    ),
    Case(
        "SpectralNorm",
        lambda **options: nnx.SpectralNorm(linear(), rngs=rngs(), **options),
        layers.SpectralNormState[layers.LinearState],
    ),
    Case(
        "MultiHeadAttention",
        attention,
        layers.MultiHeadAttentionState,
        options=(
            RATE,
            RATE | {"keep_rngs": False},
            {"in_kv_features": 3},
            {"in_kv_features": 3, "num_kv_heads": 1},
        ),
    ),
    Case(
        "MultiHeadAttention",
        lambda **options: attention(cache=True, **options),
        layers.MultiHeadAttentionState,
        options=({"decode": True}, {"num_kv_heads": 1}),
    ),
    *(
        Case(name, cell(name), getattr(layers, f"{name}State"))
        for name in ("LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell")
    ),
    Case("RNN", rnn, RNN, options=({"rngs": rngs()},)),
    Case(
        "Bidirectional",
        lambda **options: nnx.Bidirectional(rnn(), rnn(), **options),
        layers.BidirectionalState[RNN, RNN],
        options=({"rngs": rngs()},),
    ),
    Case(
        "Dropout",
        lambda **options: nnx.Dropout(0.1, **options),
        layers.DropoutState,
        options=({"rngs": rngs()}, {"rngs": rngs().dropout}),
    ),
    Case("LoRA", lambda **o: nnx.LoRA(2, 1, 3, rngs=rngs(), **o), layers.LoRAState),
    Case(
        "LoRA",
        lambda **options: nnx.LoRA(2, 1, 3, base_module=linear(), rngs=rngs(), **options),
        layers.LoRAWithBaseState[layers.LinearState],
    ),
    Case(
        "LoRALinear",
        lambda **options: nnx.LoRALinear(2, 3, lora_rank=1, rngs=rngs(), **options),
        layers.LoRALinearState,
    ),
    Case(
        "LoRALinear",
        lambda **options: nnx.LoRALinear(2, 3, lora_rank=1, rngs=rngs(), use_bias=False),
        layers.LoRALinearState,
    ),
    Case("Rngs", lambda **o: nnx.Rngs(0, **o), layers.RngsState),
    Case("Rngs", lambda **options: nnx.Rngs(params=0, dropout=1), layers.RngsState),
    Case("Rngs", fork, layers.RngsState),
    Case("RngStream", lambda **options: rngs().dropout, layers.RngStreamState),
    Case("PReLU", lambda **options: nnx.PReLU(**options), layers.PReLUState),
    Case("RoPE", lambda **o: nnx.RoPE(embedding_size=4, max_seq_len=6, **o), layers.RoPEState),
    Case("RoPE", lambda **options: nnx.RoPE(8, **options), NOTHING),
    Case(
        "EMA",
        lambda **options: nnx.EMA(linear(), 0.9, **options),
        layers.EMAState[layers.LinearState],
    ),
    Case(
        "Sequential",
        lambda **options: nnx.Sequential(linear(), nnx.relu, nnx.BatchNorm(3, rngs=rngs())),
        layers.SequentialState[layers.Chain[layers.LinearState, None, layers.BatchNormState]],
    ),
    Case(
        "Sequential",
        lambda **options: nnx.Sequential(linear(), nnx.Linear(3, 4, rngs=rngs())),
        layers.SequentialState[StateMap[int, layers.LinearState]],
    ),
    Case("List", lambda **o: nnx.List([linear(), linear()]), StateMap[int, layers.LinearState]),
    Case("Dict", lambda **o: nnx.Dict(up=linear()), StateMap[str, layers.LinearState]),
    Case("Average", lambda **options: nnx.metrics.Average(**options), layers.AverageState),
    Case("Accuracy", lambda **options: nnx.metrics.Accuracy(**options), layers.AccuracyState),
    Case("Welford", lambda **options: nnx.metrics.Welford(**options), layers.WelfordState),
    Case(
        "MultiMetric",
        lambda **options: nnx.MultiMetric(
            loss=nnx.metrics.Average("loss"), accuracy=nnx.metrics.Accuracy()
        ),
        layers.MultiMetricState,
    ),
)
#: Built by the optimizer tests; and wrappers of Linen's modules, whose state is that of Linen.
ELSEWHERE = frozenset({"Optimizer", "ModelAndOptimizer", "ToNNX", "LiftedModule", "Scope"})
INSTALLED = tuple(case for case in CASES if case.cls is not None)


def layer_classes() -> dict[str, Any]:
    """Every class of live nodes in the modules of ``flax.nnx``, exported or not."""
    base = getattr(nnx, "Pytree", nnx.Object)
    modules = [nnx, nnx.metrics]
    for found in pkgutil.walk_packages(nnx.__path__, "flax.nnx."):
        try:
            modules.append(importlib.import_module(found.name))
        except ImportError:  # it wants what is not installed
            continue
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, base)
        and value.__module__.startswith("flax.nnx")
        and not name.startswith("_")
    }


def written_variables(cls: Any) -> set[str]:
    """The attributes to which a class of Flax assigns a Variable that it makes."""
    found: set[str] = set()
    for base in cls.__mro__:
        if not base.__module__.startswith("flax.nnx."):
            continue
        names = vars(importlib.import_module(base.__module__)) | {"nnx": nnx}
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
            match node:
                case ast.Assign(targets=[target], value=value):
                    pass
                case ast.AnnAssign(target=target, value=value) if value is not None:
                    pass
                case _:
                    continue
            match target:
                case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
                    calls = (one for one in ast.walk(value) if isinstance(one, ast.Call))
                    if any(_makes_variable(one.func, names) for one in calls):
                        found.add(attribute)
                case _:
                    pass
    return found


def _makes_variable(function: ast.expr, names: dict[str, Any]) -> bool:
    try:
        made = eval(ast.unparse(function), dict(names))
    except Exception:  # it is no name of the module
        return False
    return inspect.isclass(made) and issubclass(made, nnx.Variable)


def fault_of(name: str, cls: Any) -> str:
    """Why the catalogue is not complete without a schema for a class; empty where it is."""
    if issubclass(nnx.Module, cls) or name in ELSEWHERE:
        return ""
    if any(case.name == name for case in CASES):
        return ""
    try:
        layer = cls()
    except NotImplementedError:  # an abstract class
        return ""
    except TypeError as error:
        return f"{name} has no case in layer_cases and can't be built without arguments: {error}"
    if nnx.state(layer):
        return f"{name} holds state, and typedstate.layers has no schema for it"
    return ""
