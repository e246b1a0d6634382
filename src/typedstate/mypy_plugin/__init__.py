"""A mypy plugin that follows states through a program: ``plugins = typedstate.mypy_plugin``.

On top of what every type checker sees it gives literal keys at any depth, ``Only`` and ``Rest``
without what they drop, and the exact leaves of ``Pure``, ``Abstract`` and their like. A state that
has no schema is read from the class of its module: ``nnx.state(Net(rngs))["head"]`` is what the
attribute ``head`` of ``Net`` says. JAX's functions over trees, gradients and ``jit`` keep all that.
Where the plugin does not know, a value is what it is without it. Options in mypy's configuration::

    [typedstate-mypy]
    report_unguarded_optional = true
    infer_module_states = false

in ``mypy.ini`` (``[tool.typedstate-mypy]`` in ``pyproject.toml``). The first reports attributes of
optional fields that are read before ``"bias" in state`` was asked; the second leaves states without
a schema as the stubs have them.
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
