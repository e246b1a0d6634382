"""`Placed`, `PlacedBy`, `Sharded`: axis names of arrays, and their placement on a mesh."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, assert_never

import msgspec
from msgspec.structs import replace

from .._sharding import axis_names
from .._sharding.axis_names import axes_of
from .._spec import dim_grammar
from .._spec.composition import refuse_senseless, transformed
from .._spec.describe import describe
from .._spec.dim_grammar import show_expr
from .._spec.dims import Dim, Expr, Name, SingleDim, VariadicDim, names_of, substitute
from .._spec.leaf_conditions import PlacedSpec
from .._spec.node_groups import StateSpec, ValueSpec
from .._spec.nodes import Anything, Array, Leaf, PlacedAsSpec, Spec, Union, Validated
from .._spec.transform import Unchanged
from .._spec.written_dims import spellings
from ..errors import SchemaError
from ..report import Path
from .form_class import FormMeta, parse_size, want_tree


def _placed(inner: Spec, form: str, rules: Any) -> Spec:
    try:
        placed = PlacedSpec(axis_names.as_rules(rules))
    except (TypeError, ValueError):
        owner = f"{form}[{describe(inner)}, ...]"
        raise SchemaError(f"{owner}: rules are pairs of a name and mesh axes") from None
    return transformed(want_tree(inner, form), Placing(placed, form))


def _axis_names(text: Any, owner: str) -> dict[str, Any]:
    if not isinstance(text, str) or not text.split():
        raise SchemaError(f'{owner}: write dims with axis names, e.g. "d=fsdp hidden=tensor"')
    table: dict[str, Any] = {}
    for token in text.split():
        left, equals, right = token.partition("=")
        names = tuple(right.split(","))
        if not equals or not all(name.isidentifier() for name in names):
            raise SchemaError(f"{owner}: {token!r} is not dim=axis or dim=axis,axis")
        dim = dim_grammar.show_expr(parse_size(left, owner))
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
            shown = [name for name in known if name.isidentifier()] or [*known]
            close = difflib.get_close_matches(dim, shown, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(shown)}"
            raise SchemaError(f"{owner}: no axis is called {dim!r}; {hint}")


class Placed(metaclass=FormMeta):
    """``Placed[S]``: every array is really sharded as declared.

    Axis names are those of the schema, else those of the leaf's metadata. Logical names are
    resolved by the rules of the Variable and of the context; `PlacedBy` gives other rules.
    Shardings that can't be seen, such as Auto axes under tracing, are *unknown* in the report.
    In ``shard_map``, S has the sizes of one shard, and ``Placed[S]`` those of the whole arrays.
    """

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, *rules: Any) -> Spec:
        if rules:
            text = describe(inner)
            raise SchemaError(f"Placed[{text}, ...]: with rules it is PlacedBy[{text}, rules]")
        return _placed(inner, "Placed", None)


class PlacedBy(metaclass=FormMeta):
    """``PlacedBy[S, rules]``: every array is sharded as declared, by these logical rules.

    Rules are pairs of a logical name and mesh axes, or a callable such as Linen's
    ``logical_to_mesh_axes`` with its own rules. `Shardings`, `Specs` and derived trees of the form
    use these rules too.
    """

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, rules: Any) -> Spec:
        return _placed(inner, "PlacedBy", rules)


class PlacedAs(metaclass=FormMeta):
    """``PlacedAs[H, "where"]``: every array is where that argument of the call puts its leaf.

    The argument has shardings, or arrays that lie where these shall lie; one sharding stands for
    all leaves below it, as in ``jax.device_put``. For functions that know no schema::

        def place(tree: T, where: Shardings[T]) -> PlacedAs[T, "where"]: ...
    """

    __typedstate_keeps_keys__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, argument: Any) -> Spec:
        if not isinstance(argument, str) or not argument.isidentifier():
            text = f"PlacedAs[{describe(inner)}, {argument!r}]"
            raise SchemaError(f'{text}: name another parameter of the function, "where" say')
        return PlacedAsSpec(inner, argument)


class Sharded(metaclass=FormMeta):
    """``Sharded[S, "d=fsdp hidden=tensor"]``: axis names by dims, where S declares none.

    A dim is found by its name where it is written, or by a name that it is linked to; ``d=a,b``
    splits it over two mesh axes. All other axes of S are declared as not split. Around a `Like`
    it gives moments another sharding than their parameters, as Flax's ``optimizer_sharding``.
    """

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, text: str) -> Spec:
        owner = f"Sharded[{describe(inner)}, {text!r}]"
        table = _axis_names(text, owner)
        refuse_senseless(want_tree(inner, "Sharded"), Naming(text, table))
        _refuse_strangers(inner, table, owner)
        return transformed(inner, Naming(text, table))


class Placing(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """The transform of `Placed`: checks the sharding of every array.

    Attributes:
      placed: the rules for logical names.
      form: the name of the form.
    """

    placed: PlacedSpec
    form: str = "Placed"

    @property
    def needs_arrays(self) -> bool:
        """True: it checks arrays."""
        return True

    def title(self, name: str) -> str:
        """The name of the form, e.g. ``Placed[S]``."""
        return f"{self.form}[{name}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The leaf with its arrays, raw ones too, marked as placed."""
        if isinstance(spec, Leaf):
            known = spec.placed is not None and self.placed.rules is None
            return spec if known else replace(spec, placed=self.placed)
        return Leaf(None, spec, placed=self.placed) if isinstance(spec, Array) else spec


class Naming(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """The transform of `Sharded`: gives axis names by dims to leaves that declare none.

    A dim is found by its name where it is written, or by a name that it is linked to.

    Attributes:
      text: the second argument as its user wrote it.
      table: the mesh axes of each dim, by the dim's text.
      groups: the links of the `Bind`s around each entered schema, the innermost first.
      pending: the links since the last entered schema, the innermost first.
    """

    text: str
    table: Mapping[str, Any]
    groups: tuple[tuple[Links, ...], ...] = ()
    pending: tuple[Links, ...] = ()

    @property
    def needs_arrays(self) -> bool:
        """True: it names the axes of arrays."""
        return True

    def title(self, name: str) -> str:
        """The name of the form, e.g. ``Sharded[S, "d=fsdp"]``."""
        return f"Sharded[{name}, {self.text!r}]"

    def entered(self, path: Path) -> Naming:
        """A new schema: only what is linked is known outside of it."""
        return replace(self, groups=(self.pending, *self.groups), pending=())

    def bound(self, links: Links) -> Naming:
        """The transform inside a `Bind`, whose names are expressions over the outer ones."""
        return replace(self, pending=(links, *self.pending))

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The leaf with names for all its axes; a mesh axis splits the first axis that names it.

        Names of an inner `Sharded`, or of the parameters of a `Like`, stay on axes this form skips.
        """
        leaf = spec if isinstance(spec, Leaf) else Leaf(None, spec)
        shape = _shape_of(leaf.value)
        if shape is None or (leaf.names is not None and not leaf.by_dims):
            return spec
        self._refuse_open_places(leaf.value)
        before = leaf.names or ()
        if (
            any(isinstance(dim, VariadicDim) for dim in shape)
            and before
            and len(before) != len(shape)
        ):
            return spec  # names of each axis, over a run of which the number is open
        names = [... if isinstance(dim, VariadicDim) else self._entry(dim) for dim in shape]
        used: set[Any] = set()
        for axis in sorted(range(len(names)), key=lambda axis: names[axis] is _SILENT):
            if names[axis] is _SILENT:
                names[axis] = before[axis] if axis < len(before) else None
            axes = {name for name in axes_of(names[axis]) if name is not ...}
            names[axis] = None if axes & used else names[axis]
            used |= axes
        return replace(leaf, names=tuple(names), by_dims=True)

    def _refuse_open_places(self, value: Spec) -> None:
        for index, dim in value.inserted if isinstance(value, Array) else ():
            if self._entry(dim) is not _SILENT:
                text = f"Axis({index}) of {describe(value)} can't be given a name"
                raise SchemaError(f"Sharded[..., {self.text!r}]: {text}: its place is open")

    def _entry(self, dim: SingleDim) -> Any:
        if dim.expr is None:
            return _SILENT
        found = [self.table[text] for text in self._spellings(dim.expr) if text in self.table]
        return found[-1] if found else _SILENT

    def _spellings(self, expr: Expr[str]) -> Iterator[str]:
        """Yields the text of a dim here and in each enclosing schema that links it, outwards."""
        yield show_expr(expr)
        for links in self.pending:
            expr = _relinked(expr, links)
            yield show_expr(expr)
        for group in self.groups:
            own = set(names_of(expr))
            for links in group:
                own -= {name for name, _ in links}
                expr = _relinked(expr, links)
                yield show_expr(expr)
            if own:
                return


Links = tuple[tuple[str, Expr[str]], ...]
_SILENT: Final[Any] = object()


def _shape_of(value: Spec) -> tuple[Dim, ...] | None:
    """The shape of the array of a leaf; None if it is open, or if the leaf has several arrays."""
    match value:
        case Array(shape=shape):
            return shape
        case Validated(inner=inner):
            return _shape_of(inner)
        case Union(options):
            shapes = {_shape_of(option) for option in options} - {None}
            return shapes.pop() if len(shapes) == 1 else None
        case Anything() | ValueSpec() | StateSpec():
            return None
        case _:
            assert_never(value)


def _relinked(expr: Expr[str], links: Links) -> Expr[str]:
    table = dict(links)
    return substitute(expr, lambda name: table.get(name) or Name(name))
