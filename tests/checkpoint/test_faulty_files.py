"""A file that is no whole checkpoint is refused by name, with the place, before it takes memory."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx, serialization
from safetensors.numpy import save_file

from tests.zoo import LinearState
from typedstate import StateTypeError
from typedstate.checkpoint import CheckpointError, inspect, is_checkpoint, restore, save, verify

DENSE = nnx.State({"kernel": nnx.Param(jnp.ones((2, 3))), "bias": nnx.Param(jnp.zeros(3))})


def refused(path: Path, **keywords: Any) -> str:
    """What `inspect` says of a path, without the folder that the test made."""
    with pytest.raises(CheckpointError) as error:
        inspect(path, **keywords)
    return str(error.value).replace(str(path.parent), "")


def header(entries: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(begin: int, end: int, shape: Any = (2,), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


SAFETENSORS = {
    "empty": (b"", "an empty file"),
    "short": (b"\1\0\0", "truncated: 3 bytes are less than a header"),
    "huge header": (
        header(b"{", length=1 << 40),
        "its header claims 1099511627776 bytes, more than the 16777216 that are read",
    ),
    "header beyond the file": (
        header(b"{}", length=100),
        "truncated: its header claims 100 bytes, the file has 10",
    ),
    "no object": (header(b"[1, 2]"), "no safetensors file: its header is no JSON object"),
    "no json": (header(b"{nonsense"), "its header can't be read: "),
    "deep": (header(b'{"a":' * 90_000), "its header can't be read: "),
    "twice": (
        header(b'{"a": {"dtype": "U8"}, "a": {}}'),
        "its header can't be read: a name stands there twice",
    ),
    "overlap": (
        header({"a": tensor(0, 8), "b": tensor(4, 12)}, bytes(12)),
        "tensor 'b' overlaps tensor 'a'",
    ),
    "hole": (
        header({"a": tensor(0, 8), "b": tensor(12, 20)}, bytes(20)),
        "4 bytes before tensor 'b' are nobody's",
    ),
    "behind": (header({"a": tensor(0, 8)}, bytes(9)), "1 bytes after the last tensor are nobody's"),
    "truncated": (
        header({"a": tensor(0, 8)}, bytes(7)),
        "truncated: tensor 'a' ends at byte 8 of 7 bytes of data",
    ),
    "size": (
        header({"a": tensor(0, 8, (3,))}, bytes(8)),
        "tensor 'a': float32[3] takes 12 bytes, its offsets give 8",
    ),
    "negative": (header({"a": tensor(-8, 0)}), "tensor 'a': its data_offsets are no two positions"),
    "overflow": (
        header({"a": tensor(0, 8, (1 << 62, 1 << 62))}, bytes(8)),
        "tensor 'a': float32[4611686018427387904, 4611686018427387904] takes ",
    ),
    "a bool as a size": (
        header({"a": tensor(0, 4, (True,))}, bytes(4)),
        "tensor 'a': its shape is no list of sizes",
    ),
    "dtype": (
        header({"a": tensor(0, 8, dtype="F4")}, bytes(8)),
        "tensor 'a': the dtype 'F4' is not known",
    ),
    "more keys": (
        header({"a": {**tensor(0, 8), "code": "import os"}}, bytes(8)),
        "tensor 'a': its entry has other keys than dtype, shape and data_offsets",
    ),
    "metadata": (header({"__metadata__": {"a": 1}}), "its __metadata__ is not text by name"),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_a_broken_safetensors_file(name: str, tmp_path: Path) -> None:
    data, reason = SAFETENSORS[name]
    path = tmp_path / ("x.safetensors" if name != "empty" else "x")
    path.write_bytes(data)
    assert refused(path).startswith(f"/{path.name}: {reason}")


def test_a_million_entries_take_no_memory(tmp_path: Path) -> None:
    entry = b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
    text = b"{" + b"".join(entry % number for number in range(200_000)) + b'"z":0}'
    path = tmp_path / "x.safetensors"
    path.write_bytes(header(text))
    tracemalloc.start()
    assert refused(path) == "/x.safetensors: its header has more than 100000 tensors"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(text)
    path.write_bytes(header(text * 5))
    assert "more than the 16777216 that are read" in refused(path)


def sharded(folder: Path, named: dict[str, Any]) -> Path:
    folder.mkdir()
    save_file({"a": np.ones(2, np.float32)}, folder / "one.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    return folder


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({}, "it has no weight_map"),
        ({"a": "../one.safetensors"}, "tensor 'a' is in '../one.safetensors', outside"),
        ({"a": "/etc/x.safetensors"}, "tensor 'a' is in '/etc/x.safetensors', outside"),
        ({"a": "x.bin"}, "tensor 'a' is in no safetensors file"),
        ({"a": "gone.safetensors"}, "there is nothing, though the index names it"),
        ({"a": "one.safetensors", "b": "one.safetensors"}, "one.safetensors does not hold"),
    ],
)
def test_a_broken_index(named: dict[str, Any], reason: str, tmp_path: Path) -> None:
    assert reason in refused(sharded(tmp_path / "m", named))


def test_a_tensor_that_the_index_does_not_name(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "m", {"b": "one.safetensors"})
    assert "holds tensor 'a', unnamed in model.safetensors.index.json" in refused(folder)


def packed(value: Any) -> bytes:
    data: bytes = serialization.msgpack_serialize(value)
    return data


def test_a_broken_msgpack_file(tmp_path: Path) -> None:
    whole = packed({"kernel": np.ones((2, 3), np.float32)})
    path = tmp_path / "x.msgpack"
    found: dict[str, str] = {}
    for name, data in {
        "truncated": whole[:-3],
        "longer": whole + b"\0",
        "a tree of nothing": b"\xde\xff\xff",
        "deep": b"\x81\xa1a" * 1000,
        "an extension": b"\x81\xa1a\xd4\x7f\0",
        "a claim of 4 GiB": b"\x81\xa1a\xc6\xff\xff\xff\xff",
        "a list as a key": b"\x81\x90\x00",
        "objects": b"\x81\xa1a\xc7\x0b\x01\x93\x91\x01\xa6object\xc4\x00"[:-1],
    }.items():
        path.write_bytes(data)
        found[name] = refused(path)
    assert found == {
        "truncated": "/x.msgpack: truncated: 38 bytes are wanted, 35 are left, at byte 11",
        "longer": "/x.msgpack: 1 bytes follow the tree, at byte 49",
        "a tree of nothing": "/x.msgpack: truncated, at byte 3",
        "deep": "/x.msgpack: nested more than 200 deep, at byte 601",
        "an extension": "/x.msgpack: the extension type 127 is none of Flax's, at byte 5",
        "a claim of 4 GiB": (
            "/x.msgpack: truncated: 4294967295 bytes are wanted, 0 are left, at byte 8"
        ),
        "a list as a key": "/x.msgpack: a list as a key, at byte 2",
        "objects": found["objects"],
    }


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    assert refused(tmp_path / "gone") == "/gone: there is nothing"
    (tmp_path / "folder").mkdir()
    assert refused(tmp_path / "folder") == (
        "/folder: no checkpoint: there is no _METADATA in it or in a folder below it"
    )
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert refused(tmp_path / "link") == "/link: a symlink to nothing"
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert "/round: " in refused(tmp_path / "round")
    (tmp_path / "text").write_text("once upon a time")
    assert refused(tmp_path / "text") == "/text: no checkpoint of a format that is known here"
    assert not any(is_checkpoint(tmp_path / name) for name in ("gone", "folder", "link", "text"))


def test_a_symlink_to_a_checkpoint_is_followed(tmp_path: Path, written: Any) -> None:
    (tmp_path / "latest").symlink_to(written("standard"))
    assert inspect(tmp_path / "latest").leaves == inspect(written("standard")).leaves


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    save(tmp_path / "c", DENSE, LinearState)
    return tmp_path / "c"


def test_a_folder_of_orbax_that_lost_something(dense: Path) -> None:
    about = dense / "_CHECKPOINT_METADATA"
    whole = json.loads(about.read_text())
    about.write_text(json.dumps({**whole, "commit_timestamp_nsecs": None}))
    assert refused(dense) == "/c/_CHECKPOINT_METADATA: half-written: it has no time of commit"
    about.write_text("{")
    assert refused(dense).startswith("/c/_CHECKPOINT_METADATA: can't be read: ")
    about.write_text(json.dumps(whole))
    (dense / "_METADATA").write_text("{")
    assert refused(dense).startswith("/c/_METADATA: can't be read: ")
    (dense / "_METADATA").write_text('{"tree_metadata": {"x": 3}}')
    assert refused(dense) == "/c: its metadata can't be read"


def test_a_folder_that_orbax_did_not_finish(dense: Path) -> None:
    unfinished = dense.rename(dense.with_name("c.orbax-checkpoint-tmp"))
    assert refused(unfinished).endswith("half-written: Orbax did not commit it")
    steps = dense.with_name("steps")
    steps.mkdir()
    unfinished.rename(steps / "7.orbax-checkpoint-tmp")
    assert refused(steps) == (
        "/steps/7.orbax-checkpoint-tmp: half-written: Orbax did not commit it"
    )


def test_truncated_arrays_are_named(dense: Path) -> None:
    files = [file for file in dense.rglob("d/*") if file.is_file()]
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:-20])
    said = rf"^{dense}: the header of (bias|kernel)\.value can't be read: .*Requested byte range"
    for work in (lambda: inspect(dense), lambda: restore(dense, LinearState)):
        with pytest.raises(CheckpointError, match=said):
            work()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (3, "custom metadata 'typedstate' is no document of a schema"),
        ({"version": 99}, "the schema's document is of version 99, newer than 1"),
        ({"version": 1, "hint": 3}, "the schema's document has no name of a hint"),
        (
            {"version": 1, "hint": "S", "schema": {"format": "typedstate-schema", "version": 9}},
            "schema document: this document is of version 9, and this typedstate reads up to 1: "
            "install a newer one",
        ),
        (
            {"version": 1, "hint": "S", "schema": ["x"]},
            "schema document: Input should be a valid dictionary or instance of SchemaDocument",
        ),
        (
            {"version": 1, "hint": "S", "kinds": {"a": ["b"]}},
            "the schema's document has kinds of another form",
        ),
    ],
)
def test_a_document_of_another_form(document: Any, reason: str, dense: Path) -> None:
    about = dense / "_CHECKPOINT_METADATA"
    whole = json.loads(about.read_text())
    about.write_text(json.dumps({**whole, "custom_metadata": {"typedstate": document}}))
    assert refused(dense) == f"/c: {reason}"


def test_a_document_is_never_run(dense: Path) -> None:
    about = dense / "_CHECKPOINT_METADATA"
    whole = json.loads(about.read_text())
    document = whole["custom_metadata"]["typedstate"]
    document["schema"]["root"] = {"type": "instance", "class": "builtins.eval"}
    about.write_text(json.dumps(whole))
    assert str(verify(dense, LinearState).unknown[-1]) == (
        "written for another schema: LinearState, which can't be compared: schema document, root: "
        "the class builtins.eval is unknown; give kinds={'builtins.eval': it}"
    )


def test_steps_and_items_that_are_not_there(written: Any) -> None:
    path = written("manager")
    assert "there is no step 5: there are 3, 12" in refused(path, step=5)
    assert "there are no steps, so no step 5" in refused(written("v1"), step=5)
    assert "there is no item 'x': there are model" in refused(written("items"), item="x")
    assert "only Orbax's folders have a step" in refused(written("msgpack"), step=1)


# -- Saving ---------------------------------------------------------------------------------


def test_a_state_that_does_not_fit_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(StateTypeError, match="kernel: missing"):
        save(tmp_path / "c", nnx.State({"bias": nnx.Param(jnp.zeros(3))}), LinearState)
    assert list(tmp_path.iterdir()) == []


def test_something_else_is_left_alone(dense: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is something already: overwrite=True"):
        save(dense, DENSE, LinearState)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("important")
    with pytest.raises(CheckpointError, match="no checkpoint: it is left alone"):
        save(tmp_path / "work", DENSE, LinearState, overwrite=True)
    assert (tmp_path / "work" / "thesis.tex").read_text() == "important"


KILLED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
import jax, jax.numpy as jnp, orbax.checkpoint
from tests.zoo import LinearState
from flax import nnx
from typedstate.checkpoint import save

events = 0
last = None
def count(event, arguments):
    global events
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
        if arguments and {path!r} in str(arguments[0]):
            events += 1
            if events == last:
                os.kill(os.getpid(), signal.SIGKILL)

def run():
    sys.addaudithook(count)
    array = jnp.full((2, 3), 2.0)
    new = nnx.State({{"kernel": nnx.Param(array), "bias": nnx.Param(jnp.zeros(3))}})
    save({path!r}, new, LinearState, overwrite=True)
    print("events", events, flush=True)
    os._exit(0)

for line in sys.stdin:  # each in a process of its own, from before JAX has threads
    last = int(line) or None
    child = os.fork()
    if child == 0:
        run()
    os.waitpid(child, 0)
    print("done", flush=True)
"""


def test_a_kill_leaves_the_old_or_the_new_one_or_is_refused(dense: Path) -> None:
    source = KILLED.format(folder=str(Path(__file__).parent), path=str(dense))
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def saved(last: int) -> int:
        process.stdin.write(f"{last}\n")
        process.stdin.flush()
        events = 0
        while (line := process.stdout.readline()) not in ("done\n", ""):
            if line.startswith("events"):
                events = int(line.split()[1])
        return events

    total = saved(0)
    assert total >= 10
    outcomes: list[str] = []
    for point in range(10):
        shutil.rmtree(dense)
        save(dense, DENSE, LinearState)
        assert saved(1 + point * (total - 1) // 9) == 0  # it was killed
        try:
            kernel = np.asarray(restore(dense, LinearState).state.kernel[...])
        except CheckpointError:
            assert "an interrupted save left the older one whole, at /c.replaced-" in refused(dense)
            aside = next(dense.parent.glob("c.replaced-*"))
            assert (np.asarray(restore(aside, LinearState).state.kernel[...]) == 1).all()
            outcomes.append("refused")
            aside.rename(dense)
        else:
            assert set(kernel.ravel().tolist()) in ({1.0}, {2.0})
            outcomes.append("old" if kernel[0, 0] == 1 else "new")
        for rest in dense.parent.glob("c.*"):
            shutil.rmtree(rest)
    process.stdin.close()
    process.wait()
    assert outcomes[0] == "old"
    assert {"old", "new"} <= set(outcomes)
