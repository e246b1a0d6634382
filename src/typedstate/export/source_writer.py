"""Turns a spec into source: each schema becomes a class, each hint an expression.

`to_source` calls `Writer`, which writes into a `SourceFile`.
"""

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Final, assert_never, cast

from .._spec import nodes as s
from .._spec.leaf_conditions import Allowed
from .._spec.node_groups import ValueSpec
from .._spec.questions import unbind
from .._spec.transform import Transform
from ..schema.class_ref import ClassRef
from .argument_forms import Variable, alternatives, variable_in
from .attributes import attributes
from .dim_text import expr_text, links_text
from .form_text import Axes, axes_of, form_text
from .lines import WIDTH, class_head, fitted
from .linkable import Linkable, Links
from .source_file import SourceFile, identifier, quoted
from .type_variables import TypeVariables
from .value_text import LITERALS, value_text
from .written import field_hint, is_catalogued, pattern_hint, write

_MAX_CLASSES: Final = 2_000
#: Attributes of inferred classes: the notes of `infer` on the class, and on the whole file.
NOTES: Final = "__typedstate_notes__"
HEAD: Final = "__typedstate_head__"


@dataclass(frozen=True, slots=True)
class _Body:
    """A class whose fields are being written, and the type variables that it has."""

    ref: s.SchemaRef
    variables: tuple[Variable, ...]


@dataclass(slots=True)
class Writer:
    """Writes the classes of one hint.

    Attributes:
      file: the file that the classes are written into.
      generics: the type variables of the classes.
      names: the name of each class.
      done: the classes that the file has.
      later: whether the current annotation names a class that the file does not have yet.
      linkable: the names of dims that the classes have.
    """

    file: SourceFile
    generics: TypeVariables
    names: dict[s.SchemaRef, str] = field(default_factory=dict[s.SchemaRef, str])
    done: set[s.SchemaRef] = field(default_factory=set[s.SchemaRef])
    later: bool = False
    linkable: Linkable = field(default_factory=Linkable)
    _open: list[_Body] = field(default_factory=list["_Body"])
    _bodies: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _variables: list[str] = field(default_factory=list[str])

    def reserve(self, ref: s.SchemaRef, name: str | None = None) -> str:
        """Chooses the name of a class."""
        if ref not in self.names:
            if len(self.names) > _MAX_CLASSES:
                raise self.file.error("", f"more than {_MAX_CLASSES} classes")
            self.names[ref] = self.file.unique(identifier(name) if name else _plain_name(ref))
        return self.names[ref]

    # -- Classes ---------------------------------------------------------------------------

    def node(self, ref: s.SchemaRef, where: str) -> str:
        """Writes a class, once, and gives its name; of a generic one with its arguments."""
        if isinstance(ref, ClassRef) and is_catalogued(ref.cls):
            return self.file.imported("typedstate.layers", ref.cls.__name__)
        self.reserve(ref)
        variables = self.generics.of(ref)
        if ref not in self.done and any(ref is body.ref for body in self._open):
            self.later = True
        elif ref not in self.done:
            self._class(ref, variables)
        arguments = self._arguments(ref, variables, where)
        return f"{self.names[ref]}[{', '.join(arguments)}]" if arguments else self.names[ref]

    def _class(self, ref: s.SchemaRef, variables: list[Variable]) -> None:
        """Writes a class; of arguments in several of its fields, which share names, a base too."""
        own = self.generics.own_of(ref)
        title = self.names[ref]
        self._open.append(_Body(ref, (*variables, *own)))
        around, self.later = self.later, False
        schema = ref.resolve()
        names = attributes([item.name for item in schema.fields])
        lines = [
            self._field(ref, item, name, f"{ref.name}.{item.name}")
            for item, name in zip(schema.fields, names, strict=True)
        ]
        extra = self._extra(ref, schema.extra)
        none = '    """No field of its own."""' if extra else '    """No leaves."""'
        base = self.file.own("TypedState")
        generic = self._generic(len(variables) + len(own))
        notes = comments(getattr(ref.cls, NOTES, ())) if isinstance(ref, ClassRef) else []
        if own:
            whole = self.file.unique(f"{title}Of")
            head = class_head(whole, ", ".join([base, *generic]), extra)
            self.file.blocks.append("\n".join([head, *lines]))
            self._open[-1] = _Body(ref, tuple(variables))
            texts = [*map(self._variable, range(len(variables)))]
            texts += self._arguments(ref, own, ref.name)
            base, extra, lines = f"{whole}[{', '.join(texts)}]", "", []
            none, generic = '    """No field of its own."""', self._generic(len(variables))
        self.later = around
        self._open.pop()
        self.done.add(ref)
        head = class_head("{}", ", ".join([base, *generic]), extra)
        body = "\n".join([*notes, head, *(lines or [none])])
        like = self._bodies.setdefault((_plain_name(ref), body), title)
        if variables and like != title:
            self.file.take_back(title, _plain_name(ref))
            self.names[ref] = like
        else:
            self.file.blocks.append(body.replace("class {}(", f"class {title}(", 1))

    # -- Type variables --------------------------------------------------------------------

    def _generic(self, count: int) -> list[str]:
        """The base of a class with so many type variables."""
        if not count:
            return []
        variables = ", ".join(map(self._variable, range(count)))
        return [f"{self.file.imported('typing', 'Generic')}[{variables}]"]

    def _variable(self, index: int) -> str:
        """A type variable of the file: all classes have the same."""
        if index == len(self._variables):
            name = self.file.unique(chr(ord("A") + index % 26))
            var = self.file.imported("typing", "TypeVar")
            self.file.blocks.append(f"{name} = {var}({quoted(name)})")
            self._variables.append(name)
        return self._variables[index]

    def _arguments(self, ref: s.SchemaRef, variables: list[Variable], where: str) -> list[str]:
        """The arguments of a class, as they are written where it stands."""
        found: list[str] = []
        for one in variables:
            written = tuple(item.inner for item in one) if one[0].owner in ref.owners else one
            found.append(self._argument(written, where))
        return found

    def _argument(self, options: tuple[s.Spec, ...], where: str) -> str:
        """A type argument, or another alternative: a variable in the class that has it."""
        text, forms = self._variable_of(options, where)
        for form in forms:
            text = form_text(form, text, self, where)
        return text

    def _variable_of(
        self, options: tuple[s.Spec, ...], where: str
    ) -> tuple[str, tuple[Transform, ...]]:
        """The text of an argument without its forms, and these, the innermost first."""
        forms: tuple[Transform, ...] = ()
        if isinstance(options[0], s.Argument):
            formed = self.generics.formed(cast(Variable, options))
            forms, options = formed.forms[::-1], formed.base
        variables = self._open[-1].variables if self._open else ()
        if options in variables:
            return self._variable(variables.index(cast(Variable, options))), forms
        texts = [
            self.spec(item.inner if isinstance(item, s.Argument) else item, where)
            for item in options
        ]
        return " | ".join(texts), forms

    def _bound(self, spec: s.Bound, where: str) -> str:
        """A `Bind`; the size of a stack's axis is written in the stack of an argument."""
        binds, inner = unbind(spec)
        variable = variable_in(inner)
        if variable is None:
            return self._bind(self.spec(spec.inner, where), self.linkable.links(spec))
        text, forms = self._variable_of(variable, where)
        waiting, axes = list(forms), Axes(forms)
        for links in reversed(binds):
            sizes, rest = axes.within(links)
            inner = s.Bound(inner, links)
            there = self.linkable.links(inner)
            text = self._bind(text, tuple(link for link in rest if link in there))
            while sizes.keys() & axes_of(waiting):
                text = form_text(waiting.pop(0), text, self, where, sizes)
        for form in waiting:
            text = form_text(form, text, self, where)
        return text

    def _bind(self, text: str, links: Links) -> str:
        return f"{self.file.own('Bind')}[{text}, {quoted(links_text(links))}]" if links else text

    def wrapper(self, schema: s.Schema) -> str:
        """The name of the form for a tree's container, e.g. ``Pure``; empty if none is needed."""
        match schema.container:
            case "dict":
                return self.file.own("Pure")
            case "state":
                return self.file.own("Values")
            case _:
                return ""

    def _field(self, ref: s.SchemaRef, item: s.Field, attribute: str, where: str) -> str:
        self.later = False
        raw = field_hint(ref, item.name)
        hint = self.spec(item.spec, where) if raw is None else write(raw, self, where)
        metadata: list[str] = []
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

    def _key(self, key: Hashable, where: str) -> str:
        """A key as a literal."""
        if type(key) is str:
            return quoted(key)
        if type(key) in LITERALS or (type(key) is float and key == key and abs(key) < 1e308):
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
        return pattern.keys.replace("{}", f"{{len={expr_text(pattern.length)}}}")

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
            case s.Bound():
                return self._bound(spec, where)
            case s.Map(key, entry, length):
                self._plain(spec, where)
                hint = f"{self.file.own('StateMap')}[{key}, {self.spec(entry, where)}]"
                if length is None:
                    return hint
                return f"{self.file.own('Bind')}[{hint}, {quoted(f'len={expr_text(length)}')}]"
            case s.EntriesSpec(items):
                self._plain(spec, where)
                hints = ["None" if item is None else self.spec(item, where) for item in items]
                return f"{self.file.own('Entries')}[{', '.join(hints)}]"
            case s.StateOfSpec(s.Anything()):
                return f"{self.file.imported('flax', 'nnx')}.State"
            case s.StateOfSpec(leaf):
                return f"{self.file.own('StateOf')}[{self.spec(leaf, where)}]"
            case s.Union(options):
                return " | ".join(self._argument(one, where) for one in alternatives(options))
            case s.Argument():
                return self._argument((spec,), where)
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
                return value_text(spec, self, where)
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
            return self._stored(leaf, value_text(leaf.value, self, where))
        hint = self.file.class_name(leaf.kind, where)
        if not isinstance(leaf.value, s.Anything):
            value = value_text(leaf.value, self, where)
            if getattr(leaf.kind, "__parameters__", ()):
                hint = f"{hint}[{value}]"
            elif isinstance(leaf.value, s.NoValue):  # metadata that is None says nothing
                hint = self._annotated(hint, f"{self.file.module('types')}.NoneType")
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


def _plain_name(ref: s.SchemaRef) -> str:
    """A name for a schema: of a form that is written around it without that."""
    name = re.sub(r"^(?:Pure|Values)\[(.*)\]$", r"\1", ref.name)
    if isinstance(ref, ClassRef):  # of a generic one without the arguments
        name = name.partition("[")[0]
    return identifier(name)


def comments(notes: Iterable[str]) -> list[str]:
    """The notes of `infer` about a class or the whole, as comments."""
    return [
        f"# {line}" for note in notes for line in textwrap.wrap(note, WIDTH - 2) if line.strip()
    ]
