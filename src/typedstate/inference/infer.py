"""`infer`: a schema from a state, a live module, an abstract one, or a function that makes one.

The trees are read by `observe`, what they are of found by `drafting`, their dims by `linking`
and `naming`; `emit` makes the classes. Nothing of a value is read, and no text of the data
becomes code.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, cast

from flax import nnx

from .._compat import modules, variables
from ..errors import SchemaError
from ..schema.hint_class import HintMeta
from ..schema.typed_state import TypedState
from .drafting import draft_of
from .emit import emit
from .observe import BranchSeen, lacks_kinds, observe
from .optimizer import holds_model, is_optimizer, of_optimizer, parameters
from .settings import Settings
from .stacks import unstacked

KINDS_UNKNOWN: Final = (
    "The kinds of Variables are not stored. What looks like a layer of Flax's is taken for it, "
    "with its kinds; any other leaf is nnx.Variable, which every kind fits: write those you know."
)


def infer(
    example: Any,
    *more: Any,
    name: str | None = None,
    vary: Mapping[str, Sequence[Any]] | None = None,
    fix: bool | Collection[str] = False,
    model: Any = None,
) -> Any:
    """A schema that fits an example, written as a person writes it.

    Flax's own layers come from `typedstate.layers`; each module class of the user's is one
    class, whatever its sizes, linked where it stands. Of one example, axes are tied where the
    module's structure says that they are one size (what goes through norms and layers, the
    heads of attention), and what only looks equal is left apart, with a comment for `to_source`
    to write. Several examples, or `vary`, name and link the sizes that vary, and only those::

        ModelState = infer(Model(d=8, hidden=16), Model(d=4, hidden=12))
        ModelState = infer(Model, vary={"d": (8, 12), "layers": (2, 3)})

    Of an ``nnx.Optimizer`` it gives ``OptimizerState[AdamState[...]]``. Of an abstract example
    comes the schema of the state that it stands for: it fits ``Abstract`` of it. Of a checkpoint's
    ``inspect(path).state()`` kinds are unknown: a leaf is ``nnx.Variable``, which every kind fits,
    unless it is one of a layer of Flax's, and a comment on top says so.

    Args:
      example: a state, a nested dict of leaves, a live module, one of ``nnx.eval_shape``; or a
        function that makes a module, which is called under ``nnx.eval_shape``: that takes no
        memory.
      more: others of the same structure.
      name: of the schema; without, that of the module class.
      vary: for a function: the values of its keyword arguments. The first of each belong
        together; the others are tried one at a time.
      fix: write sizes as numbers: all of them, or those that have these names at the top. Where
        all are, a Flax layer whose class leaves a run of axes open, such as ``nnx.Conv``, is
        written as a class of its own.
      model: of an optimizer alone: the module that it updates, or the schema of one.

    Raises:
      SchemaError: an example is none of these, or the name that of no class.
    """
    if name is not None and not (name.isidentifier() and name.isascii()):
        raise SchemaError(f"infer: name={name!r} is no name for a class")
    fixed = None if fix is True else frozenset(() if fix is False else fix)
    examples, settings = _examples(example, more, vary or {}, fixed)
    del example, more
    cls = cast(Any, type(examples[0]))
    if len(examples) == 1 and is_optimizer(cls):
        return _of_optimizer(examples[0], model, settings)
    try:
        trees = [unstacked(observe(item)) for item in examples]
        drafts = draft_of(trees, _title(trees, name), settings)
        if any(map(lacks_kinds, trees)):
            drafts[-1].head.append(KINDS_UNKNOWN)
        return emit(drafts, settings, name)
    except RecursionError:
        raise SchemaError("infer: the tree is nested too deeply for a schema") from None


def _of_optimizer(node: Any, model: Any, settings: Settings) -> Any:
    """An optimizer's: over the model that it keeps, that is given, or that its moments are of."""
    if holds_model(node):
        model = node.model
    elif model is None:
        model = parameters(node)
        if model is None:
            return of_optimizer(node, TypedState, whole=False)
    if not isinstance(model, HintMeta):
        model = infer(model, fix=settings.fixes_all or settings.fix or False)
    return of_optimizer(node, model, whole=holds_model(node))


def _title(trees: Sequence[BranchSeen], name: str | None) -> str:
    cls = trees[0].cls
    return name or ("Model" if cls is None else cls.__name__)


def _examples(
    example: Any,
    more: Sequence[Any],
    vary: Mapping[str, Sequence[Any]],
    fix: frozenset[str] | None,
) -> tuple[list[Any], Settings]:
    """The examples, those made that are to be made, and what is known of their sizes."""
    if not vary:
        examples = [_made(item) for item in (example, *more)]
        return examples, Settings(len(examples), fix=fix)
    if more or not _is_function(example):
        raise SchemaError("infer: vary= takes one function that makes the module")
    for key, values in vary.items():
        if not isinstance(cast(Any, values), Sequence) or isinstance(values, str) or not values:
            raise SchemaError(f"infer: vary={{{key!r}: {values!r}}}: give a sequence of values")
    base = {key: values[0] for key, values in vary.items()}
    chosen = [base]
    for key, values in vary.items():
        chosen += [{**base, key: value} for value in itertools.islice(values, 1, None)]
    made = [_make(example, arguments) for arguments in chosen]
    sizes = {
        key: tuple(arguments[key] for arguments in chosen)
        for key in vary
        if all(type(arguments[key]) is int for arguments in chosen)
    }
    return made, Settings(len(made), sizes, fix)


def _is_function(value: Any) -> bool:
    if variables.is_variable(value) or _is_kind(value) or isinstance(value, HintMeta):
        return False
    return callable(value) and not modules.is_module(value) and variables.mapping_of(value) is None


def _is_kind(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, nnx.Variable)


def _made(example: Any) -> Any:
    return _make(example, {}) if _is_function(example) else example


def _make(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """The abstract module that a function makes; one that needs ``rngs`` is given some.

    Raises:
      SchemaError: it takes other arguments. What its own code raises is raised as it is.
    """
    try:
        try:
            return nnx.eval_shape(lambda: factory(**arguments))
        except TypeError as error:
            if "rngs" not in str(error) or "rngs" in arguments:
                raise
        return nnx.eval_shape(lambda: factory(**arguments, rngs=nnx.Rngs(0)))
    except TypeError as error:
        if _takes(factory, arguments) or _takes(factory, {**arguments, "rngs": None}):
            raise
        raise SchemaError(f"infer can't call this function: {error}") from None


def _takes(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> bool:
    """Whether a function can be called with these arguments alone, as far as its signature says."""
    try:
        inspect.signature(factory).bind(**arguments)
    except (TypeError, ValueError):
        return False
    return True
