"""`SchemaPlugin`: passes mypy's questions that concern a schema to the parts that answer them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
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
from mypy.plugins.functools import partial_call_callback
from mypy.types import FunctionLike, Instance, Type, get_proper_type

from . import declaration, names
from .accesses import Accesses
from .annotations import analyze, as_without
from .constructors import Constructors
from .dependencies import depending
from .fallback import no_hook, report, safely
from .functions import Functions
from .gradients import Gradients
from .layer_table import LAYERS
from .modules import Modules
from .names import ANNOTATED, DICT, FOREIGN, FORMS, SCHEMA, STATE
from .optimizers import Optimizers
from .options import PluginOptions, read_options
from .reader import Reader
from .transforms import Transforms
from .tree_functions import TreeFunctions
from .trees import is_schema
from .values import Values

# mypy asks about every name of every module: the answer is no by one look into a table.
_CLASSES: Final = ("StateMap", "Entries", "Abstract", "Shardings", "Specs", "Like")
_TREES: Final = frozenset({DICT, STATE} | {f"{FORMS}{name}" for name in _CLASSES})
_ANALYZED: Final = frozenset({*ANNOTATED} | {f"{FORMS}{name}" for name in ("Pure", "Values")})


_UPDATES: Final = frozenset(
    f"{name}.update" for name in (names.OPTIMIZER, names.MODEL_AND_OPTIMIZER)
)
_GRADIENTS: Final = frozenset(f"{name}.__call__" for name in names.GRADIENTS)
_Answer = tuple[tuple[str, ...], Callable[[FunctionContext], Type]]


class SchemaPlugin(Plugin):
    """The plugin that mypy makes; see the package."""

    settings = PluginOptions()
    _config: Mapping[str, Any] | None = None
    _functions: Mapping[str, Callable[[FunctionContext], Type]] = MappingProxyType({})
    _partial: Callable[[MethodContext], Type] | None = None
    _update: Callable[[MethodContext], Type] | None = None
    _gradient: Callable[[MethodContext], Type] | None = None
    _methods: Mapping[str, Callable[[MethodContext], Type]] = MappingProxyType({})

    def __init__(self, options: Options) -> None:
        """Reads the plugin's own options from the file that configures mypy."""
        super().__init__(options)
        self.reader = Reader(self.class_named, Modules(self.class_named, self._path_of))
        try:
            self.settings = read_options(options.config_file)
            self._config = {**self.settings.as_json(), "plugin": _digest()}
            self.accesses = Accesses(self.reader, self.settings)
            functions = Functions(self.reader, of_modules=self.settings.infer_module_states)
            self._functions = _function_hooks(self.reader, functions)
            self._methods = _method_hooks(self.reader, self.accesses, functions)
            values = Values(self.reader)
            gradients, transforms = Gradients(values, functions), Transforms(values)
            update = Optimizers(self.reader).update
            self._update = safely(depending(self.reader, update), _returned)
            self._partial = safely(transforms.partial, partial_call_callback)
            self._gradient = safely(depending(self.reader, gradients.called), _returned)
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

    @no_hook
    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """Answers for forms: `Only`, `Rest` and `Plus` are Annotated, `Pure` is an alias."""
        if fullname not in _ANALYZED:
            return None
        return safely(
            functools.partial(analyze, self.reader, fullname),
            functools.partial(as_without, fullname),
        )

    @no_hook
    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """Answers for the body of a schema class, to read its keys."""
        if fullname == SCHEMA:
            return _REMEMBER
        if fullname.startswith(FOREIGN) or not self._names_schema(fullname):
            return None
        return _REMEMBER

    @no_hook
    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Answers for attributes of schemas, and of trees in forms."""
        if not self._names_tree(fullname):
            return None
        name = fullname.rpartition(".")[2]
        return safely(
            depending(self.reader, functools.partial(self.accesses.attribute, name)), _attribute
        )

    @no_hook
    def get_method_signature_hook(
        self, fullname: str
    ) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Answers for assignments under literal keys."""
        if not fullname.endswith(".__setitem__") or not self._names_tree(fullname):
            return None
        return safely(depending(self.reader, self.accesses.set_item), _signature)

    @no_hook
    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Answers for reads under literal keys, and for ``S.of(node, *filters)``."""
        if fullname == names.PARTIAL_CALL:
            return self._partial
        if fullname in _UPDATES:
            return self._update
        if fullname in _GRADIENTS:
            return self._gradient
        hook = self._methods.get(fullname.rpartition(".")[2])
        return None if hook is None or not self._names_tree(fullname) else hook

    @no_hook
    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Answers for functions of Flax, JAX and optax over states, and for `check`."""
        return self._functions.get(fullname)

    def _names_schema(self, fullname: str) -> bool:
        info = self.class_named(fullname)
        return info is not None and bool(info.mro) and is_schema(info)

    def _names_tree(self, member: str) -> bool:
        """Whether the class in the full name of an attribute or method may be a tree."""
        owner = member.rpartition(".")[0]
        if owner in _TREES:
            return True
        # Not kept: in the daemon a class may become a schema.
        return not owner.startswith(FOREIGN) and self._names_schema(owner)


@functools.cache
def _digest() -> str:
    """A hash of the plugin's own text."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _function_hooks(
    reader: Reader, functions: Functions
) -> dict[str, Callable[[FunctionContext], Type]]:
    """The answers for functions, by full name."""
    values = Values(reader)
    trees, transforms = TreeFunctions(values), Transforms(values)
    gradients = Gradients(values, functions)
    answers: list[_Answer] = [
        (names.CHECK, functions.check),
        (names.FILTERING, functions.filtered),
        (names.PURE, functions.as_pure),
        (names.POPPING, functions.popped),
        (names.PURE_DICT, functions.to_pure_dict),
        (names.TO_FLAT_STATE, functions.to_flat_state),
        (names.TREE_MAP, trees.map),
        (names.TREE_MAP_WITH_PATH, trees.map_with_path),
        (names.TREE_LEAVES, trees.leaves),
        (names.TREE_FLATTEN, trees.flatten),
        (names.KEEPING, trees.first),
        (names.KEEPING_SECOND, trees.second),
        (names.DEVICE_PUT, trees.device_put),
        (names.DEVICE_GET, trees.device_get),
        (names.EVAL_SHAPE, trees.eval_shape),
        (names.NNX_EVAL_SHAPE, trees.eval_shape),
        (names.GRAD, gradients.grad),
        (names.VALUE_AND_GRAD, gradients.value_and_grad),
        (names.NNX_GRAD, gradients.nnx_grad),
        (names.NNX_VALUE_AND_GRAD, gradients.nnx_value_and_grad),
        (names.JIT, transforms.jit),
        (names.SAME_CALL, transforms.same),
        (names.SCAN, transforms.scan),
        (names.FORI_LOOP, transforms.fori_loop),
        (names.COND, transforms.cond),
        (names.VJP, transforms.vjp),
    ]
    answers += _constructors(Constructors(reader.lookup))
    return {
        name: safely(depending(reader, hook), _returned)
        for known, hook in answers
        for name in known
    }


def _constructors(constructors: Constructors) -> list[_Answer]:
    """The classes whose calls say more than the class."""
    return [
        (tuple(LAYERS), constructors.layer),
        ((names.SEQUENTIAL,), constructors.sequential),
        ((names.NODE_LIST,), constructors.list_of),
        ((names.NODE_DICT,), constructors.dict_of),
        ((names.OPTIMIZER, names.MODEL_AND_OPTIMIZER), constructors.optimizer),
    ]


def _method_hooks(
    reader: Reader, accesses: Accesses, functions: Functions
) -> dict[str, Callable[[MethodContext], Type]]:
    """The answers for methods of trees, by name."""
    found = {
        "__getitem__": accesses.get_item,
        "get": accesses.get,
        "of": functions.of,
        "to_pure_dict": functions.to_pure_dict_method,
        "filter": functions.filtered_method,
        "split": functions.filtered_method,
    }
    return {name: safely(depending(reader, hook), _returned) for name, hook in found.items()}


def _returned(context: FunctionContext | MethodContext) -> Type:
    return context.default_return_type


def _attribute(context: AttributeContext) -> Type:
    return context.default_attr_type


def _signature(context: MethodSigContext) -> FunctionLike:
    return context.default_signature


def _nothing(context: ClassDefContext) -> None:
    return None


_REMEMBER: Final = safely(declaration.remember, _nothing)
