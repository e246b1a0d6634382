"""Counts what mypy knows of the state API in other people's code: plain, with the stubs, with the plugin too.

Run by hand, in the environment that has the stubs, over checkouts of public code; the other
interpreter has the same Flax and no stubs, and MYPYPATH is where packages find their own modules:

    MYPYPATH=CHECKOUT python coverage_of_public_code.py --plain OTHER/bin/python CHECKOUT/package

A *state expression* is a call of a function of the state API (`nnx.split(...)`), or a use of a
name that the result was assigned or unpacked to. It is *precise* where its type is neither Any nor
a tuple of unknown length, and where states that a Variable class selects have leaves that are not
Any. Calls whose own argument is Any to mypy (parameters without annotations, mostly) can be no
better and are counted apart, as is what follows from them. So are reads of one key (`state["a"]`,
`state.a`), which are Any on an undeclared state by choice.

A *call* of typed code is one whose own argument is no Any. It is *vague* where its type is Any or a
state's leaves are Any: a stricter question than precision, which asks for leaves only where a class
selects them.

Bodies of functions without annotations are checked too: without, most of this code would be Any.
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

from state_expressions import (
    api_call,
    assignments,
    bare,
    imprecise,
    revealed,
    revealing,
    subject,
    vague,
)

OPTIONS = [
    "--ignore-missing-imports",
    "--follow-imports=silent",  # what MYPYPATH finds is not counted twice
    "--check-untyped-defs",
    "--no-error-summary",
    "--show-column-numbers",
    "--hide-error-context",
    "--no-color-output",
    "--no-warn-unused-ignores",
]
# What an argument is whose code says nothing.
UNTYPED = frozenset({"Any", "flax.nnx.graphlib.GraphDef[Any]", "flax.nnx.graphlib.GraphState[Any]"})


def mypy(variant: str, python: str, files: list[Path], root: Path) -> list[str]:
    """One run of mypy; its cache is kept for the next run of the same variant."""
    cache = Path(tempfile.gettempdir(), f"typedstate-coverage-{variant}")
    plugin = "plugins = typedstate.mypy_plugin\n" if variant == "plugin" else ""
    (root / "mypy.ini").write_text(f"[mypy]\n{plugin}")
    given = ["--config-file", "mypy.ini", "--python-executable", python, "--cache-dir", str(cache)]
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *given, *OPTIONS, *(str(f.relative_to(root)) for f in files)],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode == 2 or result.stderr:
        print(result.stdout[-2000:], result.stderr[-2000:], file=sys.stderr)
    return result.stdout.splitlines()


def types(
    variant: str, python: str, files: list[Path], root: Path
) -> dict[tuple[str, int, int], str]:
    """The revealed types by file and place; of several (mypy goes over a body twice) one that is
    no Any, if there is."""
    pattern = re.compile(r'(.+?):(\d+):(\d+): note: Revealed type is "(.*)"')
    found = (pattern.match(line) for line in mypy(variant, python, files, root))
    kinds: dict[tuple[str, int, int], str] = {}
    for m in found:
        if m and kinds.get(place := (m[1], int(m[2]), int(m[3])), "Any") == "Any":
            kinds[place] = m[4]
    return kinds


@dataclass
class Count:
    """Expressions by verdict, and the texts of those that stay imprecise."""

    verdicts: Counter[str] = field(default_factory=Counter)
    open: list[str] = field(default_factory=list)
    calls: Counter[bool] = field(default_factory=Counter)
    vague: list[str] = field(default_factory=list)

    def add(self, file: str, source: str, kinds: dict[tuple[str, int, int], str]) -> None:
        nodes = revealed(source)
        assigned = assignments(source)
        for (line, column), outer in sorted(nodes.items()):
            kind = kinds.get((file, line, column))
            node = bare(outer)
            if kind is None:
                continue
            if api_call(node) and not self.of_untyped(file, node, kinds):
                self.calls[vague(kind)] += 1
                if vague(kind):
                    self.vague.append(f"{file}:{line}: {ast.unparse(node)[:100]} -> {kind[:120]}")
            if isinstance(node, ast.Attribute | ast.Subscript) and not api_call(node):
                self.verdicts["one key" if kind == "Any" else "precise"] += 1
            elif not api_call(node) and not isinstance(node, ast.Name):
                continue
            elif not imprecise(kind, node):
                self.verdicts["precise"] += 1
            elif self.of_untyped(file, node, kinds) or (
                isinstance(node, ast.Name) and self.of_other_code(file, node, line, assigned, kinds)
            ):
                self.verdicts["of untyped code"] += 1
            else:
                self.verdicts["imprecise"] += 1
                self.open.append(f"{file}:{line}: {ast.unparse(node)[:100]} -> {kind[:120]}")

    @classmethod
    def of_other_code(
        cls,
        file: str,
        name: ast.Name,
        line: int,
        assigned: list[tuple[int, str, ast.Call]],
        kinds: dict[tuple[str, int, int], str],
    ) -> bool:
        """Whether a name is Any for a reason outside the API call it was assigned from."""
        calls = [call for place, text, call in assigned if text == name.id and place <= line]
        if not calls or cls.of_untyped(file, calls[-1], kinds):
            return True
        # The call gave more than Any, so the name has been assigned since.
        kind = kinds.get((file, calls[-1].lineno, calls[-1].col_offset + 1), "Any")
        return not imprecise(kind, calls[-1])

    @staticmethod
    def of_untyped(file: str, node: ast.expr, kinds: dict[tuple[str, int, int], str]) -> bool:
        if not isinstance(node, ast.Call):
            return False
        argument = subject(node)
        if argument is None:
            return False
        while (
            isinstance(argument, ast.Call) and isinstance(argument.func, ast.Name) and argument.args
        ):
            argument = argument.args[0]
            # mypy swallows what it reveals inside some calls of generic functions; those that gave
            # Any were given Any.
            if kinds.get((file, argument.lineno, argument.col_offset + 1), "Any") in UNTYPED:
                return True
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument(
        "--plain", required=True, help="interpreter with the same Flax and without the stubs"
    )
    options = parser.parse_args()
    pythons = {"plain": options.plain, "stubs": sys.executable, "plugin": sys.executable}
    print(f"flax {importlib.metadata.version('flax')}, mypy {importlib.metadata.version('mypy')}")
    for folder in options.folders:
        with tempfile.TemporaryDirectory() as name:
            report(folder, Path(name), pythons)


def absolute(source: str, package: tuple[str, ...]) -> str:
    """The source of a module without relative imports, for which a file by itself has no parent."""

    def named(found: re.Match[str]) -> str:
        parents = package[: len(package) - len(found[2]) + 1]
        return f"{found[1]}{'.'.join((*parents, found[3]) if found[3] else parents)} import"

    return re.sub(r"^(\s*from )(\.+)([\w.]*) import", named, source, flags=re.MULTILINE)


def report(folder: Path, root: Path, pythons: dict[str, str]) -> None:
    originals, revealings, sources = [], [], {}
    for file in sorted(folder.rglob("*.py")):
        source = absolute(file.read_text(), (folder.name, *file.relative_to(folder).parts[:-1]))
        if "nnx" not in source or (text := revealing(source)) == source:
            continue
        # One flat package each: mypy wants every module once.
        flat = "_".join(file.relative_to(folder).with_suffix("").parts).replace("-", "_") + ".py"
        for kind, content in (("original", source), ("revealing", text)):
            (root / kind).mkdir(exist_ok=True)
            (root / kind / flat).write_text(content)
        originals.append(root / "original" / flat)
        revealings.append(root / "revealing" / flat)
        sources[flat] = text
    print(f"\n{folder}: {len(originals)} files with state expressions")
    errors = {}
    for name, python in pythons.items():
        kinds = types(name, python, revealings, root / "revealing")
        count = Count()
        for flat, text in sources.items():
            count.add(flat, text, kinds)
        verdicts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(count.verdicts.items()))
        calls = f"{count.calls[True]} of {sum(count.calls.values())} calls vague"
        print(f"  {name}: {verdicts}; {calls}", flush=True)
        if name == "plugin":
            for line in count.open:
                print(f"    imprecise  {line}")
            for line in count.vague:
                print(f"    vague  {line}")
        errors[name] = [
            re.sub(r":(\d+):\d+: error", r":\1: error", e)
            for e in mypy(name, python, originals, root / "original")
            if ": error: " in e
        ]
    print(f"  errors: {', '.join(f'{len(found)} {name}' for name, found in errors.items())}")
    for before, after in (("plain", "stubs"), ("stubs", "plugin")):
        added = Counter(errors[after]) - Counter(errors[before])
        gone = Counter(errors[before]) - Counter(errors[after])
        for sign, lines in ((f"new with {after} ", added), (f"gone with {after}", gone)):
            for line in sorted(lines.elements()):
                print(f"    {sign} {line}")


if __name__ == "__main__":
    main()
