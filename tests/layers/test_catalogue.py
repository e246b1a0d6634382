"""Every layer of the installed Flax has a schema, and the schema refuses what is not its state."""

from __future__ import annotations

import importlib
import inspect
import pydoc
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx

from tests.layers.layer_cases import (
    CASES,
    INSTALLED,
    NOTHING,
    Case,
    fault_of,
    layer_classes,
    written_variables,
)
from tests.layers.mutations import changed, flat, leaves_of
from typedstate import TypedState, explain, fits, layers
from typedstate._annotations.spec_of import spec_of
from typedstate._compat import variables
from typedstate._spec.nodes import Extra, Map, Node
from typedstate._spec.questions import outermost_names
from typedstate.schema.typed_state import SchemaMeta


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("name", sorted(layer_classes()))
def test_every_layer_has_a_schema(name: str) -> None:
    assert not (fault := fault_of(name, layer_classes()[name])), fault


def undeclared(name: str, cls: Any) -> set[str]:
    """The Variables that a layer makes under some option, and that no case of it declares."""
    cases = [case for case in CASES if case.name == name and case.hint is not NOTHING]
    declared: set[Any] = set()
    for case in cases:
        spec = spec_of(case.hint)
        while not isinstance(spec, Node | Map):
            spec = spec.inner
        if isinstance(spec, Map):
            return set()  # a container has the keys that its user gives
        schema = spec.ref.resolve()
        declared |= {field.key for field in schema.fields}
        if schema.extra != Extra():
            return set()
    return written_variables(cls) - declared


@pytest.mark.parametrize("name", sorted(layer_classes()))
def test_every_variable_that_a_layer_makes_is_declared(name: str) -> None:
    cls = layer_classes()[name]
    if any(case.name == name for case in CASES):
        assert undeclared(name, cls) == set()


def test_a_variable_that_flax_adds_is_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "class Linear(Module):\n  def __init__(self, n):\n    if n: self.table = nnx.Cache(n)\n"
    )
    monkeypatch.setattr(inspect, "getsource", lambda _: source)
    assert undeclared("Linear", nnx.Linear) == {"table"}


@pytest.mark.parametrize("exported", [True, False])
def test_a_layer_that_flax_adds_is_found_and_named(
    monkeypatch: pytest.MonkeyPatch, exported: bool
) -> None:
    class Sparse(nnx.Module):
        def __init__(self, size: int = 2) -> None:
            self.kernel = nnx.Param(jnp.ones(size))

    class Needy(nnx.Module):
        def __init__(self, size: int) -> None:
            self.kernel = nnx.Param(jnp.ones(size))

    module = nnx if exported else importlib.import_module("flax.nnx.nn.linear")
    for cls in (Sparse, Needy):
        cls.__module__ = "flax.nnx.nn.linear"
        monkeypatch.setattr(module, cls.__name__, cls, raising=False)
    found = layer_classes()
    assert fault_of("Sparse", found["Sparse"]) == (
        "Sparse holds state, and typedstate.layers has no schema for it"
    )
    assert fault_of("Needy", found["Needy"]).startswith(
        "Needy has no case in layer_cases and can't be built without arguments: "
    )


@pytest.mark.parametrize("case", INSTALLED, ids=name_of)
def test_schema_fits_the_layer_under_every_option(case: Case) -> None:
    built = 0
    for options in case.variants():
        state = nnx.state(case.build(**options))
        built += 1
        if case.hint is NOTHING:
            assert not state, options
            continue
        report = explain(state, case.hint)
        assert report, f"{options}: {report}"
        assert fits(state, case.hint)
    assert built


WITH_LEAVES = tuple(
    (case, path) for case in INSTALLED if case.hint is not NOTHING for path in leaves_of(case.state)
)


def leaf_name(value: Any) -> str:
    return value.name if isinstance(value, Case) else ".".join(map(str, value))


@pytest.mark.parametrize(("case", "path"), WITH_LEAVES, ids=leaf_name)
def test_schema_refuses_a_leaf_of_another_kind(case: Case, path: tuple[Any, ...]) -> None:
    class Foreign(nnx.Variable[Any]):
        pass

    state = case.state
    broken = changed(state, path, kind=Foreign)
    assert [item.code for item in explain(broken, case.hint).violations] == ["kind"]
    assert not fits(broken, case.hint)


MORE_AXES = [(case, path) for case, path in WITH_LEAVES if path[-1] not in case.open | case.windows]
FEWER_AXES = [
    (case, path)
    for case, path in WITH_LEAVES
    if path[-1] not in case.open and variables.raw_value(dict(flat(case.state))[path]).ndim
]


@pytest.mark.parametrize(("case", "path"), MORE_AXES, ids=leaf_name)
def test_schema_refuses_more_axes(case: Case, path: tuple[Any, ...]) -> None:
    broken = changed(case.state, path, value=lambda array: jnp.stack([array] * 3))
    violations = explain(broken, case.hint).violations
    assert violations
    assert {item.code for item in violations} <= {"rank", "dim", "size"}
    assert not fits(broken, case.hint)


@pytest.mark.parametrize(("case", "path"), FEWER_AXES, ids=leaf_name)
def test_schema_refuses_fewer_axes(case: Case, path: tuple[Any, ...]) -> None:
    fewer = jnp.ravel if path[-1] in case.windows else lambda array: array[0]
    broken = changed(case.state, path, value=fewer)
    assert explain(broken, case.hint).violations
    assert not fits(broken, case.hint)


#: What a layer may be built without.
DROPPED = frozenset({"bias", "scale", "mask", "cached_sin", "cached_cos"})


NEEDED = [
    (case, path)
    for case, path in WITH_LEAVES
    if path[-1] not in DROPPED
    and not isinstance(path[-1], tuple)  # the norms' own scales
    and not (case.name == "MultiHeadAttention" and len(path) == 1)  # the cache
]


@pytest.mark.parametrize(("case", "path"), NEEDED, ids=leaf_name)
def test_schema_misses_what_no_option_drops(case: Case, path: tuple[Any, ...]) -> None:
    broken = changed(case.state, path, drop=True)
    if not broken:
        return  # an empty state is that of a part without leaves
    violations = explain(broken, case.hint).violations
    assert [item.code for item in violations] == ["missing"]
    assert not fits(broken, case.hint)


@pytest.mark.parametrize("case", INSTALLED, ids=name_of)
def test_schema_refuses_an_undeclared_key(case: Case) -> None:
    if case.hint is NOTHING:
        return
    broken = changed(case.state, ("kernal",), kind=nnx.Param, value=jnp.ones(3))
    assert not fits(broken, case.hint)


def test_dims_of_composed_layers_are_linked() -> None:
    from typedstate import Bind

    class MLPState(TypedState):
        up: Bind[layers.LinearState, "din=d dout=hidden"]
        norm: Bind[layers.BatchNormState, "features=hidden"]
        down: Bind[layers.LinearState, "din=hidden dout=d"]

    class MLP(nnx.Module):
        def __init__(self, d: int, hidden: int, normed: int) -> None:
            rngs = nnx.Rngs(0)
            self.up = nnx.Linear(d, hidden, rngs=rngs)
            self.norm = nnx.BatchNorm(normed, rngs=rngs)
            self.down = nnx.Linear(hidden, d, rngs=rngs)

    assert explain(nnx.state(MLP(2, 3, 3)), MLPState).dims == {"d": 2, "hidden": 3}
    report = explain(nnx.state(MLP(2, 3, 4)), MLPState)
    assert {item.code for item in report.violations} == {"dim"}


def test_dims_in_the_argument_of_a_generic_schema_are_the_writers() -> None:
    from typedstate import Bind

    class PairState(TypedState):
        rnn: layers.RNNState[Bind[layers.GRUCellState, "din=d hidden"]]
        head: Bind[layers.LinearState, "din=hidden dout=d"]

    class Pair(nnx.Module):
        def __init__(self, hidden: int) -> None:
            rngs = nnx.Rngs(0)
            self.rnn = nnx.RNN(nnx.GRUCell(2, 3, rngs=rngs))
            self.head = nnx.Linear(hidden, 2, rngs=rngs)

    assert explain(nnx.state(Pair(3)), PairState).dims == {"d": 2, "hidden": 3}
    assert not explain(nnx.state(Pair(4)), PairState)


def test_metrics_fit_after_an_update() -> None:
    metric = nnx.MultiMetric(loss=nnx.metrics.Average("loss"), spread=nnx.metrics.Welford("loss"))
    metric.update(loss=jnp.arange(4.0))
    assert explain(nnx.state(metric), layers.MultiMetricState)


def test_attention_heads_agree() -> None:
    state = nnx.state(nnx.MultiHeadAttention(2, 4, rngs=nnx.Rngs(0)))
    other = nnx.state(nnx.MultiHeadAttention(1, 4, rngs=nnx.Rngs(0)))
    broken = nnx.State({**dict(state.raw_mapping), "value": dict(other.raw_mapping)["value"]})
    assert explain(state, layers.MultiHeadAttentionState).dims == {
        "din": 4,
        "heads": 2,
        "head_dim": 2,
        "dkv": 4,
        "kv_heads": 2,
        "dout": 4,
    }
    report = explain(broken, layers.MultiHeadAttentionState)
    assert {item.code for item in report.violations} == {"dim"}


@pytest.mark.parametrize("name", layers.__all__)
def test_schemas_are_importable_and_documented(name: str) -> None:
    found = getattr(layers, name)
    if isinstance(found, type) and issubclass(found, TypedState):
        assert found.__doc__
        assert "nnx." in found.__doc__ or "optax." in found.__doc__


def test_help_shows_fields_and_dims() -> None:
    assert pydoc.render_doc(layers.LinearState, renderer=pydoc.plaintext).count("Fields:") == 1
    for name in layers.__all__:
        found: Any = getattr(layers, name)
        if not isinstance(found, SchemaMeta):
            continue
        shown = pydoc.render_doc(found, renderer=pydoc.plaintext)
        spec: Any = found.__typedstate_spec__()
        for field in spec.ref.resolve().fields:
            assert f"    {field.name}: " in shown, (name, field.name)
        for dim in outermost_names(spec):
            assert dim in shown, (name, dim)


def test_help_shows_a_field_as_it_was_written() -> None:
    assert layers.LinearState.__doc__ is not None
    assert layers.LinearState.__doc__.splitlines()[-3:] == [
        "Fields:",
        '  kernel: Param[Float[Array, "din dout"]]',
        '  bias: Param[Float[Array, "dout"]] | None',
    ]
