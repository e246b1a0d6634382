"""Trees of states as types: what stands under a key, through all the forms around a schema."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from mypy.expandtype import expand_type_by_instance
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import TypeInfo, Var
from mypy.types import (
    AnyType,
    Instance,
    NoneType,
    Type,
    TypeOfAny,
    UnionType,
    UnpackType,
    get_proper_type,
)

from .absence import Absent, unknown_key
from .declaration import key_of, metadata_of
from .filters import STATE, VARIABLE, Lookup, bare, selects
from .modules import DICT, LIST, OF_MODULE, Modules, is_module
from .tags import Tag, tag_of, tagged

SCHEMA: Final = "typedstate.schema.TypedState"
_FORMS: Final = "typedstate.form_types."
_MAP: Final = f"{_FORMS}StateMap"
_ENTRIES: Final = f"{_FORMS}Entries"
_LEVELS: Final = (_MAP, _ENTRIES)
_NESTING: Final = (*_LEVELS, LIST, DICT)  # one may be in another without end
_NOMINAL: Final = ("Abstract", "Shardings", "Specs", "Like")
_VALUES: Final = {
    "Abstract": "jax.ShapeDtypeStruct",
    "Shardings": "jax.sharding.NamedSharding",
    "Specs": "jax.sharding.PartitionSpec",
}


@dataclass(frozen=True, slots=True)
class Tree:
    """A schema, `StateMap`, `Entries` or module within the forms around it.

    Attributes:
      base: the type in the middle.
      forms: what was applied to it, the first one first.
    """

    base: Instance
    forms: tuple[Tag, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether mypy knows nothing of its keys and attributes itself."""
        return bool(self.forms) or is_module(self.base)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a schema class.

    Attributes:
      name: its attribute.
      key: its key in the state.
      type: its declared type.
    """

    name: str
    key: Hashable
    type: Type


def is_schema(info: TypeInfo) -> bool:
    """Whether a class is a schema of a user's."""
    return info.has_base(SCHEMA) and info.fullname != SCHEMA


def tree_of(typ: Type) -> Tree | None:
    """The tree that a type describes; None where it is none that the plugin knows."""
    found = get_proper_type(typ)
    if not isinstance(found, Instance):
        return None
    tag = tag_of(found) or _nominal(found)
    if tag is not None:
        if tag.form == OF_MODULE:
            module = get_proper_type(tag.inner)
            return Tree(module) if isinstance(module, Instance) else None
        inner = tree_of(tag.inner)
        return None if inner is None else Tree(inner.base, (*inner.forms, tag))
    known = is_schema(found.type) or found.type.fullname in _LEVELS
    return Tree(found) if known else None


def _nominal(typ: Instance) -> Tag | None:
    name = typ.type.fullname.removeprefix(_FORMS)
    if name in _NOMINAL and typ.type.fullname.startswith(_FORMS) and typ.args:
        return Tag(name, typ.args[0], tuple(typ.args[1:]))
    return None


@dataclass(frozen=True, slots=True)
class Fields:
    """What is known of the fields of a schema class.

    Attributes:
      by_key: the fields whose keys are known.
      complete: whether these are all.
    """

    by_key: Mapping[Hashable, Field]
    complete: bool

    def named(self, name: str) -> Field | None:
        """The field of an attribute."""
        return next((field for field in self.by_key.values() if field.name == name), None)


def fields_of(base: Instance) -> Fields:
    """The fields of a schema, its bases' first."""
    found: dict[str, Field] = {}
    complete = True
    for info in reversed(base.type.mro):
        if not is_schema(info):
            continue
        metadata = metadata_of(info)
        if metadata.get("open") or not metadata:
            complete = False
            continue
        carrier = map_instance_to_supertype(base, info)
        for name, declared in _declared(info):
            key = key_of(metadata, name)
            if key is None:
                found.pop(name, None)
                complete = False
            else:
                found[name] = Field(name, key[0], expand_type_by_instance(declared, carrier))
    return Fields({field.key: field for field in found.values()}, complete)


def _declared(info: TypeInfo) -> Iterator[tuple[str, Type]]:
    """The annotations of a class body."""
    for name, symbol in info.names.items():
        node = symbol.node
        if not isinstance(node, Var) or node.type is None or node.is_classvar:
            continue
        if not (name.startswith("__") and name.endswith("__")):
            yield name, node.type


class Reader:
    """Reads types out of trees.

    Attributes:
      lookup: finds a class by its full name.
      modules: reads module classes.
      consulted: the classes that were read since this was emptied.
    """

    def __init__(self, lookup: Lookup, modules: Modules) -> None:
        """Keeps how classes are found."""
        self.lookup = lookup
        self.modules = modules
        self.consulted: set[TypeInfo] = set()

    def fields(self, base: Instance) -> Fields:
        """The fields of a schema; remembers that they were asked for."""
        self.consulted.update(info for info in base.type.mro if is_schema(info))
        return fields_of(base)

    def read(self, tree: Tree, key: Hashable) -> Type | Absent | None:
        """What stands under a key; None where that is not known."""
        found = self._declared(tree.base, key)
        if found is None or isinstance(found, Absent):
            plus = any(form.form == "Plus" for form in tree.forms)
            return None if plus else found
        for form in tree.forms:
            changed = self.apply(form, found)
            if changed is None:
                return Absent(f"{form.form} drops it", dropped=True)
            found = changed
        return found

    def _declared(self, base: Instance, key: Hashable) -> Type | Absent | None:
        match base.type.fullname:
            case name if name == _MAP:
                return _entry_of_map(base, key)
            case name if name == _ENTRIES:
                return _entry(base, key)
            case _ if is_module(base):
                self.consulted.update(base.type.mro)
                return self.modules.read(base, key)
            case _:
                return self._field(base, key)

    def _field(self, base: Instance, key: Hashable) -> Type | Absent | None:
        fields = self.fields(base)
        found = fields.by_key.get(key)
        if found is not None and type(found.key) is type(key):  # True is no 1
            return found.type
        if not fields.complete:
            return None
        for info in base.type.mro:
            extra = metadata_of(info).get("extra")
            if isinstance(extra, dict):
                patterned = self._extra(cast(dict[str, Any], extra), key)
                return patterned if patterned is not None else _no_field(fields.by_key, key)
            if extra == "allow":
                return None
            if extra == "forbid":
                break
        return _no_field(fields.by_key, key)

    def _extra(self, patterns: Mapping[str, Any], key: Hashable) -> Type | None:
        for pattern, name in patterns.items():
            before, _, after = pattern.partition("{}")
            if isinstance(key, str) and key.startswith(before) and key.endswith(after):
                info = self.lookup(name) if isinstance(name, str) else None
                return AnyType(TypeOfAny.special_form) if info is None else bare(info)
        return None

    def apply(self, form: Tag, typ: Type) -> Type | None:
        """What a form makes of a type; None where it drops it."""
        found = get_proper_type(typ)
        match found:
            case UnionType(items=items):
                left = [new for item in items if (new := self.apply(form, item)) is not None]
                real = [item for item in left if not isinstance(get_proper_type(item), NoneType)]
                return UnionType.make_union(left) if real else None
            case NoneType() | AnyType():
                return found
            case Instance() if (tree := tree_of(found)) is not None:
                kept = self._keeps(Tree(tree.base, (*tree.forms, form)), {})
                return self.wrap(form, found) if kept else None
            case Instance():
                return self._leaf(form, found)
            case _:
                return AnyType(TypeOfAny.special_form)

    def wrap(self, form: Tag, inner: Instance) -> Type:
        """A whole tree within a form."""
        tag = Tag(form.form, inner, form.args)
        match form.form:
            case "Only" | "Rest" | "Plus":
                return tagged(inner, tag)
            case "Pure":
                return self._carried("builtins.dict", tag, self._dict_keys(inner))
            case "Values":
                return self._carried(STATE, tag, ())
            case name:
                info = self.lookup(f"{_FORMS}{name}")
                if info is None:
                    return AnyType(TypeOfAny.special_form)
                return Instance(info, [inner, *form.args])

    def _dict_keys(self, inner: Instance) -> tuple[Type, ...]:
        """The class of a Pure's keys: str, unless its schema has others or may have."""
        tree, info = tree_of(inner), self.lookup("builtins.str")
        if tree is None or info is None or tree.base.type.fullname in _LEVELS:
            return ()
        if is_module(tree.base):
            return () if tree.base.type.has_base(LIST) else (bare(info),)
        # The fields may not be analyzed yet; that a class has an alias is known with the class.
        for schema in filter(is_schema, tree.base.type.mro):
            metadata = metadata_of(schema)
            keys = [key_of(metadata, field) for field in metadata.get("keys", ())]
            if "keys" not in metadata or any(key is None for key in keys):
                return ()
            if any(key is not None and not isinstance(key[0], str) for key in keys):
                return ()
        return (bare(info),)

    def _carried(self, name: str, tag: Tag, args: tuple[Type, ...]) -> Type:
        info = self.lookup(name)
        if info is None:
            return AnyType(TypeOfAny.special_form)
        plain = bare(info)
        return tagged(Instance(info, [*args, *plain.args[len(args) :]]), tag)

    def _keeps(self, tree: Tree, seen: Mapping[str, int]) -> bool:
        """Whether the forms of a tree leave any of its leaves."""
        name, depth = tree.base.type.fullname, len(tree.forms)
        if name in seen and name not in _NESTING:
            return seen[name] != depth  # itself, once more; with other forms it is unknown
        deeper = {**seen, name: depth}
        return any(self._keeps_child(tree.forms, typ, deeper) for typ in self._children(tree.base))

    def _keeps_child(self, forms: tuple[Tag, ...], typ: Type, seen: Mapping[str, int]) -> bool:
        found = get_proper_type(typ)
        if isinstance(found, UnionType):
            return any(self._keeps_child(forms, item, seen) for item in found.items)
        if isinstance(found, NoneType):
            return False
        inner = tree_of(found)
        if inner is not None:
            return self._keeps(Tree(inner.base, (*inner.forms, *forms)), seen)
        for form in forms:
            if not isinstance(found, Instance):
                return True
            changed = self._leaf(form, found)
            if changed is None:
                return False
            found = get_proper_type(changed)
        return True

    def _children(self, base: Instance) -> Iterator[Type]:
        """The declared types of all that stands in a tree; Any for what is not known."""
        if base.type.fullname == _MAP:
            yield base.args[1]
        elif base.type.fullname == _ENTRIES:
            yield from base.args
        elif is_module(base):
            self.consulted.update(base.type.mro)
            yield from self.modules.children(base)
        else:
            fields = self.fields(base)
            extras = (metadata_of(info).get("extra") for info in base.type.mro)
            if not fields.complete or any(extra not in (None, "forbid") for extra in extras):
                yield AnyType(TypeOfAny.special_form)
            yield from (field.type for field in fields.by_key.values())

    def _leaf(self, form: Tag, leaf: Instance) -> Type | None:
        match form.form:
            case "Only":
                answers = [selects(arg, leaf) for arg in form.args]
                return None if answers and all(answer is False for answer in answers) else leaf
            case "Rest":
                return None if any(selects(arg, leaf) is True for arg in form.args) else leaf
            case "Plus":
                return leaf
            case "Pure" | "Values":
                return self._unwrapped(form, leaf)
            case "Like":
                return self._alike(form, leaf)
            case name:
                return self._replaced(leaf, _VALUES[name])

    def _unwrapped(self, form: Tag, leaf: Instance) -> Type:
        if leaf.type.has_base(VARIABLE):
            variable = self.lookup(VARIABLE)
            if variable is not None:
                return map_instance_to_supertype(leaf, variable).args[0]
        if leaf.type.has_base(STATE):  # a tree of any depth
            return self.wrap(form, leaf) if form.form == "Pure" else bare(leaf.type)
        return leaf

    def _replaced(self, leaf: Instance, value: str) -> Type:
        """The leaf with another class of value."""
        info = self.lookup(value)
        variable = self.lookup(VARIABLE)
        if info is None or variable is None or leaf.type.has_base(STATE):
            return AnyType(TypeOfAny.special_form)
        new = bare(info)
        if not leaf.type.has_base(VARIABLE):
            return new if _is_array(leaf) else AnyType(TypeOfAny.special_form)
        held = get_proper_type(map_instance_to_supertype(leaf, variable).args[0])
        if not _is_array(held):
            return Instance(variable, [AnyType(TypeOfAny.special_form)])
        if len(leaf.args) == 1:
            return Instance(leaf.type, [new])
        return Instance(variable, [new])

    def _alike(self, form: Tag, leaf: Instance) -> Type:
        """The leaf with another kind, where the form gives one."""
        hint = get_proper_type(form.args[0]) if form.args else AnyType(TypeOfAny.special_form)
        if not isinstance(hint, Instance):
            return hint
        if not hint.type.has_base(VARIABLE) or not leaf.type.has_base(VARIABLE) or not hint.args:
            return hint
        variable = self.lookup(VARIABLE)
        if variable is None or not isinstance(get_proper_type(hint.args[0]), AnyType):
            return hint
        return Instance(hint.type, [map_instance_to_supertype(leaf, variable).args[0]])


def _is_array(typ: Type) -> bool:
    found = get_proper_type(typ)
    return isinstance(found, Instance) and found.type.fullname in (
        "jax.Array",
        "jax._src.basearray.Array",
    )


def _key_class(base: Instance) -> str | None:
    key = get_proper_type(base.args[0])
    return key.type.name if isinstance(key, Instance) else None


def _entry_of_map(base: Instance, key: Hashable) -> Type | Absent:
    wanted = _key_class(base)
    if wanted in ("int", "str") and type(key).__name__ != wanted:
        return Absent(f"its keys are {wanted}", of_class=True)
    return base.args[1]


def _entry(base: Instance, key: Hashable) -> Type | Absent | None:
    if any(isinstance(get_proper_type(arg), UnpackType) for arg in base.args):
        return None
    if not isinstance(key, int):
        return Absent("its keys are int", of_class=True)
    if not 0 <= key < len(base.args):
        return Absent(f"its keys are below {len(base.args)}")
    if isinstance(get_proper_type(base.args[key]), NoneType):
        return Absent("nothing is kept there")
    return base.args[key]


def _no_field(fields: Mapping[Hashable, Field], key: Hashable) -> Absent:
    for field in fields.values():
        if field.name == key:
            return Absent(f"the key of {key} is {field.key!r}")
    return unknown_key(fields, key)
