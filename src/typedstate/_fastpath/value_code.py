"""Lines of code that recognise a value: its classes, keys, dtypes and guards, not its sizes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, cast

import jax

from .._compat import fast_reads, modules, variables
from .._validation.guards import KeysOf
from .._validation.trace import Guard, Trace
from ..report import Path
from .emitter import INLINE, Emitter, Item, Source
from .statements import ASK, FETCH, KIND, READ, STAGES, Line, differs, refuse

_ITERATE: Final[tuple[Any, ...]] = (cast(Any, tuple).__iter__, cast(Any, list).__iter__)
_SCALARS: Final = (bool, int, float, complex, str, bytes, type(None))


class NotCompilable(Exception):
    """A value whose likeness can't be told by code, e.g. a container class of a user's own."""


class ValueCode:
    """Lines for one value and its parts, by the trace of its walk.

    Attributes:
      text: the emitter with the functions written so far.
      guards: the guards that no line asks yet, by path.
    """

    def __init__(self, text: Emitter, trace: Trace, live_lines: LiveLines) -> None:
        """Starts to write; `live_lines` writes the lines of modules that are read in place."""
        self.text = text
        self.guards = trace.by_path()
        self._live, self._records = trace.live, trace.records
        self._live_lines = live_lines

    def function(self, value: Any, path: Path, source: Source) -> tuple[str, list[int]]:
        """The name of the function that recognises a value, and the shapes that it takes."""
        return self.text.define("v0", self.lines(value, path, source))

    def lines(self, value: Any, path: Path, source: Source) -> list[Line]:
        """Lines that return False unless the value called ``v#0`` is like this one."""
        if path in self._live:
            return self._live_lines(self, value, path, source)
        asked = self.guards.pop(path, [])
        mapping = None if variables.is_variable(value) else variables.mapping_of(value)
        if mapping is not None:
            return self._mapping(value, dict(mapping), path, source, asked)
        guards = self.asked(asked)
        if variables.is_variable(value):
            return [*self._variable(value, path, source), *guards]
        if isinstance(value, tuple | list):
            return [*self._sequence(cast(list[Any], value), path, source), *guards]
        if path in self._records:
            return [*self._record(value, path, source), *guards]
        return [self._raw("v#0", value, path, source), *guards]

    def asked(self, guards: list[Guard], name: str = "v#0", stage: int = ASK) -> list[Line]:
        """Lines that ask guards again, unless their signs show that the answers are the same."""
        asked = [f"{self.text.constant(guard.test, 'g')}({name})" for guard in guards]
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
        text = read.format("v#0") if isinstance(read, str) else f"{self.text.constant(read, 'f')}()"
        return differs(text, "None" if found is None else self.text.constant(found, "k"))

    def other_class(self, name: str, value: Any) -> str:
        """The condition that the object `name` is of another class than a value."""
        return f"type({name}) is not {self.text.class_name(type(value))}"

    def _mapping(
        self,
        value: Any,
        mapping: dict[Hashable, Any],
        path: Path,
        source: Source,
        guards: list[Guard],
    ) -> list[Line]:
        if type(value) is not dict and not variables.is_state(value):
            raise NotCompilable
        kind, size = self.other_class("v#0", value), f"len(v#0) != {len(mapping)}"
        others = [guard for guard in guards if not isinstance(guard.test, KeysOf)]
        asked = [line._replace(stage=KIND) for line in self.asked(others)]
        keys = [
            self._other_keys(guard.test.cls) for guard in guards if isinstance(guard.test, KeysOf)
        ]
        lines = [refuse(f"{kind} or {size}"), *keys, *asked]
        if variables.is_state(cast(Any, value)):
            lines = [
                refuse(kind),
                *asked,
                Line(KIND, f"v#0 = v#0.{fast_reads.MAPPING}"),
                refuse(size),
                *keys,
            ]
            source = (source, "", f".{fast_reads.MAPPING}")
        items = (
            (key, self.item(item, (*path, key), self.at(source, key)))
            for key, item in mapping.items()
        )
        return [*lines, *self.text.items("v#0", items)]

    def _other_keys(self, cls: type) -> Line:
        """Refuses where a key of the dict ``v#0`` is not of a class: `KeysOf`, without a call."""
        return refuse(f"{{*map(type, v#0)}} != {self.text.constant(frozenset({cls}), 'k')}")

    def at(self, source: Source, key: Hashable) -> Source:
        """The expression by which code reads the item under a key."""
        return (source, "", f"[{self.text.constant(key, 'k')}]")

    def item(self, item: Any, path: Path, source: Source) -> Item:
        """Lines for one item of a container."""
        is_tree = isinstance(item, dict | tuple | list) or path in self._records
        leaf = cast(object, item)
        is_tree = is_tree or (
            not variables.is_variable(leaf) and variables.mapping_of(leaf) is not None
        )
        return Item(tuple(self.lines(item, path, source)), is_tree)

    def _sequence(
        self, value: tuple[Any, ...] | list[Any], path: Path, source: Source
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
            (index, self.item(item, (*path, fields[index]), self.at(source, index)))
            for index, item in enumerate(value)
        )
        kind = self.other_class("v#0", value)
        size = refuse(f"{kind} or len(v#0) != {len(value)}")
        return [size, *self.text.items("v#0", items)]

    def _record(self, value: Any, path: Path, source: Source) -> list[Line]:
        """Lines for the fields of a dataclass that the walk read."""
        lines = [refuse(self.other_class("v#0", value))]
        for number, attribute in enumerate(self._records[path]):
            stage = FETCH + number * STAGES
            if not hasattr(value, attribute):
                lines.append(refuse(f"hasattr(v#0, {attribute!r})", stage))
                continue
            there = (source, "", f".{attribute}")
            lines.append(Line(stage, f"v#1 = v#0.{attribute}"))
            item = self.item(getattr(value, attribute), (*path, attribute), there)
            lines += self.text.below(self.text.placed(item, INLINE)[0], 1, stage + 1)
        return lines

    def _variable(self, value: Any, path: Path, source: Source) -> list[Line]:
        raw = variables.raw_value(value)
        slot = fast_reads.slot_of(value)
        lines = [refuse(self.other_class("v#0", value))]
        if slot is None:
            kind = self.text.class_name(variables.kind_of(value))
            kind_of, read = (
                self.text.constant(f, "f") for f in (variables.kind_of, variables.raw_value)
            )
            lines.append(refuse(f"{kind_of}(v#0) is not {kind}"))
            lines.append(Line(FETCH, f"r#0 = {read}(v#0)"))
            source = (source, f"{read}(", ")")
        else:
            if slot == "value":
                kind = self.text.class_name(variables.kind_of(value))
                lines.append(refuse(f"v#0.type is not {kind}"))
            lines.append(Line(FETCH, f"r#0 = v#0.{slot}"))
            source = (source, "", f".{slot}")
        is_tree = isinstance(raw, tuple | list) or path in self._records
        if is_tree or variables.mapping_of(raw) is not None:
            function = self.function(raw, path, source)
            return [*lines, refuse(f"not {self.text.calls(function, 'r#0')}", READ)]
        return [*lines, self._raw("r#0", raw, path, source)]

    def _raw(self, name: str, value: Any, path: Path, source: Source) -> Line:
        kind = self.other_class(name, value)
        if not variables.is_plain_array(value) and _holds_leaves(value):
            raise NotCompilable
        if type(value) in _SCALARS:
            return refuse(kind, READ)
        base = fast_reads.key_base(value)
        if base is not None:
            # the dtype of keys is made anew whenever it is read, by what implements them
            implementation = self.text.constant(fast_reads.key_implementation(value), "i")
            own = f".{fast_reads.KEY_BASE}"
            other = self._array(f"{name}{own}", base, path, (source, "", own))
            made_by = f"{name}.{fast_reads.KEY_IMPLEMENTATION}"
            return refuse(f"{kind} or {made_by} is not {implementation} or {other}", READ)
        if variables.is_shaped(value):
            return refuse(self._array(name, value, path, source), READ)
        is_spec = isinstance(value, jax.sharding.PartitionSpec)
        if not is_spec and (hasattr(value, "__iter__") or hasattr(value, "__getitem__")):
            raise NotCompilable
        return refuse(kind, READ)

    def _array(self, name: str, value: Any, path: Path, source: Source) -> str:
        """Says that an array is of another class or dtype, or has other sizes."""
        kind, aval = self.other_class(name, value), getattr(value, "aval", None)
        asked = self.text.deletion_reader(cast(Any, type(value)))
        gone = "" if asked is None else f" or {asked}({name})"
        if fast_reads.is_interned(aval):
            read = self.text.reader(cast(Any, type(value)))
            shape = self.text.shape(aval, (source, "", ".aval"), path)
            if read is None:
                return f"{kind} or {name}.aval is not {shape}{gone}"
            return f"{read}({name}) is not {shape}{gone}"
        shape = self.text.shape(tuple(value.shape), (source, "", ".shape"), path)
        dtype = self.text.constant(value.dtype, "d")
        sizes = f"{differs(f'{name}.shape', shape)} or {differs(f'{name}.dtype', dtype)}"
        return f"{kind} or {sizes}{gone}"


#: Lines for a live module: of what is below it, the value, its path and source.
LiveLines = Callable[[ValueCode, Any, Path, Source], list[Line]]


def _holds_leaves(value: Any) -> bool:
    return variables.is_variable(value) or modules.is_module(value)
