"""The fast path answers as the explainer does, whatever is done to an accepted value."""

from __future__ import annotations

import gc
import linecache
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypedDict

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import zoo
from beartype.vale import Is
from flax import nnx
from hypothesis import given, settings, strategies as st
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float
from zoo import LinearState, leaf, named, state

from typedstate import Bind, Only, StateMap, StateOf, TypedState, checked, explain, source_of
from typedstate._annotations.spec_of import spec_of
from typedstate._compat import variables
from typedstate._fastpath.judge import Known
from typedstate._validation.walk import Walk


class Special(nnx.Param):
    """A kind of a user's own."""


class Moments(NamedTuple):
    mu: Any
    nu: Any


class MomentsHint(NamedTuple):
    mu: Annotated[nnx.Param[Float[Array, "n"]], P("a")]
    nu: nnx.Param[Float[Array, "n"]]


class Pair(TypedDict):
    left: Float[Array, "n"]
    right: Float[Array, "n"]


@dataclass
class Record:
    layer: LinearState
    step: int


class GuardedState(TypedState):
    named: Annotated[nnx.Param[Float[Array, "d e"]], P("embed", None)] | None
    small: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda x: x.shape[0] < 5]]
    either: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda x: x.missing]] | nnx.Param
    table: StateMap[str, nnx.Param[Float[Array, "?n"]]]
    layers: StateMap[int, Bind[LinearState, "din=d dout=e"]]


def guarded() -> Any:
    return state(
        {
            "named": named(nnx.Param, np_ones(2, 3), "embed", None),
            "small": nnx.Param(np_ones(4)),
            "either": nnx.Param(np_ones(4)),
            "table": {"x": nnx.Param(np_ones(1)), "y": nnx.Param(np_ones(2))},
            "layers": {
                i: {"kernel": nnx.Param(np_ones(2, 3)), "bias": nnx.Param(np_ones(3))}
                for i in range(4)
            },
        }
    )


def np_ones(*shape: int) -> jax.Array:
    return jnp.asarray(np.ones(shape, np.float32))


def verdicts(known: Known, hint: Any, value: Any) -> tuple[bool, bool]:
    """Whether the fast path recognises a value, and whether the explainer accepts it."""
    explanation = Walk()
    explanation.visit(value, spec_of(hint))
    return known.accepts(value) is not None, bool(explanation.report(""))


def learn(known: Known, hint: Any, value: Any) -> bool:
    """Lets the explainer decide, and the fast path learn from what it accepts."""
    explanation = Walk()
    explanation.visit(value, spec_of(hint))
    report = explanation.report("")
    if report:
        known.learn(value, explanation, report)
    return bool(report)


def learned(hint: Any, value: Any) -> Known:
    known = Known()
    assert learn(known, hint, value)
    assert known.accepts(value) is not None
    return known


# -- Mutations ---------------------------------------------------------------------------------


def dicts_of(tree: Any) -> list[dict[Any, Any]]:
    found = [tree]
    for item in tree.values():
        found += dicts_of(item) if isinstance(item, dict) else []
    return found


def raw(item: Any) -> Any:
    """What a leaf holds."""
    return variables.raw_value(item) if variables.is_variable(item) else item


def as_array(item: Any) -> Any:
    found = raw(item)
    return found if hasattr(found, "shape") and jnp.issubdtype(found.dtype, jnp.number) else None


def with_value(item: Any, value: Any) -> Any:
    """The same kind of leaf with another value."""
    return leaf(variables.kind_of(item), value) if variables.is_variable(item) else value


def reshaped(item: Any) -> Any:
    found = as_array(item)
    return item if found is None else with_value(item, jnp.asarray(np.ones((*found.shape, 1))))


def grown(item: Any) -> Any:
    found = as_array(item)
    if found is None:
        return item
    return with_value(item, jnp.asarray(np.ones([n + 1 for n in found.shape], np.float32)))


def other_dtype(item: Any) -> Any:
    found = as_array(item)
    if found is None:
        return item
    return with_value(item, jnp.asarray(np.ones(found.shape, ml_dtypes.bfloat16)))


LEAF_MUTATIONS: dict[str, Callable[[Any], Any]] = {
    "kind": lambda item: leaf(nnx.BatchStat, raw(item)),
    "subclass": lambda item: leaf(Special, raw(item)),
    "rank": reshaped,
    "size": grown,
    "dtype": other_dtype,
    "numpy": lambda item: (
        with_value(item, np.asarray(as_array(item))) if as_array(item) is not None else item
    ),
    "raw": raw,
    "abstract": lambda item: (
        with_value(item, jax.ShapeDtypeStruct(as_array(item).shape, as_array(item).dtype))
        if as_array(item) is not None
        else item
    ),
    "names": lambda item: named(nnx.Param, raw(item), "embed", "mlp"),
    "renamed": lambda item: named(nnx.Param, raw(item), "embed"),
    "no value": lambda item: None,
    "scalar": lambda item: 1.5,
    "tree": lambda item: {"value": item},
    "tuple": lambda item: with_value(item, (1, 2)),
    "copy": lambda item: item,
}
KEYS = (0, 1, "0", "kernel", "bias", "extra", True, 1.0, np.int64(1), 7, ("a", "b"), "x")


@st.composite
def mutated(draw: st.DrawFn, tree: dict[Any, Any]) -> Any:
    """A tree like `tree` but for at most three mutations, as a State or as it is."""
    tree = zoo.as_dict(tree)
    for _ in range(draw(st.integers(0, 3))):
        node = draw(st.sampled_from(dicts_of(tree)))
        if not node:
            continue
        key = draw(st.sampled_from(list(node)))
        action = draw(st.sampled_from(["leaf", "leaf", "leaf", "drop", "rename", "add", "nest"]))
        if action == "drop":
            del node[key]
        elif action == "rename":
            item = node.pop(key)
            node[draw(st.sampled_from(KEYS))] = item
        elif action == "add":
            node[draw(st.sampled_from(KEYS))] = node[key]
        elif action == "nest" and isinstance(node[key], dict):
            node[key] = nnx.State(node[key])
        elif action == "leaf" and not isinstance(node[key], dict | nnx.State):
            node[key] = LEAF_MUTATIONS[draw(st.sampled_from(list(LEAF_MUTATIONS)))](node[key])
    return nnx.State(tree) if draw(st.sampled_from([True, True, True, False])) else tree


ANIMALS = [animal for animal in zoo.ZOO if animal.name in ("mlp", "stack", "sequential", "tied")]
CASES = [(animal.schema, nnx.state(animal.make())) for animal in ANIMALS]
CASES += [(GuardedState, guarded()), (StateOf[nnx.Param], nnx.state(ANIMALS[0].make()))]
CASES += [(Only[zoo.MlpState, nnx.Param], nnx.state(ANIMALS[0].make(), nnx.Param))]


@settings(max_examples=250)
@given(st.data())
def test_the_fast_path_never_accepts_what_the_explainer_refuses(data: st.DataObject) -> None:
    hint, value = data.draw(st.sampled_from(CASES))
    known = learned(hint, value)
    for _ in range(4):  # what is accepted on the way is learned too, as at a boundary
        other = data.draw(mutated(value))
        fast = known.accepts(other) is not None
        accepted = learn(known, hint, other)
        assert accepted or not fast
        assert isinstance(other, hint) is accepted
        assert bool(explain(other, hint)) is accepted


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_the_fast_path_recognises_the_same_structure(animal: zoo.Animal) -> None:
    known = learned(animal.schema, nnx.state(animal.make()))
    assert known.accepts(nnx.state(animal.make())) is not None


# -- Guards ------------------------------------------------------------------------------------


def test_axis_names_are_asked_again() -> None:
    known = learned(GuardedState, guarded())
    other = guarded()
    other["named"] = named(nnx.Param, np_ones(2, 3), "mlp", None)
    assert verdicts(known, GuardedState, other) == (False, False)


def test_predicates_are_asked_again() -> None:
    class Positive(TypedState):
        scale: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda x: bool((x > 0).all())]]

    known = learned(Positive, state({"scale": nnx.Param(np_ones(3))}))
    assert verdicts(known, Positive, state({"scale": nnx.Param(np_ones(3) * 2)})) == (True, True)
    assert verdicts(known, Positive, state({"scale": nnx.Param(-np_ones(3))})) == (False, False)


def test_filters_are_asked_again() -> None:
    class Whole(TypedState, extra="allow"):
        kernel: nnx.Param

    hint = Only[Whole, nnx.WithTag("a") if hasattr(nnx, "WithTag") else nnx.Param]
    good = {"kernel": leaf(nnx.Param, np_ones(2), tag="a")}
    known = learned(hint, state(good))
    bad = state({"kernel": leaf(nnx.BatchStat, np_ones(2), tag="b")})
    assert verdicts(known, hint, bad) == (False, False)


def test_guards_below_a_named_tuple_are_asked_again() -> None:
    def moments(name: str) -> Moments:
        return MomentsHint(named(nnx.Param, np_ones(3), name), leaf(nnx.Param, np_ones(3)))  # type: ignore[return-value]

    known = learned(MomentsHint, moments("a"))
    assert verdicts(known, MomentsHint, moments("a")) == (True, True)
    assert verdicts(known, MomentsHint, moments("b")) == (False, False)


def test_a_predicate_that_raised_is_asked_again() -> None:
    broken = True

    def flaky(value: Any) -> bool:
        if broken:
            raise ValueError
        return True

    class Either(TypedState):
        either: Annotated[nnx.Param[Float[Array, "n"]], Is[flaky]] | nnx.Param

    value = state({"either": nnx.Param(np_ones(4))})
    known = learned(Either, value)
    broken = False
    assert known.accepts(value) is None


def test_a_module_is_not_known_by_its_class() -> None:
    hint = tuple[nnx.Linear, LinearState]
    explanation = Walk()
    value = (nnx.Linear(2, 3, rngs=nnx.Rngs(0)), nnx.state(nnx.Linear(2, 3, rngs=nnx.Rngs(0))))
    explanation.visit(value, spec_of(hint))
    assert explanation.report("")
    assert Known().learn(value, explanation, explanation.report("")) is None


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (list[LinearState], [state({"kernel": nnx.Param(np_ones(2, 3))})] * 2),
        (tuple[LinearState, ...], (state({"kernel": nnx.Param(np_ones(2, 3))}),)),
        (dict[str, Float[Array, "n"]], {"a": np_ones(3)}),
        (Pair, {"left": np_ones(3), "right": np_ones(3)}),
        (Float[Array, "n"] | None, None),
        (Float[Array, "n"] | None, np_ones(3)),
        (float | Float[Array, "n"], 3.5),
    ],
)
def test_containers_of_a_boundary(hint: Any, value: Any) -> None:
    known = learned(hint, value)
    for other in (None, [], (), {}, {"a": 1}, 3, 3.5, np_ones(3), np_ones(3, 3), [1], (1,)):
        fast, accepted = verdicts(known, hint, other)
        assert accepted or not fast


# -- Bounds ------------------------------------------------------------------------------------


def entries() -> set[str]:
    gc.collect()
    return {name for name in linecache.cache if name.startswith("<typedstate plan")}


def test_plans_are_bounded() -> None:
    class Wide(TypedState):
        table: StateMap[str, nnx.Param[Float[Array, "?n"]]]

    before = entries()
    for n in range(40):
        assert isinstance(state({"table": {str(i): nnx.Param(np_ones(2)) for i in range(n)}}), Wide)
    known: Known = Wide.__dict__["__typedstate_known__"]
    assert len(known.plans.sources()) == 16
    ours = entries() - before  # others may vanish meanwhile
    assert len(ours) == 17  # the first 16, and then at each power of two
    del known, Wide
    assert not entries() & ours


def test_generated_code_can_be_read() -> None:
    class Small(TypedState):
        kernel: nnx.Param[Float[Array, "n"]]

    assert source_of(Small) == ""
    assert isinstance(state({"kernel": nnx.Param(np_ones(3))}), Small)
    source = source_of(Small)
    assert source.startswith("def like0(v0, a0):")
    assert "numpy" not in source
    assert source in {"".join(lines) for _, _, lines, _ in linecache.cache.values()}  # type: ignore[misc]


class Likeness:
    """Has an array's abstract value, shape and dtype, and is none."""

    def __init__(self, array: Any) -> None:
        self.aval, self.shape, self.dtype = array.aval, array.shape, array.dtype


def test_what_only_resembles_an_array_is_none() -> None:
    known = learned(LinearState, state({"kernel": nnx.Param(np_ones(2, 3))}))
    for other in (
        np_ones(2, 3),
        np.ones((2, 3), np.float32),
        Likeness(np_ones(2, 3)),
        jax.ShapeDtypeStruct((2, 3), "float32"),
    ):
        value = state({"kernel": leaf(nnx.Param, other)})
        is_array = isinstance(other, jax.Array)
        assert verdicts(known, LinearState, value) == (is_array, is_array)


def test_a_tracer_is_no_array_to_generated_code() -> None:
    concrete = state({"kernel": nnx.Param(np_ones(2, 3))})

    @jax.jit
    def traced(value: Any, again: Any) -> Any:
        known = learned(LinearState, value)
        assert known.accepts(again) is not None
        assert known.accepts(concrete) is None
        assert learn(known, LinearState, concrete)
        assert known.accepts(concrete) is not known.accepts(again)
        return value

    traced(concrete, concrete)


def test_like_siblings_share_code() -> None:
    def stack(depth: int) -> Any:
        layer = {"kernel": nnx.Param(np_ones(2, 2)), "bias": nnx.Param(np_ones(2))}
        return state({"layers": {i: dict(layer) for i in range(depth)}})

    class Deep(TypedState):
        layers: StateMap[int, LinearState]

    sizes = []
    for depth in (4, 400):
        sizes.append(len(learned(Deep, stack(depth)).plans.sources()[0]))
    assert sizes[0] == sizes[1] - len("400") + len("4")


def test_items_are_fetched_before_any_is_read() -> None:
    """Then the processor waits once for several that are not in its cache."""
    layer = {"kernel": nnx.Param(np_ones(2, 2)), "bias": nnx.Param(np_ones(2))}
    known = learned(StateMap[str, LinearState], state({name: dict(layer) for name in ("a", "b")}))
    lines = known.plans.sources()[0].split("def read")[0].splitlines()
    slot = "value" if variables.VariableState is not None else variables.RAW_SLOT
    fetched = [
        i for i, line in enumerate(lines) if line.rstrip().endswith(("'kernel']", "'bias']"))
    ]
    read = [i for i, line in enumerate(lines) if line.endswith(f".{slot}")]
    assert len(fetched) == len(read) == 4
    assert max(fetched) < min(read)


def test_the_locals_of_code_are_few_however_wide_the_tree_is() -> None:
    class Wide(TypedState, extra="allow"):
        pass

    values = {f"p{i}": nnx.Param(np_ones(1 + i % 7, 1 + i % 5)) for i in range(300)}
    known = learned(Wide, state(values))
    (plan,) = known.calls.latest.plans
    assert plan.match.__code__.co_nlocals < 60  # type: ignore[attr-defined]


def test_code_grows_no_faster_than_the_tree() -> None:
    def wide(count: int) -> Any:
        """Layers with sizes of their own: none is like another."""
        sizes = ((i + 2, i + 3) for i in range(count))
        layers = {
            f"layer{i}": {"kernel": nnx.Param(np_ones(*size)), "bias": nnx.Param(np_ones(size[1]))}
            for i, size in enumerate(sizes)
        }
        return state({"layers": layers})

    class Wide(TypedState):
        layers: StateMap[str, LinearState]

    few, many = (len(learned(Wide, wide(count)).plans.sources()[0]) for count in (30, 120))
    assert many < 4.4 * few


def test_a_plan_keeps_no_array() -> None:
    value = state({"kernel": nnx.Param(np_ones(2, 3)), "bias": nnx.Param(np_ones(3))})
    array = weakref.ref(raw(value["kernel"]))
    known = learned(LinearState, value)
    del value
    gc.collect()
    assert array() is None
    assert known.plans.sources()


# -- What is never like anything known ---------------------------------------------------------


def growing(step: int) -> Any:
    return [state({"kernel": nnx.Param(np_ones(2, 3))})] * step


def stepped(step: int) -> Any:
    return state({"kernel": nnx.Param(np_ones(2, 3)), f"step{step}": nnx.Param(np_ones(1))})


class MyDict(Mapping[str, Any]):
    """A container of a user's own, whose class says nothing of its contents."""

    def __init__(self, items: dict[str, Any]) -> None:
        self.items_ = items

    def __getitem__(self, key: str) -> Any:
        return self.items_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.items_)

    def __len__(self) -> int:
        return len(self.items_)


class OpenState(TypedState, extra="allow"):
    kernel: nnx.Param[Float[Array, "din dout"]]


@pytest.mark.parametrize(
    ("hint", "make"),
    [
        (list[LinearState], growing),
        (OpenState, stepped),
        (StateMap[int, LinearState], lambda n: state(dict(enumerate(map(dict, growing(n)))))),
        (Mapping[str, Float[Array, "n"]], lambda n: MyDict({"x": np_ones(n)})),
    ],
    ids=["growing list", "open schema", "growing map", "container of a user's own"],
)
def test_code_is_generated_ever_more_rarely(
    hint: Any, make: Callable[[int], Any], generated: list[str]
) -> None:
    @checked
    def use(value: hint) -> None: ...  # type: ignore[valid-type]

    for step in range(1, 70):
        use(make(step))
    assert len(generated) == 18  # the first 16, the 32nd, the 64th
    use(make(1))
    assert len(generated) == 18


@pytest.mark.parametrize(
    ("hint", "make"),
    [
        (LinearState | None, lambda n: state({"kernel": nnx.Param(np_ones(2, n))})),
        (dict[str, Float[Array, "n"]], lambda n: {"x": np_ones(n)}),
        (Record, lambda n: Record(state({"kernel": nnx.Param(np_ones(2, n))}), n)),
        (list[Float[Array, "*batch"]], lambda n: [np_ones(2, n), np_ones(2, n)]),
        (Only[LinearState, nnx.Param], lambda n: state({"kernel": nnx.Param(np_ones(2, n))})),
        (tuple[LinearState, Any], lambda n: (state({"kernel": nnx.Param(np_ones(2, n))}), n)),
    ],
    ids=["union", "dict", "dataclass", "list", "form", "Any"],
)
def test_other_sizes_stay_in_the_code_that_is_there(
    hint: Any, make: Callable[[int], Any], generated: list[str]
) -> None:
    @checked
    def use(value: hint) -> None: ...  # type: ignore[valid-type]

    for n in range(2, 40):
        use(make(n))
    assert len(generated) == 1


def test_fields_of_a_dataclass_are_compared() -> None:
    def record(kind: Any, *shape: int) -> Record:
        return Record(state({"kernel": kind(np_ones(*shape))}), 1)

    known = learned(Record, record(nnx.Param, 2, 3))
    assert verdicts(known, Record, record(nnx.Param, 4, 5)) == (True, True)
    assert verdicts(known, Record, record(nnx.BatchStat, 2, 3)) == (False, False)
    assert verdicts(known, Record, record(nnx.Param, 2, 3, 4)) == (False, False)


def test_keys_that_are_equal_are_not_the_same_to_a_hint() -> None:
    known = learned(dict[int, Float[Array, "n"]], {1: np_ones(2)})
    assert verdicts(known, dict[int, Float[Array, "n"]], {1: np_ones(3)}) == (True, True)
    assert verdicts(known, dict[int, Float[Array, "n"]], {1.0: np_ones(2)}) == (False, False)


def test_schemas_plans_and_functions_are_collected() -> None:
    def make() -> list[weakref.ref[Any]]:
        class Local(TypedState):
            kernel: nnx.Param[Float[Array, "n m"]]

        @checked
        def use(value: Local, x: Float[Array, "n"]) -> Float[Array, "m"]:
            return jnp.sum(variables.raw_value(value["kernel"]), axis=0)

        for n in range(2, 6):
            value = state({"kernel": nnx.Param(np_ones(n, 3))})
            use(value, np_ones(n))
            assert isinstance(value, Local)
        owner = use.__globals__["_enter"].__self__
        call = next(iter(owner.calls.known.values()))
        structure = call.plans[0].structure
        objects = (Local, use, owner, call, structure, raw(value["kernel"]))
        return [weakref.ref(item) for item in objects]

    found = make()
    gc.collect()
    assert [item() for item in found] == [None] * len(found)
