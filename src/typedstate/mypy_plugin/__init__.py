"""A mypy plugin that follows states through a program: ``plugins = typedstate.mypy_plugin``.

Beyond the stubs it knows the types of literal keys at any depth, the leaves that ``Only`` and
``Rest`` drop, and the exact leaves of ``Pure``, ``Abstract`` and similar forms. A state without
schema is read from the class of its module: ``nnx.state(Net(rngs))["head"]`` has the type of the
attribute ``head`` of ``Net``. JAX's functions over trees, gradients and ``jit`` keep these types. A
type that the plugin does not know is the one without the plugin. Options in mypy's
configuration::

    [typedstate-mypy]
    report_unguarded_optional = true
    infer_module_states = false

in ``mypy.ini`` (``[tool.typedstate-mypy]`` in ``pyproject.toml``). The first reports reads of an
optional field as an attribute without a check ``"bias" in state`` before; the second leaves states
without a schema as the stubs declare them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy.plugin import Plugin


def plugin(version: str) -> type[Plugin]:
    """The entry point that mypy calls; an unknown mypy gets a plugin that does nothing."""
    try:
        from .fallback import ask_interface
        from .hooks import SchemaPlugin

        ask_interface()
    except Exception as error:
        from mypy.plugin import Plugin

        text = (
            f"typedstate.mypy_plugin: no plugin on mypy {version}: {type(error).__name__}: {error}"
        )
        print(text.splitlines()[0], file=sys.stderr)
        return Plugin
    return SchemaPlugin


__all__ = ["plugin"]
