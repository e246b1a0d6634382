"""Finds the dims of a class that its users must link, because they tie two axes."""

from __future__ import annotations

from collections.abc import Sequence

from .roles import CLASSES, LAYERS, PROJECTED, STREAM, VOCAB, WIDTHS
from .uses import (
    Draft,
    DraftUse,
    Group,
    StackedUse,
)
from .within_uses import drafts_of

_TOP = frozenset({CLASSES, VOCAB, STREAM, LAYERS})


def find_needs(drafts: Sequence[Draft], *, several: bool) -> None:
    """Marks the needed dims; the draft of the whole tree comes last."""
    for draft in reversed(drafts):
        for group in draft.groups:
            group.needed = group.needed or group.is_tied or several
            if draft.root and not _is_stack(draft) and (_is_top(group) or group.end):
                group.needed = True
        for item in draft.fields:
            for use in drafts_of(item.use):
                _demand(use)


def _is_stack(draft: Draft) -> bool:
    """Whether the whole tree is a stack of one class, which has the names of all dims but one."""
    return draft.bare and any(isinstance(item.use, StackedUse) for item in draft.fields)


def _demand(use: DraftUse) -> None:
    for group, slot in use.dims:
        if slot is not None and (slot.group.needed or not slot.group.is_name):
            group.needed = True


def _is_top(group: Group) -> bool:
    """Whether a dim is a size that users pass, which the schema of the whole names."""
    if group.role.kind == LAYERS:
        return group.slots[0].below is None
    if group.role.kind in _TOP:
        return True
    named = group.role.name not in ("", "channels")
    return named and group.role.kind in WIDTHS - {PROJECTED}


__all__ = ["find_needs"]
