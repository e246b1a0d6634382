"""The fault matrix: seeded faults are found at their place, sound states are accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import zoo
from beartype.vale import Is
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int, Key, UInt32
from zoo import LinearState, MlpState, StreamState, leaf

from typedstate import (
    Abstract,
    Bind,
    Entries,
    Like,
    Only,
    Pure,
    Shared,
    StateMap,
    TypedState,
    explain,
    fits,
)

Tree = dict[Any, Any]


class AdamState(TypedState):
    count: Annotated[nnx.OptState, Int[Array, ""]]
    mu: Like[Only[Bind[MlpState, "d hidden"], nnx.Param], nnx.OptState]


class WholeState(TypedState):
    blocks: Bind[StateMap[int, Bind[MlpState, "d"]], "len=depth"]
    heads: StateMap[str, Bind[LinearState, "din=d"]]
    stem: Entries[Bind[LinearState, "dout=d"], None, nnx.Param[Float[Array, "d"]]]
    placed: Annotated[nnx.Param[Float[Array, "d wide"]], P("embed", "mlp")]
    positive: Annotated[nnx.Param[Float[Array, "d"]], Is[lambda value: value.shape[0] < 9]]
    scale: Float[Array, "d"]
    steps: int
    rngs: StreamState
    tied: Annotated[nnx.Param, Shared("placed")]
    opt: Entries[None, Bind[AdamState, "d hidden"]]


def array(*shape: int, dtype: str = "float32") -> jax.Array:
    return jnp.ones(shape, dtype)


def param(*shape: int, dtype: str = "float32") -> Any:
    return leaf(nnx.Param, array(*shape, dtype=dtype))


def linear(din: int, dout: int) -> Tree:
    return {"kernel": param(din, dout), "bias": param(dout)}


def mlp(d: int, hidden: int) -> Tree:
    return {"up": linear(d, hidden), "down": linear(hidden, d)}


def moments(tree: Tree) -> Tree:
    return {
        key: moments(item) if isinstance(item, dict) else leaf(nnx.OptState, jnp.ones(shape(item)))
        for key, item in tree.items()
    }


def shape(variable: Any) -> tuple[int, ...]:
    (value,) = jax.tree.leaves(variable)
    return tuple(value.shape)


def stream() -> Tree:
    return {
        "key": leaf(nnx.RngKey, jax.random.key(0), tag="default"),
        "count": leaf(nnx.RngCount, jnp.uint32(0), tag="default"),
    }


def whole(d: int = 2, hidden: int = 3, depth: int = 3) -> Tree:
    """A sound state with every kind of place in it."""
    return {
        "blocks": {index: mlp(d, hidden) for index in range(depth)},
        "heads": {"a": linear(d, 5), "b": linear(d, 7)},
        "stem": {0: linear(4, d), 2: param(d)},
        "placed": zoo.named(nnx.Param, array(d, 6), "embed", "mlp"),
        "positive": param(d),
        "scale": array(d),
        "steps": 3,
        "rngs": stream(),
        "opt": {1: {"count": leaf(nnx.OptState, jnp.int32(0)), "mu": moments(mlp(d, hidden))}},
    }


def put(*keys: Any) -> Callable[[Any], Callable[[Tree], None]]:
    """Puts something else at a path."""

    def to(value: Any) -> Callable[[Tree], None]:
        def change(tree: Tree) -> None:
            for key in keys[:-1]:
                tree = tree[key]
            tree[keys[-1]] = value

        return change

    return to


def drop(*keys: Any) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        for key in keys[:-1]:
            tree = tree[key]
        del tree[keys[-1]]

    return change


def rename(*keys: Any, to: Any) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        for key in keys[:-1]:
            tree = tree[key]
        tree[to] = tree.pop(keys[-1])

    return change


FAULTS: list[tuple[str, Callable[[Tree], None], list[tuple[str, str]]]] = [
    # missing
    ("a sub-state is missing", drop("rngs"), [("rngs", "missing")]),
    ("a Variable is missing", drop("placed"), [("placed", "missing")]),
    ("a raw array is missing", drop("scale"), [("scale", "missing")]),
    ("a scalar is missing", drop("steps"), [("steps", "missing")]),
    (
        "a nested Variable is missing",
        drop("blocks", 1, "up", "kernel"),
        [("blocks[1].up.kernel", "missing")],
    ),
    ("an entry of a list is missing", drop("blocks", 1), [("blocks[1]", "missing")]),
    ("an entry by position is missing", drop("stem", 2), [("stem[2]", "missing")]),
    ("a leaf in a dict is missing", drop("heads", "b", "kernel"), [("heads.b.kernel", "missing")]),
    ("an RNG count is missing", drop("rngs", "count"), [("rngs.count", "missing")]),
    (
        "an optimizer moment is missing",
        drop("opt", 1, "mu", "up", "kernel"),
        [("opt[1].mu.up.kernel", "missing")],
    ),
    # extra
    ("a Variable too many", put("more")(param(1)), [("more", "extra")]),
    (
        "a raw array too many",
        put("blocks", 0, "up", "more")(array(1)),
        [("blocks[0].up.more", "extra")],
    ),
    (
        "a sub-state too many",
        put("heads", "a", "lora")({"a": param(1)}),
        [("heads.a.lora", "extra")],
    ),
    ("an entry where nothing is kept", put("stem", 1)(param(1)), [("stem[1]", "extra")]),
    ("an optimizer leaf too many", put("opt", 1, "nu")({"a": param(1)}), [("opt[1].nu", "extra")]),
    ("a shared Variable twice", put("tied")(param(2, 6)), [("tied", "extra")]),
    (
        "a misspelt key",
        rename("blocks", 2, "down", "kernel", to="kernal"),
        [("blocks[2].down.kernel", "missing"), ("blocks[2].down.kernal", "extra")],
    ),
    # key
    (
        "text for an int key",
        rename("blocks", 2, to="2"),
        [("blocks", "key")],
    ),
    ("a name in a list", put("blocks", "last")(mlp(2, 3)), [("blocks.last", "key")]),
    ("a negative key in a list", put("blocks", -1)(mlp(2, 3)), [("blocks[-1]", "key")]),
    ("a number in a dict", put("heads", 0)(linear(2, 5)), [("heads[0]", "key")]),
    # kind
    ("a wrong kind", put("placed")(leaf(nnx.Cache, array(2, 6))), [("placed", "kind")]),
    (
        "a wrong kind in a list",
        put("blocks", 0, "up", "kernel")(leaf(nnx.BatchStat, array(2, 3))),
        [("blocks[0].up.kernel", "kind")],
    ),
    (
        "a value for its Variable in a dict",
        put("heads", "a", "bias")(array(5)),
        [("heads.a.bias", "kind")],
    ),
    (
        "an RNG count for a key",
        put("rngs", "key")(leaf(nnx.RngCount, jax.random.key(0), tag="default")),
        [("rngs.key", "kind")],
    ),
    (
        "a parameter among the moments",
        put("opt", 1, "mu", "up", "bias")(param(3)),
        [("opt[1].mu.up.bias", "kind")],
    ),
    ("a sub-state for a Variable", put("positive")({"value": array(2)}), [("positive", "kind")]),
    # container
    ("a Variable for a sub-state", put("rngs")(param(1)), [("rngs", "container")]),
    ("a list for the entries of a list", put("blocks")([mlp(2, 3)]), [("blocks", "container")]),
    ("an array for an entry", put("heads", "a")(array(5)), [("heads.a", "container")]),
    ("a tuple for optax's chain", put("opt")(({},)), [("opt", "container")]),
    # array
    ("a Variable for a raw array", put("scale")(param(2)), [("scale", "array")]),
    ("a scalar for a raw array", put("scale")(1.0), [("scale", "array")]),
    ("an array for a scalar", put("steps")(array()), [("steps", "array")]),
    ("None for an array", put("positive")(leaf(nnx.Param, None)), [("positive", "array")]),
    (
        "numpy for JAX",
        put("heads", "b", "kernel")(leaf(nnx.Param, np.ones((2, 7), "float32"))),
        [("heads.b.kernel", "array")],
    ),
    (
        "a masked moment",
        put("opt", 1, "mu", "up", "bias")(leaf(nnx.OptState, optax.MaskedNode())),
        [("opt[1].mu.up.bias", "array")],
    ),
    # dtype
    (
        "ints for floats",
        put("placed")(zoo.named(nnx.Param, array(2, 6, dtype="int32"), "embed", "mlp")),
        [("placed", "dtype")],
    ),
    ("a raw array of ints", put("scale")(array(2, dtype="int32")), [("scale", "dtype")]),
    (
        "booleans in a list",
        put("blocks", 0, "up", "bias")(param(3, dtype="bool")),
        [("blocks[0].up.bias", "dtype")],
    ),
    (
        "a count of another width",
        put("rngs", "count")(leaf(nnx.RngCount, jnp.int32(0), tag="default")),
        [("rngs.count", "dtype")],
    ),
    (
        "a float for the count of an optimizer",
        put("opt", 1, "count")(leaf(nnx.OptState, jnp.float32(0))),
        [("opt[1].count", "dtype")],
    ),
    # rank
    ("an axis too many", put("positive")(param(1, 2)), [("positive", "rank")]),
    ("a raw array of no axes", put("scale")(array()), [("scale", "rank")]),
    (
        "an axis too few in a dict",
        put("heads", "a", "kernel")(param(5)),
        [("heads.a.kernel", "rank")],
    ),
    (
        "a stacked moment",
        put("opt", 1, "mu", "up", "kernel")(leaf(nnx.OptState, array(1, 2, 3))),
        [("opt[1].mu.up.kernel", "rank")],
    ),
    # dim
    ("another size at the top", put("scale")(array(7)), [("scale", "dim")]),
    (
        "two weights of a list swapped",
        put("blocks", 1, "up", "kernel")(param(3, 2)),
        [("blocks[1].up.kernel", "dim"), ("blocks[1].up.kernel", "dim")],
    ),
    ("another size in a dict", put("heads", "b", "bias")(param(8)), [("heads.b.bias", "dim")]),
    ("another size by position", put("stem", 2)(param(3)), [("stem[2]", "dim")]),
    (
        "moments of another model",
        put("opt", 1, "mu", "down", "bias")(leaf(nnx.OptState, array(4))),
        [("opt[1].mu.down.bias", "dim")],
    ),
    # sharding, predicate
    ("no names of axes", put("placed")(param(2, 6)), [("placed", "sharding")]),
    (
        "the names of axes the other way round",
        put("placed")(zoo.named(nnx.Param, array(2, 6), "mlp", "embed")),
        [("placed", "sharding")],
    ),
]


@pytest.mark.parametrize(("name", "break_", "expected"), FAULTS, ids=[item[0] for item in FAULTS])
def test_a_fault_is_found_where_it_is(
    name: str, break_: Callable[[Tree], None], expected: list[tuple[str, str]]
) -> None:
    tree = whole()
    break_(tree)
    report = explain(nnx.State(tree), WholeState)
    assert [(found.path, found.code) for found in report.violations] == expected
    assert not isinstance(nnx.State(tree), WholeState)
    assert not fits(nnx.State(tree), WholeState)


@pytest.mark.parametrize(("name", "break_", "expected"), FAULTS, ids=[item[0] for item in FAULTS])
def test_a_fault_is_found_in_hand_nested_states_and_plain_dicts_too(
    name: str, break_: Callable[[Tree], None], expected: list[tuple[str, str]]
) -> None:
    tree = whole()
    break_(tree)
    for value in (tree, nested(tree)):
        report = explain(value, WholeState)
        assert [(found.path, found.code) for found in report.violations] == expected


def nested(tree: Any) -> Any:
    """The same tree with a State at every level."""
    if not isinstance(tree, dict):
        return tree
    return nnx.State({key: nested(item) for key, item in tree.items()})


def test_more_faults_by_size_predicate_and_sharing() -> None:
    class Fixed(TypedState):
        kernel: nnx.Param[Float[Array, "3 4*n"]]

    found = explain(nnx.State({"kernel": param(2, 6)}), Fixed)
    assert [str(item) for item in found.violations] == [
        "kernel: expected 3 on axis 0, found 2 [size]",
        "kernel: 4*n is 6, but no n makes 4*n that [dim]",
    ]
    tree = whole(d=9)
    report = explain(nnx.State(tree), WholeState)
    assert [(item.path, item.code) for item in report.violations] == [("positive", "predicate")]

    model = zoo.Tied(5, 3, nnx.Rngs(0))
    assert explain(model, Annotated[zoo.Tied, zoo.TiedState])
    model.head = nnx.Param(jnp.ones((5, 3)))
    report = explain(model, Annotated[zoo.Tied, zoo.TiedState])
    assert [(item.path, item.code) for item in report.violations] == [("head", "extra")]


def test_a_variable_that_is_shared_with_another_one_than_declared() -> None:
    model = zoo.Tied(5, 3, nnx.Rngs(0))
    model.other = nnx.Param(jnp.ones((5, 3)))
    model.zzz = model.other

    class Other(TypedState):
        embed: Any
        other: nnx.Param
        scale: Any
        head: Annotated[nnx.Param, Shared("embed.embedding")]
        zzz: Annotated[nnx.Param, Shared("embed.embedding")]

    report = explain(model, Annotated[zoo.Tied, Other])
    assert [str(item) for item in report.violations] == [
        "zzz: expected the Variable of embed.embedding, found that of other [metadata]"
    ]


def test_every_code_is_seeded() -> None:
    from typedstate.report import CODES

    seeded = {code for _, _, expected in FAULTS for _, code in expected}
    assert seeded | {"size", "predicate", "metadata"} == set(CODES)
    assert len(FAULTS) >= 40


# -- Sound states --------------------------------------------------------------------------


class Custom(nnx.Param):
    pass


def subclass_kinds() -> Any:
    tree = whole()
    tree["positive"] = leaf(Custom, array(2))
    tree["heads"]["a"]["kernel"] = leaf(nnx.LoRAParam, array(2, 5))
    return nnx.State(tree)


def extra_metadata() -> Any:
    tree = whole()
    tree["positive"] = leaf(nnx.Param, array(2), author="me", when=3)
    return nnx.State(tree)


def without_optionals() -> Any:
    tree = whole()
    del tree["heads"]["a"]["bias"], tree["blocks"][0]["up"]["bias"]
    return nnx.State(tree)


def half_precision() -> Any:
    tree = whole()
    tree["scale"] = array(2, dtype="bfloat16")
    tree["heads"]["a"]["kernel"] = param(2, 5, dtype="float16")
    return nnx.State(tree)


def donated() -> Any:
    found = nnx.State(whole())
    found["scale"].delete()
    return found


SOUND: dict[str, Callable[[], Any]] = {
    "as it is": lambda: nnx.State(whole()),
    "of other sizes": lambda: nnx.State(whole(d=5, hidden=1, depth=1)),
    "of a size of one": lambda: nnx.State(whole(1, 1, 1)),
    "without blocks": lambda: nnx.State({**whole(), "blocks": {}}),
    "with blocks absent": lambda: nnx.State({k: v for k, v in whole().items() if k != "blocks"}),
    "with an empty dict": lambda: nnx.State({**whole(), "heads": {}}),
    "with subclass kinds": subclass_kinds,
    "with more metadata": extra_metadata,
    "without what is optional": without_optionals,
    "of half precision": half_precision,
    "a plain dict": whole,
    "nested by hand": lambda: nested(whole()),
    "nested in part": lambda: nnx.State({**whole(), "blocks": nested(whole()["blocks"])}),
    "with a deleted array": donated,
    "in another order": lambda: nnx.State(dict(reversed(whole().items()))),
    "with numpy int keys": lambda: nnx.State(
        {**whole(), "blocks": {np.int64(i): mlp(2, 3) for i in range(3)}}
    ),
    "with a shared Variable": lambda: nnx.State(
        {**whole(), "heads": dict.fromkeys(("a", "b"), linear(2, 5))}
    ),
    "of a flat state and back": lambda: nnx.from_flat_state(nnx.to_flat_state(nnx.State(whole()))),
    "of a tree map": lambda: jax.tree.map(
        lambda x: x, nnx.State({k: v for k, v in whole().items() if k != "steps"} | {"steps": 3})
    ),
    "of a merge": lambda: nnx.merge_state(
        *nnx.split_state(nnx.State(whole()), nnx.Param, nnx.RngState, ...)
    ),
}


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_a_sound_state_is_accepted(make: Callable[[], Any]) -> None:
    found = make()
    report = explain(found, WholeState)
    assert report, report
    assert isinstance(found, WholeState)
    assert isinstance(found, WholeState)  # from a plan, where there is one
    assert fits(found, WholeState)


class PlainState(TypedState):
    up: Bind[LinearState, "din=d dout=h"]
    scale: Float[Array, "h"]
    count: Annotated[nnx.RngCount, UInt32[Array, ""]]
    key: Annotated[nnx.RngKey, Key[Array, ""]]


def plain() -> nnx.State[Any, Any]:
    return nnx.State({"up": linear(2, 3), "scale": array(3), **stream()})


def params() -> nnx.State[Any, Any]:
    return nnx.State({"up": linear(2, 3)})


class ParamsState(TypedState):
    up: Bind[LinearState, "din=d dout=h"]


seen: list[bool] = []


def look(found: Any, hint: Any) -> None:
    wrong = zoo.as_dict(found)
    wrong["up"]["kernel"] = wrong["up"]["bias"]
    seen.append(bool(explain(found, hint)) and isinstance(found, hint) and not explain(wrong, hint))


def total(found: Any) -> jax.Array:
    return sum(jnp.sum(x) for x in jax.tree.leaves(found))  # type: ignore[return-value]


def in_jit() -> None:
    jax.jit(lambda found: look(found, PlainState))(plain())


def in_grad() -> None:
    def loss(found: Any) -> jax.Array:
        look(found, ParamsState)
        return total(found)

    look(jax.grad(loss)(params()), ParamsState)
    look(jax.value_and_grad(loss)(params())[1], ParamsState)


def in_vmap() -> None:
    many = jax.tree.map(lambda x: jnp.stack([x] * 4), params())
    jax.vmap(lambda found: look(found, ParamsState))(many)


def in_scan() -> None:
    def body(found: Any, _: Any) -> tuple[Any, None]:
        look(found, ParamsState)
        return found, None

    look(jax.lax.scan(body, params(), length=2)[0], ParamsState)


def in_jvp() -> None:
    def f(found: Any) -> jax.Array:
        look(found, ParamsState)
        return total(found)

    jax.jvp(f, (params(),), (params(),))


def in_cond() -> None:
    def branch(found: Any) -> Any:
        look(found, ParamsState)
        return found

    jax.lax.cond(True, branch, branch, params())


def in_checkpoint() -> None:
    def f(found: Any) -> jax.Array:
        look(found, ParamsState)
        return total(found)

    jax.grad(jax.checkpoint(f))(params())


def in_eval_shape() -> None:
    def f() -> Any:
        look(plain(), PlainState)
        return plain()

    found = jax.eval_shape(f)
    assert explain(found, Abstract[PlainState])
    assert not explain(found, PlainState)
    seen.append(True)


def in_nnx_jit() -> None:
    @nnx.jit
    def step(model: zoo.Mlp) -> None:
        seen.append(bool(explain(nnx.state(model), MlpState)))
        seen.append(bool(explain(model, Annotated[zoo.Mlp, MlpState])))

    step(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))


def in_nnx_grad() -> None:
    def loss(model: zoo.Mlp) -> jax.Array:
        seen.append(bool(explain(nnx.state(model), MlpState)))
        return model(jnp.ones((1, 2))).sum()

    grads = nnx.grad(loss)(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))
    assert explain(grads, Only[MlpState, nnx.Param])


@pytest.mark.parametrize(
    "transform",
    [
        in_jit,
        in_grad,
        in_vmap,
        in_scan,
        in_jvp,
        in_cond,
        in_checkpoint,
        in_eval_shape,
        in_nnx_jit,
        in_nnx_grad,
    ],
    ids=lambda transform: transform.__name__,
)
def test_tracers_are_taken_for_the_arrays_that_they_stand_for(
    transform: Callable[[], None],
) -> None:
    seen.clear()
    transform()
    assert seen
    assert all(seen)


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_a_module_is_accepted_in_place_exactly_when_its_state_is(animal: zoo.Animal) -> None:
    model = animal.make()
    for schema in {item.schema for item in zoo.ZOO} | {TypedState}:
        hint = Annotated[type(model), schema]
        assert bool(explain(model, hint)) == bool(explain(nnx.state(model), schema)), schema
    assert explain(model, Annotated[type(model), animal.schema]).dims == animal.dims
    assert not explain(nnx.state(model), Annotated[type(model), animal.schema])


def test_old_pure_dicts_are_accepted_as_pure_only() -> None:
    found = nnx.to_pure_dict(nnx.State({**whole(), "steps": jnp.int32(3)}))
    report = explain(found, Pure[WholeState])
    assert [(item.path, item.code) for item in report.violations] == [("steps", "array")]
