"""Text of functions that compare: like siblings share a loop, like sub-trees a function.

Text speaks of the value of a function as ``v#0``, of values below it as ``v#1``, ..., and of the
shapes that a function is given as ``@0@``.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from keyword import iskeyword
from typing import Any, Final, NamedTuple, cast

from .._compat import fast_reads
from ..report import Path
from . import statements
from .aliasing import AliasPattern
from .compiled import execute
from .size_code import ShapeSource
from .statements import FETCH, STAGES, Line, locals_of, named, refuse, size_of, text_of

#: So many like items are looked at in a loop, if that spares so many lines.
_LOOP: Final = 3
_UNROLLED: Final = 24
#: So many items are looked at together: all are fetched before the first is read, so that the
#: processor waits for what is not in its cache once and not for each.
_AT_ONCE: Final = 8
#: The most lines of a sub-tree that stand where it is; longer ones are a function of their own.
INLINE: Final = 16
_INLINE_IN_LOOP: Final = 60
#: The most sub-trees of one node that do: code must stay small.
_MOST_INLINE: Final = 16
#: Tells objects apart as `id` does, for which JAX has Python call an audit hook each time.
address: Final = object.__hash__
#: Stands in generated code for the shape of an array, by its number.
_SHAPE: Final = re.compile(r"@(\d+)@")
_SEE: Final = re.compile(r"if address\((\w+)\) != seen\(\): return False")
#: How code reaches a part of a value: what stands before and after the text of the whole.
Source = tuple["Source", str, str] | None


def is_aval(shape: ShapeSource) -> bool:
    """Whether a shape is read from an abstract value; else it is a tuple."""
    return type(shape) is not tuple


class Item(NamedTuple):
    """Lines for an item, of which a sub-tree's may become a function."""

    lines: tuple[Line, ...]
    is_tree: bool = False


class Emitter:
    """Writes functions, and keeps the objects that they compare with.

    Attributes:
      names: the globals of the functions, by name.
      functions: the texts of the functions.
      shapes: the shapes of arrays, without repetition.
      sources: for each shape, the text that reads an array with it.
      places: the index of the shape of the array at each path.
    """

    def __init__(self) -> None:
        """Has written nothing yet."""
        self.names: dict[str, Any] = {"address": address}
        self.functions: list[str] = []
        self.shapes: list[ShapeSource] = []
        self.sources: list[Source] = []
        self.places: dict[Path, int] = {}
        self._numbers: dict[Hashable, int] = {}
        self._walks: list[str] = []
        self._records: dict[Hashable, Any] = {}
        self._shared: list[tuple[AliasPattern, str, list[int], Any]] = []
        self._constants: dict[tuple[type, Hashable], str] = {}
        self._classes: dict[type, str] = {}
        self._readers: dict[type, str | None] = {}
        self._functions: dict[tuple[str, str], str] = {}
        self._moved: dict[tuple[tuple[Line, ...], int, int], list[Line]] = {}

    def keep_aliases(self, function: tuple[str, list[int]], module: Any) -> AliasPattern:
        """The pattern of a module's aliases, which `learn_aliases` fills; a function shows them."""
        aliases = AliasPattern()
        self._shared.append((aliases, *function, module))
        return aliases

    def learn_aliases(self) -> None:
        """Lets every `AliasPattern` learn from the module that was accepted."""
        if not self._shared:
            return
        names = dict(self.names)
        source = _SEE.sub(r"seen(address(\1))", "\n".join(self._walks))
        execute(source, "objects", names, self._shared[0][1])
        for aliases, function, order, module in self._shared:
            aliases.learn(names[function], module, *(self.shapes[number] for number in order))

    def constant(self, value: Any, prefix: str) -> str:
        """The text of a value: that of a plain key, the name of any other."""
        cls: type = cast(Any, type(value))
        is_short = cls is int and abs(value) < 1 << 64  # Python writes no int of many digits
        if is_short or (cls is str and value.isidentifier() and value.isascii()):
            return repr(value)
        try:
            # questions are compared, as equal ones are one: functions are equal to themselves
            by_value = prefix in ("k", "g")
            key: tuple[type, Hashable] = (cls, value if by_value else address(value))
            found = self._constants.get(key)
        except TypeError:
            key, found = (cls, address(value)), None
        if found is None:
            found = f"{prefix}_{len(self.names)}"
            self.names[found] = value
            self._constants[key] = found
        return found

    def record(self, record: Mapping[str, bool]) -> str:
        """The name of a record of Flax's about attributes; equal ones are one."""
        same = frozenset(record.items())
        return self.constant(self._records.setdefault(same, record), "n")

    def class_name(self, cls: Any) -> str:
        """The global name of a class: its own name, if that is an identifier."""
        found = self._classes.get(cls)
        if found is None:
            name: str = cls.__name__
            plain = name.isidentifier() and name.isascii() and not iskeyword(name)
            found = self._classes[cls] = self.constant(cls, name if plain else "t")
        return found

    def reader(self, cls: type) -> str | None:
        """The name of a function that reads abstract values of arrays of this class only."""
        if cls not in self._readers:
            read = fast_reads.aval_reader(cls)
            self._readers[cls] = None if read is None else self.constant(read, "aval")
        return self._readers[cls]

    def deletion_reader(self, cls: type) -> str | None:
        """The name of a function that says whether an array of this class is gone, if any can be.

        It is the method of the class, as looking that up through each array takes a third longer.
        """
        read = fast_reads.deletion_reader(cls)
        return None if read is None else self.constant(read, "gone")

    def shape(self, shape: ShapeSource, source: Source, path: Path) -> str:
        """A placeholder for the shape of an array; equal ones are one."""
        key = address(shape) if is_aval(shape) else shape
        number = self._numbers.setdefault(key, len(self.shapes))
        if number == len(self.shapes):
            self.shapes.append(shape)
            self.sources.append(source)
        self.places[path] = number
        return f"@{number}@"

    def define(self, parameters: str, lines: Iterable[Line]) -> tuple[str, list[int]]:
        """Writes a function, once: its name, and the numbers of the shapes that it takes."""
        text = named(text_of(lines)).replace("\n", "\n    ")
        order = list(dict.fromkeys(_SHAPE.findall(text)))
        if order:
            own = {number: f"a{place}" for place, number in enumerate(order)}
            text = _SHAPE.sub(lambda match: own[match[1]], text)
            parameters = f"{parameters}, {', '.join(own.values())}"
        found = self._functions.get((parameters, text))
        if found is None:
            found = f"like{len(self._functions)}"
            self._functions[parameters, text] = found
            self.functions.append(f"def {found}({parameters}):\n    {text}\n    return True")
            if parameters.startswith("v0, seen"):
                self._walks.append(self.functions[-1])
        return found, [int(number) for number in order]

    def calls(self, function: tuple[str, list[int]], *arguments: str) -> str:
        """The text of a call."""
        name, order = function
        return f"{name}({', '.join([*arguments, *(f'@{number}@' for number in order)])})"

    def items(self, name: str, items: Iterable[tuple[Hashable, Item]]) -> list[Line]:
        """Lines for the items of a container called `name`; like ones share a loop."""
        groups: dict[Item, list[Hashable]] = {}
        for key, item in items:
            groups.setdefault(item, []).append(key)
        is_small = sum(item.is_tree for item in groups) <= _MOST_INLINE
        lines: list[Line] = []
        local, count, stage = 1, 0, FETCH
        for item, keys in groups.items():
            if len(keys) >= _LOOP and len(keys) * size_of(item.lines) > _UNROLLED:
                lines.append(Line(stage, self._loop(name, keys, item, local, is_small)))
                local, count, stage = 1, 0, stage + STAGES
                continue
            own, width = self.placed(item, INLINE if is_small else 0)
            for key in keys:
                lines.append(Line(stage, f"v#{local} = {name}[{self.constant(key, 'k')}]"))
                lines += self.below(own, local, stage + 1)
                local, count = local + width, count + 1
                if count == _AT_ONCE:
                    local, count, stage = 1, 0, stage + STAGES
        return lines

    def _loop(self, name: str, keys: list[Hashable], item: Item, local: int, is_small: bool) -> str:
        own, _ = self.placed(item, _INLINE_IN_LOOP if is_small else 0)
        body = text_of(self.below(own, local, 0)).replace("\n", "\n    ")
        head = f"for k#{local} in {self.constant(tuple(keys), 'k')}:"
        return f"{head}\n    v#{local} = {name}[k#{local}]\n    {body}"

    def placed(self, item: Item, most: int) -> tuple[tuple[Line, ...], int]:
        """An item's lines where it stands, and how many numbers of locals they take.

        A sub-tree's own lines stand there only if they are few.
        """
        if not item.is_tree:
            return item.lines, 1
        if size_of(item.lines) > most:
            return (refuse(f"not {self.calls(self.define('v0', item.lines), 'v#0')}"),), 1
        return item.lines, locals_of(item.lines)

    def below(self, lines: tuple[Line, ...], local: int, stage: int) -> list[Line]:
        """Lines of a function as those of another, in which their value has this number."""
        moved = self._moved.get((lines, local, stage))
        if moved is None:
            moved = self._moved[lines, local, stage] = statements.below(lines, local, stage)
        return moved
