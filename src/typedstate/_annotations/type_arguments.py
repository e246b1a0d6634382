"""Type arguments of generic schemas: their names of dims belong to where they are written.

``OptimizerState[AdamState[NetState]]`` uses NetState twice, for ``mu`` and ``nu``, but it is
written once, so it has one set of names: at the top of a signature those of the call, in a class
body those of the field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from .._spec.nodes import (
    Argument,
    Bound,
    EntriesSpec,
    Map,
    Node,
    ScopedSpec,
    Spec,
    StateOfSpec,
    Union,
)
from .._spec.questions import own_names
from .context import Context
from .parse import parse


class TypeArgument(msgspec.Struct, frozen=True):
    """A hint that replaces a type variable.

    Attributes:
      hint: the hint as it was written.
      owner: an object for the subscription, or the class statement, that wrote it.
      index: the position of the argument in that subscription.
    """

    hint: Any
    owner: object
    index: int

    def __typedstate_spec__(self, context: Context) -> Spec:
        """The spec of the hint, which knows whose names it has."""
        return _argument(parse(self.hint, context), self.owner, (self.index,))

    def __repr__(self) -> str:
        """As its user wrote it."""
        from .deferred import show_argument

        return show_argument(self.hint)

    def __call__(self) -> Any:
        """Never: ``typing`` wants types to be callable."""
        raise TypeError(f"{self!r} is a hint")


def _argument(spec: Spec, owner: object, index: tuple[int, ...]) -> Spec:
    if isinstance(spec, Union):
        options = enumerate(spec.options)
        return Union(tuple(_argument(item, owner, (*index, i)) for i, item in options))
    return Argument(spec, owner, index) if isinstance(spec, _TREES) else spec


def linked_names(spec: Spec) -> Iterator[str]:
    """Yields the names in leaves among type arguments: in the generic schema they are the same."""
    if isinstance(spec, Union):
        for option in spec.options:
            yield from linked_names(option)
    elif not isinstance(spec, _TREES):
        yield from own_names(spec)


_TREES = (Node, Bound, Map, EntriesSpec, StateOfSpec, ScopedSpec, Argument)


def from_table(table: dict[Any, Any], owner: object) -> dict[Any, Any]:
    """Wraps the arguments of type variables; an argument that is passed on is not wrapped again."""
    return {
        var: TypeArgument(arg, owner, index) if is_written(arg) else arg
        for index, (var, arg) in enumerate(table.items())
    }


def is_written(arg: Any) -> bool:
    """Whether an argument is written here, as opposed to a type variable or its argument."""
    return not isinstance(arg, TypeArgument | TypeVar)
