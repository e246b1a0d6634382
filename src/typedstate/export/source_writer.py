"""Turns a spec into source: each schema becomes a class, each hint an expression.

`to_source` calls `Writer`, which writes into a `SourceFile`.
"""

from __future__ import annotations

import contextlib
import keyword
import re
import textwrap
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

import jax
import jaxtyping

from .._spec import dim_grammar, dims, nodes as s
from .._spec.describe import describe
from .._spec.dims import Expr, Name, VariadicDim
from .._spec.leaf_conditions import Allowed
from .._spec.node_groups import StateSpec, ValueSpec
from ..schema.class_ref import ClassRef
from .lines import WIDTH, class_head, fitted
from .source_file import SourceFile, identifier, quoted
from .written import field_hint, is_catalogued, pattern_hint, write

_MAX_CLASSES: Final = 2_000
#: Attributes of inferred classes: the notes of `infer` on the class, and on the whole file.
NOTES: Final = "__typedstate_notes__"
HEAD: Final = "__typedstate_head__"
_LITERALS: Final = (str, bytes, int, bool, type(None))


@dataclass(slots=True)
class Writer:
    """Writes the classes of one hint.

    Attributes:
      file: the file that the classes are written into.
      names: the name of each class.
      done: the classes that the file has.
      later: whether the current annotation names a class that the file does not have yet.
    """

    file: SourceFile
    names: dict[s.SchemaRef, str] = field(default_factory=dict[s.SchemaRef, str])
    done: set[s.SchemaRef] = field(default_factory=set[s.SchemaRef])
    later: bool = False
    _open: list[s.SchemaRef] = field(default_factory=list["s.SchemaRef"])

    def reserve(self, ref: s.SchemaRef, name: str | None = None) -> str:
        """Chooses the name of a class."""
        if ref not in self.names:
            if len(self.names) > _MAX_CLASSES:
                raise self.file.error("", f"more than {_MAX_CLASSES} classes")
            plain = re.sub(r"^(?:Pure|Values)\[(.*)\]$", r"\1", ref.name)  # written around it
            self.names[ref] = self.file.unique(identifier(name or plain))
        return self.names[ref]

    # -- Classes ---------------------------------------------------------------------------

    def node(self, ref: s.SchemaRef, where: str) -> str:
        """Writes a class, once, and gives its name."""
        if isinstance(ref, ClassRef) and is_catalogued(ref.cls):
            return self.file.imported("typedstate.layers", ref.cls.__name__)
        title = self.reserve(ref)
        if ref in self.done:
            return title
        if any(ref is open_ref for open_ref in self._open):
            self.later = True
            return title
        self._open.append(ref)
        around, self.later = self.later, False
        schema = ref.resolve()
        lines = [self._field(ref, item, f"{ref.name}.{item.name}") for item in schema.fields]
        extra = self._extra(ref, schema.extra)
        self.later = around
        self._open.pop()
        self.done.add(ref)
        head = class_head(title, self.file.own("TypedState"), extra)
        notes = comments(getattr(ref.cls, NOTES, ())) if isinstance(ref, ClassRef) else []
        none = '    """No field of its own."""' if extra else '    """No leaves."""'
        self.file.blocks.append("\n".join([*notes, head, *(lines or [none])]))
        return title

    def wrapper(self, schema: s.Schema) -> str:
        """The name of the form for a tree's container, e.g. ``Pure``; empty if none is needed."""
        match schema.container:
            case "dict":
                return self.file.own("Pure")
            case "state":
                return self.file.own("Values")
            case _:
                return ""

    def _field(self, ref: s.SchemaRef, item: s.Field, where: str) -> str:
        self.later = False
        raw = field_hint(ref, item.name)
        hint = self.spec(item.spec, where) if raw is None else write(raw, self, where)
        metadata: list[str] = []
        attribute = item.name
        if not (attribute.isidentifier() and not keyword.iskeyword(attribute)):
            attribute = self._unlike(identifier(attribute))
        if attribute != item.key or type(item.key) is not str:
            metadata.append(f"{self.file.own('Alias')}({self._key(item.key, where)})")
        if item.shared is not None:
            metadata.append(f"{self.file.own('Shared')}({quoted(item.shared)})")
        if item.optional:
            hint = f"{hint} | None"
        if metadata:
            hint = self._annotated(hint, *metadata)
        if self.later:
            hint = quoted(hint)
        head = f"{attribute}: "
        return f"    {head}{hint}" if self.later else fitted(head, hint)

    def _unlike(self, name: str) -> str:
        return f"{name}_" if name.startswith("__") or keyword.iskeyword(name) else name

    def _key(self, key: Hashable, where: str) -> str:
        """A key as a literal."""
        if type(key) is str:
            return quoted(key)
        if type(key) in _LITERALS or (type(key) is float and key == key and abs(key) < 1e308):
            with contextlib.suppress(ValueError):  # an int of more digits than Python writes
                return repr(key)
        if type(key) is tuple:
            inner = ", ".join(self._key(item, where) for item in key)
            return f"({inner},)" if len(key) == 1 else f"({inner})"
        raise self.file.error(where, f"a key of class {type(key).__name__} has no literal")

    def _extra(self, ref: s.SchemaRef, extra: s.Extra) -> str | dict[str, str]:
        """What a class says of other keys: patterns with the hint of each, or a word."""
        if extra.allowed not in ((), (Allowed(),)):
            text = "a form of Plus has no source: write Plus[...] around it"
            raise self.file.error(ref.name, text)
        if extra.allowed:
            return quoted("allow")
        found: dict[str, str] = {}
        for index, pattern in enumerate(extra.patterns):
            raw = pattern_hint(ref, index)
            hint = self.spec(pattern.entry, ref.name) if raw is None else write(raw, self, ref.name)
            found[quoted(self._keys(pattern))] = hint
        return found

    def _keys(self, pattern: s.KeyPattern) -> str:
        if pattern.length is None:
            return pattern.keys
        return pattern.keys.replace("{}", f"{{len={self._expr(pattern.length)}}}")

    # -- Hints -----------------------------------------------------------------------------

    def spec(self, spec: s.Spec, where: str) -> str:
        """The expression of a hint."""
        match spec:
            case s.Anything():
                return self.file.imported("typing", "Any")
            case s.NoValue():
                return "None"
            case s.Node(ref):
                return self.node(ref, where)
            case s.Bound(inner, links):
                text = self._links(links)
                return f"{self.file.own('Bind')}[{self.spec(inner, where)}, {quoted(text)}]"
            case s.Map(key, entry, length):
                self._plain(spec, where)
                hint = f"{self.file.own('StateMap')}[{key}, {self.spec(entry, where)}]"
                if length is None:
                    return hint
                return f"{self.file.own('Bind')}[{hint}, {quoted(f'len={self._expr(length)}')}]"
            case s.EntriesSpec(items):
                self._plain(spec, where)
                hints = ["None" if item is None else self.spec(item, where) for item in items]
                return f"{self.file.own('Entries')}[{', '.join(hints)}]"
            case s.StateOfSpec(s.Anything()):
                self.file.imports.add(("flax", "nnx"))
                return "nnx.State"
            case s.StateOfSpec(leaf):
                return f"{self.file.own('StateOf')}[{self.spec(leaf, where)}]"
            case s.Union(options):
                return " | ".join(self.spec(option, where) for option in options)
            case s.Argument(inner):
                return self.spec(inner, where)
            case s.ScopedSpec(inner, scope):
                return f"{self.file.own('Scoped')}[{self.spec(inner, where)}, {quoted(scope)}]"
            case s.SameSpec(inner, group, by):
                more = "" if by == "structure" else f", {quoted(by)}"
                return f"{self.file.own('Same')}[{self.spec(inner, where)}, {quoted(group)}{more}]"
            case s.PlacedAsSpec(inner, name):
                hint = self.spec(inner, where)
                return f"{self.file.own('PlacedAs')}[{hint}, {quoted(name)}]"
            case s.FlatSpec(inner, separator):
                more = "" if separator is None else f", {quoted(separator)}"
                return f"{self.file.own('Flat')}[{self.spec(inner, where)}{more}]"
            case s.Leaf():
                return self._leaf(spec, where)
            case ValueSpec() | s.Within() | s.Conditional() | s.ModuleState():
                return self._value(spec, where)
            case _:
                assert_never(spec)

    def _plain(self, spec: s.Map | s.EntriesSpec, where: str) -> None:
        extra = spec.extra
        if extra.allowed or extra.patterns:
            raise self.file.error(where, "a form of Plus has no source: write Plus[...] around it")

    def _leaf(self, leaf: s.Leaf, where: str) -> str:
        if leaf.predicates:
            raise self.file.error(where, f"the validator {leaf.predicates[0].text} has no source")
        names = leaf.names or ()
        open_ = bool(names) and (leaf.by_dims or bool(leaf.stacked))
        if leaf.placed is not None or ... in names or open_:
            raise self.file.error(
                where, "a form of Placed, Sharded or Stacked with names has no source"
            )
        if leaf.kind is None:
            return self._stored(leaf, self._value(leaf.value, where))
        hint = self.file.class_name(leaf.kind, where)
        if not isinstance(leaf.value, s.Anything):
            value = self._value(leaf.value, where)
            if getattr(leaf.kind, "__parameters__", ()):
                hint = f"{hint}[{value}]"
            else:
                hint = self._annotated(hint, value)
        if leaf.exact:
            hint = f"{self.file.own('Exactly')}[{hint}]"
        if leaf.names is not None:
            entries = ", ".join(self._key(entry, where) for entry in leaf.names)
            words = leaf.storage.words(lambda axis: self._key(axis, where))
            words = words if entries else words.removeprefix(", ")
            self.file.imports.add(("jax.sharding", "PartitionSpec as P"))
            hint = self._annotated(hint, f"P({entries}{words})")
        return self._stored(leaf, hint)

    def _stored(self, leaf: s.Leaf, hint: str) -> str:
        kind = leaf.storage.memory_kind
        return hint if kind is None else f"{self.file.own('MemoryKind')}[{hint}, {quoted(kind)}]"

    def _annotated(self, hint: str, *metadata: str) -> str:
        return f"{self.file.imported('typing', 'Annotated')}[{', '.join([hint, *metadata])}]"

    def _value(self, value: s.Spec, where: str) -> str:
        match value:
            case s.Anything():
                return self.file.imported("typing", "Any")
            case s.NoValue():
                return "None"
            case s.Array():
                return self._array(value, where)
            case s.Instance(cls):
                return self.file.class_name(cls, where)
            case s.Literally(values) if all(type(item) in _LITERALS for item in values):
                literal = self.file.imported("typing", "Literal")
                return f"{literal}[{', '.join(map(repr, values))}]"
            case s.TupleOf((), None):
                return "tuple[()]"
            case s.TupleOf(items, rest):
                inner = [self.spec(item, where) for item in items]
                if rest is not None:
                    more = f"{self.spec(rest, where)}, ..."
                    inner += [f"*tuple[{more}]" if inner else more]
                return f"tuple[{', '.join(inner)}]"
            case s.ItemsOf(cls, item):
                return f"{self.file.class_name(cls, where)}[{self.spec(item, where)}]"
            case s.MappingOf(cls, key, item):
                hints = f"{self.spec(key, where)}, {self.spec(item, where)}"
                return f"{self.file.class_name(cls, where)}[{hints}]"
            case s.RecordOf():
                return self._record(value, where)
            case s.Union(options):
                return " | ".join(self._value(option, where) for option in options)
            case ValueSpec() | StateSpec():
                raise self.file.error(where, f"{describe(value)} has no source")
            case _:
                assert_never(value)

    def _array(self, array: s.Array, where: str) -> str:
        cls = self._array_class(array, where)
        if array.dtypes is None and array.shape is None and array.cls is not None:
            return cls
        if array.dtypes is None and array.shape is None and array.abstract:
            return cls
        found: Any = getattr(jaxtyping, array.dtype or "Shaped", None)
        if found is None or (array.dtypes is not None and tuple(found.dtypes) != array.dtypes):
            raise self.file.error(where, f"jaxtyping has no dtype class {array.dtype!r}")
        if array.inserted:
            raise self.file.error(where, f"{describe(array)} has no source")
        shape = "..." if array.shape is None else " ".join(map(self._dim, array.shape))
        return f"{self.file.imported('jaxtyping', array.dtype or 'Shaped')}[{cls}, {quoted(shape)}]"

    def _array_class(self, array: s.Array, where: str) -> str:
        if array.abstract:
            self.file.imports.add(("jax", ""))
            return "jax.ShapeDtypeStruct"
        if array.cls is None:
            return self.file.imported("typing", "Any")
        if array.cls is jax.Array:
            return self.file.imported("jaxtyping", "Array")
        return self.file.class_name(array.cls, where)

    def _record(self, record: s.RecordOf, where: str) -> str:
        if record.cls is not dict:
            return self.file.class_name(record.cls, where)
        typed = self.file.imported("typing_extensions", "TypedDict")
        fields: list[str] = []
        for key, spec in record.fields:
            hint = self.spec(spec, where)
            if key not in record.required:
                hint = f"{self.file.imported('typing_extensions', 'NotRequired')}[{hint}]"
            fields.append(f"{quoted(key)}: {hint}")
        title = self.file.unique("ValueDict")
        self.file.blocks.append(f"{title} = {typed}({quoted(title)}, {{{', '.join(fields)}}})")
        return title

    def _dim(self, dim: dims.Dim) -> str:
        if isinstance(dim, VariadicDim):
            return dim_grammar.show_dim(dim)
        if dim.expr is None:
            return "_"
        marks = ("?" if dim.per_leaf else "") + ("#" if dim.broadcast else "")
        return marks + self._expr(dim.expr)

    def _links(self, links: tuple[tuple[str, Expr[str]], ...]) -> str:
        return " ".join(self._link(name, expr) for name, expr in links)

    def _link(self, name: str, expr: Expr[str]) -> str:
        inner, outer = _dim_name(name), self._expr(expr)
        return inner if inner == outer else f"{inner}={outer}"

    def _expr(self, expr: Expr[str]) -> str:
        renamed = dims.substitute(expr, lambda name: Name(_dim_name(name)))
        return dim_grammar.show_expr(renamed)

    # -- Imports ---------------------------------------------------------------------------


def comments(notes: Iterable[str]) -> list[str]:
    """The notes of `infer` about a class or the whole, as comments."""
    return [
        f"# {line}" for note in notes for line in textwrap.wrap(note, WIDTH - 2) if line.strip()
    ]


def _dim_name(name: str) -> str:
    """The name of a dim, without the mark of names that forms made, such as ``^layers``."""
    if name.isidentifier() and not keyword.iskeyword(name):
        return name
    return "axis_" + re.sub(r"\W", "_", name, flags=re.ASCII).strip("_")
