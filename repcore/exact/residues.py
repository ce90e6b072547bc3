"""Exact matrices as dense arrays of residues modulo a prime."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.exact.matrix import Matrix

__all__ = ["dense_residues"]


def dense_residues(a: Matrix, p: int, root: int, dtype: npt.DTypeLike = np.int64) -> npt.NDArray[Any]:
    """The image of a matrix under theta -> ``root`` modulo the prime p, as a dense array of its shape, entries in [0, p).

    Args:
        a: a matrix over the field to which ``root`` belongs, see ``Matrix.over``; p does not divide its denominator.
        p: a prime below 2**31.
        root: a root modulo p of the minimal polynomial of the field's generator, one of ``a.field.roots(p)``.
        dtype: any type that holds p - 1, such as float64 for products in BLAS.

    Cost: the whole shape, once; the residues themselves are taken of the non-zero entries only.

    >>> from repcore import matrix
    >>> a = matrix([[0, "1/2"], ["sqrt(2)", -1]])
    >>> [dense_residues(a, 17, root).tolist() for root in a.field.roots(17)]
    [[[0, 9], [11, 16]], [[0, 9], [6, 16]]]
    """
    out = np.zeros(a.shape, dtype)
    out[a.rows, a.cols] = a.residues(p, root)
    return out
