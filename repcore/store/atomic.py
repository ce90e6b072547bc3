"""Writing a file so that no reader ever sees half of it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from repcore.errors import StoreError

__all__ = ["TEMPORARY", "reason", "write_atomically"]

TEMPORARY = ".writing-"
"""How the names of unfinished files begin."""


def write_atomically(path: str | os.PathLike[str], data: bytes | Sequence[bytes | memoryview]) -> None:
    """Write ``data``, whole or in pieces, to a new file beside ``path``, flush it to the disk, and rename it to ``path``.

    Whatever happens, a full disk or a killed process, ``path`` is what it was before or the whole of ``data``. An interrupt
    (Ctrl-C) leaves no other file; a process that is killed can leave an unfinished one, whose name begins with
    :data:`TEMPORARY`.

    Raises:
        StoreError: the file cannot be written; the unfinished one is removed.
    """
    target = Path(path)
    unfinished = target.parent / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(6)}"
    try:
        try:
            # Not tempfile.mkstemp, which makes files that only their owner can read: caches are shared within groups.
            # Within the try, since an interrupt can come as soon as the file is there.
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
            with open(handle, "wb") as stream:
                for piece in (data,) if isinstance(data, bytes) else data:
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(unfinished, target)
        except BaseException:
            with contextlib.suppress(OSError, ValueError):
                unfinished.unlink()
            raise
    except (OSError, ValueError) as error:
        # ValueError: a path with a null byte.
        raise StoreError(f"{os.fspath(path)!r}: cannot be written: {reason(error)}") from error


def reason(error: Exception) -> str:
    """What went wrong in words, without the path, which the message names already."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
