"""The plugin for a mypy whose side of the interface has changed, as CHANGED in the environment says.

Not by text of its own: mypy's cache depends on the text and the place of a plugin.
"""

import collections
import os
from collections.abc import Callable
from typing import Any

import mypy.plugin

from typedstate import mypy_plugin


def calling(found: type, call: Callable[[Any, Any], Any]) -> type:
    """A plugin whose hooks are called in another way."""

    def wrapped(name: str) -> Callable[[Any, str], Any]:
        def method(self: Any, fullname: str) -> Any:
            hook = getattr(found, name)(self, fullname)
            return None if hook is None else lambda context: call(hook, context)

        return method

    names = [name for name in dir(found) if name.startswith("get_") and name.endswith("_hook")]
    return type("Changed", (found,), {name: wrapped(name) for name in names})


class Lacking:
    """The context of a hook without one of its attributes."""

    def __init__(self, context: Any, name: str) -> None:
        self._context, self._name = context, name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            raise AttributeError(f"the context has no {name}")
        return getattr(self._context, name)


def plugin(version: str) -> Any:
    names: dict[str, Any] = {
        "calling": calling,
        "collections": collections,
        "Lacking": Lacking,
        "mypy": mypy,
        "mypy_plugin": mypy_plugin,
        "version": version,
    }
    exec(os.environ["CHANGED"], names)
    return names["found"]
