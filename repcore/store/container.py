"""The container of all files with arrays: safetensors, with one JSON document in its metadata; written stably, read warily.

safetensors' own writer orders several metadata entries at random; hence one entry, ``repcore``, and a writer of our own. What a
header says of sizes is compared with the length of the file before anything is made of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import struct
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from repcore.errors import StoreError
from repcore.solve.budget import physical_memory
from repcore.store.atomic import reason
from repcore.store.fields import take_dict, take_int, take_list, take_text, unique

__all__ = ["Bytes", "Part", "check_format", "checksum", "document_of", "pack", "read_file", "views_of"]

Array = npt.NDArray[Any]
Bytes = bytes | memoryview
"""Bytes that are written."""

_HEADER = 100_000_000  # bytes: what safetensors itself allows


class Part(NamedTuple):
    """One tensor of a file: its name, its type as safetensors calls it, its shape and its bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: Bytes


# -- writing -----------------------------------------------------------------------------------------------------------


def pack(document: dict[str, Any], parts: Sequence[Part], what: str, limit: int, advice: str) -> list[Bytes]:
    """The pieces of a file, header first: a function of the document and the parts alone. The document gets its checksum.

    Raises:
        StoreError: more bytes than are read back; it says ``what``, and what to do instead.
    """
    document = document | {"checksum": checksum(document, (p.data for p in parts))}
    header: dict[str, Any] = {"__metadata__": {"repcore": _json(document)}}
    start = 0
    for p in parts:
        size = memoryview(p.data).nbytes
        header[p.name] = {"dtype": p.dtype, "shape": list(p.shape), "data_offsets": [start, start + size]}
        start += size
    text = _json(header).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _HEADER or start > limit:
        raise StoreError(
            f"{what}: its file would have a header of {len(text)} and arrays of {start} bytes, more than the "
            f"{_HEADER} and {limit} that are read back; {advice}"
        )
    return [struct.pack("<Q", len(text)) + text, *(p.data for p in parts)]


def checksum(document: Mapping[str, Any], buffers: Iterable[Bytes]) -> str:
    """SHA-256 of everything but the checksum itself."""
    h = hashlib.sha256(_json({k: v for k, v in document.items() if k != "checksum"}).encode())
    for data in buffers:
        h.update(data)
    return h.hexdigest()


def _json(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


# -- reading -----------------------------------------------------------------------------------------------------------


def read_file(path: str | os.PathLike[str], limit: int, *, header_only: bool = False) -> bytes:
    """The bytes of a file, or of its header.

    Raises:
        StoreError: no regular file, one that cannot be read, or too large a one.
    """
    where = repr(os.fspath(path))
    try:
        # Asked before opening: opening a pipe would wait for a writer.
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{where}: is no regular file")
        if found.st_size > limit:
            raise StoreError(f"{where}: has {found.st_size} bytes, such files have at most {limit}")
        if not header_only and 2 * found.st_size > physical_memory():
            # A sparse file takes no room on the disk, and all of it in memory.
            raise StoreError(f"{where}: has {found.st_size} bytes, more than half of the memory of this machine")
        with open(path, "rb") as stream:
            if not header_only:
                # No more than what was asked about: the file may grow, and those of /proc have no end.
                return stream.read(found.st_size)
            first = stream.read(8)
            size = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
            return first + stream.read(min(size, _HEADER))
    except (OSError, ValueError, MemoryError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{where}: cannot be read: {reason(error) or type(error).__name__}") from error


def document_of(data: memoryview, where: str) -> tuple[dict[str, Any], dict[str, Any], memoryview]:
    """The JSON document of the metadata, which has a ``format``; the header of the tensors; and the buffer behind it."""
    if len(data) < 8:
        raise StoreError(f"{where}: has {len(data)} bytes, no such file is so short; write it again")
    size: int = struct.unpack("<Q", data[:8])[0]
    if size > min(_HEADER, len(data) - 8):
        raise StoreError(f"{where}: is no basis file and no model file, or cut short: it announces a header of {size} bytes")
    header = take_dict(_parse(bytes(data[8 : 8 + size]), where), where)
    metadata = take_dict(header.pop("__metadata__", {}), f"{where}: metadata")
    if "repcore" not in metadata:
        raise StoreError(f"{where}: is no basis file of repcore and no model file; rc.dump writes both")
    text = take_text(metadata["repcore"], f"{where}: metadata")
    document = take_dict(_parse(text.encode("utf-8", "replace"), where), where, "format")
    return document, header, data[8 + size :]


def check_format(value: object, own: str, where: str) -> None:
    """StoreError unless the format of a file is the one that this release reads."""
    if value == own:
        return
    stem, _, number = own.rpartition("-")
    match = re.fullmatch(re.escape(stem) + "-([0-9]{1,9})", value) if isinstance(value, str) else None
    kind = stem.rpartition("-")[2]
    if match is None:
        raise StoreError(f"{where}: is no {kind} file of repcore, its format is not {stem}-...")
    if int(match[1]) > int(number):
        raise StoreError(f"{where}: was written by a newer repcore, in format {value}; this one reads {own}: update it")
    raise StoreError(f"{where}: has format {value}, which no release has written; make it anew")


def views_of(
    header: Mapping[str, Any], buffer: memoryview, where: str, kinds: Mapping[str, str], *, axes: int, empty: bool
) -> dict[str, Array]:
    """Arrays that lie in the buffer, read-only; sizes must agree with it, before anything is made of them.

    Args:
        header: of the file, without its metadata.
        buffer: what is behind the header; the tensors must fill it without gap or overlap.
        where: what to call the file.
        kinds: the types that such a file has, and how NumPy calls them.
        axes: the largest number of axes.
        empty: whether tensors without entries are allowed.
    """
    out: dict[str, Array] = {}
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: _offsets(item[1], where)):
        table = take_dict(entry, where, "dtype", "shape", "data_offsets")
        shape = [take_int(n, f"{where}: shape of {name[:40]!r}") for n in take_list(table["shape"], where)]
        kind = table["dtype"]
        if not isinstance(kind, str) or kind not in kinds or len(shape) > axes:
            raise StoreError(f"{where}: the tensor {name[:40]!r} is none that such a file has")
        dtype = np.dtype(kinds[kind])
        start, stop = _offsets(entry, where)
        fits = start == end and start <= stop <= len(buffer) and stop - start == prod(shape) * dtype.itemsize
        if not fits or (start == stop and not empty):
            raise StoreError(f"{where}: the tensor {name[:40]!r} does not fit its place, the file is cut short or damaged")
        try:
            out[name] = np.frombuffer(buffer[start:stop], dtype).reshape(shape)
        except ValueError:
            # No entries, and an axis beyond what arrays can have.
            raise StoreError(f"{where}: the tensor {name[:40]!r} has a shape that no array has") from None
        end = stop
    if end != len(buffer):
        raise StoreError(f"{where}: {len(buffer) - end} bytes belong to no tensor, the file is damaged")
    return out


def _offsets(entry: object, where: str) -> tuple[int, int]:
    offsets = take_list(take_dict(entry, where, "data_offsets")["data_offsets"], where, 2)
    return take_int(offsets[0], where), take_int(offsets[1], where)


def _parse(text: bytes, where: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        # ValueError: no JSON, no UTF-8, a key that stands twice, or an integer of too many digits.
        kind = type(error).__name__
        raise StoreError(f"{where}: is no basis file and no model file, or damaged: {kind} in its header") from None
