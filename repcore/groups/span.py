"""Linear algebra in spaces of exact matrices: is this one a rational combination of those?"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import flint
import numpy as np

from repcore.exact.field import compositum
from repcore.exact.matrix import Matrix, zeros

__all__ = ["combine", "coordinates_in_span"]


def coordinates_in_span(a: Matrix, span: Sequence[Matrix]) -> tuple[Fraction, ...] | None:
    """Rational c with a = sum_i c[i] span[i], or None if there are none; where c is not unique, some c[i] are zero.

    Cost: one exact elimination with len(span) columns and one row for each place that is not zero somewhere.
    """
    if a.is_zero:
        return (Fraction(0),) * len(span)
    if not span:
        return None
    field = compositum(*{m.field for m in (a, *span)})
    columns = [m.over(field) for m in (*span, a)]
    d, width = field.degree, a.shape[1]
    keys = [((m.rows * width + m.cols)[:, None] * d + np.arange(d)).ravel() for m in columns]
    support, where = np.unique(np.concatenate(keys), return_inverse=True)
    system = flint.fmpq_mat(len(support), len(columns))
    start = 0
    for j, (m, key) in enumerate(zip(columns, keys, strict=True)):
        for row, value in zip(where[start : start + len(key)].tolist(), m.nums.ravel().tolist(), strict=True):
            system[row, j] = flint.fmpq(int(value), m.den)
        start += len(key)
    reduced, rank = system.rref()
    coordinates = [Fraction(0)] * len(span)
    for i in range(rank):
        pivot = next(j for j in range(len(columns)) if reduced[i, j] != 0)
        if pivot == len(span):
            return None
        coordinates[pivot] = Fraction(int(reduced[i, len(span)].p), int(reduced[i, len(span)].q))
    return tuple(coordinates)


def combine(weights: Sequence[Fraction], matrices: Sequence[Matrix], shape: tuple[int, int]) -> Matrix:
    """sum_i weights[i] matrices[i]."""
    out = zeros(shape)
    for w, m in zip(weights, matrices, strict=True):
        out = out + m * w if w else out
    return out
