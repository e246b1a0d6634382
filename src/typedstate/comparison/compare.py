"""`diff`: compares two schemas, states, modules or checkpoints.

Two hints are compared in both directions. A value and a hint are compared by `explain`, so that
`diff` and a check agree. Two values are compared as trees.
"""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final

import msgspec

from .._spec.nodes import Spec
from ..checking import explain
from ..forms import Abstract
from ..report import Path, Report, show_path
from .containment import compare
from .difference import Change, ChangeKind, Difference
from .findings import Finding
from .subject import Subject, subject_of

_KINDS: Final[dict[str, ChangeKind]] = {
    "kind": "kind",
    "array": "kind",
    "container": "container",
    "key": "container",
    "dtype": "dtype",
    "rank": "shape",
    "size": "shape",
    "dim": "shape",
    "sharding": "sharding",
    "metadata": "sharding",
    "predicate": "validator",
}
_ALIKE: Final = 0.6


def diff(a: Any, b: Any) -> Difference:
    """Tells how `b` differs from `a`; the result is truthy if it does.

    Two schemas are compatible *forward* if everything that fits `a` fits `b`, as old checkpoints
    should fit a new schema, and *backward* if everything that fits `b` fits `a`. A value differs
    from a schema if it does not fit.

    Args:
      a: a schema, a form or another hint, a `SchemaDocument`, a state, a nested dict, a module
        (abstract ones too), or a checkpoint as ``typedstate.checkpoint.inspect`` gives it.
      b: the same, in any pairing.

    Raises:
      SchemaError: `a` or `b` is none of these.
    """
    first, second = subject_of(a), subject_of(b)
    if _judges(first, second):
        return _judged(first, second, forward=True)
    if _judges(second, first):
        return _judged(first, second, forward=False)
    forward = compare(first.spec, second.spec)
    backward = compare(second.spec, first.spec)
    changes = _with_moves(_changes(forward, backward))
    return Difference(
        first.name,
        second.name,
        tuple(changes),
        _verdict(forward),
        _verdict(backward),
        unknown=_unknown(first, second),
    )


def _verdict(findings: list[Finding]) -> bool | None:
    if not findings:
        return True
    return False if any(finding.sure for finding in findings) else None


def _unknown(*subjects: Subject) -> tuple[str, ...]:
    """Sentences on the kinds that the checkpoints among the subjects do not name."""
    texts = [one.stored.unknown for one in subjects if one.stored is not None]
    return tuple(dict.fromkeys(filter(None, texts)))


# -- A value beside a hint -----------------------------------------------------------------


def _judges(value: Subject, other: Subject) -> bool:
    """Whether a check judges one by the other: a value by a hint, a checkpoint by anything else."""
    if value.stored is not None:
        return other.stored is None
    return value.is_value and not other.is_value


def judge(value: Subject, hint: Subject, dims: Mapping[str, int] | None = None) -> Report:
    """The violations of a value against a hint, or of a checkpoint against another tree.

    Facts that a checkpoint's format does not keep, such as kinds, are reported as unknown.
    """
    if value.stored is not None:
        return value.stored.judge(hint, dims)
    abstract: Any = Abstract
    return explain(value.value, abstract[hint.hint] if value.abstract else hint.hint, dims=dims)


def _judged(first: Subject, second: Subject, *, forward: bool) -> Difference:
    """The report of a check, as changes from the first to the second."""
    value, hint = (first, second) if forward else (second, first)
    report = judge(value, hint)
    changes: list[Change] = []
    for found in report.violations:
        sides = (found.actual, found.expected) if forward else (found.expected, found.actual)
        kind: ChangeKind = _KINDS.get(found.code, "other")
        if found.code in ("extra", "missing"):
            kind = "removed" if (found.code == "extra") is forward else "added"
            sides = (sides[0], "") if kind == "removed" else ("", sides[1])
        ahead, back = _both_ways(False, hint, forward=forward)
        changes.append(Change(found.path, kind, *sides, ahead, back, found.note, found.keys))
    ahead, back = _both_ways(bool(report), hint, forward=forward)
    unknown = tuple(map(str, report.unknown))
    return Difference(first.name, second.name, tuple(changes), ahead, back, report.cause, unknown)


def _both_ways(fits: bool, hint: Subject, *, forward: bool) -> tuple[bool | None, bool | None]:
    """The verdict as forward and backward; a hint never fits a value, which is left as None."""
    other = fits if hint.is_value else None
    return (fits, other) if forward else (other, fits)


# -- Both directions -----------------------------------------------------------------------


class _Both(msgspec.Struct):
    """The findings at one path, in both directions."""

    forward: list[Finding] = msgspec.field(default_factory=list[Finding])
    backward: list[Finding] = msgspec.field(default_factory=list[Finding])


class _Side(msgspec.Struct, frozen=True):
    """A change, with the spec of a key that only one of the two has."""

    change: Change
    spec: Spec | None = None


def _changes(forward: Iterable[Finding], backward: Iterable[Finding]) -> list[_Side]:
    table: dict[Path, _Both] = {}
    for finding in forward:
        table.setdefault(finding.path, _Both()).forward.append(finding)
    for finding in backward:
        table.setdefault(finding.path, _Both()).backward.append(finding)
    return [item for path, both in table.items() for item in _at(path, both)]


def _at(path: Path, both: _Both) -> list[_Side]:
    """The changes at one path: keys that only one of the two has, then other changes."""
    where = show_path(path)
    gone = [item for item in both.forward if item.code == "extra"]
    new = [item for item in both.backward if item.code == "extra"]
    if gone or new:
        side: ChangeKind = "removed" if gone else "added"
        item = (gone or new)[0]
        sides = (item.actual, "") if gone else ("", item.actual)
        answers = _verdict(both.forward), _verdict(both.backward)
        return [_Side(Change(where, side, *sides, *answers, keys=path), item.spec)]
    found: list[_Side] = []
    kinds: dict[ChangeKind, None] = {_kind(item): None for item in (*both.forward, *both.backward)}
    for kind in kinds:
        ahead = [item for item in both.forward if _kind(item) == kind]
        back = [item for item in both.backward if _kind(item) == kind]
        before, after = (
            (ahead[0].actual, ahead[0].expected) if ahead else (back[0].expected, back[0].actual)
        )
        answers = _verdict(ahead), _verdict(back)
        found.append(_Side(Change(where, kind, before, after, *answers, keys=path)))
    return found


def _kind(finding: Finding) -> ChangeKind:
    return "presence" if finding.code == "missing" else _KINDS.get(finding.code, "other")


# -- Moves ---------------------------------------------------------------------------------


def _with_moves(found: list[_Side]) -> list[Change]:
    """Turns a removed and an added leaf that are alike into one moved leaf."""
    gone = [item for item in found if item.change.kind == "removed" and item.spec is not None]
    new = [item for item in found if item.change.kind == "added" and item.spec is not None]
    moves: dict[int, _Side] = {}
    used: set[int] = set()
    levels: Counter[tuple[Path, ChangeKind]] = Counter(
        (item.change.keys[:-1], item.change.kind) for item in found
    )
    pairs = itertools.product(enumerate(gone), enumerate(new))
    scored = [(_likeness(one, other, levels), i, j) for (i, one), (j, other) in pairs]
    scored = sorted((item for item in scored if item[0] >= _ALIKE), key=lambda item: -item[0])
    of_gone = Counter((i, score) for score, i, _ in scored)
    of_new = Counter((j, score) for score, _, j in scored)
    for score, i, j in scored:
        if id(gone[i]) in moves or id(new[j]) in used:
            continue
        has_rivals = of_gone[i, score] > 1 or of_new[j, score] > 1
        if has_rivals and not _alike_keys(gone[i], new[j]):
            continue
        moves[id(gone[i])] = new[j]
        used.add(id(new[j]))
    changes: list[Change] = []
    for item in found:
        if id(item) in used:
            continue
        change = item.change
        if id(item) in moves:
            target = moves[id(item)].change
            answers = (change.forward, target.backward)
            change = Change(
                change.path, "moved", change.before, target.path, *answers, keys=change.keys
            )
        changes.append(change)
    return changes


def _alike_keys(one: _Side, other: _Side) -> bool:
    return one.change.keys[-1:] == other.change.keys[-1:]


def _likeness(one: _Side, other: _Side, levels: Counter[tuple[Path, ChangeKind]]) -> float:
    """How likely one leaf is another one renamed: by shape, then by neighbours and keys.

    Args:
      one: the leaf that is gone.
      other: the new leaf.
      levels: how many changes of each kind there are below each path.
    """
    assert one.spec is not None
    assert other.spec is not None
    if compare(one.spec, other.spec) or compare(other.spec, one.spec):
        return 0.0
    key, new = one.change.keys[-1:], other.change.keys[-1:]
    if key == new:
        return 1.0
    ratio = difflib.SequenceMatcher(None, _text(key), _text(new)).ratio()
    if one.change.keys[:-1] != other.change.keys[:-1]:
        return ratio * 0.8
    level = one.change.keys[:-1]
    alone = levels[level, "removed"] == 1 and levels[level, "added"] == 1
    return 0.95 if alone else 0.6 + 0.3 * ratio


def _text(keys: tuple[Hashable, ...]) -> str:
    return "".join(map(str, keys))
