"""Guards for decisions that a repeated check must make again: more than keys, classes and avals.

The walk reads a value in these ways; code that is generated for an accepted value must come to
the same answers, or ask. Whoever lets the walk read more adds a line here:

- which keys there are, by equality: the code looks each up and counts them;
- of which class a key is (`StateMap`, ``dict[K, V]``, ``extra=``): `keys_like`, `SameKeys`;
- of which class a value is: the code compares ``type(value)``; an ``isinstance`` that may be
  decided by more (a Protocol, a metaclass, a ``__class__`` of the object's own): `InstanceLike`;
- class, dtype, shape and sharding of an array: the code compares its abstract value; whether
  something that is no array of JAX or numpy has dtype and shape at all: `ShapedLike`;
- the fields of a record: the code reads them too;
- what a Python value equals (``Literal``): a `Guard` of `values`;
- axis names, rules, placements, partitions: a `compare.Question`, or signs that do not change;
- what a validator or an NNX filter says: the guards of `arrays` and `undeclared`;
- where the leaves of an argument are, or where it puts those of another: `PlacedLike`;
- what JAX holds for the structure of a tree, as `Same` compares it: `TreedefLike`;
- which objects of a live module are one: `aliasing`.

A decision about what a Variable holds is asked of that, not of the Variable: `OfValue`.
"""

from __future__ import annotations

import dataclasses
from abc import ABCMeta
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Final, cast

import jax
import msgspec

from .._compat import variables

#: Keys of these classes that are equal are the same to whatever reads them.
_STAND_IN: Final = jax.ShapeDtypeStruct
_PLAIN: Final = frozenset[type]({str, int, bytes, bool, float, complex, type(None)})


def is_plain_key(key: object) -> bool:
    """Whether class and value of a key are all that there is of it."""
    return type(key) in _PLAIN


def same_key(key: object, other: object) -> bool:
    """Whether two keys that are equal are the same to a hint: ``(1,)`` and ``(True,)`` are not."""
    if key is other:
        return True
    cls: Any = type(key)
    if cls is not type(other):
        return False
    if cls in _PLAIN:
        return key == other
    if cls is tuple or (tuple in cls.__mro__ and hasattr(cls, "_fields")):
        pairs = zip(cast(Any, key), cast(Any, other), strict=True)
        return all(same_key(one, two) for one, two in pairs)
    if dataclasses.is_dataclass(cls):
        names = [item.name for item in dataclasses.fields(cls)]
        return all(same_key(getattr(key, name), getattr(other, name)) for name in names)
    return False


class KeysOf(msgspec.Struct, frozen=True):
    """Whether every key of a mapping is of one class, which alone decides."""

    cls: type

    def __call__(self, value: Any) -> bool:
        """Asks again."""
        return {*map(type, variables.mapping_of(value) or ())} == {self.cls}


class SameKeys(msgspec.Struct, frozen=True, eq=False):
    """Whether the keys of a mapping, which equal these, are the same to any hint."""

    keys: Mapping[Hashable, Hashable]

    def __call__(self, value: Any) -> bool:
        """Asks again."""
        known = self.keys
        mapping: Iterable[Hashable] = variables.mapping_of(value) or ()
        found = [key for key in mapping if key in known]
        return len(found) == len(known) and all(same_key(known[key], key) for key in found)


def keys_like(keys: Iterable[Hashable], every: bool) -> Callable[[Any], bool] | None:
    """Asks whether keys that equal these are the same to any hint; None where there are none.

    Args:
      keys: of the mapping that was read.
      every: they are all that the mapping has.
    """
    known = {key: key for key in keys}
    if not known:
        return None
    classes = {type(key) for key in known}
    if every and len(classes) == 1 and classes <= _PLAIN:
        return KeysOf(classes.pop())
    return SameKeys(known)


class InstanceLike(msgspec.Struct, frozen=True):
    """Whether ``isinstance`` still answers so."""

    cls: type
    answer: bool

    def __call__(self, value: Any) -> bool:
        """Asks again."""
        return isinstance(value, self.cls) is self.answer


class ShapedLike(msgspec.Struct, frozen=True):
    """Whether an object that is no array of JAX or numpy still has dtype and shape, or has not."""

    answer: bool

    def __call__(self, value: Any) -> bool:
        """Asks again."""
        return variables.is_shaped(value) is self.answer


class OfValue(msgspec.Struct, frozen=True):
    """A guard on the value of a Variable."""

    test: Callable[[Any], bool]

    def __call__(self, value: Any) -> bool:
        """Asks again."""
        return self.test(variables.raw_value(value))


def instance_guard(value: Any, cls: type, answer: bool) -> Callable[[Any], bool] | None:
    """Asks again whether a value is an instance; None where its own class decides that."""
    decided = _decides(cls) and not _has_class_of_its_own(cast(Any, type(value)))
    return None if decided else InstanceLike(cls, answer)


def shaped_guard(value: Any, answer: bool) -> Callable[[Any], bool] | None:
    """Asks again whether a value has dtype and shape; None where its class decides that."""
    return None if variables.is_array(value) or isinstance(value, _STAND_IN) else ShapedLike(answer)


def _decides(cls: type) -> bool:
    """Whether ``isinstance(value, cls)`` looks at the classes of a value and at nothing else."""
    check: Any = getattr(type(cls), "__instancecheck__", None)
    return check is type.__instancecheck__ or check is ABCMeta.__instancecheck__


def _has_class_of_its_own(cls: type) -> bool:
    """Whether objects of a class may say of themselves that they are of another."""
    return any("__class__" in vars(base) for base in cls.__mro__[:-1])
