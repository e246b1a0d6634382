"""The fast path: decisions that the explainer made, replayed by generated code.

A verdict depends on keys, classes, dtypes and shapes, and on what a `Guard` asks again. So
when a value was accepted, a function is generated that says whether another one is like it in
all of these; where it is not, the explainer decides. The two can't disagree.
"""

from __future__ import annotations

import linecache
import re
import weakref
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from itertools import count
from typing import Any, Final, cast

import jax

from . import leaves
from .evidence import Evidence, Guard
from .law import Law
from .layout import Child, layout_of
from .spec import Path

_MAX_PLANS: Final = 16
_LOOP: Final = 3
_SCALARS: Final = (bool, int, float, complex, str, bytes, type(None))
_numbers: Final = count()
#: Stands in generated code for one more argument: where a function reads arrays, not compares.
_READ: Final = "§"
_AVAL: Final = re.compile(r"if (\w+)\.aval is not (a\d+):")


class Unrepeatable(Exception):
    """A value whose likeness can't be told by code, e.g. a container class of a user's own."""


class Plan:
    """One accepted structure.

    Attributes:
      match: whether a value is like the one that was accepted; may raise, which means no.
      source: its generated code.
      structure: what it was made from, kept with it.
    """

    __slots__ = ("__weakref__", "match", "source", "structure")

    def __init__(
        self, match: Callable[[Any], bool], source: str, structure: Structure | None = None
    ) -> None:
        """Keeps the generated function."""
        self.match = match
        self.source = source
        self.structure = structure


class Plans:
    """The structures that were accepted for one hint, the latest used first; bounded."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._known: tuple[Plan, ...] = ()

    def match(self, value: Any) -> Plan | None:
        """The plan that a value is like, None where the explainer must decide."""
        for plan in self._known:
            try:
                if plan.match(value):
                    return plan
            except Exception:  # a missing key, an attribute that is not there: not alike
                continue
        return None

    def resize(self, value: Any) -> Plan | None:
        """The plan of a value that is like a known one but for sizes that its law allows."""
        for structure in dict.fromkeys(plan.structure for plan in self._known):
            if structure is None or structure.law is None:
                continue
            arrays = structure.arrays_of(value)
            if arrays is not None and structure.law.allows(arrays):
                return self._keep(structure.plan(arrays))
        return None

    def learn(self, value: Any, found: Evidence, root: str = "") -> Plan | None:
        """Generates the plan of a value that the explainer accepted, where that can be."""
        if not found.repeatable:
            return None
        try:
            guards, live = found.guards.get(root, []), found.live.get(root, set())
            structure = generate(value, guards, live)
        except (Unrepeatable, RecursionError):
            return None
        structure.law = found.law(root, structure.places, structure.arrays)
        return self._keep(structure.plan(structure.arrays))

    def _keep(self, plan: Plan) -> Plan:
        self._known = (plan, *self._known[: _MAX_PLANS - 1])
        return plan

    def sources(self) -> list[str]:
        """The generated code of each structure."""
        return list(dict.fromkeys(plan.source for plan in self._known))


class Structure:
    """The generated code of values that are alike but for the sizes of their arrays.

    Attributes:
      source: of the function that recognises values with given abstract values of arrays.
      arrays: those of the value that was accepted, by their names in the code.
      places: which of them stands where.
      law: the sizes that it may have; None where the explainer must say.
    """

    __slots__ = (
        *("__weakref__", "_code", "_names", "_read", "_root", "_text"),
        *("arrays", "law", "places", "source"),
    )

    def __init__(self, writer: _Writer, root: str) -> None:
        """Compiles what was written."""
        self._text = "\n".join(line for lines in writer.functions for line in lines) + "\n"
        self._names, self._root = writer.names, root
        self._read: Callable[[Any, Callable[[str, Any], Any]], bool] | None = None
        self.arrays, self.places = writer.arrays, writer.places
        self.law: Law | None = None
        self.source = self._text.replace(_READ, "")
        name = f"<typedstate plan {next(_numbers)}>"
        self._code = compile(self.source, name, "exec")
        lines = self.source.splitlines(keepends=True)
        linecache.cache[name] = (len(self.source), None, lines, name)
        weakref.finalize(self, linecache.cache.pop, name, None)

    def plan(self, arrays: Mapping[str, Any]) -> Plan:
        """Recognises values whose arrays have these abstract values."""
        names = {**self._names, **arrays}
        exec(self._code, names)
        return Plan(names[self._root], self.source, self)

    def arrays_of(self, value: Any) -> dict[str, Any] | None:
        """The abstract values of a value's arrays, None where something else differs."""
        read = self._read
        if read is None:  # only some states ever come in other sizes
            text = _AVAL.sub(r'if keep("\2", a := \1.aval) is not a:', self._text)
            names = dict(self._names)
            exec(text.replace(_READ, ", keep"), names)
            read = self._read = names[self._root]
        arrays: dict[str, Any] = {}
        try:
            return arrays if read(value, arrays.setdefault) else None
        except Exception:  # a missing key, an attribute that is not there: not alike
            return None


def generate(value: Any, guards: list[Guard], live: Collection[Path] = ()) -> Structure:
    """Generates the functions that recognise values like this one.

    Args:
      value: one that was accepted.
      guards: what the code asks again.
      live: where a live module stands that was read in place.

    Raises:
      Unrepeatable: the value holds something whose class does not decide.
    """
    writer = _Writer(guards, live)
    root = writer.function(value, ())
    if writer.unasked:  # a guard of something that the code does not reach, e.g. an attribute
        raise Unrepeatable
    structure = Structure(writer, root)
    if writer.shared:
        found = structure.plan(structure.arrays).match.__globals__
        for pattern, function, module in writer.shared:
            objects: list[int] = []
            found[function](module, objects.append)
            writer.names[pattern] = _occurrences(objects)
    return structure


def _holds_leaves(value: Any) -> bool:
    return leaves.is_variable(value) or leaves.is_module(value)


def _occurrences(objects: list[int]) -> list[int]:
    """For each object the position at which it came first: equal where equal ones are shared."""
    first: dict[int, int] = {}
    return [first.setdefault(number, index) for index, number in enumerate(objects)]


class _Writer:
    """Writes one function per distinct sub-tree; like siblings share it in a loop."""

    def __init__(self, guards: list[Guard], live: Collection[Path]) -> None:
        self.names: dict[str, Any] = {}
        self.functions: list[list[str]] = []
        self.shared: list[tuple[str, str, Any]] = []
        self.arrays: dict[str, Any] = {}
        self.places: dict[Path, str | None] = {}
        self._live = live
        self._arrays: dict[int, str] = {}
        self._objects: dict[int, int] = {}
        self._records: dict[Hashable, Any] = {}
        self._guards: dict[Path, list[Guard]] = {}
        for guard in guards:
            self._guards.setdefault(guard.path, []).append(guard)
        self.unasked = set(self._guards)
        self._constants: dict[tuple[type, Hashable], str] = {}
        self._functions: dict[tuple[Hashable, ...], str] = {}

    def constant(self, value: Any, prefix: str) -> str:
        """The name of a value in the generated code, which never contains its text."""
        cls: type = cast(Any, type(value))
        try:
            key: tuple[type, Hashable] = (cls, value if prefix == "k" else id(value))
            found = self._constants.get(key)
        except TypeError:
            key, found = (cls, id(value)), None
        if found is None:
            found = f"{prefix}{len(self.names)}"
            self.names[found] = value
            self._constants[key] = found
        return found

    def function(self, value: Any, path: Path) -> str:
        """The name of the function that recognises a value."""
        return self._define("m", self._value("m", value, path))

    def _define(self, parameters: str, lines: list[str]) -> str:
        key = (parameters, *lines)
        found = self._functions.get(key)
        if found is None:
            found = f"like{len(self._functions)}"
            self._functions[key] = found
            body = [f"    {line}" for line in lines]
            self.functions.append([f"def {found}({parameters}{_READ}):", *body, "    return True"])
        return found

    def _value(self, name: str, value: Any, path: Path) -> list[str]:
        """Lines that return False unless the value called `name` is like this one."""
        if path in self._live:
            return self._module(name, value, path)
        self.unasked.discard(path)
        guards = [
            f"if not {self.constant(guard.test, 'g')}({name}): return False"
            for guard in self._guards.get(path, ())
        ]
        if leaves.is_variable(value):
            return [*self._variable(name, value, path), *guards]
        mapping = leaves.mapping_of(value)
        if mapping is not None:
            return [*self._mapping(name, value, dict(mapping), path), *guards]
        if isinstance(value, tuple | list):
            return [*self._sequence(name, cast(list[Any], value), path), *guards]
        return [*self._raw(name, value, path), *guards]

    def _type(self, name: str, value: Any) -> str:
        return f"if type({name}) is not {self.constant(type(value), 't')}: return False"

    def _mapping(
        self, name: str, value: Any, mapping: dict[Hashable, Any], path: Path
    ) -> list[str]:
        if type(value) is not dict and not leaves.is_state(value):
            raise Unrepeatable
        lines = [self._type(name, value)]
        if leaves.is_state(cast(Any, value)):
            lines.append(f"{name} = {name}._mapping")
        lines.append(f"if len({name}) != {len(mapping)}: return False")
        children = ((key, self._child(item, (*path, key))) for key, item in mapping.items())
        return [*lines, *self._children(name, children)]

    def _children(
        self, name: str, children: Iterable[tuple[Hashable, tuple[str, ...]]]
    ) -> list[str]:
        """Looks at each item ``v`` of the mapping called `name`; like ones in a loop."""
        groups: dict[tuple[str, ...], list[Hashable]] = {}
        for key, child in children:
            groups.setdefault(child, []).append(key)
        lines: list[str] = []
        for child, keys in groups.items():
            if len(keys) >= _LOOP:
                lines.append(f"for k in {self.constant(tuple(keys), 'k')}:")
                lines.append(f"    v = {name}[k]")
                lines += [f"    {line}" for line in child]
                continue
            for key in keys:
                lines.append(f"v = {name}[{self.constant(key, 'k')}]")
                lines += child
        return lines

    def _child(self, item: Any, path: Path) -> tuple[str, ...]:
        """What is said of ``v``: leaves inline, sub-trees by their function."""
        if leaves.mapping_of(item) is not None or isinstance(item, tuple | list):
            return (f"if not {self.function(item, path)}(v{_READ}): return False",)
        return tuple(self._value("v", item, path))

    def _sequence(self, name: str, value: tuple[Any, ...] | list[Any], path: Path) -> list[str]:
        lines = [self._type(name, value), f"if len({name}) != {len(value)}: return False"]
        for index, item in enumerate(value):
            below = self._below(value, index, path)
            if type(item) in _SCALARS and below not in self._guards:
                kind = self.constant(type(item), "t")
                lines.append(f"if type({name}[{index}]) is not {kind}: return False")
            else:
                function = self.function(item, below)
                lines.append(f"if not {function}({name}[{index}]{_READ}): return False")
        return lines

    def _below(self, value: tuple[Any, ...] | list[Any], index: int, path: Path) -> Path:
        """The path of an item as guards have it: a NamedTuple's may go by its field."""
        fields = getattr(value, "_fields", None)
        named = path if fields is None else (*path, fields[index])
        if len(named) > len(path) and any(other[: len(named)] == named for other in self._guards):
            return named
        return (*path, index)

    def _variable(self, name: str, value: Any, path: Path) -> list[str]:
        raw = leaves.raw_value(value)
        slot = leaves.slot_of(value)
        lines = [self._type(name, value)]
        if slot is None:
            kind = self.constant(leaves.kind_of(value), "t")
            kind_of = self.constant(leaves.kind_of, "f")
            lines.append(f"if {kind_of}({name}) is not {kind}: return False")
            lines.append(f"r = {self.constant(leaves.raw_value, 'f')}({name})")
        else:
            if slot == "value":
                kind = self.constant(leaves.kind_of(value), "t")
                lines.append(f"if {name}.type is not {kind}: return False")
            lines.append(f"r = {name}.{slot}")
        if leaves.mapping_of(raw) is not None or isinstance(raw, tuple | list):
            return [*lines, f"if not {self.function(raw, path)}(r{_READ}): return False"]
        return [*lines, *self._raw("r", raw, path)]

    def _raw(self, name: str, value: Any, path: Path) -> list[str]:
        lines = [self._type(name, value)]
        if not leaves.is_plain_array(value) and _holds_leaves(value):
            raise Unrepeatable
        if type(value) in _SCALARS:
            return lines
        base = leaves.key_base(value)
        if base is not None:
            # the dtype of keys is made anew whenever it is read, by what implements them
            implementation = self.constant(leaves.key_implementation(value), "i")
            lines.append(f"if {name}._impl is not {implementation}: return False")
            lines.append(f"b = {name}._base_array")
            if leaves.AVALS_ARE_INTERNED:
                aval = self.constant(base.aval, "b")
                self.places[path] = None
                return [*lines, f"if b.aval is not {aval}: return False"]
            return [*lines, *self._shape("b", base, path)]
        if hasattr(value, "aval") and leaves.AVALS_ARE_INTERNED:
            array = self._arrays.setdefault(id(value.aval), f"a{len(self._arrays)}")
            self.arrays[array] = value.aval
            self.places[path] = array
            return [*lines, f"if {name}.aval is not {array}: return False"]
        if leaves.is_shaped(value):
            return [*lines, *self._shape(name, value, path)]
        is_spec = isinstance(value, jax.sharding.PartitionSpec)
        if not is_spec and (hasattr(value, "__iter__") or hasattr(value, "__getitem__")):
            raise Unrepeatable
        return lines

    def _shape(self, name: str, value: Any, path: Path) -> list[str]:
        self.places[path] = None
        shape, dtype = self.constant(tuple(value.shape), "k"), self.constant(value.dtype, "d")
        return [
            f"if {name}.shape != {shape} or {name}.dtype != {dtype}: return False",
        ]

    # -- Live modules: what `leaves.module_tree` would read, and which of it is one object ----

    def _module(self, name: str, module: Any, path: Path) -> list[str]:
        """Lines that return False unless a module has the leaves and the sharing of this one."""
        if path in self._guards:
            raise Unrepeatable
        self._objects = {}
        function = self._node(module, path)
        count = sum(self._objects.values())
        if count == len(self._objects):
            return [
                "s = set()",
                f"if not {function}({name}, s.add{_READ}) or len(s) != {count}: return False",
            ]
        pattern = f"p{len(self.names)}"
        self.names[pattern] = None  # known once the function is there
        self.shared.append((pattern, function, module))
        occurrences = self.constant(_occurrences, "f")
        return [
            "s = []",
            f"if not {function}({name}, s.append{_READ}): return False",
            f"if {occurrences}(s) != {pattern}: return False",
        ]

    def _node(self, node: Any, path: Path) -> str:
        """The name of the function that recognises a node and adds each object to those seen."""
        layout = layout_of(node)
        lines = [self._type("m", node)]
        if leaves.is_object(node):
            self._objects[id(node)] = 1
            lines.append("add(id(m))")
        match layout.kind:
            case "attributes":
                if layout.record is not None:
                    same = frozenset(layout.record.items())
                    record = self.constant(self._records.setdefault(same, layout.record), "n")
                    lines.append(f"n = m.{leaves.RECORD}")
                    lines.append(f"if n is not {record} and n != {record}: return False")
                lines.append("d = m.__dict__")
            case "mapping":
                lines.append("d = m._mapping")
            case "items":
                lines.append("d = m")
            case "flatten":
                lines.append(f"d = {self.constant(leaves.flatten_of(node), 'f')}(m)[0]")
        if layout.size is not None:
            lines.append(f"if len(d) != {layout.size}: return False")
        lines += [f"if {self.constant(name, 'k')} in d: return False" for name in layout.unset]
        children = ((child.place, self._live_child(child, path)) for child in layout.children)
        return self._define("m, add", [*lines, *self._children("d", children)])

    def _live_child(self, child: Child, path: Path) -> tuple[str, ...]:
        value, path = child.value, (*path, child.key)
        lines: list[str] = []
        if child.item is not None:
            lines = [f"if v[0] != {self.constant(child.key, 'k')}: return False", "v = v[1]"]
            if child.item is not value:
                lines += [self._type("v", child.item), "v = v.value"]
        if child.role == "ignored" or leaves.has_no_children(value):
            return (*lines, self._type("v", value))
        if leaves.is_object(value) or leaves.is_variable(value):
            if id(value) in self._objects:
                self._objects[id(value)] += 1
                return (*lines, "add(id(v))")  # it is looked at where it comes first
            if child.role == "leaf":
                self._objects[id(value)] = 1
                lines.append("add(id(v))")
        if child.role == "node":
            function = self._node(value, path)
            return (*lines, f"if not {function}(v, add{_READ}): return False")
        return (*lines, *self._value("v", value, path))
