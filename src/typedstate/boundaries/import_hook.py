"""The import hook: every annotated function of a package is checked, without a decorator."""

from __future__ import annotations

import ast
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, Final, cast

from ..mode import MODE
from . import byte_code, frames

_NAME: Final = "__typedstate_checked__"
#: Imported by a check itself, so that a hook would run before they are whole.
_FOUNDATIONS: Final = frozenset(
    {"typedstate", "flax", "jax", "jaxlib", "jaxtyping", "beartype", "numpy", "msgspec"}
)
#: The module whose import was the first to need the decorator, while that is imported.
_starting: Final[list[str]] = []
_TRICKS: Final = frozenset({"overload", "no_type_check", "checked", "jaxtyped", "beartype"})


def install_import_hook(*packages: str) -> AbstractContextManager[None]:
    """Checks all annotated functions and dataclasses of packages that are imported from now on.

    Call it before they are imported. A package has one hook: where beartype's claw covers the
    package too, or jaxtyping's hook that was installed before, ours takes their place, and
    other packages stay theirs; a jaxtyping hook that is installed later takes ours. A function
    that carries ``@beartype`` or ``@jaxtyped`` itself is left to it.

    Args:
      packages: names of packages or modules; their sub-modules too.

    Returns:
      A context manager: used in ``with``, the hook is removed behind the block.

    Raises:
      ValueError: no package is named, or one of them is imported already, or typedstate itself
        stands on it.
    """
    if not packages or not all(isinstance(name, str) and name for name in cast(Any, packages)):
        raise ValueError('install_import_hook takes names of packages, e.g. "mypackage"')
    for name in packages:
        if name.partition(".")[0] in _FOUNDATIONS:
            raise ValueError(f"{name} can't be checked: typedstate itself stands on it")
        if name in sys.modules:
            raise ValueError(f"{name} is imported already: install the hook before it")
    finder = Finder(packages)
    if MODE != "off":
        sys.meta_path.insert(0, finder)
    return _removal(finder)


@contextmanager
def _removal(finder: Finder) -> Generator[None, None, None]:
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


class Finder(MetaPathFinder):
    """Finds modules of the named packages and loads them with checks."""

    def __init__(self, packages: Iterable[str]) -> None:
        """Keeps the names."""
        self._packages = tuple(packages)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of ours, None for any other."""
        if not any(fullname == name or fullname.startswith(f"{name}.") for name in self._packages):
            return None
        spec = _found_by_others(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = CheckingLoader(fullname, spec.loader.path)
        return spec


def _found_by_others(
    fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    """The module spec by other finders: editable installs and pytest's rewriting have their own."""
    for finder in sys.meta_path:
        find = None if isinstance(finder, Finder) else getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find and find(fullname, path, target)
        if spec is not None:
            return spec
    return None


class CheckingLoader(SourceFileLoader):
    """Loads a source file with ``@checked`` on every annotated function and dataclass."""

    def get_code(self, fullname: str) -> CodeType | None:
        """The decorated code, from its own cache or compiled; the plain module keeps its own."""
        path = self.get_filename(fullname)
        code = byte_code.read(self, path)
        if code is None:
            code = self.source_to_code(self.get_data(path), path)
            byte_code.write(self, path, code)
        return code

    def source_to_code(  # type: ignore[override]
        self, data: Any, path: Any, *, _optimize: int = -1
    ) -> CodeType:
        """Decorates the tree and compiles it."""
        tree = ast.parse(data, path)
        tree = ast.fix_missing_locations(_Decorate().visit(tree))
        return compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module with the decorator within its reach."""
        decorate = _decorator(module.__name__)
        code = self.get_code(module.__name__)
        if code is None:
            raise ImportError(f"{module.__name__} has no code", name=module.__name__)
        module.__dict__[_NAME] = decorate
        module.__dict__[frames.PLACE] = frames.left_alone(code)
        exec(code, module.__dict__)  # as importlib does


def _decorator(name: str) -> Any:
    """The decorator, which imports Flax; the module that is about to run is not there meanwhile.

    Raises:
      ImportError: Flax imports the module too, so that it would have to run before itself.
    """
    if _starting:
        raise ImportError(f"{name} can't be checked: Flax imports it, and so does each check")
    module = sys.modules.pop(name, None)
    _starting.append(name)
    try:
        from .decorator import checked_by_hook
    finally:
        _starting.clear()
        if module is not None:
            sys.modules[name] = module
    return checked_by_hook


class _Decorate(ast.NodeTransformer):
    """Puts the decorator below all others, where the plain function is."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """An async function."""
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """A class: its methods, and, for a dataclass, the fields by the class itself."""
        self.generic_visit(node)
        if any(_name_of(item) == "dataclass" for item in node.decorator_list):
            node.decorator_list.insert(0, ast.copy_location(ast.Name(_NAME, ast.Load()), node))
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        names = {_name_of(item) for item in node.decorator_list}
        if _annotated(node) and not names & _TRICKS:
            node.decorator_list.append(ast.copy_location(ast.Name(_NAME, ast.Load()), node))
        return node


def _annotated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
    return node.returns is not None or any(item.annotation is not None for item in every)


def _name_of(node: ast.expr) -> str:
    """The last name of a decorator: ``dataclass`` of ``dataclasses.dataclass(frozen=True)``."""
    while isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
