"""`show`: a tree that draws itself in notebooks, in HTML, in terminals and as plain text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

from flax import nnx

from .._compat import modules, variables
from ..comparison.compare import judge
from ..comparison.subject import subject_of
from ..rendering import html
from ..rendering.printable import printable
from ..rendering.twig import Twig
from ..report import Report
from .outline import Branch, of_stored, of_value
from .schema_outline import of_spec
from .twigs import twig_of

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class Picture:
    """The tree of a value or of a schema: kinds, shapes, axis names, numbers, bytes, placement.

    A notebook draws it, ``rich.print`` colours it, ``print`` gives plain text.

    Attributes:
      name: the name of the model, schema or checkpoint.
      tree: the tree as data; ``tree.to_dict()`` is its JSON.
      report: the report of a check of the value; None without a hint.
      unknown: a sentence on facts that can't be known, such as the kinds in a checkpoint; empty
        if there are none.
    """

    name: str
    tree: Branch
    report: Report | None = None
    unknown: str = ""

    def __str__(self) -> str:
        """The tree as text, and below it the report, if there is one."""
        text = self.text(None)
        return text if self.report is None else f"{text}\n{self.report}"

    def text(self, depth: int | None) -> str:
        """The tree as text, down to `depth` levels; None for all."""
        lines = [self._head(), *map(str, self.tree.lines(depth)), *self._unknown()]
        return "\n".join(map(printable, lines))

    def colored(self, depth: int | None) -> Text:
        """The same text in colours, for ``rich.print``."""
        from ..rendering.dim_colors import Palette, bound_pieces, pieces
        from ..rendering.terminal import colored, joined

        palette = Palette()
        lines = [colored([(self._head(), "")], palette)]
        for line in self.tree.lines(depth):
            item = line.branch
            links = bound_pieces(item.bound, item.names, item.inside)
            parts = (*pieces(line.before, item.names), *links, (line.after, ""))
            lines.append(colored(parts, palette))
        lines += [colored([(text, "")], palette) for text in self._unknown()]
        return joined(lines)

    def _unknown(self) -> list[str]:
        return [f"unknown: {self.unknown}"] if self.unknown else []

    def to_html(self) -> str:
        """The picture as an HTML document in one file: no script, no network, all text escaped."""
        return html.page(self._head(), self._drawn())

    @property
    def _repr_html_(self) -> Callable[[], str]:
        """The notebook's HTML; a property that returns a function, as in `Report`."""
        return self._drawn

    def _drawn(self) -> str:
        return html.fragment(self._head(), [self._root()], self._remarks())

    def __treescope_repr__(self, path: str | None, subtree_renderer: Any) -> Any:
        """The picture inside a value that treescope shows."""
        from ..rendering import treescope_parts

        below = self._root().below or [self._root()]
        return treescope_parts.tree(self._head(), below, self._remarks(), path)

    def _root(self) -> Twig:
        root = twig_of(self.tree, self.report)
        if self.tree.told == self.name:  # a schema is named by what it is
            root.key, root.text = root.text, ""
        else:
            root.key = self.name
        return root

    def _remarks(self) -> list[str]:
        if self.report is None:
            return self._unknown()
        lines = [line.strip() for line in str(self.report).splitlines()[:1]]
        if self.report.cause:
            lines.append(f"cause: {self.report.cause}")
        return [*lines, *(f"unknown: {one}" for one in self.report.unknown)]

    def __rich__(self) -> Text:
        """The picture in colours, for ``rich.print``."""
        from ..rendering.terminal import joined

        tree = self.colored(None)
        return tree if self.report is None else joined([tree, self.report.__rich__()])

    def _head(self) -> str:
        return f"{self.name}: {self.tree.summary()}"


def show(x: object, hint: Any = None) -> Picture:
    """A picture of a state, a module, a checkpoint or a schema.

    No array is read. With a hint, violations are marked at their paths.

    Args:
      x: a state, a nested dict, an NNX module, the path of a checkpoint, a schema or a form.
      hint: a schema or form to check the value against; None for no check.

    Raises:
      SchemaError: `x` is none of these, or the hint means nothing.
      CheckpointError: there is no checkpoint at the path.

    Example:
      >>> from flax import nnx
      >>> print(show(nnx.Linear(2, 3, rngs=nnx.Rngs(0))))
      Linear: 2 leaves, 9 numbers, 36 B
      ├─ bias: Param float32[3] (3 numbers, 12 B)
      └─ kernel: Param float32[2,3] (6 numbers, 24 B)
    """
    from .. import checking

    if isinstance(x, str | PathLike):
        from ..checkpoint import inspect

        x = inspect(cast("str | PathLike[str]", x))
    name, value = _tree_of(x)
    if value is not None:
        report = None if hint is None else checking.explain(value, hint)
        return Picture(name, of_value(value), report)
    subject = subject_of(x)
    if subject.stored is not None:
        report = None if hint is None else judge(subject, subject_of(hint))
        tree, unknown = of_stored(subject.stored.leaves), subject.stored.unknown
        return Picture(subject.name.removeprefix("the "), tree, report, unknown)
    if subject.is_value:
        report = None if hint is None else checking.explain(subject.value, hint)
        return Picture(subject.name.removeprefix("a "), of_value(subject.value), report)
    tree = of_spec(subject.spec)
    return Picture(tree.told, tree)


def _tree_of(x: Any) -> tuple[str, Any]:
    """The name and the tree of a module, state or dict; the tree is None for anything else."""
    if modules.is_module(x):
        return type(x).__name__, nnx.state(x)
    if variables.is_state(x):
        return "state", x
    return "dict", variables.mapping_of(x) if isinstance(x, dict) else None
