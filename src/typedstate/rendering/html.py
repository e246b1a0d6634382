"""A tree as HTML: folded, wrong places marked, dims in colours; no script, no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Final

from .dim_colors import HUES, index_of, pieces
from .twig import Mark, Twig, counted

#: What each code says, for who points at it.
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
_OPEN: Final = 2  # levels that stand open; below them only what leads to something wrong
_SMALL: Final = 60  # a tree of so many places stands open as a whole
_HUES: Final = "".join(f".typedstate .d{i}{{--h:{hue}}}" for i, hue in enumerate(HUES))
STYLE: Final = (
    ".typedstate{font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}"
    ".typedstate details>*:not(summary),.typedstate .leaf{margin-left:1.3em}"
    ".typedstate summary{cursor:pointer;list-style-position:outside;margin-left:1.2em}"
    ".typedstate h1{font-size:1.1em;margin:.3em 0}"
    ".typedstate b{font-weight:600}"
    ".typedstate .size,.typedstate .placed,.typedstate .note{opacity:.65}"
    ".typedstate .placed{margin-left:.8em}.typedstate .size{margin-left:.8em}"
    ".typedstate .d{color:hsl(var(--h) 75% 38%);font-weight:600}"
    ".typedstate .count,.typedstate .code{color:#fff;background:#c62828;border-radius:.6em;"
    "padding:0 .5em;font-size:.85em;margin-left:.6em}"
    ".typedstate .wrong>b,.typedstate .wrong>summary>b{color:#c62828}"
    ".typedstate .why{margin-left:1.3em;border-left:3px solid #c62828;padding-left:.6em}"
    ".typedstate .expected{color:#1b5e20}.typedstate .actual{color:#b71c1c}"
    ".typedstate p{margin:.2em 0}"
    "@media (prefers-color-scheme:dark){"
    ".typedstate .d{color:hsl(var(--h) 80% 68%)}"
    ".typedstate .wrong>b,.typedstate .wrong>summary>b,.typedstate .actual{color:#ff8a80}"
    ".typedstate .expected{color:#a5d6a7}}"
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
    """A picture to stand in a page or a notebook: a title, lines of text, a tree."""
    trees = list(twigs)
    counts = counted(trees)
    parts = [f'<div class="typedstate"><style>{STYLE}</style><h1>{_text(title, {})}</h1>']
    parts.extend(f"<p>{_text(line, {})}</p>" for line in lines)
    depth = 0 if len(counts) > _SMALL else -len(counts)
    for twig in trees:
        parts.extend(_twig(twig, counts, {}, depth))
    parts.append("</div>")
    return "".join(parts)


def page(title: str, body: str) -> str:
    """A whole document around a picture, in one file."""
    return _PAGE.format(title=_clean(title), body=body)


def _twig(
    twig: Twig, counts: Mapping[int, int], names: Mapping[str, str], depth: int
) -> Iterator[str]:
    wrong = counts[id(twig)]
    line = "".join(_line(twig, names))
    if not twig.below:
        yield f'<div class="leaf{" wrong" if wrong else ""}">{line}</div>'
        yield from map(_mark, twig.marks)
        return
    count = f'<span class="count">{wrong} wrong</span>' if wrong else ""
    opened = " open" if wrong or depth < _OPEN else ""
    marked = ' class="wrong"' if twig.marks else ""
    yield f"<details{opened}{marked}><summary>{line}{count}</summary>"
    yield from map(_mark, twig.marks)
    inside = {inner: names.get(outer, outer) for inner, outer in twig.links.items()}
    for below in twig.below:
        yield from _twig(below, counts, inside, depth + 1)
    yield "</details>"


def _line(twig: Twig, names: Mapping[str, str]) -> Iterator[str]:
    yield f"<b>{_clean(twig.key)}</b>"
    if twig.text:
        yield f": {_text(twig.text, names)}"
    if twig.placed:
        yield f'<span class="placed">{_clean(twig.placed)}</span>'
    if twig.size:
        yield f'<span class="size">{_clean(twig.size)}</span>'


def _mark(mark: Mark) -> str:
    meaning = _clean(MEANINGS.get(mark.code, ""))
    note = f' <span class="note">({_text(mark.note, {})})</span>' if mark.note else ""
    expected = f'<span class="expected">expected {_text(mark.expected, {})}</span>'
    actual = f'<span class="actual">found {_text(mark.actual, {})}</span>'
    told = [expected] if mark.code == "missing" else [expected, actual]
    if mark.code == "extra":
        told = [actual]
    code = f'<span class="code" title="{meaning}">{_clean(mark.code)}</span>'
    return f'<div class="why">{", ".join(told)}{note}{code}</div>'


def _text(text: str, names: Mapping[str, str]) -> str:
    return "".join(
        _clean(piece)
        if name is None
        else f'<span class="d d{index_of(name)}" title="{_clean(name)}">{_clean(piece)}</span>'
        for piece, name in pieces(text, names)
        if piece
    )


def _clean(text: str) -> str:
    """A text of anyone's, on one line and without power over the page."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return escape(text)
