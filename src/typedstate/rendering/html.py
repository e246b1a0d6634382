"""Draws a tree as HTML: it folds, marks violations and colours dims; no script, no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Final

from .dim_colors import DIM, HUES, RIGHT, WRONG, Names, Palette, bound_pieces, pieces
from .printable import printable
from .twig import Mark, Twig, counted

#: The meaning of each code, shown on hover.
MEANINGS: Final[Mapping[str, str]] = {
    "missing": "a key that the schema declares is not there",
    "extra": "a key is there that the schema does not declare",
    "key": "a key is not of the class that the container has",
    "kind": "a leaf is a Variable of another kind, or none at all",
    "container": "something that is no tree stands where a sub-state is declared",
    "array": "what a leaf holds is no array, or one of another class",
    "dtype": "an array has another dtype",
    "rank": "an array has more or fewer axes than declared",
    "size": "an axis has not the size that the schema writes as a number",
    "dim": "two axes that have one name have two sizes",
    "sharding": "the axis names or the placement are others than declared",
    "metadata": "what a live node has beside its values differs",
    "predicate": "a validator says no",
}
_PLAIN: Final[Names] = {}
_OPEN: Final = 2  # levels shown open; below them only those that lead to a violation
_LARGE: Final = 1000  # places
_MANY: Final = 100  # entries of one level from which on it is folded
_SMALL: Final = 60  # a tree of so many twigs is shown open as a whole
_HUES: Final = "".join(f".typedstate .d{i}{{--h:{hue}}}" for i, hue in enumerate(HUES))
STYLE: Final = (
    ".typedstate{font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}"
    ".typedstate details>*:not(summary),.typedstate .leaf{margin-left:1.3em}"
    # Rows out of sight are not laid out, so that levels of thousands open at once.
    "@media screen{.typedstate.large details details"
    "{content-visibility:auto;contain-intrinsic-size:auto 1.55em}}"
    ".typedstate summary{cursor:pointer;list-style-position:outside;margin-left:1.2em}"
    ".typedstate h1{font-size:1.1em;margin:.3em 0}"
    ".typedstate b{font-weight:600}"
    ".typedstate .size,.typedstate .placed,.typedstate .note{opacity:.65}"
    ".typedstate .placed{margin-left:.8em}.typedstate .size{margin-left:.8em}"
    ".typedstate .d{color:hsl(var(--h) 75% 38%);font-weight:600}"
    ".typedstate .again{text-decoration:underline dotted}"
    ".typedstate .count,.typedstate .code{color:#fff;background:#c62828;border-radius:.6em;"
    "padding:0 .5em;font-size:.85em;margin-left:.6em}"
    ".typedstate .wrong>b,.typedstate .wrong>summary>b,.typedstate .actual{color:#c62828}"
    ".typedstate .why{margin-left:1.3em;border-left:3px solid #c62828;padding-left:.6em}"
    ".typedstate .expected{color:#1b5e20}"
    ".typedstate p{margin:.2em 0}"
    # Mixed with the colour of the text, which is light on a dark background.
    "@supports (color:color-mix(in oklab,red,currentColor)){"
    f".typedstate .d{{color:{DIM.format('var(--h)')}}}"
    f".typedstate .wrong>b,.typedstate .wrong>summary>b,.typedstate .actual{{color:{WRONG}}}"
    f".typedstate .expected{{color:{RIGHT}}}}}"
) + _HUES
_PAGE: Final = (
    "<!doctype html>\n"
    '<html lang="en"><head><meta charset="utf-8">\n'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'\">\n"
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{title}</title>\n"
    "<style>:root{{color-scheme:light dark}}body{{margin:1.5em}}</style></head>\n"
    "<body>{body}</body></html>\n"
)


def fragment(title: str, twigs: Iterable[Twig], lines: Iterable[str] = ()) -> str:
    """The HTML of a picture for a page or a notebook: a title, lines of text, a tree."""
    trees = list(twigs)
    drawing = _Drawing(counted(trees))
    size = " large" if len(drawing.counts) > _LARGE else ""
    parts = [f'<div class="typedstate{size}"><style>{STYLE}</style><h1>{_clean(title)}</h1>']
    parts.extend(f"<p>{drawing.text(line)}</p>" for line in lines)
    depth = 0 if len(drawing.counts) > _SMALL else -len(drawing.counts)
    for twig in trees:
        parts.extend(drawing.twig(twig, depth))
    parts.append("</div>")
    return "".join(parts)


def page(title: str, body: str) -> str:
    """A whole HTML document around a picture."""
    return _PAGE.format(title=_clean(title), body=body)


class _Drawing:
    """One picture: its counts of violations, and the colours of its dims."""

    def __init__(self, counts: Mapping[int, int]) -> None:
        self.counts = counts
        self.palette = Palette()

    def twig(self, twig: Twig, depth: int) -> Iterator[str]:
        """Yields the HTML of a twig and of the twigs below it."""
        wrong = self.counts[id(twig)]
        line = "".join(self._line(twig))
        if not twig.below:
            yield f'<div class="leaf{" wrong" if wrong else ""}">{line}</div>'
            yield from map(self._mark, twig.marks)
            return
        count = f'<span class="count">{wrong} wrong</span>' if wrong else ""
        few = depth < _OPEN and len(twig.below) <= _MANY
        opened = " open" if wrong or few else ""
        marked = ' class="wrong"' if twig.marks else ""
        yield f"<details{opened}{marked}><summary>{line}{count}</summary>"
        yield from map(self._mark, twig.marks)
        for below in twig.below:
            yield from self.twig(below, depth + 1)
        yield "</details>"

    def _line(self, twig: Twig) -> Iterator[str]:
        yield f"<b>{_clean(twig.key)}</b>"
        if twig.text:
            yield f": {self.text(twig.text, twig.names)}"
        if twig.bound:
            yield f" {self._pieces(bound_pieces(twig.bound, twig.names, twig.inside))}"
        if twig.more:
            yield _clean(twig.more)
        if twig.placed:
            yield f'<span class="placed">{_clean(twig.placed)}</span>'
        if twig.size:
            yield f'<span class="size">{_clean(twig.size)}</span>'

    def _mark(self, mark: Mark) -> str:
        meaning = _clean(MEANINGS.get(mark.code, ""))
        note = f' <span class="note">({self.text(mark.note)})</span>' if mark.note else ""
        expected = f'<span class="expected">expected {self.text(mark.expected)}</span>'
        actual = f'<span class="actual">found {self.text(mark.actual)}</span>'
        told = [expected] if mark.code == "missing" else [expected, actual]
        if mark.code == "extra":
            told = [actual]
        code = f'<span class="code" title="{meaning}">{_clean(mark.code)}</span>'
        return f'<div class="why">{", ".join(told)}{note}{code}</div>'

    def text(self, text: str, names: Names = _PLAIN) -> str:
        """The HTML of a text, its dims coloured."""
        return self._pieces(pieces(text, names))

    def _pieces(self, parts: Iterable[tuple[str, str]]) -> str:
        return "".join(self._piece(piece, dim) for piece, dim in parts if piece)

    def _piece(self, piece: str, dim: str) -> str:
        if not dim:
            return _clean(piece)
        index, again = self.palette.color(dim)
        shared = " again" if again else ""
        return f'<span class="d d{index}{shared}" title="{_clean(dim)}">{_clean(piece)}</span>'


def _clean(text: str) -> str:
    """A foreign text on one line, without characters that could reorder or break the page."""
    return escape(printable(text))
