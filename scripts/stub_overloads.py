"""Writes the overloads of the stubs that differ in nothing but how many filters or keys there are.

    python scripts/stub_overloads.py            # names the files that would change
    python scripts/stub_overloads.py --write

What stands in a file for such a function goes, and its overloads are written in the place of it. A
test compares the committed stubs with what this writes.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATELIB = "stubs/flax-stubs/nnx/statelib.pyi"
GRAPHLIB = "stubs/flax-stubs/nnx/graphlib.pyi"
FORMS = "src/typedstate/forms/__init__.pyi"

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
MOST = 6  # as many filters are told apart
KEYS = 10  # as many entries of `Entries`
GRAPH = "graph: bool | None = None"
FILTER = "filterlib.Filter"


@dataclass(frozen=True)
class Answer:
    """What one number of filters gives.

    Attributes:
        each: The state of one filter; ``{}`` is where its leaves stand.
        known: Whether the leaves are what the filter selects.
        other: What stands for the leaves of a filter that selects nothing known.
        head: What comes before the states, such as a GraphDef; the answer is a tuple then.
    """

    each: str
    known: bool
    other: str = ""
    head: str = ""

    def of(self, number: int) -> str:
        """What so many filters give."""
        states = [self.each.format(self._leaves(n)) for n in range(1, number + 1)]
        parts = [self.head, *states] if self.head else states
        return parts[0] if len(parts) == 1 else f"tuple[{', '.join(parts)}]"

    def _leaves(self, number: int) -> str:
        return f"_L{number} | _M{number} | _N{number}" if self.known else self.other

    def filters(self, number: int) -> list[str]:
        """So many parameters, each for a filter."""
        return [
            f"{ORDINALS[n - 1]}: {f'_FilterOf[_L{n}, _M{n}, _N{n}]' if self.known else FILTER}"
            for n in range(1, number + 1)
        ]


@dataclass(frozen=True)
class ByFilters:
    """A function whose answer has a state for each filter.

    Attributes:
        first: What it takes before the filters.
        answers: In this order for one filter, for two, ...
        more: What more than six filters give.
        keywords: What it takes by name.
        none: What it gives without a filter; empty where it takes one at least.
    """

    first: str
    answers: tuple[Answer, ...]
    more: str = "Any"
    keywords: str = ""
    none: str = ""

    def signatures(self) -> Iterator[tuple[list[str], str]]:
        """The parameters and the answer of each overload."""
        named = ["*", self.keywords] if self.keywords else []
        if self.none:
            yield [self.first, *named], self.none
        for number in range(1, MOST + 1):
            for answer in self.answers:
                yield [self.first, *answer.filters(number), "/", *named], answer.of(number)
        filters = [f"{name}: {FILTER}" for name in ORDINALS]
        rest = ["/", f"*filters: {FILTER}", *named[1:]]
        yield [self.first, *filters, *rest], self.more


@dataclass(frozen=True)
class Together:
    """The overloads of several, one after the other."""

    parts: tuple[ByFilters, ...]

    def signatures(self) -> Iterator[tuple[list[str], str]]:
        """The parameters and the answer of each overload."""
        for part in self.parts:
            yield from part.signatures()


@dataclass(frozen=True)
class ByKeys:
    """The entries under the first int keys."""

    def signatures(self) -> Iterator[tuple[list[str], str]]:
        """The parameters and the answer of each overload."""
        for key in range(KEYS):
            before = "Any, " * key
            yield [f"self: Entries[{before}E, *_Others]", f"key: Literal[{key}]"], "E"
        yield ["self", "key: int"], "Any"


Family = ByFilters | Together | ByKeys


def _states(each: str, other: str, head: str = "") -> tuple[Answer, ...]:
    return Answer(each, True, head=head), Answer(each, False, other, head)


def _method(state: str) -> ByFilters:
    return ByFilters("self", _states(f"{state}{{}}]", "V"))


OF_A_STATE = Together(
    (
        ByFilters("state: _D", (Answer("_D", False),)),
        ByFilters("state: State[Any, Any]", _states("State[Any, {}]", "Any")),
    )
)
SPLIT = ByFilters(
    "node: A",
    _states("State[Any, {}]", "_Leaf", "GraphDef[A]"),
    more="tuple[GraphDef[A], State[Any, _Leaf], *tuple[State[Any, _Leaf], ...]]",
    keywords=GRAPH,
    none="tuple[GraphDef[A], State[Any, _Leaf]]",
)

#: By file, and by class and function.
FAMILIES: dict[str, dict[str, Family]] = {
    STATELIB: {
        "FlatState.split": _method("FlatState["),
        "FlatState.filter": _method("FlatState["),
        "State.split": _method("State[K, "),
        "State.filter": _method("State[K, "),
        "split_state": OF_A_STATE,
        "filter_state": OF_A_STATE,
    },
    GRAPHLIB: {
        "SplitContext.split": ByFilters(
            "self, node: A", SPLIT.answers, more=SPLIT.more, none=SPLIT.none
        ),
        "split": SPLIT,
        "state": ByFilters(
            "node: Any",
            _states("State[Any, {}]", "_Leaf"),
            keywords=GRAPH,
            none="State[Any, _Leaf]",
        ),
        "unpack": ByFilters(
            "node: A", (Answer("GraphState[A]", False),), keywords=GRAPH, none="GraphState[A]"
        ),
        "pop": ByFilters("node: Any", _states("State[Any, {}]", "_Leaf")),
    },
    FORMS: {"Entries.__getitem__": ByKeys()},
}


def overloads(name: str, family: Family, indent: str) -> Iterator[str]:
    """The lines of a function, as long as they come."""
    for given, answer in family.signatures():
        yield f"{indent}@overload"
        yield f"{indent}def {name}({', '.join(given)}) -> {answer}: ..."


def _body(tree: ast.Module, path: Sequence[str]) -> list[ast.stmt]:
    body = tree.body
    for name in path:
        (body,) = (
            node.body for node in body if isinstance(node, ast.ClassDef) and node.name == name
        )
    return body


def _lines(body: Sequence[ast.stmt], name: str) -> tuple[int, int]:
    """Where the overloads of a function stand: one block, from a line to before another."""
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == name]
    apart = [
        (a.end_lineno, b.lineno) for a, b in pairwise(found) if b.lineno - (a.end_lineno or 0) != 2
    ]
    assert found, name
    assert not apart, f"{name}: something stands between its overloads at {apart}"
    return found[0].decorator_list[0].lineno - 1, found[-1].end_lineno or 0


def written(file: str, text: str) -> str:
    """The text of a stub with its overloads as they should be."""
    for qualified, family in FAMILIES[file].items():
        *classes, name = qualified.split(".")
        start, stop = _lines(_body(ast.parse(text), classes), name)
        lines = text.splitlines()
        lines[start:stop] = overloads(name, family, "    " * len(classes))
        text = "\n".join(lines) + "\n"
    return _formatted(file, text)


def _formatted(file: str, text: str) -> str:
    """The text as ``ruff format`` leaves it in this file."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", file]
    return subprocess.run(
        command, input=text, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
    ).stdout


def main() -> int:
    """1 where a stub is another than it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    before = {file: (ROOT / file).read_text(encoding="utf-8") for file in FAMILIES}
    after = {file: written(file, text) for file, text in before.items()}
    others = [file for file in FAMILIES if before[file] != after[file]]
    for file in others:
        print(file)
        if options.write:
            (ROOT / file).write_text(after[file], encoding="utf-8")
    return int(bool(others) and not options.write)


if __name__ == "__main__":
    sys.exit(main())
