"""The target of a command: an object of a module, a checkpoint, a schema document."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

from .progress import progress

HELP = "package.module:name, a checkpoint, or a schema document (.json)"


class UsageError(Exception):
    """Raised if the target does not exist: exit status 2."""


def load(text: str, **arguments: Any) -> Any:
    """The object that a target names; a function that makes a model is called abstractly.

    Raises:
      UsageError: there is none.
    """
    path = Path(text)
    if path.suffix == ".json":
        return _document(path)
    if path.exists():
        return _checkpoint(path)
    found = named(text)
    if is_factory(found):
        with progress(f"building {text}"):
            return _built(text, found, arguments)
    return found


def named(text: str) -> Any:
    """The object ``package.module:name``."""
    module_name, colon, attribute = text.partition(":")
    if not colon or not attribute:
        raise UsageError(f"{text!r} is no {HELP}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UsageError(f"{text}: there is no module {error.name!r}") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"{text}: importing {module_name} failed: {reason}") from None
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"{text}: {module_name} has no {attribute!r}") from None
    return found


def is_factory(found: Any) -> bool:
    """Whether an object makes a model: a function, or a class of modules."""
    from .._compat.modules import is_module, is_module_class

    if isinstance(found, type):
        return is_module_class(found)
    return callable(found) and not is_module(found) and not hasattr(found, "__typedstate_spec__")


def arguments_of(pairs: list[str]) -> dict[str, Any]:
    """``name=value`` pairs; values are Python literals, else text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"{pair!r} is not name=value")
        found[name] = literal(text)
    return found


def choices_of(pairs: list[str]) -> dict[str, Any]:
    """``path=value`` pairs; values are Python literals, else text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        path, equals, text = pair.rpartition("=")
        if not equals or not path:
            raise UsageError(f"{pair!r} is not path=value")
        found[path] = literal(text)
    return found


def literal(text: str) -> Any:
    """A Python literal, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def schema(text: str) -> Any:
    """A schema that a target names.

    Raises:
      UsageError: it is none.
    """
    found = _document(Path(text)) if text.endswith(".json") else named(text)
    if isinstance(found, type) or hasattr(found, "__typedstate_spec__"):
        return found
    raise UsageError(f"{text} is no schema but {type(found).__name__}")


def made(factory: Any, arguments: dict[str, Any]) -> Any:
    """The model that a function makes; a class of modules gets ``rngs`` unless they are given."""
    from flax import nnx

    if isinstance(factory, type) and "rngs" not in arguments:
        return factory(**arguments, rngs=nnx.Rngs(0))
    return factory(**arguments)


def _built(text: str, factory: Any, arguments: dict[str, Any]) -> Any:
    from flax import nnx

    try:
        return nnx.eval_shape(lambda: made(factory, arguments))
    except Exception as error:
        raise not_made(text, error) from None


def not_made(text: str, error: Exception) -> UsageError:
    """The message for a function that raises."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return UsageError(f"{text} could not be called: {reason}; give arguments by --with")


def _document(path: Path) -> Any:
    from ..errors import SchemaError
    from ..export.document import SchemaDocument

    try:
        return SchemaDocument.from_json(path.read_bytes()).to_schema()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except SchemaError as error:
        raise UsageError(f"{path}: {error}") from None


def _checkpoint(path: Path) -> Any:
    try:
        checkpoint: Any = importlib.import_module("typedstate.checkpoint")
    except ImportError as error:
        raise UsageError(f"{path}: {error}") from None
    try:
        with progress(f"reading {path}"):
            return checkpoint.inspect(path)
    except ImportError as error:
        raise UsageError(f"{path}: {error}") from None
    except ValueError as error:  # it names the file
        raise UsageError(str(error)) from None
