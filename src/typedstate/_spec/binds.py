"""Refuses a `Bind` of a dim that its schema does not have."""

from __future__ import annotations

import difflib
from typing import assert_never

from msgspec.structs import replace

from ..errors import SchemaError
from .describe import describe
from .dim_grammar import show_expr
from .dims import Name, VariadicDim
from .node_groups import StateSpec, ValueSpec, WrapperSpec
from .nodes import (
    Anything,
    Argument,
    Array,
    Bound,
    Node,
    Partition,
    ScopedSpec,
    Spec,
    Union,
)
from .questions import all_dims, outermost_names, parts, root_of
from .unrolling import run_of


def check_binds(spec: Spec, owner: str) -> None:
    """Refuses a Bind of a dim that its schema doesn't have."""
    if isinstance(spec, Bound):
        left = outermost_names(spec.inner)
        unrolled = {run for name in left if (run := run_of(name)) is not None}
        known = [*left, *outermost_names(_before_forms(spec.inner))]
        known = [*(name for name in known if run_of(name) is None), *unrolled]
        runs = _runs(_before_forms(spec.inner)) | unrolled
        asked = dict.fromkeys(run for name, _ in spec.links if (run := run_of(name)) is not None)
        for name in (*asked, *(name for name, _ in spec.links if name.isidentifier())):
            if name not in known:  # forms link names of their own, which are no identifiers
                close = difflib.get_close_matches(name, known, n=1)
                has = f"it has {', '.join(dict.fromkeys(known))}" if known else "it has none"
                fix = f"did you mean {close[0]!r}?" if close else has
                text = f"Bind names the dim {name!r} that {describe(spec.inner)} doesn't have"
                raise SchemaError(f"{owner}: {text}; {fix}")
        for name in asked:
            if name not in runs:
                size = " ".join(
                    show_expr(expr) for link, expr in spec.links if run_of(link) == name
                )
                raise SchemaError(f"{owner}: {name!r} is one axis; write {name}={size}")
        for name, expr in spec.links:
            if name in runs and not isinstance(expr, Name):
                size = show_expr(expr)
                raise SchemaError(f"{owner}: {name!r} is a run of axes; write *{name}={size}")
    for part in parts(spec):
        check_binds(part, owner)


def _runs(spec: Spec, seen: frozenset[int] = frozenset(), *, inside: bool = False) -> set[str]:
    """The names that stand for runs of axes and that a `Bind` around a hint may link.

    Args:
      spec: the hint.
      seen: the schemas around it.
      inside: it stands in a schema, so that names of schemas in it are their own.
    """
    match spec:
        case Array() | Partition():
            dims = all_dims(spec)
            return {dim.name for dim in dims if isinstance(dim, VariadicDim) and dim.name}
        case Node(ref):
            if inside or id(root_of(ref)) in seen:
                return set()
            schema, seen = ref.resolve(), seen | {id(root_of(ref))}
            below = [field.spec for field in schema.fields]
            below += [pattern.entry for pattern in schema.extra.patterns]
            own = {name for one in below for name in _runs(one, seen, inside=True)}
            return own.union(*(_runs(item, seen) for item in ref.arguments))
        case Bound(inner, links):
            found, linked = _runs(inner, seen), dict(links)
            named = {expr.name for name in found if isinstance(expr := linked.get(name), Name)}
            return named if inside else named | (found - set(linked))
        case ScopedSpec() | Argument():
            return set()
        case Anything() | Union() | ValueSpec() | StateSpec():
            return {name for part in parts(spec) for name in _runs(part, seen, inside=inside)}
        case _:
            assert_never(spec)


def _before_forms(spec: Spec) -> Spec:
    """The schema of which a spec is a form: the form may have left out what has a dim."""
    match spec:
        case WrapperSpec():
            return replace(spec, inner=_before_forms(spec.inner))
        case Node(ref):
            return Node(root_of(ref))
        case Anything() | Union() | ValueSpec() | StateSpec():
            return spec
        case _:
            assert_never(spec)
