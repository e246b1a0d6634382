"""Draws hints and values, and asks every door: ``python -m tests.agreement --draws 100000``."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping
from random import Random
from typing import Any

import jax

from tests.agreement import Doors
from tests.agreement.draws import Box, Draws
from typedstate import SchemaError
from typedstate._fastpath import structures
from typedstate._fastpath.structures import RecompilePolicy, set_recompile_policy

#: As users have it, and with code for the first value.
POLICIES = {"users": RecompilePolicy(), "at once": RecompilePolicy(delay=0)}


def run(draws: int, seed: int, report: Any = None) -> dict[str, int]:
    """Asks for so many verdicts, and counts what they were; raises at the first disagreement."""
    found = {"fits": 0, "refused": 0, "traced": 0}
    number = 0
    while sum(found.values()) < draws:
        number += 1
        chance = Random(f"{seed} {number}")
        try:
            _one_hint(Draws(chance), found)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, hint {number}: {error}") from None
        if report is not None and number % 500 == 0:
            report(found)
    return found


def _one_hint(draws: Draws, found: dict[str, int]) -> None:
    hint, build = draws.case()
    try:
        doors = Doors(hint)
    except SchemaError:  # e.g. a dim to bind that the schema drawn doesn't have
        return
    try:
        values = [build() for _ in range(3)]
    except (TypeError, ValueError):  # of keys that Flax can't sort
        return
    if not _is_sorted(values[0]):
        return
    leaves = jax.tree.leaves(values[0])
    for value in (*values, *(draws.changed(build()) for _ in range(8)), build()):
        found["fits" if doors.ask(value) else "refused"] += 1
    if all(isinstance(leaf, jax.Array | float | int) for leaf in leaves):
        jax.eval_shape(lambda value: [doors.ask(value)], values[0])
        found["traced"] += 1


def _is_sorted(value: Any) -> bool:
    """Whether JAX can sort the keys of a tree: each refusal costs it a level of Python's stack."""
    if isinstance(value, list | tuple):
        return all(map(_is_sorted, value))
    if isinstance(value, Box):
        return _is_sorted(value.held)
    if not isinstance(value, Mapping):
        return True
    try:
        sorted(value)
    except TypeError:
        return False
    return all(map(_is_sorted, value.values()))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.agreement", description=__doc__)
    parser.add_argument("--draws", type=int, default=100_000, help="how many verdicts, per policy")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    structures.RAISES = True  # an error while code is generated, which users get the walk for
    for name, policy in POLICIES.items():
        before = set_recompile_policy(policy)
        found = run(options.draws, options.seed, lambda so_far: print(so_far, end="\r"))
        print(f"{name}: {found}, no disagreement")
        set_recompile_policy(before)


if __name__ == "__main__":
    main()
