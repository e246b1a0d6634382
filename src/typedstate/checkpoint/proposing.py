"""`propose`: guesses rules from names and shapes. `Weights.prove` and a person decide on them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count as count_
from math import prod
from string import ascii_lowercase
from typing import Any, Final, cast

from .._annotations.spec_of import spec_of
from .._spec.questions import outermost_names
from ..checking import explain
from ..derive.trees import abstract
from ..forms import Abstract
from ..report import show_path
from . import safetensors_reader
from .building import values_of
from .errors import AnyPath
from .inspecting import inspect_foreign
from .rearrange import Shape
from .weight_rules import Rule

_LEAST: Final = 0.3
_LETTERS: Final = "ijklmn"
#: Words of other libraries for the same part of a model.
_SAME_WORDS: Final[Mapping[str, str]] = {
    "weight": "kernel",
    "gamma": "scale",
    "beta": "bias",
    "q": "query",
    "k": "key",
    "v": "value",
    "o": "out",
    "output": "out",
    "wte": "embed",
    "embedder": "embed",
    "embeddings": "embed",
    "token": "embed",
    "tokens": "embed",
    "tok": "embed",
    "word": "embed",
    "input": "before",
    "pre": "before",
    "post": "after",
    "layers": "blocks",
    "layer": "blocks",
    "h": "blocks",
    "attn": "attention",
    "running": "",
    "layernorm": "norm",
    "ln": "norm",
    "proj": "",
    "model": "",
    "self": "",
}
#: Leaves that other libraries all call ``weight``; the word can't tell which leaf is meant.
_ENDS: Final = frozenset({"weight", "kernel", "embedding", "scale", "gamma"})
_WORD: Final = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Proposal:
    """Rules that may be right, and the names that got none.

    Attributes:
      rules: one for each pattern of tensors that has a likely leaf.
      unplaced: patterns of tensors for which no leaf was found.
      unfilled: patterns of leaves for which no tensor was found.
      sizes: the sizes of the names in `Rule.axes` that are not among the given dims.
    """

    rules: tuple[Rule, ...]
    unplaced: tuple[str, ...]
    unfilled: tuple[str, ...]
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])

    def __str__(self) -> str:
        """The rules as Python source, marked as a proposal."""
        lines = ["# A proposal, by names and shapes: read every line, then Weights.prove it."]
        lines += [f"{_source(rule)}," for rule in self.rules]
        if self.sizes:
            sizes = ", ".join(f"{name!r}: {size}" for name, size in self.sizes.items())
            lines.append(f"# in axes: dims={{{sizes}}}")
        lines += [f"# no leaf for {name}" for name in self.unplaced]
        lines += [f"# no tensor for {path}" for path in self.unfilled]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON data."""
        rules = [
            {"source": rule.source, "target": rule.target, "axes": rule.axes}
            | ({"transpose": True} if rule.transpose else {})
            for rule in self.rules
        ]
        return {
            "rules": rules,
            "sizes": dict(self.sizes),
            "unplaced": list(self.unplaced),
            "unfilled": list(self.unfilled),
        }


def _source(rule: Rule) -> str:
    how = ", transpose=True" if rule.transpose else ""
    how += f", axes={rule.axes!r}" if rule.axes else ""
    return f"Rule({rule.source!r}, {rule.target!r}{how})"


def propose(
    path: AnyPath,
    hint: Any,
    *,
    dims: Mapping[str, int] | None = None,
    choices: Mapping[str, Any] | None = None,
    like: Any = None,
) -> Proposal:
    """Proposes rules for `Weights`, from the names and shapes in a safetensors checkpoint.

    Args:
      path: a safetensors file or a folder of such with an index.
      hint: a schema or a form of one.
      dims: sizes of its dims.
      choices: a decision for each optional or other open leaf, by path, as for
        ``typedstate.abstract``: ``{"*.bias": False}``.
      like: a state or module, from which the open sizes and decisions are taken.

    Raises:
      CheckpointError: the checkpoint can't be read, or is no safetensors.
      SchemaError: a size or a decision is still open; the error lists them.
    """
    stored = inspect_foreign(path)
    target: Any = cast(Any, abstract)(
        hint, dims=dims, choices=choices, like=like, dtype=("float32", "int32", "bool")
    )
    leaves = _patterns((show_path(at), tuple(one.shape)) for at, one in values_of(target))
    tensors = _patterns((safetensors_reader.name_of(leaf), leaf.shape) for leaf in stored.leaves)
    pairs = sorted(
        (
            (-_likeness(name, leaf), name, leaf)
            for name, shape in tensors.items()
            for leaf, wanted in leaves.items()
            if prod(shape) == prod(wanted) and name.count("{") == leaf.count("{")
        ),
    )
    chosen: dict[str, str] = {}
    for likeness, name, leaf in pairs:
        if -likeness >= _LEAST and name not in chosen and leaf not in chosen.values():
            chosen[name] = leaf
    axes = _Axes(_sizes(hint, target))
    rules = tuple(
        _rule(name, chosen[name], tensors, leaves, axes) for name in tensors if name in chosen
    )
    return Proposal(
        rules,
        tuple(name for name in tensors if name not in chosen),
        tuple(leaf for leaf in leaves if leaf not in chosen.values()),
        axes.own,
    )


def _sizes(hint: Any, target: Any) -> dict[str, int | None]:
    """The sizes of the hint's outermost names in a tree that fits it; None for an open one."""
    as_abstract: Any = Abstract
    found = explain(target, as_abstract[hint]).dims
    names: dict[str, int | None] = dict.fromkeys(outermost_names(spec_of(hint)))
    return names | {name: size for name, size in found.items() if isinstance(size, int)}


@dataclass(slots=True)
class _Axes:
    """Chooses names for the pieces of a split axis: dims of the same size, else letters.

    Attributes:
      dims: the sizes of the schema's names; None for an open one.
      own: the sizes of the letters that were chosen.
    """

    dims: Mapping[str, int | None]
    own: dict[str, int] = field(default_factory=dict[str, int])

    def names(self, sizes: Shape) -> list[str]:
        """A different name for each size."""
        found: list[str] = []
        for size in sizes:
            given = [name for name, one in self.dims.items() if one == size]
            own = [name for name, one in self.own.items() if one == size]
            known = (given if len(given) == 1 else []) + own
            left = [name for name in known if name not in found]
            found.append(left[0] if left else self._new(size))
        return found

    def _new(self, size: int) -> str:
        letters = (f"{letter}{count or ''}" for count in count_(0) for letter in ascii_lowercase)
        name = next(one for one in letters if one not in self.dims and one not in self.own)
        self.own[name] = size
        return name


def _patterns(items: Iterator[tuple[str, Shape]]) -> dict[str, Shape]:
    """Patterns of the names, with holes for numbers, and the shape of the first name of each."""
    found: dict[str, Shape] = {}
    for name, shape in items:
        pieces = re.split(r"(?<![^.\[])\d+(?![^.\]])", name)
        holes = [f"{{{_LETTERS[index % 6]}}}" for index in range(len(pieces) - 1)]
        pattern = "".join(map("".join, zip(pieces, [*holes, ""], strict=True)))
        found.setdefault(pattern, shape)
    return found


def _words(name: str) -> list[str]:
    words = _WORD.findall(re.sub(r"\{\w\}", " ", name.lower().replace("_", " ")))
    words = words[:-1] if len(words) > 1 and words[-1] in _ENDS else words
    return [word for one in words if (word := _SAME_WORDS.get(one, one))]


def _likeness(name: str, leaf: str) -> float:
    """How alike two names are, higher is more; the ends of names count most."""
    ours, theirs = _words(name), _words(leaf)
    ratio = difflib.SequenceMatcher(None, ours, theirs).ratio()
    end = difflib.SequenceMatcher(None, " ".join(ours[-3:]), " ".join(theirs[-3:])).ratio()
    return ratio + end / 2


def _rule(
    name: str,
    leaf: str,
    tensors: Mapping[str, Shape],
    leaves: Mapping[str, Shape],
    axes: _Axes,
) -> Rule:
    shape, wanted = tensors[name], leaves[leaf]
    if len(shape) == len(wanted) == 2 and name.endswith("weight") and leaf.endswith("kernel"):
        return Rule(name, leaf, transpose=True)
    if shape == wanted:
        return Rule(name, leaf)
    if len(shape) == len(wanted) == 2:
        return Rule(name, leaf, transpose=True)
    if (len(shape), len(wanted)) == (2, 3):
        into = shape[1] == wanted[0]
        one, two, three = axes.names(wanted)
        turned = f"({two} {three}) {one} -> {one} {two} {three}"
        kept = f"{three} ({one} {two}) -> {one} {two} {three}"
        return Rule(name, leaf, axes=turned if into else kept)
    return Rule(name, leaf)
