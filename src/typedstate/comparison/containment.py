"""`Containment`: finds the values that fit one spec and not another, in one direction.

It walks both specs side by side, and collects a finding wherever the second may refuse a value of
the first. Equations between sizes are solved at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from .._spec import filters
from .._spec.describe import class_name, describe
from .._spec.dims import Expr
from .._spec.filters import WILDCARD, Answer
from .._spec.leaf_conditions import Allowed
from .._spec.node_groups import LevelSpec, WrapperSpec
from .._spec.nodes import (
    Anything,
    Conditional,
    EntriesSpec,
    Extra,
    Field,
    FlatSpec,
    Leaf,
    Map,
    ModuleState,
    Node,
    Schema,
    SchemaRef,
    Spec,
    StateOfSpec,
    Union,
    Validated,
)
from .._spec.questions import needs_leaf, own_names, root_of
from .._validation.opening import At, Side, open_binds
from .._validation.scopes import Scope, Var
from ..report import Path
from . import leaves, lengths
from .findings import Code, Equation, Finding
from .levels import Level, has_branch, is_counted_out
from .sizes import settled

_MAX_DEPTH: Final = 60
_MAX_AGAIN: Final = 2
#: Unions in unions multiply what is compared: beyond so many steps the rest is undecided.
_MAX_STEPS: Final = 20_000


class _Seen(msgspec.Struct, frozen=True, eq=False):
    """A branch without keys."""

    name: str = "nothing"
    arguments: tuple[Spec, ...] = ()
    owners: Mapping[object, bool] = {}

    def resolve(self) -> Schema:
        return Schema(self.name, ())


_EMPTY: Final = Node(_Seen())


def _is_same_occurrence(a: At, b: At) -> bool:
    """Whether both are the same schema without a `Bind`: its names belong to it on either side."""
    if a.outermost or b.outermost or not isinstance(a.spec, Node):
        return False
    return isinstance(b.spec, Node) and a.spec.ref is b.spec.ref and not a.spec.ref.owners


class Containment:
    """The comparison of one direction.

    Attributes:
      findings: one for each way in which the second may refuse a value of the first.
    """

    def __init__(self) -> None:
        """Starts with nothing seen."""
        self.findings: list[Finding] = []
        self.first, self.second = Side(), Side()
        self.runs: dict[str, list[str]] = {}
        self._equations: list[Equation] = []
        self._sure = True
        self._in_flat = False
        self._steps = 0
        self._open: list[tuple[SchemaRef, SchemaRef]] = []

    def compare(self, a: Spec, b: Spec) -> list[Finding]:
        """The ways in which a value of `a` may not fit `b`."""
        try:
            self.walk(At(a, Scope(0), outermost=True), At(b, Scope(0), outermost=True), ())
        except RecursionError:
            self.add((), "other", "the same", "nested too deeply to compare", sure=False)
        self.findings += settled(self._equations)
        return list(dict.fromkeys(self.findings))

    def add(
        self,
        path: Path,
        code: Code,
        expected: str,
        actual: str,
        *,
        sure: bool = True,
        spec: Spec | None = None,
    ) -> None:
        """Collects one finding."""
        self.findings.append(Finding(path, code, expected, actual, sure and self._sure, spec))

    # -- Trees ---------------------------------------------------------------------------

    def walk(self, a: At, b: At, path: Path) -> None:
        """Compares the two specs at one path."""
        self._steps += 1
        if len(path) > _MAX_DEPTH:
            self.add(path, "other", "the same", "nested too deeply to compare", sure=False)
            return
        if self._steps > _MAX_STEPS:
            self.add(path, "other", "the same", "too many alternatives to compare", sure=False)
            return
        if _is_same_occurrence(a, b):
            return
        if isinstance(a.spec, ModuleState) and isinstance(b.spec, ModuleState):
            self._modules(a.spec.cls, b.spec.cls, path)
        closed = a  # opened anew, an occurrence has names of its own
        a, b = open_binds(self.first, a, path), open_binds(self.second, b, path)
        one, other = a.spec, b.spec
        if isinstance(other, Anything):
            return
        if isinstance(one, Conditional) or isinstance(other, Conditional):
            self._conditional(a, b, path)
        elif isinstance(one, Union):
            for option in one.options:
                self.walk(At(option, a.scope, a.outermost), b, path)
        elif isinstance(other, Union):
            self._union(closed, b, other, path)
        elif isinstance(one, Validated) or isinstance(other, Validated):
            leaves.compare(self, a, b, path)
        elif isinstance(one, LevelSpec) and isinstance(other, LevelSpec):
            self._trees(a, b, path)
        elif isinstance(one, FlatSpec) and isinstance(other, FlatSpec):
            self._flat(a, one, b, other, path)
        elif isinstance(one, LevelSpec) or isinstance(other, LevelSpec):
            self.add(path, "container", describe(other), describe(one))
        else:
            leaves.compare(self, a, b, path)

    def _modules(self, one: type, other: type, path: Path) -> None:
        if not issubclass(one, other):
            self.add(path, "container", class_name(other), class_name(one))

    def _flat(self, a: At, one: FlatSpec, b: At, other: FlatSpec, path: Path) -> None:
        """Compares what is nested in two flat trees, of which no container is declared."""
        if one.separator != other.separator:
            sure = None in (one.separator, other.separator) or has_branch(one.inner)
            self.add(path, "container", describe(other), describe(one), sure=sure)
            return
        outside, self._in_flat = self._in_flat, True
        nested = At(one.inner, a.scope, a.outermost), At(other.inner, b.scope, b.outermost)
        self.walk(*nested, path)
        self._in_flat = outside

    def _conditional(self, a: At, b: At, path: Path) -> None:
        one, other = a.spec, b.spec
        match one, other:
            case Conditional(), Conditional() if one.filter == other.filter:
                self._or_nothing(one.yes, a, other.yes, b, path)
                self._or_nothing(one.no, a, other.no, b, path)
                return
            case _:
                pass
        if isinstance(one, Conditional):
            for option in (one.yes, one.no):
                if option is not None:
                    self.walk(At(option, a.scope, a.outermost), b, path)
            return
        assert isinstance(other, Conditional)
        leaf = one if isinstance(one, Leaf) else Leaf(None, one)
        tree = isinstance(one, LevelSpec | Union | Anything)
        answer = Answer.MAYBE if tree else filters.decide(other.filter, other.path, leaf)
        if answer is Answer.MAYBE:
            text = f"what {filters.show_filter(other.filter)} says of it"
            self.add(path, "other", text, describe(one), sure=False)
            return
        option = other.yes if answer is Answer.YES else other.no
        self._or_nothing(one, a, option, b, path)

    def _or_nothing(self, x: Spec | None, a: At, y: Spec | None, b: At, path: Path) -> None:
        if x is None:
            return
        if y is None:
            self.add(path, "extra", "nothing", describe(x), spec=x)
            return
        self.walk(At(x, a.scope, a.outermost), At(y, b.scope, b.outermost), path)

    def _union(self, a: At, b: At, union: Union, path: Path) -> None:
        """Looks for one option that takes every value of `a`; sizes may decide between several."""
        findings, equations = self.findings, self._equations
        tried: list[tuple[list[Finding], list[Equation]]] = []
        for option in sorted(union.options, key=lambda option: option != a.spec):
            self.findings, self._equations = [], []
            self.walk(a, At(option, b.scope, b.outermost), path)
            tried.append((self.findings, self._equations))
            if option == a.spec and not self.findings:  # the very same: no other is asked
                break
        self.findings, self._equations = findings, equations
        fitting = [new for found, new in tried if not found]
        if fitting:
            alone = len(fitting) == 1 or not fitting[0]
            self._equations += [
                one if alone else msgspec.structs.replace(one, sure=False) for one in fitting[0]
            ]
            return
        best, _ = min(tried, key=lambda pair: len(pair[0]))
        sure = all(any(one.sure for one in found) for found, _ in tried)
        if all(finding.path == path for finding in best) and len(tried) > 1:
            self.add(path, best[0].code, describe(union), describe(a.spec), sure=sure)
            return
        self.findings += [msgspec.structs.replace(one, sure=one.sure and sure) for one in best]

    def _trees(self, a: At, b: At, path: Path) -> None:
        one, other = a.spec, b.spec
        if isinstance(one, Node) and isinstance(other, Node):
            pair = (root_of(one.ref), root_of(other.ref))
            if self._open.count(pair) >= _MAX_AGAIN and pair[0] is not _EMPTY.ref:
                return
            self._open.append(pair)
            self._levels(a, b, path)
            self._open.pop()
            return
        if isinstance(one, StateOfSpec) and isinstance(other, StateOfSpec):
            self._leaves_of_any_depth(a, one, b, other, path)
            return
        self._levels(a, b, path)

    def _leaves_of_any_depth(
        self, a: At, one: StateOfSpec, b: At, other: StateOfSpec, path: Path
    ) -> None:
        if other.container not in ("any", one.container):
            self._levels(a, b, path)
            return
        shared = any(True for _ in own_names(other.leaf))
        for _ in range(2 if shared else 1):  # what two leaves share must be alike
            self.walk(At(one.leaf, a.scope), At(other.leaf, b.scope), (*path, WILDCARD))

    def _levels(self, a: At, b: At, path: Path) -> None:
        assert isinstance(a.spec, LevelSpec)
        assert isinstance(b.spec, LevelSpec)
        one, other = Level.of(a.spec), Level.of(b.spec)
        if not self._in_flat and other.container not in ("any", one.container):
            named = {"dict": "a plain dict", "state": "an nnx.State", "any": "a State or dict"}
            if path == () or "dict" in (one.container, other.container):
                text = named[other.container], named[one.container]
                self.add(path, "container", *text, sure=one.container != "any" or path == ())
        for item in one.fields.values():
            self._field(item, a, b, other, path)
        if isinstance(a.spec, Map | StateOfSpec):
            self._open_keys(a, b, one, other, path)
        self._absent(a, b, one, other, path)
        self._extra(a, b, one, other, path)
        lengths.compare(self, a, b, path)

    def _field(self, item: Field, a: At, b: At, other: Level, path: Path) -> None:
        if item.shared is not None:
            return  # a state has the Variable where it lives
        child = (*path, item.key)
        mine = At(item.spec, a.scope)
        if item.key in other.fields:
            theirs = other.fields[item.key]
            if theirs.shared is not None:
                self.add(child, "extra", "nothing, as it is shared", describe(item.spec))
                return
            self.walk(mine, At(theirs.spec, b.scope), child)
            if item.optional and not theirs.optional:
                self._missing(theirs, b, child, describe(theirs.spec), "may be absent")
            return
        for spec in other.under(item.key):
            self.walk(mine, At(spec, b.scope), child)
            return
        if not self._allowed(item.spec, other.extra):
            code: Code = "key" if isinstance(b.spec, Map) else "extra"
            self.add(child, code, "nothing", describe(item.spec), spec=item.spec)

    def _allowed(self, spec: Spec, extra: Extra) -> bool:
        if Allowed() in extra.allowed:
            return True
        while isinstance(spec, WrapperSpec):
            spec = spec.inner
        if not isinstance(spec, Leaf) or spec.kind is None:
            return False
        kind = spec.kind
        return any(
            not item.selections and item.kinds is not None and issubclass(kind, item.kinds)
            for item in extra.allowed
        )

    def _open_keys(self, a: At, b: At, one: Level, other: Level, path: Path) -> None:
        """Compares entries of which only the class of their keys is known."""
        assert one.entry is not None
        child = (*path, WILDCARD)
        if other.entry is None:
            if Allowed() not in other.extra.allowed:
                self.add(child, "extra", f"the keys of {describe(b.spec)}", describe(one.entry))
            return
        if other.keys not in (None, one.keys):
            self.add(path, "key", f"{other.keys} keys", f"{one.keys or 'any'} keys")
            return
        shared = any(True for _ in own_names(other.entry))
        for _ in range(2 if shared else 1):  # what two entries share must be alike
            self.walk(At(one.entry, a.scope), At(other.entry, b.scope), child)

    def _absent(self, a: At, b: At, one: Level, other: Level, path: Path) -> None:
        """Adds a finding for each leaf that the second requires and the first lacks."""
        for key, item in other.fields.items():
            if key in one.fields or item.optional or item.shared is not None:
                continue
            if key in other.counted and any(True for _ in one.under(key)):
                continue  # their numbers are compared
            actual = "any keys" if one.entry is not None else "nothing"
            self._missing(item, b, (*path, key), describe(item.spec), actual)

    def _missing(self, item: Field, b: At, path: Path, expected: str, actual: str) -> None:
        if needs_leaf(item.spec):
            sure = not isinstance(item.spec, Conditional)
            self.add(path, "missing", expected, actual, spec=item.spec, sure=sure)
            return
        inner: Spec = item.spec
        while isinstance(inner, WrapperSpec):
            inner = inner.inner
        if lengths.decides_absence(inner):
            self.add(path, "missing", expected, actual, spec=item.spec, sure=False)
        elif isinstance(inner, Node | Map | EntriesSpec):  # it is read as an empty one
            self.walk(At(_EMPTY, Scope(0)), At(item.spec, b.scope), path)

    def _extra(self, a: At, b: At, one: Level, other: Level, path: Path) -> None:
        """Compares the undeclared keys that the first allows."""
        if Allowed() in other.extra.allowed:
            return
        theirs = {pattern.keys: pattern.entry for pattern in other.extra.patterns}
        for pattern in one.extra.patterns:
            child, spec = (*path, pattern.keys), pattern.entry
            within = theirs.get(pattern.keys) if other.entry is None else other.entry
            if within is None and is_counted_out(pattern):
                continue  # each of its keys was compared
            if within is None:
                self.add(child, "extra", "no such keys", describe(spec), spec=spec)
            else:
                self.walk(At(spec, a.scope), At(within, b.scope), child)
        for item in one.extra.allowed:
            if item not in other.extra.allowed:
                kinds = ", ".join(kind.__name__ for kind in item.kinds or ()) or "any leaves"
                self.add((*path, WILDCARD), "extra", "no other keys", kinds)

    # -- Sizes ---------------------------------------------------------------------------

    def equate(
        self, one: Expr[Var], other: Expr[Var], path: Path, text: str, *, sure: bool = True
    ) -> None:
        """Adds the equation of a size of the second and one of the first."""
        self._equations.append(Equation(one, other, path, text, sure and self._sure))


def compare(a: Spec, b: Spec) -> list[Finding]:
    """The ways in which a value of `a` may not fit `b`; empty if every value fits."""
    return Containment().compare(a, b)
