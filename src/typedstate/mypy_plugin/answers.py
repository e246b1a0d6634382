"""`Answers`: what the plugin says to each of mypy's questions, in tables by full name.

`SchemaPlugin` imports this module with the first question that concerns a state, so that a run
without such a question loads none of the parts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from mypy.plugin import (
    AnalyzeTypeContext,
    AttributeContext,
    FunctionContext,
    MethodContext,
    MethodSigContext,
)
from mypy.plugins.functools import partial_call_callback
from mypy.types import FunctionLike, Type

from . import names
from .accesses import Accesses
from .annotations import analyze, as_without
from .constructors import Constructors
from .dependencies import depending
from .fallback import safely
from .filters import Lookup
from .functions import Functions
from .gradients import Gradients
from .layer_table import LAYERS
from .modules import Modules
from .optimizers import Optimizers
from .options import PluginOptions
from .reader import Reader
from .transforms import Transforms, bound
from .tree_functions import TreeFunctions
from .values import Values

_Function = Callable[[FunctionContext], Type]
_Method = Callable[[MethodContext], Type]


class Answers:
    """The answers to mypy's questions.

    Attributes:
      functions: those for calls of functions and classes, by full name.
      methods: those for calls of methods of trees, by name.
      own_methods: those for calls of other methods, by full name.
      set_item: the one for assignments under keys.
    """

    def __init__(
        self, lookup: Lookup, path_of: Callable[[str], str | None], settings: PluginOptions
    ) -> None:
        """Makes the parts, which share one reader."""
        self._reader = reader = Reader(lookup, Modules(lookup, path_of))
        self._accesses = Accesses(reader, settings)
        self._attributes: dict[str, Callable[[AttributeContext], Type]] = {}
        values = Values(reader)
        functions = Functions(reader, of_modules=settings.infer_module_states)
        gradients, transforms = Gradients(values, functions), Transforms(values)
        self.functions = self._by_name(
            [
                *_of_states(functions),
                *_of_trees(TreeFunctions(values)),
                *_transforms(gradients, transforms),
                *_constructors(Constructors(reader.lookup)),
            ]
        )
        self.methods = self._of_methods(functions)
        self.own_methods = self._of_own_methods(gradients, transforms)
        self.set_item: Callable[[MethodSigContext], FunctionLike] = safely(
            depending(reader, self._accesses.set_item), _signature
        )

    def attribute(self, name: str) -> Callable[[AttributeContext], Type]:
        """The answer for the attribute of a tree."""
        if name not in self._attributes:
            asked = functools.partial(self._accesses.attribute, name)
            self._attributes[name] = safely(depending(self._reader, asked), _attribute)
        return self._attributes[name]

    def annotation(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type]:
        """The answer for a form in an annotation: `Only`, `Rest` and `Plus` are Annotated."""
        return safely(
            functools.partial(analyze, self._reader, fullname),
            functools.partial(as_without, fullname),
        )

    def _by_name(self, known: list[tuple[tuple[str, ...], _Function]]) -> dict[str, _Function]:
        return {
            name: safely(self._unmuted(depending(self._reader, hook)), _returned)
            for fullnames, hook in known
            for name in fullnames
        }

    def _unmuted(self, hook: _Function) -> _Function:
        """The hook, which is not asked while functions get mypy's own answers."""

        def asked(context: FunctionContext) -> Type:
            return context.default_return_type if self._reader.is_muted else hook(context)

        return asked

    def _of_methods(self, functions: Functions) -> dict[str, _Method]:
        found: dict[str, _Method] = {
            "__getitem__": self._accesses.get_item,
            "get": self._accesses.get,
            "of": functions.of,
            "to_pure_dict": functions.to_pure_dict_method,
            "filter": functions.filtered_method,
            "split": functions.filtered_method,
        }
        return {
            name: safely(depending(self._reader, hook), _returned) for name, hook in found.items()
        }

    def _of_own_methods(self, gradients: Gradients, transforms: Transforms) -> dict[str, _Method]:
        update = safely(depending(self._reader, Optimizers(self._reader).update), _returned)
        called = safely(depending(self._reader, gradients.called), _returned)
        return {
            names.PARTIAL_CALL: safely(transforms.partial, partial_call_callback),
            names.NNX_JITTED_GET: safely(bound, _returned),
            **dict.fromkeys(names.UPDATES, update),
            **dict.fromkeys(names.GRADIENT_CALLS, called),
        }


def _of_states(functions: Functions) -> list[tuple[tuple[str, ...], _Function]]:
    return [
        (names.CHECK, functions.check),
        (names.FILTERING, functions.filtered),
        (names.FILTERING_STATE, functions.filtered_state),
        (names.MERGING_STATES, functions.merged),
        (names.PURE, functions.as_pure),
        (names.POPPING, functions.popped),
        (names.PURE_DICT, functions.to_pure_dict),
        (names.TO_FLAT_STATE, functions.to_flat_state),
    ]


def _of_trees(trees: TreeFunctions) -> list[tuple[tuple[str, ...], _Function]]:
    return [
        (names.TREE_MAP, trees.map),
        (names.TREE_MAP_WITH_PATH, trees.map_with_path),
        (names.TREE_LEAVES, trees.leaves),
        (names.TREE_FLATTEN, trees.flatten),
        (names.KEEPING, trees.first),
        (names.KEEPING_AS_ARRAYS, trees.first_as_arrays),
        (names.KEEPING_SECOND, trees.second),
        (names.DEVICE_PUT, trees.device_put),
        (names.DEVICE_GET, trees.device_get),
        (names.EVAL_SHAPE, trees.eval_shape),
        (names.NNX_EVAL_SHAPE, trees.eval_shape),
        (names.PARTITION_SPEC, trees.partition_spec),
        (names.NAMED_SHARDING, trees.named_sharding),
    ]


def _transforms(
    gradients: Gradients, transforms: Transforms
) -> list[tuple[tuple[str, ...], _Function]]:
    return [
        (names.GRAD, gradients.grad),
        (names.VALUE_AND_GRAD, gradients.value_and_grad),
        (names.NNX_GRAD, gradients.nnx_grad),
        (names.NNX_VALUE_AND_GRAD, gradients.nnx_value_and_grad),
        (names.JIT, transforms.jit),
        (names.SAME_CALL, transforms.same),
        (names.SCAN, transforms.scan),
        (names.LOOPS, transforms.loop),
        (names.COND, transforms.cond),
        (names.VJP, transforms.vjp),
    ]


def _constructors(constructors: Constructors) -> list[tuple[tuple[str, ...], _Function]]:
    """The classes whose calls say more than the class."""
    return [
        (tuple(LAYERS), constructors.layer),
        ((names.SEQUENTIAL,), constructors.sequential),
        ((names.NODE_LIST,), constructors.list_of),
        ((names.NODE_DICT,), constructors.dict_of),
        (names.OPTIMIZERS, constructors.optimizer),
    ]


def _returned(context: FunctionContext | MethodContext) -> Type:
    return context.default_return_type


def _attribute(context: AttributeContext) -> Type:
    return context.default_attr_type


def _signature(context: MethodSigContext) -> FunctionLike:
    return context.default_signature
