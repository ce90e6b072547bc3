"""A B - T in floating point with a proven bound on its own rounding.

The a priori bound of a product, n u |A| |B|, is far larger than the rounding that happens, and the residuals that prove a
decomposition are of the size of that rounding. So the factors are cut into slices of so few bits that the products of slices
are computed without any rounding (Ozaki, Ogita, Oishi and Rump, Numerical Algorithms 59, 2012); only the last additions round.
"""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["UNIT", "norm", "residue"]

Array = npt.NDArray[Any]

# Half the distance from 1 to the next float64.
UNIT = 2.0**-53

# Covers the rounding in a sum of fewer than 2**40 squares.
_SAFE = 1 + 2.0**-12


def norm(a: Array) -> float:
    """The Frobenius norm, rounded up."""
    return float(np.sqrt(np.sum(np.abs(a) ** 2))) * _SAFE


def residue(a: Array, b: Array, minus: list[tuple[Array, Array]]) -> tuple[Array, float]:
    """R = A B - sum of T and a bound on the Frobenius norm of its rounding error.

    Args:
        a: (m, n).
        b: (n, k).
        minus: the targets as pairs (T, w): an array (m, k), and factors (k,) of its columns, which are integers below 2**20.

    Cost: six products of m x n by n x k, four times as many for complex arrays.
    """
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        real, e = _complex_part(a, b, minus, imaginary=False)
        imag, f = _complex_part(a, b, minus, imaginary=True)
        return real + 1j * imag, e + f
    return _accumulated([(a, b)], minus)


def _complex_part(a: Array, b: Array, minus: list[tuple[Array, Array]], *, imaginary: bool) -> tuple[Array, float]:
    if imaginary:
        return _accumulated([(np.real(a), np.imag(b)), (np.imag(a), np.real(b))], [(np.imag(t), w) for t, w in minus])
    return _accumulated([(np.real(a), np.real(b)), (-np.imag(a), np.imag(b))], [(np.real(t), w) for t, w in minus])


def _accumulated(pairs: list[tuple[Array, Array]], minus: list[tuple[Array, Array]]) -> tuple[Array, float]:
    tails: list[Array] = []
    heads: list[Array] = []
    # Halves below are rounded at the end of the range of float32.
    error = 2.0**-100 * sum(target.size for target, _ in minus)
    for a, b in pairs:
        bits = (52 - ceil(log2(max(a.shape[1], 2)))) // 2
        left = _slices(a, bits, axis=1)
        right = _slices(b, bits, axis=0)
        heads.append(left[0] @ right[0])
        tails += [left[0] @ right[1], left[1] @ right[0], left[1] @ right[1], left[0] @ right[2], left[2] @ right[0]]
        sizes_a, sizes_b = [norm(x) for x in left], [norm(x) for x in right]
        error += sizes_a[1] * sizes_b[2] + sizes_a[2] * (sizes_b[1] + sizes_b[2])
        error += sizes_a[3] * sum(sizes_b) + sum(sizes_a) * sizes_b[3]
    # Large parts first: they cancel, and every later sum is small, so that its rounding is.
    out = heads[0]
    for x in heads[1:]:
        out = out + x
        error += UNIT * norm(out)
    for target, weights in minus:
        # Twice 26 bits: times a small integer each half is exact.
        high = target.astype(np.float32).astype(np.float64)
        for half in (high, target - high):
            out = out - half * weights
            error += UNIT * norm(out)
    for x in tails:
        out = out + x
        error += UNIT * norm(out)
    return out, error * _SAFE


def _slices(a: Array, bits: int, axis: int) -> list[Array]:
    """Three slices of ``bits`` bits relative to the largest entry of each row (column), and the rest."""
    out: list[Array] = []
    rest = np.ascontiguousarray(a, np.float64)
    top = np.max(np.abs(rest), axis=axis, keepdims=True, initial=0.0)
    exponent = np.frexp(top)[1].astype(np.float64)
    for _ in range(3):
        exponent = exponent - bits
        # Adding and taking away 3/2 2**52 steps rounds to a whole number of steps.
        shift = 1.5 * 2.0**52 * np.exp2(exponent)
        piece = (rest + shift) - shift
        out.append(piece)
        rest = rest - piece
    return [*out, rest]
