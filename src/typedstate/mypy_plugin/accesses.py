"""Types of attributes and literal keys of trees, and errors for keys that a tree lacks."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, Final, cast

from mypy.errorcodes import ATTR_DEFINED, INDEX
from mypy.nodes import (
    AssignmentStmt,
    CallExpr,
    Context as MypyContext,
    Expression,
    FuncItem,
    IndexExpr,
    MemberExpr,
    NameExpr,
)
from mypy.plugin import AttributeContext, MethodContext, MethodSigContext
from mypy.types import (
    AnyType,
    FunctionLike,
    Instance,
    LiteralType,
    NoneType,
    TupleType,
    Type,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

from .absence import Absent
from .bindings import has_origins, is_bound_again, is_joined
from .declaration import source_of
from .guards import asks_for, guarded_reads
from .modules import is_module
from .options import PluginOptions
from .presence import without_none
from .reader import Reader
from .tags import forgetting
from .titles import title
from .trees import Tree, tree_of

_Context = AttributeContext | MethodContext | MethodSigContext
_KEYS: Final = ("builtins.str", "builtins.int")  # an enum's literals are no keys


class Accesses:
    """Answers mypy's questions about attributes and items of trees.

    Attributes:
      reader: reads types out of trees.
      settings: the plugin's options.
    """

    def __init__(self, reader: Reader, settings: PluginOptions) -> None:
        """Keeps reader and options."""
        self.reader = reader
        self.settings = settings

    def attribute(self, name: str, context: AttributeContext) -> Type:
        """The type of an attribute of a schema, or of a tree in a form."""
        tree = tree_of(context.type)
        if tree is None or self._is_as_mypy_says(tree, name):
            return context.default_attr_type
        if self._is_method(context.type, name, tree):
            return context.default_attr_type
        if context.is_lvalue and is_module(tree.base):  # no schema says what may be written
            return context.default_attr_type
        field = self.reader.fields(tree.base).named(name)
        if field is not None and field.key != name:
            text = f'"{title(context.type)}" has no attribute "{name}" at run time: its key is '
            context.api.fail(f"{text}{field.key!r}", context.context, code=ATTR_DEFINED)
            return _any()
        found = self._read(context, tree, name)
        if isinstance(found, Absent):
            text = f'"{title(context.type)}" has no attribute "{name}": {found.reason}'
            context.api.fail(text, context.context, code=ATTR_DEFINED)
            return _any()
        if field is not None and not context.is_lvalue:
            read = field.type if found is None or not tree.is_ours else found
            self._report_optional(context, name, read)
        return context.default_attr_type if found is None or not tree.is_ours else found

    def _is_as_mypy_says(self, tree: Tree, name: str) -> bool:
        """Whether an attribute is what mypy reads in the class, with no more to report."""
        if tree.is_ours or self.settings.report_unguarded_optional:
            return False
        return self.reader.declares(tree.base, name)

    def _is_method(self, typ: Type, name: str, tree: Tree) -> bool:
        """Whether an attribute is State's own."""
        found = get_proper_type(typ)
        if not isinstance(found, Instance):
            return True
        own = found.type.get(name)
        return own is not None and self.reader.fields(tree.base).named(name) is None

    def _report_optional(self, context: AttributeContext, name: str, declared: Type) -> None:
        if not self.settings.report_unguarded_optional:
            return
        found = get_proper_type(declared)
        if not isinstance(found, UnionType) or not isinstance(context.context, MemberExpr):
            return
        if not any(isinstance(get_proper_type(item), NoneType) for item in found.items):
            return
        read = context.context
        source = source_of(cast(Any, context.api).tree.path)
        if source is not None and _is_guarded(source, read, name) is False:
            text = f'"{name}" may be absent from "{title(context.type)}", and the attribute raises '
            advice = f'then: ask "{name}" in the state first, or read it with .get("{name}")'
            context.api.fail(text + advice, context.context, code=ATTR_DEFINED)

    def get_item(self, context: MethodContext) -> Type:
        """``tree[key]``."""
        tree, key = tree_of(context.type), literal_of(context.arg_types)
        if tree is None or key is None:
            return context.default_return_type
        found = self._read(context, tree, key)
        if isinstance(found, Absent) and (tree.is_ours or not found.of_class):
            self._fail(context, key, found)
            return _any()
        if found is None or isinstance(found, Absent):
            return context.default_return_type
        return without_none(found)

    def get(self, context: MethodContext) -> Type:
        """``tree.get(key)`` and ``tree.get(key, default)``."""
        tree, key = tree_of(context.type), literal_of(context.arg_types)
        if tree is None or key is None:
            return context.default_return_type
        found = self._read(context, tree, key)
        given = context.arg_types[1] if len(context.arg_types) > 1 else []
        other: Type = given[0] if given else NoneType()
        if isinstance(found, Absent):
            if self._is_mistaken(tree, found, has_default=bool(given)):
                self._fail(context, key, found)
            return other
        if found is None:
            return context.default_return_type
        return UnionType.make_union(_flat([without_none(found), other]))

    def _is_mistaken(self, tree: Tree, why: Absent, *, has_default: bool) -> bool:
        """Whether to report a `get` of a key that a tree certainly lacks.

        A `get` is how one asks whether a module has a key, so only what looks misspelt is reported.
        """
        if why.dropped or (why.of_class and not tree.is_ours):
            return False
        return not is_module(tree.base) or (why.misspelt and not has_default)

    def set_item(self, context: MethodSigContext) -> FunctionLike:
        """``tree[key] = value``: the value must have the type under the key."""
        tree = tree_of(context.type)
        if tree is None or is_module(tree.base) or not context.args or not context.args[0]:
            return context.default_signature
        checker = cast(Any, context.api)
        given = checker.expr_checker.accept(context.args[0][0])
        key = literal_of([[given]])
        if key is None:
            return context.default_signature
        found = self._read(context, tree, key)
        if isinstance(found, Absent) and (tree.is_ours or not found.of_class):
            self._fail(context, key, found)
        if found is None or isinstance(found, Absent):
            return context.default_signature
        signature = context.default_signature
        arg_types = [*signature.arg_types[:-1], without_none(found)]
        return cast(FunctionLike, cast(Any, signature).copy_modified(arg_types=arg_types))

    def _read(self, context: _Context, tree: Tree, key: Hashable) -> Type | Absent | None:
        """The type under a key; unknown where the text says that it may be another.

        That is a name bound to several trees, and a key that the checked file itself assigns.
        """
        found = self.reader.read(tree, key)
        if found is None or not tree.is_ours:
            return found
        checker = cast(Any, context.api)
        source = source_of(checker.tree.path)
        if source is None:
            return None
        joined = is_joined if isinstance(found, Absent) else has_origins
        root = _root(checker, _owner(context.context))
        function = _function(checker)
        if root and is_bound_again(source, root, function) and joined(source, root):
            return None
        if not isinstance(found, Absent):
            return self._as_assigned(source, tree, key, found)
        if _is_guarded(source, context.context, key) is not False:
            return None
        return None if is_module(tree.base) and _is_written(source, key) else found

    def _as_assigned(self, source: str, tree: Tree, key: Hashable, found: Type) -> Type:
        """A module's part, of which only the class is known if the checked file assigns another."""
        part = tree_of(found)
        if part is None or not isinstance(key, str) or not is_module(tree.base):
            return found
        by_class, modules = forgetting(part.base), self.reader.modules
        if by_class is part.base or not modules.is_assigned(source, tree.base, key):
            return found
        return self.reader.in_forms(modules.state_of(by_class), part.forms)

    def _fail(self, context: MethodContext | MethodSigContext, key: Hashable, why: Absent) -> None:
        shown = f'"{key}"' if isinstance(key, str) else repr(key)
        text = f'"{title(context.type)}" has no key {shown}: {why.reason}'
        context.api.fail(text, context.context, code=INDEX)


def _is_guarded(source: str, read: MypyContext, key: Hashable) -> bool | None:
    """Whether the presence of a key is checked before a read; None if the text can't be read."""
    if not asks_for(source, key):
        return False
    guarded = guarded_reads(source)
    return None if guarded is None else (read.end_line or 0, read.end_column or 0, key) in guarded


def _owner(node: MypyContext) -> Expression | None:
    """The expression whose item or attribute is read or assigned."""
    match node:
        case IndexExpr(base=owner) | MemberExpr(expr=owner):
            return owner
        case CallExpr(callee=MemberExpr(expr=owner)):
            return owner
        case AssignmentStmt(lvalues=[IndexExpr(base=owner) | MemberExpr(expr=owner)]):
            return owner
        case _:
            return None


def _root(checker: Any, owner: Expression | None) -> NameExpr | MemberExpr | None:
    """The name or attribute that holds the whole tree of which an expression is a part."""
    match owner:
        case IndexExpr(base=inner):
            return _root(checker, inner)
        case MemberExpr(expr=inner):
            return _root(checker, inner) if _is_tree(checker, inner) else owner
        case CallExpr(callee=MemberExpr(expr=inner)):
            return _root(checker, inner) if _is_tree(checker, inner) else None
        case NameExpr():
            return owner
        case _:
            return None


def _function(checker: Any) -> FuncItem | None:
    """The outermost function that is checked."""
    return cast(FuncItem | None, checker.scope.top_level_function())


def _is_tree(checker: Any, expr: Expression) -> bool:
    return checker.has_type(expr) and tree_of(checker.lookup_type(expr)) is not None


def _is_written(source: str, key: Hashable) -> bool:
    """Whether a text assigns to a key, or to an attribute of that name, of anything but ``self``.

    An assignment to ``self`` changes a module, not a state.
    """
    shown = re.escape(str(key))
    quoted = f"[\"']{shown}[\"']" if isinstance(key, str) else shown
    return re.search(rf"(\[\s*{quoted}\s*\]|(?<!\bself)\.{shown})\s*=(?!=)", source) is not None


def literal_of(arg_types: list[list[Type]]) -> Hashable | None:
    """The literal key that is the first argument of a call."""
    return _literal(arg_types[0][0]) if arg_types and arg_types[0] else None


def _literal(typ: Type) -> Hashable | None:
    found = get_proper_type(typ)
    if isinstance(found, Instance) and found.last_known_value is not None:
        found = found.last_known_value
    match found:
        case LiteralType(value=str() | int() as value) if not isinstance(value, bool):
            return value if found.fallback.type.fullname in _KEYS else None
        case TupleType(items=items):
            parts = tuple(_literal(item) for item in items)
            return None if None in parts or not parts else parts
        case _:
            return None


def _flat(items: list[Type]) -> list[Type]:
    """The items of a union, each once."""
    found: list[Type] = []
    for item in items:
        proper = get_proper_type(item)
        for part in proper.items if isinstance(proper, UnionType) else [item]:
            if part not in found:
                found.append(part)
    return found


def _any() -> Type:
    return AnyType(TypeOfAny.from_error)


__all__ = ["Accesses", "literal_of"]
