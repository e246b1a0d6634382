"""Typed access to other libraries that have no types or may not be installed."""

from __future__ import annotations

from collections.abc import Hashable
from importlib import import_module
from typing import Any, Final, cast
from urllib.request import url2pathname

import jax
from typing_extensions import TypeIs

jax_: Final[Any] = cast(Any, jax)
_FILE: Final = "file://"


def orbax() -> Any:
    """The package ``orbax.checkpoint``."""
    return import_module("orbax.checkpoint")


def place_of(path: str) -> Any:
    """A path object for a local file, a ``file://`` URL or a URL that Orbax can open.

    Raises:
      ValueError: Orbax can't open URLs of this sort.
    """
    if path.startswith(_FILE):
        path = url2pathname(path.removeprefix(_FILE))
    try:
        return import_module("etils.epath").Path(path)
    except KeyError:
        sort = path.partition("://")[0]
        text = f"{sort}:// is no URL that Orbax reads, as gs:// and s3:// are: copy it to a folder"
        raise ValueError(text) from None


def shaped(shape: tuple[int, ...], dtype: Any, sharding: Any = None) -> Any:
    """A ``jax.ShapeDtypeStruct``."""
    return jax_.ShapeDtypeStruct(shape, dtype, sharding=sharding)


def is_key_dtype(dtype: Any) -> bool:
    """Whether an array of this dtype holds PRNG keys."""
    return bool(jax_.dtypes.issubdtype(dtype, jax_.dtypes.prng_key))


# isinstance narrows Any to a dict or list of unknown entries; these functions name the entries.


def is_dict(value: Any) -> TypeIs[dict[Hashable, Any]]:
    """Whether a value is a dict."""
    return isinstance(value, dict)


def is_json_object(value: Any) -> TypeIs[dict[str, Any]]:
    """Whether a value that was read from JSON is an object; its keys are always text."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeIs[list[Any]]:
    """Whether a value is a list."""
    return isinstance(value, list)


def is_list_or_tuple(value: Any) -> TypeIs[list[Any] | tuple[Any, ...]]:
    """Whether a value is a list or tuple."""
    return isinstance(value, list | tuple)
