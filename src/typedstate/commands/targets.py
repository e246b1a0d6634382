"""The target of a command: an object of a module, a checkpoint, a schema document."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
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
    if text and os.path.exists(text):  # a Path raises if the name is too long
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
    found: Any = module(module_name, text)
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"{text}: {module_name} has no {attribute!r}") from None
    return found


def module(name: str, target: str = "") -> ModuleType:
    """Imports a module, also from the working directory.

    Args:
      name: the name of the module.
      target: the argument in which it stands, for messages; without, it is the module itself.

    Raises:
      UsageError: it is not there, or can't be imported.
    """
    where = f"{target}: " if target else ""
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(f"{where}there is no module {error.name!r}") from None
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"{where}importing {name} failed: {reason}") from None


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
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def schema(text: str) -> Any:
    """A schema that a target names.

    Raises:
      UsageError: it is none.
    """
    from .._compat.modules import is_module_class

    found = _document(Path(text)) if text.endswith(".json") else named(text)
    if is_module_class(found):
        raise UsageError(f"{text} is no schema but a module class: typedstate infer writes its own")
    if isinstance(found, type) or hasattr(found, "__typedstate_spec__"):
        return found
    raise UsageError(f"{text} is no schema but {type(found).__name__}")


def made(factory: Any, arguments: dict[str, Any]) -> Any:
    """The model that a function makes; one that takes ``rngs`` gets some unless they are given."""
    from flax import nnx

    from ..inference.factories import call, takes

    if isinstance(factory, type) and "rngs" not in arguments and takes(factory, "rngs"):
        return factory(**arguments, rngs=nnx.Rngs(0))
    return call(factory, arguments)


def _built(text: str, factory: Any, arguments: dict[str, Any]) -> Any:
    from flax import nnx

    try:
        return nnx.eval_shape(lambda: made(factory, arguments))
    except Exception as error:
        raise not_made(text, error) from None


def not_made(text: str, error: Exception) -> UsageError:
    """The message for a function that raises."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
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
