"""Compares Flax's own statements about its leaves, read at run time, with the probe's findings.

Docstrings, return annotations and type aliases of the installed package are searched for the names
of leaf classes.
"""

from __future__ import annotations

import inspect
import re
import typing
from dataclasses import dataclass
from typing import Any

from typedstate.doctor.guard import outcome
from typedstate.doctor.installed import graphlib, named, nnx, own_names

if typing.TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = {
    "VariableState": "VariableState",
    "Variable": "Variable",
    "Param": "Variable",
    "Array": "Array",
    "ndarray": "ndarray",
    "Ref": "Ref",
    "ArrayRef": "Ref",
    "MutableArray": "Ref",
}
ANYTHING = "Any"
NOTHING = "no leaf"
NO_NAME = "no such name"
WORDS = 60  # of what Flax says, as many characters are shown
STATE_DOCSTRING = "the docstring of nnx.State"
EXAMPLE = "the example in the docstring of nnx.Variable"


@dataclass(frozen=True)
class Claim:
    """The statement of one place in Flax about the leaves of a state.

    Attributes:
        where: The docstring, annotation or alias.
        said: The words found there.
        names: The leaf classes that the words name.
        missing: Classes of leaves that were seen and are not named.
        unseen: Classes that are named and were not seen.
    """

    where: str
    said: str
    names: tuple[str, ...]
    missing: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether the words name exactly what was seen."""
        return not self.missing and not self.unseen

    @property
    def verdict(self) -> str:
        """The words against what was seen."""
        if self.agrees:
            return f"is right: {', '.join(self.names)}"
        parts = [f"names {', '.join(self.names) or NOTHING}"]
        if self.missing:
            parts.append(f"seen but not named: {', '.join(self.missing)}")
        if self.unseen:
            parts.append(f"named but not seen: {', '.join(self.unseen)}")
        return "; ".join(parts)

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.where} ({_shortened(self.said)}) {self.verdict}"


def _shortened(words: str) -> str:
    return f'"{words}"' if len(words) <= WORDS else f'"{words[: WORDS - 3]}..."'


def _first_paragraph(owner: Any) -> str:
    text = inspect.getdoc(owner) or "no docstring"
    return " ".join(text.split("\n\n")[0].split())


def _returns(function: Any) -> str:
    """The return annotations of a function's overloads, or of itself."""
    functions: list[Any] = list(typing.get_overloads(function)) or [function]
    found = [str(inspect.signature(item).return_annotation) for item in functions]
    return " | ".join(dict.fromkeys(found))


def _alias(owner: Any, name: str) -> str:
    found = own_names(owner).get(name)
    if found is None:
        return NO_NAME
    import jax  # an older one is refused before it is imported

    # Its arrays have another name on Python 3.11 than on later ones.
    arrays = f"{jax.Array.__module__}.{jax.Array.__qualname__}"
    return " ".join(str(found).split()).replace(arrays, "jax.Array")


def _printed_leaf(owner: Any) -> str:
    """The class that a docstring's example prints in front of a kernel's shape."""
    found = re.findall(r"'(?:kernel|bias)': (\w+)\(", inspect.getdoc(owner) or "")
    return ", ".join(dict.fromkeys(found)) or "prints no leaf"


PLACES: dict[str, Callable[[], str]] = {
    STATE_DOCSTRING: lambda: _first_paragraph(nnx.State),
    EXAMPLE: lambda: _printed_leaf(nnx.Variable),
    "the return annotation of nnx.state": lambda: _returns(nnx.state),
    "the return annotation of nnx.variables": lambda: _returns(named(nnx, "variables")),
    "the return annotation of nnx.split": lambda: _returns(nnx.split),
    "the alias GraphState": lambda: _alias(graphlib, "GraphState"),
    "the alias LeafType": lambda: _alias(graphlib, "LeafType"),
    "the alias StateLeaf": lambda: _alias(graphlib, "StateLeaf"),
}


def sayings() -> dict[str, str]:
    """The statements of the installed Flax, by place."""
    return {where: outcome(read) for where, read in PLACES.items()}


def _named_in(said: str) -> tuple[str, ...]:
    words = re.findall(r"\w+", said)
    return tuple(dict.fromkeys(CLASSES[word] for word in words if word in CLASSES))


def _family(leaf: str) -> str:
    """The class of a leaf in the notation of `leaf`, as a name that documentation would use."""
    own = leaf.split("[")[0].split(":")[0]
    if own in ("ArrayImpl", "PRNGKeyArray"):
        return "Array"
    if own in ("MutableArray", "ArrayRef", "Ref"):
        return "Ref"
    if own in ("float", "int"):
        return "scalar"
    return own if own in ("VariableState", "ndarray") else "Variable"


def seen_classes(leaves: dict[str, dict[str, str]]) -> tuple[str, ...]:
    """The classes of leaf that `nnx.state` gave for any construct."""
    cells = (row.get("nnx.state", "") for row in leaves.values())
    found = {
        _family(leaf)
        for cell in cells
        for leaf in cell.split(", ")
        if leaf and " " not in leaf  # "no leaves", "raises ..."
    }
    return tuple(sorted(found))


def _claims_something(words: str) -> bool:
    """Whether the place exists here; a class that took an alias's name claims nothing either."""
    return words != NO_NAME and not words.startswith(("raises ", "<class"))


def judge(said: dict[str, str], leaves: dict[str, dict[str, str]]) -> tuple[Claim, ...]:
    """Each saying against the leaves that were seen."""
    seen = seen_classes(leaves)
    claims: list[Claim] = []
    for where, words in said.items():
        if not _claims_something(words):
            continue
        names = _named_in(words)
        open_to_all = ANYTHING in re.findall(r"\w+", words) or where == EXAMPLE
        missing = () if open_to_all else tuple(item for item in seen if item not in names)
        unseen = tuple(name for name in names if name not in seen)
        claims.append(Claim(where, words, names, missing, unseen))
    return tuple(claims)
