"""Applies a mapping backwards: makes foreign tensors of a state."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from os import fspath
from pathlib import Path as LocalPath
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .._compat.modules import is_module, module_tree
from .._compat.variables import is_variable, leaves_of, raw_value
from ..checking import check
from ..report import show_path
from .errors import AnyPath, CheckpointError
from .libraries import jax_
from .name_patterns import filled, source_pattern
from .weight_rules import Rule

if TYPE_CHECKING:
    from .weights import Weights


def exported(
    weights: Weights[Any], state: Any, dims: Mapping[str, int]
) -> Iterator[tuple[str, Any]]:
    """Yields the name and the numpy array of each foreign tensor, one at a time."""
    check(state, weights.hint)
    tree = module_tree(state).mapping if is_module(state) else state
    leaves = {
        show_path(path): raw_value(leaf) if is_variable(leaf) else leaf
        for path, leaf in leaves_of(tree)
    }
    for rule in weights.rules:
        yield from _of_rule(rule, leaves, dims)


def _of_rule(
    rule: Rule, leaves: Mapping[str, Any], dims: Mapping[str, int]
) -> Iterator[tuple[str, Any]]:
    first = source_pattern(rule.targets[0])
    for path in leaves:
        match = first.fullmatch(path)
        if match is None:
            continue
        numbers = {hole: int(text) for hole, text in match.groupdict().items()}
        targets = [np.asarray(jax_.device_get(leaves[filled(t, numbers)])) for t in rule.targets]
        if rule.split is not None:
            pieces = [rule.back(one, dims) for one in targets]
            yield filled(rule.sources[0], numbers), np.concatenate(pieces, rule.split)
        elif rule.stacked:
            for number in range(targets[0].shape[rule.stack]):
                part = np.take(targets[0], number, rule.stack)
                both = {**numbers, rule.stacked[0]: number}
                yield filled(rule.sources[0], both), rule.back(part, dims)
        elif rule.concat is not None:
            parts = np.split(targets[0], len(rule.sources), rule.concat)
            for source, part in zip(rule.sources, parts, strict=True):
                yield filled(source, numbers), rule.back(part, dims)
        else:
            yield filled(rule.sources[0], numbers), rule.back(targets[0], dims)


def write(path: AnyPath, tensors: Mapping[str, Any]) -> None:
    """Writes a safetensors file under another name, and renames it once it is whole."""
    import safetensors.numpy

    place = LocalPath(fspath(path))
    fresh = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}")
    try:
        whole = {name: np.ascontiguousarray(one) for name, one in tensors.items()}
        cast(Any, safetensors.numpy).save_file(whole, str(fresh))
        os.replace(fresh, place)
    except OSError as error:
        raise CheckpointError(path, f"can't be written: {error}") from None
    finally:
        fresh.unlink(missing_ok=True)
