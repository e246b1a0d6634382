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
from .annotations import analyze, as_without
from .functions import Functions
from .options import read_options
from .trees import SCHEMA, STATE, Reader, is_schema

C = TypeVar("C")
R = TypeVar("R")

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

    def __init__(self, options: Options) -> None:
        """Reads the plugin's own options from the file that configures mypy."""
        super().__init__(options)
        self.settings = read_options(options.config_file)
        self.reader = Reader(self.class_named)
        self.accesses = Accesses(self.reader, self.settings)
        functions = Functions(self.reader)
        self._functions = _function_hooks(functions)
        self._methods: dict[str, Callable[[MethodContext], Type]] = {
            "__getitem__": safely(self.accesses.get_item, _returned),
            "get": safely(self.accesses.get, _returned),
            "of": safely(functions.of, _returned),
            "to_pure_dict": safely(functions.to_pure_dict_method, _returned),
            "filter": safely(functions.filtered_method, _returned),
            "split": safely(functions.filtered_method, _returned),
        }
        self._is_tree = {"builtins.dict": True, STATE: True}
        self._is_tree |= {f"{_FORM_TYPES}{name}": True for name in _TREES}

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
        if fullname not in _ANALYZED:
            return None
        return safely(
            functools.partial(analyze, self.reader, fullname),
            functools.partial(as_without, fullname),
        )

    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """The body of a schema class, for its keys."""
        if fullname == SCHEMA:
            return _REMEMBER
        if fullname.startswith(_FOREIGN) or not self._names_schema(fullname):
            return None
        return _REMEMBER

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Attributes of schemas, and of the trees whose leaves a form changes."""
        if not self._names_tree(fullname):
            return None
        name = fullname.rpartition(".")[2]
        return safely(functools.partial(self.accesses.attribute, name), _attribute)

    def get_method_signature_hook(
        self, fullname: str
    ) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Writes under literal keys."""
        if not fullname.endswith(".__setitem__") or not self._names_tree(fullname):
            return None
        return safely(self.accesses.set_item, _signature)

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Reads under literal keys, and ``S.of(node, *filters)``."""
        hook = self._methods.get(fullname.rpartition(".")[2])
        return None if hook is None or not self._names_tree(fullname) else hook

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


def _report(error: Exception) -> None:
    """One line for each kind of failure: an API of mypy that has changed, most likely."""
    text = f"typedstate.mypy_plugin: part of the plugin is off: {type(error).__name__}: {error}"
    line = text.splitlines()[0]
    if line not in _reported:
        _reported.add(line)
        print(line, file=sys.stderr)


def _returned(context: FunctionContext | MethodContext) -> Type:
    return context.default_return_type


def _attribute(context: AttributeContext) -> Type:
    return context.default_attr_type


def _signature(context: MethodSigContext) -> FunctionLike:
    return context.default_signature


def _nothing(context: ClassDefContext) -> None:
    return None


_REMEMBER: Final = safely(declaration.remember, _nothing)
