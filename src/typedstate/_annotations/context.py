"""`Context`: the owner of a hint, for messages, and the names that the hint may refer to."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import SchemaError

if TYPE_CHECKING:
    from .._spec.nodes import Spec


class NotYet(NameError):
    """A name in an annotation that is not defined yet.

    Attributes:
      of_record: whether the name is in a field of a record of the function's own package.
    """

    of_record: bool = False


class Braces(msgspec.Struct):
    """The dims of a signature that are f-strings of its arguments: ``Float[Array, "{n}"]``.

    Attributes:
      texts: what each is in one call, e.g. ``3`` for ``{n}``.
      asked: those that stand in the signature and are not in `texts`.
      others: what all others are; None where they are to be asked.
    """

    texts: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    asked: dict[str, None] = msgspec.field(default_factory=dict[str, None])
    others: str | None = None

    def read(self, token: str) -> str:
        """The dim in this call; any size where that is not known yet."""
        found = self.texts.get(token, self.others)
        if found is None:
            self.asked[token] = None
        return "_" if found is None else found


class Context(msgspec.Struct, frozen=True):
    """The context of a hint.

    Attributes:
      owner: the field or parameter, for messages: ``ModelState.blocks`` or ``step(state)``.
      names: the namespaces in which forward references are looked up, in this order.
      typevars: the arguments of the type variables of a generic schema.
      boundary: whether it is a hint of a function, of which beartype checks all that is neither
        state nor array.
      package: the function's top-level package; empty if it is not known.
      waits: whether a missing name may still be defined; if not, the hint that needs it is not
        checked.
      inside: the records around it with their type arguments, and what texts stand for.
      braces: dims that read the arguments of a call; None where there is no call.
    """

    owner: str
    names: tuple[Mapping[str, Any], ...] = ()
    typevars: Mapping[Any, Any] = msgspec.field(default_factory=dict[Any, Any])
    boundary: bool = False
    package: str = ""
    waits: bool = False
    inside: tuple[Any, ...] = ()
    braces: Braces | None = None

    def error(self, text: str) -> SchemaError:
        """A SchemaError that says where."""
        return SchemaError(f"{self.owner}: {text}")

    def resolve(self, text: str) -> Any:
        """Evaluates the text of an annotation, which is the user's own source code."""
        scope = _Names(self.names)
        try:
            # A lambda in it, e.g. of a validator, finds the names too; its source is no file.
            return eval(compile(text, "<annotation>", "eval"), scope)
        except NameError as error:
            raise NotYet(str(error), name=error.name) from None
        except SchemaError:
            raise
        except Exception as error:  # whatever the annotation's own code raises
            reason = f"{type(error).__name__}: {error}"
            said = f"the annotation {text!r} can't be evaluated ({reason})"
            if self.boundary and isinstance(error, AttributeError):  # of a module half imported
                raise NotYet(said) from None
            raise self.error(said) from None


class _Names(dict[str, Any]):
    """Names from several mappings; the first that has one wins."""

    def __init__(self, mappings: tuple[Mapping[str, Any], ...]) -> None:
        super().__init__(__builtins__=builtins)
        self._mappings = mappings

    def __missing__(self, key: str) -> Any:
        for mapping in self._mappings:
            if key in mapping:
                return mapping[key]
        raise KeyError(key)


#: `parse`, as those modules see it that read one kind of hint each.
Parse = Callable[[Any, Context], "Spec"]
