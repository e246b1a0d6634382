"""Takes public NNX models through typedstate: nothing valid refused, nothing broken accepted.

Run by hand, with the paths of checkouts::

    python -m tests.realworld.run --bonsai ../bonsai --flax ../flax

It prints one row per model and every finding, and exits with 1 where there is one.
"""

import argparse
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx

from tests.realworld.model import Model
from tests.realworld.models import add_checkouts, of_checkouts
from tests.realworld.mutations import mutations
from tests.realworld.schemas import BY_HAND
from tests.zoo import as_dict
from typedstate import (
    Abstract,
    Only,
    Pure,
    Stacked,
    StateTypeError,
    Values,
    checked,
    explain,
    fits,
    merge,
)
from typedstate._compat import variables
from typedstate.export.source import to_source
from typedstate.inference.infer import infer


@dataclass
class Tally:
    """What one model showed.

    Attributes:
      counts: by what was tried.
      findings: what was refused or accepted wrongly.
    """

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def valid(self, what: str, value: Any, hint: Any) -> None:
        """A value that must be accepted, by the fast check and the walk."""
        report = explain(value, hint)
        self.counts["valid"] += 1
        if not report:
            self.findings.append(f"REFUSED {what}: {report}")
        elif not fits(value, hint):
            self.findings.append(f"REFUSED by the fast check only: {what}")

    def broken(self, what: str, value: Any, hint: Any) -> None:
        """A value that must be refused, by the fast check and the walk."""
        report = explain(value, hint)
        self.counts["broken"] += 1
        if report:
            self.findings.append(f"ACCEPTED {what}")
        elif fits(value, hint):
            self.findings.append(f"ACCEPTED by the fast check only: {what}")

    def runs(self, what: str, function: Callable[[], Any]) -> Any:
        """Something that must not raise."""
        self.counts["valid"] += 1
        try:
            return function()
        except StateTypeError as error:
            self.findings.append(f"REFUSED {what}: {error}")
            return None


# -- Valid -------------------------------------------------------------------------------------


def transforms(tally: Tally, model: Any, schema: Any) -> None:
    """A state through everything that Flax and JAX do with one."""
    state = nnx.state(model)
    tally.valid("the state", state, schema)
    tally.valid("the module in place", model, Annotated[type(model), schema])
    tally.valid("twice", nnx.state(nnx.clone(model)), schema)

    @jax.jit
    @checked
    def same(tree: schema) -> schema:
        return jax.tree.map(lambda leaf: leaf, tree)

    made = tally.runs("under jit", lambda: same(state))
    tally.valid("out of jit", made, schema)

    @nnx.jit
    @checked
    def of_module(inner: Annotated[type(model), schema]) -> Any:
        return nnx.state(inner)

    tally.valid("out of nnx.jit", tally.runs("under nnx.jit", lambda: of_module(model)), schema)
    _gradients(tally, model, schema)
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf, leaf]), state)
    if not any(isinstance(leaf, int | float) for leaf in jax.tree.leaves(state)):
        tally.valid("stacked", stacked, Stacked[schema, "copies"])
        back = tally.runs("under vmap", lambda: jax.vmap(same)(stacked))
        tally.valid("out of vmap", back, Stacked[schema, "copies"])
        tally.runs("under scan", lambda: jax.lax.scan(lambda _, s: (0, same(s)), 0, stacked))
        tally.runs("as a carry", lambda: jax.lax.scan(lambda s, _: (same(s), 0), state, length=2))
    abstract = jax.eval_shape(lambda tree: tree, state)
    tally.valid("abstract", abstract, Abstract[schema])
    tally.runs("under eval_shape", lambda: jax.eval_shape(same, state))
    graphdef, *parts = nnx.split(model, nnx.Param, ...)
    if parts[0]:
        tally.valid("the Params", parts[0], Only[schema, nnx.Param])
    tally.valid("merged states", nnx.merge_state(*parts), schema)
    tally.runs("merge", lambda: merge(graphdef, *parts, hint=schema))
    tally.valid("pure dict", nnx.to_pure_dict(state), Pure[schema])
    tally.valid("values", nnx.pure(state), Values[schema])
    flat = nnx.from_flat_state(nnx.to_flat_state(state))
    tally.valid("from a flat state", flat, schema)


def _gradients(tally: Tally, model: Any, schema: Any) -> None:
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)
    del graphdef, rest
    if not params or any(
        not jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(params)
    ):
        return
    hint = Only[schema, nnx.Param]

    @jax.grad
    @checked
    def loss(tree: hint) -> Any:
        return sum(jnp.sum(leaf.astype(jnp.float32)) for leaf in jax.tree.leaves(tree))

    tally.valid("gradients", tally.runs("under grad", lambda: loss(params)), hint)


def variants(tally: Tally, build: Callable[[int], Any], schema: Any) -> None:
    """Other sizes, subclasses of the kinds, more metadata."""
    models = [build(scale) for scale in (0, 1, 2)]
    general = infer(*models[:2])
    for scale, model in enumerate(models):
        tally.valid(f"scale {scale} by infer", nnx.state(model), general)
        tally.valid(f"scale {scale} in place", model, Annotated[type(model), general])
        tally.valid(f"scale {scale} by itself", nnx.state(model), infer(model))
    state = nnx.state(models[0])
    tally.valid("subclasses of the kinds", _mapped(state, _subclassed), schema)
    tally.valid("more metadata", _mapped(state, _annotated), schema)
    tally.valid("a nested dict", as_dict(state), schema)
    again = _named_of(to_source(schema))
    tally.valid("by the schema of its source", state, again)
    if to_source(again) != to_source(schema):
        tally.findings.append("SOURCE of the source differs")


def _named_of(source: str) -> Any:
    names: dict[str, Any] = {}
    exec(compile(source, "<schema>", "exec"), names)
    return list(names.values())[-1]


_subclasses: dict[type, type] = {}


def _subclassed(leaf: Any) -> Any:
    kind = type(leaf)
    if kind is nnx.Variable:  # its schema says Exactly, as every kind is a Variable
        return leaf
    _subclasses.setdefault(kind, type(f"My{kind.__name__}", (kind,), {}))
    return _subclasses[kind].from_metadata(leaf.get_raw_value(), dict(leaf.get_metadata()))


def _annotated(leaf: Any) -> Any:
    metadata = {**leaf.get_metadata(), "note": "of a test", "step": 3}
    return type(leaf).from_metadata(leaf.get_raw_value(), metadata)


def _mapped(state: Any, change: Callable[[Any], Any]) -> nnx.State[Any, Any]:
    def walk(tree: Any) -> Any:
        mapping = variables.mapping_of(tree)
        if mapping is not None:
            return {key: walk(item) for key, item in mapping.items()}
        return change(tree) if variables.is_variable(tree) else tree

    return nnx.State(walk(state))


# -- Broken ------------------------------------------------------------------------------------


def broken(tally: Tally, model: Any, schema: Any, count: int) -> None:
    """Mutations of the state, and of the live module for those that it can have."""
    state = nnx.state(model)
    for what, mutated in mutations(state, schema, count, seed=0):
        tally.broken(what, mutated, schema)
    for what, mutated in mutations(state, schema, count // 5, seed=1):
        if not what.startswith(("size", "rank", "dtype")):
            continue
        live = nnx.clone(model)
        nnx.update(live, mutated)
        tally.broken(f"{what} in place", live, Annotated[type(model), schema])


# -- All ---------------------------------------------------------------------------------------


def examine(model: Model, count: int) -> tuple[Tally, int]:
    """Everything about one model."""
    tally = Tally()
    made = model.build(0)
    schema = infer(made, fix=True)
    transforms(tally, made, schema)
    variants(tally, model.build, schema)
    broken(tally, made, schema, count)
    by_hand = BY_HAND.get(model.name)
    if by_hand is not None:
        transforms(tally, made, by_hand)
        for scale in (1, 2):
            tally.valid(f"scale {scale} by hand", nnx.state(model.build(scale)), by_hand)
        for what, mutated in mutations(nnx.state(made), by_hand, count, seed=2):
            # what a person leaves open: the dtype of a float, a bias, the number of layers
            if not what.startswith(("drop", "dtype")) and not re.search(r"\(\d+ too\)", what):
                tally.broken(f"{what}, by hand", mutated, by_hand)
    return tally, len(jax.tree.leaves(nnx.state(made)))


def main() -> int:
    """Runs over the models of the checkouts that were given."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_checkouts(parser)
    parser.add_argument("--mutations", type=int, default=100, help="per model and schema")
    parser.add_argument("--only", default="", help="models whose name has this text")
    arguments = parser.parse_args()
    print("| model | leaves | valid, accepted | broken, refused | findings | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    total, failed, seen = Counter[str](), 0, 0
    for model in of_checkouts(arguments):
        if arguments.only not in model.name:
            continue
        start = time.perf_counter()
        try:
            tally, count = examine(model, arguments.mutations)
        except Exception:
            print(f"{model.name}: {traceback.format_exc(limit=-6)}", flush=True)
            failed += 1
            continue
        seen += 1
        total += tally.counts + Counter(leaves=count)
        row = [model.name, count, tally.counts["valid"], tally.counts["broken"]]
        row += [len(tally.findings), round(time.perf_counter() - start, 1)]
        print(f"| {' | '.join(map(str, row))} |", flush=True)
        for finding in tally.findings:
            print(f"    {finding[:600]}", flush=True)
        failed += len(tally.findings)
    row = [f"{seen} models", total["leaves"], total["valid"], total["broken"], failed]
    print(f"| {' | '.join(map(str, row))} | |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
