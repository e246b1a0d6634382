"""Hints of jaxtyping's with arguments that fit and that do not, for `test_as_jaxtyping`."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
from jaxtyping import (
    Array,
    ArrayLike,
    Bool,
    Complex,
    Float,
    Float32,
    Inexact,
    Int,
    Integer,
    Key,
    Num,
    PRNGKeyArray,
    PyTree,
    Real,
    Scalar,
    ScalarLike,
    Shaped,
    UInt,
    UInt8,
)

from typedstate import SchemaError


def f(dims: str) -> Any:
    return Float[Array, dims]


def z(*shape: int, dtype: Any = jnp.float32) -> Any:
    return jnp.zeros(shape, dtype)


_OLD_KEY, _KEY = jax.random.PRNGKey(0), jax.random.key(0)
_KEYS = jax.random.split(_KEY)


class Row(NamedTuple):
    """The hints of some parameters, what fits them together, and what does not.

    Attributes:
      hints: of the parameters.
      right: arguments that fit.
      wrong: arguments that do not.
      result: the hint of the result, which is then the last of the arguments.
    """

    hints: Sequence[Any]
    right: Sequence[tuple[Any, ...]]
    wrong: Sequence[tuple[Any, ...]]
    result: Any = None


T = typing.TypeVar("T")
A = typing.TypeVar("A", bound=jax.Array)

ROWS: dict[str, Row] = {
    # sizes and names
    "fixed": Row([f("2 3")], [(z(2, 3),)], [(z(3, 2),), (z(2),), (z(2, 3, 1),)]),
    "no axes": Row([f("")], [(z(),)], [(z(1),), (np.zeros(()),)]),
    "a name": Row([f("n"), f("n")], [(z(2), z(2)), (z(0), z(0))], [(z(2), z(3)), (z(2), z())]),
    "names": Row([f("n m"), f("m n")], [(z(2, 3), z(3, 2))], [(z(2, 3), z(2, 3))]),
    "twice": Row([f("n n")], [(z(2, 2),)], [(z(2, 3),)]),
    "keywords": Row([f("in out"), f("in")], [(z(2, 3), z(2))], [(z(2, 3), z(3))]),
    "a blank before": Row([f(" n"), f("n ")], [(z(2), z(2))], [(z(2), z(3))]),
    "leading zero": Row([f("04 +4")], [(z(4, 4),)], [(z(0, 4),)]),
    # any size
    "any": Row([f("_ n"), f("_ n")], [(z(1, 2), z(5, 2))], [(z(1, 2), z(1, 3)), (z(2), z(2))]),
    "any, named": Row([f("_n n"), f("_n")], [(z(1, 2), z(5))], [(z(1), z(1))]),
    "any number": Row([f("...")], [(z(),), (z(1, 2, 3),)], []),
    "any number before": Row(
        [f("... n"), f("n")], [(z(2), z(2)), (z(7, 8, 2), z(2))], [(z(), z(2)), (z(2, 7), z(2))]
    ),
    "any number between": Row(
        [f("n ... m"), f("n m")],
        [(z(2, 3), z(2, 3)), (z(2, 9, 9, 3), z(2, 3))],
        [(z(2), z(2, 2)), (z(2, 3, 4), z(2, 3))],
    ),
    "any number, named": Row([f("*_ n"), f("_*b n")], [(z(7, 2), z(2))], [(z(7, 2), z(3))]),
    # runs
    "a run": Row(
        [f("*b n"), f("*b")],
        [(z(2, 3, 4), z(2, 3)), (z(4), z())],
        [(z(2, 3, 4), z(3, 4)), (z(3, 4), z())],
    ),
    "a run between": Row(
        [f("n *b m"), f("n *b")], [(z(2, 3), z(2)), (z(2, 5, 3), z(2, 5))], [(z(2, 5, 3), z(2, 3))]
    ),
    # broadcasting
    "#4": Row([f("#4")], [(z(4),), (z(1),)], [(z(3),), (z(4, 4),)]),
    "#n": Row([f("#n"), f("#n")], [(z(1), z(3)), (z(3), z(1)), (z(1), z(1))], [(z(2), z(3))]),
    "#n first": Row([f("#n"), f("n")], [(z(1), z(3)), (z(3), z(3))], [(z(3), z(1))]),
    "#n last": Row([f("n"), f("#n")], [(z(3), z(1)), (z(1), z(1))], [(z(3), z(2)), (z(1), z(3))]),
    "#n binds nothing of 1": Row(
        [f("#n"), f("#n")],
        [(z(1), z(1), z(5)), (z(1), z(4), z(4))],
        [(z(1), z(4), z(5))],
        result=f("n"),
    ),
    "#2*n": Row([f("n #2*n")], [(z(2, 4),), (z(2, 1),)], [(z(2, 2),)]),
    "#*b": Row(
        [f("#*b"), f("*#b")],
        [(z(3), z(2, 1)), (z(2, 1), z(3)), (z(), z(2, 3)), (z(1, 4), z(3, 1)), (z(2), z(2))],
        [(z(3), z(2)), (z(2, 3), z(2, 1, 2))],
    ),
    "#*b and *b": Row(
        [f("#*b"), f("*b"), f("#*b")],
        [(z(3), z(2, 3), z(2, 1)), (z(1, 1), z(2, 3), z())],
        [(z(2, 3), z(3), z(3)), (z(3), z(2, 3), z(1, 2, 3)), (z(3), z(2, 4), z(1))],
    ),
    "a wider result": Row(
        [f("#*b"), f("#*b")],
        [(z(3), z(2, 1), z(2, 3)), (z(3), z(3), z(2, 3)), (z(1), z(1), z(4))],
        [(z(3), z(2, 1), z(3)), (z(3), z(3), z(2, 4)), (z(3), z(3), z(1))],
        result=f("*b"),
    ),
    "a run in attention": Row(
        [f("*b q d"), f("*#b k d"), Bool[Array, "*#b q k"]],
        [(z(2, 3, 4), z(1, 5, 4), z(3, 5, dtype=bool)), (z(3, 4), z(5, 4), z(3, 5, dtype=bool))],
        [(z(2, 3, 4), z(3, 5, 4), z(3, 5, dtype=bool)), (z(2, 3, 4), z(5, 4), z(5, 3, dtype=bool))],
    ),
    # documentation
    "name=size": Row([f("rows=4 cols=2*2")], [(z(4, 4),)], [(z(4, 5),)]),
    "name=name": Row([f("rows=n"), f("n")], [(z(4), z(4))], [(z(4), z(5))]),
    "name=#name": Row([f("n rows=#n #cols=n")], [(z(4, 1, 4),), (z(4, 4, 1),)], [(z(4, 2, 4),)]),
    "name=*name": Row([f("all=*b"), f("*b")], [(z(2, 3), z(2, 3))], [(z(2, 3), z(3))]),
    "name=_": Row([f("n rows=_ _cols=n")], [(z(1, 2, 3),)], [(z(1, 2),)]),
    "num-heads=4": Row([f("num-heads=4 =2")], [(z(4, 2),)], [(z(2, 4),)]),
    # arithmetic
    "sum": Row([f("n n+1 n-1")], [(z(2, 3, 1),)], [(z(2, 3, 2),)]),
    "product": Row([f("n m"), f("n*m 2*(n+m)")], [(z(2, 3), z(6, 10))], [(z(2, 3), z(6, 5))]),
    "division": Row([f("n n//2 n/2")], [(z(4, 2, 2),)], [(z(5, 2, 2),), (z(4, 2, 1),)]),
    "remainder and power": Row([f("n n%2 n**2")], [(z(3, 1, 9),)], [(z(3, 0, 9),)]),
    "min and max": Row(
        [f("n m min(n,m) max(n,m,3)")], [(z(2, 4, 2, 4),), (z(2, 1, 1, 3),)], [(z(2, 4, 4, 4),)]
    ),
    "of the result": Row([f("n")], [(z(4), z(3))], [(z(4), z(4))], result=f("n-1")),
    "below zero": Row([f("n n-5")], [(z(5, 0),)], [(z(3, 0),), (z(3, 2),)]),
    # dtypes
    "Shaped": Row([Shaped[Array, "n"]], [(z(2),), (z(2, dtype=bool),), (_KEYS,)], [(z(),)]),
    "Num": Row([Num[Array, ""]], [(z(),), (z(dtype=jnp.complex64),)], [(z(dtype=bool),)]),
    "Real": Row([Real[Array, ""]], [(z(),), (z(dtype=int),)], [(z(dtype=jnp.complex64),)]),
    "Inexact": Row([Inexact[Array, ""]], [(z(),), (z(dtype=jnp.complex64),)], [(z(dtype=int),)]),
    "Integer": Row([Integer[Array, ""]], [(z(dtype=int),), (z(dtype=jnp.uint8),)], [(z(),)]),
    "Int": Row([Int[Array, ""]], [(z(dtype=jnp.int4),)], [(z(dtype=jnp.uint8),), (z(),)]),
    "UInt": Row([UInt[Array, ""]], [(z(dtype=jnp.uint4),)], [(z(dtype=int),)]),
    "UInt8": Row([UInt8[Array, ""]], [(z(dtype=jnp.uint8),)], [(z(dtype=jnp.uint16),)]),
    "Bool": Row([Bool[Array, ""]], [(z(dtype=bool),)], [(z(dtype=int),)]),
    "Complex": Row([Complex[Array, ""]], [(z(dtype=jnp.complex64),)], [(z(),)]),
    "Float": Row(
        [f("")], [(z(dtype=jnp.bfloat16),), (z(dtype=jnp.float8_e5m2),)], [(z(dtype=int),)]
    ),
    "Key": Row([Key[Array, ""]], [(_KEY,)], [(_OLD_KEY,), (_KEYS,), (z(),)]),
    "PRNGKeyArray": Row([PRNGKeyArray], [(_KEY,), (_OLD_KEY,)], [(_KEYS,), (z(),), (z(2),)]),
    "keys": Row([Shaped[PRNGKeyArray, "2"]], [(_KEYS,)], [(_KEY,), (_OLD_KEY,)]),
    "Scalar": Row([Scalar], [(z(),), (z(dtype=int),)], [(z(1),), (1.0,)]),
    # arrays
    "NumPy": Row([Float[np.ndarray, "n"]], [(np.zeros(2),)], [(z(2),), (np.zeros(2, int),)]),
    "either": Row(
        [Float[jax.Array | np.ndarray, "n"], f("n")],
        [(np.zeros(2), z(2)), (z(2), z(2))],
        [(np.zeros(3), z(2))],
    ),
    "Any": Row([Float[Any, "n"]], [(np.zeros(2),), (z(2),)], [(z(),), (1.0,)]),
    "a type variable": Row(
        [Float[T, "n"], Float[A, "n"]], [(np.zeros(2), z(2))], [(z(2), np.zeros(2))]
    ),
    "ArrayLike": Row(
        [Float[ArrayLike, ""]],
        [(1.0,), (z(),), (np.zeros(()),), (np.float32(1),)],
        [("x",), (z(1),), (np.zeros(1),), (z(dtype=int),)],
    ),
    "ArrayLike of a size": Row([Num[ArrayLike, "n"]], [(z(2),), (np.zeros(2),)], [(1.0,), (z(),)]),
    "ScalarLike": Row([ScalarLike], [(1.0,), (1,), (z(),), (np.bool_(1),)], [("x",), (z(1),)]),
    "within each other": Row(
        [Float[Float[Array, "n"], "m"], f("m n")],
        [(z(2, 3), z(2, 3))],
        [(z(2, 3), z(3, 2)), (z(2, 3, dtype=int), z(2, 3))],
    ),
    "both dtypes": Row(
        [Shaped[Float32[Array, "*n"], "m"]], [(z(2, 3),), (z(2),)], [(z(2, dtype=int),), (z(),)]
    ),
    # unions and containers
    "two dtypes": Row(
        [f("n") | Int[Array, "n"], f("n")],
        [(z(2), z(2)), (z(2, dtype=int), z(2))],
        [(z(2, dtype=int), z(3)), (z(2, dtype=bool), z(2))],
    ),
    "two ranks": Row(
        [f("n") | f("n m"), f("m")],
        [(z(2), z(9)), (z(2, 3), z(3))],
        [(z(2, 3), z(2)), (z(), z(2))],
    ),
    "optional": Row([f("n") | None, f("n")], [(None, z(2)), (z(2), z(2))], [(z(3), z(2))]),
    "a tuple": Row(
        [tuple[f("n"), f("m")], f("n m")],
        [((z(2), z(3)), z(2, 3))],
        [((z(2), z(3)), z(3, 2)), ((z(2),), z(2, 3))],
    ),
    "a tuple's items": Row(
        [tuple[f("n"), ...], f("n")], [((z(2), z(2)), z(2)), ((), z(2))], [((z(3),), z(2))]
    ),
}

#: Trees, which only a signature can have.
TREES: dict[str, Row] = {
    "anything": Row([PyTree], [(1,), ({"a": object()},)], []),
    "of a class": Row(
        [PyTree[int]], [(1,), ([1, {"a": 2}],), ([],), (None,)], [("x",), ([1, "x"],)]
    ),
    "of tuples": Row(
        [PyTree[tuple[int, int]]], [((1, 2),), ([(1, 2)],)], [((1, 2, 3),), ([1, 2],)]
    ),
    "of arrays": Row(
        [PyTree[f("n m")], f("n")],
        [([z(2, 3), {"a": z(2, 3)}], z(2)), (z(2, 3), z(2))],
        [([z(2, 3), z(2, 4)], z(2)), ([z(2, 3)], z(3)), ([z(2)], z(2))],
    ),
    "after an array": Row([f("n"), PyTree[f("n")]], [(z(2), {"a": z(2)})], [(z(2), {"a": z(3)})]),
    "names for the result": Row(
        [PyTree[f("n")]],
        [({"a": z(2)}, z(2))],
        [({"a": z(2)}, z(3))],
        result=f("n"),
    ),
    "a tree as the result": Row(
        [PyTree[f("n"), "T"], f("m")],
        [({"a": z(2)}, z(3), {"a": z(2, 3)})],
        [({"a": z(2)}, z(3), {"b": z(2, 3)}), ({"a": z(2)}, z(3), {"a": z(2, 4)})],
        result=PyTree[f("n m"), "T"],
    ),
    "one structure": Row(
        [PyTree[int, "T"], PyTree[str, " T"]],
        [(1, "a"), ([1, {"x": 2}], ["a", {"x": "b"}])],
        [([1, 2], ("a", "b")), (1, ["a"])],
    ),
    "a prefix": Row(
        [PyTree[int, "T"], PyTree[str, "T ..."]],
        [(1, "a"), ([1, 2], ["a", {"x": "b"}])],
        [([1, 2], ["a"])],
    ),
    "a suffix": Row(
        [PyTree[int, "T"], PyTree[str, "... T"]],
        [(1, "a"), ((1, 2), [("a", "b")])],
        [((1, 2), [("a", "b", "c")])],
    ),
    "a composition": Row(
        [PyTree[int, "T"], PyTree[int, "S"], PyTree[str, "S T"]],
        [([1, 2], {"x": 3}, {"x": ["a", "b"]})],
        [([1, 2], {"x": 3}, [{"x": "a"}, {"x": "b"}])],
    ),
    "sizes by leaf": Row(
        [PyTree[f("?n m"), "T"], PyTree[f("?n"), "T"]],
        [([z(2, 4), z(3, 4)], [z(2), z(3)])],
        [([z(2, 4), z(3, 4)], [z(3), z(2)]), ([z(2, 4), z(3, 5)], [z(2), z(3)])],
    ),
    "runs by leaf": Row(
        [PyTree[f("*?n"), "T"], PyTree[f("?*n"), "T"]],
        [([z(2, 4), z()], [z(2, 4), z()])],
        [([z(2, 4), z()], [z(), z(2, 4)])],
    ),
    "optional": Row(
        [PyTree[f("n")] | None, PyTree[f("n")]],
        [(None, z(2)), ([z(2)], z(2))],
        [([z(3)], z(2))],
    ),
    "in a list": Row(
        [list[PyTree[f("n")]], f("n")], [([z(2), {"a": z(2)}], z(2))], [([z(2)], z(3))]
    ),
}


class Difference(NamedTuple):
    """Where we decide otherwise: `theirs` and `ours` are a verdict or an exception's class."""

    why: str
    hints: Sequence[Any]
    args: tuple[Any, ...]
    theirs: bool | type[Exception]
    ours: bool | type[Exception]
    result: Any = None


DIFFERENCES = [
    Difference("solved", [f("2*n")], (z(4),), jaxtyping.AnnotationError, True),
    Difference("solved", [f("2*n")], (z(3),), jaxtyping.AnnotationError, False),
    Difference("in any order", [f("n+1"), f("n")], (z(3), z(2)), jaxtyping.AnnotationError, True),
    Difference("in any order", [f("n+1"), f("n")], (z(3), z(3)), jaxtyping.AnnotationError, False),
    Difference("? outside of a tree", [f("?n")], (z(3),), jaxtyping.AnnotationError, True),
    Difference("no Python is evaluated", [f("n abs(n-3)")], (z(2, 1),), True, SchemaError),
    Difference("no Python is evaluated", [f("n n<<1")], (z(2, 4),), True, SchemaError),
    Difference("never a size", [f("-1")], (z(1),), False, SchemaError),
    Difference("never a size", [f("n.m")], (z(1),), jaxtyping.AnnotationError, SchemaError),
    Difference("a slip", [f("*")], (z(1),), True, SchemaError),
    Difference("a slip", [f("n=")], (z(1),), True, SchemaError),
    Difference("a slip", [f("None")], (z(1),), True, SchemaError),
    Difference("NumPy's numbers", [float], (np.float32(1),), False, True),
    Difference(
        "a tree beside an array in a union is asked by itself",
        [f("n"), f("n") | PyTree[f("n")]],
        (z(2), [z(3)]),
        False,
        True,
    ),
    Difference(
        "what can't be checked is left alone, with a warning",
        [PyTree[int, "S T"]],
        (1,),
        jaxtyping.AnnotationError,
        True,
    ),
    Difference(
        "abstract values have forms of their own",
        [Float[Any, "n"]],
        (jax.ShapeDtypeStruct((2,), jnp.float32),),
        True,
        False,
    ),
]
