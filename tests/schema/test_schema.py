"""Schema classes: where they may be written, what they inherit, what they answer."""

import sys
from types import ModuleType
from typing import Annotated, Any, ClassVar, Generic, Optional, TypeVar, Union

import jax.numpy as jnp
import pytest
import typing_extensions
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.zoo import LinearState, MlpState, state
from typedstate import (
    Alias,
    Bind,
    Entries,
    Only,
    Pure,
    SchemaError,
    Scoped,
    Shared,
    Stacked,
    StateMap,
    StateTypeError,
    TypedState,
    check,
    explain,
    fits,
)

A = TypeVar("A")
B = TypeVar("B")
S = TypeVar("S", bound=TypedState)


def linear(din: int = 2, dout: int = 3) -> dict[str, Any]:
    return {"kernel": nnx.Param(jnp.ones((din, dout)))}


def test_a_schema_describes_and_never_wraps() -> None:
    found = nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))
    assert MlpState.of(found) is found
    of_module = MlpState.of(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))
    assert type(of_module) is nnx.State
    made = LinearState(state(linear()).raw_mapping)
    assert type(made) is nnx.State
    assert check(found, MlpState) is found
    assert not isinstance(None, MlpState)


def test_of_takes_filters() -> None:
    model = zoo.ConvNet(1, 2, 4, nnx.Rngs(0))
    params = zoo.ConvNetState.of(model, nnx.Param)
    assert not nnx.to_flat_state(nnx.filter_state(params, nnx.BatchStat))
    assert fits(params, Only[zoo.ConvNetState, nnx.Param])
    both = zoo.ConvNetState.of(model, nnx.Param, nnx.BatchStat)
    assert fits(both, Only[zoo.ConvNetState, nnx.Param, nnx.BatchStat])
    again = zoo.ConvNetState.of(nnx.state(model), nnx.BatchStat)
    assert fits(again, Only[zoo.ConvNetState, nnx.BatchStat])
    by_hand = {"kernel": nnx.Param(jnp.ones((2, 3))), "bias": nnx.BatchStat(jnp.ones(3))}
    assert set(LinearState.of(by_hand, nnx.Param)) == {"kernel"}
    with pytest.raises(StateTypeError) as error:
        LinearState.of(5, nnx.Param)
    assert str(error.value) == (
        "does not fit Only[LinearState, Param]: 1 violation\n"
        "  the value: expected a state Only[LinearState, Param], found int [container]"
    )
    with pytest.raises(StateTypeError) as error:
        MlpState.of(model)
    assert error.value.report is not None
    assert error.value.report.hint == "MlpState"


def test_of_takes_sizes() -> None:
    model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    assert fits(LinearState.of(model, nnx.Param, dims={"dout": 3}), LinearState)
    with pytest.raises(StateTypeError) as error:
        LinearState.of(model, dims={"dout": 8})
    assert str(error.value).splitlines() == [
        "does not fit LinearState: 2 violations",
        "  kernel: dout is 3, but dout=8 as given by dims= [dim]",
        "  bias: dout is 3, but dout=8 as given by dims= [dim]",
        "  dims: dout=8 din=2",
    ]
    with pytest.raises(SchemaError) as mistake:
        LinearState.of(model, dims={"out": 8})
    assert str(mistake.value) == "LinearState has no dim 'out': it has din, dout"


@pytest.mark.parametrize("wrong", [5, "x", None, [("kernel", 3)]])
def test_a_schema_of_what_is_no_mapping_refuses_it(wrong: Any) -> None:
    with pytest.raises(StateTypeError):
        LinearState(wrong)


def test_every_state_is_a_typed_state() -> None:
    assert isinstance(nnx.State({"a": 3}), TypedState)
    assert isinstance(nnx.State({}), TypedState)
    assert not isinstance(3, TypedState)


def test_a_subclass_has_the_fields_of_its_bases() -> None:
    class More(LinearState):
        scale: nnx.Param[Float[Array, "dout"]]

    class Narrow(More):
        bias: nnx.Param[Float[Array, "dout"]]

    tree = {**linear(), "scale": nnx.Param(jnp.ones(3))}
    assert fits(state(tree), More)
    assert not fits(state(tree), LinearState)
    assert not fits(state(tree), Narrow)
    assert fits(state({**tree, "bias": nnx.Param(jnp.ones(3))}), Narrow)
    assert [
        str(found)
        for found in explain(state({**tree, "scale": nnx.Param(jnp.ones(4))}), More).violations
    ] == ["scale: dout is 4, but dout=3 from kernel, axis 1 [dim]"]


def test_of_several_bases_the_nearest_wins_as_in_python() -> None:
    class Base(TypedState):
        x: nnx.Param

    class Left(Base):
        left: nnx.Param | None

    class Right(Base):
        x: nnx.BatchStat

    class Both(Left, Right):
        pass

    assert fits(state({"x": nnx.BatchStat(jnp.ones(1))}), Both)
    assert not fits(state({"x": nnx.Param(jnp.ones(1))}), Both)


def test_extra_is_inherited_and_may_be_changed() -> None:
    class Open(TypedState, extra="allow"):
        x: nnx.Param

    class StillOpen(Open):
        y: nnx.Param

    class Closed(Open, extra="forbid"):
        y: nnx.Param

    tree = {key: nnx.Param(jnp.ones(1)) for key in "xyz"}
    assert fits(state(tree), StillOpen)
    assert not fits(state(tree), Closed)


def test_schemas_may_be_local_and_refer_to_each_other() -> None:
    class Outer(TypedState):
        first: "Inner"
        many: StateMap[int, "Inner"]
        either: "Inner | nnx.Param | None"
        bound: Bind["Inner", "n=3"]
        inner: Optional["Inner"]
        child: "Outer | None"

    class Inner(TypedState):
        kernel: nnx.Param[Float[Array, "n"]]
        back: "Outer | None"

    leaf = {"kernel": nnx.Param(jnp.ones(3))}
    tree = {"first": leaf, "many": {0: leaf}, "bound": leaf, "inner": leaf, "either": leaf}
    assert fits(state(tree), Outer)
    assert fits(state({**tree, "child": tree}), Outer)
    assert fits(state({**tree, "first": {**leaf, "back": tree}}), Outer)
    assert not fits(state({**tree, "many": {0: nnx.Param(jnp.ones(3))}}), Outer)
    assert not fits(state({**tree, "bound": {"kernel": nnx.Param(jnp.ones(4))}}), Outer)


class First(TypedState):
    second: "Bind[Second, 'd=n']"
    scale: nnx.Param[Float[Array, "n"]]


class Second(TypedState):
    third: Bind["Third", "d"]
    first: "First | None"


class Third(TypedState):
    kernel: nnx.Param[Float[Array, "d"]]


def test_forward_references_keep_their_binds() -> None:
    tree = {
        "second": {"third": {"kernel": nnx.Param(jnp.ones(2))}},
        "scale": nnx.Param(jnp.ones(2)),
    }
    assert explain(state(tree), First).dims == {"n": 2}
    tree["scale"] = nnx.Param(jnp.ones(3))
    assert [str(found) for found in explain(state(tree), First).violations] == [
        "scale: n is 3, but n=2 from second.third.kernel, axis 0 [dim]"
    ]


class Block(TypedState, Generic[A]):
    inner: A
    many: StateMap[int, A] | None
    maybe: A | None


class Pair(TypedState, Generic[A, B]):
    a: A
    b: Bind[B, "din=5"]


class Stack(Block[A], Generic[A]):
    stacked: Stacked[A, "n"]


class Swapped(Pair[B, A], Generic[A, B]):
    pass


class Whole(Block[LinearState]):
    scale: nnx.Param


class Bounded(TypedState, Generic[S]):
    inner: S


def test_generic_schemas() -> None:
    tree = {"inner": linear(), "many": {0: linear(), 1: linear(4, 5)}}
    assert fits(state(tree), Block[LinearState])
    assert fits(state(tree), Block[Any])
    assert fits(state(tree), Block)
    assert not fits(state(tree), Block[MlpState])
    assert fits(state({**tree, "maybe": linear()}), Block[LinearState])
    assert fits(state({"inner": nnx.Param(jnp.ones(1))}), Block[nnx.Param])
    assert fits(state({"inner": nnx.Param(jnp.ones(1))}), Block[nnx.Param[Float[Array, "n"]]])
    assert Block[LinearState] is Block[LinearState]
    assert Block[LinearState].__name__ == "Block[LinearState]"
    pair = {"a": linear(2, 3), "b": linear(5, 3)}
    assert fits(state(pair), Pair[LinearState, LinearState])
    assert not fits(state({**pair, "b": linear(4, 3)}), Pair[LinearState, LinearState])


def test_arguments_that_are_written_at_the_top_share_the_names_of_the_call() -> None:
    class Holder(TypedState):
        pair: Pair[LinearState, LinearState]

    pair = {"a": linear(2, 3), "b": linear(5, 6)}
    assert not fits(state(pair), Pair[LinearState, LinearState])
    assert fits(state(pair), Pair[LinearState, Scoped[LinearState, "b"]])
    assert fits(state({"pair": pair}), Holder)


def test_generic_schemas_are_bases_of_generic_and_of_plain_ones() -> None:
    stacked = {"kernel": nnx.Param(jnp.ones((7, 2, 3)))}
    tree = {"inner": linear(), "stacked": stacked}
    assert explain(state(tree), Stack[LinearState]).dims["n"] == 7
    assert not fits(state({**tree, "stacked": linear()}), Stack[LinearState])
    assert fits(state({"inner": linear(), "scale": nnx.Param(jnp.ones(1))}), Whole)
    assert not fits(
        state({"inner": nnx.Param(jnp.ones(1)), "scale": nnx.Param(jnp.ones(1))}), Whole
    )
    mixed = {"a": nnx.Param(jnp.ones(1)), "b": linear(5, 6)}
    assert fits(state(mixed), Swapped[LinearState, nnx.Param])
    assert not fits(state(mixed), Swapped[LinearState, nnx.BatchStat])


def test_generic_schemas_in_forms_and_forms_in_generic_schemas() -> None:
    tree = {"inner": linear()}
    assert fits(state(tree), Only[Block[LinearState], nnx.Param])
    assert fits(nnx.to_pure_dict(state(tree)), Pure[Block[LinearState]])
    assert fits(nnx.State({}), Only[Block[LinearState], nnx.BatchStat])
    assert fits(state({"inner": {"inner": linear()}}), Block[Block[LinearState]])
    assert fits(state({"inner": {0: linear()}}), Block[Entries[LinearState]])


def test_a_type_variable_that_is_left_open_is_its_bound() -> None:
    assert fits(state({"inner": linear()}), Bounded)
    assert not fits(state({"inner": nnx.Param(jnp.ones(1))}), Bounded)
    assert fits(state({"inner": linear()}), Bounded[LinearState])


PEP_695 = """
class Box[T](TypedState):
    inner: T
    many: StateMap[str, T] | None

class Boxed[T](Box[Box[T]]):
    bound: Bind[T, "din=n"]
    later: "Later | None"

class Later(TypedState):
    kernel: nnx.Param

type Kernel[N] = nnx.Param[N]
type Tree = LinearState | dict[str, LinearState]

class Aliased[T](TypedState):
    kernel: Kernel[Float[Array, "n"]]
    inner: Kernel[T]
"""


@pytest.mark.skipif(not hasattr(__import__("typing"), "TypeAliasType"), reason="PEP 695 syntax")
@pytest.mark.parametrize("before", ["", "from __future__ import annotations\n"])
def test_the_syntax_of_pep_695(before: str) -> None:
    module = ModuleType("module_of_pep_695")
    vars(module).update({**globals(), "__name__": module.__name__})
    sys.modules[module.__name__] = module
    exec(compile(before + PEP_695, "<test>", "exec", dont_inherit=True), vars(module))
    box, boxed, aliased = module.Box, module.Boxed, module.Aliased
    assert fits(state({"inner": linear()}), box[LinearState])
    assert not fits(state({"inner": linear()}), box[MlpState])
    tree = {"inner": {"inner": linear()}, "bound": linear()}
    assert fits(state(tree), boxed[LinearState])
    assert not fits(state({**tree, "inner": {"inner": nnx.Param(jnp.ones(1))}}), boxed[LinearState])
    arrays = {"kernel": nnx.Param(jnp.ones(1)), "inner": nnx.Param(jnp.ones((1, 2)))}
    assert fits(state(arrays), aliased[Float[Array, "a b"]])
    assert not fits(state(arrays), aliased[Float[Array, "a"]])


def test_spellings_of_unions_and_optionals() -> None:
    class Spelled(TypedState):
        a: Optional[nnx.Param]  # noqa: UP045
        b: Union[nnx.Param, None]  # noqa: UP007
        c: Union[nnx.Param, LinearState]  # noqa: UP007
        d: typing_extensions.NotRequired[nnx.Param] | None
        e: "Optional[nnx.Param]"  # noqa: UP045
        f: Annotated[Optional[nnx.Param], Alias("g")]  # noqa: UP045

    assert fits(state({"c": nnx.Param(jnp.ones(1))}), Spelled)
    assert fits(state({"c": linear(), "g": nnx.Param(jnp.ones(1))}), Spelled)
    assert not fits(state({"a": nnx.Param(jnp.ones(1))}), Spelled)


def test_a_class_variable_is_no_field() -> None:
    class Documented(TypedState):
        """With a docstring."""

        kind: ClassVar[str]
        kernel: nnx.Param

    assert fits(state({"kernel": nnx.Param(jnp.ones(1))}), Documented)


def test_dims_of_generic_arguments_belong_to_the_class_that_names_them() -> None:
    class Model(TypedState):
        block: Block[Bind[LinearState, "din=d"]]
        scale: nnx.Param[Float[Array, "d"]]

    tree = {"block": {"inner": linear(2, 3)}, "scale": nnx.Param(jnp.ones(2))}
    assert fits(state(tree), Model)
    tree["scale"] = nnx.Param(jnp.ones(5))
    assert [str(found) for found in explain(state(tree), Model).violations] == [
        "block.inner.kernel: din is 2, but d=5 from scale, axis 0 [dim]"
    ]


def test_a_failed_class_leaves_nothing_behind() -> None:
    with pytest.raises(SchemaError):

        class Wrong(TypedState):
            later: "NeverDefined"
            kernel: 5

    class Right(TypedState):
        kernel: nnx.Param

    assert fits(state({"kernel": nnx.Param(jnp.ones(1))}), Right)


def test_classes_are_collected() -> None:
    import gc
    import weakref

    def make() -> Any:
        class Short(TypedState):
            kernel: nnx.Param
            inner: "Short | None"

        hint = Only[Short, nnx.Param]
        assert fits(state({"kernel": nnx.Param(jnp.ones(1))}), hint)
        assert isinstance(state({"kernel": nnx.Param(jnp.ones(1))}), Short)
        return weakref.ref(Short)

    reference = make()
    gc.collect()  # the forms of the class
    gc.collect()  # and the class
    assert reference() is None


def test_a_shared_field_is_absent_in_a_state_and_identical_on_a_module() -> None:
    model = zoo.Tied(5, 3, nnx.Rngs(0))
    hint = Annotated[zoo.Tied, zoo.TiedState]
    assert fits(model, hint)
    assert fits(nnx.state(model), zoo.TiedState)
    assert Shared("embed.embedding") == Shared("embed.embedding")
