"""Records the schemas that an answer depends on, so that mypy asks again if they change.

mypy itself follows only the classes that types of a module name. The type under a key may come
from a schema that no type of the module names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from mypy.plugin import AttributeContext, FunctionContext, MethodContext, MethodSigContext
from mypy.server.trigger import make_wildcard_trigger

from .reader import Reader

C = TypeVar("C", AttributeContext, FunctionContext, MethodContext, MethodSigContext)
R = TypeVar("R")


def depending(reader: Reader, hook: Callable[[C], R]) -> Callable[[C], R]:
    """A hook that records the schemas it reads, for mypy's cache and its daemon."""

    def asked(context: C) -> R:
        around = reader.begin()
        try:
            answer = hook(context)
            if reader.consulted:
                checker = cast(Any, context.api)
                target = checker.tscope.current_target()
                for info in reader.consulted:
                    checker.module_refs.add(info.module_name)
                    trigger = make_wildcard_trigger(info.fullname)
                    checker.tree.plugin_deps.setdefault(trigger, set()).add(target)
        finally:
            reader.end(around)
        return answer

    return asked
