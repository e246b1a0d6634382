"""Kind, raw value and metadata of a leaf on the installed Flax, by capability found at import."""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Hashable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final, cast

import flax
import jax
import numpy as np
from flax import nnx
from flax.nnx import variablelib
from flax.nnx.training.optimizer import OptArray, OptVariable

State: Final[Any] = nnx.State
Variable: Final[Any] = nnx.Variable
_variables: Final[Any] = variablelib
_tree: Final[Any] = jax.tree
AbstractValue: Final[Any] = cast(Any, jax).core.AbstractValue
#: The class of every tracer.
TRACER: Final[Any] = cast(Any, jax).core.Tracer
_ShapedArray: Final[Any] = cast(Any, jax).core.ShapedArray
#: The slot in which a Variable keeps its raw value.
RAW_SLOT: Final = "_raw_value" if "_raw_value" in Variable.__slots__ else "raw_value"
_read_raw: Final[Callable[[Any], Any]] = operator.attrgetter("__get__")(vars(Variable)[RAW_SLOT])
_Hijax: Final[Any] = getattr(variablelib, "HijaxVariable", None)
_HIJAX_SLOTS: Final = ("_raw_value", "_metadata", "_var_type")  # where it holds no leaves
_HIJAX_HOLDS_LEAVES: Final = "_leaves" in getattr(_Hijax, "__slots__", ())
#: The class of a state's leaves up to Flax 0.10; its module keeps the name as an alias later.
VariableState: Final[Any] = vars(variablelib).get("VariableState")
if VariableState is Variable:
    VariableState = None  # type: ignore[misc]
#: Whether the flag ``FLAX_HIJAX_VARIABLE`` is set.
HIJAX_BY_DEFAULT: Final = bool(getattr(flax.config, "flax_hijax_variable", False))
_STAND_INS: Final = frozenset[Any]({_Hijax, TRACER} if _Hijax else ())
#: Classes of arrays whose values are neither tracers nor Variables; to ask them takes long.
_CONCRETE: Final = frozenset[Any](
    cls
    for cls in cast(list[type], [np.ndarray, *jax.Array.__subclasses__()])
    if cls.__module__.partition(".")[0] in ("numpy", "jax", "jaxlib")
    and not issubclass(cls, TRACER)
)
#: What a ``jax.Array`` is an instance of, where it is no tracer.
ARRAY_CLASSES: Final[tuple[Any, ...]] = tuple(_CONCRETE - {np.ndarray})
#: Those of them that have buffers of their own.
WITH_BUFFERS: Final = frozenset[Any](cls for cls in ARRAY_CLASSES if hasattr(cls, "is_deleted"))
#: Concrete classes whose abstract value is quick to read: that of a PRNG key is made each time.
_WITH_AVAL: Final = frozenset[Any](
    cls
    for cls in _CONCRETE
    if not isinstance(
        getattr(vars(cast(type, cls)).get("aval"), "fget", None), types.FunctionType | None
    )
)
#: `type`, where the cast that type checkers want would take as long again.
_class_of: Callable[[object], Any] = type
_is_ref: Final[Callable[[Any], bool]] = getattr(
    _variables, "is_array_ref", getattr(_variables, "is_mutable_array", lambda _: False)
)


def is_variable(value: object) -> bool:
    """Whether a value is a leaf with a kind: a Variable, or a ``VariableState``."""
    if type(value) in _CONCRETE:
        return False
    bases = type(value).__mro__
    if Variable in bases or VariableState in bases:
        return True
    # isinstance asks a metaclass, which takes long: only what may stand for a hijax variable
    return not _STAND_INS.isdisjoint(bases) and isinstance(value, Variable)


def kind_of(variable: Any) -> type:
    """The Variable class that a leaf is of, also behind references and hijax variables."""
    plain = plain_of(variable)
    return cast(type, plain.type if is_variable_state(plain) else type(plain))


def raw_value(variable: Any) -> Any:
    """The raw content of a Variable: no hook runs, nothing is copied, no reference is read.

    A hijax variable under a transform gives the abstract value of what it holds.
    """
    if VariableState is None and Variable in type(variable).__mro__:
        return _read_raw(variable)
    plain = plain_of(variable)
    if is_variable_state(plain):
        return object.__getattribute__(plain, "value")
    return _read_raw(plain)


def metadata_of(variable: Any) -> Mapping[str, Any]:
    """A Variable's metadata."""
    return cast(Mapping[str, Any], plain_of(variable)._var_metadata)


def is_variable_state(value: object) -> bool:
    return VariableState is not None and isinstance(value, VariableState)


def aval_of(value: Any) -> Hashable:
    """The abstract value of a plain JAX array, None for all else."""
    return value.aval if type(value) in _WITH_AVAL else None


def array_signs(leaf: Any) -> tuple[Any, ...] | None:
    """Classes, shape and dtype of a leaf; None where these may not be all that a check reads."""
    outer = _class_of(leaf)
    raw: Any = leaf
    if VariableState is not None and outer is VariableState:
        outer, raw = (outer, leaf.type), object.__getattribute__(leaf, "value")
    elif Variable in outer.__mro__:
        raw = _read_raw(leaf)
    cls = _class_of(raw)
    if cls in _WITH_AVAL:
        aval = raw.aval
        is_gone = cls in WITH_BUFFERS and raw.is_deleted()
        return None if is_gone else (outer, cls, aval.shape, aval.dtype)
    if cls is np.ndarray:
        return outer, cls, raw.shape, raw.dtype
    if cls is jax.ShapeDtypeStruct:
        plain = not getattr(raw, "is_ref", False)
    elif isinstance(raw, TRACER):
        plain = type(raw.aval) is _ShapedArray and raw.aval.sharding.mesh.empty  # else of a shard
    else:
        return None
    plain = plain and all(type(size) is int for size in raw.shape)
    return (outer, cls, raw.shape, raw.dtype) if plain else None


def plain_of(variable: Any) -> Any:
    """The plain Variable of a hijax variable, read without a trace in the user's jaxpr."""
    if _Hijax is None or Variable in type(variable).__mro__:
        return variable
    if isinstance(variable, TRACER):
        kind: Any = cast(Any, jax).typeof(variable)
        leaves = getattr(kind, "_leaves", None)
        if leaves is not None:
            return _tree.unflatten(kind._treedef, leaves)
        held: Any = import_module("jax.experimental").cur_qdd(variable)  # quasi-dynamic data
        return _tree.unflatten(held.treedef, held.leaf_avals)
    if type(variable) is not _Hijax:
        return variable
    if _HIJAX_HOLDS_LEAVES:
        return _tree.unflatten(variable._treedef, variable._leaves)
    value, metadata, kind = (object.__getattribute__(variable, name) for name in _HIJAX_SLOTS)
    return kind._new(value, metadata)


#: What Flax gives every Variable.
_DEFAULTED: Final = frozenset(metadata_of(Variable(None)))
#: What a Variable made here is not, whatever Flax makes by default.
_PLAIN_METADATA: Final = dict.fromkeys({"has_ref", "hijax", "is_hijax", "ref"} & _DEFAULTED, False)
_ONLY_EAGER_IS_SET: Final = [*_DEFAULTED.difference(_PLAIN_METADATA)] == ["eager_sharding"]


def is_reference(value: object) -> bool:
    """Whether a value is a mutable array reference, no abstract value of one."""
    if type(value) in _CONCRETE:
        return False
    try:
        return not isinstance(value, AbstractValue) and bool(_is_ref(value))
    except (TypeError, ValueError):  # Flax asks JAX for a type, which a mere look-alike has not
        return False


def is_array(value: object) -> bool:
    """Whether a value is a concrete array, a tracer of one, or a reference to one."""
    return isinstance(value, jax.Array | np.ndarray) or stands_for_array(value)


def array_class(cls: Any) -> Any:
    """A class of arrays; ``jax.Array`` for a copy of it.

    Its name leads to no class on some versions of JAX, so that cloudpickle sends a copy of it.
    """
    theirs = (cls.__module__, cls.__qualname__)
    return jax.Array if theirs == (jax.Array.__module__, jax.Array.__qualname__) else cls


def is_plain_array(value: object) -> bool:
    """Whether Flax takes a value for a leaf by its class alone."""
    return isinstance(value, jax.Array | np.ndarray)


def stands_for_array(value: object) -> bool:
    """Whether a value is a reference to a JAX array, or the abstract value behind a tracer."""
    return isinstance(value, AbstractValue) or is_reference(value)


def make_variable(kind: type, value: Any, metadata: Mapping[str, Any]) -> Any:
    """A leaf of a state that holds any value; no constructor of the user's runs."""
    if VariableState is not None:
        return VariableState(kind, value, **metadata)
    if not metadata.keys() >= _DEFAULTED:
        metadata = {**_default_metadata(), **metadata}
    return cast(Any, kind).from_metadata(value, dict(metadata))


def _default_metadata() -> Mapping[str, Any]:
    """The metadata of a Variable that is made here, as Flax's settings have it now."""
    if _ONLY_EAGER_IS_SET:  # asking a Variable costs ten times that
        return {**_PLAIN_METADATA, "eager_sharding": nnx.using_eager_sharding()}
    return {**metadata_of(Variable(None)), **_PLAIN_METADATA}


def in_state(variable: Any) -> Any:
    """A live Variable as a state of this Flax has it: itself, or a ``VariableState``."""
    if VariableState is None or isinstance(variable, VariableState):
        return variable
    return variable.to_state()


def hollow(kind: type, value: Any, metadata: Mapping[str, Any]) -> Any:
    """A leaf with any objects for value and metadata; no constructor is called."""
    model = Variable(None) if VariableState is None else VariableState(kind, None)
    made: Any = kind if VariableState is None else VariableState
    found: Any = object.__new__(made)
    names = [name for cls in type(model).__mro__ for name in getattr(cls, "__slots__", ())]
    for name in {*names, *getattr(model, "__dict__", ())}:
        held: Any = getattr(model, name, None)
        held = value if name in (RAW_SLOT, "value") else held
        object.__setattr__(found, name, metadata if name == "_var_metadata" else held)
    return found


def is_traced(value: object) -> bool:
    """Whether a value is a tracer or its abstract value."""
    return type(value) not in _CONCRETE and isinstance(value, TRACER | AbstractValue)


def stands_for(value: object, kind: type) -> bool:
    """Whether a value is one that JAX's functions or optax make of a Variable of a kind.

    If Variables are hijax ones by default, they are leaves to JAX: ``jax.tree.map`` replaces them
    by its results, and an optimizer treats their moments as those of arrays.
    """
    if not HIJAX_BY_DEFAULT:
        return False
    if is_variable(value):
        return kind_of(value) is OptArray and issubclass(OptVariable, kind)
    return is_shaped(value)


def is_deleted(value: Any) -> bool:
    """Whether an array has shape and dtype but no values any more; asking that reads none."""
    return type(value) in WITH_BUFFERS and bool(value.is_deleted())


def type_of(value: Any) -> Any:
    """The abstract value of an array, a tracer or a reference: it has shape and sharding."""
    return value if isinstance(value, AbstractValue) else cast(Any, jax).typeof(value)


def without_values(leaf: Any) -> Any:
    """A stand-in for an array, which Flax takes for data and whose values are not read."""
    if not isinstance(leaf, jax.Array | np.ndarray):
        return leaf
    array = cast(Any, leaf)
    dtype: Any = array.dtype
    if not isinstance(dtype, np.dtype):  # of a PRNG key, which NumPy lacks
        return cast(Any, jax).ShapeDtypeStruct(array.shape, array.dtype)
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def mapping_of(value: Any) -> Mapping[Hashable, Any] | None:
    """The mapping that a state or dict is, None for any other value."""
    if type(value) is dict:  # by far the most, and of State's class a metaclass is asked
        return cast(Mapping[Hashable, Any], value)
    if isinstance(value, State):
        return cast(Mapping[Hashable, Any], value.raw_mapping)
    if not isinstance(value, Mapping):
        return None
    try:
        return dict(cast(Mapping[Hashable, Any], value))
    except Exception:  # a class of the user's own may do anything
        return None


def leaves_of(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yields the path and the value of each leaf of nested states and dicts, in their order."""
    mapping = mapping_of(tree)
    if mapping is None:
        yield path, tree
        return
    for key, item in tuple(mapping.items()):
        yield from leaves_of(item, (*path, key))


def is_shaped(value: Any) -> bool:
    """Whether a value has shape and dtype, as an array has."""
    try:
        return isinstance(value.shape, tuple) and value.dtype is not None
    except Exception:  # of any class, so its attributes may do anything
        return False


def is_state(value: object) -> bool:
    """Whether a value is an ``nnx.State``."""
    return isinstance(value, State)
