"""Counts what mypy knows of the state API in other people's code, with the Flax stubs and without them.

Run by hand over checkouts of public code:

    python coverage_of_public_code.py CHECKOUT/examples CHECKOUT/tests/nnx

A *state expression* is a call of a function of the state API (`nnx.split(...)`), an item or a target that its result
is unpacked into (`graphdef, state = nnx.split(...)`), and an attribute, a method or a subscript read off a name that
such a call gave. It is *precise* where mypy gives it a type that is neither Any nor a tuple of unknown length, and
where a state that a Variable class selected has leaves that are not Any. What a module holds under a key is not in its
type: reads of a single key (`state["a"]`, `state.a`) are counted apart.

Function bodies without annotations are checked too (`--check-untyped-defs`): without, most of this code is Any.
"""

import argparse
import ast
import importlib.metadata
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

API = frozenset(
    """state variables split merge pop clone map_state filter_state split_state merge_state to_flat_state
    from_flat_state to_pure_dict restore_int_paths iter_graph call pure as_pure graphdef unpack map flatten
    unflatten find_duplicates recursive_map""".split()
)
OPTIONS = (
    "--ignore-missing-imports --check-untyped-defs --no-error-summary --show-column-numbers --show-error-end "
    "--hide-error-context --no-color-output --allow-redefinition-new --local-partial-types --no-incremental"
).split()
# A class among the filters: what it selects is known.
KINDS = frozenset(
    "Param BatchStat Variable Intermediate Cache RngKey RngCount RngState LoRAParam OptState OptArray OptVariable".split()
)


@dataclass
class Expressions:
    """State expressions of one file by the position of their end.

    Attributes:
        where: the source of each expression, and whether a class selects its leaves.
        keys: positions of those that read one key.
    """

    where: dict[tuple[int, int, int, int], tuple[str, bool]] = field(default_factory=dict)
    keys: set[tuple[int, int, int, int]] = field(default_factory=set)


def api_call(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="nnx"), attr=name)):
            return name in API
    return False


def selects_by_class(call: ast.Call) -> bool:
    return any(isinstance(a, ast.Attribute) and a.attr in KINDS for a in call.args[1:])


def position(node: ast.expr) -> tuple[int, int, int, int]:
    return node.lineno, node.col_offset + 1, node.end_lineno or 0, node.end_col_offset or 0


class Collector(ast.NodeVisitor):
    """Gathers the state expressions of a file, following plain names inside one function."""

    def __init__(self) -> None:
        self.found = Expressions()
        self.names: list[set[str]] = [set()]

    def add(self, node: ast.expr, by_class: bool = False) -> None:
        self.found.where[position(node)] = (ast.unparse(node), by_class)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.names.append(set())
        self.generic_visit(node)
        self.names.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        if api_call(node.value):
            for target in node.targets:
                items = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
                self.names[-1] |= {i.id for i in items if isinstance(i, ast.Name)}
        for target in node.targets:
            self.visit(target)

    def visit_Call(self, node: ast.Call) -> None:
        if api_call(node):
            self.add(node, selects_by_class(node))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.names[-1] and isinstance(node.ctx, ast.Load):
            self.add(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.read(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.read(node)

    def read(self, node: ast.Attribute | ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name) and node.value.id in self.names[-1]:
            self.add(node)
            self.found.keys.add(position(node))
        self.generic_visit(node)


def collect(file: Path) -> Expressions:
    collector = Collector()
    collector.visit(ast.parse(file.read_text()))
    return collector.found


def reveal(file: Path, found: Expressions) -> str:
    """The file with `reveal_type` around each state expression, on the same lines."""
    lines = [line.encode() for line in file.read_text().splitlines(keepends=True)]
    inserts: list[tuple[int, int, int, bytes]] = []
    for first, start, last, end in found.where:
        size = last - first, end - start
        inserts.append((first, start - 1, -(size[0] * 10_000 + size[1]), b"reveal_type("))
        inserts.append((last, end, size[0] * 10_000 + size[1], b")"))
    # From the end of the file, so that what is inserted moves nothing. At one place closing comes before opening, an
    # inner expression closes first and an outer one opens first.
    for line, column, _, text in sorted(inserts, key=lambda i: (i[0], i[1], i[3] != b")", i[2]), reverse=True):
        lines[line - 1] = lines[line - 1][:column] + text + lines[line - 1][column:]
    return b"".join(lines).decode()


def check(python: str, files: list[Path], root: Path) -> list[str]:
    cache = Path(tempfile.gettempdir(), "typedstate-coverage-cache")
    output = subprocess.run(
        [python, "-m", "mypy", *OPTIONS, "--cache-dir", str(cache), *[str(f) for f in files]],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "INTERNAL ERROR" in output.stderr or output.returncode == 2:
        print(output.stdout[-2000:], output.stderr[-2000:], file=sys.stderr)
    return output.stdout.splitlines()
