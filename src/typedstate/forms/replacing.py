"""`Pure`, `Values`, `Abstract`, `Shardings`, `Specs`: something else in the place of each leaf."""

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
    """`Pure` and `Values`: no Variables, only what they hold."""

    pure: bool

    @property
    def holds_kinds(self) -> bool:
        """Values have none."""
        return False

    def title(self, name: str) -> str:
        """``Pure[S]``."""
        return f"{'Pure' if self.pure else 'Values'}[{name}]"

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """No Variables."""
        return (_A_VALUE,)

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The value of a Variable."""
        if isinstance(spec, Leaf):
            return replace(spec, kind=None, exact=False)
        return spec

    @property
    def keeps_kinds(self) -> bool:
        """Values have none."""
        return False

    def container(self, container: Container) -> Container:
        """``nnx.to_pure_dict`` gives plain dicts, ``nnx.pure`` a State."""
        return "dict" if self.pure else container

    def extra(self, extra: Extra, path: Path) -> Extra:
        """A value does not show of which kind its Variable was."""
        return extra_of_any_kind(extra)


class Abstracting(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """`Abstract`: a ``jax.ShapeDtypeStruct`` in the place of each array."""

    @property
    def keeps_values(self) -> bool:
        """An array is a ``jax.ShapeDtypeStruct``."""
        return False

    @property
    def needs_arrays(self) -> bool:
        """Arrays become abstract."""
        return True

    def title(self, name: str) -> str:
        """``Abstract[S]``."""
        return f"Abstract[{name}]"

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """All that it holds is abstract."""
        return (_ABSTRACT,)

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Arrays become abstract; ``jax.eval_shape`` makes arrays of Python numbers too."""
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
    """`Shardings` and `Specs`: something else in the place of each array."""

    form: str
    cls: type

    @property
    def holds_arrays(self) -> bool:
        """Something stands in their place."""
        return False

    @property
    def needs_arrays(self) -> bool:
        """They are replaced."""
        return True

    def title(self, name: str) -> str:
        """``Shardings[S]``."""
        return f"{self.form}[{name}]"

    def of_any_leaf(self) -> tuple[Predicate, ...]:
        """It holds these, or is one."""
        return (_A_SPEC if self.form == "Specs" else _A_SHARDING,)

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """A Variable may hold it, or it stands for the Variable."""
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
        """Stands for an array by itself; for a structure as a whole, for its arrays, or not."""
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
    """Whether all that a leaf holds is of a class; one without a value holds nothing."""

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
#: What these forms say of the leaves of a state of which nothing else is known, by its text.
OF_ANY_LEAF: Final = {one.text: one for one in (_A_VALUE, _ABSTRACT, _A_SHARDING, _A_SPEC)}


def extra_of_any_kind(extra: Extra) -> Extra:
    """The entries that are allowed under undeclared keys, once kinds can't be told any more."""
    return replace(extra, allowed=(Allowed(),) if extra.allowed else ())
