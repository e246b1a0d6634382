"""Every name that the plugin knows: of Flax, JAX and optax, and of this package.

If a release moves a function or a class, this file alone changes. mypy asks with the name of the
module that defines an object, which users often don't import it from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# This package.
SCHEMA: Final = "typedstate.schema.typed_state.TypedState"
FORMS: Final = "typedstate.forms."
CHECK: Final = ("typedstate.checking.check",)
MAP: Final = f"{FORMS}StateMap"
ENTRIES: Final = f"{FORMS}Entries"

# Python.
ANNOTATED: Final = ("typing.Annotated", "typing_extensions.Annotated")
DICT: Final = "builtins.dict"
LIST: Final = "builtins.list"
TUPLE: Final = "builtins.tuple"
STR: Final = "builtins.str"
SCALARS: Final = frozenset(f"builtins.{name}" for name in ("bool", "complex", "float", "int"))
PLAIN: Final = SCALARS | {"builtins.bytes", STR}  # values that are no data of a module
PARTIAL_CALL: Final = "functools.partial.__call__"

CONTAINERS: Final = frozenset(
    {LIST, DICT, TUPLE, "builtins.set", "builtins.frozenset", "typing.Sequence", "typing.Mapping"}
)

# JAX and NumPy.
ARRAY: Final = "jax.Array"
NDARRAY: Final = "numpy.ndarray"
SHAPE: Final = "jax.ShapeDtypeStruct"
SHARDING: Final = "jax.sharding.NamedSharding"
SPEC: Final = "jax.sharding.PartitionSpec"
ARRAYS: Final = frozenset({ARRAY, "jax._src.basearray.Array", NDARRAY})
VALUES: Final = ARRAYS | {SHAPE, "jax._src.core.ShapeDtypeStruct", "jax._src.api.ShapeDtypeStruct"}
JITTED: Final = ("jax._src.pjit.JitWrapped", "jax._src.stages.Wrapped")

#: Objects that hold no data of a module.
STATIC: Final = PLAIN | {
    *JITTED,
    SPEC,
    SHARDING,
    "jax._src.partition_spec.PartitionSpec",
    "jax._src.named_sharding.NamedSharding",
    "jax._src.mesh.Mesh",
    "jax._src.custom_derivatives.custom_jvp",
    "jax._src.custom_derivatives.custom_vjp",
    "numpy.dtype",
}

# Flax.
_NNX: Final = "flax.nnx."
STATE: Final = f"{_NNX}statelib.State"
FLAT_STATE: Final = f"{_NNX}statelib.FlatState"
VARIABLE: Final = f"{_NNX}variablelib.Variable"
VARIABLES: Final = (VARIABLE, f"{_NNX}variablelib.VariableState")
PARAM: Final = f"{_NNX}variablelib.Param"
INTERMEDIATE: Final = f"{_NNX}variablelib.Intermediate"
FILTERS: Final = f"{_NNX}filterlib."
ROOTS: Final = tuple(
    f"{_NNX}{name}" for name in ("pytreelib.Pytree", "object.Object", "module.Module")
)
NODE_LIST: Final = f"{_NNX}helpers.List"
NODE_DICT: Final = f"{_NNX}helpers.Dict"
SEQUENTIAL: Final = f"{_NNX}helpers.Sequential"
RNGS: Final = f"{_NNX}rnglib.Rngs"
LAYER_MODULES: Final = f"{_NNX}nn."
STREAM_LEAVES: Final = tuple(f"{_NNX}rnglib.{name}" for name in ("RngKey", "RngCount"))
FLAX_NNX: Final = _NNX
NNX_JITTED: Final = f"{_NNX}transforms.compilation.JitWrapped"
NNX_JITTED_GET: Final = f"{NNX_JITTED}.__get__"
AUTODIFF: Final = f"{_NNX}transforms.autodiff."
#: The classes that `nnx.grad` and `nnx.value_and_grad` return in the stubs, also with `has_aux`.
GRADIENTS: Final = tuple(
    f"{AUTODIFF}{name}"
    for name in ("_Grad", "_GradWithAux", "_ValueAndGrad", "_ValueAndGradWithAux")
)
GRADIENT_CALLS: Final = tuple(f"{name}.__call__" for name in GRADIENTS)
DIFF_STATE: Final = f"{AUTODIFF}DiffState"
OPTIMIZER: Final = f"{_NNX}training.optimizer.Optimizer"
MODEL_AND_OPTIMIZER: Final = f"{_NNX}training.optimizer.ModelAndOptimizer"
OPTIMIZERS: Final = (OPTIMIZER, MODEL_AND_OPTIMIZER)
UPDATES: Final = tuple(f"{name}.update" for name in OPTIMIZERS)

# Calls that give a module attributes that mypy does not see, or that declare anything as data.
GIVING: Final = ("setattr", "__dict__", "vars(", "sow(", "perturb(", "set_attributes")
MAKING: Final = ("data(", "Data[", "static(", "Static[")

#: Words in the text of a module that registers a class as a JAX tree.
REGISTERING: Final = ("register", "struct", "ytree", "chex", "PyTree", "eqx", "equinox")

#: Classes of other packages: none is a schema.
FOREIGN: Final = ("builtins.", "typing.", "abc.", "enum.", "jax.", "numpy.", "flax.")

_STATES: Final = (f"{_NNX}statelib", f"{_NNX}graphlib", f"{_NNX}graph")
_TREES: Final = ("jax._src.tree", "jax.tree")
_TREE_UTIL: Final = ("jax._src.tree_util", "jax.tree_util")
_API: Final = ("jax._src.api", "jax._src.pjit", "jax._src.ad_checkpoint")
_LAX: Final = tuple(
    f"jax._src.lax.{name}"
    for name in ("lax", "parallel", "control_flow.loops", "control_flow.conditionals")
)
_OPTAX: Final = ("optax._src.update",)
_TRANSFORMS: Final = tuple(
    f"{_NNX}transforms.{name}" for name in ("autodiff", "compilation", "transforms", "iteration")
)


def _in(modules: Iterable[str], *names: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for module in modules for name in names)


# Functions over states.
FILTERING: Final = _in(_STATES, "state", "variables", "split")
FILTERING_STATE: Final = _in(_STATES, "filter_state", "split_state")
MERGING_STATES: Final = _in(_STATES, "merge_state")
POPPING: Final = _in(_STATES, "pop")
PURE: Final = _in(_STATES, "as_pure", "pure")
PURE_DICT: Final = _in(_STATES, "to_pure_dict")
TO_FLAT_STATE: Final = _in(_STATES, "to_flat_state")

# Functions over trees.
TREE_MAP: Final = (*_in(_TREES, "map"), *_in(_TREE_UTIL, "tree_map"))
TREE_MAP_WITH_PATH: Final = (
    *_in(_TREES, "map_with_path"),
    *_in(_TREE_UTIL, "tree_map_with_path"),
)
TREE_LEAVES: Final = (*_in(_TREES, "leaves"), *_in(_TREE_UTIL, "tree_leaves"))
TREE_FLATTEN: Final = (*_in(_TREES, "flatten"), *_in(_TREE_UTIL, "tree_flatten"))
#: Functions that return what their first argument is, the same with arrays of JAX, and what their
#: second is.
KEEPING: Final = (
    *_in(_API, "block_until_ready"),
    *_in(_LAX, "stop_gradient", "pmean", "psum", "pmax", "pmin"),
)
KEEPING_AS_ARRAYS: Final = (
    *_in(_API, "with_sharding_constraint"),
    *_in(_LAX, "optimization_barrier", "pcast"),
    *_in(_OPTAX, "apply_updates"),
)
KEEPING_SECOND: Final = _in(_OPTAX, "incremental_update", "periodic_update")
DEVICE_PUT: Final = _in(_API, "device_put")
DEVICE_GET: Final = _in(_API, "device_get")
EVAL_SHAPE: Final = _in(_API, "eval_shape")
NNX_EVAL_SHAPE: Final = _in(_TRANSFORMS, "eval_shape")
PARTITION_SPEC: Final = _in((f"{_NNX}spmd",), "get_partition_spec")
NAMED_SHARDING: Final = _in((f"{_NNX}spmd",), "get_named_sharding")

# Transforms.
GRAD: Final = _in(_API, "grad")
VALUE_AND_GRAD: Final = _in(_API, "value_and_grad")
NNX_GRAD: Final = _in(_TRANSFORMS, "grad")
NNX_VALUE_AND_GRAD: Final = _in(_TRANSFORMS, "value_and_grad")
JIT: Final = _in(_API, "jit")
SAME_CALL: Final = _in(_API, "checkpoint", "remat")
SCAN: Final = _in(_LAX, "scan")
LOOPS: Final = _in(_LAX, "fori_loop", "while_loop")
COND: Final = _in(_LAX, "cond")
VJP: Final = _in(_API, "vjp")
JVP: Final = _in(_API, "jvp")

#: All functions whose calls are answered, and all methods of no tree.
FUNCTIONS: Final = frozenset(
    (
        *(
            *CHECK,
            *FILTERING,
            *FILTERING_STATE,
            *MERGING_STATES,
            *POPPING,
            *PURE,
            *PURE_DICT,
            *TO_FLAT_STATE,
        ),
        *(*TREE_MAP, *TREE_MAP_WITH_PATH, *TREE_LEAVES, *TREE_FLATTEN),
        *(*KEEPING, *KEEPING_AS_ARRAYS, *KEEPING_SECOND),
        *(*DEVICE_PUT, *DEVICE_GET, *EVAL_SHAPE, *NNX_EVAL_SHAPE),
        *(*PARTITION_SPEC, *NAMED_SHARDING),
        *(*GRAD, *VALUE_AND_GRAD, *NNX_GRAD, *NNX_VALUE_AND_GRAD, *VJP),
        *(*JIT, *SAME_CALL, *SCAN, *LOOPS, *COND),
    )
)
METHODS: Final = frozenset((PARTIAL_CALL, NNX_JITTED_GET, *UPDATES, *GRADIENT_CALLS))
TREE_METHODS: Final = frozenset(("__getitem__", "get", "of", "to_pure_dict", "filter", "split"))
#: How the names of classes begin whose calls are answered.
MADE: Final = (LAYER_MODULES, SEQUENTIAL, NODE_LIST, NODE_DICT, *OPTIMIZERS)
