"""Random schemas and forms, each with a tree that fits: what documents, diffs and strategies of
hypothesis are tried on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx
from flax.traverse_util import flatten_dict
from hypothesis import strategies as st
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Int, Shaped

from tests import zoo
from typedstate import (
    Abstract,
    Alias,
    Bind,
    Entries,
    Exactly,
    Flat,
    Having,
    MemoryKind,
    Only,
    Plus,
    Pure,
    Rest,
    Same,
    Scoped,
    Sharded,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
    explain,
)
from typedstate._annotations.spec_of import spec_of
from typedstate._spec.written_dims import spellings

KINDS = (nnx.Param, nnx.BatchStat, nnx.Cache)
KEYS = [["kernel", "bias", "values", "a b"], [0, 1, 3], [("t", 1), ("t", 2)]]
SIZES = {"a": 2, "b": 3, "c": 5}
#: The axes that a `Bind` puts in the place of a run, with their sizes.
RUNS = [("", ()), ("3", (3,)), ("2 5", (2, 5)), ("a b", (2, 3)), ("a a 4", (2, 2, 4))]
#: Of keys that are counted, with how many there are.
LENGTHS = [("2", 2), ("a", 2), ("n", 1), ("b-a", 1), ("0", 0)]
DIMS = {**SIZES, "2*a": 4, "a+b": 5, "4": 4, "_": 1, "#b": 1, "?a": 7}


@dataclass(frozen=True)
class Case:
    """A hint, and a tree of nested dicts that fits it.

    Attributes:
      hint: what stands behind the colon.
      build: makes a tree that fits it anew.
      shapes: the hint of its abstract tree, where that is not `Abstract` around it.
    """

    hint: Any
    build: Callable[[], Any]
    shapes: Any = None

    @property
    def abstract(self) -> Any:
        """The hint of the same tree with shapes in the place of arrays."""
        return Abstract[self.hint] if self.shapes is None else self.shapes


class Windowed(TypedState):
    """A run of axes, in a leaf that may be absent too."""

    kernel: nnx.Param[Float[Array, "*window z"]]
    mask: Shaped[Array, "*window _"] | None


def schema_of(fields: dict[Any, Any], extra: Any = "forbid", name: str = "Random") -> Any:
    """A schema class with these keys."""
    annotations = {
        f"field_{index}": Annotated[hint, Alias(key)]
        for index, (key, hint) in enumerate(fields.items())
    }
    body = {"__module__": __name__, "__annotations__": annotations}
    return type(TypedState)(name, (TypedState,), body, extra=extra)


@st.composite
def leaf_cases(draw: st.DrawFn) -> Case:
    """A Variable or a raw array."""
    dims = draw(st.lists(st.sampled_from([*DIMS]), max_size=3))
    shape = tuple(DIMS[dim] for dim in dims)
    if draw(st.integers(0, 9)) == 0:
        dims, shape = [*dims, "..."], (*shape, 6, 7)
    kind = draw(st.sampled_from([*KINDS, None]))
    dtype, hint = draw(
        st.sampled_from(
            [("float32", Float), ("int32", Int), ("bfloat16", Float), ("float32", Shaped)]
        )
    )
    inner = hint[Array, " ".join(dims)]
    if kind is None:
        return Case(inner, lambda: jnp.ones(shape, dtype))
    whole: Any = kind[inner]
    names: tuple[Any, ...] = ()
    match draw(st.integers(0, 5)):
        case 0:
            whole = Exactly[whole]
        case 1 if shape:
            names = ("x",)
            whole = Annotated[whole, PartitionSpec("x")]
        case 2 if shape:
            partition: Any = PartitionSpec
            names = ("x",)
            whole = Annotated[whole, partition("x", unreduced={"y"})]
        case 3:
            whole = MemoryKind[whole, "device"]
        case 5:
            pair: Any = kind[tuple[inner, inner]]
            return Case(pair, lambda: zoo.leaf(kind, (jnp.ones(shape, dtype),) * 2))
        case _:
            pass
    if names:
        return Case(whole, lambda: zoo.named(kind, jnp.ones(shape, dtype), *names))
    return Case(whole, lambda: zoo.leaf(kind, jnp.ones(shape, dtype)))


@st.composite
def tree_cases(draw: st.DrawFn, depth: int = 2) -> Case:
    """A schema with leaves, schemas, maps and entries in it, nested to a depth."""
    below = leaf_cases() if depth == 0 else st.one_of(leaf_cases(), inner_cases(depth - 1))
    keys = st.sampled_from(draw(st.sampled_from(KEYS)))  # Flax sorts them
    chosen = draw(st.dictionaries(keys, below, min_size=1, max_size=3))
    hints = {key: case.hint for key, case in chosen.items()}
    absent = draw(st.sampled_from([(), ("gone",)]))
    for key in absent:
        hints[key] = nnx.Param[Float[Array, "a"]] | None
    extra = draw(st.sampled_from(["forbid", "forbid", "allow", {"layers_{}": nnx.Param}]))
    counted: dict[str, Case] = {}
    if "kernel" in hints and draw(st.booleans()):
        case, (length, count) = draw(below), draw(st.sampled_from(LENGTHS))
        extra = {f"x_{{len={length}}}": case.hint}
        counted = {f"x_{number}": case for number in range(count)}
    hint = schema_of(hints, extra)
    return Case(hint, lambda: {key: case.build() for key, case in {**chosen, **counted}.items()})


@st.composite
def inner_cases(draw: st.DrawFn, depth: int) -> Case:
    """What stands within a schema."""
    case = draw(tree_cases(depth))
    match draw(st.integers(0, 8)):
        case 8:
            text, window = draw(st.sampled_from(RUNS))
            bound: Any = Bind
            return Case(
                bound[Windowed, f"z *window={text}"],
                lambda: {"kernel": zoo.leaf(nnx.Param, jnp.ones((*window, 9)))},
            )
        case 7:
            maps = Bind[StateMap[int, case.hint], "len=0"] | None
            return Case(schema_of({"none": maps, "one": case.hint}), lambda: {"one": case.build()})
        case 0:
            count = draw(st.integers(1, 3))
            hint = Bind[StateMap[int, case.hint], f"len={count}"]
            return Case(hint, lambda: {index: case.build() for index in range(count)})
        case 1:
            return Case(StateMap[str, case.hint], lambda: {"x": case.build(), "y": case.build()})
        case 2:
            return Case(
                Entries[case.hint, None, case.hint], lambda: {0: case.build(), 2: case.build()}
            )
        case 3:
            names = explain(case.build(), case.hint).dims
            text = " ".join(name for name in names if name in SIZES)
            return Case(Bind[case.hint, text], case.build) if text else case
        case 4:
            return Case(case.hint | nnx.Param[Float[Array, "z"]], case.build)
        case 5:
            leaf = nnx.Param[Float[Array, "..."]]
            return Case(StateOf[leaf], lambda: {"x": {"y": zoo.leaf(nnx.Param, jnp.ones(2))}})
        case _:
            return case


@st.composite
def form_cases(draw: st.DrawFn) -> Case:
    """A schema, or one or two forms of one, with a State or dict that fits."""
    case = draw(tree_cases(1))

    def state() -> Any:
        return nnx.State(case.build())

    match draw(st.integers(0, 16)):
        case 15 if "kernel" in case.build():
            return Case(Having[case.hint, "kernel"], state)
        case 0:
            return Case(Plus[case.hint, nnx.Intermediate], state)
        case 1:
            return Case(Pure[case.hint], lambda: nnx.to_pure_dict(state()))
        case 2:
            return Case(Abstract[case.hint], lambda: jax.eval_shape(state))
        case 3:
            stack = Stacked[case.hint, "n"]
            return Case(stack, lambda: jax.tree.map(lambda x: jnp.stack([x] * 7), state()))
        case 4:
            return Case(Same[case.hint, "T"], state)
        case 5:
            return Case(Scoped[case.hint, "teacher"], state)
        case 6:
            return Case(Rest[case.hint, nnx.RngState], state)
        case 7 if any(isinstance(item, nnx.Param) for item in variables(state())):
            return Case(Only[case.hint, nnx.Param], lambda: nnx.filter_state(state(), nnx.Param))
        case 8:
            filter_ = nnx.Not(nnx.Any(nnx.PathContains("nowhere"), nnx.RngState))
            return Case(Only[case.hint, filter_], state)
        case 9 if "a" in spellings(spec_of(case.hint)):
            return Case(Sharded[case.hint, "a=x"], state)
        case 10:
            return Case(Pure[Stacked[case.hint, "2*n"]], lambda: pure_stack(state()))
        case 11:
            flat = Flat[Abstract[case.hint]]
            return Case(Flat[case.hint], lambda: nnx.to_flat_state(state()), flat)
        case 12:
            pure = Flat[Pure[case.hint], "//"]
            return Case(pure, lambda: joined(state()), Flat[Pure[Abstract[case.hint]], "//"])
        case 14:
            return Case(_nested(case.hint), lambda: nested_stack(state()))
        case 13:
            return Case(MemoryKind[case.hint, "pinned_host"], state)
        case _:
            return Case(case.hint, state)


def joined(state: Any) -> dict[str, Any]:
    """The values of a state by their whole paths, each path one name."""
    values = flatten_dict(nnx.to_pure_dict(state))
    return {"//".join(map(str, path)): value for path, value in values.items()}


def _nested(hint: Any) -> Any:
    """A stack within a stack, whose axes have one name."""
    for _ in range(2):
        body = {"__module__": __name__, "__annotations__": {"inner": Stacked[hint, "n"]}}
        hint = type(TypedState)("Nested", (TypedState,), body)
    return hint


def nested_stack(state: Any) -> Any:
    """A state that is stacked twice, by two sizes."""
    for size in (4, 3):
        state = nnx.State({"inner": jax.tree.map(lambda x, n=size: jnp.stack([x] * n), state)})
    return state


def pure_stack(state: Any) -> Any:
    """The values of a state, each eight times."""
    return nnx.to_pure_dict(jax.tree.map(lambda x: jnp.stack([x] * 8), state))


def variables(state: Any) -> list[Any]:
    """The leaves of a state as Variables, whatever the installed Flax keeps."""
    return [
        item if isinstance(item, nnx.Variable) else getattr(item, "type", object)(0)
        for _, item in nnx.to_flat_state(state)
        if not isinstance(item, jax.Array)
    ]
