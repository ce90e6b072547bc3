"""A basis as a file of another program's: dense floats for NumPy, exact text for anything that reads JSON."""

from __future__ import annotations

import io
import json
from enum import StrEnum
from typing import Any

import numpy as np

from repcore.basis import EquivariantBasis

__all__ = ["Dtype", "Target", "exported"]


class Target(StrEnum):
    """Kinds of files."""

    npz = "npz"
    npy = "npy"
    json = "json"


class Dtype(StrEnum):
    """Kinds of numbers in dense arrays."""

    float32 = "float32"
    float64 = "float64"
    complex64 = "complex64"
    complex128 = "complex128"


def exported(basis: EquivariantBasis, target: Target, dtype: Dtype, *, orthonormal: bool) -> bytes:
    """The bytes of the file.

    ``npy``: the array (dim, dim Y, dim X). ``npz``: the same as ``basis``, with ``digest``, ``space`` and ``field`` as texts.
    ``json``: the elements as (row, column, value), exact texts of the number grammar, or floats for the orthonormal form.

    Raises:
        MemoryLimitError: the dense array would be too large.
    """
    if target is Target.json:
        return (json.dumps(_document(basis, dtype, orthonormal)) + "\n").encode()
    array = basis.to_numpy(dtype.value, orthonormal=orthonormal)
    buffer = io.BytesIO()
    if target is Target.npy:
        np.save(buffer, array, allow_pickle=False)
    else:
        texts: dict[str, Any] = {"digest": basis.digest, "space": str(basis.space), "field": str(basis.field)}
        np.savez(buffer, allow_pickle=False, basis=array, **texts)
    return buffer.getvalue()


def _document(basis: EquivariantBasis, dtype: Dtype, orthonormal: bool) -> dict[str, Any]:
    if orthonormal:
        array = basis.to_numpy(dtype.value, orthonormal=True)
        elements = [[[int(r), int(c), _plain(m[r, c])] for r, c in np.argwhere(m)] for m in array]
    else:
        elements = [[[row, col, str(value)] for row, col, value in m.entries()] for m in basis]
    return {
        "space": str(basis.space),
        "digest": basis.digest,
        "shape": list(basis.shape),
        "dim": basis.dim,
        "field": str(basis.field),
        "certificate": str(basis.certificate),
        "form": "orthonormal" if orthonormal else "echelon, exact",
        "elements": elements,
    }


def _plain(value: Any) -> float | list[float]:
    return [float(value.real), float(value.imag)] if np.iscomplexobj(value) else float(value)
