"""Every public name, and every stubbed function, stands in an assertion of its type.

The assertions are the `assert_type` calls of the static suite: four type checkers read them, and
pytest runs them.
"""

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from flax import nnx
from type_checkers import schema_files, stub_files

import typedstate
from typedstate import layers

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "unpack") or not hasattr(nnx, "with_vars"),
    reason="some of the assertions are about functions of a newer Flax",
)


MODULES = (
    "statelib",
    "graphlib",
    "module",
    "spmd",
    "nn.linear",
    "training.metrics",
    "transforms.compilation",
    "transforms.iteration",
    "transforms.transforms",
)
#: Of the stages of a compilation, whose methods are JAX's, and of what Flax calls itself.
UNSEEN = {"Stage", "Compiled", "Lowered", "Traced", "StateSharding", "SimpleJitPartialWrapped"}
INNER = {"canonicalize_padding", "first_from", "resolve_kwargs", "tuple_init", "tuple_reduce"}


def stubbed() -> Iterator[tuple[str, str]]:
    """Every public function and method of the stubs: what has it, and its name."""
    for module in MODULES:
        for node in ast.parse(stub(module).read_text()).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name()) if name.islower():
                    yield module, name
                case ast.ClassDef(name=owner, body=body) if owner not in UNSEEN:
                    yield from ((owner, name) for name in functions(body))
                case _:
                    yield from ((module, name) for name in functions([node]))


def functions(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) if name not in INNER and not name.startswith("_"):
                yield name
            case _:
                pass


def stub(module: str) -> Path:
    """The stub of a module of `flax.nnx`, where the checkers find it."""
    spec = importlib.util.find_spec("flax-stubs")
    assert spec is not None, "flax-stubs is on no path: install the package"
    folder = Path(next(iter(spec.submodule_search_locations or ())), "nnx")
    return folder.joinpath(*module.split(".")).with_suffix(".pyi")


@cache
def asserted() -> frozenset[str]:
    """The names within `check(assert_type(...), ...)` in the tests that pytest runs."""
    found: set[str] = set()
    for file in [*stub_files(), *schema_files(plugin=False)]:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.update(*map(names, filter(is_assertion, ast.walk(node))))
                found.update(called(node))
    return frozenset(found)


def is_assertion(node: ast.AST) -> bool:
    match node:
        case ast.Call(
            func=ast.Name(id="check" | "seen"),
            args=[ast.Call(func=ast.Name(id="assert_type")), *_],
        ):
            return True
        case _:
            return False


def called(test: ast.AST) -> Iterator[str]:
    """The methods that stand alone, as they give nothing of which a type could be asserted."""
    for node in ast.walk(test):
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))):
                yield name
            case _:
                pass


def names(assertion: ast.AST) -> Iterator[str]:
    for node in ast.walk(assertion):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name


@pytest.mark.parametrize("name", sorted({*typedstate.__all__, *layers.__all__}))
def test_public_name(name: str) -> None:
    assert name in asserted()


@pytest.mark.parametrize(("owner", "name"), sorted(set(stubbed())))
def test_stubbed_function(owner: str, name: str) -> None:
    assert name in asserted()
