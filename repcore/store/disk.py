"""`Store`: a directory of solved bases, found by the digest of their space."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
import warnings
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from repcore.basis import EquivariantBasis
from repcore.errors import IncompatibleError, RepcoreWarning, StoreError
from repcore.reps.hom import FORMAT, Hom
from repcore.store.atomic import TEMPORARY, reason, write_atomically
from repcore.store.files import basis_from_bytes, basis_to_bytes, read_basis
from repcore.store.remote import Remote, is_address, need_fsspec

__all__ = ["Entry", "Store"]

_VERSION = FORMAT.rpartition("-")[2]
_SUFFIX = ".safetensors"
_LOCK = ".lock"
_NAME = re.compile(r"([0-9a-f]{64})\.[0-9]{1,9}" + re.escape(_SUFFIX))
_PATIENCE = 10.0  # seconds that a writer waits for a collection to end; removing 100,000 files takes less
_ABANDONED = 3600.0  # seconds after which an unfinished file is taken for that of a killed process, where nothing can be locked


@dataclass(frozen=True)
class Entry:
    """One file of a store.

    Attributes:
        digest: of the space.
        path: of the file.
        size: in bytes.
        used: when it was written or last read, in seconds since 1970.
    """

    digest: str
    path: Path
    size: int
    used: float


@dataclass(frozen=True, init=False, repr=False)
class Store:
    """A directory of basis files, one a space, at ``ab/cd/abcd....1.safetensors``: digest of the space, format version.

    Any number of processes may use it at once. A file appears whole or not at all and never changes, since equal spaces have
    equal files: readers and writers need no lock. Only removing does (:meth:`gc`, :meth:`clear`): it deletes unfinished files of
    killed processes and empty directories, which it could not tell from those that a writer is about to use. A writer does the
    same for the one directory that it writes to.

    Args:
        path: the directory; made when first written to. By default ``$REPCORE_CACHE``, or else the user's cache directory.
        shared: a second directory, of the same layout, which is only read unless ``publish`` is set; or an address of one for
            fsspec (the extra ``cluster``), such as ``"s3://bucket/bases"`` or ``"https://host/bases"``, from which each file
            that is wanted is copied once to the own directory. By default ``$REPCORE_SHARED_CACHE``, or else none.
            Name only directories whose writers you trust; ``rc.verify`` checks a basis from its definition.
        publish: whether what is put into this store is written to the shared one as well, so that machines that share it
            solve each space once. By default only if ``$REPCORE_PUBLISH`` is 1.

    Raises:
        StoreError: a place that is no directory, or ``publish`` without a place to write to.
        ImportError: ``shared`` is an address, and fsspec is not installed.

    A shared layer that cannot be reached or written to, or that holds damaged files, costs a :class:`RepcoreWarning`.

    >>> import tempfile
    >>> import repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     store = Store(directory)
    ...     store.get(V >> V), rc.solve(V >> V, store=store).dim, store.get(V >> V).dim, len(store.entries())
    (None, 1, 1, 1)
    """

    path: Path
    shared: Path | Remote | None
    publish: bool

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        shared: str | os.PathLike[str] | Remote | None = None,
        publish: bool | None = None,
    ) -> None:
        if shared and is_address(shared):
            # One from the environment is asked about when it is used: there it costs a warning.
            need_fsspec()
        if publish is not None and not isinstance(publish, bool):
            raise IncompatibleError(f"publish: expected True or False, got {publish!r}")
        shared = shared or os.environ.get("REPCORE_SHARED_CACHE") or None
        if publish and shared is None:
            raise StoreError("publish: there is no shared directory to write to; give shared=, or set REPCORE_SHARED_CACHE")
        publish = shared is not None and (_publishes() if publish is None else publish)
        object.__setattr__(self, "path", _directory(path, "path") if path is not None else _default())
        object.__setattr__(self, "shared", None if shared is None else _shared(shared))
        object.__setattr__(self, "publish", publish)

    def __repr__(self) -> str:
        shared = f", shared={str(self.shared)!r}" if self.shared is not None else ""
        return f"Store({os.fspath(self.path)!r}{shared}{', publish=True' if self.publish else ''})"

    def file_of(self, space: Hom) -> Path:
        """Where the basis of a space is, or would be."""
        return _place(self.path, space.digest)

    def find(self, space: Hom) -> Path | None:
        """The file of a space, in the own or else in the shared directory; None if there is none.

        Where the shared layer is an address, the file is copied from there to the own directory first.
        """
        found = self._found(space)
        return self._found(space) if found is None and self._fetched(space) is not None else found

    def _found(self, space: Hom) -> Path | None:
        places = [_place(root, space.digest) for root in self._layers]
        return next((p for p in places if _exists(p) and p.is_file()), None)

    def get(self, space: Hom) -> EquivariantBasis | None:
        """The stored basis of a space, with that very object as its ``space``; None if there is none.

        A file that is damaged is dropped with a :class:`RepcoreWarning`. One that cannot be read now (permissions, too many open
        files, a failing disk) is passed over with a warning, and so is everything damaged in the shared directory. What comes
        from an address is checked, and copied to the own directory.
        """
        for root in self._layers:
            path = _place(root, space.digest)
            if not _exists(path):
                continue
            try:
                basis = read_basis(path, space=space)
            except StoreError as error:
                # Gone since we looked: another process collects. Nothing is damaged.
                if not isinstance(error.__cause__, FileNotFoundError):
                    self._drop(path, error)
                continue
            with contextlib.suppress(OSError):
                os.utime(path)  # for gc, which removes what has not been used for longest
            return basis
        return self._fetched(space)

    def put(self, basis: EquivariantBasis) -> Path:
        """Write the basis of a space, to the shared layer as well where this store publishes, and return the own file.

        Raises:
            StoreError: the own directory cannot be written to, or the disk is full. ``rc.solve`` turns it into a warning.
        """
        data = basis_to_bytes(basis)
        path = self.file_of(basis.space)
        try:
            self._write(path, data)
        except StoreError:
            # A machine without a disk of its own is no reason for all others to solve this again.
            self._send(path, data)
            raise
        self._send(path, data)
        return path

    def _write(self, path: Path, data: bytes) -> None:
        with self._locked() as alone:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"{os.fspath(path.parent)!r}: cannot be made: {reason(error)}") from error
            if alone:
                # What a killed process left when it wrote this very basis.
                _remove(_listed(path.parent, f"{TEMPORARY}*"))
            write_atomically(path, data)

    def _send(self, path: Path, data: bytes) -> None:
        """To the shared layer, if this store publishes."""
        if not self.publish or self.shared is None:
            return
        name = path.relative_to(self.path)
        try:
            if isinstance(self.shared, Remote):
                self.shared.send(name.as_posix(), data)
                return
            target = self.shared / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"{os.fspath(target.parent)!r}: cannot be made: {reason(error)}") from error
            write_atomically(target, data)
        except StoreError as error:
            warnings.warn(f"shared cache: {error}; the answer is not published", RepcoreWarning, stacklevel=4)

    def _fetched(self, space: Hom) -> EquivariantBasis | None:
        """From the address of the shared layer, if it has one; a copy is kept."""
        if not isinstance(self.shared, Remote):
            return None
        path = self.file_of(space)
        name = path.relative_to(self.path).as_posix()
        try:
            data = self.shared.fetch(name)
            if data is None:
                return None
            basis = basis_from_bytes(data, space=space, where=self.shared.place(name))
        except StoreError as error:
            warnings.warn(f"shared cache: {error}; it is passed over", RepcoreWarning, stacklevel=4)
            return None
        try:
            self._write(path, data)
        except StoreError as error:
            warnings.warn(f"cache: {error}; the copy is not kept", RepcoreWarning, stacklevel=4)
        return basis

    def entries(self) -> tuple[Entry, ...]:
        """The files of the own directory, of every format version, the one that was not used for longest first."""
        found: list[Entry] = []
        for path in _listed(self.path, f"[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*{_SUFFIX}"):
            name = _NAME.fullmatch(path.name)
            if name is None or not name[1].startswith(path.parent.parent.name + path.parent.name):
                continue  # not ours
            # Another process may remove it in this moment.
            with contextlib.suppress(OSError):
                status = path.lstat()
                found.append(Entry(name[1], path, status.st_size, status.st_mtime))
        return tuple(sorted(found, key=lambda e: (e.used, e.digest, e.path)))

    def gc(self, *, max_bytes: int | None = None, older_than: float | None = None) -> tuple[Entry, ...]:
        """Remove what was not used for ``older_than`` seconds, then the longest unused until ``max_bytes`` suffice.

        Returns:
            The entries that were removed.

        Raises:
            StoreError: an entry cannot be removed.
        """
        with self._locked() as alone:
            entries = self.entries()
            left = sum(e.size for e in entries)
            now = time.time()
            removed: list[Entry] = []
            for e in entries:
                old = older_than is not None and now - e.used > older_than
                if not old and (max_bytes is None or left <= max_bytes):
                    continue
                _unlink(e.path)
                left -= e.size
                removed.append(e)
            self._sweep(alone)
        return tuple(removed)

    def clear(self) -> tuple[Entry, ...]:
        """Remove everything that a store has written; other files in the directory are left.

        Returns:
            The entries that were removed.

        Raises:
            StoreError: an entry cannot be removed.
        """
        return self.gc(max_bytes=-1)

    @property
    def _layers(self) -> tuple[Path, ...]:
        return (self.path, self.shared) if isinstance(self.shared, Path) else (self.path,)

    def _drop(self, path: Path, error: StoreError) -> None:
        if isinstance(self.shared, Path) and path.is_relative_to(self.shared):
            warnings.warn(f"shared cache: {error}; it is passed over", RepcoreWarning, stacklevel=4)
            return
        if isinstance(error.__cause__, OSError | MemoryError):
            # It may be whole, for somebody else or at another time.
            warnings.warn(f"cache: {error}; it is passed over, and the space solved again", RepcoreWarning, stacklevel=4)
            return
        with contextlib.suppress(OSError):
            path.unlink()
        warnings.warn(f"cache: {error}; it is dropped, and the space solved again", RepcoreWarning, stacklevel=4)

    def _sweep(self, alone: bool) -> None:
        """Unfinished files and empty directories: nobody is writing while we hold the lock."""
        now = time.time()
        _remove(
            _listed(self.path, f"[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/{TEMPORARY}*"),
            lambda path: alone or now - path.lstat().st_mtime > _ABANDONED,
        )
        if alone:
            for pattern in ("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]", "[0-9a-f][0-9a-f]"):
                for directory in _listed(self.path, pattern):
                    with contextlib.suppress(OSError):  # not empty
                        directory.rmdir()

    @contextlib.contextmanager
    def _locked(self) -> Generator[bool]:
        """Hold the lock that keeps writers and collections apart, where the file system has locks; yields whether we do.

        The kernel frees it when its holder dies. A writer that does not get it goes on: at worst its file is swept away.
        """
        # Imported here: it takes longer to import than a cached basis takes to load.
        from filelock import FileLock, Timeout

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Whoever may write to the directory may lock it: caches are shared within groups.
            mode = stat.S_IMODE(self.path.stat().st_mode) & 0o666 | 0o600
        except OSError as error:
            raise StoreError(f"{os.fspath(self.path)!r}: cannot be written to: {reason(error)}") from error
        lock = FileLock(self.path / _LOCK, timeout=_PATIENCE, mode=mode)
        try:
            # Within the try: an interrupt can come as soon as the lock is held. Releasing what is not held does nothing.
            alone = True
            try:
                lock.acquire()
            except (Timeout, NotImplementedError):
                alone = False
            except OSError as error:
                raise StoreError(f"{os.fspath(self.path)!r}: cannot be written to: {reason(error)}") from error
            yield alone
        finally:
            lock.release()


def _default() -> Path:
    given = os.environ.get("REPCORE_CACHE")
    if given:
        return _directory(given, "$REPCORE_CACHE")
    from platformdirs import user_cache_path

    path = user_cache_path("repcore", appauthor=False)
    if not path.is_absolute():
        raise StoreError("the user's cache directory is unknown (no home directory); set REPCORE_CACHE, or give store=path")
    return path


def _shared(value: str | os.PathLike[str] | Remote) -> Path | Remote:
    if isinstance(value, Remote):
        return value
    return Remote(value) if isinstance(value, str) and is_address(value) else _directory(value, "shared")


def _publishes() -> bool:
    given = os.environ.get("REPCORE_PUBLISH", "")
    if given not in ("", "0", "1"):
        raise StoreError(f"$REPCORE_PUBLISH is {given[:40]!r}; write 1 to publish what is solved to the shared cache, or 0")
    return given == "1"


def _directory(value: str | os.PathLike[str], name: str) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise IncompatibleError(
            f"{name}: expected the path of a directory, got {type(value).__name__}; give a str or a pathlib.Path"
        )
    if is_address(value):
        address = str(Remote(str(value)))
        raise StoreError(f"{name}: {address!r} is an address; give the path of a directory, and the address as shared=")
    try:
        # Absolute, so that it stays the same place when the working directory changes.
        path = Path(value).expanduser().absolute()
        if os.fspath(value) and b"\0" not in os.fsencode(path):
            return path
    except (RuntimeError, TypeError, ValueError, OSError):
        # A home that nobody has, a path of bytes, characters that no file name has, a working directory that is gone.
        pass
    raise StoreError(f"{name}: {os.fspath(value)!r} is no path of a directory; give another")


def _place(root: Path, digest: str) -> Path:
    return root / digest[:2] / digest[2:4] / f"{digest}.{_VERSION}{_SUFFIX}"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _listed(place: Path, pattern: str) -> list[Path]:
    """The paths below a directory; none of what cannot be listed, or is removed meanwhile."""
    with contextlib.suppress(OSError):
        return list(place.glob(pattern))
    return []


def _remove(paths: Iterable[Path], abandoned: Callable[[Path], bool] = lambda _: True) -> None:
    """Remove unfinished files; what another process removes meanwhile, or may not be removed, is left to it."""
    for path in paths:
        with contextlib.suppress(OSError):
            if abandoned(path):
                path.unlink()


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{os.fspath(path)!r}: cannot be removed: {reason(error)}") from error
