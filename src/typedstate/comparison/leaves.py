"""Compares two leaves in one direction: kind, value, dtype, shape, axis names."""

from __future__ import annotations

from re import Pattern
from typing import TYPE_CHECKING, Any

from .._compat import scalars
from .._compat.axis_rules import axis_names
from .._compat.unknown_kind import UnknownKind
from .._sharding.axis_names import show_names, spellings
from .._spec.describe import describe
from .._spec.dim_grammar import show_shape
from .._spec.dims import Dim, Fixed, SingleDim, VariadicDim, substitute
from .._spec.leaf_conditions import Predicate
from .._spec.node_groups import StateSpec
from .._spec.nodes import (
    Anything,
    Array,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    MappingOf,
    NoValue,
    Partition,
    RecordOf,
    Spec,
    TupleOf,
    Union,
    Validated,
)
from .._validation.opening import At
from .._validation.scopes import Scope
from ..report import Path

if TYPE_CHECKING:
    from .containment import Containment


def compare(to: Containment, a: At, b: At, path: Path) -> None:
    """Adds a finding for each way in which a leaf of `a` may not fit `b`."""
    one = a.spec if isinstance(a.spec, Leaf) else Leaf(None, a.spec)
    other = b.spec if isinstance(b.spec, Leaf) else Leaf(None, b.spec)
    if other == Leaf(None, Anything()):
        return
    if isinstance(one.value, Anything) and one.kind is None:
        to.add(path, "array", describe(b.spec), "anything")
        return
    if not _kind_within(one, other):
        to.add(path, "kind", describe(other), describe(one))
        return
    _names(to, one, other, path)
    _memory(to, one, other, path)
    if other.placed is not None and one.placed != other.placed:
        to.add(path, "sharding", "really sharded as declared", "anywhere")
    _predicates(to, one.predicates, other.predicates, path)
    _value(to, _within(a, one.value), _within(b, other.value), path)


def _within(at: At, spec: Spec) -> At:
    return At(spec, at.scope, at.outermost)


def _kind_within(a: Leaf, b: Leaf) -> bool:
    if UnknownKind in (a.kind, b.kind):  # whether they are alike can't be told
        return True
    if a.kind is None or b.kind is None:
        return a.kind is b.kind
    return (a.exact and a.kind is b.kind) if b.exact else issubclass(a.kind, b.kind)


def _rank(leaf: Leaf) -> int | None:
    shape = leaf.value.shape if isinstance(leaf.value, Array) else None
    is_open = shape is None or any(isinstance(dim, VariadicDim) for dim in shape)
    return None if is_open or shape is None else len(shape)


def _names(to: Containment, a: Leaf, b: Leaf, path: Path) -> None:
    if b.names is None:
        return
    wanted = b.names if ... in b.names else axis_names(b.names)
    if a.names is None:
        silent = not wanted or b.by_dims
        shown = show_names(wanted, b.storage)
        to.add(path, "sharding", shown, "any axis names", sure=not silent)
        return
    found = a.names if ... in a.names else axis_names(a.names)
    may_lack = b.by_dims or not wanted
    accepted = {wanted, *map(axis_names, spellings(wanted, b.stacked, _rank(b)))}
    given = {found, *map(axis_names, spellings(found, a.stacked, _rank(a)))}
    if a.storage.sums == b.storage.sums:
        if given <= accepted and (not a.by_dims or may_lack):
            return
        if not found and may_lack:
            return
    open_ = ... in found or ... in wanted
    expected, actual = show_names(wanted, b.storage), show_names(found, a.storage)
    to.add(path, "sharding", expected, actual, sure=not open_)


def _memory(to: Containment, a: Leaf, b: Leaf, path: Path) -> None:
    """The memory that is declared; only `Placed` asks the arrays of a state for it."""
    wanted, found = b.storage.memory_kind, a.storage.memory_kind
    if wanted is None or wanted == found:
        return
    shown = "any memory kind" if found is None else f"memory kind {found!r}"
    sure = b.placed is not None and a.placed is not None
    to.add(path, "sharding", f"memory kind {wanted!r}", shown, sure=sure)


def _predicates(
    to: Containment, a: tuple[Predicate, ...], b: tuple[Predicate, ...], path: Path
) -> None:
    for item in b:
        if not any(item.test == other.test for other in a):
            to.add(path, "predicate", item.text, "any value", sure=False)


def _value(to: Containment, one: At, other: At, path: Path) -> None:
    a, b = one.spec, other.spec
    match a, b:
        case _, Anything():
            return
        case Validated(inner, predicates), _:
            kept = b.predicates if isinstance(b, Validated) else ()
            _predicates(to, predicates, kept, path)
            wanted = b.inner if isinstance(b, Validated) else b
            _either(to, _within(one, inner), _within(other, wanted), path)
        case _, Validated(inner, predicates):
            _predicates(to, (), predicates, path)
            _either(to, one, _within(other, inner), path)
        case Union(options), _:
            for option in options:
                _value(to, _within(one, option), other, path)
        case _, Union():
            to.walk(one, other, path)
        case Array(), Array():
            _array(to, one.scope, a, other.scope, b, path)
        case NoValue(), NoValue():
            return
        case Instance(cls), Instance(wanted) if issubclass(cls, wanted):
            return
        case Instance(cls), Instance(wanted, counts=True) if scalars.counts_for(cls, wanted):
            return
        case Literally(values), Literally(others) if all(_among(item, others) for item in values):
            return
        case Literally(values), Instance(cls) if all(isinstance(item, cls) for item in values):
            return
        case Literally(values), Instance(cls, counts=True) if all(
            scalars.counts_as(item, cls) for item in values
        ):
            return
        case TupleOf(), TupleOf():
            _tuple(to, one, a, other, b, path)
        case TupleOf(), Instance(cls) if issubclass(tuple, cls):
            return
        case ItemsOf(cls, item), ItemsOf(wanted, items) if issubclass(cls, wanted):
            to.walk(_within(one, item), _within(other, items), path)
        case MappingOf(cls, key, value), MappingOf(wanted, keys, values) if issubclass(cls, wanted):
            to.walk(At(key, one.scope), At(keys, other.scope), path)
            to.walk(_within(one, value), _within(other, values), path)
        case RecordOf(), RecordOf() if a.cls is b.cls:
            _record(to, one.scope, a, other.scope, b, path)
        case Partition(), Partition() if _is_alike(a, b):
            if b.shape is not None and a.shape != b.shape:
                to.add(path, "size", _shape_text(b.shape), _shape_text(a.shape), sure=False)
        case _:
            unsure = isinstance(a, Anything) or a == b
            to.add(path, "array", describe(b), describe(a), sure=not unsure)


def _either(to: Containment, one: At, other: At, path: Path) -> None:
    """Compares what two validators are asked of: values, or trees."""
    if isinstance(one.spec, StateSpec) or isinstance(other.spec, StateSpec):
        to.walk(one, other, path)
    else:
        _value(to, one, other, path)


def _is_alike(a: Partition, b: Partition) -> bool:
    """Whether a partition is of the class, names and storage that another one asks for."""
    if a.cls is not b.cls:
        return False
    if b.names not in (None, a.names):
        return False
    memory = b.storage.memory_kind
    sums = b.names is None or a.storage.sums == b.storage.sums
    return sums and memory in (None, a.storage.memory_kind)


def _among(value: Any, values: tuple[Any, ...]) -> bool:
    return any(type(value) is type(other) and value == other for other in values)


def _tuple(to: Containment, a: At, one: TupleOf, b: At, other: TupleOf, path: Path) -> None:
    (items, rest), (others, more) = (one.items, one.rest), (other.items, other.rest)
    if len(items) < len(others) or (more is None and (rest is not None or items[len(others) :])):
        to.add(path, "container", describe(other), describe(one))
        return
    for index, item in enumerate(items):
        wanted = others[index] if index < len(others) else more
        if wanted is not None:
            to.walk(_within(a, item), _within(b, wanted), (*path, index))
    if rest is not None and more is not None:
        to.walk(_within(a, rest), _within(b, more), path)


def _record(to: Containment, sa: Scope, a: RecordOf, sb: Scope, b: RecordOf, path: Path) -> None:
    found, wanted = dict(a.fields), dict(b.fields)
    of_dict = issubclass(a.cls, dict)
    for name, item in found.items():
        if name in wanted:
            to.walk(At(item, sa), At(wanted[name], sb), (*path, name))
            if name in b.required and name not in a.required:
                to.add((*path, name), "missing", describe(wanted[name]), "may be absent")
        elif of_dict:
            to.add((*path, name), "extra", "nothing", describe(item), spec=item)
    for name in b.required - set(found):
        to.add((*path, name), "missing", describe(wanted[name]), "nothing", spec=wanted[name])


# -- Arrays --------------------------------------------------------------------------------


def _array(to: Containment, sa: Scope, a: Array, sb: Scope, b: Array, path: Path) -> None:
    if a.abstract != b.abstract or not (
        b.cls is None or (a.cls is not None and issubclass(a.cls, b.cls))
    ):
        to.add(path, "array", describe(b), describe(a))
        return
    if b.dtypes is not None and not _dtypes_within(a.dtypes, b.dtypes):
        to.add(path, "dtype", b.dtype or "any dtype", a.dtype or "any dtype")
    if b.shape is not None:
        _shape(to, sa, a, sb, b, path)


def _dtypes_within(
    a: tuple[str | Pattern[str], ...] | None, b: tuple[str | Pattern[str], ...]
) -> bool:
    if a is None:
        return False
    plain = {"bool_" if item == "bool" else item for item in b}
    return all(
        ("bool_" if item == "bool" else item) in plain
        or (
            isinstance(item, str)
            and any(isinstance(other, Pattern) and other.match(item) for other in b)
        )
        for item in a
    )


def _shape(to: Containment, sa: Scope, a: Array, sb: Scope, b: Array, path: Path) -> None:
    wanted = b.shape or ()
    texts = _shape_text(b.shape), _shape_text(a.shape)
    if a.inserted or b.inserted:
        _inserted(to, sa, a, sb, b, path)
        return
    if a.shape is None:
        if [type(dim) for dim in wanted] != [VariadicDim]:
            to.add(path, "rank", *texts)
        return
    found = list(a.shape)
    run = next((i for i, dim in enumerate(wanted) if isinstance(dim, VariadicDim)), None)
    runs = sum(isinstance(dim, VariadicDim) for dim in found)
    local = to.first.new_scope(), to.second.new_scope()
    scopes = sa, sb
    if run is None:
        if runs or len(found) != len(wanted):
            to.add(path, "rank", *texts)
            return
        for index, (x, y) in enumerate(zip(found, wanted, strict=True)):
            _axis(to, scopes, local, x, y, path, index)
        return
    after = len(wanted) - run - 1
    head, tail = found[:run], found[len(found) - after :] if after else []
    short = len(found) - runs < len(wanted) - 1
    if short or any(isinstance(dim, VariadicDim) for dim in (*head, *tail)):
        to.add(path, "rank", *texts, sure=short and not runs)
        return
    for index, (x, y) in enumerate(zip(head, wanted[:run], strict=True)):
        _axis(to, scopes, local, x, y, path, index)
    for index, (x, y) in enumerate(zip(tail, wanted[run + 1 :], strict=True)):
        _axis(to, scopes, local, x, y, path, index - after)
    middle = found[run : len(found) - after]
    _run(to, scopes, local, middle, wanted[run], path)


def _inserted(to: Containment, sa: Scope, a: Array, sb: Scope, b: Array, path: Path) -> None:
    """Compares arrays with axes behind a run, which lie alike or can't be compared."""
    local = to.first.new_scope(), to.second.new_scope()
    one, other = a.shape or (), b.shape or ()
    alike = [type(dim) for dim in one] == [type(dim) for dim in other]
    if not alike or [index for index, _ in a.inserted] != [index for index, _ in b.inserted]:
        to.add(path, "rank", _shape_text(b.shape), _shape_text(a.shape), sure=False)
        return
    for index, (x, y) in enumerate(zip(one, other, strict=True)):
        if isinstance(y, VariadicDim):
            _run(to, (sa, sb), local, [x], y, path)
        else:
            _axis(to, (sa, sb), local, x, y, path, index)
    for (index, x), (_, y) in zip(a.inserted, b.inserted, strict=True):
        _axis(to, (sa, sb), local, x, y, path, index)


def _run(
    to: Containment,
    scopes: tuple[Scope, Scope],
    local: tuple[Scope, Scope],
    middle: list[Dim],
    dim: Dim,
    path: Path,
) -> None:
    """Compares a run ``*name`` by its text, as names of runs are never linked."""
    assert isinstance(dim, VariadicDim)
    if dim.name is None:
        return
    scope = local[1] if dim.per_leaf else scopes[1]
    texts: list[str] = []
    for item in middle:
        of = local[0] if item.per_leaf else scopes[0]
        if isinstance(item, VariadicDim):
            texts.append(f"*{of.lookup(item.name)}" if item.name else f"*{to.first.new_name('')}")
        else:
            expr = None if item.expr is None else substitute(item.expr, of.lookup)
            texts.append(str(to.first.new_name("_") if expr is None else expr))
        texts[-1] += "#" * item.broadcast
    key = str(scope.lookup(dim.name))
    known = to.runs.setdefault(key, texts)
    if known != texts:
        to.add(path, "dim", f"*{dim.name}", show_shape(tuple(middle)), sure=False)


def _axis(
    to: Containment,
    scopes: tuple[Scope, Scope],
    local: tuple[Scope, Scope],
    a: Dim,
    b: Dim,
    path: Path,
    index: int,
) -> None:
    assert isinstance(a, SingleDim)
    assert isinstance(b, SingleDim)
    if b.expr is None:
        return
    expr = substitute(b.expr, (local[1] if b.per_leaf else scopes[1]).lookup)
    if a.expr is None:
        found = to.first.new_name("_")
    else:
        found = substitute(a.expr, (local[0] if a.per_leaf else scopes[0]).lookup)
    if b.broadcast and found == Fixed(1):
        return
    if a.broadcast and not b.broadcast:
        to.add(path, "dim", f"axis {index} {b.text}", f"axis {index} #{a.text}")
        return
    to.equate(found, expr, path, f"axis {index}")


def _shape_text(shape: tuple[Dim, ...] | None) -> str:
    return "any shape" if shape is None else f'"{show_shape(shape)}"'
