"""The forms: one schema, every tree that shares its structure.

At run time each form is a hint class, made on subscription; to a type checker a form that
keeps the leaves' types is ``Annotated``, and one that changes them a type of its own.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from jax.sharding import NamedSharding, PartitionSpec

from . import axis_names, dims
from .composing import refuse_senseless
from .describe import describe
from .dims import Expr, Name
from .errors import SchemaError
from .filters import show as show_filter
from .hint import Deferred, HintMeta, is_open, make, show_argument
from .parse import Context, dtype_class, parse, variable_class
from .placing import Naming, Placing, spellings
from .replacing import Abstracting, Replacing, Resembling, Unwrapping
from .selecting import Adding, Selecting
from .spec import (
    Alike,
    Anything,
    Apart,
    Bound,
    Entries as EntriesSpec,
    Leaf,
    Map,
    Node,
    OneOf,
    Placed as PlacedSpec,
    Spec,
    Tree,
)
from .stacking import Stacking, show_axis
from .transform import Transform, rewrite


@dataclass(frozen=True, slots=True, repr=False)
class Axis:
    """Where `Stacked` inserts its axis.

    Attributes:
      index: its place in the stacked array; negative from the end.
      partition_name: its name in sharding metadata, as ``nnx.PARTITION_NAME`` gives it.
    """

    index: int = 0
    partition_name: str | None = None

    def __repr__(self) -> str:
        """As its user wrote it."""
        return show_axis(self.index, self.partition_name)


class FormMeta(HintMeta):
    """The metaclass of forms: subscription makes a hint class."""

    __typedstate_hints__: int | None

    def __getitem__(cls, items: Any) -> Any:
        """The hint class of this form with these arguments."""
        if cls.__dict__.get("__typedstate_form__") is None:
            raise SchemaError(f"{cls.__name__} is complete: it can't be subscripted again")
        args: tuple[Any, ...] = cast(Any, items if isinstance(items, tuple) else (items,))
        args = tuple(
            typing.ForwardRef(arg) if isinstance(arg, str) and cls._is_hint(index) else arg
            for index, arg in enumerate(args)
        )
        if any(is_open(arg) for index, arg in enumerate(args) if cls._is_hint(index)):
            return Deferred(cls, args)
        name = f"{cls.__name__}[{', '.join(_show(arg) for arg in args)}]"
        apply: Callable[..., Spec] = cls.__dict__["__typedstate_form__"].__func__
        try:
            spec = apply(*_parsed(cls, name, args))
        except TypeError as error:
            if isinstance(error, SchemaError) or error.__traceback__ is None:
                raise
            if error.__traceback__.tb_next is not None:  # from within the form's own code
                raise
            usage = (cls.__doc__ or "").splitlines()[0].replace("``", "")
            raise SchemaError(f"{name}: wrong arguments; {usage}") from None
        key: tuple[Any, ...] = (cls, args)
        try:
            hash(key)
        except TypeError:  # a list of filters
            key = (cls, id(spec))
        return make(name, key, lambda: spec, cls)

    def _is_hint(cls, index: int) -> bool:
        first: int = getattr(cls, "__typedstate_first__", 0)
        count: int | None = getattr(cls, "__typedstate_count__", 1)
        return index >= first and (count is None or index < first + count)


def _parsed(cls: FormMeta, name: str, args: tuple[Any, ...]) -> list[Any]:
    context = Context(name)
    hints = cls._is_hint  # pyright: ignore[reportPrivateUsage]
    return [parse(arg, context) if hints(i) else arg for i, arg in enumerate(args)]


def _show(arg: Any) -> str:
    if isinstance(arg, str):
        return repr(arg)
    if isinstance(arg, Axis) or arg is None:
        return repr(arg)
    return show_argument(arg) if isinstance(arg, type) or arg is ... else _show_other(arg)


def _show_other(arg: Any) -> str:
    text = show_filter(arg) if not typing.get_origin(arg) else show_argument(arg)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _transformed(spec: Spec, transform: Transform) -> Spec:
    refuse_senseless(spec, transform)
    found = rewrite(spec, transform)
    if found is None:
        raise SchemaError(f"{transform.title(describe(spec))} is empty: no leaf is left")
    return found


def _expr(text: Any, owner: str) -> Expr[str]:
    try:
        return dims.parse_expr(str(text))
    except dims.DimError as error:
        raise SchemaError(f"{owner}: {error}") from None


def _is_tree(spec: Spec) -> bool:
    match spec:
        case Node() | Map() | EntriesSpec() | Tree():
            return True
        case Bound(inner=inner) | Apart(inner=inner) | Alike(inner=inner):
            return _is_tree(inner)
        case OneOf(options):
            return all(_is_tree(option) for option in options)
        case _:
            return False


def _want_tree(spec: Spec, form: str) -> Spec:
    if not _is_tree(spec) and not isinstance(spec, Anything):
        raise SchemaError(f"{form}[{describe(spec)}, ...]: a form takes a schema, not a leaf")
    return spec


def _selected(inner: Spec, form: str, selecting: Selecting) -> Spec:
    if not selecting.filters:
        raise SchemaError(f"{form}[{describe(inner)}]: give a filter, e.g. nnx.Param")
    return _transformed(_want_tree(inner, form), selecting)


def _placed(inner: Spec, form: str, rules: Any) -> Spec:
    try:
        placed = PlacedSpec(axis_names.as_rules(rules))
    except (TypeError, ValueError):
        owner = f"{form}[{describe(inner)}, ...]"
        raise SchemaError(f"{owner}: rules are pairs of a name and mesh axes") from None
    return _transformed(_want_tree(inner, form), Placing(placed, form))


def _links(text: Any, owner: str) -> tuple[tuple[str, Expr[str]], ...]:
    if not isinstance(text, str):
        raise SchemaError(f'{owner}: write the dims as one string, e.g. "din=d dout=4*d"')
    links: dict[str, Expr[str]] = {}
    for token in text.split():
        name, equals, value = token.partition("=")
        if not name.isidentifier():
            raise SchemaError(f"{owner}: {name!r} is no dim name; write name or name=size")
        if name in links:
            raise SchemaError(f"{owner}: {name!r} stands there twice")
        links[name] = _expr(value, owner) if equals else Name(name)
    return tuple(links.items())


def _axis_names(text: Any, owner: str) -> dict[str, Any]:
    if not isinstance(text, str) or not text.split():
        raise SchemaError(f'{owner}: write dims with axis names, e.g. "d=fsdp hidden=tensor"')
    table: dict[str, Any] = {}
    for token in text.split():
        left, equals, right = token.partition("=")
        names = tuple(right.split(","))
        if not equals or not all(name.isidentifier() for name in names):
            raise SchemaError(f"{owner}: {token!r} is not dim=axis or dim=axis,axis")
        dim = dims.show(_expr(left, owner))
        if dim in table:
            raise SchemaError(f"{owner}: {dim!r} stands there twice")
        table[dim] = names if len(names) > 1 else None if right == "None" else right
    return table


def _refuse_strangers(spec: Spec, table: dict[str, Any], owner: str) -> None:
    try:
        known = dict.fromkeys(spellings(spec))
    except SchemaError:  # a schema that is not complete yet
        return
    for dim in table:
        if dim not in known:
            shown = [name for name in known if name.isidentifier()]
            close = difflib.get_close_matches(dim, shown, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(shown)}"
            raise SchemaError(f"{owner}: no axis is called {dim!r}; {hint}")


if TYPE_CHECKING:
    from .form_types import *  # noqa: F403  # pyright: ignore[reportMissingModuleSource]

else:

    class Bind(metaclass=FormMeta):
        """``Bind[S, "din=d dout=4*d"]``: links, renames and fixes the dims of a schema.

        Left of ``=`` stand dims of S; right of it names of the class or call that writes the
        form, sizes or expressions. ``d`` is short for ``d=d``. On a `StateMap` the only dim is
        ``len``, its number of entries.
        """

        @staticmethod
        def __typedstate_form__(inner: Spec, text: str) -> Spec:
            owner = f"Bind[{describe(inner)}, {text!r}]"
            links = _links(text, owner)
            if isinstance(inner, Map):
                if [name for name, _ in links] != ["len"]:
                    raise SchemaError(f"{owner}: the only dim of a StateMap is 'len'")
                return Map(inner.key, inner.entry, links[0][1], inner.container, inner.extra)
            if inner in (Anything(), Tree(Anything())):  # an open type variable, say
                return inner
            if not _is_tree(inner):
                raise SchemaError(f"{owner}: a leaf names its dims itself; Bind takes a schema")
            return Bound(inner, links)

    class Scoped(metaclass=FormMeta):
        """``Scoped[S, "teacher"]``: the names of S, kept apart from those of the call."""

        @staticmethod
        def __typedstate_form__(inner: Spec, scope: str) -> Spec:
            if not isinstance(scope, str) or not scope:
                raise SchemaError(f'Scoped[{describe(inner)}, {scope!r}]: give a name, "teacher"')
            return Apart(inner, scope)

    class StateMap(metaclass=FormMeta):
        """``StateMap[int, S]``: one level of like entries, as in ``nnx.List``; or by str keys."""

        __typedstate_first__: ClassVar = 1

        @staticmethod
        def __typedstate_form__(key: type, entry: Spec) -> Spec:
            if key not in (int, str):
                raise SchemaError(f"StateMap[{_show(key)}, ...]: the keys are int or str")
            return Map("int" if key is int else "str", entry)

    class Entries(metaclass=FormMeta):
        """``Entries[StemState, None, NormState]``: int keys by position; None keeps nothing."""

        __typedstate_count__: ClassVar = None

        @staticmethod
        def __typedstate_form__(*items: Spec) -> Spec:
            from .spec import NoValue

            return EntriesSpec(tuple(None if item == NoValue() else item for item in items))

    class StateOf(metaclass=FormMeta):
        """``StateOf[Leaf]``: a tree of any depth, every leaf of which is ``Leaf``."""

        @staticmethod
        def __typedstate_form__(leaf: Spec) -> Spec:
            if _is_tree(leaf):
                text = describe(leaf)
                raise SchemaError(
                    f"StateOf[{text}]: give a leaf; StateMap[str, {text}] has entries"
                )
            return Tree(leaf)

    class Exactly(metaclass=FormMeta):
        """``Exactly[nnx.Param]``: a Variable of that kind, and of no subclass."""

        @staticmethod
        def __typedstate_form__(leaf: Spec) -> Spec:
            if not isinstance(leaf, Leaf) or leaf.kind is None:
                raise SchemaError(f"Exactly[{describe(leaf)}]: give a Variable class")
            return Leaf(leaf.kind, leaf.value, True, leaf.names, leaf.predicates)

    class Only(metaclass=FormMeta):
        """``Only[S, *filters]``: just the leaves that any of these NNX filters selects."""

        @staticmethod
        def __typedstate_form__(inner: Spec, *filters: Any) -> Spec:
            return _selected(inner, "Only", Selecting(filters, keep=True))

    class Rest(metaclass=FormMeta):
        """``Rest[S, *filters]``: the leaves that none of these NNX filters selects."""

        @staticmethod
        def __typedstate_form__(inner: Spec, *filters: Any) -> Spec:
            return _selected(inner, "Rest", Selecting(filters, keep=False))

    class Plus(metaclass=FormMeta):
        """``Plus[S, *kinds]``: leaves of these kinds may stand anywhere in it."""

        @staticmethod
        def __typedstate_form__(inner: Spec, *kinds: Any) -> Spec:
            if not kinds or not all(variable_class(kind) for kind in kinds):
                raise SchemaError(f"Plus[{describe(inner)}, ...]: give Variable classes")
            return _transformed(_want_tree(inner, "Plus"), Adding(kinds))

    class Stacked(metaclass=FormMeta):
        """``Stacked[S, "layers", *filters]``: these leaves have one more axis, leading or `Axis`.

        What ``nnx.vmap`` and ``nnx.scan`` make of a module's state.
        """

        @staticmethod
        def __typedstate_form__(inner: Spec, dim: Any, *filters: Any) -> Spec:
            axes = [item for item in filters if isinstance(item, Axis)] or [Axis()]
            kept = tuple(item for item in filters if not isinstance(item, Axis))
            owner = f"Stacked[{describe(inner)}, {dim!r}]"
            if isinstance(dim, Axis | type) or len(axes) > 1:
                raise SchemaError(f'{owner}: first the axis, e.g. "layers", then one Axis, filters')
            hidden = f"^{dim}"
            stacking = Stacking(hidden, str(dim), axes[0].index, axes[0].partition_name, kept)
            found = _transformed(_want_tree(inner, "Stacked"), stacking)
            return Bound(found, ((hidden, _expr(dim, owner)),))

    class Same(metaclass=FormMeta):
        """``Same[H, "T"]``: all trees of a call with this name have like keys, kinds and shapes."""

        @staticmethod
        def __typedstate_form__(inner: Spec, group: str) -> Spec:
            if not isinstance(group, str) or not group:
                raise SchemaError(f'Same[{describe(inner)}, {group!r}]: give a name, "T"')
            return Alike(inner, group)

    class Pure(metaclass=FormMeta):
        """``Pure[S]``: nested dicts of values, as ``nnx.to_pure_dict`` gives."""

        @staticmethod
        def __typedstate_form__(inner: Spec) -> Spec:
            return _transformed(_want_tree(inner, "Pure"), Unwrapping(pure=True))

    class Values(metaclass=FormMeta):
        """``Values[S]``: a State of values, as ``nnx.pure`` gives."""

        @staticmethod
        def __typedstate_form__(inner: Spec) -> Spec:
            return _transformed(_want_tree(inner, "Values"), Unwrapping(pure=False))

    class Abstract(metaclass=FormMeta):
        """``Abstract[S]``: a ``jax.ShapeDtypeStruct`` in the place of each array."""

        @staticmethod
        def __typedstate_form__(inner: Spec) -> Spec:
            return _transformed(_want_tree(inner, "Abstract"), Abstracting())

    class Shardings(metaclass=FormMeta):
        """``Shardings[S]``: a ``NamedSharding`` in the place of each array."""

        @staticmethod
        def __typedstate_form__(inner: Spec) -> Spec:
            return _transformed(
                _want_tree(inner, "Shardings"), Replacing("Shardings", NamedSharding)
            )

    class Specs(metaclass=FormMeta):
        """``Specs[S]``: a ``PartitionSpec`` in the place of each array."""

        @staticmethod
        def __typedstate_form__(inner: Spec) -> Spec:
            return _transformed(_want_tree(inner, "Specs"), Replacing("Specs", PartitionSpec))

    class Placed(metaclass=FormMeta):
        """``Placed[S]``: every array is really sharded as declared.

        Names are those of the schema, else those of the leaf's metadata; logical ones are
        resolved by the rules of the Variable and those of the context, and before them by those
        of ``Placed[S, rules]``: type checkers know that as ``PlacedBy[S, rules]``.
        What can't be seen, such as Auto axes under tracing, is *unknown* in the report. In
        ``shard_map``, where S has the sizes of one shard, it has those of the whole arrays.
        """

        @staticmethod
        def __typedstate_form__(inner: Spec, rules: Any = None) -> Spec:
            return _placed(inner, "Placed", rules)

    class PlacedBy(metaclass=FormMeta):
        """``PlacedBy[S, rules]``: every array is sharded as declared, by these logical rules.

        Rules are pairs, or a callable such as Linen's ``logical_to_mesh_axes`` with rules of its
        own. `Shardings` and `Specs` of it, and the trees that are derived from it, go by them.
        """

        @staticmethod
        def __typedstate_form__(inner: Spec, rules: Any) -> Spec:
            return _placed(inner, "PlacedBy", rules)

    class Sharded(metaclass=FormMeta):
        """``Sharded[S, "d=fsdp hidden=tensor"]``: axis names by dims, where S declares none.

        A dim counts by its name where it is written or linked; ``d=a,b`` splits it over two
        axes. All other axes of S are then declared as not split. Over a `Like` it says where
        moments lie otherwise than their parameters, as ``optimizer_sharding`` has it.
        """

        @staticmethod
        def __typedstate_form__(inner: Spec, text: str) -> Spec:
            owner = f"Sharded[{describe(inner)}, {text!r}]"
            table = _axis_names(text, owner)
            refuse_senseless(_want_tree(inner, "Sharded"), Naming(text, table))
            _refuse_strangers(inner, table, owner)
            return _transformed(inner, Naming(text, table))

    class Like(metaclass=FormMeta):
        """``Like[S, X]``: every leaf's kind, dtype or whole leaf is X.

        A dtype alone is ``Cast[S, BFloat16]`` to type checkers.
        """

        @staticmethod
        def __typedstate_form__(inner: Spec, hint: Any) -> Spec:
            text = _show(hint)
            options = typing.get_args(hint) if _is_union(hint) else (hint,)
            dtypes = [found for found in map(dtype_class, options) if found is not None]
            rest = [option for option in options if dtype_class(option) is None]
            parsed = [parse(option, Context(f"Like[{describe(inner)}, {text}]")) for option in rest]
            kinds = tuple(
                spec for spec in parsed if isinstance(spec, Leaf) and spec.kind is not None
            )
            values = tuple(spec for spec in parsed if spec not in kinds)
            resembling = Resembling(text, kinds, dtypes[0] if dtypes else None, values)
            return _transformed(_want_tree(inner, "Like"), resembling)

    class Cast(metaclass=FormMeta):
        """``Cast[S, BFloat16]``: every array has this dtype; the kinds of the leaves stay."""

        @staticmethod
        def __typedstate_form__(inner: Spec, dtype: Any) -> Spec:
            found = dtype_class(dtype)
            if found is None:
                owner = f"Cast[{describe(inner)}, {_show(dtype)}]"
                raise SchemaError(f"{owner}: give a dtype class of jaxtyping, e.g. BFloat16")
            casting = Resembling(_show(dtype), (), found, (), "Cast")
            return _transformed(_want_tree(inner, "Cast"), casting)


def _is_union(hint: Any) -> bool:
    import types

    return typing.get_origin(hint) in (typing.Union, types.UnionType)
