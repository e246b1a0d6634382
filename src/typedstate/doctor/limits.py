"""Finds the features that are limited on a pair, from the findings and never from versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from typedstate.doctor.findings import Findings


@dataclass(frozen=True)
class Limit:
    """A feature that does less on this pair.

    Attributes:
        feature: The feature.
        why: The behaviour of Flax or JAX that limits it.
    """

    feature: str
    why: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.feature}: {self.why}"


Rule = Callable[[Findings], str]


def _raising(found: Findings, construct: str) -> str:
    """The contexts in which Flax or JAX itself refuses a construct, but takes others."""
    usual = found.leaves.get("Linear", {})
    refused = sorted(
        context
        for context, cell in found.leaves.get(construct, {}).items()
        if cell.startswith("raises ") and not usual.get(context, "").startswith("raises ")
    )
    return f"Flax or JAX itself refuses them {', '.join(refused)}" if refused else ""


def _built(found: Findings, construct: str) -> bool:
    return "built" not in found.leaves.get(construct, {"built": ""})


def _hijax(found: Findings) -> str:
    if not _built(found, "Param as hijax"):
        return "this Flax has none that can be made; hijax=True is kept as metadata"
    return _raising(found, "Param as hijax")


def _hijax_device_get(found: Findings) -> str:
    cell = found.leaves.get("Param as hijax", {}).get("jax.device_get", "")
    return "they come back as raw arrays, without kind" if cell == "ndarray" else ""


def _references(found: Findings) -> str:
    if not _built(found, "Param as a reference"):
        return "this Flax has no Variable that holds a reference"
    return _raising(found, "Param as a reference")


def _tree_mode(found: Findings) -> str:
    answer = found.facts.get("GraphDef node classes, graph=False", "")
    return "this Flax has no graph=False" if answer.startswith("raises ") else ""


def _identity(found: Findings) -> str:
    copies = found.facts.get("state leaves are the module's own objects") == "no"
    return "leaves are VariableState copies, never the module's own Variables" if copies else ""


def _abstract_modules(found: Findings) -> str:
    if found.facts.get("an abstract module's raw arrays are leaves") != "no":
        return ""
    marked = found.facts.get("an abstract module's nnx.data arrays are leaves") == "yes"
    lacked = "raw arrays that nnx.data does not mark" if marked else "raw arrays"
    return f"the state of an abstract module lacks its {lacked}"


def _scalars(found: Findings) -> str:
    row = found.leaves.get("nnx.data(float)", {})
    if "built" in row:
        return "this Flax has no nnx.data: a Python scalar is never a leaf"
    return "a Python scalar is never a leaf" if row.get("nnx.state") == "no leaves" else ""


def _lists(found: Findings) -> str:
    missing = found.facts.get("nnx.List exists") == "no"
    return "this Flax has no nnx.List: entries come from plain lists" if missing else ""


def _plain_lists(found: Findings) -> str:
    refused = not _built(found, "list attribute")
    return "Flax refuses a plain list of modules: nnx.List or nnx.data" if refused else ""


def _int_paths(found: Findings) -> str:
    missing = found.facts.get("nnx.restore_int_paths exists") == "no"
    return "this Flax has no nnx.restore_int_paths to repair a restored tree" if missing else ""


def _graph_state(found: Findings) -> str:
    plain = found.facts.get("nnx.unpack exists") == "no"
    return "this Flax has no nnx.unpack: GraphState is not a value" if plain else ""


def _deepcopy(found: Findings) -> str:
    cell = found.leaves.get("Linear", {}).get("copy.deepcopy", "")
    if cell in ("ArrayImpl", ""):
        return "its leaves are raw arrays: Flax forwards the copy to the value" if cell else ""
    return f"it {cell}" if cell.startswith("raises ") else ""


def _tracer_sharding(found: Findings) -> str:
    if found.facts.get("explicit sharding axes in JAX") == "yes":
        return (
            "known under tracing for Explicit axes only; under Auto axes it is reported as unknown"
        )
    return "unknown under tracing"


RULES: dict[str, Rule] = {
    "checks of hijax variables": _hijax,
    "hijax variables after jax.device_get": _hijax_device_get,
    "checks of references": _references,
    "merge and update of tree-mode graph definitions": _tree_mode,
    "Shared on a state": _identity,
    "infer of an abstract module": _abstract_modules,
    "leaves that are Python scalars": _scalars,
    "StateMap over nnx.List": _lists,
    "schemas of modules with list attributes": _plain_lists,
    "the hint about string keys": _int_paths,
    "GraphState arguments": _graph_state,
    "copy.deepcopy of a state": _deepcopy,
    "Placed and Sharded": _tracer_sharding,
}


def _limits(found: Findings) -> Iterator[Limit]:
    for feature, rule in RULES.items():
        why = rule(found)
        if why:
            yield Limit(feature, why)


def limits(found: Findings) -> tuple[Limit, ...]:
    """Every limit that these findings show."""
    return tuple(_limits(found))
