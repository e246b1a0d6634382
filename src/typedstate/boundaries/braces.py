"""Dims that are f-strings of a call's arguments: ``Float[Array, "{n}"]``, ``"{self.width} 2"``.

Each call says what they are, as in jaxtyping; a function has one boundary for each of the last
few answers. Source: https://docs.kidger.site/jaxtyping/api/array/.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from .._annotations.context import Braces, Context
from ..errors import SchemaError
from . import own_source

if TYPE_CHECKING:
    from .signature import Boundary

_MOST: Final = 64


def refuse_strangers(braces: Braces, parameters: Mapping[str, Any], context: Context) -> None:
    """Refuses braces that read what is no argument of the function.

    Raises:
      SchemaError: the message names it.
    """
    for token in braces.asked:
        try:
            tree = ast.parse(_text(token), mode="eval")
        except SyntaxError:
            del braces.asked[token]
            raise context.error(f"{token!r} is no f-string") from None
        own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        own -= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _is_bound(n)}
        for name in sorted(own - bound):
            if name not in parameters and not hasattr(builtins, name):
                del braces.asked[token]
                has = ", ".join(parameters) or "none"
                raise context.error(f"{token!r}: {name!r} is no argument; there are {has}")


def _is_bound(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _text(token: str) -> str:
    return f"f{token!r}"


class ByCall:
    """The checked forms of a function whose dims each call's arguments say."""

    def __init__(
        self,
        boundary: Boundary,
        target: Callable[..., Any],
        write: Callable[[Boundary, Callable[..., Any]], Callable[..., Any]],
    ) -> None:
        """Compiles the f-strings.

        Args:
          boundary: with dims that are open.
          target: what is called.
          write: makes the checked form of a target by a boundary.
        """
        self._boundary, self._target, self._write = boundary, target, write
        self._tokens = boundary.braces
        self._made: dict[tuple[str, ...], Callable[..., Any]] = {}

    def __reduce__(self) -> Any:
        """For libraries that send functions to other processes: code does not travel."""
        return ByCall, (self._boundary, self._target, self._write)

    def resolve(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[..., Any]:
        """The checked form for a call with these arguments."""
        try:
            bound = self._boundary.signature.bind(*args, **kwargs)
        except TypeError:  # Python says it better
            return self._target
        bound.apply_defaults()
        texts = tuple(self._read(bound))
        found = self._made.pop(texts, None)
        if found is None:
            of_call = self._boundary.of_call(dict(zip(self._tokens, texts, strict=True)))
            found = self._write(of_call, self._target)
        self._made[texts] = found  # the last that was asked
        if len(self._made) > _MOST:
            del self._made[next(iter(self._made))]
        return found

    def _read(self, bound: inspect.BoundArguments) -> Iterator[str]:
        for token in self._tokens:
            try:
                text = str(eval(_text(token), dict(bound.arguments)))
                yield _as_size(text)
            except Exception as error:  # whatever the annotation's own code raises
                yield _left_alone(self._boundary, token, error)


def _left_alone(boundary: Boundary, token: str, error: Exception) -> str:
    """Any size, for a dim that can't be read from the arguments of a call.

    Raises:
      SchemaError: the user wrote the decorator; code that the hook covers is left alone.
    """
    reason = f"{token!r} can't be read from the arguments ({type(error).__name__}: {error})"
    if not boundary.covered:
        raise SchemaError(f"{boundary.name}: {reason}") from None
    own_source.leave_alone(boundary.function, boundary.name, reason, of_others=False)
    return "_"


def _as_size(text: str) -> str:
    """A float that is whole as an int, as ``{n / 2}`` gives."""
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text
