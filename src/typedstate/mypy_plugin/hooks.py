"""The plugin class: which of mypy's questions concern a schema, and who answers."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

from mypy.nodes import SymbolTableNode, TypeAlias, TypeInfo
from mypy.options import Options
from mypy.plugin import (
    AnalyzeTypeContext,
    AttributeContext,
    ClassDefContext,
    FunctionContext,
    MethodContext,
    MethodSigContext,
    Plugin,
    ReportConfigContext,
)
from mypy.types import FunctionLike, Instance, Type, get_proper_type

from . import declaration
from .accesses import Accesses
from .annotations import analyze
from .functions import Functions
from .options import read_options
from .trees import SCHEMA, STATE, Reader, is_schema

C = TypeVar("C")
R = TypeVar("R")

_TREES: Final = ("StateMap", "Entries", "Abstract", "Shardings", "Specs", "Like")
_WRAPPERS: Final = ("Pure", "Values")
_ANNOTATED: Final = ("typing.Annotated", "typing_extensions.Annotated")
_FILTERING: Final = ("state", "variables", "pop", "split", "filter_state", "split_state")
_FLAX: Final = ("flax.nnx.statelib.", "flax.nnx.graphlib.", "flax.nnx.graph.")


class SchemaPlugin(Plugin):
    """Knows schemas by their keys; see the package."""

    def __init__(self, options: Options) -> None:
        """Reads the plugin's own options from the file that configures mypy."""
        super().__init__(options)
        self.settings = read_options(options.config_file)
        reader = Reader(self.class_named)
        self.accesses = Accesses(reader, self.settings)
        self.functions = Functions(reader)
        self._is_tree: dict[str, bool] = {}

    def report_config_data(self, ctx: ReportConfigContext) -> Any:
        """What a cached result depends on, beside the files."""
        return self.settings.as_json()

    def class_named(self, fullname: str) -> TypeInfo | None:
        """The class of a full name, in the modules that mypy has read."""
        try:
            symbol: SymbolTableNode | None = self.lookup_fully_qualified(fullname)
        except (AssertionError, KeyError):
            return None
        node = None if symbol is None else symbol.node
        if isinstance(node, TypeAlias):
            target = get_proper_type(node.target)
            return target.type if isinstance(target, Instance) else None
        return node if isinstance(node, TypeInfo) else None

    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """Forms in annotations: `Only`, `Rest` and `Plus` are Annotated, `Pure` an alias."""
        if fullname in _ANNOTATED:
            return functools.partial(analyze, self.functions.reader, fullname)
        if fullname.startswith("typedstate.form_types.") and fullname.endswith(_WRAPPERS):
            return functools.partial(analyze, self.functions.reader, fullname)
        return None

    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """The body of a schema class, for its keys."""
        if fullname == SCHEMA or self._names_schema(fullname):
            return _quietly(declaration.remember, None)
        return None

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Attributes of schemas, and of the trees whose leaves a form changes."""
        owner = fullname.rpartition(".")[0]
        if owner == STATE or self._names_tree(owner):
            name = fullname.rpartition(".")[2]
            return safely(
                functools.partial(self.accesses.attribute, name), lambda ctx: ctx.default_attr_type
            )
        return None

    def get_method_signature_hook(
        self, fullname: str
    ) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Writes under literal keys."""
        owner, _, name = fullname.rpartition(".")
        if name == "__setitem__" and self._names_tree(owner):
            return safely(self.accesses.set_item, lambda ctx: ctx.default_signature)
        return None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Reads under literal keys, and ``S.of(node, *filters)``."""
        owner, _, name = fullname.rpartition(".")
        found: Callable[[MethodContext], Type] | None = None
        match name:
            case "__getitem__" if self._names_tree(owner):
                found = self.accesses.get_item
            case "get" if self._names_tree(owner):
                found = self.accesses.get
            case "of" if self._names_schema(owner):
                found = self.functions.of
            case "to_pure_dict" if self._names_tree(owner):
                found = self.functions.to_pure_dict_method
            case "filter" | "split" if owner == STATE or self._names_tree(owner):
                found = self.functions.filtered_method
            case _:
                pass
        return None if found is None else safely(found, lambda ctx: ctx.default_return_type)

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Flax's functions over states, and `check`."""
        module = next((prefix for prefix in _FLAX if fullname.startswith(prefix)), "")
        name = fullname.removeprefix(module)
        found: Callable[[FunctionContext], Type] | None = None
        if fullname == "typedstate.checking.check":
            found = self.functions.check
        elif module and name in _FILTERING:
            found = self.functions.filtered
        elif module and name == "to_pure_dict":
            found = self.functions.to_pure_dict
        elif module and name in ("as_pure", "pure"):
            found = self.functions.as_pure
        return None if found is None else safely(found, lambda ctx: ctx.default_return_type)

    def _names_schema(self, fullname: str) -> bool:
        info = self.class_named(fullname)
        return info is not None and bool(info.mro) and is_schema(info)

    def _names_tree(self, fullname: str) -> bool:
        """Whether instances of a class may be a tree; asked for every attribute that is read."""
        if fullname in ("builtins.dict", STATE):
            return True
        known = self._is_tree.get(fullname)
        if known is None:
            forms = fullname.startswith("typedstate.form_types.") and fullname.endswith(_TREES)
            known = forms or self._names_schema(fullname)
            self._is_tree[fullname] = known
        return known


_reported: set[str] = set()


def safely(hook: Callable[[C], R], default: Callable[[C], R]) -> Callable[[C], R]:
    """A hook that answers as if there were no plugin where it fails."""

    def safe(context: C) -> R:
        try:
            return hook(context)
        except Exception as error:
            _report(error)
            return default(context)

    return safe


def _quietly(hook: Callable[[C], None], nothing: None) -> Callable[[C], None]:
    return safely(hook, lambda context: nothing)


def _report(error: Exception) -> None:
    """One line for each kind of failure: an API of mypy that has changed, most likely."""
    text = f"typedstate.mypy_plugin: part of the plugin is off: {type(error).__name__}: {error}"
    line = text.splitlines()[0]
    if line not in _reported:
        _reported.add(line)
        print(line, file=sys.stderr)
