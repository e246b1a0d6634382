"""Names for the attributes of a schema in Python: a key itself where Python reads it as it is."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Hashable, Sequence
from typing import Final

import jaxtyping
from flax import nnx

from ..report import show_key
from .unique_names import UniqueNames

#: Names by which annotations mean what they are imported as, or Python's own classes.
IN_HINTS: Final = frozenset(
    {"Alias", "Bind", "Entries", "Exactly", "Flat", "Pure", "Same", "Scoped", "Shared", "StateMap"}
    | {"StateOf", "TypedState", "Values", "Annotated", "Any", "Array", "Literal", "P", "nnx"}
    | {"bool", "int", "float", "complex", "str", "bytes", "object"}
    | {"list", "tuple", "set", "frozenset", "dict"}
    | {name for name in dir(jaxtyping) if name[:1].isupper()}
)
_RESERVED: Final = frozenset({*dir(nnx.State), "of", *IN_HINTS})
_MAX_LENGTH: Final = 40


def attributes(wanted: Sequence[Hashable]) -> list[str]:
    """An attribute for each key or name: the text itself, or a new name if it can't be one.

    What Python would read as another name can't: a keyword, a private name, which it mangles in a
    class body, text that is not in the normal form NFKC. Nor can a method of ``nnx.State``, or a
    name that annotations use, as type checkers find the attribute under it.
    """
    names = UniqueNames()
    found: dict[int, str] = {}
    for place, key in enumerate(wanted):
        if isinstance(key, str) and _is_attribute(key) and key not in names.taken:
            names.taken.add(key)
            found[place] = key
    for place, key in enumerate(wanted):
        if place not in found:
            found[place] = names.give(_stand_in(key), allowed=_is_attribute)
    return [found[place] for place in range(len(wanted))]


def _is_attribute(name: str) -> bool:
    return (
        name.isidentifier()
        and unicodedata.normalize("NFKC", name) == name
        and not keyword.iskeyword(name)
        and not name.startswith("__")
        and name not in _RESERVED
    )


def _stand_in(key: Hashable) -> str:
    text = key if isinstance(key, str) else show_key(key)
    base = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:_MAX_LENGTH]
    return f"{base}_" if base and not base[0].isdigit() else f"key_{base}".rstrip("_")
