"""Makes the hint of an optimizer's state, over the schema of its parameters.

`optimizer_state` reads the result of the transformation's ``init``, `infer` an ``nnx.Optimizer``.
Both consist of optax's NamedTuples, whose classes tell the schema.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

import jax
import jax.numpy as jnp
import jaxtyping
from flax import nnx
from flax.nnx.training.optimizer import OptArray, OptVariable

from .. import layers
from .._annotations.spec_of import name_of, spec_of
from .._compat import axis_rules, modules, variables
from .._spec.dtypes import dtype_name
from .._spec.nodes import Array, Leaf
from ..derive.builder import Builder
from ..derive.sites import ABSENT, Site
from ..errors import SchemaError
from ..export.attributes import attributes
from ..forms import Like, Only
from ..schema.field import Alias
from ..schema.typed_state import SchemaMeta, TypedState

#: The catalogue and the forms, typed as Any: checkers take them for what they stand for.
_catalogue: Final = cast(Any, layers)
_only: Final = cast(Any, Only)
_like: Final = cast(Any, Like)
#: States of optax whose class in the catalogue has another name.
_NAMES: Final = {
    "MaskedState": "Masked",
    "PartitionState": "MultiTransform",
    "MultiTransformState": "MultiTransform",
    "InjectStatefulHyperparamsState": "Injected",
    "InjectHyperparamsState": "Injected",
    "MultiStepsState": "MultiSteps",
    "ApplyIfFiniteState": "ApplyIfFinite",
    "ConditionallyTransformState": "Conditional",
    "ConditionallyMaskState": "Conditional",
    "ScheduleFreeState": "ScheduleFree",
    "LookaheadState": "Lookahead",
    "ScaleByRmsWithCountState": "ScaleByRmsState",
    "ScaleByRStdDevWithCountState": "ScaleByRStdDevState",
    "ScaleByBacktrackingLinesearchState": "ScaleByZoomLinesearchState",
}
#: By the name of a wrapping state, the field with the wrapped one.
_INNER: Final = {
    "Masked": "inner_state",
    "Injected": "inner_state",
    "ApplyIfFinite": "inner_state",
    "Conditional": "inner_state",
    "Lookahead": "fast_state",
    "MultiSteps": "inner_opt_state",
    "ScheduleFree": "base_optimizer_state",
}
_OVER_BOTH: Final = frozenset({"MultiSteps", "ScheduleFree"})
_READY: Final = (
    *("AdamState", "AmsgradState", "AdabeliefState", "NovogradState", "LionState", "SgdState"),
    *("RmspropState", "CenteredRmspropState", "AdagradState", "AdadeltaState", "AdafactorState"),
)


def optimizer_state(tx: Any, params: Any) -> Any:
    """The hint of the state that ``nnx.Optimizer`` keeps for an optax transformation.

    ``optimizer_state(optax.adam(1e-3), Only[ModelState, nnx.Param])`` is
    ``OptimizerState[AdamState[Only[ModelState, nnx.Param]]]``; chains, masks, ``MultiSteps``,
    ``partition``, ``inject_hyperparams`` likewise, from the catalogue of `typedstate.layers`. No
    array is made: ``tx.init`` runs under ``jax.eval_shape``.

    Args:
      tx: an ``optax.GradientTransformation``.
      params: the schema of the parameters that it updates, usually ``Only[S, nnx.Param]``.

    Raises:
      SchemaError: `tx` is no transformation, or its ``init`` does not take such parameters.
    """
    init: Callable[[Any], Any] | None = getattr(tx, "init", None)
    if init is None or getattr(tx, "update", None) is None:
        shown = type(tx).__name__
        raise SchemaError(f"optimizer_state takes an optax transformation, not {shown}")
    try:
        found = cast(Any, jax).eval_shape(init, _stand_in(params))
    except Exception as error:
        text = f"tx.init takes no such parameters ({type(error).__name__}: {error})"
        raise SchemaError(f"optimizer_state(..., {name_of(params)}): {text}") from error
    return _catalogue.OptimizerState[transformation_state(found, params)]


def transformation_state(value: Any, params: Any) -> Any:
    """The hint of one transformation's state, as ``nnx.Optimizer`` holds it."""
    return _Reader(params, params).read(value)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads states of optax.

    Attributes:
      params: the schema of the parameters.
      over: the same; inside a mask, as `Maskable`.
    """

    params: Any
    over: Any

    def read(self, value: Any) -> Any:
        """The hint of a state; None if it has no leaves."""
        if _holds_nothing(value):
            return None
        if type(value) in (tuple, list):
            return self._chain(tuple(value))
        name = _NAMES.get(type(value).__name__, type(value).__name__)
        if name == "MultiTransform":
            return self._partition(value)
        schema = getattr(_catalogue, name, None)
        if not _is_tuple(value) or schema is None:
            return self._unknown(value)
        if name in _INNER:
            masked = name == "Masked"
            inner = _Reader(self.params, _catalogue.Maskable[self.params]) if masked else self
            found = inner.read(getattr(value, _INNER[name]))
            return schema[found, self.over] if name in _OVER_BOTH else schema[found]
        return schema[self.over] if getattr(schema, "__parameters__", ()) else schema

    def _chain(self, items: tuple[Any, ...]) -> Any:
        """The hint of a chain: that of a ready optimizer, or its members by position."""
        names = {i: type(item).__name__ for i, item in enumerate(items) if not _holds_nothing(item)}
        for ready in _READY:
            if _is_ready(getattr(_catalogue, ready), names):
                return getattr(_catalogue, ready)[self.over]
        found = [self.read(item) for item in items]
        while found and found[-1] is None:
            found.pop()
        return _catalogue.Chain[tuple(found)]

    def _partition(self, value: Any) -> Any:
        """The hint of a partition: a union over its labels, without repetition."""
        found: list[Any] = []
        inside = _Reader(self.params, _catalogue.Maskable[self.params])
        for masked in value.inner_states.values():
            hint = inside.read(getattr(masked, "inner_state", masked))
            if hint is not None and hint not in found:
                found.append(hint)
        union: Any = found[0]
        for hint in found[1:]:
            union = union | hint
        return _catalogue.MultiTransform[union]

    def _unknown(self, value: Any) -> Any:
        """Makes a class for a state that the catalogue lacks."""
        items: Mapping[Hashable, Any]
        if _is_tuple(value) and hasattr(value, "_asdict"):
            items = value._asdict()
        elif _is_dict(value):
            items = cast(Mapping[Hashable, Any], value)
        else:
            return self._field(value)
        hints = {key: self._field(item) for key, item in items.items() if not _holds_nothing(item)}
        names = attributes(list(hints))
        title = "NamedChainState" if _is_dict(value) else type(value).__name__
        title = title if title.endswith("State") else f"{title}State"
        body: dict[str, Any] = {"__module__": "typedstate.inferred", "__qualname__": title}
        body["__annotations__"] = {
            name: hint if name == key else Annotated[hint, Alias(key)]
            for name, (key, hint) in zip(names, hints.items(), strict=True)
        }
        return SchemaMeta(title, (TypedState,), body, typevars={})

    def _field(self, value: Any) -> Any:
        if isinstance(value, tuple | list):
            return self.read(value)
        if variables.mapping_of(value) is not None:
            return _like[self.over, OptVariable]
        raw = variables.raw_value(value) if variables.is_variable(value) else value
        if not hasattr(raw, "dtype"):
            return Annotated[OptArray, Any]
        name = dtype_name(raw.dtype)
        wanted = "Float" if jnp.issubdtype(raw.dtype, jnp.floating) else _class_of(name)
        shape = " ".join("_" for _ in raw.shape)
        return Annotated[OptArray, getattr(jaxtyping, wanted)[jax.Array, shape]]


def _class_of(dtype: str) -> str:
    found = {"bool": "Bool", "int32": "Int", "uint32": "UInt32", "int64": "Int"}.get(dtype)
    return found or "Shaped"


def _is_ready(schema: Any, names: Mapping[int, str]) -> bool:
    """Whether a chain has the members of an optimizer that optax has ready, such as adam."""
    allowed: dict[Hashable, tuple[set[str], bool]] = {}
    for found in schema.__typedstate_ref__.declared.values():
        hint, *metadata = typing.get_args(found.raw)
        key = next(item.key for item in metadata if isinstance(item, Alias))
        options = set(_names_in(hint))
        allowed[key] = (options, "None" in options)
    if any(name not in allowed.get(place, (set[str](), True))[0] for place, name in names.items()):
        return False
    return bool(names) and all(
        optional or place in names for place, (_, optional) in allowed.items()
    )


def _names_in(hint: Any) -> list[str]:
    """The names of the optax states that a field's hint allows."""
    args = typing.get_args(hint)
    if args and not hasattr(hint, "form"):
        return [name for arg in args for name in _names_in(arg)]
    if hint is type(None):
        return ["None"]
    name = getattr(getattr(hint, "form", hint), "__name__", "")
    return [name, *(other for other, own in _NAMES.items() if own == name)]


def _is_tuple(value: Any) -> bool:
    return isinstance(value, tuple)


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _holds_nothing(value: Any) -> bool:
    """Whether a state has no leaves; parameters that a mask left out don't count."""
    if variables.is_variable(value):
        return False
    return not jax.tree.leaves(value, is_leaf=variables.is_variable)


# -- Parameters that nobody has made -------------------------------------------------------


def _stand_in(params: Any) -> Any:
    """A tree of abstract Variables with the structure of the parameters, of arbitrary sizes."""
    builder = Builder(_stand_in_leaf, {}, {}, frozenset(), follows=False, alike=True)
    return builder.root(spec_of(params), ABSENT)


def _stand_in_leaf(builder: Builder, leaf: Leaf, site: Site) -> Any:
    del builder, site
    value = leaf.value
    rank = len(value.shape) if isinstance(value, Array) and value.shape is not None else 2
    made = cast(Any, jax.ShapeDtypeStruct)((8,) * rank, jnp.float32)
    return made if leaf.kind is None else variables.make_variable(leaf.kind, made, {})


# -- Optimizers that are there -------------------------------------------------------------


def is_optimizer(cls: type | None) -> bool:
    """Whether a module's class is Flax's optimizer."""
    return cls is not None and issubclass(cls, nnx.Optimizer)


def holds_model(node: Any) -> bool:
    """Whether an optimizer keeps its model: ``nnx.ModelAndOptimizer``, and any of Flax 0.10."""
    return modules.is_module(getattr(node, "model", None))


def of_optimizer(node: Any, model: Any, *, whole: bool) -> Any:
    """The hint of an ``nnx.Optimizer``.

    Args:
      node: the optimizer.
      model: the schema of its model.
      whole: whether the model is part of the optimizer's state.
    """
    params = only(model, getattr(node, "wrt", nnx.Param))
    state = transformation_state(_opt_state(node), params)
    if whole:
        return _catalogue.ModelAndOptimizerState[model, state]
    return _catalogue.OptimizerState[state]


def only(model: Any, wrt: Any) -> Any:
    """The schema of the parameters that an optimizer updates."""
    filters = cast(Sequence[Any], wrt if _is_tuple(wrt) or type(wrt) is list else (wrt,))
    return _only[(model, *filters)]


def _opt_state(node: Any) -> Any:
    found, _ = modules.unwrap(node.opt_state)
    return found


def parameters(node: Any) -> dict[Hashable, Any] | None:
    """The tree of the parameters that an optimizer has moments of, made from the moments."""
    wrt = getattr(node, "wrt", nnx.Param)
    plain = isinstance(wrt, type) and issubclass(wrt, nnx.Variable)
    kind = cast(Any, wrt if plain else nnx.Param)
    found: dict[Hashable, Any] = {}
    for tree in _moments(_opt_state(node), kind):
        _add(found, tree)
    return found or None


def _add(found: dict[Hashable, Any], tree: Mapping[Hashable, Any]) -> None:
    """Adds the leaves of a tree that are not found yet; a mask may have left them out elsewhere."""
    for key, item in tree.items():
        if isinstance(item, dict):
            _add(found.setdefault(key, {}), cast(Any, item))
        elif key not in found or not hasattr(variables.raw_value(found[key]), "shape"):
            found[key] = item


def moment_paths(node: Any) -> set[tuple[Hashable, ...]]:
    """The paths of the parameters that an optimizer has moments of."""
    found: set[tuple[Hashable, ...]] = set()

    def visit(mapping: Mapping[Any, Any], path: tuple[Hashable, ...]) -> None:
        for key, item in mapping.items():
            if isinstance(item, dict):
                visit(cast(Any, item), (*path, key))
            else:
                found.add((*path, key))

    visit(parameters(node) or {}, ())
    return found


def _moments(value: Any, kind: type) -> Iterator[dict[Hashable, Any]]:
    """Yields the trees with the structure of the parameters, without those a mask left out."""
    mapping = variables.mapping_of(value)
    if mapping is not None and not _is_tuple(value) and _is_moment(mapping):
        yield _as_parameters(mapping, kind)
        return
    items: Iterable[Any] = () if mapping is None else mapping.values()
    if mapping is None and isinstance(value, tuple | list):
        items = cast(Iterable[Any], value)
    for item in items:
        yield from _moments(item, kind)


def _is_moment(mapping: Mapping[Any, Any]) -> bool:
    for item in mapping.values():
        inner = variables.mapping_of(item)
        if inner is not None and not _is_tuple(item):
            return _is_moment(inner)
        return variables.is_variable(item) and issubclass(variables.kind_of(item), OptVariable)
    return False


def _as_parameters(mapping: Mapping[Any, Any], kind: type) -> dict[Hashable, Any]:
    found: dict[Hashable, Any] = {}
    for key, item in mapping.items():
        inner = variables.mapping_of(item)
        if inner is not None:
            found[key] = _as_parameters(inner, kind)
        else:
            names = axis_rules.declared_names(variables.metadata_of(item))
            metadata = {} if names is None else axis_rules.with_names(names)
            found[key] = variables.make_variable(kind, variables.raw_value(item), metadata)
    return found
