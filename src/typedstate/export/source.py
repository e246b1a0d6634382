"""`to_source`: the Python source of a schema, which gives an equal schema when it is run.

Identifiers are checked before they are written, keys and every other text of the data stand
in it as literals only.
"""

from __future__ import annotations

import builtins
import contextlib
import keyword
import re
import sys
import textwrap
from collections.abc import Hashable, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

import jax
import jaxtyping
import numpy as np
from flax import nnx

from .._annotations.spec_of import name_of, spec_of
from .._spec import dim_grammar, dims
from .._spec.describe import describe
from .._spec.dims import Expr, Name, VariadicDim
from .._spec.nodes import (
    Allowed,
    Anything,
    Argument,
    Array,
    Bound,
    Conditional,
    EntriesSpec,
    Extra,
    Field,
    FlatSpec,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    Map,
    MappingOf,
    ModuleState,
    Node,
    NoValue,
    Partition,
    RecordOf,
    SameSpec,
    Schema,
    SchemaRef,
    ScopedSpec,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
    Within,
)
from ..errors import SchemaError
from ..schema.class_ref import ClassRef
from ..schema.typed_state import SchemaMeta
from .lines import WIDTH, fitted
from .written import can_write, field_hint, is_catalogued, write

_MAX_CLASSES: Final = 2_000
_ABSTRACT_COLLECTIONS: Final = (Sequence, MutableSequence, Mapping, MutableMapping)
_LITERALS: Final = (str, bytes, int, bool, type(None))
_TYPEDSTATE: Final = frozenset(
    {"Alias", "Bind", "Entries", "Exactly", "Flat", "Pure", "Same", "Scoped", "Shared", "StateMap"}
    | {"StateOf", "TypedState", "Values"}
)
_RESERVED: Final = frozenset(
    {*_TYPEDSTATE, *dir(builtins), *dir(jaxtyping), "Annotated", "Any", "Literal", "P", "nnx"}
)


def to_source(hint: Any, *, name: str | None = None) -> str:
    """The source of a schema or form, imports first; when it is run the last name is the schema.

    Forms and classes of `typedstate.layers` are written as they are; what has no words of its own,
    such as a filter that is a lambda, as the classes that it amounts to. Text that comes from the
    data, such as a key that is no identifier, is written as a literal.

    Args:
      hint: a schema class, or a form.
      name: what the schema is called in the source.

    Raises:
      SchemaError: it holds what has no source: a validator, a class that can't be imported.
    """
    writer = _Writer(name_of(hint))
    spec = spec_of(hint)
    if not _is_class(hint) and can_write(hint):
        title = writer.unique(_identifier(name or _alias(hint)))
        writer.blocks.append(fitted(f"{title} = ", write(hint, writer, title), 0))
        return writer.text()
    if isinstance(spec, Node):
        writer.reserve(spec.ref, name)
        writer.node(spec.ref, "")
        wrapper = writer.wrapper(spec.ref.resolve())
        if wrapper:
            title = writer.unique(f"{wrapper}{writer.names[spec.ref]}")
            writer.blocks.append(f"{title} = {wrapper}[{writer.names[spec.ref]}]")
        return writer.text()
    title = writer.unique(_identifier(name or name_of(hint)))
    writer.blocks.append(fitted(f"{title} = ", writer.spec(spec, title), 0))
    return writer.text()


def _is_class(hint: Any) -> bool:
    """Whether a hint is a schema class of the user's, no form and none of the catalogue."""
    return (
        isinstance(hint, SchemaMeta)
        and hint.__typedstate_written__ is None
        and not is_catalogued(hint)
    )


def _alias(hint: Any) -> str:
    """A name for a form, or for what is made of the catalogue."""
    written = getattr(hint, "__typedstate_written__", None)
    optimizer = written is not None and written[0].__name__.endswith("OptimizerState")
    return "ModelOptimizerState" if optimizer else "ModelState"


@dataclass(slots=True)
class _Writer:
    """Collects imports and classes.

    Attributes:
      title: of the hint, for messages.
      imports: module, and the name that is imported from it or "".
      blocks: of source, in order.
      names: of each class.
      done: classes that stand there.
      later: the annotation that is being written names a class that does not stand there yet.
    """

    title: str
    imports: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    blocks: list[str] = field(default_factory=list[str])
    names: dict[SchemaRef, str] = field(default_factory=dict[SchemaRef, str])
    done: set[SchemaRef] = field(default_factory=set[SchemaRef])
    later: bool = False
    _taken: set[str] = field(default_factory=set[str])
    _open: list[SchemaRef] = field(default_factory=list["SchemaRef"])

    def error(self, where: str, text: str) -> SchemaError:
        """A SchemaError that says where."""
        place = f", {where}" if where else ""
        return SchemaError(f"to_source({self.title}{place}): {text}")

    def text(self) -> str:
        """The whole source."""
        froms: dict[str, list[str]] = {}
        for module, item in sorted(self.imports):
            froms.setdefault(module, []).extend([item] if item else [])
        groups: list[list[str]] = [[], []]
        for module, items in sorted(froms.items(), key=lambda pair: (bool(pair[1]), pair[0])):
            line = _wrapped(f"from {module} import ", items) if items else f"import {module}"
            groups[module.partition(".")[0] not in sys.stdlib_module_names].append(line)
        heads = ["\n".join(lines) for lines in groups if lines]
        return "\n\n".join(heads) + "\n\n\n" + "\n\n\n".join(self.blocks) + "\n"

    def unique(self, name: str) -> str:
        """A name that nothing else has."""
        found, number = name, 1
        while found in self._taken or found in _RESERVED or keyword.iskeyword(found):
            number += 1
            found = f"{name}{number}"
        self._taken.add(found)
        return found

    def reserve(self, ref: SchemaRef, name: str | None = None) -> str:
        """The name of a class."""
        if ref not in self.names:
            if len(self.names) > _MAX_CLASSES:
                raise self.error("", f"more than {_MAX_CLASSES} classes")
            plain = re.sub(r"^(?:Pure|Values)\[(.*)\]$", r"\1", ref.name)  # written around it
            self.names[ref] = self.unique(_identifier(name or plain))
        return self.names[ref]

    # -- Classes ---------------------------------------------------------------------------

    def node(self, ref: SchemaRef, where: str) -> str:
        """Writes a class, once, and gives its name."""
        if isinstance(ref, ClassRef) and is_catalogued(ref.cls):
            return self.imported("typedstate.layers", ref.cls.__name__)
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
        extra = self._extra(schema.extra, ref.name)
        self.later = around
        self._open.pop()
        self.done.add(ref)
        head = f"class {title}({self._own('TypedState')}{extra}):"
        notes = _notes(ref)
        self.blocks.append("\n".join([*notes, head, *(lines or ['    """No leaves."""'])]))
        return title

    def wrapper(self, schema: Schema) -> str:
        """The form that says of which container a tree is."""
        match schema.container:
            case "dict":
                return self._own("Pure")
            case "state":
                return self._own("Values")
            case _:
                return ""

    def _field(self, ref: SchemaRef, item: Field, where: str) -> str:
        self.later = False
        raw = field_hint(ref, item.name)
        hint = self.spec(item.spec, where) if raw is None else write(raw, self, where)
        metadata: list[str] = []
        attribute = item.name
        if not (attribute.isidentifier() and not keyword.iskeyword(attribute)):
            attribute = self._unlike(_identifier(attribute))
        if attribute != item.key or type(item.key) is not str:
            metadata.append(f"{self._own('Alias')}({self._key(item.key, where)})")
        if item.shared is not None:
            metadata.append(f"{self._own('Shared')}({_quoted(item.shared)})")
        if item.optional:
            hint = f"{hint} | None"
        if metadata:
            hint = self._annotated(hint, *metadata)
        if self.later:
            hint = _quoted(hint)
        head = f"{attribute}: "
        return f"    {head}{hint}" if self.later else fitted(head, hint)

    def _unlike(self, name: str) -> str:
        return f"{name}_" if name.startswith("__") or keyword.iskeyword(name) else name

    def _key(self, key: Hashable, where: str) -> str:
        """A key as a literal."""
        if type(key) is str:
            return _quoted(key)
        if type(key) in _LITERALS or (type(key) is float and key == key and abs(key) < 1e308):
            with contextlib.suppress(ValueError):  # an int of more digits than Python writes
                return repr(key)
        if type(key) is tuple:
            inner = ", ".join(self._key(item, where) for item in key)
            return f"({inner},)" if len(key) == 1 else f"({inner})"
        raise self.error(where, f"a key of class {type(key).__name__} has no literal")

    def _extra(self, extra: Extra, where: str) -> str:
        if extra.allowed not in ((), (Allowed(),)):
            raise self.error(where, "a form of Plus has no source: write Plus[...] around it")
        if extra.allowed:
            return ', extra="allow"'
        if not extra.patterns:
            return ""
        items = ", ".join(
            f"{_quoted(key)}: {self.spec(spec, where)}" for key, spec in extra.patterns
        )
        return f", extra={{{items}}}"

    # -- Hints -----------------------------------------------------------------------------

    def spec(self, spec: Spec, where: str) -> str:
        """A hint."""
        match spec:
            case Anything():
                return self.imported("typing", "Any")
            case NoValue():
                return "None"
            case Node(ref):
                return self.node(ref, where)
            case Bound(inner, links):
                text = " ".join(self._link(name, expr) for name, expr in links)
                return f"{self._own('Bind')}[{self.spec(inner, where)}, {_quoted(text)}]"
            case Map(key, entry, length):
                self._plain(spec, where)
                hint = f"{self._own('StateMap')}[{key}, {self.spec(entry, where)}]"
                if length is None:
                    return hint
                return f"{self._own('Bind')}[{hint}, {_quoted(f'len={self._expr(length)}')}]"
            case EntriesSpec(items):
                self._plain(spec, where)
                hints = ["None" if item is None else self.spec(item, where) for item in items]
                return f"{self._own('Entries')}[{', '.join(hints)}]"
            case StateOfSpec(Anything()):
                self.imports.add(("flax", "nnx"))
                return "nnx.State"
            case StateOfSpec(leaf):
                return f"{self._own('StateOf')}[{self.spec(leaf, where)}]"
            case Union(options):
                return " | ".join(self.spec(option, where) for option in options)
            case Argument(inner):
                return self.spec(inner, where)
            case ScopedSpec(inner, scope):
                return f"{self._own('Scoped')}[{self.spec(inner, where)}, {_quoted(scope)}]"
            case SameSpec(inner, group):
                return f"{self._own('Same')}[{self.spec(inner, where)}, {_quoted(group)}]"
            case FlatSpec(inner, separator):
                more = "" if separator is None else f", {_quoted(separator)}"
                return f"{self._own('Flat')}[{self.spec(inner, where)}{more}]"
            case Leaf():
                return self._leaf(spec, where)
            case (
                Instance()
                | Literally()
                | Array()
                | TupleOf()
                | ItemsOf()
                | MappingOf()
                | RecordOf()
                | Partition()
                | Validated()
                | Within()
                | Conditional()
                | ModuleState()
            ):
                return self._value(spec, where)
            case _:
                assert_never(spec)

    def _plain(self, spec: Map | EntriesSpec, where: str) -> None:
        extra = spec.extra
        if extra.allowed or extra.patterns:
            raise self.error(where, "a form of Plus has no source: write Plus[...] around it")

    def _leaf(self, leaf: Leaf, where: str) -> str:
        if leaf.predicates:
            raise self.error(where, f"the validator {leaf.predicates[0].text} has no source")
        names = leaf.names or ()
        open_ = bool(names) and (leaf.by_dims or bool(leaf.stacked))
        if leaf.placed is not None or ... in names or open_:
            raise self.error(where, "a form of Placed, Sharded or Stacked with names has no source")
        if leaf.kind is None:
            return self._value(leaf.value, where)
        hint = self.class_name(leaf.kind, where)
        if not isinstance(leaf.value, Anything):
            value = self._value(leaf.value, where)
            if getattr(leaf.kind, "__parameters__", ()):
                hint = f"{hint}[{value}]"
            else:
                hint = self._annotated(hint, value)
        if leaf.exact:
            hint = f"{self._own('Exactly')}[{hint}]"
        if leaf.names is not None:
            entries = ", ".join(self._key(entry, where) for entry in leaf.names)
            self.imports.add(("jax.sharding", "PartitionSpec as P"))
            hint = self._annotated(hint, f"P({entries})")
        return hint

    def _annotated(self, hint: str, *metadata: str) -> str:
        return f"{self.imported('typing', 'Annotated')}[{', '.join([hint, *metadata])}]"

    def _value(self, value: Spec, where: str) -> str:
        match value:
            case Anything():
                return self.imported("typing", "Any")
            case NoValue():
                return "None"
            case Array():
                return self._array(value, where)
            case Instance(cls):
                return self.class_name(cls, where)
            case Literally(values) if all(type(item) in _LITERALS for item in values):
                literal = self.imported("typing", "Literal")
                return f"{literal}[{', '.join(map(repr, values))}]"
            case TupleOf((), None):
                return "tuple[()]"
            case TupleOf(items, rest):
                inner = [self.spec(item, where) for item in items]
                inner += [] if rest is None else [self.spec(rest, where), "..."]
                return f"tuple[{', '.join(inner)}]"
            case ItemsOf(cls, item):
                return f"{self.class_name(cls, where)}[{self.spec(item, where)}]"
            case MappingOf(cls, key, item):
                hints = f"{self.spec(key, where)}, {self.spec(item, where)}"
                return f"{self.class_name(cls, where)}[{hints}]"
            case RecordOf():
                return self._record(value, where)
            case Union(options):
                return " | ".join(self._value(option, where) for option in options)
            case (
                Literally()
                | Partition()
                | Validated()
                | Leaf()
                | Node()
                | Map()
                | EntriesSpec()
                | StateOfSpec()
                | Bound()
                | Argument()
                | Within()
                | ScopedSpec()
                | SameSpec()
                | FlatSpec()
                | Conditional()
                | ModuleState()
            ):
                raise self.error(where, f"{describe(value)} has no source")
            case _:
                assert_never(value)

    def _array(self, array: Array, where: str) -> str:
        cls = self._array_class(array, where)
        if array.dtypes is None and array.shape is None and array.cls is not None:
            return cls
        if array.dtypes is None and array.shape is None and array.abstract:
            return cls
        found: Any = getattr(jaxtyping, array.dtype or "Shaped", None)
        if found is None or (array.dtypes is not None and tuple(found.dtypes) != array.dtypes):
            raise self.error(where, f"jaxtyping has no dtype class {array.dtype!r}")
        if array.inserted:
            raise self.error(where, f"{describe(array)} has no source")
        shape = "..." if array.shape is None else " ".join(map(self._dim, array.shape))
        return f"{self.imported('jaxtyping', array.dtype or 'Shaped')}[{cls}, {_quoted(shape)}]"

    def _array_class(self, array: Array, where: str) -> str:
        if array.abstract:
            self.imports.add(("jax", ""))
            return "jax.ShapeDtypeStruct"
        if array.cls is None:
            return self.imported("typing", "Any")
        if array.cls is jax.Array:
            return self.imported("jaxtyping", "Array")
        return self.class_name(array.cls, where)

    def _record(self, record: RecordOf, where: str) -> str:
        if record.cls is not dict:
            return self.class_name(record.cls, where)
        typed = self.imported("typing_extensions", "TypedDict")
        fields: list[str] = []
        for key, spec in record.fields:
            hint = self.spec(spec, where)
            if key not in record.required:
                hint = f"{self.imported('typing_extensions', 'NotRequired')}[{hint}]"
            fields.append(f"{_quoted(key)}: {hint}")
        title = self.unique("ValueDict")
        self.blocks.append(f"{title} = {typed}({_quoted(title)}, {{{', '.join(fields)}}})")
        return title

    def _dim(self, dim: dims.Dim) -> str:
        if isinstance(dim, VariadicDim):
            return dim_grammar.show_dim(dim)
        if dim.expr is None:
            return "_"
        marks = ("?" if dim.per_leaf else "") + ("#" if dim.broadcast else "")
        return marks + self._expr(dim.expr)

    def _link(self, name: str, expr: Expr[str]) -> str:
        inner, outer = _dim_name(name), self._expr(expr)
        return inner if inner == outer else f"{inner}={outer}"

    def _expr(self, expr: Expr[str]) -> str:
        renamed = dims.substitute(expr, lambda name: Name(_dim_name(name)))
        return dim_grammar.show_expr(renamed)

    # -- Imports ---------------------------------------------------------------------------

    def _own(self, name: str) -> str:
        return self.imported("typedstate", name)

    def quoted(self, text: str) -> str:
        """A literal."""
        return _quoted(text)

    def imported(self, module: str, name: str) -> str:
        """A name from a module."""
        self.imports.add((module, name))
        return name

    def class_name(self, cls: type, where: str) -> str:
        """A class by a name under which it can be imported."""
        if getattr(builtins, cls.__name__, None) is cls:
            return str(cls.__name__)
        if getattr(nnx, cls.__name__, None) is cls:
            return self.imported("flax", "nnx") + f".{cls.__name__}"
        if cls is np.ndarray:
            self.imports.add(("numpy", ""))
            return "numpy.ndarray"
        if cls in _ABSTRACT_COLLECTIONS:
            return self.imported("collections.abc", cls.__name__)
        top = cls.__module__.partition(".")[0]
        for module in dict.fromkeys((top, cls.__module__)):
            if _is_importable(module, cls):
                self.imports.add((module, ""))
                self._taken.add(top)
                return f"{module}.{cls.__qualname__}"
        shown = f"{cls.__module__}.{cls.__qualname__}"
        raise self.error(where, f"the class {shown} can't be imported by that name")


def _notes(ref: SchemaRef) -> list[str]:
    """What `infer` had to say of a class, as comments."""
    notes = getattr(ref.cls, "__typedstate_notes__", ()) if isinstance(ref, ClassRef) else ()
    return [
        f"# {line}" for note in notes for line in textwrap.wrap(note, WIDTH - 2) if line.strip()
    ]


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


def _identifier(name: str) -> str:
    """A class name from any text."""
    words = re.split(r"[\W]+", name, flags=re.ASCII)
    found = "".join(words).strip("_")
    return found if found and not found[0].isdigit() else f"Schema{found}"


def _dim_name(name: str) -> str:
    """A dim's name; those that forms make themselves, such as ``^layers``, become plain."""
    if name.isidentifier() and not keyword.iskeyword(name):
        return name
    return "axis_" + re.sub(r"\W", "_", name, flags=re.ASCII).strip("_")


def _quoted(text: str) -> str:
    """A literal, in double quotes where its text is plain."""
    return (
        f'"{text}"' if re.fullmatch(r"[\w .,:*+/%#?=()\[\]{}'-]*", text, re.ASCII) else repr(text)
    )


def _wrapped(head: str, items: list[str]) -> str:
    line = head + ", ".join(items)
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{head}(", *(f"    {item}," for item in items), ")"])
