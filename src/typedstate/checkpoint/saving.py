"""`save`: checks a state and writes it with its schema's document, whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from os import fspath
from pathlib import Path
from typing import Any

from flax import nnx

from .._compat.modules import is_module
from ..checking import check
from . import document
from .declared import Declared
from .errors import AnyPath, CheckpointError
from .libraries import orbax
from .orbax_reader import quiet
from .stored import ASIDE


def save(path: AnyPath, state_or_module: Any, hint: Any, *, overwrite: bool = False) -> None:
    """Writes a state or module as an Orbax checkpoint, once it fits.

    The schema's document, the kinds of the Variables and the implementations of the PRNG keys
    stand beside the weights in Orbax's custom metadata, so that a later `verify` knows what
    Orbax does not keep. The checkpoint is one of Orbax's ``StandardCheckpointer``, which any
    user of Orbax can read. It appears under its name when all of it is written: a save that
    fails or is killed leaves what was there before.

    Args:
      path: the folder to write.
      state_or_module: what is saved.
      hint: a schema or a form of one. A flat state of ``Flat[S]`` is written as the nested one
        that it is.
      overwrite: a checkpoint that is there already is replaced. It is moved aside for the
        moment between two renames: a kill just there leaves it whole beside the new one, and
        the error of the next `restore` says where.

    Raises:
      StateTypeError: the state does not fit; nothing is written.
      CheckpointError: there is something already.
    """
    __tracebackhide__ = True
    state, about = _checked(state_or_module, hint)
    place = Path(fspath(path)).expanduser().absolute()
    taken = os.path.lexists(place)
    if taken and not overwrite:
        raise CheckpointError(path, "there is something already: overwrite=True replaces it")
    if taken and not _replaceable(place):
        raise CheckpointError(path, "there is something that is no checkpoint: it is left alone")
    if not taken:
        _write(place, state, about)
        return
    fresh = place.with_name(f"{place.name}.new-{uuid.uuid4().hex[:8]}")
    aside = place.with_name(f"{place.name}{ASIDE}{uuid.uuid4().hex[:8]}")
    try:
        _write(fresh, state, about)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    os.rename(place, aside)
    os.rename(fresh, place)
    shutil.rmtree(aside, ignore_errors=True)


def save_args(state_or_module: Any, hint: Any) -> Any:
    """What Orbax's managers and asynchronous checkpointers save, once it fits.

    ::

        manager.save(step, args=save_args(state, ModelState))
        restore(manager.directory, ModelState, step=step)

    Args:
      state_or_module: what is saved.
      hint: a schema or a form of one; its document is written beside the weights.

    Returns:
      ``orbax.checkpoint.args.StandardSave``, alone or as an item of ``Composite``.

    Raises:
      StateTypeError: the state does not fit.
    """
    __tracebackhide__ = True
    state, about = _checked(state_or_module, hint)
    return orbax().args.StandardSave(state, custom_metadata=about)


def _checked(state_or_module: Any, hint: Any) -> tuple[Any, dict[str, Any]]:
    """The state of a module, or a state itself, with what is written beside its weights."""
    __tracebackhide__ = True
    state = nnx.state(state_or_module) if is_module(state_or_module) else state_or_module
    declared = Declared.of(hint)
    check(state, declared.hint)
    state = declared.nested(state)
    written = document.write(declared.hint, declared.name, state)
    return state, {document.DOCUMENT_KEY: written}


def _replaceable(place: Path) -> bool:
    if place.is_symlink() or not place.is_dir():
        return False
    names = {child.name for child in place.iterdir()}
    return not names or bool(names & {"_METADATA", "_CHECKPOINT_METADATA"})


def _write(place: Path, state: Any, about: dict[str, Any]) -> None:
    with quiet(), orbax().StandardCheckpointer() as checkpointer:
        checkpointer.save(place, state, custom_metadata=about)
