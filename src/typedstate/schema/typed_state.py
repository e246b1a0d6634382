"""`TypedState`: schema classes, gathered by a metaclass that only gathers."""

from __future__ import annotations

import copyreg
import inspect
import sys
import typing
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import typing_extensions
from flax import nnx
from msgspec.structs import replace

from .._annotations.context import Context, NotYet
from .._annotations.deferred import Deferred, is_open, show_argument, substitute
from .._annotations.lazy_annotations import fields_of
from .._annotations.parse import parse
from .._annotations.type_arguments import from_table, is_written, linked_names
from .._annotations.type_tables import default_of, has_default, put
from .._spec.dims import Name
from .._spec.nodes import Anything, Bound, Node, Spec, StateOfSpec
from ..errors import SchemaError
from .class_ref import ClassRef, parse_or_wait, retry_waiting
from .field import Declaration, refuse_body, refuse_name
from .hint_class import HintMeta, made, reduced
from .key_pattern import refuse_pattern
from .local_names import is_module_level, mentioned

_FIELDS: Final = "\n\nFields:\n"


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
        if typevars is None and not is_module_level(frame, cls.__module__):
            local = frame.f_locals
        params = {param.__name__: param for param in namespace.get("__type_params__", ())}
        owner = object()
        declared = dict(_inherited(cls, typevars or {}, owner))
        for key, hint in raw.items():
            refuse_name(name, key, hint)
            kept = mentioned(hint, {**local, **params})
            declared[key] = Declaration(name, hint, cls.__module__, kept)
        cls.__doc__ = _with_fields(cls.__doc__, declared)
        ref = ClassRef(cls, declared, _extra_of(cls, extra), _owners(cls, owner))
        cls.__typedstate_ref__ = ref
        cls.__typedstate_cached__ = Node(ref)
        if begin is not None:
            begin(cls)
        parse_or_wait(ref)
        retry_waiting(cls, local)
        return cls

    def __getitem__(cls, items: Any) -> Any:
        """A generic schema with types in the place of its type variables."""
        params: tuple[Any, ...] = getattr(cls, "__parameters__", ())
        given: tuple[Any, ...] = cast(Any, items if isinstance(items, tuple) else (items,))
        if not params:
            raise SchemaError(f"{cls.__name__} is not generic: it can't be subscripted")
        given = tuple(typing.ForwardRef(arg) if isinstance(arg, str) else arg for arg in given)
        for var in params[len(given) :]:
            if has_default(var):
                given = (*given, put(default_of(var), dict(zip(params, given, strict=False))))
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


def _with_fields(doc: str | None, declared: Mapping[str, Declaration]) -> str | None:
    """A docstring with the fields of its schema, as they were written: what ``help`` shows."""
    if not doc or not declared:
        return doc
    text = inspect.cleandoc(doc).partition(_FIELDS)[0]
    lines = [f"  {name}: {_shown(item.raw)}" for name, item in declared.items()]
    return text + _FIELDS + "\n".join(lines)


def _shown(hint: Any) -> str:
    if isinstance(hint, str):
        return hint
    try:
        return show_argument(hint)
    except Exception:  # what is wrong with it, parsing says
        return repr(hint)


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
        refuse_pattern(pattern, cls.__name__)
    return extra


def _owners(cls: type, owner: object) -> dict[object, bool]:
    """The owners of the type arguments in the fields; True for those of the class statement."""
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
