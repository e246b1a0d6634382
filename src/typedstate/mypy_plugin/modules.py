"""`Modules`: reads the state of a module class from its attributes.

The type of ``self.head = nnx.Linear(...)`` gives the type under ``"head"``. If a class may have
attributes that mypy does not know, or it is open whether an attribute is data, the answer is Any.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from typing import Final

from mypy.expandtype import expand_type_by_instance
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import TypeAlias, TypeInfo, Var
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    TupleType,
    Type,
    UnionType,
    get_proper_type,
)

from .absence import Absent, unknown_key
from .bindings import attribute_bindings, is_made_once
from .declaration import source_of
from .filters import Lookup, bare, unknown
from .layer_table import LAYERS
from .names import (
    ARRAY,
    ARRAYS,
    CONTAINERS,
    FLAX_NNX,
    FOREIGN,
    GIVING,
    LAYER_MODULES,
    MAKING,
    NODE_DICT,
    NODE_LIST,
    REGISTERING,
    RNGS,
    ROOTS,
    SEQUENTIAL,
    STATE,
    STATIC,
    STREAM_LEAVES,
    VARIABLE,
)
from .recursion import recursive_alias
from .tags import Tag, forgetting, item_of, items_of, lacks, tagged, with_items

#: The name of the form that stands for the state of a module.
OF_MODULE: Final = "State"


def is_module(typ: Instance) -> bool:
    """Whether a type is that of a module or of another node with attributes."""
    return any(typ.type.has_base(root) for root in ROOTS)


class Modules:
    """Reads keys and their types from module classes.

    Attributes:
      lookup: finds a class by its full name.
      path_of: finds the file of a module by its name.
    """

    def __init__(self, lookup: Lookup, path_of: Callable[[str], str | None]) -> None:
        """Keeps both lookups."""
        self.lookup = lookup
        self.path_of = path_of

    def state_of(self, module: Instance) -> Type:
        """``nnx.state`` of a module."""
        state = self.lookup(STATE)
        if state is None:
            return unknown()
        return tagged(bare(state), Tag(OF_MODULE, module, ()))

    def read(self, module: Instance, key: Hashable) -> Type | Absent | None:
        """The type under a key of a module's state; None if it is not known."""
        if module.type.has_base(NODE_LIST) or module.type.has_base(NODE_DICT):
            return self._entry(module, key)
        found = dict(self.attributes(module))
        if isinstance(key, str) and key in found:
            return found[key] or Absent(f"no leaf stands in the attribute {key}")
        if not self.is_closed(module):
            return None
        return unknown_key([name for name, held in found.items() if held is not None], key)

    def children(self, module: Instance) -> Iterator[Type]:
        """Yields the type of each item in a module's state; Any for one that is not known."""
        if module.type.has_base(NODE_LIST) or module.type.has_base(NODE_DICT):
            yield from self._entries(module)
            return
        if not self.is_closed(module):
            yield unknown()
        yield from (held for _, held in self.attributes(module) if held is not None)

    def attributes(self, module: Instance) -> Iterator[tuple[str, Type | None]]:
        """Yields the attributes that mypy knows, bases' first, and their types in a state."""
        without = lacks(module)
        for info in reversed(module.type.mro):
            if info.fullname in ROOTS or info.module_name in ("builtins", "typing", "abc"):
                continue
            carrier = map_instance_to_supertype(module, info)
            layer = LAYERS.get(info.fullname)
            for name, declared in _declared(info):
                held = expand_type_by_instance(declared, carrier)
                if layer is None:
                    yield name, self._held(self._remembered(module, info, name, held), info)
                elif name in without:
                    yield name, None
                elif info.fullname == SEQUENTIAL and name in layer and items_of(module):
                    yield name, self._listed(module)
                else:
                    given = ("any",) if _may_be_module(held) else ()  # `base_module` of a LoRA
                    yield name, self._of_layer(layer.get(name, given), held)

    def is_closed(self, module: Instance) -> bool:
        """Whether mypy knows all attributes of a module."""
        info = module.type
        if info.fallback_to_any or info.fullname in ROOTS or info.has_base(RNGS):
            return False
        if info.is_abstract or not any(_has_state(base) for base in info.mro):
            return False  # its values are of a subclass
        return not self._has(info, GIVING)

    def _has(self, info: TypeInfo, marks: tuple[str, ...]) -> bool:
        """Whether the text of a class or of a base contains any of the marks."""
        return any(self._may_have(base, marks) for base in info.mro)

    def _may_have(self, base: TypeInfo, marks: tuple[str, ...]) -> bool:
        if base.fullname in (*ROOTS, *LAYERS) or base.module_name in ("builtins", "typing", "abc"):
            return False
        if base.module_name.startswith(FLAX_NNX) and not any(map(base.has_base, ROOTS)):
            return False  # a base of Flax's own that has no attributes
        source = self._source(base)
        if source is None:
            return True
        if not _contains(source, marks):  # told without parsing it
            return False
        text = _texts(source).get(_qualname(base))
        return text is None or _contains(text, marks)

    def _source(self, info: TypeInfo) -> str | None:
        """The text of the module of a class; None if it has no file."""
        path = self.path_of(info.module_name)
        return None if path is None else source_of(path)

    def _remembered(self, module: Instance, info: TypeInfo, name: str, typ: Type) -> Type:
        """An attribute's type, with the facts of its constructor if it is assigned only once.

        Args:
          module: the module that has it.
          info: its class, or the base that declares the attribute.
          name: the attribute.
          typ: its type with all facts.
        """
        found = get_proper_type(typ)
        if not isinstance(found, Instance) or not is_module(found):
            return typ
        by_class = forgetting(found)
        if by_class is found:
            return typ
        mro = module.type.mro
        sources = {self._source(base) for base in mro[: mro.index(info) + 1]}
        known = [source for source in sources if source is not None]
        bound = sum(attribute_bindings(source, name) for source in known)
        once = bound == 1 and any(is_made_once(source, name, None) for source in known)
        return found if once and len(known) == len(sources) else by_class

    def is_assigned(self, source: str, module: Instance, name: str) -> bool:
        """Whether a text that defines no class of a module assigns such an attribute."""
        if f".{name}" not in source or source in map(self._source, module.type.mro):
            return False
        return attribute_bindings(source, name) > 0

    def _of_layer(self, kinds: tuple[str, ...], typ: Type) -> Type | None:
        """The type of an attribute of a Flax layer, from the layer table."""
        parts = [self._part(kind, typ) for kind in kinds if kind]
        return UnionType.make_union(parts) if parts else None

    def _part(self, kind: str, typ: Type) -> Type:
        match kind:
            case "rngs":
                return self._streams()
            case "array":
                info = self.lookup(ARRAY)
                return unknown() if info is None else bare(info)
            case "any":
                found = get_proper_type(typ)
                items = found.items if isinstance(found, UnionType) else [found]
                real = [x for x in map(get_proper_type, items) if not isinstance(x, NoneType)]
                one = real[0] if len(real) == 1 else None
                known = isinstance(one, Instance) and is_module(one)
                if known and isinstance(one, Instance):
                    return self.state_of(one)
                return unknown()
            case name:
                info = self.lookup(name)
                if info is None:
                    return unknown()
                leaf = bare(info)
                return self.state_of(leaf) if is_module(leaf) else self._of_arrays(leaf)

    def _streams(self) -> Type:
        """The type of the state of random streams: one or several, by the version of Flax."""
        state = self.lookup(STATE)
        kinds = [info for name in STREAM_LEAVES if (info := self.lookup(name)) is not None]
        if state is None or len(kinds) != len(STREAM_LEAVES):
            return unknown()
        leaves = UnionType.make_union([bare(kind) for kind in kinds])
        return Instance(state, [unknown(), leaves])

    def _listed(self, module: Instance) -> Type:
        """The layers of a `Sequential` as a list."""
        info = self.lookup(NODE_LIST)
        if info is None:
            return unknown()
        items = items_of(module)
        return self.state_of(with_items(bare(info), dict(enumerate(items))))

    def _entry(self, module: Instance, key: Hashable) -> Type | Absent | None:
        kind, wanted = (NODE_LIST, int) if module.type.has_base(NODE_LIST) else (NODE_DICT, str)
        if module.type.fullname != kind:
            return None
        if type(key) is not wanted:
            return Absent(f"its keys are {wanted.__name__}")
        item = item_of(module, key)
        if item is None:
            return self._item(module, kind)
        return self._held(item, None) or Absent("no leaf stands there")

    def _entries(self, module: Instance) -> Iterator[Type]:
        """Yields the types of the items of a list or dict of modules."""
        items = items_of(module)
        for item in items:
            held = self._held(item, None)
            if held is not None:
                yield held
        if not items:
            yield self._item(module, NODE_LIST if module.type.has_base(NODE_LIST) else NODE_DICT)

    def _item(self, module: Instance, kind: str) -> Type:
        info = self.lookup(kind)
        args = () if info is None else map_instance_to_supertype(module, info).args
        held = self._held(args[0], None) if args else None
        return unknown() if held is None else held

    def _held(self, typ: Type, owner: TypeInfo | None) -> Type | None:
        """The type in the state for an attribute of a type; None if it is certainly no data."""
        found = get_proper_type(typ)
        of_layer = owner is not None and owner.module_name.startswith(LAYER_MODULES)
        match found:
            case UnionType(items=items):
                parts = [self._held(item, owner) for item in items]
                left = [part for part in parts if part is not None]
                return UnionType.make_union(left) if left else None
            case NoneType():
                return None
            case Instance() if found.type.has_base(VARIABLE) or found.type.fullname in ARRAYS:
                return self._of_arrays(found) if of_layer else found
            case Instance() if found.type.has_base(RNGS):
                return self._streams()
            case Instance() if is_module(found):
                return self.state_of(found)
            case AnyType():
                return found
            case _ if of_layer:  # a layer that is not in the catalogue
                return unknown()
            case _ if self._is_static(found) and not self._makes_data(owner):
                return None
            case _:
                return unknown()

    def _makes_data(self, owner: TypeInfo | None) -> bool:
        """Whether a class may declare any attribute as data."""
        return owner is not None and self._has(owner, MAKING)

    def _is_static(self, typ: Type, around: tuple[TypeAlias, ...] = ()) -> bool:
        """Whether values of a type are no data unless they are declared so.

        Args:
          typ: the type.
          around: the recursive aliases of which it is a part.
        """
        alias = recursive_alias(typ)
        if alias in around:
            return True
        if alias is not None:
            around = (*around, alias)
        found = get_proper_type(typ)
        match found:
            case CallableType():  # without names of arguments it may be a module that can be called
                return any(found.arg_names) or found.is_type_obj()
            case NoneType():
                return True
            case TupleType(items=items) | UnionType(items=items):
                return all(self._is_static(item, around) for item in items)
            case Instance(args=args) if found.type.fullname in CONTAINERS:
                return all(self._is_static(arg, around) for arg in args)
            case Instance() if found.type.fullname in STATIC:
                return True
            case Instance() if not found.type.fullname.startswith(FOREIGN):
                return not found.type.is_protocol and not self._may_be_tree(found.type)
            case _:
                return False

    def _may_be_tree(self, info: TypeInfo) -> bool:
        """Whether a user's class may be registered as a JAX tree, by the text of its module."""
        for base in info.mro:
            if base.module_name in ("builtins", "typing", "abc", "enum"):
                continue
            source = self._source(base)
            if source is None or base.fallback_to_any or _contains(source, REGISTERING):
                return True
        return False

    def _of_arrays(self, leaf: Instance) -> Instance:
        """A Variable of a Flax layer, its value an array: mypy has Any from the initializer."""
        array = self.lookup(ARRAY)
        if array is None or len(leaf.args) != 1:
            return leaf
        unknown = isinstance(get_proper_type(leaf.args[0]), AnyType)
        return Instance(leaf.type, [bare(array)]) if unknown else leaf


def _declared(info: TypeInfo) -> Iterator[tuple[str, Type]]:
    """Yields the attributes of a class with mypy's types."""
    for name, symbol in info.names.items():
        node = symbol.node
        if not isinstance(node, Var) or node.is_classvar or node.is_property:
            continue
        if not name.startswith(("__", "_pytree__", "_object__")):
            yield name, node.type or unknown()


def _may_be_module(typ: Type) -> bool:
    """Whether an attribute is declared as a module, or as an optional one."""
    found = get_proper_type(typ)
    items = found.items if isinstance(found, UnionType) else [found]
    return any(
        isinstance(item, Instance) and is_module(item) for item in map(get_proper_type, items)
    )


def _has_state(info: TypeInfo) -> bool:
    """Whether a class has attributes of its own, or is one of Flax's layers."""
    if info.fullname in ROOTS or not any(map(info.has_base, ROOTS)):
        return False
    return info.fullname in LAYERS or any(True for _ in _declared(info))


def _qualname(info: TypeInfo) -> str:
    return info.fullname.removeprefix(f"{info.module_name}.")


@lru_cache(maxsize=1024)
def _contains(text: str, marks: tuple[str, ...]) -> bool:
    """Whether a text has one of the marks in it."""
    return any(mark in text for mark in marks)


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
