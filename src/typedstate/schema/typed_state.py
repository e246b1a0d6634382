"""`TypedState`: schema classes, gathered by a metaclass that only gathers."""

from __future__ import annotations

import ast
import contextlib
import copyreg
import sys
import typing
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from types import FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast, get_args
from weakref import WeakSet

import msgspec
import typing_extensions
from flax import nnx
from msgspec.structs import replace

from .._annotations.context import Context, NotYet
from .._annotations.deferred import Deferred, is_open, show_argument, substitute
from .._annotations.hint_kinds import TYPE_ALIASES
from .._annotations.lazy_annotations import fields_of
from .._annotations.parse import parse
from .._annotations.type_arguments import from_table, is_written, linked_names
from .._spec.binds import check_binds
from .._spec.dims import Name
from .._spec.nodes import Allowed, Anything, Bound, Extra, Field, Node, Schema, Spec, StateOfSpec
from ..errors import SchemaError
from .field import Declaration, parse_field, refuse_body, refuse_name, refuse_twins
from .hint_class import HintMeta, made, reduced

_SpecialForm: Final[type] = type(Literal)  # of ``Literal``, ``Union`` and their like


class Unresolved(SchemaError, NotYet):
    """A schema is used while a name in it is not defined; where schemas are made, it waits."""


class ClassRef(msgspec.Struct, eq=False):
    """Where the fields of a schema class come from; it parses them once."""

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
        except BaseException:
            self.parsed = None
            raise
        _pending.discard(self.cls)

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
        return Extra(patterns=tuple((key, parse(h, context)) for key, h in self.extra.items()))


_pending: WeakSet[SchemaMeta] = WeakSet()


class SchemaMeta(HintMeta):
    """The metaclass of `TypedState`: gathers the annotations, parses what it can."""

    __typedstate_ref__: ClassRef
    __typedstate_own__: frozenset[str]

    def __new__(  # noqa: PYI034  # a metaclass has no Self
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        extra: str | dict[str, Any] | None = None,
        typevars: Mapping[Any, Any] | None = None,
        begin: Callable[[SchemaMeta], None] | None = None,
        **kwargs: Any,
    ) -> SchemaMeta:
        """Makes a schema class; raises SchemaError as soon as a mistake can be seen.

        `begin` is called before anything is parsed: a generic schema may refer to itself.
        """
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        if not bases:
            cls.__typedstate_cached__ = StateOfSpec(Anything())  # what every schema's values are
            return cls
        raw = fields_of(cls)
        cls.__typedstate_own__ = frozenset(raw)
        refuse_body(name, raw, namespace)
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        local: Mapping[str, Any] = {}
        if typevars is None and not _is_module_level(frame, cls.__module__):
            local = frame.f_locals
        params = {param.__name__: param for param in namespace.get("__type_params__", ())}
        owner = object()
        declared = dict(_inherited(cls, typevars or {}, owner))
        for key, hint in raw.items():
            refuse_name(name, key, hint)
            kept = _mentioned(hint, {**local, **params})
            declared[key] = Declaration(name, hint, cls.__module__, kept)
        ref = ClassRef(cls, declared, _extra_of(cls, extra), _owners(cls, owner))
        cls.__typedstate_ref__ = ref
        cls.__typedstate_cached__ = Node(ref)
        if begin is not None:
            begin(cls)
        _parse_or_wait(ref)
        _retry(cls, local)
        return cls

    def __getitem__(cls, items: Any) -> Any:
        """A generic schema with types in the place of its type variables."""
        params: tuple[Any, ...] = getattr(cls, "__parameters__", ())
        given: tuple[Any, ...] = cast(Any, items if isinstance(items, tuple) else (items,))
        if not params:
            raise SchemaError(f"{cls.__name__} is not generic: it can't be subscripted")
        given = tuple(typing.ForwardRef(arg) if isinstance(arg, str) else arg for arg in given)
        if len(given) != len(params):
            raise SchemaError(f"{cls.__name__} takes {len(params)} types, got {len(given)}")
        if any(is_open(arg) for arg in given):
            return OpenSchema(cls, given)
        name = f"{cls.__name__}[{', '.join(map(show_argument, given))}]"
        key = ("generic", cls, given)
        return _generic(cls, key, name, dict(zip(params, given, strict=True)))


copyreg.pickle(cast(Any, SchemaMeta), reduced)


class OpenSchema(Deferred):
    """A generic schema subscripted with type variables: a base class, or a field's hint."""

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """The schema is the base; the metaclass reads what stands for its variables."""
        return (self.form,)


def _generic(cls: SchemaMeta, key: Hashable, name: str, table: dict[Any, Any]) -> Any:
    found = made.get(key)
    if found is None:
        body = {"__module__": cls.__module__, "__doc__": cls.__doc__}
        owner, written = object(), tuple(filter(is_written, table.values()))

        def begin(cls: SchemaMeta) -> None:
            ref = cls.__typedstate_ref__
            ref.hints, ref.owners = written, {**ref.owners, **({owner: False} if written else {})}
            cls.__typedstate_cached__ = _with_names_of(table.values(), ref)
            made[key] = cls

        try:
            found = SchemaMeta(name, (cls,), body, typevars=from_table(table, owner), begin=begin)
        except SchemaError:
            made.pop(key, None)
            raise
        found.__typedstate_written__ = (cls, tuple(table.values()))
    return found


def _with_names_of(args: Iterable[Any], ref: ClassRef) -> Spec:
    """The spec of a generic schema; names in leaves among its arguments are those around it."""
    context = Context(ref.name)
    names: list[str] = []
    for arg in args:
        try:
            names += linked_names(parse(arg, context))
        except NotYet:  # a later class in quotes: it has names of its own only
            continue
    links = tuple((name, Name(name)) for name in dict.fromkeys(names))
    return Bound(Node(ref), links) if links else Node(ref)


def _extra_of(cls: type, extra: str | dict[Any, Any] | None) -> str | dict[str, Any]:
    if extra is None:
        refs = [vars(base).get("__typedstate_ref__") for base in cls.__mro__[1:]]
        return next((ref.extra for ref in refs if ref is not None), "forbid")
    if isinstance(extra, str) and extra in ("forbid", "allow"):
        return extra
    if not isinstance(extra, dict):
        raise SchemaError(
            f"{cls.__name__}: extra={extra!r} is none of 'forbid', 'allow' and a dict of "
            'patterns such as {"layers_{}": LayerState}'
        )
    for pattern in extra:
        if not isinstance(pattern, str) or "{}" not in pattern:
            raise SchemaError(
                f"{cls.__name__}: extra={{{pattern!r}: ...}} needs braces for what varies, "
                'as in "layers_{}"; a fixed key is a field'
            )
    return extra


def _owners(cls: type, owner: object) -> dict[object, bool]:
    """Whose type arguments stand in the fields: what a class statement wrote is of the class."""
    found: dict[object, bool] = {}
    for base in cls.__bases__:
        ref = base.__dict__.get("__typedstate_ref__")
        found |= dict.fromkeys(() if ref is None else ref.owners, True)
    bases = vars(cls).get("__orig_bases__", ())
    if any(isinstance(base, OpenSchema) for base in bases):
        found[owner] = True
    return found


def _inherited(
    cls: type, typevars: Mapping[Any, Any], owner: object
) -> Iterator[tuple[str, Declaration]]:
    """The declarations of the bases, the nearest last, with their type variables replaced."""
    tables = {
        base.form: from_table(dict(zip(base.form.__parameters__, base.args, strict=True)), owner)
        for base in vars(cls).get("__orig_bases__", ())
        if isinstance(base, OpenSchema)
    }
    writers: dict[str, type] = {}
    for base in reversed(cls.__bases__):
        ref = base.__dict__.get("__typedstate_ref__")
        if ref is None:
            continue
        table = {**typevars, **tables.get(base, {})}
        for name, found in ref.declared.items():
            writer = _writer(base, name)
            if not issubclass(writers.get(name, object), writer):
                writers[name] = writer
                yield name, replace(found, typevars=_compose(found.typevars, table))


def _writer(base: type, name: str) -> type:
    """The class in whose body a field is annotated."""
    return next(cls for cls in base.__mro__ if name in cls.__dict__.get("__typedstate_own__", ()))


def _compose(inner: Mapping[Any, Any], outer: Mapping[Any, Any]) -> dict[Any, Any]:
    """Replaces the variables that the values of `inner` still have."""
    return {**outer, **{var: substitute(arg, dict(outer)) for var, arg in inner.items()}}


def _mentioned(hint: Any, local: Mapping[str, Any]) -> dict[str, Any]:
    """The local names that an annotation's text mentions: types only, never an array."""
    texts = _texts(hint)
    names: set[str] = set()
    while texts:
        try:
            tree = ast.parse(texts.pop().strip(), mode="eval")
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)  # forms take names of later classes in quotes
    return {name: local[name] for name in names if name in local and _is_hint(local[name])}


def _texts(hint: Any) -> list[str]:
    if isinstance(hint, str):
        return [hint]
    if isinstance(hint, typing.ForwardRef):
        return [hint.__forward_arg__]
    if isinstance(hint, Deferred):
        return [text for arg in hint.args if not isinstance(arg, str) for text in _texts(arg)]
    return [text for arg in get_args(hint) if not isinstance(arg, str) for text in _texts(arg)]


def _is_hint(value: Any) -> bool:
    if isinstance(value, type | TypeVar | ModuleType | Deferred | _SpecialForm | int | float | str):
        return True
    return typing.get_origin(value) is not None or isinstance(value, (*TYPE_ALIASES, FunctionType))


def _is_module_level(frame: FrameType, module: str) -> bool:
    """Whether names of a frame can be looked up in the module later; not so under ``exec``."""
    there = module in sys.modules and vars(sys.modules[module]) is frame.f_globals
    return there and frame.f_locals is frame.f_globals


def _parse_or_wait(ref: ClassRef) -> None:
    try:
        ref.parse()
    except NotYet:
        _pending.add(ref.cls)
    except SchemaError:
        _pending.discard(ref.cls)  # said once here, and again wherever it is used
        raise


def _retry(cls: SchemaMeta, local: Mapping[str, Any]) -> None:
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
            key: replace(found, local={**found.local, **_mentioned(found.raw, names)})
            for key, found in ref.declared.items()
        }
    while waiting:  # one that is complete may be what another waits for
        for other in waiting:
            _parse_or_wait(other.__typedstate_ref__)
        left = [other for other in waiting if other in _pending]
        if len(left) == len(waiting):
            return
        waiting = left


ExtraArgument = Literal["forbid", "allow"] | dict[str, Any]

if TYPE_CHECKING:

    class TypedState(nnx.State[Any, Any]):
        """The base of schema classes; see the run-time class below."""

        # Undeclared attributes are errors, read and written.
        __getattr__: None  # type: ignore[assignment, misc]  # pyright: ignore[reportIncompatibleMethodOverride]
        __setattr__: None  # type: ignore[assignment, misc]  # pyright: ignore[reportIncompatibleMethodOverride]

        def __init_subclass__(cls, *, extra: ExtraArgument = "forbid") -> None: ...

        @classmethod
        def of(
            cls,
            node_or_state: Any,
            *filters: nnx.filterlib.Filter,
            dims: Mapping[str, int] | None = None,
        ) -> typing_extensions.Self:
            """The state of a node, or a state itself, once it is checked."""
            ...

else:

    class TypedState(metaclass=SchemaMeta):
        """The base of schema classes: annotate the keys of a state, and its leaves are known.

        ``isinstance`` is structural, ``S.of(node_or_state)`` gives a checked state, ``S({...})``
        checks a mapping; the values stay plain ``nnx.State`` objects. ``extra`` says what may
        stand under other keys: ``"forbid"``, ``"allow"`` or patterns with what stands there.
        """
