"""Every function of Flax's that gives a module for a module, and every form around what it gives.

The functions are found by calling all that Flax has; one that is new here fails until its form
is said.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from flax.nnx.training.optimizer import OptVariable
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, BFloat16, Float

from tests.sharding.helpers import set_mesh
from typedstate import (
    Abstract,
    Bind,
    Cast,
    Flat,
    Like,
    Only,
    Placed,
    Plus,
    Pure,
    Rest,
    Same,
    SchemaError,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    StateTypeError,
    TypedState,
    Values,
    checked,
    explain,
    fits,
)

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "set_graph_mode"), reason="this Flax has no tree mode"
)


class Linear(nnx.Module):
    def __init__(self, d: int, h: int) -> None:
        names = {"out_sharding": ("fsdp", "tensor"), "eager_sharding": False}
        self.kernel = nnx.Param(jnp.ones((d, h)), **names)
        self.mean = nnx.BatchStat(jnp.ones(h))


class Net(nnx.Module):
    def __init__(self) -> None:
        self.up = Linear(2, 4)
        self.rest = nnx.List([Linear(4, 2)])


class LinearState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d h"]], P("fsdp", "tensor")]
    mean: nnx.BatchStat[Float[Array, "h"]]


class NetState(TypedState):
    up: Bind[LinearState, "d h"]
    rest: StateMap[int, Bind[LinearState, "d=h h=d"]]


class WrongSizes(TypedState):
    up: Bind[LinearState, "d h"]
    rest: StateMap[int, Bind[LinearState, "d h"]]


class WrongKeys(TypedState):
    up: Bind[LinearState, "d h"]
    rest: Bind[LinearState, "d=h h=d"]


FORMS: Final[dict[str, Callable[[Any], Any]]] = {
    "S": lambda s: s,
    "Abstract": lambda s: Abstract[s],
    "Abstract of Only": lambda s: Abstract[Only[s, nnx.Param]],
    "Abstract of Stacked": lambda s: Abstract[Stacked[s, "layers"]],
    "Abstract of Values": lambda s: Abstract[Values[s]],
    "Cast": lambda s: Cast[s, BFloat16],
    "Cast of Param": lambda s: Cast[s, BFloat16, nnx.Param],
    "Like a kind": lambda s: Like[s, OptVariable],
    "Like Variable": lambda s: Like[s, nnx.Variable],
    "Only": lambda s: Only[s, nnx.Param],
    "Placed": lambda s: Placed[s],
    "Plus": lambda s: Plus[s, nnx.LoRAParam],
    "Rest": lambda s: Rest[s, nnx.Param],
    "Same": lambda s: Same[s, "T"],
    "Shardings": lambda s: Shardings[s],
    "Shardings of Only": lambda s: Shardings[Only[s, nnx.Param]],
    "Specs": lambda s: Specs[s],
    "Stacked": lambda s: Stacked[s, "layers"],
    "Stacked of Only": lambda s: Stacked[Only[s, nnx.Param], "layers"],
    "Values": lambda s: Values[s],
}
HINTS: Final = {
    schema: {name: Annotated[Net, form(schema)] for name, form in FORMS.items()}
    for schema in (NetState, WrongSizes, WrongKeys)
}
PLAIN: Final = {"S", "Same", "Plus", "Like Variable"}
ABSTRACT: Final = {"Abstract"}
STACKED: Final = {"Stacked"}
#: Where sizes do not show.
NO_SIZES: Final = {"Shardings", "Specs"}


def copy(model: Any) -> Any:
    """In tree mode a function may not return what it was given."""
    return nnx.clone(model)


def loss(model: Any) -> Any:
    return (model.up.kernel[...] ** 2).sum()


def made(_: Any) -> Any:
    return Net()


def half(x: Any) -> Any:
    return x.astype(jnp.bfloat16)


def with_own_gradient(model: Any) -> Any:
    function: Any = nnx.custom_vjp(copy)
    function.defvjp(lambda x: (copy(x), None), lambda rest, g: (g,))
    return function(model)


def mesh() -> Any:
    kinds = (jax.sharding.AxisType.Auto,) * 2
    return jax.make_mesh((1, 1), ("fsdp", "tensor"), axis_types=kinds)


def in_mesh(function: Callable[[], Any]) -> Any:
    with set_mesh(mesh()):
        return function()


_N: Final[Any] = nnx
#: The forms that fit what each function gives, and a call of it.
CASES: Final[dict[str, tuple[set[str], Callable[[Any], Any]]]] = {
    "abstract_with_sharding": (
        ABSTRACT,
        lambda m: in_mesh(lambda: _N.abstract_with_sharding(jax.eval_shape(copy, m))),
    ),
    "as_abstract": (ABSTRACT, lambda m: in_mesh(lambda: _N.as_abstract(jax.eval_shape(copy, m)))),
    "as_pure": ({"Values"}, lambda m: _N.as_pure(m)),
    "cached_partial": (PLAIN, lambda m: nnx.cached_partial(_N.jit(copy), m)()),
    "capture": (PLAIN, lambda m: _N.capture(lambda x: x, nnx.Intermediate)(m)),
    "checkify": (PLAIN, lambda m: nnx.checkify(copy)(m)),
    "clone": (PLAIN, lambda m: nnx.clone(m)),
    "cond": (PLAIN, lambda m: nnx.cond(True, copy, copy, m)),
    "custom_vjp": (PLAIN, with_own_gradient),
    "eval_shape": (ABSTRACT, lambda m: nnx.eval_shape(copy, m)),
    "fori_loop": (PLAIN, lambda m: nnx.fori_loop(0, 2, lambda i, x: x, m)),
    "fork_rngs": (PLAIN, lambda m: nnx.fork_rngs(m)),
    "from_tree": (PLAIN, lambda m: _N.from_tree(_N.to_tree(m))),
    "get_named_sharding": ({"Shardings"}, lambda m: nnx.get_named_sharding(m, mesh())),
    "get_partition_spec": ({"Specs"}, lambda m: nnx.get_partition_spec(m)),
    "grad": (PLAIN, lambda m: nnx.grad(loss)(m)),
    "jit": (PLAIN, lambda m: nnx.jit(copy)(m)),
    "jit_partial": (PLAIN, lambda m: _N.jit_partial(copy, m)()),
    "jvp": (PLAIN, lambda m: _N.jvp(copy, (m,), (nnx.clone(m),))),
    "map": (PLAIN, lambda m: _N.map(lambda path, x: x, m)),
    "merge": (PLAIN, lambda m: nnx.merge(*nnx.split(m))),
    "pmap": (STACKED, lambda m: nnx.pmap(made)(jnp.arange(1))),
    "pure": ({"Values"}, lambda m: nnx.pure(m)),
    "recursive_map": (PLAIN, lambda m: nnx.recursive_map(lambda path, x: x, m)),
    "remat": (PLAIN, lambda m: nnx.remat(copy)(m)),
    "scan": (
        STACKED,
        lambda m: nnx.scan(lambda c, x: (c, Net()), in_axes=(nnx.Carry, 0))(0.0, jnp.arange(3)),
    ),
    "shard_map": (
        {*PLAIN, "Placed"},  # over a mesh of one device everything is where it belongs
        lambda m: nnx.shard_map(copy, mesh=mesh(), in_specs=P(), out_specs=P())(m),
    ),
    "split_rngs": (PLAIN, lambda m: nnx.split_rngs(m, splits=2)),
    "switch": (PLAIN, lambda m: nnx.switch(0, [copy], m)),
    "transform_metadata": (PLAIN, lambda m: m),
    "unflatten": (PLAIN, lambda m: nnx.unflatten(*nnx.flatten(m))),
    "value_and_grad": (PLAIN, lambda m: nnx.value_and_grad(loss)(m)),
    "vars_as": (PLAIN, lambda m: _N.vars_as(m, ref=False)),
    "view": (PLAIN, lambda m: _N.view(m, raise_if_not_found=False, training=True)),
    "vjp": (PLAIN, lambda m: _N.vjp(loss, m)[1](1.0)),
    "vmap": (STACKED, lambda m: nnx.vmap(made)(jnp.arange(3))),
    "while_loop": (PLAIN, lambda m: nnx.while_loop(lambda x: jnp.array(False), lambda x: x, m)),
    "with_attributes": (
        PLAIN,
        lambda m: _N.with_attributes(m, raise_if_not_found=False, training=True),
    ),
    "with_rngs": (PLAIN, lambda m: _N.with_rngs(m, split=2)),
    "with_vars": (PLAIN, lambda m: _N.with_vars(m, ref=False)),
    "jax.device_put": (PLAIN, lambda m: jax.device_put(m)),
    "jax.eval_shape": (ABSTRACT, lambda m: jax.eval_shape(copy, m)),
    "jax.grad": (PLAIN, lambda m: jax.grad(loss)(m)),
    "jax.jit": (PLAIN, lambda m: jax.jit(copy)(m)),
    "jax.tree.map": (
        {*PLAIN, "Cast", "Cast of Param"},
        lambda m: jax.tree.map(half, m),
    ),
    "jax.vmap": (STACKED, lambda m: jax.vmap(made)(jnp.arange(3))),
}
#: Graph mode and graph updates, as ``NNX_GRAPH_MODE`` and ``NNX_GRAPH_UPDATES`` set them.
MODES: Final = {"graph": (True, True), "graph, pure": (True, False), "tree": (False, False)}


@contextlib.contextmanager
def mode(name: str) -> Iterator[None]:
    graph, updates = MODES[name]
    with warnings.catch_warnings(), _N.set_graph_mode(graph), _N.set_graph_updates(updates):
        warnings.simplefilter("ignore")
        yield


def modules_of(value: Any) -> list[Any]:
    """The modules in what a function gives."""
    items = value if isinstance(value, tuple | list) else [value]
    return [item for item in items if isinstance(item, Net)]


def called(name: str, way: str) -> list[Any]:
    """The modules that a case gives in a mode; none where Flax has no such thing."""
    with mode(way):
        try:
            return modules_of(CASES[name][1](Net()))
        except (ValueError, NotImplementedError, AttributeError):  # not in this mode, or this Flax
            return []


def accepts(hint: Any, value: Any) -> bool:
    def ask(model: Any) -> None: ...

    ask.__annotations__ = {"model": hint}
    try:
        checked(ask)(value)
    except StateTypeError:
        return False
    return True


@pytest.mark.parametrize("way", MODES)
@pytest.mark.parametrize("name", CASES)
def test_forms_fit_what_a_function_gives(name: str, way: str) -> None:
    right = CASES[name][0]
    for module in called(name, way):
        for form, hint in HINTS[NetState].items():
            report = explain(module, hint)
            assert bool(report) is (form in right), f"{form}: {report}"
            assert fits(module, hint) is bool(report), form
            assert accepts(hint, module) is bool(report), form
            of_state = explain(nnx.state(module), FORMS[form](NetState))
            assert bool(of_state) is bool(report), f"{form}, of its state: {of_state}"
        for form in right:
            assert not fits(module, HINTS[WrongKeys][form]), form
            if form not in NO_SIZES:
                assert not fits(module, HINTS[WrongSizes][form]), form


@pytest.mark.parametrize("name", CASES)
def test_every_case_gives_a_module(name: str) -> None:
    if "." not in name and not hasattr(nnx, name):
        pytest.skip("not in this Flax")
    if name == "fork_rngs" and not hasattr(nnx, "with_vars"):
        pytest.skip("in this Flax it gives backups of the streams")
    assert any(called(name, way) for way in MODES), name


def leaf_by_leaf(function: Any, model: Any) -> Any:
    return function(lambda path, x: x, model)


@pytest.mark.parametrize("way", MODES)
def test_no_function_that_gives_a_module_is_forgotten(way: str) -> None:
    found: set[str] = set()
    for name in sorted(vars(nnx)):
        function = getattr(nnx, name)
        is_function = callable(function) and not inspect.isclass(function)
        if not is_function or name.startswith(("_", "register", "display", "tabulate")):
            continue
        for call in (
            lambda f, m: f(m),
            lambda f, m: f(copy)(m),
            lambda f, m: f(copy, m),
            leaf_by_leaf,
        ):
            with mode(way), contextlib.suppress(Exception):
                if modules_of(call(function, Net())):
                    found.add(name)
    aliases = {name for name in found if getattr(nnx, name) in (getattr(nnx, x, 0) for x in CASES)}
    # what gives back what it was given, whatever that is
    same = {"data", "has_data", "identity", "static", "to_tree"}
    assert found - aliases - same - CASES.keys() == set()
    assert {"clone", "jit", "map"} <= found


@pytest.mark.parametrize("form", [Pure[NetState], Flat[NetState], Flat[NetState, "/"]], ids=str)
def test_a_module_is_no_dict(form: Any) -> None:
    with pytest.raises(SchemaError) as error:
        explain(Net(), Annotated[Net, form])
    assert str(error.value).endswith(f"a module is no dict: {form.__name__} alone describes one")
