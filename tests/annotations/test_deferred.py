"""Schemas under ``from __future__ import annotations``: every annotation is text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypeVar

import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests import zoo
from tests.zoo import LinearState, state
from typedstate import Alias, Bind, Only, SchemaError, Stacked, StateMap, TypedState, explain, fits

if TYPE_CHECKING:
    from tests.zoo import MlpState

A = TypeVar("A")


def param(*shape: int) -> Any:
    return nnx.Param(jnp.ones(shape))


class Early(TypedState):
    late: Late
    bound: Bind[Late, "n=m"]
    many: StateMap[int, Late] | None
    me: Early | None
    named: Annotated[nnx.Param, Alias("values")]
    scale: nnx.Param[Float[Array, "m"]]


class Late(TypedState):
    kernel: nnx.Param[Float[Array, "n"]]
    early: Early | None


def test_forward_mutual_and_recursive_references_of_a_module() -> None:
    late = {"kernel": param(2)}
    tree = {"late": late, "bound": late, "values": param(1), "scale": param(2)}
    assert explain(state(tree), Early).dims == {"m": 2}
    assert fits(state({**tree, "me": tree, "many": {0: {**late, "early": tree}}}), Early)
    assert not fits(state({**tree, "scale": param(3)}), Early)


def test_local_schemas_refer_forward_backward_and_to_themselves() -> None:
    class Local(TypedState):
        later: Later
        many: StateMap[int, Bind[Later, "n=3"]]
        stacked: Stacked[Later, "s"]
        me: Local | None

    class Later(TypedState):
        kernel: nnx.Param[Float[Array, "n"]]
        back: Local | None

    later = {"kernel": param(3)}
    tree = {"later": later, "many": {0: later}, "stacked": {"kernel": param(7, 3)}}
    assert explain(state(tree), Local).dims == {"s": 7}
    assert fits(state({**tree, "me": tree, "later": {**later, "back": tree}}), Local)
    assert not fits(state({**tree, "many": {0: {"kernel": param(4)}}}), Local)


def test_local_names_of_any_type() -> None:
    class Stats(NamedTuple):
        mean: Float[Array, "n"]
        count: int

    Kind = nnx.BatchStat
    Alias_ = nnx.Param[Float[Array, "n"]]

    class Local(TypedState):
        stats: nnx.Cache[Stats]
        kind: Kind
        alias: Alias_
        placed: Annotated[nnx.Param, P("x")] | None

    tree = {
        "stats": nnx.Cache(Stats(jnp.ones(2), 3)),
        "kind": nnx.BatchStat(jnp.ones(1)),
        "alias": param(2),
    }
    assert fits(state(tree), Local)
    assert not fits(state({**tree, "alias": param(2, 2)}), Local)
    assert not fits(state({**tree, "placed": param(1)}), Local)


class Open(TypedState, Generic[A]):
    inner: A


class Box(TypedState, Generic[A]):
    inner: A
    many: StateMap[str, Bind[A, "din=d"]] | None


def test_generic_schemas() -> None:
    kernel = {"kernel": param(2, 3)}
    tree = {"inner": kernel, "many": {"a": kernel, "b": kernel}}
    assert fits(state(tree), Box[LinearState])
    tree["many"]["b"] = {"kernel": param(4, 3)}
    assert not fits(state(tree), Box[LinearState])

    class Local(Box[LinearState]):
        box: Open[Open[LinearState]] | None

    assert fits(state({"inner": kernel, "box": {"inner": {"inner": kernel}}}), Local)


def test_a_name_that_only_type_checkers_import_is_named_at_first_use() -> None:
    class Hidden(TypedState):
        inner: MlpState

    with pytest.raises(SchemaError) as error:
        explain(nnx.State({}), Only[Hidden, nnx.Param])
    assert str(error.value) == (
        "Hidden.inner: name 'MlpState' is not defined; define or import it "
        "(not only under TYPE_CHECKING)"
    )


def test_no_array_of_the_function_around_a_schema_is_kept() -> None:
    import gc
    import weakref

    def make() -> tuple[Any, Any]:
        big = zoo.Mlp(2, 3, rngs=nnx.Rngs(0))

        class Local(TypedState):
            later: NeverDefined
            big: nnx.Param

        return Local, weakref.ref(big)

    schema, reference = make()
    gc.collect()
    assert reference() is None
    assert schema.__name__ == "Local"
