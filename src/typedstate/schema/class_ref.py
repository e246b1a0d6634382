"""The fields of a schema class: parsed once, as soon as the names in them are there."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import msgspec
from msgspec.structs import replace

from .._annotations.context import Context, NotYet
from .._annotations.parse import parse
from .._spec.binds import check_binds
from .._spec.endless import endless_field
from .._spec.leaf_conditions import Allowed
from .._spec.nodes import Extra, Field, Schema, Spec
from ..errors import SchemaError
from .field import Declaration, parse_field, refuse_twins
from .key_pattern import read_pattern
from .local_names import mentioned
from .unlinked import is_asked_for, warn_unlinked

if TYPE_CHECKING:
    from .typed_state import SchemaMeta


class Unresolved(SchemaError, NotYet):
    """A schema is used while a name in it is not defined; where schemas are made, it waits."""


class ClassRef(msgspec.Struct, eq=False):
    """The reference to a schema class; it parses the class's fields once."""

    cls: SchemaMeta
    declared: dict[str, Declaration]
    extra: str | dict[str, Any]
    owners: Mapping[object, bool] = msgspec.field(default_factory=dict[object, bool])
    hints: tuple[Any, ...] = ()
    parsed: Schema | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """For libraries that send classes by value; the fields may refer to this.

        They are parsed before: another process may not have the names that they are written with.
        """
        with contextlib.suppress(NotYet, SchemaError):
            self.resolve()
        state = (self.cls, self.declared, self.extra, self.owners, self.hints, self.parsed)
        return ClassRef, (None, {}, {}), state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.cls, self.declared, self.extra, self.owners, self.hints, self.parsed = state

    @property
    def name(self) -> str:
        """The schema's name."""
        return self.cls.__name__

    @property
    def arguments(self) -> tuple[Spec, ...]:
        """The type arguments that are written where the schema stands."""
        found: list[Spec] = []
        for hint in self.hints:
            try:
                found.append(parse(hint, Context(self.name)))
            except NotYet:  # a later class in quotes: it has names of its own only
                continue
        return tuple(found)

    def resolve(self) -> Schema:
        """The fields; raises SchemaError where a name is still not defined."""
        if self.parsed is None:
            try:
                self.parse()
            except NotYet as error:
                owner = getattr(error, "owner", self.name)
                raise Unresolved(
                    f"{owner}: {error}; define or import it (not only under TYPE_CHECKING)"
                ) from None
        assert self.parsed is not None
        return self.parsed

    def parse(self) -> None:
        """Parses all fields; raises NotYet, with nothing changed, where a name is missing."""
        fields = self._fields()
        refuse_twins(self.name, fields)
        parsed = Schema(self.name, fields, self._extra())
        self.parsed = parsed
        try:
            for item in fields:
                check_binds(item.spec, f"{self.name}.{item.name}")
            for pattern in parsed.extra.patterns:
                check_binds(pattern.entry, f"{self.name}, extra=")
            self._refuse_endless()
        except BaseException:
            self.parsed = None
            raise
        _pending.discard(self.cls)
        if is_asked_for():
            warn_unlinked(self.cls, parsed)

    def _refuse_endless(self) -> None:
        try:
            name = endless_field(self)
        except NotYet:  # the last of the schemas that refer to each other is asked
            return
        if name:
            raise SchemaError(
                f"{self.name}.{name}: every {self.name} would need another in it, without end; "
                f"where it may be absent write {name}: ... | None"
            )

    def _fields(self) -> tuple[Field, ...]:
        """All fields; a mistake in any of them comes before a name that is not there yet."""
        fields: list[Field] = []
        missing: NotYet | None = None
        for name, found in self.declared.items():
            try:
                fields.append(self._field(name, found))
            except NotYet as error:
                missing = missing or error
        if missing is not None:
            raise missing
        return tuple(fields)

    def _context(self, name: str, found: Declaration) -> Context:
        module = vars(sys.modules[found.module]) if found.module in sys.modules else {}
        names = ({self.name: self.cls}, found.local, module)
        return Context(f"{self.name}.{name}", names, found.typevars)

    def _field(self, name: str, found: Declaration) -> Field:
        context = self._context(name, found)
        try:
            return parse_field(name, found.raw, context)
        except NotYet as error:
            error.owner = context.owner  # type: ignore[attr-defined]
            raise

    def _extra(self) -> Extra:
        if isinstance(self.extra, str):
            return Extra(allowed=(Allowed(),) if self.extra == "allow" else ())
        context = Context(f"{self.name}, extra=")
        if self.declared:
            context = replace(
                self._context("", next(iter(self.declared.values()))), owner=context.owner
            )
        patterns = (read_pattern(key, parse(h, context), context) for key, h in self.extra.items())
        return Extra(patterns=tuple(patterns))


_pending: WeakSet[SchemaMeta] = WeakSet()


def parse_or_wait(ref: ClassRef) -> None:
    """Parses the fields of a class, or keeps it until the classes that it names are there."""
    try:
        ref.parse()
    except NotYet:
        _pending.add(ref.cls)
    except SchemaError:
        _pending.discard(ref.cls)  # said once here, and again wherever it is used
        raise


def retry_waiting(cls: SchemaMeta, local: Mapping[str, Any]) -> None:
    """Parses what waited for this class: schemas of the same scope may refer forward."""
    prefix = cls.__qualname__.rpartition(".")[0]
    waiting = [
        other
        for other in _pending
        if other is not cls
        and other.__module__ == cls.__module__
        and other.__qualname__.rpartition(".")[0] == prefix
    ]
    names = {**local, cls.__name__: cls}
    for other in waiting:
        ref = other.__typedstate_ref__
        ref.declared = {
            key: replace(found, local={**found.local, **mentioned(found.raw, names)})
            for key, found in ref.declared.items()
        }
    while waiting:  # one that is complete may be what another waits for
        for other in waiting:
            parse_or_wait(other.__typedstate_ref__)
        left = [other for other in waiting if other in _pending]
        if len(left) == len(waiting):
            return
        waiting = left
