"""`infer`: makes a schema of a state, of a live or abstract module, or of a function for one.

`observe` reads the trees, `drafting` finds the classes, `linking` and `naming` their dims, and
`emit` makes them. Values are not read, and no text of the data becomes code.
"""

from __future__ import annotations

import itertools
import keyword
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from flax import nnx

from .._compat import modules, variables
from ..errors import SchemaError
from ..forms import Stacked
from ..schema.hint_class import HintMeta
from ..schema.typed_state import TypedState
from .drafting import draft_of
from .emit import emit
from .factories import abstract_of
from .likes import unstacked_beside
from .members import ENSEMBLE, count_of, member_of
from .observe import BranchSeen, lacks_kinds, observe
from .optimizer import holds_model, is_optimizer, of_optimizer, parameters
from .settings import Settings
from .stacks import unstacked

#: The form, typed as Any: checkers take it for what it stands for.
_stacked: Final = cast(Any, Stacked)
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
    """Infers a schema that fits an example, written as a person would.

    Flax's own layers become classes of `typedstate.layers`; each module class of the user becomes
    one class, of any sizes, which is linked where it is used. From one example, two axes get one
    name if the module's structure says that they have one size (the width through norms and
    layers, the heads of attention). Axes that are equal by accident keep different names, and
    `to_source` writes a comment. From several examples, or with `vary`, exactly the sizes that
    vary get names::

        ModelState = infer(Model(d=8, hidden=16), Model(d=4, hidden=12))
        ModelState = infer(Model, vary={"d": (8, 12), "layers": (2, 3)})

    Attributes that a loop sets under numbered names, ``layers_0`` to ``layers_5``, are one pattern
    with their number as a dim, ``extra={"layers_{len=layers}": S}``. Those that the code names,
    that are unlike or have a gap are fields. Several models that ``nnx.vmap`` makes at once are
    ``Stacked[ModelState, "ensemble"]``.

    An ``nnx.Optimizer`` gives ``OptimizerState[AdamState[...]]``. An abstract example gives the
    schema of the concrete state, so the example fits ``Abstract`` of it. The state of a checkpoint,
    ``inspect(path).state()``, has unknown kinds: a leaf becomes ``nnx.Variable``, which every kind
    fits, unless it belongs to a layer of Flax, and a comment on top says so.

    Args:
      example: a state, a nested dict of leaves, a live module, an abstract one of
        ``nnx.eval_shape``; or a function that makes a module, which is called under
        ``nnx.eval_shape`` and takes no memory.
      more: further examples of the same structure.
      name: the name of the schema; without, it is made of the module class's name.
      vary: for a function, values of its keyword arguments. The first value of each is used
        together; then each other value is tried by itself.
      fix: True writes every size as a number, a collection those of these names at the top. If
        every size is written, a Flax layer whose schema leaves axes without a name, such as
        ``nnx.Einsum``, becomes a class of its own.
      model: for an optimizer without its model: the module that it updates, or its schema.

    Raises:
      SchemaError: an example is none of these, `name` can't be the name of a class, or `fix` has
        a name that no dim at the top has, or one whose size varies.
    """
    plain = name is None or (name.isidentifier() and name.isascii())
    if not plain or keyword.iskeyword(name or ""):
        raise SchemaError(f"infer: name={name!r} is no name for a class")
    if isinstance(fix, str):
        raise SchemaError(f"infer: fix={fix!r}: give a collection of names, e.g. {{{fix!r}}}")
    fixed = None if fix is True else frozenset(() if fix is False else fix)
    examples, settings = _examples(example, more, vary or {}, fixed)
    del example, more
    cls = cast(Any, type(examples[0]))
    if len(examples) == 1 and is_optimizer(cls):
        return _of_optimizer(examples[0], model, settings)
    try:
        trees = [unstacked_beside(unstacked(observe(item))) for item in examples]
        drafts = draft_of(trees, _title(trees, name), settings)
        if any(map(lacks_kinds, trees)):
            drafts[-1].head.append(KINDS_UNKNOWN)
        return emit(drafts, settings, name)
    except RecursionError:
        raise SchemaError("infer: the tree is nested too deeply for a schema") from None


def _of_optimizer(node: Any, model: Any, settings: Settings) -> Any:
    """The hint of an optimizer: over its own model, the given one, or that of its moments."""
    count = count_of(node)
    if count is not None:
        one = member_of(model) if modules.is_module(model) else model
        fixed = settings.fix is None or ENSEMBLE in settings.fix
        inner = replace(settings, fix=settings.fix and settings.fix - {ENSEMBLE})
        hint = _of_optimizer(member_of(node), one, inner)
        return _stacked[hint, str(count) if fixed else ENSEMBLE]
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
    """The examples, made if they are given as a function, and the options about sizes."""
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
    made = [abstract_of(example, arguments) for arguments in chosen]
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
    return abstract_of(example, {}) if _is_function(example) else example
