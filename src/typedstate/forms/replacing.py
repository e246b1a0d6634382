"""`Pure`, `Values`, `Abstract`, `Shardings`, `Specs`: replace each Variable or each array."""

from __future__ import annotations

from typing import Any, ClassVar, Final, cast

import jax
import msgspec
from jax.sharding import NamedSharding, PartitionSpec
from msgspec.structs import replace

from .._compat import variables
from .._spec.composition import transformed
from .._spec.leaf_conditions import Allowed, Predicate
from .._spec.nodes import (
    Anything,
    Array,
    Extra,
    Instance,
    Leaf,
    NoValue,
    Partition,
    Spec,
    Union,
)
from .._spec.questions import one_of
from .._spec.rewrite import map_value
from .._spec.transform import Unchanged
from .._spec.words import Container
from ..report import Path
from .form_class import FormMeta, want_tree

_jax: Final = cast(Any, jax)


class Pure(metaclass=FormMeta):
    """``Pure[S]``: nested dicts of values, as ``nnx.to_pure_dict`` gives."""

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec) -> Spec:
        return transformed(want_tree(inner, "Pure"), Unwrapping(pure=True))


class Values(metaclass=FormMeta):
    """``Values[S]``: a State of values, as ``nnx.pure`` gives."""

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec) -> Spec:
        return transformed(want_tree(inner, "Values"), Unwrapping(pure=False))


class Abstract(metaclass=FormMeta):
    """``Abstract[S]``: a ``jax.ShapeDtypeStruct`` in the place of each array."""

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec) -> Spec:
        return transformed(want_tree(inner, "Abstract"), Abstracting())


class Shardings(metaclass=FormMeta):
    """``Shardings[S]``: a ``NamedSharding`` in the place of each array."""

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec) -> Spec:
        return transformed(want_tree(inner, "Shardings"), Replacing("Shardings", NamedSharding))


class Specs(metaclass=FormMeta):
    """``Specs[S]``: a ``PartitionSpec`` in the place of each array."""

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec) -> Spec:
        return transformed(want_tree(inner, "Specs"), Replacing("Specs", PartitionSpec))


class Unwrapping(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """The transform of `Pure` and `Values`: replaces each Variable by its value."""

    pure: bool

    @property
    def holds_kinds(self) -> bool:
        """False: values have no kinds."""
        return False

    def title(self, name: str) -> str:
        """The name of the form, e.g. ``Pure[S]``."""
        return f"{'Pure' if self.pure else 'Values'}[{name}]"

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """The predicate on any leaf: it is no Variable."""
        return (_A_VALUE,)

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The value of a Variable."""
        if isinstance(spec, Leaf):
            return replace(spec, kind=None, exact=False)
        return spec

    @property
    def keeps_kinds(self) -> bool:
        """False: values have no kinds."""
        return False

    def container(self, container: Container) -> Container:
        """A dict for `Pure` as of ``nnx.to_pure_dict``, a State for `Values` as of ``nnx.pure``."""
        return "dict" if self.pure else container

    def extra(self, extra: Extra, path: Path) -> Extra:
        """The entries under undeclared keys: values don't show the kinds of their Variables."""
        return extra_of_any_kind(extra)


class Abstracting(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """The transform of `Abstract`: replaces each array by a ``jax.ShapeDtypeStruct``."""

    @property
    def keeps_values(self) -> bool:
        """False: arrays become abstract."""
        return False

    @property
    def needs_arrays(self) -> bool:
        """Arrays become abstract."""
        return True

    def title(self, name: str) -> str:
        """The name of the form, e.g. ``Abstract[S]``."""
        return f"Abstract[{name}]"

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """The predicate on any leaf: all its arrays are abstract."""
        return (_ABSTRACT,)

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The leaf with abstract arrays, also for numbers, as ``jax.eval_shape`` does."""
        if isinstance(spec, Anything):
            return spec
        if isinstance(spec, Instance) and issubclass(spec.cls, int | float | complex):
            return Union((spec, Array("", None, (), None, abstract=True)))
        return map_value(spec, _abstract)


def _abstract(spec: Array | Anything) -> Spec:
    if isinstance(spec, Array):
        return replace(spec, cls=None, abstract=True)
    return Union((Array("", None, None, None, abstract=True), NoValue()))


class Replacing(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """The transform of `Shardings` and `Specs`: replaces each array."""

    form: str
    cls: type

    @property
    def holds_arrays(self) -> bool:
        """False: arrays are replaced."""
        return False

    @property
    def needs_arrays(self) -> bool:
        """True: it replaces arrays."""
        return True

    def title(self, name: str) -> str:
        """The name of the form, e.g. ``Shardings[S]``."""
        return f"{self.form}[{name}]"

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """The predicate on any leaf: it is the replacement, or a Variable of it."""
        return (_A_SPEC if self.form == "Specs" else _A_SHARDING,)

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The replacement in a Variable, or instead of the Variable."""
        if isinstance(spec, Anything):
            return spec
        raw = self._value(spec.value) if isinstance(spec, Leaf) else self._value(spec)
        if isinstance(spec, Leaf) and isinstance(raw, Partition):
            rules = None if spec.placed is None else spec.placed.rules
            raw = replace(raw, names=spec.names, rules=rules, storage=spec.storage)
        if not isinstance(spec, Leaf) or spec.kind is None:
            return raw
        return Union((Leaf(spec.kind, raw, spec.exact), raw))

    def _value(self, value: Spec) -> Spec:
        """The replacement of an array; of a structure as a whole or of each of its arrays."""
        if isinstance(value, Array | Anything):
            shape = value.shape if isinstance(value, Array) else None
            return Partition(self.cls, shape=shape)
        inner = map_value(value, self._value)
        return one_of(tuple(dict.fromkeys((inner, Partition(self.cls), NoValue()))))

    @property
    def keeps_kinds(self) -> bool:
        """False, as the replacement of a Variable has no kind."""
        return False

    def extra(self, extra: Extra, path: Path) -> Extra:
        """The entries under undeclared keys: replacements of Variables don't show their kinds."""
        return extra_of_any_kind(extra)


def holding(text: str, cls: type) -> Predicate:
    """The predicate that all values of a leaf are of a class."""

    def is_one(part: object) -> bool:
        return isinstance(part, cls)

    def test(leaf: Any) -> bool:
        held = variables.raw_value(leaf) if variables.is_variable(leaf) else leaf
        parts = _jax.tree.leaves(held, is_leaf=is_one)
        return all(map(is_one, parts))

    return Predicate(text, test)


_A_VALUE: Final = Predicate("a value", lambda leaf: not variables.is_variable(leaf))
_ABSTRACT: Final = holding("jax.ShapeDtypeStruct", jax.ShapeDtypeStruct)
_A_SHARDING: Final = holding("a NamedSharding", NamedSharding)
_A_SPEC: Final = holding("a PartitionSpec", PartitionSpec)
#: The predicates of these forms on the leaves of a state without schema, by their text.
OF_ANY_LEAF: Final = {one.text: one for one in (_A_VALUE, _ABSTRACT, _A_SHARDING, _A_SPEC)}


def extra_of_any_kind(extra: Extra) -> Extra:
    """The entries that are allowed under undeclared keys, of any kind."""
    return replace(extra, allowed=(Allowed(),) if extra.allowed else ())
