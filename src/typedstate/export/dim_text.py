"""Dims as the text of a shape or of a `Bind`, for `source_writer`."""

from __future__ import annotations

import keyword
import re

from .._spec import dim_grammar, dims
from .._spec.dims import Expr, Name, VariadicDim


def dim_text(dim: dims.Dim) -> str:
    """One dim of a shape."""
    if isinstance(dim, VariadicDim):
        return dim_grammar.show_dim(dim)
    if dim.expr is None:
        return "_"
    marks = ("?" if dim.per_leaf else "") + ("#" if dim.broadcast else "")
    return marks + expr_text(dim.expr)


def links_text(links: tuple[tuple[str, Expr[str]], ...]) -> str:
    """The links of a `Bind`; one to a dim of the same name is the name alone."""
    pairs = ((_name(name), expr_text(expr)) for name, expr in links)
    return " ".join(inner if inner == outer else f"{inner}={outer}" for inner, outer in pairs)


def expr_text(expr: Expr[str]) -> str:
    """A size, as text that is read back as it."""
    renamed = dims.substitute(expr, lambda name: Name(_name(name)))
    return dim_grammar.show_expr(renamed)


def _name(name: str) -> str:
    """The name of a dim; one that a form made, such as ``^layers`` or ``^^layers``, as a name."""
    if name.isidentifier() and not keyword.iskeyword(name):
        return name
    depth = len(name) - len(name.lstrip("^"))
    axis = "axis" if depth < 2 else f"axis{depth}"
    return f"{axis}_" + re.sub(r"\W", "_", name, flags=re.ASCII).strip("_")
