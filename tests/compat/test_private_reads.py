"""What is private to Flax and JAX is read in one package alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import typedstate

ROOT = Path(typedstate.__file__).parent
#: Modules of Flax and JAX that promise nothing; `nnx` itself names what is public of them.
PRIVATE = ("flax.nnx.graph", "flax.nnx.graphlib", "flax.nnx.variablelib", "flax.core", "jax._src")
#: Attributes in which Flax and JAX keep what they say elsewhere.
SLOTS = {"_raw_value", "_var_metadata", "_mapping", "_base_array", "_impl", "_graph_node_flatten"}


def sources() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        if not path.is_relative_to(ROOT / "_compat"):
            yield path


def private_reads(path: Path) -> Iterator[str]:
    own = set[str]()  # a class of ours may have a method of such a name
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            own.add(node.name)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names, level=0):
                full = (f"{module}.{item.name}" for item in names)
                yield from (f"{node.lineno}: {name}" for name in full if name.startswith(PRIVATE))
            case ast.Import(names=names):
                yield from (f"{node.lineno}: {n.name}" for n in names if n.name.startswith(PRIVATE))
            case ast.Attribute(attr=name) if name in SLOTS and name not in own:
                yield f"{node.lineno}: .{name}"
            case ast.Constant(value=str(text)) if text in SLOTS:
                yield f"{node.lineno}: {text!r}"
            case _:
                continue


def test_nothing_private_is_read_elsewhere() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := [*private_reads(path)])
    }
    assert found == {}


def test_the_search_finds_such_reads() -> None:
    reads = [*private_reads(ROOT / "_compat" / "modules.py")]
    assert any("flax.nnx" in line for line in reads)
    assert any("_graph_node_flatten" in line for line in reads)
