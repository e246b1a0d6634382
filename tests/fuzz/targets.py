"""What is fuzzed: one property for each way in which text or data comes in from outside.

pytest runs each for hypothesis's own number of examples (`test_targets.py`), `python -m tests.fuzz`
guided by coverage, with atheris.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from hypothesis import given, strategies as st
from jaxtyping import Array, Float, Int

from typedstate import (
    Abstract,
    Alias,
    Bind,
    Entries,
    Exactly,
    Only,
    Plus,
    Pure,
    Rest,
    Same,
    SchemaError,
    Scoped,
    Sharded,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
    explain,
    fits,
    infer,
    to_source,
)
from typedstate._compat import variables
from typedstate._spec.dim_grammar import DimError, parse_shape, show_expr, show_shape
from typedstate._spec.dims import SingleDim, evaluate, solve

KINDS = (nnx.Variable, nnx.Param, nnx.LoRAParam, nnx.BatchStat, nnx.Cache)
TOKENS = ("a", "b", "_", "...", "*n", "#a", "?a", "2*a", "a+b", "a-1", "a//2", "2**a", "3", "0")
texts = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="abd0123456789 *#?_.+-/%()=,{}'\"\\\n", max_size=24),
    st.lists(st.sampled_from(TOKENS), max_size=4).map(" ".join),
)
keys = st.recursive(
    st.one_of(
        st.sampled_from(["kernel", "bias", "items", "__class__", "{}", "a'b", 'a"b', "\n"]),
        st.text(max_size=8),
        st.integers(-2, 12),
        st.binary(max_size=3),
        st.none(),
        st.booleans(),
        st.floats(),
    ),
    lambda inner: st.lists(inner, max_size=2).map(tuple),
    max_leaves=3,
)
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def values(draw: st.DrawFn) -> Any:
    """A leaf or what is mistaken for one; small arrays of numpy, as they are made fast."""
    array = np.zeros(draw(shapes), draw(st.sampled_from(["float32", "int32"])))
    match draw(st.integers(0, 6)):
        case 0:
            return array
        case 1:
            return draw(st.one_of(st.none(), st.integers(), st.text(max_size=3)))
        case 2:
            inner = (jnp.float32(1), draw(st.integers(0, 1)))
            return variables.make_variable(draw(st.sampled_from(KINDS)), inner, {})
        case _:
            names = {"marker": draw(st.text(max_size=3))}
            return variables.make_variable(draw(st.sampled_from(KINDS)), array, names)


trees = st.recursive(
    st.dictionaries(keys, values(), max_size=4),
    lambda inner: st.dictionaries(keys, st.one_of(inner, values()), max_size=3),
    max_leaves=8,
)


@st.composite
def hints(draw: st.DrawFn, depth: int = 2) -> Any:
    """What stands behind a colon, made from texts that may mean nothing: raises SchemaError."""
    inner = hints(depth - 1) if depth else st.nothing()
    plain = st.sampled_from([Any, None, nnx.Param, nnx.State, jnp.ndarray, np.ndarray, float, int])
    arrays = st.builds(
        lambda dtype, text: dtype[Array, text], st.sampled_from([Float, Int]), dims_for_jaxtyping
    )
    variables = st.builds(lambda kind, hint: kind[hint], st.sampled_from(KINDS), arrays)
    nodes = st.dictionaries(keys, inner, max_size=3).map(schema)
    forms = st.builds(form, st.sampled_from(sorted(FORMS)), inner, texts)
    unions = st.builds(lambda first, second: first | second, nodes, nodes)
    return draw(st.one_of(plain, arrays, variables, nodes, forms, unions))


def _is_jaxtyped(text: str) -> bool:
    try:
        Float[Array, text]
    except Exception:  # jaxtyping's own grammar: what it refuses never reaches a schema
        return False
    return True


dims_for_jaxtyping = texts.filter(_is_jaxtyped)
FORMS: dict[str, Callable[[Any, str], Any]] = {
    "Abstract": lambda hint, _: Abstract[hint],
    "Bind": lambda hint, text: Bind[hint, text],
    "Entries": lambda hint, _: Entries[hint, None],
    "Exactly": lambda hint, _: Exactly[hint],
    "Only": lambda hint, _: Only[hint, nnx.Param],
    "Plus": lambda hint, _: Plus[hint, nnx.Cache],
    "Pure": lambda hint, _: Pure[hint],
    "Rest": lambda hint, text: Rest[hint, text],
    "Same": lambda hint, text: Same[hint, text],
    "Scoped": lambda hint, text: Scoped[hint, text],
    "Sharded": lambda hint, text: Sharded[hint, text],
    "Stacked": lambda hint, text: Stacked[hint, text],
    "StateMap": lambda hint, _: StateMap[int, hint],
    "StateOf": lambda hint, _: StateOf[hint],
}


def form(name: str, hint: Any, text: str) -> Any:
    """A form of a hint, Any where it refuses to be one."""
    try:
        return FORMS[name](hint, text)
    except SchemaError:
        return Any


def schema(fields: dict[Any, Any]) -> Any:
    """A schema class with these keys, Any where it refuses to be one."""
    annotations = {
        f"field{index}": Annotated[hint, Alias(key)]
        for index, (key, hint) in enumerate(fields.items())
    }
    body = {"__module__": __name__, "__annotations__": annotations}
    try:
        return type(TypedState)("Drawn", (TypedState,), body)
    except SchemaError:
        return Any


@given(texts, st.dictionaries(st.sampled_from("abn"), st.integers(0, 9)), st.integers(0, 99))
def dims(text: str, sizes: dict[str, int], size: int) -> None:
    """Text is a shape or a DimError; a shape is written back and read as the same."""
    try:
        shape = parse_shape(text)
    except DimError:
        return
    again = parse_shape(show_shape(shape))
    assert show_shape(again) == show_shape(shape)
    for axis in shape:
        if isinstance(axis, SingleDim) and axis.expr is not None:
            evaluate(axis.expr, sizes)
            solve(axis.expr, size, sizes)
            assert show_expr(parse_shape(show_expr(axis.expr))[0].expr) == show_expr(axis.expr)  # type: ignore[union-attr, arg-type]


@given(hints(), trees)
def declarations(hint: Any, tree: Any) -> None:
    """Whatever is declared is a SchemaError or a hint with one answer to every question."""
    for value in (tree, nnx.State(tree)):
        try:
            report = explain(value, hint)
        except SchemaError:
            return
        answers(value, hint, bool(report))


@given(trees)
def states(tree: Any) -> None:
    """A tree fits the schema inferred from it; with one leaf changed all enforcers agree."""
    schema_ = infer(tree)
    for value in (tree, nnx.State(tree)):
        answers(value, schema_, bool(explain(value, schema_)))
    for key in list(tree):
        for other in (np.zeros((7, 7, 7)), {}, None):
            value = {**tree, key: other}
            answers(value, schema_, bool(explain(value, schema_)))


def answers(value: Any, hint: Any, expected: bool) -> None:
    """Every way to ask gives this answer, the second time too, when a plan may have been kept."""
    for _ in range(2):
        assert fits(value, hint) is expected
        if hasattr(hint, "__typedstate_spec__"):
            assert isinstance(value, hint) is expected
            assert (hint.__instancecheck_str__(value) == "") is expected


@given(hints(depth=1), trees)
def reports(hint: Any, tree: Any) -> None:
    """A report is short, printable and JSON, whatever stands in the keys."""
    try:
        report = explain(tree, hint)
    except SchemaError:
        return
    text = str(report)
    assert len(text.encode(errors="backslashreplace")) < 4096
    assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(report.to_json())["violations"] == [
        found.to_dict() for found in report.violations
    ]


@given(trees)
def source(tree: Any) -> None:
    """Inferred source declares the inferred schema, and running it runs nothing else."""
    tree = {"root": tree}  # of text keys, so that the schema is a class with a name
    schema_ = infer(tree)
    try:
        text = to_source(schema_)
    except SchemaError:
        return
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    again = namespace[schema_.__name__]
    written = [line for line in text.splitlines() if not line.startswith("# ")]
    assert to_source(again).splitlines() == written  # comments are the inference's alone
    assert fits(tree, again) is fits(tree, schema_)


TARGETS: dict[str, Callable[[], None]] = {
    "dims": dims,
    "declarations": declarations,
    "states": states,
    "reports": reports,
    "source": source,
}
