"""The mode of boundaries: they enforce, warn, or are left out."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal, get_args

Mode = Literal["on", "warn", "off"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
Scalars = Literal["traced", "strict"]


def _read() -> Mode:
    """The mode of this process: ``TYPEDSTATE``, else off under ``python -O``, else on."""
    text = os.environ.get("TYPEDSTATE")
    if text is None or text == "":
        return "on" if __debug__ else "off"
    if text not in MODES:
        raise ValueError(f"TYPEDSTATE={text!r} is no mode: the modes are {', '.join(MODES)}")
    return text


def _read_scalars() -> Scalars:
    text = os.environ.get("TYPEDSTATE_SCALARS") or "traced"
    if text not in get_args(Scalars):
        choices = ", ".join(get_args(Scalars))
        raise ValueError(f"TYPEDSTATE_SCALARS={text!r} is no choice: the choices are {choices}")
    return text  # type: ignore[return-value]


MODE: Final[Mode] = _read()
#: What ``float``, ``int``, ``bool`` and ``complex`` mean, by ``TYPEDSTATE_SCALARS``: ``traced``,
#: inside of a transform a tracer without axes too, numpy's scalars, and an int for a float;
#: ``strict``, none of these.
SCALARS: Final[Scalars] = _read_scalars()
_muted: ContextVar[bool] = ContextVar("typedstate_suspended", default=False)
#: Whether boundaries are mute here; called at each boundary.
is_suspended: Final = _muted.get


@contextmanager
def suspended() -> Generator[None, None, None]:
    """Mutes all boundaries for a block, in this thread and task only.

    ``check``, ``fits``, ``explain``, ``S.of`` and ``isinstance`` answer as ever.
    """
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)
