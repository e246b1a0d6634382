"""`Reader`: the types under the keys of trees, through all forms around them."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Hashable, Iterable, Iterator, Mapping
from typing import Any, Final, cast

from mypy.nodes import TypeInfo
from mypy.types import (
    AnyType,
    Instance,
    NoneType,
    Type,
    UninhabitedType,
    UnionType,
    UnpackType,
    get_proper_type,
)

from .absence import Absent, unknown_key
from .declaration import key_of, metadata_of
from .filters import Lookup, bare, unknown
from .leaves import HOLDING, leaf_in
from .modules import OF_MODULE, Modules, is_module
from .names import DICT, ENTRIES, FORMS, MAP, NODE_DICT, NODE_LIST, STATE, STR
from .presence import HAVING, present_at
from .tags import Tag, tag_of, tagged
from .trees import LEVELS, Field, Fields, Tree, fields_of, has_plain_field, is_schema, tree_of

_NESTING: Final = (*LEVELS, NODE_LIST, NODE_DICT)  # one may be in another without end


class Reader:
    """Reads the types under the keys of trees.

    Attributes:
      lookup: finds a class by its full name.
      modules: reads module classes.
      consulted: the classes that were read for the current answer.
      is_muted: whether functions get mypy's own answers, as for a call whose arguments are not
        all known.
    """

    def __init__(self, lookup: Lookup, modules: Modules) -> None:
        """Keeps the lookups."""
        self.lookup = lookup
        self.modules = modules
        self.consulted: set[TypeInfo] = set()
        self.is_muted = False
        self._answering = False
        self._fields: dict[Instance, Fields] = {}

    def begin(self) -> set[TypeInfo] | None:
        """Starts an answer; returns the classes consulted so far for the enclosing one, if any.

        Answers nest: a hook may let mypy infer a type, for which mypy asks other hooks.
        """
        around = self.consulted if self._answering else None
        self.consulted, self._answering = set(), True
        self._fields.clear()  # in the daemon, classes change between two answers
        return around

    def end(self, around: set[TypeInfo] | None) -> None:
        """Ends an answer; the enclosing answer has consulted its classes too."""
        self._answering = around is not None
        self.consulted = set[TypeInfo]() if around is None else around | self.consulted

    @contextlib.contextmanager
    def muted(self) -> Generator[None, None, None]:
        """A block in which functions get mypy's own answers."""
        before, self.is_muted = self.is_muted, True
        try:
            yield
        finally:
            self.is_muted = before

    def declares(self, base: Instance, name: str) -> bool:
        """Whether an attribute of a schema is a field under its own name.

        Consults the classes in which it is looked up.
        """
        for info in base.type.mro:
            if is_schema(info):
                self.consulted.add(info)
                found = has_plain_field(info, name)
                if found is not None:
                    return found
        return False

    def fields(self, base: Instance) -> Fields:
        """The fields of a schema; adds it to the consulted classes."""
        if base not in self._fields:
            self.consulted.update(info for info in base.type.mro if is_schema(info))
            self._fields[base] = fields_of(base)
        return self._fields[base]

    def read(self, tree: Tree, key: Hashable) -> Type | Absent | None:
        """The type under a key; None if it is not known."""
        found = self._declared(tree.base, key)
        if found is None or isinstance(found, Absent):
            plus = any(form.form == "Plus" for form in tree.forms)
            return None if plus else found
        for form in tree.forms:
            changed = self._below(form, key, found)
            if changed is None:
                return Absent(f"{form.form} drops it", dropped=True)
            found = changed
        return found

    def _below(self, form: Tag, key: Hashable, typ: Type) -> Type | None:
        """The type under a key in a form; None if the form drops it."""
        if form.form != HAVING:
            return self.apply(form, typ)
        found, paths = present_at(form, key, typ)
        return self.apply(Tag(form.form, found, paths), found) if paths else found

    def _declared(self, base: Instance, key: Hashable) -> Type | Absent | None:
        match base.type.fullname:
            case name if name == MAP:
                return _entry_of_map(base, key)
            case name if name == ENTRIES:
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
            before, _, rest = pattern.partition("{")
            counted, _, after = rest.partition("}")
            if not (isinstance(key, str) and key.startswith(before) and key.endswith(after)):
                continue
            if not counted or key[len(before) : len(key) - len(after)].isdecimal():
                info = self.lookup(name) if isinstance(name, str) else None
                return unknown() if info is None else bare(info)
        return None

    def apply(self, form: Tag, typ: Type) -> Type | None:
        """The type in a form; None if the form drops it."""
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
                return self.leaf(form, found)
            case _:
                return unknown()

    def in_forms(self, inner: Type, forms: Iterable[Tag]) -> Type:
        """The type of a whole tree in several forms, the innermost first."""
        for form in forms:
            found = get_proper_type(inner)
            if isinstance(found, Instance):
                inner = self.wrap(form, found)
        return inner

    def wrap(self, form: Tag, inner: Instance) -> Type:
        """The type of a whole tree in a form."""
        tag = Tag(form.form, inner, form.args)
        match form.form:
            case "Only" | "Rest" | "Plus" | "Having":
                return tagged(inner, tag)
            case "Pure":
                return self._carried(DICT, tag, self._dict_keys(inner))
            case "Values":
                return self._carried(STATE, tag, self._with_each_leaf(form, inner))
            case name if name == HOLDING or is_without_schema(inner):
                arguments = self._with_each_leaf(form, inner)
                return self.with_leaves(self._carried(STATE, tag, arguments))
            case name:
                info = self.lookup(f"{FORMS}{name}")
                return unknown() if info is None else Instance(info, [inner, *form.args])

    def with_leaves(self, typ: Type) -> Type:
        """The state of a module class, with a union of its leaves as type argument."""
        found = get_proper_type(typ)
        if not isinstance(found, Instance) or found.type.fullname != STATE:
            return typ
        tree, tag = tree_of(found), tag_of(found)
        if tree is None or tag is None or len(found.args) != 2:
            return typ
        leaves = self.leaves(tree)
        held = found.args[1] if leaves is None else UnionType.make_union(leaves)
        return tagged(Instance(found.type, [found.args[0], held]), tag)

    def _with_each_leaf(self, form: Tag, inner: Instance) -> tuple[Type, ...]:
        """The type arguments of a state in a form; none if the inner tree has none."""
        if len(inner.args) != 2 or inner.type.fullname != STATE:
            return ()
        return inner.args[0], self._each_leaf(form, inner.args[1])

    def _each_leaf(self, form: Tag, held: Type) -> Type:
        """The type of the leaves, in a form, of a state whose keys are not all known."""
        found = get_proper_type(held)
        leaves = found.items if isinstance(found, UnionType) else [found]
        new = [
            self.leaf(form, leaf) if isinstance(leaf, Instance) else unknown()
            for leaf in map(get_proper_type, leaves)
        ]
        return UnionType.make_union([leaf for leaf in new if leaf is not None])

    def leaves(self, tree: Tree) -> list[Type] | None:
        """The types of the leaves of a tree, without repetition; None if they are not all known."""
        found: list[Type] = []
        whole = self._gather(tree, found, {})
        # Sorted: mypy's cache does not keep the order of a class.
        return sorted(found, key=str) if whole and found else None

    def _gather(self, tree: Tree, found: list[Type], seen: Mapping[str, int]) -> bool:
        name, depth = tree.base.type.fullname, len(tree.forms)
        if name in seen and name not in _NESTING:
            return seen[name] == depth
        deeper = {**seen, name: depth}
        return all(
            self._gather_child(tree.forms, typ, found, deeper) for typ in self._children(tree.base)
        )

    def _gather_child(
        self, forms: tuple[Tag, ...], typ: Type, found: list[Type], seen: Mapping[str, int]
    ) -> bool:
        proper = get_proper_type(typ)
        if isinstance(proper, UnionType):
            return all(self._gather_child(forms, item, found, seen) for item in proper.items)
        if isinstance(proper, NoneType):
            return True
        inner = tree_of(proper)
        if inner is not None:
            return self._gather(Tree(inner.base, (*inner.forms, *forms)), found, seen)
        for form in forms:
            if not isinstance(proper, Instance):
                return False
            leaf = self.leaf(form, proper)
            if leaf is None:
                return True
            proper = get_proper_type(leaf)
        if isinstance(proper, Instance) and proper.type.fullname == STATE:
            proper = get_proper_type(proper.args[-1])
        leaves = proper.items if isinstance(proper, UnionType) else [proper]
        for one in leaves:
            if isinstance(get_proper_type(one), AnyType):
                return False
            if one not in found:
                found.append(one)
        return True

    def _dict_keys(self, inner: Instance) -> tuple[Type, ...]:
        """The class of the keys of a `Pure`: str, unless its schema may have other keys."""
        tree, info = tree_of(inner), self.lookup(STR)
        if tree is None or info is None or tree.base.type.fullname in LEVELS:
            return ()
        if is_module(tree.base):
            return () if tree.base.type.has_base(NODE_LIST) else (bare(info),)
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
            return unknown()
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
            changed = self.leaf(form, found)
            if changed is None:
                return False
            found = get_proper_type(changed)
        return True

    def _children(self, base: Instance) -> Iterator[Type]:
        """Yields the declared type of each item in a tree; Any for one that is not known."""
        if base.type.fullname == MAP:
            yield base.args[1]
        elif base.type.fullname == ENTRIES:
            yield from base.args
        elif is_module(base):
            self.consulted.update(base.type.mro)
            yield from self.modules.children(base)
        else:
            fields = self.fields(base)
            extras = (metadata_of(info).get("extra") for info in base.type.mro)
            if not fields.complete or any(extra not in (None, "forbid") for extra in extras):
                yield unknown()
            yield from (field.type for field in fields.by_key.values())

    def leaf(self, form: Tag, leaf: Instance) -> Type | None:
        """The type of a leaf in a form; None if the form drops it."""
        if leaf.type.fullname == STATE and len(leaf.args) == 2:  # a tree of any depth
            if form.form == "Pure":
                return self.wrap(form, leaf)
            held = get_proper_type(self._each_leaf(form, leaf.args[1]))
            if isinstance(held, UninhabitedType):
                return None
            return Instance(leaf.type, [leaf.args[0], held])
        return leaf_in(form, leaf, self.lookup)


def is_without_schema(typ: Instance) -> bool:
    """Whether a type is a state that is read from a module class, whole or in part."""
    tag = tag_of(typ)
    while tag is not None and tag.form != OF_MODULE:
        inner = get_proper_type(tag.inner)
        tag = tag_of(inner) if isinstance(inner, Instance) else None
    return tag is not None


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
