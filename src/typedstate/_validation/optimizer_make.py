"""Names the optax transformation whose state an optimizer keeps, for notes in reports.

A state keeps the names of what optax holds, and the places of a chain; nothing else tells makes
apart: what adam keeps is kept by adamw and lamb too.
Sources: ``optax/_src/alias.py``, ``optax/_src/transform.py``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

from .._compat import variables
from ..report import Path, Violation
from .causes import Cause

#: Under this key ``nnx.Optimizer`` keeps what the transformation holds.
KEY: Final = "opt_state"
_STRUCTURE: Final = frozenset({"missing", "extra", "container", "key"})
_MAX_DEPTH: Final = 8


class Make(NamedTuple):
    """An optax transformation: its name in optax, and the hint for its state."""

    words: str
    hint: str


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Of optimizers that optax has ready, what stands at place 0; a schedule may follow.
_READY: Final = {
    _keys("count mu nu"): Make("adam", "AdamState[...]"),
    _keys("count mu nu nu_max"): Make("amsgrad", "AmsgradState[...]"),
    _keys("count mu"): Make("lion", "LionState[...]"),
    _keys("trace"): Make("sgd with momentum", "SgdState[...]"),
    _keys("nu"): Make("rmsprop", "RmspropState[...]"),
    _keys("sum_of_squares"): Make("adagrad", "AdagradState[...]"),
}
#: Single transformations.
_SINGLE: Final = {
    _keys("count mu nu"): Make("scale_by_adam", "ScaleByAdamState[...]"),
    _keys("count mu nu nu_max"): Make("scale_by_amsgrad", "ScaleByAmsgradState[...]"),
    _keys("count mu"): Make("scale_by_lion", "ScaleByLionState[...]"),
    _keys("trace"): Make("trace", "TraceState[...]"),
    _keys("count"): Make("a schedule", "ScaleByScheduleState"),
    _keys("nu"): Make("scale_by_rms", "ScaleByRmsState[...]"),
    _keys("sum_of_squares"): Make("scale_by_rss", "ScaleByRssState[...]"),
    _keys("ema"): Make("ema", "EmaState[...]"),
    _keys("count ema"): Make("ema", "EmaState[...]"),
}
#: What wraps another transformation, by the key under which it keeps that one's state.
_WRAPPERS: Final = {
    "inner_opt_state": Make("MultiSteps", "MultiSteps[{}, ...]"),
    "base_optimizer_state": Make("schedule_free", "ScheduleFree[{}, ...]"),
    "inner_state": Make("masked", "Masked[{}]"),
}


def make_of(tree: Any, depth: int = 0) -> Make | None:
    """The make of the state under ``opt_state``; None if it is not known."""
    mapping = variables.mapping_of(tree)
    if not mapping or depth > _MAX_DEPTH:
        return None
    if all(isinstance(key, int) for key in mapping):
        entries = cast(Mapping[int, Any], mapping)
        return _ready(entries) or _chain(entries, depth)
    keys = frozenset(map(str, mapping))
    if "hyperparams" in keys:
        return _around(Make("inject_hyperparams", "Injected[{}]"), mapping["inner_state"], depth)
    if "inner_states" in keys:
        return _partition(variables.mapping_of(mapping["inner_states"]) or {}, depth)
    for key, wrapper in _WRAPPERS.items():
        if key in keys and (key != "inner_state" or len(keys) == 1):
            return _around(wrapper, mapping[key], depth)
    return _SINGLE.get(keys)


def _ready(entries: Mapping[int, Any]) -> Make | None:
    first = _READY.get(_names(entries.get(0)))
    more = [_names(item) for key, item in entries.items() if key != 0]
    if first is None or any(names != _keys("count") for names in more):
        return None
    return Make(f"{first.words} with a schedule", first.hint) if more else first


def _chain(entries: Mapping[int, Any], depth: int) -> Make | None:
    parts: list[Make] = []
    for place in range(max(entries) + 1):
        found = make_of(entries[place], depth + 1) if place in entries else Make("_", "None")
        if found is None:
            return None
        parts.append(found)
    words, hints = zip(*parts, strict=True)
    return Make(f"chain({', '.join(words)})", f"Chain[{', '.join(hints)}]")


def _partition(states: Mapping[Hashable, Any], depth: int) -> Make | None:
    inner = [make_of(item, depth + 1) for item in states.values()]
    found = [item for item in inner if item is not None]
    if not found or len(found) < len(inner):
        return None
    held = dict.fromkeys(make.hint.removeprefix("Masked[").removesuffix("]") for make in found)
    words = ", ".join(make.words for make in found)
    return Make(f"partition({words})", f"MultiTransform[{' | '.join(held)}]")


def _around(wrapper: Make, inner: Any, depth: int) -> Make | None:
    found = make_of(inner, depth + 1)
    if found is None:
        return None
    return Make(f"{wrapper.words}({found.words})", wrapper.hint.format(found.hint))


def _names(tree: Any) -> frozenset[str]:
    return frozenset(map(str, variables.mapping_of(tree) or ()))


def another_make(
    makes: Mapping[tuple[str, Path], Make], violations: Iterable[Violation]
) -> Cause | None:
    """The cause where an optimizer is of another make; None if none is."""
    found = list(enumerate(violations))
    for (_, path), make in makes.items():
        below = [(i, one, one.keys[len(path) :]) for i, one in found if _is_below(one, path)]
        if any(one.code in _STRUCTURE and _is_place(rest) for _, one, rest in below):
            kept = f"the optimizer keeps what optax's {make.words} keeps"
            text = f"{kept}: OptimizerState[{make.hint}] takes it"
            return Cause(text, frozenset(i for i, _, _ in below))
    return None


def _is_below(violation: Violation, path: Path) -> bool:
    return violation.keys[: len(path)] == path


def _is_place(path: Path) -> bool:
    """Whether a path in an optimizer ends before the parameters begin."""
    return all(isinstance(key, int) for key in path[:-1])
