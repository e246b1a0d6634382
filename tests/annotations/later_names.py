"""Annotations with names that are not there yet, and how they are read from Python 3.14 on.

`test_lazy_annotations` runs this with the library of Python 3.14 emulated, `nox -s python314` on
that Python itself, without the next line and with nothing but the standard library.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping as NotThere

    class Later: ...


class Tree:
    name: str
    tag: Literal["left", "right"]
    count: ClassVar[int]
    later: Later
    several: list[Later | None]
    with_words: Annotated[Later, "batch d"]
    called: Callable[[Later], int]
    hidden: NotThere[str, int]
    of_class: ClassVar[Later]

    def join(self, other: Tree, by: Later) -> Tree:
        return other if by else self


@functools.wraps(Tree.join)
def join(*given: Any) -> Any:
    return given


@dataclasses.dataclass
class Row:
    first: int
    second: Later


class Pair(NamedTuple):
    first: int
    second: Later


class Table(TypedDict):
    first: int
    second: Later


def nested() -> tuple[Any, type]:
    def inner(x: Inner) -> Later:
        raise NotImplementedError(
            Inner
        )  # where texts are evaluated later, it must be in its closure

    class Inner: ...

    return inner, Inner


#: The typing module makes references of texts, which no Python that evaluates later has.
RECORDS = (Row, Pair, Table) if sys.version_info >= (3, 14) else (Row,)
ALWAYS = {"name": str, "tag": Literal["left", "right"], "count": ClassVar[int]}
HIDDEN = {"hidden": "NotThere[str, int]"}
FIELDS = ["name", "tag", "later", "several", "with_words", "called", "hidden"]


def check(lazy: Any) -> None:
    """Raises AssertionError where `lazy_annotations` reads something else."""
    joined = {"other": Tree, "return": Tree}
    function, inner = nested()

    assert lazy.annotations_of(Tree) == {
        **ALWAYS,
        "later": "Later",
        "several": "list[Later | None]",
        "with_words": "Annotated[Later, 'batch d']",
        "called": "Callable[[Later], int]",
        **HIDDEN,
        "of_class": "ClassVar[Later]",
    }
    assert list(lazy.fields_of(Tree)) == FIELDS
    assert lazy.annotations_of(Tree.join) == {**joined, "by": "Later"}
    assert lazy.annotations_of(join) == {**joined, "by": "Later"}
    assert lazy.annotations_of(function) == {"x": inner, "return": "Later"}
    for record in RECORDS:
        assert lazy.annotations_of(record) == {"first": int, "second": "Later"}
    assert list(lazy.signature_of(Tree.join).parameters) == ["self", "other", "by"]
    assert list(lazy.signature_of(join).parameters) == ["given"]

    with defined() as later:
        assert lazy.annotations_of(Tree) == {
            **ALWAYS,
            "later": later,
            "several": list[later | None],
            "with_words": Annotated[later, "batch d"],
            "called": Callable[[later], int],
            **HIDDEN,
            "of_class": ClassVar[later],
        }
        assert list(lazy.fields_of(Tree)) == FIELDS
        assert lazy.annotations_of(Tree.join) == {**joined, "by": later}
        assert lazy.annotations_of(function) == {"x": inner, "return": later}
        for record in RECORDS:
            assert lazy.annotations_of(record) == {"first": int, "second": later}


@contextmanager
def defined() -> Iterator[Any]:
    """A block in which `Later` is a class."""
    globals()["Later"] = later = type("Later", (), {})
    try:
        yield later
    finally:
        del globals()["Later"]
