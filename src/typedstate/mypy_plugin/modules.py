"""The state of a module class, read from the attributes that it declares.

What mypy knows of ``self.head = nnx.Linear(...)`` says what stands under ``"head"``. Where a class
may have other attributes than mypy knows, or an attribute may be data or not, the answer is Any.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from typing import Final

from mypy.expandtype import expand_type_by_instance
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import TypeInfo, Var
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    Type,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

from .absence import Absent, unknown_key
from .declaration import source_of
from .filters import STATE, VARIABLE, Lookup, bare
from .tags import Tag, tagged

#: The form's name of a state that is that of a module.
OF_MODULE: Final = "State"

_NNX: Final = "flax.nnx."
_LAYERS: Final = f"{_NNX}nn."
_ROOTS: Final = (f"{_NNX}pytreelib.Pytree", f"{_NNX}object.Object", f"{_NNX}module.Module")
_OPEN: Final = (f"{_NNX}helpers.Sequential", f"{_NNX}rnglib.Rngs")
LIST: Final = f"{_NNX}helpers.List"
DICT: Final = f"{_NNX}helpers.Dict"
_ARRAYS: Final = ("jax.Array", "jax._src.basearray.Array", "numpy.ndarray")
_STATIC: Final = frozenset(
    f"builtins.{name}" for name in ("bool", "bytes", "complex", "float", "int", "str")
)
# What gives a module attributes that mypy does not see, and what makes data of anything.
_GIVING: Final = ("setattr", "__dict__", "vars(", "sow(", "perturb(", "set_attributes")
_MAKING: Final = ("data(", "Data[", "static(", "Static[")


def is_module(typ: Instance) -> bool:
    """Whether a type is that of a module or of another node with attributes."""
    return any(typ.type.has_base(root) for root in _ROOTS)


class Modules:
    """Reads keys and their types out of module classes.

    Attributes:
      lookup: finds a class by its full name.
      path_of: the file of a module's name.
    """

    def __init__(self, lookup: Lookup, path_of: Callable[[str], str | None]) -> None:
        """Keeps both."""
        self.lookup = lookup
        self.path_of = path_of

    def state_of(self, module: Instance) -> Type:
        """``nnx.state`` of a module."""
        state = self.lookup(STATE)
        if state is None:
            return AnyType(TypeOfAny.special_form)
        return tagged(bare(state), Tag(OF_MODULE, module, ()))

    def read(self, module: Instance, key: Hashable) -> Type | Absent | None:
        """What the state of a module has under a key; None where that is not known."""
        if module.type.has_base(LIST) or module.type.has_base(DICT):
            return self._entry(module, key)
        found = dict(self.attributes(module))
        if isinstance(key, str) and key in found:
            return found[key] or Absent(f"no leaf stands in the attribute {key}")
        if not self.is_closed(module):
            return None
        return unknown_key([name for name, held in found.items() if held is not None], key)

    def children(self, module: Instance) -> Iterator[Type]:
        """The types of all that stands in the state of a module; Any for what is not known."""
        if module.type.has_base(LIST) or module.type.has_base(DICT):
            kind = LIST if module.type.has_base(LIST) else DICT
            yield self._item(module, kind)
            return
        if not self.is_closed(module):
            yield AnyType(TypeOfAny.special_form)
        yield from (held for _, held in self.attributes(module) if held is not None)

    def attributes(self, module: Instance) -> Iterator[tuple[str, Type | None]]:
        """The attributes of a module that mypy knows, its bases' first, and what a state has."""
        for info in reversed(module.type.mro):
            if info.fullname in _ROOTS or info.module_name in ("builtins", "typing", "abc"):
                continue
            carrier = map_instance_to_supertype(module, info)
            for name, symbol in info.names.items():
                node = symbol.node
                if not isinstance(node, Var) or node.is_classvar or node.is_property:
                    continue
                if name.startswith(("__", "_pytree__", "_object__")):
                    continue
                declared = node.type or AnyType(TypeOfAny.special_form)
                owner = None if name == "rngs" else info  # a stream or all of them: Any to mypy
                yield name, self._held(expand_type_by_instance(declared, carrier), owner)

    def is_closed(self, module: Instance) -> bool:
        """Whether mypy knows all attributes of a module."""
        info = module.type
        if info.fallback_to_any or info.fullname in (*_ROOTS, *_OPEN):
            return False
        return not any(info.has_base(name) for name in _OPEN) and not self._has(info, _GIVING)

    def _has(self, info: TypeInfo, marks: tuple[str, ...]) -> bool:
        """Whether the text of a class, or of a base, has any of some marks."""
        for base in info.mro:
            if base.fullname in _ROOTS or base.module_name in ("builtins", "typing", "abc"):
                continue
            if base.module_name.startswith(_NNX) and not any(map(base.has_base, _ROOTS)):
                continue  # a base of Flax's own that has no attributes
            path = self.path_of(base.module_name)
            source = None if path is None else source_of(path)
            text = None if source is None else _texts(source).get(_qualname(base))
            if text is None or any(mark in text for mark in marks):
                return True
        return False

    def _entry(self, module: Instance, key: Hashable) -> Type | Absent | None:
        kind, wanted = (LIST, int) if module.type.has_base(LIST) else (DICT, str)
        if module.type.fullname != kind:
            return None
        if type(key) is not wanted:
            return Absent(f"its keys are {wanted.__name__}")
        return self._item(module, kind)

    def _item(self, module: Instance, kind: str) -> Type:
        info = self.lookup(kind)
        args = () if info is None else map_instance_to_supertype(module, info).args
        held = self._held(args[0], None) if args else None
        return AnyType(TypeOfAny.special_form) if held is None else held

    def _held(self, typ: Type, owner: TypeInfo | None) -> Type | None:
        """What a state has of an attribute: None for what is certainly no part of it."""
        found = get_proper_type(typ)
        of_layer = owner is not None and owner.module_name.startswith(_LAYERS)
        match found:
            case UnionType(items=items):
                parts = [self._held(item, owner) for item in items]
                left = [part for part in parts if part is not None]
                return UnionType.make_union(left) if left else None
            case NoneType():
                return None
            case Instance() if found.type.has_base(VARIABLE) or found.type.fullname in _ARRAYS:
                return self._of_arrays(found) if of_layer else found
            case Instance() if is_module(found):
                return self.state_of(found)
            case _ if of_layer:  # all else in Flax's own layers is static, dtypes of Any too
                return None
            case AnyType():
                return found
            case _ if _is_static(found) and owner is not None and not self._has(owner, _MAKING):
                return None
            case _:
                return AnyType(TypeOfAny.special_form)

    def _of_arrays(self, leaf: Instance) -> Instance:
        """A Variable of Flax's own layers holds an array, though its initializer says Any."""
        array = self.lookup("jax.Array")
        if array is None or len(leaf.args) != 1:
            return leaf
        unknown = isinstance(get_proper_type(leaf.args[0]), AnyType)
        return Instance(leaf.type, [bare(array)]) if unknown else leaf


def _is_static(typ: Type) -> bool:
    """Whether values of a type are no data, unless something says that they are."""
    match get_proper_type(typ):
        case CallableType() as found:  # any other may be a module that can be called
            return found.definition is not None or found.is_type_obj()
        case Instance() as found:
            return found.type.fullname in _STATIC
        case _:
            return False


def _qualname(info: TypeInfo) -> str:
    return info.fullname.removeprefix(f"{info.module_name}.")


@lru_cache(maxsize=256)
def _texts(source: str) -> dict[str, str]:
    """The texts of a module's classes by qualified name."""
    found: dict[str, str] = {}
    lines = source.splitlines()

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                name = f"{prefix}{node.name}"
                found[name] = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                collect(node.body, f"{name}.")

    with contextlib.suppress(SyntaxError):
        collect(ast.parse(source).body, "")
    return found
