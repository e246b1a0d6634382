"""Reads files of ``flax.serialization`` without the bytes of their arrays.

Flax's own ``msgpack_restore`` reads the whole file into memory; this reader skips the bytes of
arrays, and reads them only on demand. The encoding of arrays is that of
``flax.serialization`` (extension types 1 to 3, large arrays in chunks).
"""

from __future__ import annotations

import struct
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np

from .errors import CheckpointError
from .libraries import is_dict, is_list
from .stored import Checkpoint, Path, StoredLeaf

_ARRAY, _COMPLEX, _SCALAR = 1, 2, 3
_CHUNKED: Final = "__msgpack_chunked_array__"
_MAX_DEPTH: Final = 200
_MAX_NODES: Final = 2_000_000
_MAX_TEXT: Final = 1 << 16
_MAX_RANK: Final = 32
_LENGTHS: Final = {1: ">B", 2: ">H", 4: ">I"}
#: By the first byte of a type with a length: the count of bytes that hold the length.
_STRINGS: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BINARIES: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_EXTENSIONS: Final = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED_EXTENSIONS: Final = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_LISTS: Final = {0xDC: 2, 0xDD: 4}
_MAPS: Final = {0xDE: 2, 0xDF: 4}
_NUMBERS: Final = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}


@dataclass(frozen=True, slots=True)
class Bytes:
    """The place of an array in a file.

    Attributes:
      dtype: the dtype of the array.
      shape: the shape of the array.
      spans: position and length, in bytes, of each piece of the array, in order.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def inspect(place: Any) -> Checkpoint:
    """The checkpoint in a file of ``flax.serialization``."""
    leaves = tuple(_leaf(path, value) for path, value in _flat(_scan(place), ()))
    return Checkpoint(str(place), str(place), "msgpack", leaves)


def _leaf(path: Path, value: Any) -> StoredLeaf:
    match value:
        case Bytes():
            return StoredLeaf(path, value.shape, value.dtype)
        case None:
            return StoredLeaf(path, what="empty")
        case str() | bytes():
            return StoredLeaf(path, what="string")
        case {}:
            return StoredLeaf(path, what="empty")
        case _:
            return StoredLeaf(path, (), np.asarray(value).dtype, "scalar")


def arrays(place: Any, wanted: list[Path]) -> Iterator[tuple[Path, Any]]:
    """Yields the path and the numpy array of each wanted leaf, one at a time."""
    found = dict(_flat(_scan(place), ()))
    with place.open("rb") as file:
        for path in wanted:
            value = found[path]
            yield path, _read(file, value, place) if isinstance(value, Bytes) else value


def _read(file: BinaryIO, where: Bytes, place: Any) -> Any:
    made = np.empty(sum(length for _, length in where.spans), np.uint8)
    at = 0
    for begin, length in where.spans:
        file.seek(begin)
        data = file.read(length)
        if len(data) != length:
            raise CheckpointError(str(place), f"truncated at byte {begin + len(data)}")
        made[at : at + length] = np.frombuffer(data, np.uint8)
        at += length
    return made.view(where.dtype).reshape(where.shape)


def _flat(tree: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if is_dict(tree) and (tree or not path):
        for key, item in tree.items():
            yield from _flat(item, (*path, key))
    elif is_list(tree) and tree:
        for index, item in enumerate(tree):
            yield from _flat(item, (*path, index))
    else:
        yield path, {} if tree == [] else tree


def _scan(place: Any) -> Any:
    try:
        size = place.stat().length
        with place.open("rb") as file:
            scanner = _Scanner(file, size, str(place))
            tree = scanner.value(0)
            if file.tell() != size:
                raise scanner.wrong(f"{size - file.tell()} bytes follow the tree")
    except OSError as error:
        raise CheckpointError(str(place), f"can't be read: {error.strerror or error}") from None
    if not is_dict(tree):
        raise CheckpointError(str(place), "it holds no tree")
    return tree


class _Scanner:
    """Reads the structure of one file; depth, counts and lengths are bounded."""

    def __init__(self, file: BinaryIO, size: int, path: str) -> None:
        self.file, self.size, self.path, self.nodes = file, size, path, 0

    def wrong(self, reason: str) -> CheckpointError:
        return CheckpointError(self.path, f"{reason}, at byte {self.file.tell()}")

    def value(self, depth: int) -> Any:
        """Reads the next value."""
        self.nodes += 1
        if depth > _MAX_DEPTH:
            raise self.wrong(f"nested more than {_MAX_DEPTH} deep")
        if self.nodes > _MAX_NODES:
            raise self.wrong(f"more than {_MAX_NODES} values")
        (first,) = self.take(1)
        if first <= 0x7F or first >= 0xE0:
            return first if first <= 0x7F else first - 0x100
        if first <= 0x8F:
            return self.map(first & 0x0F, depth)
        if first <= 0x9F:
            return self.list(first & 0x0F, depth)
        if first <= 0xBF:
            return self.text(first & 0x1F)
        if first in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[first]
        if first in _NUMBERS:
            form = _NUMBERS[first]
            return struct.unpack(form, self.take(struct.calcsize(form)))[0]
        if first in _STRINGS:
            return self.text(self.length(_STRINGS[first]))
        if first in _BINARIES:
            return self.span(self.length(_BINARIES[first]))
        if first in _LISTS:
            return self.list(self.length(_LISTS[first]), depth)
        if first in _MAPS:
            return self.map(self.length(_MAPS[first]), depth)
        if first in _EXTENSIONS:
            return self.extension(self.length(_EXTENSIONS[first]), depth)
        if first in _FIXED_EXTENSIONS:
            return self.extension(_FIXED_EXTENSIONS[first], depth)
        raise self.wrong(f"no msgpack: the byte {first:#x}")

    def take(self, count: int) -> bytes:
        data = self.file.read(count)
        if len(data) != count:
            raise self.wrong("truncated")
        return data

    def length(self, count: int) -> int:
        return int(struct.unpack(_LENGTHS[count], self.take(count))[0])

    def text(self, length: int) -> str:
        if length > _MAX_TEXT:
            raise self.wrong(f"a text of {length} bytes")
        return self.take(length).decode("utf-8", "replace")

    def span(self, length: int) -> Bytes:
        """Skips so many bytes, and returns their place."""
        begin = self.file.tell()
        if begin + length > self.size:
            raise self.wrong(f"truncated: {length} bytes are wanted, {self.size - begin} are left")
        self.file.seek(begin + length)
        return Bytes(np.dtype(np.uint8), (length,), ((begin, length),))

    def list(self, length: int, depth: int) -> list[Any]:
        return [self.value(depth + 1) for _ in range(length)]

    def map(self, length: int, depth: int) -> Any:
        found: dict[Hashable, Any] = {}
        for _ in range(length):
            key = self.value(depth + 1)
            if not isinstance(key, str | int):
                raise self.wrong(f"a {type(key).__name__} as a key")
            if key in found:
                raise self.wrong(f"the key {key!r} stands there twice")
            found[key] = self.value(depth + 1)
        return self.chunked(found) if _CHUNKED in found else found

    def chunked(self, found: dict[Hashable, Any]) -> Bytes:
        """The place of an array that was written in pieces, as Flax writes large ones."""
        shape, chunks = found.get("shape"), found.get("chunks")
        if not is_dict(shape) or not is_dict(chunks):
            raise self.wrong("an array in pieces without shape or pieces")
        pieces = [chunks.get(str(index)) for index in range(len(chunks))]
        if not pieces or not all(isinstance(piece, Bytes) for piece in pieces):
            raise self.wrong("an array in pieces, one of which is missing")
        whole = [piece for piece in pieces if isinstance(piece, Bytes)]
        sizes = tuple(shape.get(str(index)) for index in range(len(shape)))
        spans = tuple(span for piece in whole for span in piece.spans)
        return self.array(sizes, whole[0].dtype, spans)

    def extension(self, length: int, depth: int) -> Any:
        (code,) = self.take(1)
        begin = self.file.tell()
        if begin + length > self.size:
            raise self.wrong(f"truncated: {length} bytes are wanted, {self.size - begin} are left")
        if code not in (_ARRAY, _COMPLEX, _SCALAR):
            raise self.wrong(f"the extension type {code} is none of Flax's")
        parts = self.value(depth + 1)
        if self.file.tell() != begin + length:
            raise self.wrong("an array whose parts do not fill it")
        if not is_list(parts):
            raise self.wrong("an array without shape, dtype and bytes")
        match code, parts:
            case 2, [int() | float(), int() | float()]:
                return complex(*parts)
            case _, [shape, str() as name, Bytes() as data] if is_list(shape):
                return self.array(tuple(shape), self.dtype(name), data.spans)
            case _:
                raise self.wrong("an array without shape, dtype and bytes")

    def dtype(self, name: str) -> np.dtype[Any]:
        import jax.numpy as jnp

        try:
            found = np.dtype(jnp.bfloat16) if name == "V2" else jnp.dtype(name)
        except TypeError:
            raise self.wrong(f"the dtype {name[:40]!r} is not known") from None
        if found.hasobject:
            raise self.wrong(f"the dtype {name[:40]!r} is of Python objects")
        return found

    def array(
        self, shape: tuple[Any, ...], dtype: np.dtype[Any], spans: tuple[tuple[int, int], ...]
    ) -> Bytes:
        if len(shape) > _MAX_RANK or not all(type(n) is int and n >= 0 for n in shape):
            raise self.wrong("a shape that is none")
        count = dtype.itemsize
        for number in shape:
            count *= number
        if count != sum(length for _, length in spans):
            raise self.wrong(f"{dtype}{list(shape)} takes {count} bytes, it has other ones")
        return Bytes(dtype, shape, spans)
