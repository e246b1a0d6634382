"""Single answers about the installed pair that no table of leaves shows: names, slots, metadata.

Each fact is one short sentence or word, found by asking. `limits` and the record read them by their
names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typedstate._compat.private_modules import metadata_slot
from typedstate.doctor.constructs import CONSTRUCTS, Holder, Tied, new_ref
from typedstate.doctor.guard import outcome, warned
from typedstate.doctor.installed import (
    graphlib,
    has,
    jax,
    jnp,
    module,
    named,
    nnx,
    own_names,
    variablelib,
)
from typedstate.doctor.leaf import join, kind, leaves_of, metadata_of

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = (
    "Dict",
    "List",
    "OptVariable",
    "Pytree",
    "as_pure",
    "data",
    "restore_int_paths",
    "static",
    "to_flat_state",
    "to_pure_dict",
    "unpack",
    "with_vars",
)


def _linear() -> Any:
    return nnx.Linear(2, 2, rngs=nnx.Rngs(0))


def _param(**options: Any) -> Any:
    return nnx.Param(jnp.ones(2), **options)


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


def _listed(names: Any) -> str:
    return ", ".join(sorted(str(name) for name in names)) or "none"


def _sharding_key(option: str) -> str:
    stored = metadata_of(_param(**{option: ("a",), "eager_sharding": False}))
    return _listed(name for name, value in stored.items() if value == ("a",))


def _boxed_key() -> str:
    boxed = nnx.with_partitioning(lambda: jnp.ones(2), ("a",), eager_sharding=False)()
    return _listed(name for name, value in metadata_of(nnx.Param(boxed)).items() if value == ("a",))


def _shared_path() -> str:
    return _listed(join(path) for path, _ in leaves_of(nnx.state(Tied())))


def _twice_held(make: Callable[[], Any]) -> str:
    held = Holder(make())
    held.y = held.x
    return str(len(list(leaves_of(nnx.state(held)))))


def _key_classes(node: Any) -> str:
    return _listed({type(key).__name__ for path, _ in leaves_of(nnx.state(node)) for key in path})


def _nested_class() -> str:
    return type(nnx.state(Holder(_linear())).raw_mapping["x"]).__name__


def _filtered() -> str:
    one = nnx.state(_linear(), nnx.Param)
    two = nnx.state(_linear(), nnx.Param, ...)
    return f"{type(one).__name__}, {type(two).__name__}"


def _flattened_items() -> str:
    items, _ = graphlib.get_node_impl(_linear()).flatten(_linear())
    wrappers = {type(value).__name__ for _, value in items} & {"DataElem", "StaticElem"}
    return _listed(wrappers)


def _attribute_classes() -> str:
    held = Holder(_linear())
    held.array, held.ref, held.static = jnp.ones(2), new_ref(), "text"
    graphdef = nnx.graphdef(held)
    return _listed({type(attribute).__name__ for _, attribute in graphdef.attributes})


def _node_classes(**options: Any) -> str:
    graphdef, _ = nnx.split(_linear(), **options)
    return _listed({type(node).__name__ for node in graphdef.nodes})


def _eager_sharding() -> str:
    key = _sharding_key("sharding")
    _param(**{key: ("a",)})
    return "no"


def _graph_state() -> str:
    found = named(nnx, "GraphState")
    return "a class" if isinstance(found, type) else "a type alias" if found is not None else "none"


def _merge_ignores_names() -> str:
    graphdef, state = nnx.split(_linear())
    pure = nnx.to_pure_dict(state)
    renamed = nnx.State({"abc": state["kernel"], "bias": state["bias"]})
    merged = nnx.merge(graphdef, renamed)
    return _yes(pure["bias"].shape != nnx.to_pure_dict(nnx.state(merged))["bias"].shape)


def _update_takes_any_shape() -> str:
    model = _linear()
    state = nnx.state(model)

    def grown(leaf: Any) -> Any:
        return jnp.ones((5, *leaf.shape))

    nnx.update(model, jax.tree.map(grown, state))
    shape = nnx.to_pure_dict(nnx.state(model))["bias"].shape
    return _yes(shape == (5, 2))


def _optimizer_paths() -> str:
    build = next(item.build for item in CONSTRUCTS if item.name == "Optimizer(adam)")
    return _listed({str(path[0]) for path, _ in leaves_of(nnx.state(build()))})


def _dropout_paths() -> str:
    state = nnx.state(Holder(nnx.Dropout(0.5, rngs=nnx.Rngs(0))))
    return _listed(join(path) for path, _ in leaves_of(state))


def _root_variable() -> str:
    return type(nnx.state(_param())).__name__


def _live_object() -> str:
    model = _linear()
    return _yes(nnx.state(model).raw_mapping["kernel"] is model.kernel)


def _live_kind() -> str:
    return kind(_linear().kernel)


def _metadata_is_stored() -> str:
    param = _param()
    return _yes(param.get_metadata() is metadata_slot(param))


def _abstract_array(mark: Callable[[Any], Any]) -> str:
    # A class of its own: JAX's cache would compare static tracers with those of an earlier call.
    class OwnHolder(Holder):
        """Not in any cache."""

    abstract = nnx.eval_shape(lambda: OwnHolder(mark(jnp.ones(2))))
    return _yes(bool(list(leaves_of(nnx.state(abstract)))))


def _own_state_leaf() -> str:
    found = own_names(variablelib).get("VariableState")
    return _yes(found is not None and found is not variablelib.Variable)


FACTS: dict[str, Callable[[], str]] = {
    "GraphDef attribute classes": _attribute_classes,
    "GraphDef node classes": _node_classes,
    "GraphDef node classes, graph=False": lambda: _node_classes(graph=False),
    "Variable slots": lambda: _listed(variablelib.Variable.__slots__),
    "a Ref held twice: leaves": lambda: _twice_held(new_ref),
    "a Variable held twice: leaves": lambda: _twice_held(_param),
    "a jax.Array held twice: leaves": lambda: _twice_held(lambda: jnp.ones(2)),
    "a shared Variable's path": _shared_path,
    "an abstract module's nnx.data arrays are leaves": lambda: _abstract_array(nnx.data),
    "an abstract module's raw arrays are leaves": lambda: _abstract_array(lambda array: array),
    "class of a live Param": _live_kind,
    "class of a nested level": _nested_class,
    "flatten wraps items in": _flattened_items,
    "get_metadata() is the stored dict": _metadata_is_stored,
    "keys of Sequential": lambda: _key_classes(nnx.Sequential(_linear())),
    "keys of nnx.List": lambda: _key_classes(nnx.List([_linear()])),
    "metadata of a plain Param": lambda: _listed(metadata_of(_param())),
    "module of the graph functions": lambda: str(graphlib.__name__),
    "nnx.GraphState is": _graph_state,
    "nnx.merge swaps weights under a renamed key": _merge_ignores_names,
    "nnx.state with one filter, with two": _filtered,
    "nnx.state(Variable)": _root_variable,
    "nnx.update takes any shape": _update_takes_any_shape,
    "paths of Dropout": _dropout_paths,
    "reading .raw_value": lambda: warned(lambda: _param().raw_value),
    "reading .value": lambda: warned(lambda: _param().value),
    "reading nnx.VariableState": lambda: warned(lambda: nnx.VariableState),
    "sharding in metadata, from out_sharding=": lambda: _sharding_key("out_sharding"),
    "sharding in metadata, from sharding=": lambda: _sharding_key("sharding"),
    "sharding in metadata, from sharding_names=": lambda: _sharding_key("sharding_names"),
    "sharding in metadata, from with_partitioning": _boxed_key,
    "sharding without a mesh": _eager_sharding,
    "state leaves are the module's own objects": _live_object,
    "top level of Optimizer": _optimizer_paths,
    "VariableState is a class of its own": _own_state_leaf,
    "explicit sharding axes in JAX": lambda: _yes(has(module("jax.sharding"), "AxisType")),
}


def facts() -> dict[str, str]:
    """Every fact about the installed pair."""
    found = {name: outcome(probe) for name, probe in sorted(FACTS.items())}
    found.update({f"nnx.{name} exists": _yes(has(nnx, name)) for name in NAMES})
    return dict(sorted(found.items()))
