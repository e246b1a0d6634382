"""The fallback for untested versions of mypy: mypy's own answers, and one line that says so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from mypy.plugin import (
    AnalyzeTypeContext,
    AttributeContext,
    ClassDefContext,
    FunctionContext,
    MethodContext,
    MethodSigContext,
    Plugin,
)
from mypy.version import __version__

C = TypeVar("C")
R = TypeVar("R")
M = TypeVar("M", bound=Callable[..., Any])

_HOOKS: Final = (
    "get_type_analyze_hook",
    "get_base_class_hook",
    "get_attribute_hook",
    "get_method_signature_hook",
    "get_method_hook",
    "get_function_hook",
)
_CALLED: Final = {"args", "callee_arg_names", "context", "api"}
_CONTEXTS: Final[dict[Any, set[str]]] = {
    AnalyzeTypeContext: {"type", "context", "api"},
    AttributeContext: {"type", "default_attr_type", "is_lvalue", "context", "api"},
    ClassDefContext: {"cls", "reason", "api"},
    FunctionContext: {"arg_types", "default_return_type", *_CALLED},
    MethodContext: {"type", "arg_types", "arg_kinds", "default_return_type", *_CALLED},
    MethodSigContext: {"type", "args", "default_signature", "context", "api"},
}

_failures: list[str] = []


def ask_interface() -> None:
    """Raises AttributeError if mypy's plugin interface lacks a name that the hooks need."""
    for name in _HOOKS:
        getattr(Plugin, name)
    for context, wanted in _CONTEXTS.items():
        missing = sorted(wanted - set(context._fields))
        if missing:
            raise AttributeError(f"{context.__name__} has no {', '.join(missing)}")


def report(error: Exception) -> None:
    """Prints one line in a run of mypy, however often hooks fail."""
    if not _failures:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        text = f"typedstate.mypy_plugin does not fit mypy {__version__}, whose own answers stand"
        print(f"{text} where it fails: {reason}", file=sys.stderr)
    _failures.append(repr(error))


def safely(hook: Callable[[C], R], default: Callable[[C], R]) -> Callable[[C], R]:
    """A hook that gives mypy's own answer if it fails."""

    def safe(context: C, *unknown: Any) -> R:
        try:
            if unknown:
                raise TypeError(f"a hook was given {len(unknown) + 1} arguments")
            return hook(context)
        except Exception as error:
            report(error)
            return default(context)

    return safe


def no_hook(method: M) -> M:
    """A method of the plugin that offers no hook if it fails."""

    def safe(self: Any, *asked: Any) -> Any:
        try:
            return method(self, *asked)
        except Exception as error:
            report(error)
            return None

    return cast("M", safe)
