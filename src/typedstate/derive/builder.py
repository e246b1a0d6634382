"""`Builder`: walks a spec and builds the tree of `abstract`, `specs` or `shardings`.

A spec can leave open a size, a dtype, the presence of an optional leaf, the entries of a map, or
the alternative of a union. The user's `choices` and `like` decide; an open point that neither
decides is a fault, and never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, assert_never, cast

import msgspec
from flax.nnx import filterlib
from msgspec.structs import replace

from .._compat import scalars, variables
from .._spec import dims, flat_trees
from .._spec.describe import describe
from .._spec.dims import Expr, Fixed, Name
from .._spec.emptiness import may_hold
from .._spec.node_groups import ValueSpec
from .._spec.nodes import (
    Anything,
    Argument,
    Bound,
    Conditional,
    EntriesSpec,
    Extra,
    Field,
    FlatSpec,
    KeyPattern,
    Leaf,
    Map,
    ModuleState,
    Node,
    NoValue,
    PlacedAsSpec,
    RecordOf,
    SameSpec,
    SchemaRef,
    ScopedSpec,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Within,
)
from .._spec.questions import root_of, unbind
from .._spec.words import Container
from .._validation import key_patterns
from .._validation.scopes import Scope, Var, argument_scope, inside, linked
from .._validation.walk import WRITES_NO_NAME
from ..report import show_path
from .options import fits, give, is_chosen, leaves_alike
from .sites import ABSENT, Site, attribute, element

Make = Callable[["Builder", Leaf, Site], Any]


class Builder(msgspec.Struct):
    """One walk over a spec.

    Attributes:
      make: makes each leaf of the tree.
      choices: the user's choices by path, e.g. ``{"blocks[*].up.bias": False}``.
      given: the given sizes by name.
      outermost: the names whose sizes the caller may give.
      follows: whether there is a tree `like` that decides open points.
      alike: whether a union of leaves with the same axis names needs no choice, as for `specs`.
      faults: one line for each open or wrong point, without repetition.
    """

    make: Make
    choices: Mapping[str, Any]
    given: Mapping[str, Any]
    outermost: frozenset[str]
    follows: bool
    alike: bool
    faults: dict[str, None] = msgspec.field(default_factory=dict[str, None])
    _scopes: int = 0
    _apart: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    _plain: bool = False
    _faults_at: dict[SchemaRef, int] = msgspec.field(default_factory=dict[SchemaRef, int])

    def fault(self, site: Site, text: str) -> None:
        """Adds a fault at a site."""
        self.faults[f"{site}: {text}"] = None

    def root(self, spec: Spec, like: Any) -> Any:
        """The whole tree: a State, a plain dict for `Pure`, or a tuple of such."""
        return self._top(spec, Site((), (), Scope(0), like))

    def _top(self, spec: Spec, site: Site) -> Any:
        if isinstance(spec, TupleOf) and spec.rest is None:
            return tuple(
                self._top(item, element(site, index)) for index, item in enumerate(spec.items)
            )
        if isinstance(spec, RecordOf) and issubclass(spec.cls, tuple):
            made = [self._top(item, attribute(site, name)) for name, item in spec.fields]
            return cast("Any", spec).cls(*made)  # a NamedTuple: its fields in order
        if isinstance(spec, ModuleState):
            spec = spec.inner
        if isinstance(spec, FlatSpec):
            return self._flat(spec, site)
        if isinstance(spec, Within):
            return self._top(
                spec.inner, replace(site, scope=self._inside(spec.ref, site.scope, True))
            )
        self._plain = False
        found = self._tree(spec, replace(site, path=(), generic=()), outermost=True)
        if found is ABSENT:
            found = dict[Hashable, Any]()
        return found if self._plain or type(found) is not dict else variables.State(found)

    def _flat(self, spec: FlatSpec, site: Site) -> Any:
        """A tree by path, as ``nnx.to_flat_state`` makes it, or by name."""
        like = site.like
        if like is not ABSENT:
            tree = flat_trees.nested(like, spec)
            like = like if isinstance(tree, flat_trees.Misfit) else tree
        return flat_trees.flattened(self._top(spec.inner, replace(site, like=like)), spec)

    # -- Trees ---------------------------------------------------------------------------

    def _tree(self, spec: Spec, site: Site, *, outermost: bool = False) -> Any:
        if site.scope.around is not None and type(spec) not in WRITES_NO_NAME:
            site = replace(site, scope=site.scope.written())
        match spec:
            case Node(ref):
                return self._node(ref, site, outermost)
            case Bound():
                return self._bound(spec, site, outermost)
            case ScopedSpec(inner, name):
                number = self._apart.setdefault(name, self._scopes + 1)
                self._scopes = max(self._scopes, number)
                links = site.scope.links if outermost else None
                scope = Scope(number, links, None, site.scope.sites)
                return self._tree(inner, replace(site, scope=scope), outermost=True)
            case SameSpec(inner) | PlacedAsSpec(inner):
                return self._tree(inner, site, outermost=outermost)
            case Argument():
                return self._argument(spec, site, outermost)
            case Within(inner, ref):
                below = replace(site, scope=self._inside(ref, site.scope, outermost))
                return self._tree(inner, below)
            case Map():
                keys = self._keys(spec, site)
                made = {key: self._tree(spec.entry, site.at(key, entry=True)) for key in keys}
                made = {key: item for key, item in made.items() if item is not ABSENT}
                return self._branch(made, site, spec.container)
            case EntriesSpec(items):
                numbered = enumerate(items)
                fields = [Field(str(i), i, item) for i, item in numbered if item is not None]
                made = self._fields(fields, site)
                return self._branch(made, site, spec.container)
            case StateOfSpec(leaf):
                return self._branch(self._any_depth(leaf, site), site, spec.container)
            case Union():
                chosen = self.option(spec, site, site.like)
                return ABSENT if chosen is None else self._tree(chosen, site, outermost=outermost)
            case Conditional():
                return self._decided(spec, site)
            case Leaf():
                return self.make(self, spec, site)
            case Anything() | ValueSpec() | FlatSpec() | ModuleState():
                return self.make(self, Leaf(None, spec), site)
            case _:
                assert_never(spec)

    def _node(self, ref: SchemaRef, site: Site, outermost: bool) -> Any:
        """A sub-state; absent where only an open point has led to a schema within itself."""
        root = root_of(ref)
        before = self._faults_at.get(root)
        if before is not None and len(self.faults) > before:
            return ABSENT
        self._faults_at[root] = len(self.faults)
        schema = ref.resolve()
        below = replace(site, scope=self._inside(ref, site.scope, outermost))
        made = self._fields(schema.fields, below)
        declared = {item.key for item in schema.fields}
        made |= self._extras(schema.extra, declared, below)
        if before is None:
            del self._faults_at[root]
        return self._branch(made, site, schema.container)

    def _branch(self, made: dict[Hashable, Any], site: Site, container: Container) -> Any:
        """A level of the tree in its container; absent without leaves, as in Flax's states."""
        if site.path == ():
            self._plain = container == "dict"
            return made
        if made and container != "dict" and variables.is_state(site.like):
            return variables.State(made)
        return made or ABSENT

    def _new_scope(self) -> Scope:
        self._scopes += 1
        return Scope(self._scopes, {})

    def _inside(self, ref: SchemaRef, scope: Scope, outermost: bool) -> Scope:
        number = scope.number if outermost else self._new_scope().number
        return inside(scope, number, ref.owners, None, outermost=outermost)

    def _argument(self, spec: Argument, site: Site, outermost: bool) -> Any:
        """A type argument, whose names belong to the place where it was written."""
        scope = site.scope
        written = scope.site_of(spec.owner)
        if written is None or (outermost and scope.around is None):
            return self._tree(spec.inner, site, outermost=outermost)
        there = argument_scope(scope, written)
        links = {**written.links, **scope.given}
        if written.number is None and isinstance(spec.inner, Node) and links:
            there = Scope(self._new_scope().number, links, there, there.sites)
            return self._tree(spec.inner, replace(site, scope=there), outermost=True)
        below = replace(site, scope=there)
        return self._tree(spec.inner, below, outermost=written.number is not None)

    def _bound(self, spec: Bound, site: Site, outermost: bool) -> Any:
        """The spec in a `Bind`, its names linked to expressions over the outer names."""
        number = site.scope.number if outermost else self._new_scope().number
        binds, inner = unbind(spec)
        below = linked(site.scope, binds, number, outermost=outermost)
        return self._tree(inner, replace(site, scope=below), outermost=True)

    def _fields(self, fields: Iterable[Field], site: Site) -> dict[Hashable, Any]:
        made: dict[Hashable, Any] = {}
        for item in fields:
            below = site.at(item.key)
            if item.shared is not None or not may_hold(item.spec):
                continue  # a form may have left nothing of it
            if item.optional and not self.is_there(below):
                continue
            if self.follows and below.like is ABSENT:
                continue
            found = self._tree(item.spec, below)
            if found is not ABSENT:
                made[item.key] = found
        return made

    def _extras(self, extra: Extra, declared: set[Hashable], site: Site) -> dict[Hashable, Any]:
        """Makes the entries under undeclared keys, which the tree `like` or the choices name."""
        if not self.follows:
            return self._chosen_extras(extra, site)
        made: dict[Hashable, Any] = {}
        for key in variables.mapping_of(site.like) or {}:
            if key in declared:
                continue
            below = site.at(key, entry=True)
            found = [one.entry for one in extra.patterns if key_patterns.matches(one, key)]
            if found:
                made[key] = self._tree(found[0], below)
            else:
                made[key] = self._undeclared(below)
        return {key: item for key, item in made.items() if item is not ABSENT}

    def _undeclared(self, site: Site) -> Any:
        mapping = variables.mapping_of(site.like)
        if mapping is not None:
            return {key: self._undeclared(site.at(key)) for key in mapping}
        kind = variables.kind_of(site.like) if variables.is_variable(site.like) else None
        return self.make(self, Leaf(kind, Anything()), site)

    def _chosen_extras(self, extra: Extra, site: Site) -> dict[Hashable, Any]:
        made: dict[Hashable, Any] = {}
        for pattern in extra.patterns:
            if not may_hold(pattern.entry):
                continue
            for key in self._pattern_keys(pattern, site):
                made[key] = self._tree(pattern.entry, site.at(key, entry=True))
        return {key: item for key, item in made.items() if item is not ABSENT}

    def _pattern_keys(self, pattern: KeyPattern, site: Site) -> Iterable[Hashable]:
        where = site.at(pattern.keys)
        keys = self.choice(where)
        if keys is ABSENT and pattern.length is not None:
            keys = self._count(pattern.length, site, where)
        if pattern.length is not None and isinstance(keys, int) and not isinstance(keys, bool):
            return [pattern.key_of(number) for number in range(keys)]
        if keys is ABSENT or isinstance(keys, str | bool | int):
            self.fault(where, f'which keys? choices={{"{where}": [...]}}')
            return ()
        return cast("Iterable[Hashable]", keys)

    def _count(self, expr: Expr[str], site: Site, where: Site) -> int:
        """The number of entries; 1 where it is not known."""
        length, opened = self.size(dims.substitute(expr, site.scope.lookup))
        if length is None:
            self.fault(where, f"how many entries? give {give(opened)}")
        elif scalars.is_symbolic_size(length):
            self.fault(where, f"how many entries? {length} is symbolic")
            return 1
        elif length < 0:
            self.fault(where, f"how many entries? {length} is no number of them")
        return 1 if length is None else length

    def _keys(self, spec: Map, site: Site) -> list[Hashable]:
        if self.follows:
            return list(variables.mapping_of(site.like) or {})
        chosen: Any = self.choice(site)
        if isinstance(chosen, list | tuple):
            return [*cast("list[Hashable]", chosen)]
        if spec.key == "int" and isinstance(chosen, int) and not isinstance(chosen, bool):
            return list(range(chosen))
        if spec.length is not None and spec.key == "int":
            return list(range(self._count(spec.length, site, site)))
        example = "[...]" if spec.key == "str" else "2"
        self.fault(site, f'which entries? choices={{"{site}": {example}}}')
        return ["*" if spec.key == "str" else 0]  # so that an open point in an entry is named

    def _any_depth(self, leaf: Spec, site: Site) -> dict[Hashable, Any]:
        if not self.follows:
            self.fault(site, "a StateOf does not say which keys there are: give like=")
        made: dict[Hashable, Any] = {}
        for key in variables.mapping_of(site.like) or {}:
            below = site.at(key)
            inside = variables.mapping_of(below.like) is not None
            made[key] = self._any_depth(leaf, below) if inside else self._tree(leaf, below)
        return {key: item for key, item in made.items() if item is not ABSENT}

    # -- Choices -------------------------------------------------------------------------

    def choice(self, site: Site) -> Any:
        """The user's choice for a path; `ABSENT` if there is none."""
        texts = [show_path(site.path), str(site)]
        texts += [f"*.{show_path(site.path[-1:])}"] if site.path else []
        return next((self.choices[text] for text in texts if text in self.choices), ABSENT)

    def is_there(self, site: Site) -> bool:
        """Whether an optional leaf is there."""
        chosen = self.choice(site)
        if chosen is not ABSENT:
            return chosen is not False
        if self.follows:
            return site.like is not ABSENT
        self.fault(site, f'there or not? choices={{"{site}": True}} or False')
        return True

    def _decided(self, spec: Conditional, site: Site) -> Any:
        if spec.yes is not None and spec.no is not None:
            option: Spec | None = spec.yes if self._selects(spec, site) else spec.no
        elif self.is_there(site):
            option = spec.yes if spec.yes is not None else spec.no
        else:
            option = None
        return ABSENT if option is None else self._tree(option, site)

    def _selects(self, spec: Conditional, site: Site) -> bool:
        chosen = self.choice(site)
        if isinstance(chosen, bool):
            return chosen
        if self.follows and variables.mapping_of(site.like) is None:
            test: Any = filterlib.to_predicate(spec.filter)
            return bool(test(spec.path, site.like))
        self.fault(site, f'does the filter select it? choices={{"{site}": True}} or False')
        return True

    def option(self, spec: Union, site: Site, like: Any) -> Spec | None:
        """The alternative that the choices or the value `like` decide for; None for no value."""
        options = list(spec.options)
        if self.alike and leaves_alike(options):
            return options[0]
        chosen = self.choice(site)
        if NoValue() in options and (chosen is False or (self.follows and like is None)):
            return None
        for index, option in enumerate(options):
            if chosen is not ABSENT and is_chosen(chosen, option, index):
                return option
        rest = [option for option in options if option != NoValue()]
        if self.follows:
            return next((option for option in rest if fits(like, option)), rest[0])
        if len(rest) == 1 and chosen is True:
            return rest[0]
        shown = ", ".join(f"{index}: {describe(option)}" for index, option in enumerate(options))
        self.fault(site, f'which one? choices={{"{site}": 0}} for {shown}')
        return rest[0]

    # -- Sizes ---------------------------------------------------------------------------

    def size(self, expr: Expr[Var]) -> tuple[int | None, list[str]]:
        """The size of an expression, or None and the names whose sizes are open."""
        closed = dims.substitute(expr, self._lookup)
        opened = [var.name for var in dict.fromkeys(dims.names_of(closed))]
        try:
            return dims.evaluate(closed, {}), opened
        except Exception:  # of a symbolic size, which not every operation takes
            return None, opened

    def run(self, name: str, scope: Scope) -> tuple[int, ...] | None:
        """The sizes of ``*name``; None if they are open."""
        expr = scope.lookup(name)
        sizes = self.given.get(expr.name.name) if isinstance(expr, Name) else None
        return cast("tuple[int, ...]", sizes) if isinstance(sizes, tuple) else None

    def _lookup(self, var: Var) -> Expr[Var]:
        """The given size of a name: an outermost one, or an inner one without a `Bind`."""
        of_call = var.scope == 0 or var.scope in self._apart.values()
        known = var.name in self.given and (of_call or var.name not in self.outermost)
        value = self.given[var.name] if known else None
        taken = value is not None and not isinstance(value, tuple)
        return Fixed(cast(int, value)) if taken else Name(var)
