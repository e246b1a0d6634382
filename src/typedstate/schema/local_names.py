"""Keeps local names that an annotation mentions, for forward references; never arrays."""

from __future__ import annotations

import ast
import sys
import typing
from collections.abc import Mapping
from types import FrameType, FunctionType, ModuleType
from typing import Any, Final, Literal, TypeVar, get_args

from .._annotations.deferred import Deferred
from .._annotations.hint_kinds import TYPE_ALIASES


def mentioned(hint: Any, local: Mapping[str, Any]) -> dict[str, Any]:
    """The local names that an annotation's text mentions: types only, never an array."""
    texts = _texts(hint)
    names: set[str] = set()
    while texts:
        try:
            tree = ast.parse(texts.pop().strip(), mode="eval")
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)  # forms take names of later classes in quotes
    return {name: local[name] for name in names if name in local and _is_hint(local[name])}


def _texts(hint: Any) -> list[str]:
    if isinstance(hint, str):
        return [hint]
    if isinstance(hint, typing.ForwardRef):
        return [hint.__forward_arg__]
    if isinstance(hint, Deferred):
        return [text for arg in hint.args if not isinstance(arg, str) for text in _texts(arg)]
    return [text for arg in get_args(hint) if not isinstance(arg, str) for text in _texts(arg)]


def _is_hint(value: Any) -> bool:
    if isinstance(value, type | TypeVar | ModuleType | Deferred | _SpecialForm | int | float | str):
        return True
    return typing.get_origin(value) is not None or isinstance(value, (*TYPE_ALIASES, FunctionType))


def is_module_level(frame: FrameType, module: str) -> bool:
    """Whether names of a frame can be looked up in the module later; not so under ``exec``."""
    there = module in sys.modules and vars(sys.modules[module]) is frame.f_globals
    return there and frame.f_locals is frame.f_globals


_SpecialForm: Final[type] = type(Literal)  # of ``Literal``, ``Union`` and their like
