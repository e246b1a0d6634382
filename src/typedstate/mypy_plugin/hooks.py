"""The plugin class: which of mypy's questions concern a schema, and who answers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

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
from .annotations import analyze, as_without
from .fallback import no_hook, report, safely
from .functions import Functions
from .options import PluginOptions, read_options
from .trees import SCHEMA, STATE, Reader, is_schema

# mypy asks about every name of every module: the answer is no by one look into a table.
_FORM_TYPES: Final = "typedstate.form_types."
_TREES: Final = ("StateMap", "Entries", "Abstract", "Shardings", "Specs", "Like")
_ANALYZED: Final = frozenset(
    {"typing.Annotated", "typing_extensions.Annotated"}
    | {f"{_FORM_TYPES}{name}" for name in ("Pure", "Values")}
)
_FILTERING: Final = ("state", "variables", "pop", "split", "filter_state", "split_state")
_FLAX: Final = ("flax.nnx.statelib.", "flax.nnx.graphlib.", "flax.nnx.graph.")
_FOREIGN: Final = ("builtins.", "typing.", "abc.", "enum.", "jax.", "numpy.", "flax.")


class SchemaPlugin(Plugin):
    """Knows schemas by their keys; see the package."""

    settings = PluginOptions()
    _functions: Mapping[str, Callable[[FunctionContext], Type]] = MappingProxyType({})
    _methods: Mapping[str, Callable[[MethodContext], Type]] = MappingProxyType({})

    def __init__(self, options: Options) -> None:
        """Reads the plugin's own options from the file that configures mypy."""
        super().__init__(options)
        self.reader = Reader(self.class_named)
        self._is_tree = {"builtins.dict": True, STATE: True}
        self._is_tree |= {f"{_FORM_TYPES}{name}": True for name in _TREES}
        try:
            self.settings = read_options(options.config_file)
            self.accesses = Accesses(self.reader, self.settings)
            self._functions = _function_hooks(Functions(self.reader))
            self._methods = _method_hooks(self.accesses, Functions(self.reader))
        except Exception as error:
            report(error)

    @no_hook
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

    @no_hook
    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """Forms in annotations: `Only`, `Rest` and `Plus` are Annotated, `Pure` an alias."""
        if fullname not in _ANALYZED:
            return None
        return safely(
            functools.partial(analyze, self.reader, fullname),
            functools.partial(as_without, fullname),
        )

    @no_hook
    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """The body of a schema class, for its keys."""
        if fullname == SCHEMA:
            return _REMEMBER
        if fullname.startswith(_FOREIGN) or not self._names_schema(fullname):
            return None
        return _REMEMBER

    @no_hook
    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Attributes of schemas, and of the trees whose leaves a form changes."""
        if not self._names_tree(fullname):
            return None
        name = fullname.rpartition(".")[2]
        return safely(functools.partial(self.accesses.attribute, name), _attribute)

    @no_hook
    def get_method_signature_hook(
        self, fullname: str
    ) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Writes under literal keys."""
        if not fullname.endswith(".__setitem__") or not self._names_tree(fullname):
            return None
        return safely(self.accesses.set_item, _signature)

    @no_hook
    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Reads under literal keys, and ``S.of(node, *filters)``."""
        hook = self._methods.get(fullname.rpartition(".")[2])
        return None if hook is None or not self._names_tree(fullname) else hook

    @no_hook
    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Flax's functions over states, and `check`."""
        return self._functions.get(fullname)

    def _names_schema(self, fullname: str) -> bool:
        info = self.class_named(fullname)
        return info is not None and bool(info.mro) and is_schema(info)

    def _names_tree(self, member: str) -> bool:
        """Whether the class of an attribute or a method may be a tree."""
        owner = member.rpartition(".")[0]
        known = self._is_tree.get(owner)
        if known is None:
            known = self._is_tree[owner] = self._names_schema(owner)
        return known


def _function_hooks(functions: Functions) -> dict[str, Callable[[FunctionContext], Type]]:
    """The functions that are answered for, by full name."""
    found = {"typedstate.checking.check": functions.check}
    for module in _FLAX:
        found |= {f"{module}{name}": functions.filtered for name in _FILTERING}
        found |= {f"{module}{name}": functions.as_pure for name in ("as_pure", "pure")}
        found[f"{module}to_pure_dict"] = functions.to_pure_dict
    return {name: safely(hook, _returned) for name, hook in found.items()}


def _method_hooks(
    accesses: Accesses, functions: Functions
) -> dict[str, Callable[[MethodContext], Type]]:
    """The methods of trees that are answered for, by name."""
    found = {
        "__getitem__": accesses.get_item,
        "get": accesses.get,
        "of": functions.of,
        "to_pure_dict": functions.to_pure_dict_method,
        "filter": functions.filtered_method,
        "split": functions.filtered_method,
    }
    return {name: safely(hook, _returned) for name, hook in found.items()}


def _returned(context: FunctionContext | MethodContext) -> Type:
    return context.default_return_type


def _attribute(context: AttributeContext) -> Type:
    return context.default_attr_type


def _signature(context: MethodSigContext) -> FunctionLike:
    return context.default_signature


def _nothing(context: ClassDefContext) -> None:
    return None


_REMEMBER: Final = safely(declaration.remember, _nothing)
