"""Precise types for Flax NNX states: schemas that type checkers know and boundaries enforce.

Declare what a state holds, once, and use it everywhere::

    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "din dout"]]
        bias: nnx.Param[Float[Array, "dout"]] | None

    @checked
    def scale(state: LinearState, by: float) -> LinearState: ...

The public names stand in the stub beside this file; each is imported when it is first asked for,
so that a pytest run that only finds typedstate installed does not import Flax.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from ._lazy import attach_stub

_find, __dir__, __all__ = attach_stub(__name__, __file__)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """A public name; raises ImportError where Flax or JAX are older than the oldest supported."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._compat.requirement import require

    require()
    try:
        found = _find(name)
    except AttributeError as error:  # Python would say no more than that there is no such name
        raise ImportError(f"typedstate.{name} can't be imported: {error}", name=name) from error
    package = sys.modules.get(f"{__name__}.{name}")  # `doctor` is a package that can be called
    found = globals()[name] = package if callable(package) else found
    return found


def load_ipython_extension(shell: Any) -> None:
    """For ``%load_ext typedstate``: schemas and forms draw themselves in a notebook."""
    import_module(f"{__name__}.pictures.notebook").register(shell)
