"""`load` and `dump`: declarative files and basis files, told apart by their suffix."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from repcore.basis import EquivariantBasis
from repcore.errors import IncompatibleError, SpecError
from repcore.spec.plain import NESTING
from repcore.spec.reading import read
from repcore.spec.spec import Spec
from repcore.spec.writing import document, toml
from repcore.store.atomic import reason, write_atomically
from repcore.store.fields import unique
from repcore.store.files import read_basis, write_basis

__all__ = ["dump", "load"]

_BYTES = 16 * 2**20
_DOTS = 10**8  # sum of the squares of the dots in each line: some seconds for the reader of TOML
_BASIS = ".safetensors"
_SPECS = (".toml", ".json")


def load(path: str | os.PathLike[str]) -> Spec | EquivariantBasis:
    """Read a declarative file (``.toml``, ``.json``) or a basis file (``.safetensors``).

    Nothing in a file is executed, whoever wrote it. ``repcore.load`` reads model files as well.

    Raises:
        SpecError: another suffix; a declarative file that cannot be read or is not well formed, with file, key and place.
        StoreError: a basis file that cannot be read, is damaged, or was written by a newer repcore.
    """
    suffix = _suffix(path)
    if suffix == _BASIS:
        return read_basis(path)
    if suffix not in _SPECS:
        raise SpecError(f"path: {os.fspath(path)!r} ends in {suffix!r}; {_SUFFIXES}")
    return read(_plain(path, suffix), str(os.fspath(path)))


def dump(obj: Spec | EquivariantBasis, path: str | os.PathLike[str]) -> None:
    """Write a spec to ``.toml`` or ``.json``, or a basis to ``.safetensors``; :func:`load` reads an equal object back.

    The file is written whole or not at all. That of a basis is a function of its space alone: the same bytes on every machine,
    in whatever order generators were listed.

    Raises:
        IncompatibleError: ``obj`` is neither, or its suffix is another.
        SpecError: a representation that no file can say.
        StoreError: the file cannot be written.
    """
    suffix = _suffix(path)
    if isinstance(obj, EquivariantBasis):
        if suffix != _BASIS:
            raise IncompatibleError(f"path: a basis is written to a file that ends in {_BASIS}, got {os.fspath(path)!r}")
        write_basis(obj, path)
        return
    if not isinstance(obj, Spec):
        raise IncompatibleError(f"obj: expected a Spec or an EquivariantBasis, got {type(obj).__name__}; solve a space first")
    if suffix not in _SPECS:
        raise IncompatibleError(f"path: a spec is written to a file that ends in .toml or .json, got {os.fspath(path)!r}")
    data = document(obj)
    text = toml(data) if suffix == ".toml" else json.dumps(data, indent=2) + "\n"
    # Not written unless it can be read: an expression that only Python can build would come back as another one.
    if read(_parsed(text, suffix, "dump"), "dump") != obj:
        raise SpecError("obj: a representation of it has no expression in a file; build it with + * ** and the methods of Rep")
    write_atomically(path, text.encode())


_SUFFIXES = "a spec ends in .toml or .json, a basis in .safetensors"


def _suffix(path: str | os.PathLike[str]) -> str:
    if not isinstance(path, str | os.PathLike):
        raise IncompatibleError(f"path: expected a path, got {type(path).__name__}")
    return Path(path).suffix.lower()


def _plain(path: str | os.PathLike[str], suffix: str) -> Any:
    where = str(os.fspath(path))
    try:
        # Asked before opening: opening a pipe would wait for a writer.
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise SpecError(f"{where}: is no regular file; give the path of a .toml or .json file")
        if found.st_size > _BYTES:
            raise SpecError(f"{where}: has {found.st_size} bytes, more than {_BYTES}; declare large groups in Python")
        with open(path, "rb") as stream:
            data = stream.read(_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"{where}: cannot be read: {reason(error)}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{where}: is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    return _parsed(text, suffix, where)


def _parsed(text: str, suffix: str, where: str) -> Any:
    if suffix == ".toml":
        _check_dots(text, where)
    try:
        return tomllib.loads(text) if suffix == ".toml" else json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise SpecError(f"{where}: is nested too deeply; a list of matrices has three levels") from None
    except ValueError as error:
        # TOMLDecodeError and JSONDecodeError say line and column; or an integer has too many digits.
        kind = "TOML" if suffix == ".toml" else "JSON"
        raise SpecError(f"{where}: is not well-formed {kind}: {str(error)[:200]}") from None


def _check_dots(text: str, where: str) -> None:
    """Refuse dotted keys that the standard reader of TOML would take hours for: its time is quadratic in their parts.

    They stand in one line. At the beginning of a line, where they are seen for sure, none of more than 64 parts is taken, which
    would be nested too deeply anyway; within inline tables they are not told from decimal numbers, and only their sum is bounded.
    """
    total = 0
    for line in text.split("\n"):
        dots = line.count(".")
        if dots <= NESTING or line.lstrip(" \t").startswith("#"):
            continue
        # Without what is quoted, so that a dot is one of a key or of a number, and rows of a matrix are told by their commas.
        head = re.sub(r"\"(?:\\.|[^\"\\])*\"?|'[^']*'?", "", line).partition("=")[0].partition("#")[0]
        if "," not in head and head.count(".") > NESTING:
            raise SpecError(f"{where}: is nested deeper than {NESTING}: a key has {head.count('.') + 1} parts")
        total += dots * dots
        if total > _DOTS:
            raise SpecError(f"{where}: has lines with too many dots to be read in reasonable time; break them, or write JSON")
