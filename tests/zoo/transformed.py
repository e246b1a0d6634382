"""What Flax and JAX really make of a model, beside the form that says so.

An entry whose function the installed Flax doesn't have is left out of `FORMS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, BFloat16, Float

from tests import zoo
from tests.zoo.blocks import BLOCKS
from typedstate import (
    Abstract,
    Axis,
    Bind,
    Cast,
    Like,
    Only,
    Placed,
    Plus,
    Pure,
    Rest,
    Same,
    Scoped,
    Shardings,
    Specs,
    Stacked,
    Values,
)

#: The size of the new axis, unlike every other.
N = 11
ANIMALS = (*zoo.ZOO, *BLOCKS)
MESH = Mesh(np.array(jax.devices()[:1]), ("data",))
as_pure: Any = getattr(nnx, "as_pure", None) or getattr(nnx, "pure", None)


@dataclass(frozen=True, eq=False)
class Model:
    """A model of the zoo, which is made once, with a schema whose sizes are fixed."""

    animal: zoo.Animal

    @cached_property
    def module(self) -> Any:
        """The module; what alters one makes its own."""
        return self.animal.make()

    @cached_property
    def state(self) -> nnx.State[Any, Any]:
        """What ``nnx.state`` gives."""
        return nnx.state(self.module)

    @property
    def make(self) -> Callable[[], Any]:
        """Makes the module anew."""
        return self.animal.make

    @property
    def schema(self) -> Any:
        """The schema with all sizes fixed: another place of an axis is no other size then."""
        sizes = (f"{k}={v}" for k, v in self.animal.dims.items() if isinstance(v, int))
        return Bind[self.animal.schema, " ".join(sizes)]


@dataclass(frozen=True, eq=False)
class Form:
    """A form and how such a tree comes to be.

    Attributes:
      name: for test ids.
      hint: the form of a schema.
      make: what Flax or JAX make of a model.
      tree: what the tree is: forms that describe the same have the same.
    """

    name: str
    hint: Callable[[Any], Any]
    make: Callable[[Model], Any]
    tree: str


def vmapped(axes: Any) -> Callable[[Model], Any]:
    """The state of a model that ``nnx.vmap`` has built."""

    def make(model: Model) -> Any:
        build = nnx.vmap(lambda key: model.make(), in_axes=0, out_axes=axes)
        return nnx.state(build(jnp.arange(N)))

    return make


def moments(name: str, tx: Any) -> Callable[[Model], Any]:
    """One moment of an optimizer over the Params of a model."""

    def make(model: Model) -> Any:
        state = nnx.state(nnx.Optimizer(model.module, tx, wrt=nnx.Param))
        return state["opt_state"][0].get(name, nnx.State({}))

    return make


def params(model: Model) -> Any:
    """The Params of a model."""
    return nnx.filter_state(model.state, nnx.Param)


def sown(model: Model) -> Any:
    """The state of a model that has sown."""
    module = model.make()
    module.sow(nnx.Intermediate, "seen", jnp.ones(2)) if hasattr(module, "sow") else None
    return nnx.state(module)


def named(model: Model) -> Any:
    """A state whose shardings are those of a mesh."""
    return jax.device_put(model.state, nnx.get_named_sharding(model.state, MESH))


PARAM = (nnx.Param,)
REST = nnx.Not(nnx.Param)
KERNEL = nnx.PathContains("kernel")

_ALL = (
    Form("S", lambda s: s, lambda m: m.state, "state"),
    Form("Same", lambda s: Same[s, "T"], lambda m: m.state, "state"),
    Form("Scoped", lambda s: Scoped[s, "teacher"], lambda m: m.state, "state"),
    Form("Placed", lambda s: Placed[s], named, "state"),
    Form("Only", lambda s: Only[s, nnx.Param], params, "params"),
    Form("Rest", lambda s: Rest[s, nnx.Param], lambda m: nnx.filter_state(m.state, REST), "rest"),
    Form("Plus", lambda s: Plus[s, nnx.Intermediate], sown, "sown"),
    Form("Stacked", lambda s: Stacked[s, N], vmapped(0), "stacked"),
    Form("Stacked second", lambda s: Stacked[s, N, Axis(1)], vmapped(1), "stacked second"),
    Form("Stacked last", lambda s: Stacked[s, N, Axis(-1)], vmapped(-1), "stacked last"),
    Form(
        "Stacked Params",
        lambda s: Stacked[s, N, nnx.Param],
        vmapped(nnx.StateAxes({nnx.Param: 0, ...: None})),
        "stacked params",
    ),
    Form(
        "Stacked kernels",
        lambda s: Stacked[s, N, KERNEL],
        vmapped(nnx.StateAxes({KERNEL: 0, ...: None})),
        "stacked kernels",
    ),
    Form(
        "Stacked second and first",
        lambda s: Stacked[Stacked[s, N, Axis(1), nnx.Param], N, REST],
        vmapped(nnx.StateAxes({nnx.Param: 1, ...: 0})),
        "stacked second and first",
    ),
    Form("Pure", lambda s: Pure[s], lambda m: nnx.to_pure_dict(m.state), "pure"),
    Form("Values", lambda s: Values[s], lambda m: as_pure(m.state), "values"),
    Form(
        "Pure Only",
        lambda s: Pure[Only[s, nnx.Param]],
        lambda m: nnx.to_pure_dict(params(m)),
        "pure params",
    ),
    Form(
        "Abstract by jax",
        lambda s: Abstract[s],
        lambda m: jax.eval_shape(lambda: m.state),
        "abstract",
    ),
    Form(
        "Abstract by nnx",
        lambda s: Abstract[s],
        lambda m: nnx.state(nnx.eval_shape(m.make)),
        "abstract",
    ),
    Form(
        "Abstract with sharding",
        lambda s: Abstract[s],
        lambda m: nnx.state(nnx.abstract_with_sharding(nnx.eval_shape(m.make))),
        "abstract",
    ),
    Form(
        "Abstract model",
        lambda s: Abstract[s],
        lambda m: nnx.get_abstract_model(m.make, MESH)[1],
        "abstract",
    ),
    Form(
        "Pure Abstract",
        lambda s: Pure[Abstract[s]],
        lambda m: jax.eval_shape(lambda: nnx.to_pure_dict(m.state)),
        "pure abstract",
    ),
    Form(
        "Shardings",
        lambda s: Shardings[s],
        lambda m: nnx.get_named_sharding(m.state, MESH),
        "shardings",
    ),
    Form("Specs", lambda s: Specs[s], lambda m: nnx.get_partition_spec(m.state), "specs"),
    Form(
        "Pure Specs",
        lambda s: Pure[Specs[s]],
        lambda m: nnx.to_pure_dict(nnx.get_partition_spec(m.state)),
        "pure specs",
    ),
    Form(
        "Like kind",
        lambda s: Like[Only[s, nnx.Param], nnx.OptState],
        moments("mu", optax.adam(0.1)),
        "moments",
    ),
    Form(
        "Like kind and dtype",
        lambda s: Like[Cast[Only[s, nnx.Param], BFloat16], nnx.OptState],
        moments("mu", optax.adam(0.1, mu_dtype=jnp.bfloat16)),
        "half moments",
    ),
    Form(
        "Like leaf",
        lambda s: Like[Only[s, nnx.Param], Annotated[nnx.OptState, Float[Array, ""]]],
        moments("nu", optax.novograd(0.1)),
        "scalar moments",
    ),
    Form(
        "Like dtype",
        lambda s: Cast[Only[s, nnx.Param], BFloat16],
        lambda m: jax.tree.map(lambda x: x.astype(jnp.bfloat16), params(m)),
        "half params",
    ),
)
#: What a form needs that not every supported Flax has.
_NEEDS = {
    "Values": as_pure,
    "Abstract with sharding": getattr(nnx, "abstract_with_sharding", None),
    "Abstract model": getattr(nnx, "get_abstract_model", None),
}
FORMS = tuple(form for form in _ALL if _NEEDS.get(form.name, True))
