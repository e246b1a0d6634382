"""The fast path: code that says whether a value is like one that the explainer accepted.

A verdict depends on keys, classes, dtypes and sizes, and on what a `Guard` asks again. The code
compares all of these but the sizes, which it is given; a `Law` says which ones go together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from keyword import iskeyword
from typing import Any, Final, NamedTuple, cast

import jax
import msgspec

from .._compat import fast_reads, modules, variables
from .._compat.module_layout import Child, NodeLayout, layout_of
from .._validation.guards import KeysOf, SameKeys
from .._validation.trace import Guard, Trace
from ..report import Path
from .aliasing import AliasPattern
from .compiled import execute
from .size_code import ShapeSource
from .statements import (
    ASK,
    FETCH,
    KIND,
    READ,
    STAGES,
    Line,
    below,
    differs,
    locals_of,
    named,
    refuse,
    size_of,
    text_of,
)

#: So many like items are looked at in a loop, if that spares so many lines.
_LOOP: Final = 3
_UNROLLED: Final = 24
#: So many items are looked at together: all are fetched before the first is read, so that the
#: processor waits for what is not in its cache once and not for each.
_AT_ONCE: Final = 8
#: The most lines of a sub-tree that stand where it is; longer ones are a function of their own.
_INLINE: Final = 16
_INLINE_IN_LOOP: Final = 60
#: The most sub-trees of one node that do: code must stay small.
_MOST_INLINE: Final = 16
#: Tells objects apart as `id` does, for which JAX has Python call an audit hook each time.
address: Final = object.__hash__
_ITERATE: Final[tuple[Any, ...]] = (cast(Any, tuple).__iter__, cast(Any, list).__iter__)
_SCALARS: Final = (bool, int, float, complex, str, bytes, type(None))
#: Stands in generated code for a measure of the whole value, by its number.
_MEASURE: Final = re.compile(r"@(\d+)@")
_SEE: Final = re.compile(r"if address\((\w+)\) != seen\(\): return False")
#: How code reaches a part of a value: what stands before and after the text of the whole.
Source = tuple["Source", str, str] | None


class NotCompilable(Exception):
    """A value whose likeness can't be told by code, e.g. a container class of a user's own."""


class GuardedCode(msgspec.Struct, frozen=True, eq=False):
    """What was generated for one structure.

    Attributes:
      source: its text.
      like: of a value and measures, whether it is like the accepted one; may raise, for no.
      read: the measures of a value, after a key that equal ones share; may raise, for no.
      measures: those of the value that was accepted.
      places: which measure belongs to the array at a path.
    """

    source: str
    like: Callable[..., bool]
    read: Callable[[Any], tuple[Hashable, tuple[ShapeSource, ...]]]
    measures: tuple[ShapeSource, ...]
    places: Mapping[Path, int]


def generate(value: Any, reading: Trace) -> GuardedCode:
    """Generates the functions that recognise values like this one.

    Args:
      value: one that was accepted.
      reading: how.

    Raises:
      NotCompilable: the value holds something whose class does not decide.
    """
    writer = _Emitter(reading)
    root, order = writer.function(value, (), None)
    if writer.guards:  # of something that the code does not reach, e.g. an attribute
        raise NotCompilable
    measures = [writer.measures[number] for number in order]
    places = {number: place for place, number in enumerate(order)}
    reads = [_text(writer.routes[number], "v0") for number in order]
    keys = [f"address(a{i})" if is_aval(item) else f"a{i}" for i, item in enumerate(measures)]
    read = [f"    a{place} = {text}" for place, text in enumerate(reads)]
    names = ", ".join(f"a{place}" for place in range(len(order)))
    read.append(f"    return ({', '.join(keys)},), ({names},)" if keys else "    return (), ()")
    source = "\n".join([*writer.functions, "def read(v0):", *read, ""])
    execute(source, "guards", writer.names, root)
    writer.share()
    return GuardedCode(
        source,
        writer.names[root],
        writer.names["read"],
        tuple(measures),
        {path: places[number] for path, number in writer.places.items()},
    )


def is_aval(measure: ShapeSource) -> bool:
    """Whether a measure is an abstract value; else it is a shape."""
    return type(measure) is not tuple


def _text(route: Source, whole: str) -> str:
    steps: list[tuple[str, str]] = []
    while route is not None:
        route, before, after = route
        steps.append((before, after))
    for before, after in reversed(steps):
        whole = f"{before}{whole}{after}"
    return whole


class _Item(NamedTuple):
    """What is said of one item ``v#0``: lines, which a tree's function may have."""

    lines: tuple[Line, ...]
    is_tree: bool = False


class _Emitter:
    """Writes the functions; like siblings share a loop, like sub-trees a function.

    Text speaks of a value as ``v#0``, of what is below it as ``v#1``, and of measures as ``@0@``.
    """

    def __init__(self, reading: Trace) -> None:
        self.names: dict[str, Any] = {"address": address}
        self.functions: list[str] = []
        self.measures: list[ShapeSource] = []
        self.routes: list[Source] = []
        self.places: dict[Path, int] = {}
        self._live, self._records = reading.live, reading.records
        self.guards = reading.by_path()
        self._numbers: dict[Hashable, int] = {}
        self._objects: set[int] = set()
        self._data: dict[Hashable, Any] = {}
        self._walks: list[str] = []
        self._shared: list[tuple[AliasPattern, str, list[int], Any]] = []
        self._constants: dict[tuple[type, Hashable], str] = {}
        self._classes: dict[type, str] = {}
        self._readers: dict[type, str | None] = {}
        self._functions: dict[tuple[str, str], str] = {}
        self._moved: dict[tuple[tuple[Line, ...], int, int], list[Line]] = {}

    def share(self) -> None:
        """Lets every `Sharing` learn from the module that was accepted."""
        if not self._shared:
            return
        names = dict(self.names)
        source = _SEE.sub(r"seen(address(\1))", "\n".join(self._walks))
        execute(source, "objects", names, self._shared[0][1])
        for sharing, function, order, module in self._shared:
            sharing.learn(names[function], module, *(self.measures[number] for number in order))

    def constant(self, value: Any, prefix: str) -> str:
        """A value in the generated code: plain keys as they are, all else by a name."""
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

    def _class(self, cls: Any) -> str:
        """The name of a class, which says which one where that is safe."""
        found = self._classes.get(cls)
        if found is None:
            name: str = cls.__name__
            plain = name.isidentifier() and name.isascii() and not iskeyword(name)
            found = self._classes[cls] = self.constant(cls, name if plain else "t")
        return found

    def _reader(self, cls: type) -> str | None:
        """What reads the abstract value of arrays of this class and of no other."""
        if cls not in self._readers:
            read = fast_reads.aval_reader(cls)
            self._readers[cls] = None if read is None else self.constant(read, "aval")
        return self._readers[cls]

    def _measure(self, measure: ShapeSource, route: Source, path: Path) -> str:
        """Stands for the measure of an array; equal ones are one."""
        key = address(measure) if is_aval(measure) else measure
        number = self._numbers.setdefault(key, len(self.measures))
        if number == len(self.measures):
            self.measures.append(measure)
            self.routes.append(route)
        self.places[path] = number
        return f"@{number}@"

    # -- Functions -------------------------------------------------------------------------

    def function(self, value: Any, path: Path, route: Source) -> tuple[str, list[int]]:
        """The name of the function that recognises a value, and the measures that it takes."""
        return self._define("v0", self._value(value, path, route))

    def _define(self, parameters: str, lines: Iterable[Line]) -> tuple[str, list[int]]:
        text = named(text_of(lines)).replace("\n", "\n    ")
        order = list(dict.fromkeys(_MEASURE.findall(text)))
        if order:
            own = {number: f"a{place}" for place, number in enumerate(order)}
            text = _MEASURE.sub(lambda match: own[match[1]], text)
            parameters = f"{parameters}, {', '.join(own.values())}"
        found = self._functions.get((parameters, text))
        if found is None:
            found = f"like{len(self._functions)}"
            self._functions[parameters, text] = found
            self.functions.append(f"def {found}({parameters}):\n    {text}\n    return True")
            if parameters.startswith("v0, seen"):
                self._walks.append(self.functions[-1])
        return found, [int(number) for number in order]

    def _calls(self, function: tuple[str, list[int]], *arguments: str) -> str:
        name, order = function
        return f"{name}({', '.join([*arguments, *(f'@{number}@' for number in order)])})"

    # -- Values ----------------------------------------------------------------------------

    def _value(self, value: Any, path: Path, route: Source) -> list[Line]:
        """Lines that return False unless the value called ``v#0`` is like this one."""
        if path in self._live:
            return self._module(value, path, route)
        guards = self._guards(self.guards.pop(path, []))
        if variables.is_variable(value):
            return [*self._variable(value, path, route), *guards]
        mapping = variables.mapping_of(value)
        if mapping is not None:
            return self._mapping(value, dict(mapping), path, route, guards)
        if isinstance(value, tuple | list):
            return [*self._sequence(cast(list[Any], value), path, route), *guards]
        if path in self._records:
            return [*self._record(value, path, route), *guards]
        return [self._raw("v#0", value, path, route), *guards]

    def _guards(self, guards: list[Guard], name: str = "v#0", stage: int = ASK) -> list[Line]:
        """Asks again, where signs don't show that the answers are the same."""
        asked = [f"{self.constant(guard.test, 'g')}({name})" for guard in guards]
        signed = [i for i, guard in enumerate(guards) if guard.signs is not None]
        lines = [refuse(f"not {asked[i]}", stage) for i in range(len(guards)) if i not in signed]
        if signed:
            signs = [sign for i in signed for sign in guards[i].signs or ()]
            other = " or ".join(dict.fromkeys(map(self._is_other, signs)))
            tests = " and ".join(asked[i] for i in signed)
            lines.append(refuse(f"({other}) and not ({tests})", ASK))
        return lines

    def _is_other(self, sign: fast_reads.Sign) -> str:
        read, found = sign
        text = read.format("v#0") if isinstance(read, str) else f"{self.constant(read, 'f')}()"
        return differs(text, "None" if found is None else self.constant(found, "k"))

    def _type(self, name: str, value: Any) -> str:
        return f"type({name}) is not {self._class(type(value))}"

    def _mapping(
        self,
        value: Any,
        mapping: dict[Hashable, Any],
        path: Path,
        route: Source,
        guards: list[Line],
    ) -> list[Line]:
        if type(value) is not dict and not variables.is_state(value):
            raise NotCompilable
        kind, size = self._type("v#0", value), f"len(v#0) != {len(mapping)}"
        asked = [line._replace(stage=KIND) for line in guards]
        lines = [refuse(f"{kind} or {size}"), *asked]
        if variables.is_state(cast(Any, value)):
            lines = [
                refuse(kind),
                *asked,
                Line(KIND, f"v#0 = v#0.{fast_reads.MAPPING}"),
                refuse(size),
            ]
            route = (route, "", f".{fast_reads.MAPPING}")
        items = (
            (key, self._item(item, (*path, key), self._at(route, key)))
            for key, item in mapping.items()
        )
        return [*lines, *self._items("v#0", items)]

    def _at(self, route: Source, key: Hashable) -> Source:
        return (route, "", f"[{self.constant(key, 'k')}]")

    def _items(self, name: str, items: Iterable[tuple[Hashable, _Item]]) -> list[Line]:
        """Looks at each item of what is called `name`; like ones in a loop."""
        groups: dict[_Item, list[Hashable]] = {}
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
            own, width = self._placed(item, _INLINE if is_small else 0)
            for key in keys:
                lines.append(Line(stage, f"v#{local} = {name}[{self.constant(key, 'k')}]"))
                lines += self._below(own, local, stage + 1)
                local, count = local + width, count + 1
                if count == _AT_ONCE:
                    local, count, stage = 1, 0, stage + STAGES
        return lines

    def _loop(
        self, name: str, keys: list[Hashable], item: _Item, local: int, is_small: bool
    ) -> str:
        own, _ = self._placed(item, _INLINE_IN_LOOP if is_small else 0)
        body = text_of(self._below(own, local, 0)).replace("\n", "\n    ")
        head = f"for k#{local} in {self.constant(tuple(keys), 'k')}:"
        return f"{head}\n    v#{local} = {name}[k#{local}]\n    {body}"

    def _item(self, item: Any, path: Path, route: Source) -> _Item:
        """What is said of an item."""
        is_tree = isinstance(item, dict | tuple | list) or path in self._records
        leaf = cast(object, item)
        is_tree = is_tree or (
            not variables.is_variable(leaf) and variables.mapping_of(leaf) is not None
        )
        return _Item(tuple(self._value(item, path, route)), is_tree)

    def _placed(self, item: _Item, most: int) -> tuple[tuple[Line, ...], int]:
        """An item's lines where it stands, and how many numbers of locals they take.

        A sub-tree's own lines stand there only if they are few.
        """
        if not item.is_tree:
            return item.lines, 1
        if size_of(item.lines) > most:
            return (refuse(f"not {self._calls(self._define('v0', item.lines), 'v#0')}"),), 1
        return item.lines, locals_of(item.lines)

    def _below(self, lines: tuple[Line, ...], local: int, stage: int) -> list[Line]:
        """Lines of a function as those of another, in which their value has this number."""
        moved = self._moved.get((lines, local, stage))
        if moved is None:
            moved = self._moved[lines, local, stage] = below(lines, local, stage)
        return moved

    def _sequence(
        self, value: tuple[Any, ...] | list[Any], path: Path, route: Source
    ) -> list[Line]:
        fields: Any = range(len(value))
        given: Any = value
        if path in self._records:  # a NamedTuple's go by name
            fields = given._fields
            if any(getattr(given, name) is not given[i] for i, name in enumerate(fields)):
                raise NotCompilable
        elif cast(Any, type(given)).__iter__ not in _ITERATE:
            raise NotCompilable
        items = (
            (index, self._item(item, (*path, fields[index]), self._at(route, index)))
            for index, item in enumerate(value)
        )
        kind = self._type("v#0", value)
        size = refuse(f"{kind} or len(v#0) != {len(value)}")
        return [size, *self._items("v#0", items)]

    def _record(self, value: Any, path: Path, route: Source) -> list[Line]:
        """The fields of a dataclass that were looked at."""
        lines = [refuse(self._type("v#0", value))]
        for number, attribute in enumerate(self._records[path]):
            stage = FETCH + number * STAGES
            if not hasattr(value, attribute):
                lines.append(refuse(f"hasattr(v#0, {attribute!r})", stage))
                continue
            there = (route, "", f".{attribute}")
            lines.append(Line(stage, f"v#1 = v#0.{attribute}"))
            item = self._item(getattr(value, attribute), (*path, attribute), there)
            lines += self._below(self._placed(item, _INLINE)[0], 1, stage + 1)
        return lines

    def _variable(self, value: Any, path: Path, route: Source) -> list[Line]:
        raw = variables.raw_value(value)
        slot = fast_reads.slot_of(value)
        lines = [refuse(self._type("v#0", value))]
        if slot is None:
            kind = self._class(variables.kind_of(value))
            kind_of, read = (
                self.constant(f, "f") for f in (variables.kind_of, variables.raw_value)
            )
            lines.append(refuse(f"{kind_of}(v#0) is not {kind}"))
            lines.append(Line(FETCH, f"r#0 = {read}(v#0)"))
            route = (route, f"{read}(", ")")
        else:
            if slot == "value":
                kind = self._class(variables.kind_of(value))
                lines.append(refuse(f"v#0.type is not {kind}"))
            lines.append(Line(FETCH, f"r#0 = v#0.{slot}"))
            route = (route, "", f".{slot}")
        is_tree = isinstance(raw, tuple | list) or path in self._records
        if is_tree or variables.mapping_of(raw) is not None:
            function = self.function(raw, path, route)
            return [*lines, refuse(f"not {self._calls(function, 'r#0')}", READ)]
        return [*lines, self._raw("r#0", raw, path, route)]

    def _raw(self, name: str, value: Any, path: Path, route: Source) -> Line:
        kind = self._type(name, value)
        if not variables.is_plain_array(value) and _holds_leaves(value):
            raise NotCompilable
        if type(value) in _SCALARS:
            return refuse(kind, READ)
        base = fast_reads.key_base(value)
        if base is not None:
            # the dtype of keys is made anew whenever it is read, by what implements them
            implementation = self.constant(fast_reads.key_implementation(value), "i")
            own = f".{fast_reads.KEY_BASE}"
            other = self._array(f"{name}{own}", base, path, (route, "", own))
            made_by = f"{name}.{fast_reads.KEY_IMPLEMENTATION}"
            return refuse(f"{kind} or {made_by} is not {implementation} or {other}", READ)
        if variables.is_shaped(value):
            return refuse(self._array(name, value, path, route), READ)
        is_spec = isinstance(value, jax.sharding.PartitionSpec)
        if not is_spec and (hasattr(value, "__iter__") or hasattr(value, "__getitem__")):
            raise NotCompilable
        return refuse(kind, READ)

    def _array(self, name: str, value: Any, path: Path, route: Source) -> str:
        """Says that an array is of another class or dtype, or has other sizes."""
        kind, aval = self._type(name, value), getattr(value, "aval", None)
        if fast_reads.is_interned(aval):
            read = self._reader(cast(Any, type(value)))
            measure = self._measure(aval, (route, "", ".aval"), path)
            if read is None:
                return f"{kind} or {name}.aval is not {measure}"
            return f"{read}({name}) is not {measure}"
        shape = self._measure(tuple(value.shape), (route, "", ".shape"), path)
        dtype = self.constant(value.dtype, "d")
        return f"{kind} or {differs(f'{name}.shape', shape)} or {differs(f'{name}.dtype', dtype)}"

    # -- Live modules: what `leaves.module_tree` would read, and which of it is one object ----

    def _module(self, module: Any, path: Path, route: Source) -> list[Line]:
        """Lines that return False unless a module has the leaves and the sharing of this one."""
        self._objects = set()
        function = self._node(module, path, route)
        sharing = AliasPattern()
        self._shared.append((sharing, *function, module))
        known = self.constant(sharing, "p")
        like = self._calls(function, "v#0", f"iter({known}.ids).__next__")
        again = self._calls((f"{known}.again", function[1]), "v#0")
        return [refuse(f"not {like} and not {again}")]

    def _node(self, node: Any, path: Path, route: Source) -> tuple[str, list[int]]:
        """The function that recognises a node, and each object below it by what was seen."""
        layout = layout_of(node)
        lines = [refuse(self._type("v0", node)), *self._keys_of(node, layout, path)]
        if modules.is_object(node):
            self._objects.add(address(node))
            lines.append(refuse("address(v0) != seen()"))
        match layout.kind:
            case "attributes":
                if layout.record is not None:
                    same = frozenset(layout.record.items())
                    record = self.constant(self._data.setdefault(same, layout.record), "n")
                    lines.append(refuse(differs(f"v0.{modules.RECORD}", record)))
                before, after = "", ".__dict__"
            case "mapping":
                before, after = "", f".{fast_reads.MAPPING}"
            case "items":
                before, after = "", ""
            case "flatten":
                before, after = f"{self.constant(modules.flatten_of(node), 'f')}(", ")[0]"
        lines.append(Line(KIND, f"d = {before}v0{after}"))
        step = (route, before, after)
        if layout.size is not None:
            lines.append(refuse(f"len(d) != {layout.size}"))
        lines += [refuse(f"{self.constant(name, 'k')} in d") for name in layout.unset]
        items = ((child.place, self._live_item(child, path, step)) for child in layout.children)
        return self._define("v0, seen", [*lines, *self._items("d", items)])

    def _keys_of(self, node: Any, layout: NodeLayout, path: Path) -> list[Line]:
        """Asks again about keys, where a node's class does not say of which class they are."""
        asked = self.guards.pop(path, [])
        if not all(isinstance(guard.test, KeysOf | SameKeys) for guard in asked):
            raise NotCompilable
        is_mapping = layout.kind == "mapping" or type(node) is dict
        return self._guards(asked, "v0", KIND) if is_mapping else []

    def _live_item(self, child: Child, path: Path, route: Source) -> _Item:
        value, path, route = child.value, (*path, child.key), self._at(route, child.place)
        lines: list[Line] = []
        if child.item is not None:
            kind = self._class(type(child.key))
            other = f"type(v#0[0]) is not {kind} or v#0[0] != {self.constant(child.key, 'k')}"
            lines = [refuse(other), Line(KIND, "v#0 = v#0[1]")]
            route = (route, "", "[1]")
            if child.item is not value:
                lines += [refuse(self._type("v#0", child.item)), Line(KIND, "v#0 = v#0.value")]
                route = (route, "", ".value")
        if child.role == "ignored" or modules.has_no_children(value):
            return _Item((*lines, refuse(self._type("v#0", value))))
        see = refuse("address(v#0) != seen()")
        if modules.is_object(value) or variables.is_variable(value):
            if address(value) in self._objects:
                return _Item((*lines, see))  # it is looked at where it was first
            if child.role == "leaf":
                self._objects.add(address(value))
                lines.append(see)
        if child.role == "node":
            function = self._node(value, path, route)
            return _Item((*lines, refuse(f"not {self._calls(function, 'v#0', 'seen')}")))
        item = self._item(value, path, route)
        return _Item((*lines, *item.lines), item.is_tree)


def _holds_leaves(value: Any) -> bool:
    return variables.is_variable(value) or modules.is_module(value)
