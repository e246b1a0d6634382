"""`Values`: the types of the values in a tree, and the tree with other values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mypy.nodes import TypeAlias
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    ProperType,
    TupleType,
    Type,
    UnionType,
    get_proper_type,
)

from .filters import bare, unknown
from .leaves import HELD, HOLDING, holding, is_array, value_in
from .modules import is_module
from .names import ARRAY, ARRAYS, DICT, FLAT_STATE, LIST, SCALARS, STATE, TUPLE, VALUES, VARIABLE
from .reader import Reader
from .recursion import recursive_alias
from .tags import Tag, tag_of, with_any_values
from .trees import tree_of

_SCALARS_TOO: Final = VALUES | SCALARS
_CONTAINERS: Final = (STATE, FLAT_STATE, DICT, LIST, TUPLE)


class Values:
    """Replaces or collects the values of a tree, like functions over its leaves.

    Attributes:
      reader: reads trees whose keys are known.
    """

    def __init__(self, reader: Reader) -> None:
        """Keeps the reader."""
        self.reader = reader

    def scalar(self, typ: Type) -> Type:
        """The value of a differentiated function: an array, even if it is annotated as a number."""
        found, array = get_proper_type(typ), self.reader.lookup(ARRAY)
        if array is None or not isinstance(found, Instance):
            return typ
        return bare(array) if found.type.fullname in SCALARS else typ

    def plain(self, function: CallableType) -> Instance:
        """The fallback type of a new function: a plain one, even if the old one was an object."""
        info = self.reader.lookup("builtins.function")
        return function.fallback if info is None else Instance(info, [])

    def changed(self, typ: Type, new: Type, *, scalars: bool = True) -> Type:
        """A tree with values of another class; Any for a tree that the plugin does not know.

        Args:
          typ: the tree.
          new: the class of the new values.
          scalars: whether Python's numbers become such values too.
        """
        found, value = get_proper_type(typ), get_proper_type(new)
        names = _SCALARS_TOO if scalars else VALUES
        if recursive_alias(typ) is not None:
            return typ if self.of(typ) == [value] else unknown()
        match found:
            case NoneType():
                return found
            case UnionType(items=items):
                parts = [self.changed(item, new, scalars=scalars) for item in items]
                return UnionType.make_union(parts)
            case TupleType(items=items) if found.partial_fallback.type.fullname == TUPLE:
                parts = [self.changed(item, new, scalars=scalars) for item in items]
                return TupleType(parts, found.partial_fallback)
            case TupleType():  # the attributes of a named tuple are those of its class
                return found if self.of(found) == [value] else unknown()
            case Instance() if found.type.fullname in names:
                return value
            case Instance() if found.type.fullname in SCALARS:
                return found
            case Instance() if is_module(found):
                return _module(found, value)
            case Instance() if found.type.has_base(VARIABLE):
                return self._variable(found, value, scalars=scalars)
            case Instance() if tree_of(found) is not None:
                return self._tree(found, value)
            case Instance(args=args) if found.type.fullname in _CONTAINERS:
                held = self.changed(args[-1], new, scalars=scalars)
                return Instance(found.type, [*args[:-1], held])
            case _:
                return unknown()

    def _variable(self, leaf: Instance, new: ProperType, *, scalars: bool) -> Type:
        held = value_in(leaf, self.reader.lookup)
        value = self.changed(held, new, scalars=scalars)
        return leaf if value == held else holding(leaf, value, self.reader.lookup)

    def _tree(self, tree: Instance, new: ProperType) -> Type:
        """A tree with keys: unchanged if arrays replace arrays, else in a form."""
        tag = tag_of(tree)
        if self.of(tree) == [new]:
            return tree
        if is_array(new):
            undone = tag is not None and tag.form in (*HELD, HOLDING)
            return tag.inner if undone and tag is not None else tree
        name = new.type.fullname if isinstance(new, Instance) else ""
        forms = {"ShapeDtypeStruct": "Abstract", "NamedSharding": "Shardings"}
        form = forms.get(name.rpartition(".")[2], "Specs" if name.endswith("PartitionSpec") else "")
        if form:
            return self.reader.wrap(Tag(form, tree, ()), tree)
        if isinstance(new, AnyType):
            return unknown()
        return self.reader.wrap(Tag(HOLDING, tree, (new,)), tree)

    def of(self, typ: Type) -> list[Type]:
        """The types of a tree's values; only Any if they are not known."""
        return self._of(typ, ())

    def _of(self, typ: Type, around: tuple[TypeAlias, ...]) -> list[Type]:
        """The types of a tree's values, without those of the recursive aliases around it."""
        alias = recursive_alias(typ)
        if alias in around:
            return []
        if alias is not None:
            around = (*around, alias)
        found = get_proper_type(typ)
        match found:
            case NoneType():
                return []
            case UnionType(items=items):
                return _each(part for item in items for part in self._of(item, around))
            case TupleType(items=items):
                return _each(part for item in items for part in self._of(item, around))
            case Instance() if found.type.fullname in _SCALARS_TOO:
                return [found]
            case Instance() if is_module(found):
                return [unknown()]
            case Instance() if found.type.has_base(VARIABLE):
                return self.of(value_in(found, self.reader.lookup))
            case Instance() if (tree := tree_of(found)) is not None:
                held = found.args[-1] if found.type.fullname == STATE else unknown()
                if not isinstance(get_proper_type(held), AnyType):
                    return self.of(held)
                leaves = self.reader.leaves(tree)
                return (
                    [unknown()] if leaves is None else _each(v for x in leaves for v in self.of(x))
                )
            case Instance(args=args) if found.type.fullname in _CONTAINERS:
                return self._of(args[-1], around)
            case _:
                return [unknown()]


def _module(module: Instance, new: ProperType) -> Type:
    """A module with other values."""
    of_arrays = isinstance(new, Instance) and new.type.fullname in ARRAYS
    return module if of_arrays else with_any_values(module)


def _each(types: Iterable[Type]) -> list[Type]:
    found: list[Type] = []
    for typ in types:
        if typ not in found:
            found.append(typ)
    return found
