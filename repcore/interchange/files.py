"""`load` and `dump`: declarative files, basis files and model files."""

from __future__ import annotations

import os
from pathlib import Path

from repcore import spec
from repcore.basis import EquivariantBasis
from repcore.errors import IncompatibleError
from repcore.interchange.model import ModelFile
from repcore.interchange.reading import is_model, read_model
from repcore.interchange.writing import model_to_pieces
from repcore.spec import Spec
from repcore.store.atomic import write_atomically

__all__ = ["dump", "load"]

_SUFFIX = ".safetensors"


def load(path: str | os.PathLike[str]) -> Spec | EquivariantBasis | ModelFile:
    """Read a declarative file (``.toml``, ``.json``), a basis file or a model file (``.safetensors``).

    Nothing in a file is executed, whoever wrote it.

    Raises:
        SpecError: another suffix; a declarative file that cannot be read or is not well formed, with file, key and place.
        StoreError: a basis file or a model file that cannot be read, is damaged, or was written by a newer repcore.

    >>> import pathlib, tempfile
    >>> text = '''
    ... [group]
    ... builtin = "dihedral(4)"
    ... [reps]
    ... X = "4*1 + 2*V"
    ... [maps]
    ... layer = "X >> V*V"
    ... '''
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = pathlib.Path(directory, "symmetry.toml")
    ...     _ = path.write_text(text)
    ...     spec = load(path)
    >>> spec.maps["layer"].shape
    (4, 8)
    """
    if isinstance(path, str | os.PathLike) and Path(path).suffix.lower() == _SUFFIX and is_model(path):
        return read_model(path)
    return spec.load(path)


def dump(obj: Spec | EquivariantBasis | ModelFile, path: str | os.PathLike[str]) -> None:
    """Write a spec to ``.toml`` or ``.json``, a basis or a model to ``.safetensors``; :func:`load` reads an equal one back.

    The file is written whole or not at all. That of a basis is a function of its space alone: the same bytes on every machine,
    in whatever order generators were listed. That of a model is a function of its weights, its plans and their spaces.

    Raises:
        IncompatibleError: ``obj`` is none of these, or its suffix is another; a tensor of a dtype that files do not hold.
        SpecError: a representation that no file can say.
        StoreError: the file cannot be written.
    """
    if not isinstance(obj, ModelFile):
        spec.dump(obj, path)
        return
    if not isinstance(path, str | os.PathLike):
        raise IncompatibleError(f"path: expected a path, got {type(path).__name__}")
    if Path(path).suffix.lower() != _SUFFIX:
        raise IncompatibleError(f"path: a model is written to a file that ends in {_SUFFIX}, got {os.fspath(path)!r}")
    write_atomically(path, model_to_pieces(obj))
