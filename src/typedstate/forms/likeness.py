"""`Like` and `Cast`: replace the kind, the dtype or the whole of every leaf."""

from __future__ import annotations

import typing
from typing import Any, ClassVar, Final, cast

import jax
import msgspec
from msgspec.structs import replace

from .._annotations.array_hints import dtype_class
from .._annotations.context import Context
from .._annotations.parse import parse
from .._compat import variables
from .._spec.composition import transformed
from .._spec.describe import describe
from .._spec.dtypes import beside, has_dtype
from .._spec.filters import Answer, asks_for_kinds, decide, show_filter
from .._spec.leaf_conditions import Allowed, Predicate
from .._spec.nodes import (
    Anything,
    Array,
    Conditional,
    Extra,
    ItemsOf,
    Leaf,
    MappingOf,
    RecordOf,
    Spec,
    TupleOf,
    Union,
    Validated,
)
from .._spec.questions import one_of
from .._spec.rewrite import map_value
from .._spec.transform import Unchanged
from ..errors import SchemaError
from ..report import Path
from .form_class import FormMeta, show_form_argument, want_tree
from .replacing import extra_of_any_kind

#: The dtype class of PRNG keys, which no numpy array holds.
_KEY: Final = "Key"


class Like(metaclass=FormMeta):
    """``Like[S, X]``: every leaf's kind or whole leaf is X; of another dtype it is `Cast`.

    A class of arrays keeps dtypes and shapes: ``Like[S, np.ndarray]`` is a tree of numpy arrays,
    ``Like[S, nnx.Variable[np.ndarray]]`` one of Variables that hold such.
    """

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, hint: Any) -> Spec:
        text = show_form_argument(hint)
        options = typing.get_args(hint) if _is_union(hint) else (hint,)
        owner = f"Like[{describe(inner)}, {text}]"
        _refuse_dtypes(describe(inner), options, owner)
        parsed = [parse(option, Context(owner)) for option in options]
        kinds = tuple(spec for spec in parsed if isinstance(spec, Leaf) and spec.kind is not None)
        values = tuple(spec for spec in parsed if spec not in kinds)
        resembling = Resembling(text, kinds, None, values)
        return transformed(want_tree(inner, "Like"), resembling)


class Cast(metaclass=FormMeta):
    """``Cast[S, BFloat16, *filters]``: these arrays have this dtype; their kinds stay.

    A float dtype concerns floating leaves: counters and PRNG keys stay as they are. Filters say
    which leaves, all without: ``Cast[S, BFloat16, nnx.Not(nnx.PathContains("norm"))]`` keeps
    norms as S has them.
    """

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, dtype: Any, *filters: Any) -> Spec:
        found = dtype_class(dtype)
        if found is None:
            owner = f"Cast[{describe(inner)}, {show_form_argument(dtype)}]"
            raise SchemaError(f"{owner}: give a dtype class of jaxtyping, e.g. BFloat16")
        casting = Resembling(show_form_argument(dtype), (), found, (), "Cast", filters)
        return transformed(want_tree(inner, "Cast"), casting)


def _is_bare(kind: Leaf) -> bool:
    return isinstance(kind.value, Anything)


def _is_class(spec: Spec) -> bool:
    """Whether a spec is a class of arrays without dtype and shape, such as ``np.ndarray``."""
    return isinstance(spec, Array) and spec.shape is None and spec.dtypes is None


def _of_class(value: Spec, given: Spec) -> Spec:
    """The given spec; a class of arrays gets the dtype and shape of the replaced array."""
    if not (isinstance(given, Array) and _is_class(given)):
        return given
    cls = given.cls

    def change(spec: Array | Anything) -> Spec:
        if isinstance(spec, Anything):
            return given
        return spec if spec.dtype == _KEY else replace(spec, cls=cls)

    match value:
        case Array() | TupleOf() | ItemsOf() | MappingOf() | RecordOf() | Union() | Validated():
            return map_value(value, change)
        case _:
            return given


class OfDtypes(msgspec.Struct, frozen=True):
    """Whether the arrays that a leaf holds have the dtypes of a cast, or none that it concerns."""

    dtypes: tuple[Any, ...]

    def __call__(self, leaf: Any) -> bool:
        """Asks a leaf."""
        held = variables.raw_value(leaf) if variables.is_variable(leaf) else leaf
        wanted = (*self.dtypes, *beside(self.dtypes, None))
        parts = cast(Any, jax).tree.leaves(held)
        return all(has_dtype(one.dtype, wanted) for one in parts if variables.is_shaped(one))


class OfKinds(msgspec.Struct, frozen=True):
    """Whether a leaf is a Variable of one of these classes.

    Attributes:
      kinds: each with whether its subclasses are none.
    """

    kinds: tuple[tuple[type, bool], ...]

    def __call__(self, leaf: Any) -> bool:
        """Asks a leaf."""
        if not variables.is_variable(leaf):
            return False
        found = variables.kind_of(leaf)
        return any(
            found is kind or (not exact and issubclass(found, kind)) for kind, exact in self.kinds
        )


def _refuse_dtypes(inner: str, options: tuple[Any, ...], owner: str) -> None:
    """Raises SchemaError for a dtype class in `Like`, where `Cast` is meant."""
    dtypes = [option for option in options if dtype_class(option) is not None]
    if not dtypes:
        return
    text = f"Cast[{inner}, {show_form_argument(dtypes[0])}]"
    rest = [show_form_argument(option) for option in options if option not in dtypes]
    if rest:
        text = f"Like[{text}, {' | '.join(rest)}]"
    shown = show_form_argument(dtypes[0])
    raise SchemaError(f"{owner}: {shown} is a dtype: write {text}")


def _is_union(hint: Any) -> bool:
    import types

    return typing.get_origin(hint) in (typing.Union, types.UnionType)


class Resembling(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """The transform of `Like` and `Cast`: replaces kind, dtype or whole leaf.

    Attributes:
      text: the second argument as its user wrote it.
      kinds: the new Variable classes; empty to keep the kinds.
      dtype: the name and the dtypes of the new dtype class; None to keep dtypes.
      values: the specs of the new value, or of the new whole leaf.
      form: the name of the form; `Cast` has a dtype only.
      filters: the filters of `Cast` that select leaves; without, all leaves.
    """

    text: str
    kinds: tuple[Leaf, ...]
    dtype: tuple[str, tuple[Any, ...] | None] | None
    values: tuple[Spec, ...]
    form: str = "Like"
    filters: tuple[Any, ...] = ()

    @property
    def by_path(self) -> bool:
        """Whether filters may read paths."""
        return not all(isinstance(item, type) for item in self.filters)

    @property
    def holds_arrays(self) -> bool:
        """Whether leaves still have arrays; a new whole leaf may have none."""
        return self.dtype is not None or bool(self.kinds) or all(map(_is_class, self.values))

    @property
    def needs_kinds(self) -> bool:
        """True if kinds are replaced, which needs leaves with kinds."""
        return bool(self.kinds) or asks_for_kinds(self.filters)

    @property
    def needs_arrays(self) -> bool:
        """True for a new dtype, which needs leaves with arrays."""
        return self.dtype is not None

    def title(self, name: str) -> str:
        """The name of the form, e.g. ``Like[S, OptVariable]``."""
        return f"{self.form}[{', '.join([name, self.text, *map(show_filter, self.filters)])}]"

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """The predicates on any leaf: its kind, or the dtype of its arrays."""
        found: list[Predicate] = []
        if self.dtype is not None and self.dtype[1] is not None and not self.filters:
            found.append(Predicate(f"dtype {self.dtype[0]}", OfDtypes(self.dtype[1])))
        if self.kinds and not self.values and all(_is_bare(kind) for kind in self.kinds):
            text = " | ".join(describe(kind) for kind in self.kinds)
            pairs = ((cast(type, kind.kind), kind.exact) for kind in self.kinds)
            found.append(Predicate(text, OfKinds(tuple(pairs)), reads_kind=True))
        return tuple(found)

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The leaf with the new kind, dtype or value."""
        answer = decide(self.filters, path, spec) if self.filters else Answer.YES
        if answer is Answer.NO or isinstance(spec, Anything):
            return spec
        changed = self._changed(spec)
        return changed if answer is Answer.YES else Conditional(self.filters, path, changed, spec)

    def _changed(self, spec: Spec) -> Spec:
        value: Spec = spec.value if isinstance(spec, Leaf) else spec
        if self.dtype is not None:
            value = map_value(value, self._retype)
            changed = replace(spec, value=value) if isinstance(spec, Leaf) else value
            return changed if not self.kinds else self._kinds(spec, value)
        if not self.kinds:
            return one_of(self._whole(value))
        return self._kinds(spec, value)

    def _whole(self, value: Spec) -> tuple[Spec, ...]:
        """The specs of the new whole leaf."""
        return tuple(_of_class(value, given) for given in self.values)

    @property
    def keeps_kinds(self) -> bool:
        """Whether kinds stay, as with a new dtype."""
        return not self.kinds and not self.values

    @property
    def keeps_values(self) -> bool:
        """Whether arrays stay, as without a new dtype."""
        return self.dtype is None

    def extra(self, extra: Extra, path: Path) -> Extra:
        """The entries under undeclared keys, with the new kinds."""
        if self.keeps_kinds:
            return extra
        kinds = tuple(kind.kind for kind in self.kinds if kind.kind is not None)
        if extra.allowed and not self.values and not extra.open:
            return replace(extra, allowed=(Allowed(kinds),))
        return extra_of_any_kind(extra)

    def _kinds(self, spec: Spec, value: Spec) -> Spec:
        """The leaf in each of the new kinds, with the axis names of the old one."""
        options: list[Spec] = []
        for kind in self.kinds:
            if isinstance(kind.value, Anything) and isinstance(spec, Leaf):
                held = one_of((value, *self._whole(value)))
                changed = replace(spec, kind=kind.kind, value=held, exact=kind.exact)
                options.append(replace(changed, predicates=(), by_dims=True))
                continue
            held = value if isinstance(kind.value, Anything) else _of_class(value, kind.value)
            options.append(Leaf(kind.kind, one_of((held, *self._whole(value))), kind.exact))
        return one_of((*options, *self._whole(value)))

    def _retype(self, spec: Array | Anything) -> Spec:
        assert self.dtype is not None
        name, dtypes = self.dtype
        array = spec if isinstance(spec, Array) else Array("", None, None, jax.Array)
        if dtypes is None:
            return replace(array, dtype=name, dtypes=None)
        kept = beside(dtypes, array.dtypes)
        if kept == array.dtypes:
            return array  # the dtype does not concern it
        return replace(array, dtype=name, dtypes=tuple(dict.fromkeys((*dtypes, *kept))))
