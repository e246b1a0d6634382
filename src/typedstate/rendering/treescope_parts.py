"""Draws a tree in `treescope`: for values that hold a report or a picture, and for schemas.

Imported only if treescope asks. Built of the parts that treescope offers to other libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from treescope import rendering_parts as parts  # pyright: ignore[reportMissingTypeStubs]

from .dim_colors import DIM, HUES, WRONG, Palette, bound_pieces, pieces
from .printable import printable
from .twig import Mark, Twig

_BOLD: Final = "font-weight:600"


def tree(
    title: str, twigs: Iterable[Twig], lines: Iterable[str] = (), path: str | None = None
) -> Any:
    """A folding tree.

    Args:
      title: the first line.
      twigs: the tree below it.
      lines: lines of text between title and tree.
      path: the path that treescope's button copies.
    """
    drawing = _Drawing()
    below = [drawing.text(line) for line in lines] + [drawing.twig(twig) for twig in twigs]
    opened = parts.ExpandState.WEAKLY_EXPANDED
    return _folding(_styled(title, _BOLD), below, opened, path)


def _folding(label: Any, below: list[Any], state: Any, path: str | None = None) -> Any:
    if not below:
        return parts.build_one_line_tree_node(label, path=path)
    contents = parts.fold_condition(
        collapsed=parts.text(" …"), expanded=parts.indented_children(below)
    )
    return parts.build_custom_foldable_tree_node(
        label=label, contents=contents, path=path, expand_state=state
    )


def _styled(text: str, style: str) -> Any:
    return parts.custom_style(parts.text(printable(text)), style)


class _Drawing:
    """One tree, and the colours of its dims."""

    def __init__(self) -> None:
        self.palette = Palette()

    def twig(self, twig: Twig) -> Any:
        """The treescope part of a twig and of the twigs below it."""
        wrong = bool(twig.wrong())
        label = parts.siblings(*self._line(twig))
        below = [self._mark(mark) for mark in twig.marks] + [self.twig(one) for one in twig.below]
        state = parts.ExpandState.EXPANDED if wrong else parts.ExpandState.WEAKLY_COLLAPSED
        return _folding(label, below, state)

    def _line(self, twig: Twig) -> Iterator[Any]:
        key = _styled(twig.key, _BOLD)
        yield parts.custom_text_color(key, WRONG) if twig.marks else key
        if twig.text:
            yield parts.text(": ")
            yield self.text(twig.text, twig)
        if twig.bound:
            yield parts.text(" ")
            yield self._pieces(bound_pieces(twig.bound, twig.names, twig.inside))
        if twig.more:
            yield parts.text(printable(twig.more))
        if told := "  ".join(filter(None, [twig.placed, twig.size])):
            yield parts.comment_color(parts.text(printable(f"  # {told}")))

    def _mark(self, mark: Mark) -> Any:
        told = {"missing": f"expected {mark.expected}", "extra": f"found {mark.actual}"}
        both = f"expected {mark.expected}, found {mark.actual}"
        note = f" ({mark.note})" if mark.note else ""
        text = f"{told.get(mark.code, both)}{note} [{mark.code}]"
        return parts.custom_text_color(parts.text(printable(text)), WRONG)

    def text(self, text: str, twig: Twig | None = None) -> Any:
        """The treescope part of a text, its dims coloured."""
        return self._pieces(pieces(text, {} if twig is None else twig.names))

    def _pieces(self, given: Iterable[tuple[str, str]]) -> Any:
        return parts.siblings(*(self._piece(piece, dim) for piece, dim in given if piece))

    def _piece(self, piece: str, dim: str) -> Any:
        if not dim:
            return parts.text(printable(piece))
        index, again = self.palette.color(dim)
        style = f"{_BOLD};text-decoration:underline dotted" if again else _BOLD
        return parts.custom_text_color(_styled(piece, style), DIM.format(HUES[index]))
