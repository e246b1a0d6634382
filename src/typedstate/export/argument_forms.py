"""Finds the forms of one type argument in the fields of generic classes, for `to_source`.

In ``mu: Like[Cast[S, Inexact], OptVariable]`` and ``nu: Like[S, OptVariable]`` both have the names
of dims of what S stands for. Written as the classes that the forms make, each had names of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from .._spec.nodes import Argument, Bound, EntriesSpec, Map, Node, SchemaRef, Spec, Union
from .._spec.questions import parts, unbind
from .._spec.rewrite import Derived, rewrite
from .._spec.transform import Transform
from ..forms.stacking import Stacking
from ..report import Path
from .form_text import can_write_form

#: What a type variable stands for: an argument, or the alternatives of one that is a union.
Variable = tuple[Argument, ...]
_MAX_SCHEMAS = 2_000


@dataclass(frozen=True, slots=True)
class Formed:
    """A type argument in some form.

    Attributes:
      forms: the forms, the outermost first.
      base: the argument that they are made of, as its other uses have it.
    """

    forms: tuple[Transform, ...]
    base: Variable


def formed_arguments(spec: Spec) -> dict[Variable, Formed]:
    """The arguments below a hint that stand in several forms, each with what they share."""
    uses: dict[object, dict[Variable, list[Formed]]] = {}
    for variable, stacks in _arguments_in(spec):
        steps = uses.setdefault((variable[0].owner, variable[0].index[0]), {})
        if variable not in steps:
            steps[variable] = list(_steps(variable, stacks))
    found: dict[Variable, Formed] = {}
    for steps in uses.values():
        groups: dict[Variable, list[list[Formed]]] = {}
        for chain in steps.values():
            groups.setdefault(chain[-1].base, []).append(chain)
        for chains in groups.values():
            found |= _shared(chains) if len(chains) > 1 else {}
    return found


def _shared(chains: list[list[Formed]]) -> dict[Variable, Formed]:
    """Each use, as forms of what is left of all of them with the fewest forms taken away."""
    base = next(
        step.base for step in chains[0] if all(_step_to(step.base, one) for one in chains[1:])
    )
    steps = ((one[0].base, _step_to(base, one)) for one in chains)
    return {variable: step for variable, step in steps if step is not None and step.forms}


def _step_to(base: Variable, chain: Iterable[Formed]) -> Formed | None:
    return next((step for step in chain if step.base == base), None)


def variable_in(spec: Spec) -> Variable | None:
    """The type argument that a hint is, all alternatives of it; None for other hints."""
    options = spec.options if isinstance(spec, Union) else (spec,)
    arguments = tuple(one for one in options if isinstance(one, Argument))
    alike = {(one.owner, one.index[0]) for one in arguments}
    return arguments if len(arguments) == len(options) and len(alike) == 1 else None


def alternatives(options: Iterable[Spec]) -> list[tuple[Spec, ...]]:
    """The alternatives of a union, those of one type argument together."""
    found: dict[object, list[Spec]] = {}
    for place, option in enumerate(options):
        one = (option.owner, option.index[0]) if isinstance(option, Argument) else place
        found.setdefault(one, []).append(option)
    return [tuple(group) for group in found.values()]


def _arguments_in(spec: Spec) -> Iterator[tuple[Variable, frozenset[str]]]:
    """Yields each use of an argument, with the names that a `Bind` around it links."""
    seen: dict[int, SchemaRef] = {}
    waiting: list[tuple[Spec, frozenset[str]]] = [(spec, frozenset())]
    while waiting and len(seen) < _MAX_SCHEMAS:  # more are not written
        one, links = waiting.pop()
        match one:
            case Node(ref) if id(ref) not in seen:
                seen[id(ref)] = ref
                schema = ref.resolve()
                below = [*(item.spec for item in schema.fields)]
                below += [pattern.entry for pattern in schema.extra.patterns]
                waiting += ((item, frozenset()) for item in below)
            case Bound():
                binds, inner = unbind(one)
                names = (name for links in binds for name, _ in links)
                waiting.append((inner, frozenset(names if variable_in(inner) else ())))
            case Argument() | Union():
                whole = variable_in(one)
                for group in alternatives(one.options if isinstance(one, Union) else (one,)):
                    variable = variable_in(Union(group))
                    if variable is not None:
                        yield variable, links if whole else frozenset()
                waiting += ((_below(item), frozenset()) for item in _options(one))
            case _:
                waiting += ((item, frozenset()) for item in parts(one))


def _options(spec: Argument | Union) -> tuple[Spec, ...]:
    return spec.options if isinstance(spec, Union) else (spec,)


def _below(spec: Spec) -> Spec:
    return spec.inner if isinstance(spec, Argument) else spec


def _steps(variable: Variable, links: frozenset[str]) -> Iterator[Formed]:
    """Yields an argument, then without its outermost form, and so on."""
    step = Formed((), variable)
    while True:
        yield step
        found = [_unformed(item.inner) for item in step.base]
        pairs = [one for one in found if one is not None]
        if len(pairs) < len(found) or any(form != pairs[0][0] for form, _ in pairs):
            return
        form = pairs[0][0]
        linked = not isinstance(form, Stacking) or form.dim in links
        if not linked or not can_write_form(form):
            return
        within = tuple(
            replace(item, inner=inner) for item, (_, inner) in zip(step.base, pairs, strict=True)
        )
        step = Formed((*step.forms, form), within)


def _unformed(spec: Spec, path: Path = ()) -> tuple[Transform, Spec] | None:
    """The outermost form of a tree at a path, and the tree that it is made of."""
    for form, inner in _made_of(spec):
        if rewrite(inner, form, path) == spec:
            return form, inner
    return None


def _made_of(spec: Spec) -> Iterator[tuple[Transform, Spec]]:
    match spec:
        case Node(Derived(base, form)):
            yield form, Node(base)
        case Bound(inner, links):
            for form, within in _made_of(inner):
                yield form, Bound(within, links)
                yield form, Bound(within, links[:-1]) if links[1:] else within  # a stack's axis
        case Map(entry=entry):
            for form, within in _made_of(entry):
                yield from ((form, tree) for tree in _levels(replace(spec, entry=within)))
        case EntriesSpec(items):
            numbered = enumerate(items)
            made = [None if item is None else _unformed(item, (i,)) for i, item in numbered]
            pairs = [one for one in made if one is not None]
            if pairs and len(pairs) == sum(item is not None for item in items):
                trees = tuple(None if one is None else one[1] for one in made)
                form = pairs[0][0]
                yield from ((form, tree) for tree in _levels(replace(spec, items=trees)))
        case _:
            return


def _levels(spec: Map | EntriesSpec) -> Iterator[Map | EntriesSpec]:
    """A level as it is written, then one that has the container or the other keys of a form."""
    yield (
        Map(spec.key, spec.entry, spec.length) if isinstance(spec, Map) else EntriesSpec(spec.items)
    )
    yield spec
