"""The result of a check, as data and as text: `Violation`, `Unknown`, `Report`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from .rendering.printable import printable

if TYPE_CHECKING:
    from rich.text import Text

    from .rendering.twig import Mark

Code = Literal[
    "missing",
    "extra",
    "key",
    "kind",
    "container",
    "array",
    "dtype",
    "rank",
    "size",
    "dim",
    "sharding",
    "metadata",
    "predicate",
]
CODES: Final[tuple[Code, ...]] = get_args(Code)
#: The keys from the root of a tree to a place in it.
Path = tuple[Hashable, ...]
Size = int | tuple[int, ...]

_SHOWN: Final = 20
_ALIKE: Final = 3  # of violations that a cause explains
_WIDTH: Final = 240
_BUDGET: Final = 3600


def show_path(path: tuple[Hashable, ...], root: str = "") -> str:
    """Writes keys as Python would read them: ``params.blocks[0].up.kernel``."""
    text = root
    for key in path:
        if isinstance(key, str) and key.replace("{}", "_").isidentifier():  # a pattern is bare, too
            text += f".{key}" if text else key
        else:
            text += f"[{show_key(key)}]"
    return text


def show_key(key: object) -> str:
    """Writes a key on one line, cut where it is long."""
    try:
        text = repr(key)
    except Exception:  # a user's key class may do anything
        text = f"<{type(key).__name__}>"
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a value does not fit its hint.

    Attributes:
      path: the path as text, e.g. ``params.blocks[0].up.kernel``; empty for the value itself.
      code: one of `CODES`.
      expected: the declaration.
      actual: the value that was found, by class, dtype and shape; never an array's contents.
      note: the likely cause or fix; empty if none is recognised.
      keys: the path as a tuple of keys.
    """

    path: str
    code: Code
    expected: str
    actual: str
    note: str = ""
    keys: tuple[Hashable, ...] = field(default=(), compare=False)

    @property
    def message(self) -> str:
        """The violation as a sentence, without its path."""
        match self.code:
            case "missing":
                text = f"missing, expected {self.expected}"
            case "extra" if self.expected.startswith("no such "):
                text = f"not declared, found {self.actual}"
            case "dim":
                text = f"{self.actual}, but {self.expected}"
            case _:
                text = f"expected {self.expected}, found {self.actual}"
        return f"{text} ({self.note})" if self.note else text

    def __str__(self) -> str:
        """One line: path, sentence, code."""
        return _cut(f"{self.path or 'the value'}: {self.message}", self.code)

    def to_dict(self) -> dict[str, str]:
        """The violation as JSON data."""
        data = {
            "path": self.path,
            "code": self.code,
            "expected": self.expected,
            "actual": self.actual,
        }
        return {**data, "note": self.note} if self.note else data


def _cut(text: str, code: str) -> str:
    return f"{_cut_line(printable(text))} [{code}]"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that the hint says and the value can't show: an open dim, a traced sharding."""

    path: str
    text: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.path}: {self.text}" if self.path else self.text


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check. It is truthy if the value fits.

    Attributes:
      hint: the hint, as its user wrote it.
      violations: all violations, in tree order.
      dims: the sizes of the outermost schema's names; a tuple for ``*name``.
      unknown: the facts that could not be decided, such as shardings under tracing.
      cause: the common cause of most violations; empty if none is recognised.
      explained: the indices of the violations with that cause; the text shows three of them.
    """

    hint: str
    violations: tuple[Violation, ...] = ()
    dims: Mapping[str, Size] = field(default_factory=dict[str, Size])
    unknown: tuple[Unknown, ...] = ()
    cause: str = ""
    explained: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        """Whether the value fits."""
        return not self.violations

    def __str__(self) -> str:
        """The report as text of less than 4 KB: the first 20 violations, then counts."""
        return "\n".join([_cut_line(printable(self._head())), *self.lines()])

    def _head(self) -> str:
        return f"fits {self.hint}" if self else f"does not fit {self.hint}: {self._count()}"

    def lines(self, indent: str = "  ") -> list[str]:
        """The lines below the headline: cause, violations, counts of the rest, dims, unknown."""
        lines = [*self._violations(indent)]
        if self.cause:
            lines.insert(0, f"{indent}cause: {printable(self.cause)}")
        lines += self._sizes(indent)
        if self.unknown:
            first, *others = self.unknown
            more_text = f", and {len(others)} more" if others else ""
            lines.append(f"{indent}unknown: {printable(str(first))[:200]}{more_text}")
        return lines

    def _sizes(self, indent: str) -> list[str]:
        if not self.dims:
            return []
        sizes = " ".join(f"{name}={_show_size(size)}" for name, size in self.dims.items())
        return [f"{indent}dims: {sizes[:200]}"]

    def _violations(self, indent: str) -> Iterator[str]:
        room = _BUDGET
        alike = set(sorted(self.explained)[_ALIKE:])
        told = [one for index, one in enumerate(self.violations) if index not in alike]
        shown = 0
        for violation in told[:_SHOWN]:
            line = indent + str(violation)
            room -= len(line.encode()) + 1
            if room < 0:
                break
            shown += 1
            yield line
        if alike:
            yield f"{indent}and {len(alike)} more of that cause"
        if rest := told[shown:]:
            counts = Counter(violation.code for violation in rest)
            more = ", ".join(f"{counts[code]} {code}" for code in CODES if counts[code])
            yield f"{indent}and {len(rest)} more: {more}"

    def _count(self) -> str:
        count = len(self.violations)
        return f"{count} violation{'s' if count != 1 else ''}"

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON data."""
        data: dict[str, Any] = {
            "hint": self.hint,
            "fits": bool(self),
            "violations": [violation.to_dict() for violation in self.violations],
            "dims": {
                name: list(size) if isinstance(size, tuple) else size
                for name, size in self.dims.items()
            },
            "unknown": [{"path": item.path, "text": item.text} for item in self.unknown],
        }
        return {**data, "cause": self.cause} if self.cause else data

    def to_json(self, indent: int | None = None) -> str:
        """The report as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    def to_html(self) -> str:
        """The report as a page of one file: no script, no network, everything escaped.

        All violations at their places in the tree, folded. It holds of the value what the text
        does; ``show(value, hint).to_html()`` draws the whole tree.
        """
        from .rendering import html

        return html.page(self._head(), self._drawn())

    @property
    def _repr_html_(self) -> Callable[[], str]:
        """What a notebook asks for the report as it shows it.

        No method, as treescope would append what any class's method of the name gives to the
        tree that it is given by `__treescope_repr__`.
        """
        return self._drawn

    def _drawn(self) -> str:
        from .rendering import html
        from .rendering.twig import planted

        return html.fragment(self._head(), planted(self.marks()), self._remarks())

    def _remarks(self) -> list[str]:
        lines = [f"cause: {self.cause}"] if self.cause else []
        lines += [line.strip() for line in self._sizes("")]
        return [*lines, *(f"unknown: {one}" for one in self.unknown)]

    def __treescope_repr__(self, path: str | None, subtree_renderer: Any) -> Any:
        """The report where treescope shows what holds it."""
        from .rendering import treescope_parts
        from .rendering.twig import planted

        return treescope_parts.tree(self._head(), planted(self.marks()), self._remarks(), path)

    def __rich__(self) -> Text:
        """The report in colours, for ``rich.print``."""
        from .rendering.terminal import styled

        return styled(str(self))

    def marks(self) -> Iterator[tuple[tuple[str, ...], Mark]]:
        """Yields the violations as marks in a picture, each with the keys that lead to it."""
        from .rendering.twig import Mark

        for one in self.violations:
            mark = Mark(one.code, one.expected, one.actual, one.note)
            yield _place(one), mark


def _place(violation: Violation) -> tuple[str, ...]:
    """The keys from the root of the picture to a violation, as they are written."""
    below = show_path(violation.keys)
    root = violation.path.removesuffix(below).rstrip(".") if below else violation.path
    keys = tuple(key if isinstance(key, str) else show_key(key) for key in violation.keys)
    return (root, *keys) if root else keys


def _cut_line(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _show_size(size: Size) -> str:
    return str(size).replace(" ", "")
