"""``%load_ext typedstate``: schemas and forms draw themselves in a notebook.

Classes can't say how a notebook shows them; a notebook can be told.
"""

from __future__ import annotations

from typing import Any

from ..errors import SchemaError
from ..schema.hint_class import HintMeta
from .picture import show


def register(shell: Any) -> None:
    """Tells the formatters of an IPython shell."""
    html: Any = shell.display_formatter.formatters["text/html"]
    html.for_type(HintMeta, _drawn)


def _drawn(hint: HintMeta) -> str | None:
    try:
        return show(hint)._repr_html_()  # pyright: ignore[reportPrivateUsage]
    except SchemaError:  # a base that describes nothing, or a name that is not there yet
        return None
