"""Refuses a `Bind` of a dim that its schema does not have."""

from __future__ import annotations

import difflib
from typing import assert_never

from msgspec.structs import replace

from ..errors import SchemaError
from .describe import describe
from .node_groups import StateSpec, ValueSpec, WrapperSpec
from .nodes import Anything, Bound, Node, Spec, Union
from .questions import outermost_names, parts, root_of


def check_binds(spec: Spec, owner: str) -> None:
    """Refuses a Bind of a dim that its schema doesn't have."""
    if isinstance(spec, Bound):
        known = [*outermost_names(spec.inner), *outermost_names(_before_forms(spec.inner))]
        for name, _ in spec.links:
            if name not in known and name.isidentifier():  # forms link names of their own
                close = difflib.get_close_matches(name, known, n=1)
                has = f"it has {', '.join(dict.fromkeys(known))}" if known else "it has none"
                fix = f"did you mean {close[0]!r}?" if close else has
                text = f"Bind names the dim {name!r} that {describe(spec.inner)} doesn't have"
                raise SchemaError(f"{owner}: {text}; {fix}")
    for part in parts(spec):
        check_binds(part, owner)


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
