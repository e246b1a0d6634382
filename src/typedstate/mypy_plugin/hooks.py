"""`SchemaPlugin`: passes mypy's questions that concern a state to the parts that answer them.

mypy asks about every name of every module that it analyses, and a run in which hardly a file has
changed asks for little else: the answer no comes from this file, which imports no other part.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

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

from . import names
from .fallback import no_hook, report, safely
from .names import ANNOTATED, DICT, FOREIGN, FORMS, SCHEMA, STATE
from .options import PluginOptions, read_options

if TYPE_CHECKING:
    from .answers import Answers

_CLASSES: Final = ("StateMap", "Entries", "Abstract", "Shardings", "Specs", "Like")
_TREES: Final = frozenset({DICT, STATE} | {f"{FORMS}{name}" for name in _CLASSES})
_ANALYZED: Final = frozenset({*ANNOTATED} | {f"{FORMS}{name}" for name in ("Pure", "Values")})

C = TypeVar("C", AttributeContext, MethodContext, MethodSigContext)
R = TypeVar("R")


class SchemaPlugin(Plugin):
    """The plugin that mypy makes; see the package.

    Attributes:
      settings: the plugin's own options.
    """

    settings = PluginOptions()
    _config: Mapping[str, Any] | None = None

    def __init__(self, options: Options) -> None:
        """Reads the plugin's own options from the file that configures mypy."""
        super().__init__(options)
        self._trees: dict[str, bool] = {}
        try:
            self.settings = read_options(options.config_file)
            self._config = {**self.settings.as_json(), "plugin": _digest()}
        except Exception as error:
            report(error)

    @no_hook
    def report_config_data(self, ctx: ReportConfigContext) -> Any:
        """Data on which cached results depend: the options, and the plugin's own text."""
        return self._config

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

    def _path_of(self, module: str) -> str | None:
        """The file of a module that mypy has read."""
        file = (self._modules or {}).get(module)
        return None if file is None else file.path

    @functools.cached_property
    def _answers(self) -> Answers | None:
        """The parts that answer, imported here; None if they can't be set up."""
        if self._config is None:
            return None
        try:
            from .answers import Answers

            return Answers(self.class_named, self._path_of, self.settings)
        except Exception as error:
            report(error)
            return None

    @no_hook
    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """Answers for forms: `Only`, `Rest` and `Plus` are Annotated, `Pure` is an alias."""
        if fullname not in _ANALYZED:
            return None
        answers = self._answers
        return None if answers is None else answers.annotation(fullname)

    @no_hook
    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """Answers for the body of a schema class, to read its keys."""
        if fullname.startswith(FOREIGN):
            return None
        if fullname != SCHEMA and not self._names_schema(fullname):
            return None
        self._trees.clear()
        return _REMEMBER

    @no_hook
    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Answers for attributes of schemas, and of trees in forms."""
        if not self._names_tree(fullname):
            return None
        name = fullname.rpartition(".")[2]
        return self._of_tree(fullname, lambda answers: answers.attribute(name), _attribute)

    @no_hook
    def get_method_signature_hook(
        self, fullname: str
    ) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Answers for assignments under literal keys."""
        if not fullname.endswith(".__setitem__") or not self._names_tree(fullname):
            return None
        return self._of_tree(fullname, lambda answers: answers.set_item, _signature)

    @no_hook
    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Answers for reads under literal keys, and for ``S.of(node, *filters)``."""
        if fullname in names.METHODS:
            answers = self._answers
            return None if answers is None else answers.own_methods.get(fullname)
        name = fullname.rpartition(".")[2]
        if name not in names.TREE_METHODS or not self._names_tree(fullname):
            return None
        return self._of_tree(fullname, lambda answers: answers.methods[name], _returned)

    @no_hook
    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Answers for functions of Flax, JAX and optax over states, and for `check`."""
        if fullname not in names.FUNCTIONS and not fullname.startswith(names.MADE):
            return None
        answers = self._answers
        return None if answers is None else answers.functions.get(fullname)

    def _of_tree(
        self,
        member: str,
        find: Callable[[Answers], Callable[[C], R]],
        default: Callable[[C], R],
    ) -> Callable[[C], R] | None:
        """The answer for a member of a tree; a dict is none unless it is marked as one."""

        def of_dict(context: C) -> R:
            if _is_plain_dict(context.type) or self._answers is None:
                return default(context)
            return find(self._answers)(context)

        if member.rpartition(".")[0] == DICT:
            return safely(of_dict, default)
        return None if self._answers is None else find(self._answers)

    def _names_schema(self, fullname: str) -> bool:
        info = self.class_named(fullname)
        if info is None or not info.mro:
            return False
        return info.has_base(SCHEMA) and info.fullname != SCHEMA

    def _names_tree(self, member: str) -> bool:
        """Whether the class in the full name of an attribute or method may be a tree."""
        owner = member.rpartition(".")[0]
        found = self._trees.get(owner)  # emptied whenever a class is found to be a schema
        if found is None:
            found = owner in _TREES or (not owner.startswith(FOREIGN) and self._names_schema(owner))
            self._trees[owner] = found
        return found


@functools.cache
def _digest() -> str:
    """A hash of the plugin's own text."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _is_plain_dict(typ: Type) -> bool:
    found = get_proper_type(typ)
    return isinstance(found, Instance) and found.extra_attrs is None and found.type.fullname == DICT


def _returned(context: MethodContext) -> Type:
    return context.default_return_type


def _attribute(context: AttributeContext) -> Type:
    return context.default_attr_type


def _signature(context: MethodSigContext) -> FunctionLike:
    return context.default_signature


def _remember(context: ClassDefContext) -> None:
    from .declaration import remember

    remember(context)


def _nothing(context: ClassDefContext) -> None:
    return None


_REMEMBER: Final = safely(_remember, _nothing)
