"""Forms around forms: what one takes away from the leaves, another may need.

`Pure` leaves no kinds, `Specs` leaves no arrays: a form that selects by kind or adds an axis
goes inside of those. A transform itself says what it needs and what it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, assert_never

from ..errors import SchemaError
from .describe import describe
from .filters import show_filter
from .node_groups import LevelSpec, StateSpec, ValueSpec, WrapperSpec
from .nodes import (
    Anything,
    Conditional,
    FlatSpec,
    Leaf,
    ModuleState,
    Node,
    SchemaRef,
    Spec,
    Union,
    Within,
)
from .questions import parts, root_of
from .rewrite import Derived, rewrite
from .transform import Transform

_MAX_NESTED: Final = 16


def transformed(spec: Spec, transform: Transform) -> Spec:
    """Applies a form to a spec.

    Raises:
      SchemaError: the form means nothing there, or leaves nothing of it.
    """
    refuse_senseless(spec, transform)
    found = rewrite(spec, transform)
    if found is None:
        raise SchemaError(f"{transform.title(describe(spec))} is empty: no leaf is left")
    _refuse_undecided(spec, found, transform)
    return found


def _refuse_undecided(spec: Spec, found: Spec, transform: Transform) -> None:
    """Refuses a form in which a filter that was given inside decides about no leaf any more.

    Raises:
      SchemaError: the message names the filter.
    """
    inner = [form.transform for chain in _forms_of(spec) for form in chain]
    if not any(one.by_path for one in inner) or (transform.keeps_kinds and transform.keeps_values):
        return
    try:
        left = list(_leaves(found, lambda ref: ref, frozenset()))
        every = list(_leaves(spec, root_of, frozenset()))
    except SchemaError:  # a name that is not there yet
        return
    if len(left) < len(every):
        return
    undecided = [leaf for leaf in left if isinstance(leaf, Conditional) and leaf.open]
    if undecided and len(undecided) == len(left):
        title = transform.title(describe(spec))
        text = show_filter(undecided[0].filter)
        raise SchemaError(f"{title}: nothing in it shows what {text} reads: it decides of no leaf")


def _leaves(
    spec: Spec, opened: Callable[[SchemaRef], SchemaRef], seen: frozenset[int]
) -> Iterator[Spec]:
    """Yields the declared leaves of a tree, of a recursive schema once."""
    match spec:
        case Node(ref):
            ref = opened(ref)
            if id(ref) in seen or len(seen) > _MAX_NESTED:
                return
            schema = ref.resolve()
            for field in schema.fields:
                yield from _leaves(field.spec, opened, seen | {id(ref)})
            for pattern in schema.extra.patterns:
                yield from _leaves(pattern.entry, opened, seen | {id(ref)})
        case Anything() | ValueSpec() | Leaf() | Within() | Conditional() | ModuleState():
            yield spec
        case LevelSpec() | WrapperSpec() | Union() | FlatSpec():
            for part in parts(spec):
                yield from _leaves(part, opened, seen)
        case _:
            assert_never(spec)


def refuse_senseless(spec: Spec, transform: Transform) -> None:
    """Refuses a form that needs what a form inside of it has taken away.

    Raises:
      SchemaError: the message says in which order they go.
    """
    for chain in _forms_of(spec):
        for depth, inner in enumerate(chain):
            reason = _clash(inner.transform, transform)
            if reason is None:
                continue
            found = f"{transform.title(chain[0].name)}: {inner.name} has no {reason}"
            if _clash(transform, inner.transform) is not None:
                raise SchemaError(f"{found}; the two exclude each other")
            fixed = transform.title(inner.base.name)
            for outer in reversed(chain[: depth + 1]):
                fixed = outer.transform.title(fixed)
            raise SchemaError(f"{found}; write {fixed}")


def _forms_of(spec: Spec) -> Iterator[tuple[Derived, ...]]:
    """Yields the forms of each schema in a hint, the outermost first."""
    match spec:
        case Node(ref):
            chain: list[Derived] = []
            while isinstance(ref, Derived):
                chain.append(ref)
                ref = ref.base
            if chain:
                yield tuple(chain)
        case LevelSpec() | WrapperSpec() | Union():
            for part in parts(spec):
                yield from _forms_of(part)
        case Anything() | ValueSpec() | StateSpec():
            return
        case _:
            assert_never(spec)


def _clash(inner: Transform, outer: Transform) -> str | None:
    """A requirement of the outer form that the inner form has removed; None if there is none."""
    if outer.needs_kinds and not inner.holds_kinds:
        return "kinds, only values"
    if outer.needs_arrays and not inner.holds_arrays:
        return "arrays"
    return None
