"""Saving the basis behind a projector, and loading it back: the same files in every framework."""

from __future__ import annotations

import os

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.projector import Projector, projector

__all__ = ["load", "save"]


def save(project: Projector, path: str | os.PathLike[str]) -> None:
    """Write the exact basis of a projector to a ``.safetensors`` file (see :func:`repcore.dump`).

    The file does not depend on a framework, dtype or device: ``repcore.load``, ``repcore_torch.load`` and
    ``repcore_jax.load`` read it.

    Raises:
        IncompatibleError: the projector was made of a bare plan, which does not know its exact basis; or another suffix.
        StoreError: the file cannot be written.
    """
    _check_suffix(path)
    source = project.source
    if isinstance(source, rc.Plan):
        raise IncompatibleError(
            f"the projector was made of a plan (digest {source.digest}), which holds float arrays and no exact basis; "
            "make it of the space or of the solved basis to save it"
        )
    rc.dump(source if isinstance(source, rc.EquivariantBasis) else rc.solve(source), path)


def load(path: str | os.PathLike[str]) -> Projector:
    """The projector of the basis in a ``.safetensors`` file, whoever wrote it.

    Raises:
        IncompatibleError: another suffix.
        StoreError: the file cannot be read.
    """
    _check_suffix(path)
    return projector(rc.load(path))


def _check_suffix(path: str | os.PathLike[str]) -> None:
    if not os.fspath(path).endswith(".safetensors"):
        raise IncompatibleError(f"path is {os.fspath(path)!r}; a basis file ends in .safetensors")
