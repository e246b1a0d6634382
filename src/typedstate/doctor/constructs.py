"""The modules whose states are probed: one small builder per construct that can hold a leaf.

A builder raises where the installed Flax has no such thing; the probe records that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from typedstate._compat.variables import RAW_SLOT
from typedstate.doctor.installed import jax, jnp, module, named, nnx
from typedstate.doctor.leaf import is_ref

Builder = Callable[[], Any]


@dataclass(frozen=True)
class Construct:
    """Something that a module may hold.

    Attributes:
        name: How tables call it.
        build: Makes a fresh module (or another node that `nnx.state` takes).
    """

    name: str
    build: Builder


class Holder(nnx.Module):  # type: ignore[misc]
    """A module with one attribute."""

    def __init__(self, value: Any) -> None:
        """Hold the value as `x`."""
        self.x = value


class Counter(nnx.Variable):  # type: ignore[misc]
    """A Variable class of one's own."""


class Sower(nnx.Module):  # type: ignore[misc]
    """A module that sows what it is called with."""

    def __call__(self, x: Any) -> Any:
        """Sow the input and return it."""
        self.sow(nnx.Intermediate, "seen", x)
        return x


class Tied(nnx.Module):  # type: ignore[misc]
    """A module that holds one Variable under two names."""

    def __init__(self) -> None:
        """Make the Variable."""
        self.second = nnx.Param(jnp.ones(2))
        self.first = self.second


class Mixed(nnx.Module):  # type: ignore[misc]
    """A module with trainable and other Variables, as most real ones are."""

    def __init__(self, rngs: Any) -> None:
        """Make the layers."""
        self.linear = nnx.Linear(2, 2, rngs=rngs)
        self.norm = nnx.BatchNorm(2, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)


def _rngs() -> Any:
    return nnx.Rngs(0)


def _linear(**options: Any) -> Any:
    return nnx.Linear(2, 2, rngs=_rngs(), **options)


def _held(value: Callable[[], Any]) -> Builder:
    return lambda: Holder(value())


def _array() -> Any:
    return jnp.ones(2)


def _param(**options: Any) -> Any:
    return nnx.Param(_array(), **options)


def _raw(variable: Any) -> Any:
    """The value that a plain Variable stores."""
    return object.__getattribute__(variable, RAW_SLOT)


def _reference_option() -> str:
    """The option by which this Flax makes a Variable with a reference; others become metadata."""
    for name in ("ref", "use_ref", "has_ref", "mutable"):
        if is_ref(_raw(_param(**{name: True}))):
            return name
    raise TypeError("no spelling of a reference works")


def _hijax_option() -> str:
    """The option by which this Flax makes a hijax Variable; the other one becomes metadata."""
    for name in ("hijax", "is_hijax"):
        if type(_param(**{name: True})) is not nnx.Param:
            return name
    raise TypeError("no spelling of a hijax Variable works")


def new_ref() -> Any:
    """A fresh mutable array reference of JAX."""
    make = named(jax, "new_ref", "array_ref") or named(module("jax.experimental"), "mutable_array")
    return make(_array())


def _referenced() -> Any:
    return Holder(_param(**{_reference_option(): True}))


def _hijax(*, reference: bool = False) -> Any:
    options = {_hijax_option(): True}
    if reference:
        options[_reference_option()] = True
    return Holder(_param(**options))


def _sown() -> Any:
    sower = Sower()
    sower(jnp.ones(2))
    return sower


def _cached_attention() -> Any:
    attention = nnx.MultiHeadAttention(
        num_heads=2, in_features=4, qkv_features=4, out_features=4, decode=True, rngs=_rngs()
    )
    attention.init_cache((1, 3, 4))
    return attention


def _optimizer() -> Any:
    optax = module("optax")
    try:
        return nnx.Optimizer(_linear(), optax.adam(1e-3), wrt=nnx.Param)
    except TypeError:
        return nnx.Optimizer(_linear(), optax.adam(1e-3))


def _stacked() -> Any:
    """Two layers stacked the way that works on every Flax."""

    @nnx.split_rngs(splits=2)  # type: ignore[untyped-decorator]
    @nnx.vmap(in_axes=(nnx.StateAxes({...: 0}),), out_axes=0)  # type: ignore[untyped-decorator]
    def build(rngs: Any) -> Any:
        return nnx.Linear(2, 2, rngs=rngs)

    return build(_rngs())


def _nested_state() -> Any:
    state = nnx.state(_linear())
    mark = named(nnx, "data")
    return Holder(mark(state) if mark is not None else state)


def _marked(value: Callable[[], Any]) -> Builder:
    return lambda: Holder(nnx.data(value()))


CONSTRUCTS: tuple[Construct, ...] = (
    Construct("Linear", _linear),
    Construct("Linear(use_bias=False)", lambda: _linear(use_bias=False)),
    Construct("Conv", lambda: nnx.Conv(1, 2, (3,), rngs=_rngs())),
    Construct("Embed", lambda: nnx.Embed(3, 2, rngs=_rngs())),
    Construct("BatchNorm", lambda: nnx.BatchNorm(2, rngs=_rngs())),
    Construct("Dropout", lambda: nnx.Dropout(0.5, rngs=_rngs())),
    Construct("MultiHeadAttention with cache", _cached_attention),
    Construct("LSTMCell", lambda: nnx.LSTMCell(2, 2, rngs=_rngs())),
    Construct("LoRA", lambda: nnx.LoRA(2, 1, 2, rngs=_rngs())),
    Construct("WeightNorm", lambda: nnx.WeightNorm(_linear(), rngs=_rngs())),
    Construct("Linear, BatchNorm and Dropout", lambda: Mixed(_rngs())),
    Construct("Rngs", lambda: nnx.Rngs(0, params=1)),
    Construct("Optimizer(adam)", _optimizer),
    Construct("MultiMetric", lambda: nnx.MultiMetric(loss=nnx.metrics.Average("loss"))),
    Construct("sow", _sown),
    Construct("stacked by nnx.vmap", _stacked),
    Construct("Sequential", lambda: nnx.Sequential(_linear(), jnp.tanh, _linear())),
    Construct("nnx.List", lambda: Holder(nnx.List([_linear(), _linear()]))),
    Construct("nnx.Dict", lambda: Holder(nnx.Dict(a=_linear()))),
    Construct("list attribute", _held(lambda: [_linear()])),
    Construct("tuple attribute", _held(lambda: (_linear(),))),
    Construct("dict attribute", _held(lambda: {"a": _linear()})),
    Construct("nnx.data(list)", _marked(lambda: [_linear(), _array()])),
    Construct("nnx.data(float)", _marked(lambda: 3.5)),
    Construct("nnx.data(int)", _marked(lambda: 3)),
    Construct("nnx.State attribute", _nested_state),
    Construct("jax.Array attribute", _held(_array)),
    Construct("numpy.ndarray attribute", _held(lambda: module("numpy").ones(2))),
    Construct("numpy scalar attribute", _held(lambda: module("numpy").float32(1))),
    Construct("PRNG key attribute", _held(lambda: jax.random.key(0))),
    Construct("Python scalar attribute", _held(lambda: 3.5)),
    Construct("reference attribute", _held(new_ref)),
    Construct("shared Param", Tied),
    Construct("own Variable class", _held(lambda: Counter(_array()))),
    Construct("Param of a tuple", _held(lambda: nnx.Param((_array(), _array())))),
    Construct("Param of a dict", _held(lambda: nnx.Param({"a": _array()}))),
    Construct("Param of a float", _held(lambda: nnx.Param(1.5))),
    Construct("Param of None", _held(lambda: nnx.Param(None))),
    Construct("Param of numpy.ndarray", _held(lambda: nnx.Param(module("numpy").ones(2)))),
    Construct("Param with sharding", _held(lambda: _param(sharding=("a",), eager_sharding=False))),
    Construct("Param as a reference", _referenced),
    Construct("Param as hijax", _hijax),
    Construct("Param as hijax reference", lambda: _hijax(reference=True)),
)
