"""Something else in the place of each leaf or its array.

What `Pure`, `Values`, `Abstract`, `Shardings`, `Specs` and `Like` do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax

from .dataclass import dataclass
from .spec import (
    Allowed,
    Anything,
    Array,
    Container,
    Extra,
    Instance,
    Leaf,
    NoValue,
    OneOf,
    Partition,
    Path,
    Spec,
    one_of,
)
from .transform import Unchanged, map_value


@dataclass(frozen=True, slots=True, eq=False)
class Unwrapping(Unchanged):
    """`Pure` and `Values`: no Variables, only what they hold."""

    pure: bool

    def title(self, name: str) -> str:
        """``Pure[S]``."""
        return f"{'Pure' if self.pure else 'Values'}[{name}]"

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
        return _extra_of_any_kind(extra)


@dataclass(frozen=True, slots=True, eq=False)
class Abstracting(Unchanged):
    """`Abstract`: a ``jax.ShapeDtypeStruct`` in the place of each array."""

    @property
    def keeps_values(self) -> bool:
        """An array is a ``jax.ShapeDtypeStruct``."""
        return False

    def title(self, name: str) -> str:
        """``Abstract[S]``."""
        return f"Abstract[{name}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Arrays become abstract; ``jax.eval_shape`` makes arrays of Python numbers too."""
        if isinstance(spec, Anything):
            return spec
        if isinstance(spec, Instance) and issubclass(spec.cls, int | float | complex):
            return OneOf((spec, Array("", None, (), None, abstract=True)))
        return map_value(spec, _abstract)


def _abstract(spec: Array | Anything) -> Spec:
    if isinstance(spec, Array):
        return replace(spec, cls=None, abstract=True)
    return OneOf((Array("", None, None, None, abstract=True), NoValue()))


@dataclass(frozen=True, slots=True, eq=False)
class Replacing(Unchanged):
    """`Shardings` and `Specs`: something else in the place of each array."""

    form: str
    cls: type

    def title(self, name: str) -> str:
        """``Shardings[S]``."""
        return f"{self.form}[{name}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """A Variable may hold it, or it stands for the Variable."""
        if isinstance(spec, Anything):
            return spec
        raw = self._value(spec.value) if isinstance(spec, Leaf) else self._value(spec)
        if isinstance(spec, Leaf) and isinstance(raw, Partition):
            rules = None if spec.placed is None else spec.placed.rules
            raw = replace(raw, names=spec.names, rules=rules)
        if not isinstance(spec, Leaf) or spec.kind is None:
            return raw
        return OneOf((Leaf(spec.kind, raw, spec.exact), raw))

    def _value(self, value: Spec) -> Spec:
        """Stands for an array by itself; for a structure as a whole, for its arrays, or not."""
        if isinstance(value, Array | Anything):
            shape = value.shape if isinstance(value, Array) else None
            return Partition(self.cls, shape=shape)
        inner = map_value(value, self._value)
        return one_of(tuple(dict.fromkeys((inner, Partition(self.cls), NoValue()))))

    @property
    def keeps_kinds(self) -> bool:
        """What stands for a Variable has none."""
        return False

    def extra(self, extra: Extra, path: Path) -> Extra:
        """What stands for a Variable does not show its kind."""
        return _extra_of_any_kind(extra)


@dataclass(frozen=True, slots=True, eq=False)
class Resembling(Unchanged):
    """`Like`: another kind, dtype or whole leaf in the place of each leaf.

    Attributes:
      text: the second argument as its user wrote it.
      kinds: Variable classes that hold the value.
      dtype: name and dtypes that the arrays get.
      values: what may stand for the value, or for the whole leaf.
      form: the name of the form; `Cast` only has a dtype.
    """

    text: str
    kinds: tuple[Leaf, ...]
    dtype: tuple[str, tuple[Any, ...] | None] | None
    values: tuple[Spec, ...]
    form: str = "Like"

    def title(self, name: str) -> str:
        """``Like[S, OptVariable]``."""
        return f"{self.form}[{name}, {self.text}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The leaf with what `Like` says in place of what the schema says."""
        if isinstance(spec, Anything):
            return spec
        value: Spec = spec.value if isinstance(spec, Leaf) else spec
        if self.dtype is not None:
            value = map_value(value, self._retype)
            changed = replace(spec, value=value) if isinstance(spec, Leaf) else value
            return changed if not self.kinds else self._kinds(spec, value)
        if not self.kinds:
            return one_of(self.values)
        return self._kinds(spec, value)

    @property
    def keeps_kinds(self) -> bool:
        """Another dtype leaves the kinds alone."""
        return not self.kinds and not self.values

    @property
    def keeps_values(self) -> bool:
        """Another dtype is another array."""
        return self.dtype is None

    def extra(self, extra: Extra, path: Path) -> Extra:
        """The kinds that were allowed are other ones now."""
        if self.keeps_kinds:
            return extra
        kinds = tuple(kind.kind for kind in self.kinds if kind.kind is not None)
        if extra.allowed and not self.values and not extra.open:
            return replace(extra, allowed=(Allowed(kinds),))
        return _extra_of_any_kind(extra)

    def _kinds(self, spec: Spec, value: Spec) -> Spec:
        """Other kinds with the same value: they are placed as the schema says of its own."""
        options: list[Spec] = []
        for kind in self.kinds:
            if isinstance(kind.value, Anything) and isinstance(spec, Leaf):
                held = one_of((value, *self.values))
                changed = replace(spec, kind=kind.kind, value=held, exact=kind.exact)
                options.append(replace(changed, predicates=(), by_dims=True))
                continue
            held = kind.value if not isinstance(kind.value, Anything) else value
            options.append(Leaf(kind.kind, one_of((held, *self.values)), kind.exact))
        return one_of((*options, *self.values))

    def _retype(self, spec: Array | Anything) -> Spec:
        assert self.dtype is not None
        name, dtypes = self.dtype
        array = spec if isinstance(spec, Array) else Array("", None, None, jax.Array)
        return replace(array, dtype=name, dtypes=dtypes)


def _extra_of_any_kind(extra: Extra) -> Extra:
    return replace(extra, allowed=(Allowed(),) if extra.allowed else ())
