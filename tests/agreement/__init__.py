"""The walk, the fast path, ``isinstance`` and a checked function, asked the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typedstate import StateTypeError, check, checked, explain, fits


class Doors:
    """Every door at which one hint is enforced; each remembers what it has accepted."""

    def __init__(self, hint: Any) -> None:
        """Makes doors that have seen nothing."""
        self.hint = hint

        @checked
        def takes(value: hint) -> None:
            del value

        @checked
        def gives(value: Any) -> hint:
            return value

        self.doors: dict[str, Callable[[Any], Any]] = {"argument": takes, "result": gives}
        if isinstance(hint, type) and hasattr(hint, "__typedstate_spec__"):
            self.doors["check"] = lambda value: check(value, hint)

    def ask(self, value: Any) -> bool:
        """What the walk says, once every other door has said the same."""
        report = explain(value, self.hint)
        verdict = bool(report)
        found = {name: accepts(door, value) for name, door in self.doors.items()}
        found["fits"] = fits(value, self.hint)
        if isinstance(self.hint, type) and hasattr(self.hint, "__typedstate_spec__"):
            found["isinstance"] = isinstance(value, self.hint)
        wrong = {name: answer for name, answer in found.items() if answer is not verdict}
        assert not wrong, f"{wrong}, but the walk says {verdict}: {report}"
        return verdict


def accepts(door: Callable[[Any], Any], value: Any) -> bool:
    """Whether a door lets a value through."""
    try:
        door(value)
    except StateTypeError:
        return False
    return True


def warm(hint: Any, *values: Any) -> Doors:
    """Doors that have accepted these values, twice each: from the walk, from generated code."""
    doors = Doors(hint)
    for _ in range(2):
        for value in values:
            assert doors.ask(value), explain(value, hint)
    return doors
