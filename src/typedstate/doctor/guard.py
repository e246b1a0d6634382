"""Nothing that a probe does on a strange Flax ends the doctor: what raises is itself the
finding."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_APPLICABLE = "not applicable"


class NotApplicable(Exception):
    """A probe has no meaning for this construct, such as a gradient without parameters."""


def outcome(probe: Callable[[], str]) -> str:
    """The result of a probe, or `raises <ExceptionName>`; its warnings are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return probe()
        except NotApplicable:
            return NOT_APPLICABLE
        except Exception as error:
            return f"raises {type(error).__name__}"


def warned(probe: Callable[[], object]) -> str:
    """The category of the first warning that the probe draws, or `no warning`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            probe()
        except Exception as error:
            return f"raises {type(error).__name__}"
    return f"warns {caught[0].category.__name__}" if caught else "no warning"
