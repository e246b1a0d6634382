"""`KnownClasses`: the classes that a document may name, of Flax and its like or of the caller.

Names are looked up in tables and in what the trusted modules already hold; nothing is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, Final, cast

import jax
import msgspec
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from .._spec.leaf_conditions import Predicate
from ..errors import SchemaError
from ..forms.replacing import OF_ANY_LEAF

Registry = Mapping[str, Any] | Iterable[Any]

_TABLE: Final[dict[str, type]] = {
    "jax.Array": jax.Array,
    "jax.ShapeDtypeStruct": jax.ShapeDtypeStruct,
    "jax.sharding.NamedSharding": NamedSharding,
    "jax.sharding.PartitionSpec": PartitionSpec,
    "numpy.ndarray": np.ndarray,
    "collections.abc.Sequence": cast(type, Sequence),
    "collections.abc.MutableSequence": cast(type, MutableSequence),
    "collections.abc.Mapping": cast(type, Mapping),
    "collections.abc.MutableMapping": cast(type, MutableMapping),
    **{cls.__name__: cls for cls in (bool, int, float, complex, str, bytes, object)},
    **{cls.__name__: cls for cls in (list, tuple, set, frozenset, dict)},
}
_NAMES: Final = {cls: name for name, cls in _TABLE.items()}
#: Modules whose public classes are known, by the prefix of their names. Flax imports optax.
_MODULES: Final = {"nnx": "flax.nnx", "optax": "optax", "numpy": "numpy"}
#: Packages whose classes are known, if their modules are imported already.
_TRUSTED: Final = frozenset({"flax", "optax"})
_MAX_NAME: Final = 200


class KnownClasses(msgspec.Struct, frozen=True):
    """The objects that names in a document may stand for.

    Attributes:
      given: the caller's classes, validators and functions by name.
    """

    given: Mapping[str, Any]

    def name(self, item: Any) -> str | None:
        """The name of a class or another object; None if it has none."""
        for name, other in self.given.items():
            if other is item:
                return name
        if not isinstance(item, type):
            return None
        if item in _NAMES:
            return _NAMES[item]
        last: str = item.__name__
        for short in _MODULES:
            if _public(short).get(last) is item:
                return f"{short}.{last}"
        return full_name(item)

    def name_of_validator(self, predicate: Predicate) -> str | None:
        """The name of the validator with this predicate; None if it has none."""
        for name, other in self.given.items():
            if getattr(other, "is_valid", None) == predicate.test:
                return name
        return predicate.text if OF_ANY_LEAF.get(predicate.text) == predicate else None

    def name_of_callable(self, item: Any) -> str | None:
        """The name of a function that is a filter, or gives axis rules; None if it has none."""
        for name, other in self.given.items():
            if other is item:
                return name
        return None

    def find(self, name: str) -> Any:
        """The object of a name; raises KeyError if there is none."""
        if name in self.given:
            return self.given[name]
        if name in _TABLE:
            return _TABLE[name]
        head, _, last = name.rpartition(".")
        found = _public(head).get(last)
        if found is None and head.partition(".")[0] in _TRUSTED and head in sys.modules:
            found = vars(sys.modules[head]).get(last)
            found = None if getattr(found, "__module__", "") != head else found
        if not isinstance(found, type) or last.startswith("_"):
            raise KeyError(name)
        return found


class NamedByText(KnownClasses, frozen=True):
    """Gives a name, made from its text, to each object without one, and adds it to `given`."""

    given: dict[str, Any]

    def name_of_validator(self, predicate: Predicate) -> str:
        """The name of the validator, or a new one."""
        found = KnownClasses.name_of_validator(self, predicate)
        return found or self._give(predicate.text, _Validator(predicate.test))

    def name_of_callable(self, item: Any) -> str:
        """The name of the function, or a new one."""
        found = KnownClasses.name_of_callable(self, item)
        return found or self._give(getattr(item, "__qualname__", type(item).__qualname__), item)

    def _give(self, text: str, item: Any) -> str:
        printable = "".join(char for char in text if char.isprintable())[:_MAX_NAME]
        name, number = printable, 1
        while name in self.given:
            number += 1
            name = f"{printable} #{number}"
        self.given[name] = item
        return name


class _Validator(msgspec.Struct, frozen=True):
    """Stands for a validator of which a document keeps only the predicate."""

    is_valid: Any

    def __call__(self, value: Any) -> bool:
        """Whether a value passes."""
        return bool(self.is_valid(value))


def _public(short: str) -> Mapping[str, Any]:
    """The names in a trusted module, without its ``__getattr__``; none if it is not imported."""
    module = sys.modules.get(_MODULES.get(short, ""))
    return {} if module is None else vars(module)


def full_name(cls: type) -> str:
    """The name of a class with its module."""
    return f"{cls.__module__}.{cls.__qualname__}"


def known(kinds: Registry) -> KnownClasses:
    """Reads the caller's registry: a dict of names, or a list of classes with names of their own.

    Raises:
      SchemaError: the registry is neither.
    """
    if isinstance(kinds, Mapping):
        given = dict(cast("Mapping[Any, Any]", kinds))
        for name in given:
            if not isinstance(name, str):
                raise SchemaError(f"kinds={{{name!r}: ...}}: names are text")
        return KnownClasses(given)
    if isinstance(kinds, type | str):
        raise SchemaError("kinds: give a list of classes, or a dict of names to classes")
    named: dict[str, Any] = {}
    for item in kinds:
        if not isinstance(item, type):
            raise SchemaError(f"kinds: {item!r} has no name of its own; write kinds={{'name': it}}")
        named[full_name(item)] = item
    return KnownClasses(named)
