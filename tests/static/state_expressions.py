"""The state expressions of a source: where the state API is called and its results are used.

`coverage_of_public_code` asks mypy for their types.
"""

import ast
import re

API = frozenset(
    [
        "state",
        "variables",
        "split",
        "merge",
        "pop",
        "clone",
        "map_state",
        "filter_state",
        "split_state",
        "merge_state",
        "to_flat_state",
        "from_flat_state",
        "to_pure_dict",
        "restore_int_paths",
        "iter_graph",
        "call",
        "pure",
        "as_pure",
        "graphdef",
        "unpack",
        "map",
        "flatten",
        "unflatten",
        "find_duplicates",
    ]
)
# A class among the filters: what it selects is known.
KINDS = frozenset(
    [
        "Param",
        "BatchStat",
        "Variable",
        "Intermediate",
        "Cache",
        "RngKey",
        "RngCount",
        "RngState",
        "LoRAParam",
        "OptState",
        "OptArray",
        "OptVariable",
    ]
)


def api_call(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="nnx"), attr=name)):
            return name in API
    return False


def subject(call: ast.Call) -> ast.expr | None:
    """The argument that decides what an API call gives."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    place = 1 if name in {"map_state", "map"} else 0
    for argument in call.args[: place + 1]:
        if isinstance(argument, ast.Starred):
            return argument.value
    return call.args[place] if len(call.args) > place else None


class Collector(ast.NodeVisitor):
    """Gathers the state expressions of a file, following plain names inside one function."""

    def __init__(self) -> None:
        self.found: list[ast.expr] = []
        self.names: list[set[str]] = [set()]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.names.append(set())
        self.generic_visit(node)
        self.names.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        targets = [
            i
            for t in node.targets
            for i in (t.elts if isinstance(t, ast.Tuple | ast.List) else [t])
        ]
        names = {i.id for i in targets if isinstance(i, ast.Name)}
        if api_call(node.value):
            self.names[-1] |= names
        else:
            self.names[-1] -= names
        for target in node.targets:
            self.visit(target)

    def visit_Call(self, node: ast.Call) -> None:
        if api_call(node):
            self.found.append(node)
            argument = subject(node)
            if argument is not None and not api_call(argument) and not self.followed(argument):
                self.found.append(argument)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if self.followed(node):
            self.found.append(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.read(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.read(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Nothing: positions inside an f-string are of no use."""

    def followed(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and node.id in self.names[-1]
        )

    def read(self, node: ast.Attribute | ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load) and self.followed(node.value):
            self.found.append(node)
        self.generic_visit(node)


def revealing(source: str) -> str:
    """The source with `reveal_type` around each state expression, on the same lines."""
    collector = Collector()
    collector.visit(ast.parse(source))
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    inserts: list[tuple[int, int, int, bytes]] = []
    for node in {id(n): n for n in collector.found}.values():
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        size = (node.end_lineno - node.lineno) * 10_000 + node.end_col_offset - node.col_offset
        inserts.append((node.lineno, node.col_offset, -size, b"reveal_type("))
        inserts.append((node.end_lineno, node.end_col_offset, size, b")"))
    # From the end, so that what is inserted moves nothing; where two expressions begin together
    # the outer one is first.
    for line, column, _, text in sorted(inserts, reverse=True):
        lines[line - 1] = lines[line - 1][:column] + text + lines[line - 1][column:]
    return b"".join(lines).decode()


def revealed(source: str) -> dict[tuple[int, int], ast.expr]:
    """The expressions of a revealing source by the place that mypy reports."""
    return {
        (n.args[0].lineno, n.args[0].col_offset + 1): n.args[0]
        for n in ast.walk(ast.parse(source))
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "reveal_type"
    }


def assignments(source: str) -> list[tuple[int, str, ast.Call]]:
    """The names that API calls of a revealing source were assigned to: line, name, call."""
    found = []
    for n in ast.walk(ast.parse(source)):
        if (
            isinstance(n, ast.Assign)
            and isinstance(call := bare(n.value), ast.Call)
            and api_call(call)
        ):
            for target in n.targets:
                items = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
                found += [(n.lineno, i.id, call) for i in items if isinstance(i, ast.Name)]
    return sorted(found, key=lambda f: f[:2])


def bare(node: ast.expr) -> ast.expr:
    """An expression without the `reveal_type` around it."""
    while (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "reveal_type"
    ):
        node = node.args[0]
    return node


def imprecise(kind: str, node: ast.expr) -> bool:
    if kind == "Any" or re.fullmatch(r"tuple\[[^\[\]]*(\[[^\[\]]*\])?, \.\.\.\]", kind):
        return True
    by_class = isinstance(node, ast.Call) and api_call(node) and any(
        isinstance(a, ast.Attribute) and a.attr in KINDS for a in node.args[1:]
    )  # fmt: skip
    return (
        by_class
        and re.search(r"\bState\[", kind) is not None
        and not re.search(r"State\[[^\[\]]*, (?!Any\b)\w", kind)
    )


def vague(kind: str) -> bool:
    """Whether a type is Any, or a state whose leaves are."""
    return imprecise(kind, ast.Constant(None)) or bool(re.search(r"State\[(?:\w+, )?Any\]", kind))
