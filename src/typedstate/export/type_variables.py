"""Finds the type variables with which a class has to be written, so that `to_source` may do so.

The names of dims in a type argument belong to where the argument is written. In the source of the
class it has to stay a variable: written into the class, its names would be the class's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .._spec.node_groups import WrapperSpec
from .._spec.nodes import Argument, Leaf, Node, SchemaRef, Spec, Union
from .._spec.questions import parts, root_of
from .argument_forms import Formed, Variable, alternatives, formed_arguments


@dataclass(slots=True)
class TypeVariables:
    """The type variables of the schemas below one hint.

    Attributes:
      needed: whether some schema is made of a generic one; else no class has any.
      forms: the arguments that stand in several forms, which are one variable.
    """

    needed: bool
    forms: Mapping[Variable, Formed] = field(default_factory=dict[Variable, Formed])
    _known: dict[int, list[Variable]] = field(default_factory=dict[int, "list[Variable]"])
    _open: set[int] = field(default_factory=set[int])
    _came_back: bool = False

    @classmethod
    def below(cls, spec: Spec) -> TypeVariables:
        """Those of the schemas below a hint."""
        needed = uses_generics(spec)
        return cls(needed, formed_arguments(spec) if needed else {})

    def formed(self, variable: Variable) -> Formed:
        """An argument as forms of the variable that stands for it."""
        return self.forms.get(variable) or Formed((), variable)

    def of(self, ref: SchemaRef) -> list[Variable]:
        """The arguments in the fields of a schema that are written where it stands, or around."""
        if not self.needed:
            return []
        if id(ref) not in self._known:
            found = self._find(ref)
            if self._came_back and self._open:  # to a schema around, of which more is unknown
                return found
            self._known[id(ref)] = found
            self._came_back = False
        return self._known[id(ref)]

    def own_of(self, ref: SchemaRef) -> list[Variable]:
        """The arguments of a class statement in several places, which share their names."""
        uses: Counter[Variable] = Counter()
        for spec, single in _contents(ref) if True in ref.owners.values() else ():
            for one in self._in(spec):
                if ref.owners.get(one[0].owner):
                    uses[one] += 1 if single else 2
        return [one for one, count in uses.items() if count > 1]

    def _find(self, ref: SchemaRef) -> list[Variable]:
        self._open.add(id(ref))
        found: dict[Variable, None] = {}
        waiting = [one for spec, _ in _contents(ref) for one in self._in(spec)]
        for one in waiting:  # grows by what stands in arguments of the class statement
            if ref.owners.get(one[0].owner):
                waiting += (inner for item in one for inner in self._in(item.inner))
            else:
                found[one] = None
        self._open.discard(id(ref))
        return list(found)

    def _in(self, spec: Spec) -> Iterator[Variable]:
        match spec:
            case Argument():
                yield self.formed((spec,)).base
            case Union(options):
                for group in alternatives(options):
                    arguments = tuple(item for item in group if isinstance(item, Argument))
                    if arguments:
                        yield self.formed(arguments).base
                    else:
                        yield from self._in(group[0])
            case Node(ref) if id(ref) in self._open:
                self._came_back = True
            case Node(ref):
                for one in self.of(ref):
                    if one[0].owner in ref.owners:
                        yield from (inner for item in one for inner in self._in(item.inner))
                    else:
                        yield one
            case _:
                for part in parts(spec):
                    yield from self._in(part)


def uses_generics(spec: Spec) -> bool:
    """Whether some schema below a spec is made of a generic one."""
    seen: set[int] = set()
    waiting = [spec]
    while waiting:
        match found := waiting.pop():
            case Node(ref):
                if ref.owners:
                    return True
                root = root_of(ref)  # a form of a schema within itself may have no end
                if id(root) not in seen:
                    seen.add(id(root))
                    waiting += (item for item, _ in _contents(root))
            case _:
                waiting += parts(found)
    return False


def _contents(ref: SchemaRef) -> Iterator[tuple[Spec, bool]]:
    """What stands under the keys of a schema, and whether an argument in it stands there once."""
    schema = ref.resolve()
    yield from ((item.spec, _is_single(item.spec)) for item in schema.fields)
    yield from ((pattern.entry, False) for pattern in schema.extra.patterns)


def _is_single(spec: Spec) -> bool:
    match spec:
        case Argument() | Leaf():
            return True
        case Union(options):
            return all(map(_is_single, options))
        case WrapperSpec():
            return _is_single(spec.inner)
        case _:
            return False
