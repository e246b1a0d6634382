"""`verify`: checks a checkpoint against a schema before any weight is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ..report import Report, Unknown, Violation, show_path
from . import document, migrating
from .alignment import Alignment
from .declared import Declared
from .errors import AnyPath, CheckpointError
from .inspecting import inspect
from .stored import FORGOTTEN, Checkpoint

_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of checking one checkpoint against one hint.

    Attributes:
      checkpoint: the checkpoint.
      declared: the hint.
      alignment: the stored arrays in the declared tree.
      report: the violations, and what the checkpoint does not tell.
    """

    checkpoint: Checkpoint
    declared: Declared
    alignment: Alignment
    report: Report


def verify(
    path: AnyPath,
    hint: Any,
    *,
    dims: Mapping[str, int] | None = None,
    step: int | None = None,
    item: str | None = None,
    key_impl: str | None = None,
) -> Report:
    """Reports how a checkpoint does not fit a schema or form; the report is truthy if it fits.

    Only metadata is read. Formats change a state, and `verify` allows for it: int keys become
    text, the array of a Variable is stored under a key ``value``, PRNG keys become plain numbers.
    Facts that a format does not keep, such as the kinds of Variables, are reported as *unknown*,
    unless `save` wrote them beside the weights.

    Args:
      path: a checkpoint, see `inspect`.
      hint: a schema or a form of one.
      dims: sizes of the hint's outermost names, e.g. from a configuration.
      step: the step to read in a CheckpointManager's folder; without, the newest.
      item: the name of one item, where a checkpoint has several.
      key_impl: the PRNG implementation of keys, for a checkpoint that does not name it; without,
        it is told by the size of a key: ``threefry2x32`` for two numbers, ``rbg`` for four.

    Raises:
      CheckpointError: the checkpoint can't be read.
      SchemaError: the hint means nothing, or `dims` has a name that the hint lacks.
    """
    return judge(inspect(path, step=step, item=item), hint, dims, key_impl).report


def judge(
    checkpoint: Checkpoint,
    hint: Any,
    dims: Mapping[str, int] | None = None,
    key_impl: str | None = None,
) -> Verdict:
    """The report of `verify`, with the alignment that `restore` needs."""
    return judge_declared(checkpoint, Declared.of(hint), dims, key_impl)


def judge_declared(
    checkpoint: Checkpoint,
    declared: Declared,
    dims: Mapping[str, int] | None = None,
    key_impl: str | None = None,
) -> Verdict:
    """The same for a hint that is parsed already."""
    written = checkpoint.document
    implementations: Mapping[str, str] = (
        {} if written is None else document.implementations(written)
    )
    try:
        alignment = Alignment.of(checkpoint.stored, declared.spec, key_impl, implementations)
    except RecursionError:
        raise CheckpointError(checkpoint.location, "nested too deeply to read") from None
    found = declared.judge(alignment.tree, dims)
    report = replace(
        found,
        violations=(*found.violations, *_kinds(alignment, written)),
        unknown=(*found.unknown, *_unknown(checkpoint, alignment, key_impl)),
    )
    report = _with_cause(report, checkpoint, declared, dims)
    return Verdict(checkpoint, declared, alignment, _compared(report, declared, written))


def _with_cause(
    report: Report, checkpoint: Checkpoint, declared: Declared, dims: Mapping[str, int] | None
) -> Report:
    """The report; if `migrate` would make the tree fit, its cause says so."""
    if report or report.cause:
        return report
    found = migrating.plan(checkpoint.stored, declared, dims)
    if not found.steps:
        return report
    rest = "" if found.report else ", which leaves some of this"
    cause = f"{'; '.join(found.steps)}: migrate=True reads it so{rest}"
    return replace(report, cause=cause)


def migrated(verdict: Verdict, dims: Mapping[str, int] | None) -> Verdict:
    """The verdict on the tree that `migrate` makes of a checkpoint."""
    found = migrating.plan(verdict.checkpoint.stored, verdict.declared, dims)
    cause, unknown = "; ".join(found.steps), verdict.report.unknown
    report = replace(found.report, cause=cause, unknown=unknown, explained=frozenset())
    return replace(verdict, alignment=found.alignment, report=report)


def _kinds(alignment: Alignment, written: Mapping[str, Any] | None) -> Iterator[Violation]:
    """A violation for each kind that `save` wrote and that is not the declared one."""
    kinds: Mapping[str, str] = {} if written is None else document.kinds(written)
    for slot in alignment.slots:
        wanted = None if slot.spec is None else slot.spec.kind
        found = kinds.get(show_path(slot.leaf))
        if wanted is None or found is None or slot.path != slot.leaf:
            continue
        names = [cls.__name__ for cls in wanted.__mro__] if slot.spec and slot.spec.exact else []
        if found != wanted.__name__ and (names or not document.is_kind(found, wanted)):
            path = show_path(slot.leaf)
            yield Violation(path, "kind", wanted.__name__, found, "as save wrote it", slot.leaf)


def _unknown(
    checkpoint: Checkpoint, alignment: Alignment, key_impl: str | None
) -> Iterator[Unknown]:
    written = checkpoint.document
    if written is None and any(slot.spec and slot.spec.kind for slot in alignment.slots):
        yield Unknown("", FORGOTTEN[checkpoint.format])
    known: Mapping[str, str] = {} if written is None else document.implementations(written)
    keys = [slot for slot in alignment.slots if slot.implementation]
    guessed = [slot for slot in keys if not slot.stored.key_impl]
    guessed = [slot for slot in guessed if show_path(slot.leaf) not in known]
    if guessed and key_impl is None:
        first, more = guessed[0], len(guessed) - 1
        text = f"PRNG keys are stored as numbers; taken for {first.implementation} by their size"
        yield Unknown(show_path(first.path), text + (f", as {more} more" if more else ""))


def _compared(report: Report, declared: Declared, written: Mapping[str, Any] | None) -> Report:
    """The report; if the checkpoint was written for another schema, it says how that differs."""
    if written is None or declared.hint is None:
        return report
    difference = document.difference(written, declared.hint, declared.name)
    if not difference:
        return report
    text = f"written for another schema: {difference}"
    if report:
        return replace(report, unknown=(*report.unknown, Unknown("", text)))
    return replace(report, cause=f"{report.cause}; {text}" if report.cause else text)
