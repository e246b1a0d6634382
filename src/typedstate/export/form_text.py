"""Writes a form around the text of what it is made of, for `to_source`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import jaxtyping
from flax.nnx import filterlib

from .._annotations.array_hints import dtype_class
from .._spec.dims import Expr, Name
from .._spec.selecting import Adding, Selecting
from .._spec.transform import Transform
from ..forms.likeness import Resembling
from ..forms.memory import Keeping
from ..forms.placing import Placing
from ..forms.presence import Requiring
from ..forms.replacing import Abstracting, Replacing, Unwrapping
from ..forms.stacking import Stacking, show_axis
from .dim_text import expr_text
from .linkable import Links
from .source_file import quoted
from .written import Writer

_LITERALS: Final = (str, int, bool)
#: The sizes of the axes of stacks, by the name of the axis inside of the stack.
Sizes = Mapping[str, Expr[str]]
_NO_SIZES: Final[Sizes] = {}


def can_write_form(form: Transform) -> bool:
    """Whether `form_text` can write a form."""
    match form:
        case Selecting(filters=filters) | Stacking(filters=filters):
            return all(map(_can_write_filter, filters))
        case Resembling(dtype=None):
            return not form.filters
        case Resembling(dtype=dtype):
            known = not form.kinds and not form.values and _dtype_name(dtype) is not None
            return known and all(map(_can_write_filter, form.filters))
        case Placing(placed):
            return placed.rules is None
        case Adding() | Requiring() | Keeping() | Unwrapping() | Abstracting() | Replacing():
            return True
        case _:
            return False


def axes_of(forms: Iterable[Transform]) -> set[str]:
    """The names of the axes inside of those forms that are stacks."""
    return {form.dim for form in forms if isinstance(form, Stacking)}


class Axes:
    """The axes of stacks, followed through the links around them to their sizes."""

    def __init__(self, forms: Iterable[Transform]) -> None:
        """Starts inside of all links."""
        self._names = {dim: dim for dim in axes_of(forms)}

    def within(self, links: Links) -> tuple[Sizes, Links]:
        """The sizes that links give to axes, and the links of other names."""
        table, sizes = dict(links), dict[str, Expr[str]]()
        passed = set(self._names.values()) & table.keys()
        for dim, name in list(self._names.items()):
            size = table.get(name)
            if isinstance(size, Name) and not size.name.isidentifier():  # an axis further out
                self._names[dim] = size.name
            elif size is not None:
                sizes[dim] = size
                del self._names[dim]
        return sizes, tuple(link for link in links if link[0] not in passed)


def form_text(
    form: Transform, inner: str, writer: Writer, where: str, sizes: Sizes = _NO_SIZES
) -> str:
    """The text of a form that `can_write_form` accepts.

    Args:
      form: the form.
      inner: the text of what it is made of.
      writer: writes the leaves that it has.
      where: the position in the hint, for messages.
      sizes: the sizes of the axes of stacks.
    """
    name, arguments = _parts(form, writer, where, sizes)
    return f"{writer.file.own(name)}[{', '.join([inner, *arguments])}]"


def _parts(form: Transform, writer: Writer, where: str, sizes: Sizes) -> tuple[str, list[str]]:
    file = writer.file
    match form:
        case Selecting(filters, keep):
            return "Only" if keep else "Rest", _filters(filters, writer, where)
        case Stacking(dim, _, index, partition, filters):
            axis: list[str] = []
            if index or partition is not ...:
                axis = [show_axis(index, partition).replace("Axis", file.own("Axis"), 1)]
            size = quoted(expr_text(sizes[dim]))
            return "Stacked", [size, *axis, *_filters(filters, writer, where)]
        case Resembling(dtype=None):
            options = (*form.kinds, *form.values)
            return "Like", [" | ".join(writer.spec(one, where) for one in options)]
        case Resembling(dtype=dtype):
            dtypes = file.imported("jaxtyping", str(_dtype_name(dtype)))
            return "Cast", [dtypes, *_filters(form.filters, writer, where)]
        case Adding(kinds):
            return "Plus", [file.class_name(kind, where) for kind in kinds]
        case Requiring(paths):
            return "Having", [*map(quoted, paths)]
        case Keeping(kind):
            return "MemoryKind", [quoted(kind)]
        case Unwrapping(pure):
            return "Pure" if pure else "Values", []
        case Replacing(name, _):
            return name, []
        case Placing():
            return "Placed", []
        case _:
            return "Abstract", []


def _dtype_name(dtype: tuple[str, Any] | None) -> str | None:
    """The name of a dtype class, if it is one of jaxtyping."""
    name = "" if dtype is None else dtype[0] or "Shaped"
    return name if dtype_class(getattr(jaxtyping, name, None)) == dtype else None


# -- Filters -------------------------------------------------------------------------------


def _can_write_filter(item: Any) -> bool:
    match item:
        case type():
            return "<locals>" not in item.__qualname__
        case str() | bool() | None:
            return True
        case list() | tuple():
            return all(map(_can_write_filter, cast("Iterable[Any]", item)))
        case filterlib.Any(predicates=inner) | filterlib.All(predicates=inner):
            return all(map(_can_write_filter, inner))
        case filterlib.Not(predicate=inner):
            return _can_write_filter(inner)
        case filterlib.OfType(type=cls):
            return _can_write_filter(cls)
        case filterlib.PathContains():
            return type(item.key) in _LITERALS
        case _:
            known = filterlib.WithTag | filterlib.Everything | filterlib.Nothing
            return item is ... or isinstance(item, known)


def _filters(filters: Iterable[Any], writer: Writer, where: str) -> list[str]:
    return [_filter(item, writer, where) for item in filters]


def _filter(item: Any, writer: Writer, where: str) -> str:
    nnx = f"{writer.file.imported('flax', 'nnx')}."
    match item:
        case type():
            return writer.file.class_name(item, where)
        case filterlib.OfType(type=cls):
            return writer.file.class_name(cls, where)
        case str():
            return quoted(item)
        case filterlib.WithTag(tag=tag):
            return quoted(tag)
        case list() | tuple():
            return f"[{', '.join(_filters(cast('Iterable[Any]', item), writer, where))}]"
        case filterlib.Any(predicates=inner):
            return f"{nnx}Any({', '.join(_filters(inner, writer, where))})"
        case filterlib.All(predicates=inner):
            return f"{nnx}All({', '.join(_filters(inner, writer, where))})"
        case filterlib.Not(predicate=inner):
            return f"{nnx}Not({_filter(inner, writer, where)})"
        case filterlib.PathContains(key=key):
            text = quoted(key) if isinstance(key, str) else repr(key)
            loose = "" if getattr(item, "exact", True) else ", exact=False"
            return f"{nnx}PathContains({text}{loose})"
        case filterlib.Everything():
            return "..."
        case filterlib.Nothing():
            return "False"
        case _:
            return "..." if item is ... else repr(item)
