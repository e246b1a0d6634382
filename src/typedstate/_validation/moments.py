"""Recognises an optimizer that was made for another model, for the cause in a report.

What optax keeps for each parameter, such as adam's ``mu`` and ``nu``, has the structure of the
parameters. Where all of it differs from them in the same places, they are of another model.
Source of the keys: ``optax/_src/transform.py``, ``optax/transforms``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final

from .._compat import variables
from ..report import Path, Violation
from .causes import Cause, Mistake

#: The keys of trees that have an array for each parameter, of its shape.
_MOMENTS: Final = frozenset(
    {
        *("mu", "nu", "nu_max", "trace", "ema", "sum_of_squares", "e_g", "e_x", "z"),
        *("acc_grads", "step_sizes", "prev_updates"),
    }
)
#: So many branches of a state are looked at: chains, wrappers and labels have few.
_MAX_BRANCHES: Final = 200
#: What is there, and how large it is: another model differs in no other way.
_CODES: Final = frozenset({"missing", "extra", "container", "key", "rank", "size", "dim"})
#: In so few places a single tree may be wrong by itself.
_FEW: Final = 2
#: The places in a tree of moments that are wrong, and the indices of their violations.
_Places = dict[Path, list[int]]


def moments_of(tree: Any) -> tuple[Path, ...]:
    """The paths of the trees of moments in what ``nnx.Optimizer`` keeps under ``opt_state``."""
    found, branches = list[Path](), deque[tuple[Path, Any]]([((), tree)])
    for _ in range(_MAX_BRANCHES):
        if not branches:
            break
        path, branch = branches.popleft()
        for key, item in _items(branch):
            if key in _MOMENTS:
                found.append((*path, key))
            else:
                branches.append(((*path, key), item))
    return tuple(found)


def _items(branch: Any) -> Iterable[tuple[Hashable, Any]]:
    try:
        return dict(variables.mapping_of(branch) or {}).items()
    except Exception:  # a mapping of the user's own, which the walk reports
        return ()


def another_model(
    moments: Mapping[tuple[str, Path], Sequence[Path]],
    violations: Sequence[Violation],
    causes: Sequence[str],
) -> Cause | None:
    """The cause where an optimizer was made for another model; None if it does not look so.

    Args:
      moments: of each optimizer, by the argument and the path of its ``opt_state``: the paths of
        its trees of moments.
      violations: of the report.
      causes: of each violation; one that has a cause of its own is not of another model.
    """
    for (_, path), trees in moments.items():
        wrong: dict[Path, _Places] = {(*path, *tree): {} for tree in trees}
        others: list[Violation] = []
        for index, (one, cause) in enumerate(zip(violations, causes, strict=True)):
            tree = next((at for at in wrong if one.keys[: len(at)] == at), None)
            if tree is not None and not cause and _is_of_structure(one):
                wrong[tree].setdefault(one.keys[len(tree) :], []).append(index)
            else:
                others.append(one)
        explained = [i for places in wrong.values() for found in places.values() for i in found]
        if len(explained) > len(others) and _agree(wrong) and not _are_wrong_too(wrong, others):
            return Cause(str(Mistake.ANOTHER_MODEL), frozenset(explained))
    return None


def _is_of_structure(violation: Violation) -> bool:
    """Whether another model may differ so; what has a note of its sizes has another mistake."""
    is_explained = violation.code in {"size", "dim"} and violation.note
    return violation.code in _CODES and not is_explained


def _agree(wrong: Mapping[Path, _Places]) -> bool:
    """Whether the trees of each transformation are wrong in the same places.

    A transformation with one tree has nothing to agree with: it must be wrong in many places.
    """
    of_one: dict[Path, list[_Places]] = {}
    for path, places in wrong.items():
        of_one.setdefault(path[:-1], []).append(places)
    groups = [trees for trees in of_one.values() if any(trees)]
    if any(tree.keys() != trees[0].keys() for trees in groups for tree in trees):
        return False
    several = any(len(trees) > 1 for trees in groups)
    return several or sum(len(trees[0]) for trees in groups) > _FEW


def _are_wrong_too(wrong: Mapping[Path, _Places], others: Sequence[Violation]) -> bool:
    """Whether the parameters themselves are wrong there: then the schema is of another model."""
    places = {place for tree in wrong.values() for place in tree}
    return any(one.keys[start:] in places for one in others for start in range(len(one.keys)))
