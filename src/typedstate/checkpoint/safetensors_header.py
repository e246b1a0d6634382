"""Reads and validates the header of a safetensors file, a hostile one too.

The header is validated before a tensor is read: at most `MAX_HEADER` bytes, at most
`MAX_ENTRIES` tensors, every offset inside the file, no byte of the data claimed twice or by
nobody. The rules are those of the format's description at
https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO, Final

import ml_dtypes
import numpy as np

from .errors import CheckpointError
from .libraries import is_json_object, is_list

MAX_HEADER: Final = 16 << 20
MAX_ENTRIES: Final = 100_000
_MAX_RANK: Final = 32
_LENGTH: Final = 8
_DTYPES: Final[dict[str, Any]] = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
    "C64": np.complex64,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}

#: Dtype and shape of a tensor, and the position of its first byte in the file.
Entry = tuple[np.dtype[Any], tuple[int, ...], int]


def read_header(file: BinaryIO, size: int, path: str) -> tuple[dict[str, Entry], dict[str, str]]:
    """Dtype, shape and position of each tensor by name, and the metadata of the file.

    Args:
      file: the file, open at its first byte.
      size: the size of the file, in bytes.
      path: the path of the file, for errors.

    Raises:
      CheckpointError: the file is truncated, or its header breaks a rule of the format.
    """
    head = file.read(_LENGTH)
    if len(head) < _LENGTH:
        raise CheckpointError(path, f"truncated: {size} bytes are less than a header")
    length = int.from_bytes(head, "little")
    if length > MAX_HEADER:
        raise CheckpointError(
            path, f"its header claims {length} bytes, more than the {MAX_HEADER} that are read"
        )
    if _LENGTH + length > size:
        raise CheckpointError(
            path, f"truncated: its header claims {length} bytes, the file has {size}"
        )
    text = file.read(length)
    if not text.startswith(b"{"):
        raise CheckpointError(path, "no safetensors file: its header is no JSON object")
    if text.count(b'"data_offsets"') > MAX_ENTRIES:
        raise CheckpointError(path, f"its header has more than {MAX_ENTRIES} tensors")
    try:
        found: Any = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(path, f"its header can't be read: {error}") from None
    if not is_json_object(found):
        raise CheckpointError(path, "its header is no JSON object")
    metadata: Any = found.pop("__metadata__", {})
    if not is_json_object(metadata) or not all(isinstance(v, str) for v in metadata.values()):
        raise CheckpointError(path, "its __metadata__ is not text by name")
    entries: dict[str, Entry] = {}
    spans: list[tuple[int, int, str]] = []
    for name, entry in found.items():
        dtype, shape, begin, end = _entry(entry, name, path)
        entries[name] = dtype, shape, _LENGTH + length + begin
        spans.append((begin, end, name))
    _covered(spans, size - _LENGTH - length, path)
    return entries, metadata


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _entry(entry: Any, name: str, path: str) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    def refuse(reason: str) -> CheckpointError:
        return CheckpointError(path, f"tensor {name[:80]!r}: {reason}")

    if not is_json_object(entry) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise refuse("its entry has other keys than dtype, shape and data_offsets")
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in _DTYPES:
        raise refuse(f"the dtype {str(entry['dtype'])[:40]!r} is not known")
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not is_list(shape) or len(shape) > _MAX_RANK or not all(map(_is_count, shape)):
        raise refuse("its shape is no list of sizes")
    if not is_list(offsets) or len(offsets) != 2 or not all(map(_is_count, offsets)):
        raise refuse("its data_offsets are no two positions")
    begin, end = offsets
    count = dtype.itemsize
    for number in shape:
        count *= number
    if end - begin != count:
        raise refuse(f"{dtype}{shape} takes {count} bytes, its offsets give {end - begin}")
    return dtype, tuple(shape), begin, end


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _covered(spans: list[tuple[int, int, str]], size: int, path: str) -> None:
    """Raises unless every byte of the data belongs to exactly one tensor."""
    at, before = 0, ""
    for begin, end, name in sorted(spans):
        if begin < at:
            raise CheckpointError(path, f"tensor {name[:80]!r} overlaps tensor {before[:80]!r}")
        if begin > at:
            raise CheckpointError(
                path, f"{begin - at} bytes before tensor {name[:80]!r} are nobody's"
            )
        at, before = end, name
    if at > size:
        raise CheckpointError(
            path, f"truncated: tensor {before[:80]!r} ends at byte {at} of {size} bytes of data"
        )
    if at < size:
        raise CheckpointError(path, f"{size - at} bytes after the last tensor are nobody's")
