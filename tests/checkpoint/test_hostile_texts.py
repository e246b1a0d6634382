"""What a checkpoint says of itself is shown as text, whatever characters it has."""

from __future__ import annotations

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save_file

from tests.zoo import LinearState
from typedstate import diff, show
from typedstate.checkpoint import CheckpointError, inspect, save, verify


def shown(path: Path) -> list[str]:
    """All lines of text that are made of a checkpoint."""
    found = inspect(path)
    texts = [
        *(str(found), str(show(found)), str(show(path, LinearState))),
        *(str(verify(path, LinearState)), str(diff(found, LinearState))),
    ]
    return [line for text in texts for line in text.split("\n")]


def test_a_document_moves_no_cursor(tmp_path: Path) -> None:
    state = nnx.State({"kernel": nnx.Param(jnp.ones((2, 3)))})
    save(tmp_path / "c", state, LinearState)
    about = tmp_path / "c" / "_CHECKPOINT_METADATA"
    whole = json.loads(about.read_text())
    document = whole["custom_metadata"]["typedstate"]
    document["hint"] = "\x1b[31mLinearState\n"
    document["kinds"] = dict.fromkeys(document["kinds"], "\x1b[2JParam")
    document["schema"] = None
    about.write_text(json.dumps(whole))
    lines = shown(tmp_path / "c")
    assert [line for line in lines if not line.isprintable()] == []
    assert any("written for another schema: \\x1b[31mLinearState\\n" in line for line in lines)


def test_the_name_of_a_tensor_moves_no_cursor(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    save_file({"a.\x1b[31mb\nc": np.ones(2, np.float32)}, file)
    lines = shown(file)
    assert [line for line in lines if not line.isprintable()] == []
    assert "   └─ \\x1b[31mb\\nc: float32[2]" in lines


def test_a_name_of_many_dots_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    for levels in (201, 3000):
        save_file({".".join("a" * levels): np.ones(2, np.float32)}, file)
        with pytest.raises(CheckpointError, match=r"m\.safetensors: nested more than 200 deep$"):
            inspect(file)
    save_file({".".join("a" * 200): np.ones(2, np.float32)}, file)
    assert "a tree nested too deeply to draw" in str(show(file))
