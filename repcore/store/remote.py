"""`Remote`: a shared layer of a store behind an address, such as a bucket or a web server, reached through fsspec."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from repcore.errors import RepcoreError, StoreError
from repcore.store.atomic import write_atomically

__all__ = ["Remote", "is_address", "need_fsspec"]

# "s3://bucket/x", and chains of fsspec such as "simplecache::s3://bucket/x".
_ADDRESS = re.compile("[A-Za-z][A-Za-z0-9+.-]*(::|://)")
_PASSWORD = re.compile("(//[^/@:]*):[^/@]*@")


@dataclass(frozen=True, repr=False)
class Remote:
    """A directory of basis files behind an fsspec address, of the same layout as a :class:`repcore.Store`.

    Credentials, timeouts and other options are those of fsspec's own configuration (its files, or variables such as
    ``FSSPEC_S3_ENDPOINT_URL``). Nothing is imported and nothing is connected to before the first call.

    Args:
        url: the address of the directory.
    """

    url: str

    def __str__(self) -> str:
        # A password is for the server alone, not for messages and logs.
        return _PASSWORD.sub(r"\1:***@", self.url)

    def __repr__(self) -> str:
        return f"Remote({str(self)!r})"

    def fetch(self, name: str) -> bytes | None:
        """The bytes of one file, whole or not: whoever reads them checks their checksum. None if there is no such file.

        Raises:
            StoreError: the file cannot be read now, for whatever reason the backend has.
        """
        try:
            files, path = self._opened(name)
            # Straight for the file: some backends keep listings, which would not show what was published since.
            return files.cat_file(path)
        except FileNotFoundError:
            return None
        except Exception as error:  # each backend has errors of its own
            raise StoreError(f"{self.place(name)}: cannot be read: {_said(error)}") from error

    def send(self, name: str, data: bytes) -> None:
        """Write one file. Object stores show it whole or not at all, and so does a local disk; elsewhere the checksum tells.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            files, path = self._opened(name)
            from fsspec.implementations.local import LocalFileSystem

            if isinstance(files, LocalFileSystem):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, data)
                return
            try:
                files.pipe_file(path, data)
            except FileNotFoundError:
                # Only where there are directories to make: on an object store the attempt may ask for rights that nobody has.
                files.makedirs(path.rpartition("/")[0], exist_ok=True)
                files.pipe_file(path, data)
        except Exception as error:  # each backend has errors of its own
            raise StoreError(f"{self.place(name)}: cannot be written: {_said(error)}") from error

    def place(self, name: str) -> str:
        """What to call one file in messages."""
        return repr(f"{str(self).rstrip('/')}/{name}")

    def _opened(self, name: str) -> tuple[Any, str]:
        need_fsspec()
        import fsspec.core

        # fsspec has no types of its own.
        files, root = cast(tuple[Any, str], fsspec.core.url_to_fs(self.url))
        return files, f"{root.rstrip('/')}/{name}"


def is_address(value: object) -> bool:
    """Whether a text is an address for fsspec, not a path.

    >>> is_address("s3://bucket/bases"), is_address("/srv/bases"), is_address("C:/bases")
    (True, False, False)
    """
    return isinstance(value, str) and _ADDRESS.match(value) is not None


def need_fsspec() -> None:
    """Import fsspec, or say how to get it.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import fsspec  # pyright: ignore[reportUnusedImport] # noqa: F401
    except ImportError as error:
        raise ImportError("a shared cache at an address needs fsspec: pip install fsspec (or repcore[cluster])") from error


def _said(error: Exception) -> str:
    if isinstance(error, ImportError | RepcoreError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
