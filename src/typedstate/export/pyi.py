"""`stub_of`: the text of a module as a stub, with ``Literal`` overloads for keys of its schemas.

A type checker reads a ``.pyi`` instead of the module, so it has the module's other contents too.
``typedstate stubs`` calls it; with the mypy plugin nobody needs it.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final, cast

from .._spec.nodes import Schema
from ..schema.typed_state import SchemaMeta
from .edits import Edit, hidden

HEADER: Final = "# Written by typedstate stubs."
# Faults of the module itself are reported in the module.
_LENIENT: Final = "# pyright: basic\n# mypy: ignore-errors\n"
_PREAMBLE: Final = (
    "from typing import Any as _Any, Literal as _Literal, TypeVar as _TypeVar",
    "from typing import overload as _overload",
    '_D = _TypeVar("_D")',
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def stub_of(module: ModuleType) -> str:
    """The text of the ``.pyi`` of a module.

    Imports stay visible to other modules; bodies that no checker needs are dropped. For pyright,
    which infers nothing in a stub, a function without a return annotation returns Unknown.

    Raises:
      ValueError: it declares no schema, or has no source.
    """
    source = _source(module)
    tree = ast.parse(source)
    classes = {name: node for name, node in _classes(tree.body) if _schema(module, name)}
    if not classes:
        raise ValueError(f"{module.__name__} declares no schema")
    edits = [*_statements(tree.body, source.splitlines())]
    for name, node in classes.items():
        edits += hidden(_schema(module, name), node, source.splitlines())
        lines = [*_overloads(module, name, classes)]
        indent = " " * node.body[0].col_offset
        if lines:
            at = node.end_lineno or node.lineno
            edits.append(Edit(at, at, [f"{indent}{line}" for line in lines]))
    at = _after_imports_of_the_future(tree)
    edits.append(Edit(at, at, _PREAMBLE))
    text = "\n".join(_edited(source.splitlines(), edits))
    return f"{HEADER}\n{_LENIENT}{text}\n"


def _source(module: ModuleType) -> str:
    """The text of a module's file; raises ValueError if it has none, or none in UTF-8."""
    path = getattr(module, "__file__", None)
    if path is None or not path.endswith(".py"):
        raise ValueError(f"{module.__name__} has no source in Python")
    return Path(path).read_text(encoding="utf-8")


def unannotated(module: ModuleType) -> list[str]:
    """The functions of a module that have no return annotation."""
    tree = ast.parse(_source(module))
    found = [*_functions(tree.body, "")]
    return [name for name, node in found if node.returns is None and node.name != "__init__"]


def _schema(module: ModuleType, name: str) -> SchemaMeta | None:
    """The schema class of a qualified name."""
    found: object = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, SchemaMeta) and found.__qualname__ == name else None


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a statement whose names belong to the scope around it."""
    match node:
        case ast.If() | ast.For() | ast.While():
            yield from (node.body, node.orelse)
        case ast.With():
            yield node.body
        case ast.Try() | ast.TryStar():
            yield from (node.body, node.orelse, node.finalbody)
            yield from (handler.body for handler in node.handlers)
        case _:
            return


def _classes(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield f"{prefix}{node.name}", node
            yield from _classes(node.body, f"{prefix}{node.name}.")
        for block in _blocks(node):
            yield from _classes(block, prefix)


def _functions(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, _Function]]:
    for node in body:
        if isinstance(node, _Function):
            yield f"{prefix}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
        for block in _blocks(node):
            yield from _functions(block, prefix)


def _statements(body: Sequence[ast.stmt], lines: Sequence[str]) -> Iterator[Edit]:
    """Yields the edits in one block of a module."""
    overloaded: set[str] = set()
    for node in body:
        match node:
            case ast.ImportFrom() | ast.Import():
                yield from _import(node, lines)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                if _is_overload(node):
                    overloaded.add(node.name)
                elif node.name in overloaded:  # a stub has no implementation of overloads
                    yield Edit(_first_line(node) - 1, node.end_lineno or node.lineno, ())
                    continue
                yield from _body(node)
            case ast.ClassDef():
                yield from _class_body(node)
            case _:
                pass
        for block in _blocks(node):
            yield from _statements(block, lines)


def _class_body(cls: ast.ClassDef) -> Iterator[Edit]:
    overloaded: set[str] = set()
    for node in cls.body:
        if isinstance(node, ast.ClassDef):
            yield from _class_body(node)
        if not isinstance(node, _Function):
            continue
        if _is_overload(node):
            overloaded.add(node.name)
        elif node.name in overloaded:
            yield Edit(_first_line(node) - 1, node.end_lineno or node.lineno, ())
            continue
        yield from _body(node)


def _is_overload(node: _Function) -> bool:
    return any(ast.unparse(item).rpartition(".")[2] == "overload" for item in node.decorator_list)


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(item.lineno for item in decorators)])


def _import(node: ast.Import | ast.ImportFrom, lines: Sequence[str]) -> Iterator[Edit]:
    """Makes imports explicit re-exports, as a stub exports only ``import a as a``."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return
    shown = copy.deepcopy(node)
    for item in shown.names:
        if item.asname is None and item.name != "*" and "." not in item.name:
            item.asname = item.name
    stop = node.end_lineno or node.lineno
    after = lines[stop - 1].encode()[node.end_col_offset :].decode()
    if lines[node.lineno - 1][: node.col_offset].strip() or after.strip(" ")[:1] not in ("", "#"):
        return  # several statements in a line
    yield Edit(node.lineno - 1, stop, [f"{' ' * node.col_offset}{ast.unparse(shown)}{after}"])


def _body(node: _Function) -> Iterator[Edit]:
    """Drops a body, unless it sets attributes or makes an async function a generator."""
    first = node.body[0]
    if first.lineno == node.lineno or _gives_attributes(node):
        return
    yields = any(isinstance(item, ast.Yield) for item in ast.walk(node))
    if yields and isinstance(node, ast.AsyncFunctionDef):
        return
    if _first_line(first) <= max((arg.end_lineno or 0 for arg in _signature(node)), default=0):
        return  # the body begins in the last line of the signature
    yield Edit(
        _first_line(first) - 1, node.end_lineno or node.lineno, [f"{' ' * first.col_offset}..."]
    )


def _signature(node: _Function) -> Iterator[ast.expr | ast.arg]:
    yield from (node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
    yield from (item for item in (node.args.vararg, node.args.kwarg, node.returns) if item)


def _gives_attributes(node: _Function) -> bool:
    return any(
        isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store)
        for item in ast.walk(node)
    )


def _after_imports_of_the_future(tree: ast.Module) -> int:
    """The index of the first line after the docstring and the future imports."""
    line = 0
    for node in tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not docstring and not future:
            break
        line = node.end_lineno or node.lineno
    return line


def _edited(lines: list[str], edits: Sequence[Edit]) -> list[str]:
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.stop), reverse=True):
        lines[edit.start : edit.stop] = edit.lines
    return lines


def _overloads(module: ModuleType, name: str, classes: Mapping[str, ast.ClassDef]) -> Iterator[str]:
    """Yields the methods of a schema class; none if it declares no field itself."""
    cls = _schema(module, name)
    if cls is None or not any(isinstance(item, ast.AnnAssign) for item in classes[name].body):
        return
    spec: Schema = cls.__typedstate_ref__.resolve()
    hints = _hints(module, name, classes)
    known: list[tuple[str, str]] = []
    others = spec.extra.open or bool(spec.extra.patterns)
    for field in spec.fields:
        key = _literal(field.key)
        if key is None:
            others = True
        elif field.shared is None:  # no state has it there
            known.append((key, _present(hints.get(field.name))))
    rest = "_Any" if others else None
    yield from _method("__getitem__", [(f"key: {key}", hint) for key, hint in known], rest)
    written = [(f"key: {key}, value: {hint}", "None") for key, hint in known]
    yield from _method("__setitem__", written, "None" if others else None)
    read = [
        option
        for key, hint in known
        for option in (
            (f"key: {key}, /", f"{hint} | None"),
            (f"key: {key}, default: _D, /", f"{hint} | _D"),
        )
    ]
    yield from _method("get", read, rest)


def _method(name: str, options: list[tuple[str, str]], others: str | None) -> Iterator[str]:
    parameters = {
        "__setitem__": "key: _Any, value: _Any",
        "get": "key: _Any, default: _Any = ..., /",
    }
    if others is not None:
        options = [*options, (parameters.get(name, "key: _Any"), others)]
    for given, returned in options:
        if len(options) > 1:
            yield "@_overload"
        yield f"def {name}(self, {given}) -> {returned}: ..."


def _literal(key: Hashable) -> str | None:
    """The ``Literal`` of a key; None for a key that ``Literal`` does not allow."""
    if isinstance(key, tuple):
        parts = [_literal(part) for part in cast(tuple[Hashable, ...], key)]
        return f"tuple[{', '.join(map(str, parts))}]" if parts and None not in parts else None
    return f"_Literal[{key!r}]" if isinstance(key, str | int | bytes) else None


def _hints(
    module: ModuleType, name: str, classes: Mapping[str, ast.ClassDef]
) -> dict[str, ast.expr]:
    """The annotations of a schema's fields by attribute, those of this module only."""
    found: dict[str, ast.expr] = {}
    node = classes[name]
    for base in reversed(node.bases):
        origin = base.value if isinstance(base, ast.Subscript) else base
        inherited = ast.unparse(origin)
        if inherited in classes:
            table = _arguments(base, _schema(module, inherited))
            found |= {
                field: _Substitution(table).visit(copy.deepcopy(hint))
                for field, hint in _hints(module, inherited, classes).items()
            }
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            found[item.target.id] = item.annotation
    return found


def _arguments(base: ast.expr, cls: SchemaMeta | None) -> dict[str, ast.expr]:
    """The arguments of a generic base, by type variable."""
    if not isinstance(base, ast.Subscript):
        return {}
    given = base.slice.elts if isinstance(base.slice, ast.Tuple) else [base.slice]
    names = [param.__name__ for param in getattr(cls, "__parameters__", ())]
    return dict(zip(names, given, strict=False))


class _Substitution(ast.NodeTransformer):
    """Replaces type variables by their arguments."""

    def __init__(self, table: Mapping[str, ast.expr]) -> None:
        self.table = table

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.table.get(node.id, node)


def _present(hint: ast.expr | None) -> str:
    """The type of a key's value, without None: the key of an absent field raises."""
    match hint:
        case None:
            return "_Any"
        case ast.Constant(value=str(text)):
            return _present(ast.parse(text.strip(), mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            parts = [part for part in (left, right) if not _is_none(part)]
            return " | ".join(map(_present, parts))
        case ast.Subscript(value=origin, slice=inner):
            form = ast.unparse(origin).rpartition(".")[2]
            if form == "Optional":
                return _present(inner)
            if form == "Union" and isinstance(inner, ast.Tuple):
                return " | ".join(_present(part) for part in inner.elts if not _is_none(part))
            if form == "Annotated" and isinstance(inner, ast.Tuple):
                return _present(inner.elts[0])
            return ast.unparse(hint)
        case _:
            return ast.unparse(hint)


def _is_none(hint: ast.expr) -> bool:
    return isinstance(hint, ast.Constant) and hint.value is None
