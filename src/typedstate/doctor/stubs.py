"""Whether the installed stubs for `flax.nnx` fit the installed Flax.

A stub package is `flax-stubs` somewhere on the import path. PEP 561 asks for `partial` in its
`py.typed`; without that, or with an `__init__.pyi`, it would hide the rest of Flax from a type
checker.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typedstate.doctor.installed import has, module, own_names
from typedstate.doctor.signatures import demanded, gone, omitted, refused, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = "flax-stubs"


@dataclass(frozen=True)
class StubModule:
    """One stubbed module.

    Attributes:
        name: The module that the stub replaces.
        exists: Whether the installed Flax has it.
        unknown: Public functions, classes and methods that the stub declares and the module lacks.
        undeclared: Public functions and classes of the module that the stub lacks; to a type
            checker they are Any, as its ``__getattr__`` says.
        parameters: What functions of the module, and methods of its classes, take by name and the
            stub does not, as ``split(graph)``: a type checker refuses it.
        demanded: Functions and methods whose stub asks for more arguments than they take.
        omitted: Functions and methods that require an argument which the stub does not ask for.
    """

    name: str
    exists: bool
    unknown: tuple[str, ...]
    undeclared: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    demanded: tuple[str, ...] = ()
    omitted: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain lists and strings."""
        return {
            "name": self.name,
            "exists": self.exists,
            "unknown": list(self.unknown),
            "undeclared": list(self.undeclared),
            "parameters": list(self.parameters),
            "demanded": list(self.demanded),
            "omitted": list(self.omitted),
        }


@dataclass(frozen=True)
class Stubs:
    """The stub package that a type checker would find here.

    Attributes:
        installed: Whether there is one.
        marker: What its `py.typed` says; empty where the file is missing.
        packages: The `__init__.pyi` files in it, which would hide real modules.
        modules: The stubbed modules.
    """

    installed: bool
    marker: str
    packages: tuple[str, ...]
    modules: tuple[StubModule, ...]

    @property
    def refusing(self) -> tuple[str, ...]:
        """The modules whose stubs are too old: type checkers refuse what this Flax takes."""
        return tuple(stub.name for stub in self.modules if stub.parameters)

    @property
    def passing(self) -> tuple[str, ...]:
        """The modules with stubs of another Flax: type checkers let pass what this one refuses."""
        return tuple(stub.name for stub in self.modules if stub.omitted)

    @property
    def demanding(self) -> tuple[str, ...]:
        """The modules whose stubs are too new: type checkers ask for what this Flax has not."""
        return tuple(stub.name for stub in self.modules if stub.demanded)

    def remarks(self) -> Iterator[str]:
        """The differences between the stubs and this Flax, one sentence each."""
        if not self.installed:
            yield f"{FOLDER} is not on the import path: type checkers see Flax's own annotations"
            return
        if self.marker != "partial":
            yield f"py.typed says {self.marker or 'nothing'}, not partial: mypy ignores the stubs"
        for name in self.packages:
            yield f"{name} hides the modules of that package which have no stub"
        for stub in self.modules:
            if not stub.exists:
                yield f"{stub.name} is stubbed and does not exist in this Flax"
            if stub.parameters:
                given = ", ".join(stub.parameters)
                yield f"{stub.name}: type checkers refuse what this Flax takes by name: {given}"
            if stub.omitted:
                text = "type checkers let calls pass that lack an argument which this Flax requires"
                yield f"{stub.name}: {text}: {', '.join(stub.omitted)}"
            if stub.demanded:
                wanted = ", ".join(stub.demanded)
                text = "type checkers ask for more arguments than this Flax takes"
                yield f"{stub.name}: {text}: {wanted}"
            if stub.unknown and stub.exists:
                names = ", ".join(stub.unknown)
                text = "the stubs also allow what only other versions of Flax have there"
                yield f"{stub.name}: {text}: {names}"

    def to_json(self) -> dict[str, Any]:
        """Plain lists and strings."""
        return {
            "installed": self.installed,
            "marker": self.marker,
            "packages": list(self.packages),
            "modules": [stub.to_json() for stub in self.modules],
            "remarks": list(self.remarks()),
        }


def _folder(path: Iterable[str]) -> Path | None:
    candidates = (Path(entry or ".") / FOLDER for entry in path)
    return next((folder for folder in candidates if folder.is_dir()), None)


def _declared(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The public functions and classes that a stub declares or re-exports, in `if` blocks too."""
    for statement in body:
        match statement:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name
            case ast.ImportFrom(names=names):
                yield from (item.name for item in names if item.asname == item.name)
            case ast.If(body=then, orelse=otherwise):
                yield from _declared((*then, *otherwise))
            case _:
                pass


def _public(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def _defined(owner: Any) -> set[str]:
    """The public functions and classes that a module defines itself."""
    own = own_names(owner).items()
    return _public(
        name
        for name, value in own
        if callable(value) and getattr(value, "__module__", None) == owner.__name__
    )


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _read(file: Path, folder: Path) -> StubModule:
    parts = file.relative_to(folder).with_suffix("").parts
    name = ".".join(("flax", *parts))
    tree = ast.parse(file.read_text(encoding="utf-8"))
    if not _exists(name):
        return StubModule(name, False, (), ())
    owner = module(name)
    declared = _public(_declared(tree.body))
    everything = any(
        isinstance(item, ast.ImportFrom) and item.names[0].name == "*" for item in tree.body
    )
    known = taken(tree.body)
    undeclared = set[str]() if everything else _defined(owner) - declared
    unknown = {item for item in declared if not has(owner, item)} | {*gone(owner, known)}
    return StubModule(
        name,
        True,
        tuple(sorted(unknown)),
        tuple(sorted(undeclared)),
        tuple(refused(owner, known)),
        tuple(demanded(owner, known)),
        tuple(omitted(owner, known)),
    )


def stubs(path: Iterable[str] | None = None) -> Stubs:
    """The stubs that a type checker finds on this import path (default: `sys.path`)."""
    folder = _folder(sys.path if path is None else path)
    if folder is None:
        return Stubs(False, "", (), ())
    marker = folder / "py.typed"
    files = sorted(folder.rglob("*.pyi"))
    return Stubs(
        installed=True,
        marker=marker.read_text(encoding="utf-8").strip() if marker.exists() else "",
        packages=tuple(
            str(file.relative_to(folder)) for file in files if file.name == "__init__.pyi"
        ),
        modules=tuple(_read(file, folder) for file in files if file.name != "__init__.pyi"),
    )
