"""`SourceFile`: a Python file under construction: imports, names and blocks of source.

Identifiers are validated before they are written; keys and any other text of the data are written
as literals only.
"""

from __future__ import annotations

import builtins
import keyword
import re
import sys
import textwrap
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import jaxtyping
import numpy as np
from flax import nnx

from ..errors import SchemaError
from .attributes import IN_HINTS
from .lines import WIDTH
from .main_module import is_of_main, name_of_main
from .unique_names import UniqueNames

_ABSTRACT_COLLECTIONS: Final = (Sequence, MutableSequence, Mapping, MutableMapping)
_RESERVED: Final = frozenset({*IN_HINTS, *dir(builtins), *dir(jaxtyping)})


@dataclass(slots=True)
class SourceFile:
    """Collects imports and blocks.

    Attributes:
      title: the title of the hint, for messages.
      imports: pairs of a module and a name imported from it; "" for the module itself.
      blocks: the blocks of source, in order.
      head: the comments above the imports.
      notes: the comments below those, on where classes come from.
    """

    title: str
    imports: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    blocks: list[str] = field(default_factory=list[str])
    head: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    _names: UniqueNames = field(default_factory=UniqueNames)
    _texts: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _packages: set[str] = field(default_factory=set[str])

    def error(self, where: str, text: str) -> SchemaError:
        """A SchemaError that says where."""
        place = f", {where}" if where else ""
        return SchemaError(f"to_source({self.title}{place}): {text}")

    def text(self) -> str:
        """The whole source."""
        froms: dict[str, list[str]] = {}
        lines = [(module, f"import {module}") for module, item in sorted(self.imports) if not item]
        for module, item in sorted(self.imports):
            if item:
                froms.setdefault(module, []).append(item)
        lines += [(name, _wrapped(f"from {name} import ", items)) for name, items in froms.items()]
        groups: list[list[str]] = [[], []]
        for module, line in lines:
            groups[re.split(r"[. ]", module)[0] not in sys.stdlib_module_names].append(line)
        notes = [*self.head, *self.notes]
        heads = ["\n".join(lines) for lines in (notes, *groups) if lines]
        return "\n\n".join(heads) + "\n\n\n" + "\n\n\n".join(self.blocks) + "\n"

    def unique(self, name: str) -> str:
        """The name, with a number if the file has it already."""
        return self._names.give(name, allowed=_is_free)

    def take_back(self, name: str, wanted: str) -> None:
        """Frees the name that was given for a wanted one and is not written."""
        self._names.take_back(name, wanted)

    def own(self, name: str) -> str:
        """Imports a public name of typedstate, and gives its text."""
        return self.imported("typedstate", name)

    def imported(self, module: str, name: str) -> str:
        """Imports a name from a module, and gives its text: with the module if it is taken."""
        if (module, name) not in self._texts:
            if name in self._names.taken:
                self._texts[module, name] = f"{self.module(module)}.{name}"
            else:
                self._names.taken.add(name)
                self.imports.add((module, name))
                self._texts[module, name] = name
        return self._texts[module, name]

    def module(self, name: str) -> str:
        """Imports a module, and gives its text: a name of its own if its package's is taken."""
        if (name, "") not in self._texts:
            top = name.partition(".")[0]
            text = name
            if top in self._names.taken and top not in self._packages:
                text = self.unique(f"{name.rpartition('.')[2]}_module")
            else:
                self._names.taken.add(top)
                self._packages.add(top)
            self.imports.add((name if text == name else f"{name} as {text}", ""))
            self._texts[name, ""] = text
        return self._texts[name, ""]

    def class_name(self, cls: type, where: str) -> str:
        """Imports a class, and gives its text; raises SchemaError if it can't be imported."""
        if getattr(builtins, cls.__name__, None) is cls:
            return str(cls.__name__)
        if getattr(nnx, cls.__name__, None) is cls:
            return self.imported("flax", "nnx") + f".{cls.__name__}"
        if cls is np.ndarray:
            return f"{self.module('numpy')}.ndarray"
        if cls in _ABSTRACT_COLLECTIONS:
            return self.imported("collections.abc", cls.__name__)
        if is_of_main(cls) and _is_importable(cls.__module__, cls):
            return self._of_main(cls, where)
        top = cls.__module__.partition(".")[0]
        for module in dict.fromkeys((top, cls.__module__)):
            if _is_importable(module, cls):
                return f"{self.module(module)}.{cls.__qualname__}"
        shown = f"{cls.__module__}.{cls.__qualname__}"
        fix = "define it at the top of a module, outside of functions"
        raise self.error(where, f"the class {shown} can't be imported by that name; {fix}")

    def _of_main(self, cls: type, where: str) -> str:
        """A class of the program that runs: by its name alone, which the program itself has."""
        name, dot, rest = cls.__qualname__.partition(".")
        module = name_of_main()
        if module is not None:
            self._add_note(
                f"In the file of {module} itself, leave out its import: it makes the classes anew."
            )
            return f"{self.imported(module, name)}{dot}{rest}"
        if ("", name) not in self._texts and name in self._names.taken:
            raise self.error(where, f"the name {name} is taken; define the class in a module")
        self._names.taken.add(name)
        self._texts["", name] = name
        self._add_note(f"Write this below {name}, which no module has.")
        return cls.__qualname__

    def _add_note(self, text: str) -> None:
        lines = [f"# {line}" for line in textwrap.wrap(text, WIDTH - 2)]
        self.notes += () if lines[0] in self.notes else lines


def _is_free(name: str) -> bool:
    return name not in _RESERVED and not keyword.iskeyword(name)


def _is_importable(module: str, cls: type) -> bool:
    parts = [*module.split("."), *cls.__qualname__.split(".")]
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        return False
    if parts[0] in _RESERVED:
        return False
    found: Any = sys.modules.get(module)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


def identifier(name: str) -> str:
    """Makes a class name of any text."""
    words = re.split(r"[\W]+", name, flags=re.ASCII)
    found = "".join(words).strip("_")
    return found if found and not found[0].isdigit() else f"Schema{found}"


def quoted(text: str) -> str:
    """A str literal, in double quotes if its text needs no escapes."""
    return (
        f'"{text}"' if re.fullmatch(r"[\w .,:*+/%#?=()\[\]{}'-]*", text, re.ASCII) else repr(text)
    )


def _wrapped(head: str, items: list[str]) -> str:
    line = head + ", ".join(items)
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{head}(", *(f"    {item}," for item in items), ")"])
