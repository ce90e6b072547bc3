"""From residues back to exact numbers: interpolation over the embeddings, Chinese remainders, rational reconstruction.

An element a = sum_i c_i theta^i of the field is known modulo p from its residues under all embeddings theta -> r_j: the
coordinates c solve a Vandermonde system. A coordinate n/d with |n|, d <= sqrt(M/2) is determined by its residue modulo M.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt, lcm

import flint
import numpy as np
import numpy.typing as npt

from repcore.exact.field import Field
from repcore.exact.matrix import Matrix, from_coo
from repcore.solve.nullspace import Kernel

__all__ = ["lift"]

Ints = npt.NDArray[np.int64]


def lift(field: Field, kernels: Sequence[Sequence[Kernel]]) -> Matrix | None:
    """The exact echelon form from its residues, one list of kernels (one for each embedding) for each prime.

    Returns None where the primes disagree or do not suffice yet; the result is a candidate that the caller checks.
    """
    pivots = kernels[0][0].pivots
    if any(not np.array_equal(k.pivots, pivots) for at_prime in kernels for k in at_prime):
        return None
    width = kernels[0][0].width
    keys = [k.rows * width + k.cols for at_prime in kernels for k in at_prime]
    same = all(np.array_equal(k, keys[0]) for k in keys[1:]) and bool(np.all(keys[0][1:] > keys[0][:-1]))
    places = keys[0] if same else np.unique(np.concatenate(keys))
    residues = [_coordinates(field, at_prime, places) for at_prime in kernels]
    primes = [at_prime[0].p for at_prime in kernels]
    # Few distinct values occur among many entries: reconstruct each once.
    distinct, which = _distinct([r.ravel() for r in residues])
    modulus = 1
    for p in primes:
        modulus *= p
    found = [_rational(_remainder(row, primes), modulus) for row in distinct.tolist()]
    if any(x is None for x in found):
        return None
    pairs = [x for x in found if x is not None]
    den = lcm(1, *(d for _, d in pairs))
    nums = np.array([n * (den // d) for n, d in pairs], object)
    if all(abs(x) < 2**62 for x in nums):
        nums = nums.astype(np.int64)
    entries = nums[which].reshape(len(places), field.degree)
    return from_coo((len(pivots), width), field, places // width, places % width, entries, den)


def _distinct(columns: Sequence[Ints]) -> tuple[Ints, Ints]:
    """The distinct rows of a table given by columns of small non-negative integers, and which row each one is."""
    which = np.zeros(len(columns[0]), np.int64)
    first = np.zeros(1, np.int64)
    for column in columns:
        values, index = _ranked(column)
        _, which = _ranked(which * len(values) + index)
        first = np.zeros(int(which.max(initial=-1)) + 1, np.int64)
        first[which] = np.arange(len(which))
    return np.stack([c[first] for c in columns], axis=1), which


def _ranked(values: Ints) -> tuple[Ints, Ints]:
    """Distinct values in order and the rank of each entry; by a table where the range is small, else by sorting."""
    top = int(values.max(initial=0)) + 1
    if top > max(2**22, 4 * len(values)):
        distinct, rank = np.unique(values, return_inverse=True)
        return distinct, rank
    present = np.zeros(top, np.int64)
    present[values] = 1
    return np.flatnonzero(present), (np.cumsum(present) - 1)[values]


def _coordinates(field: Field, kernels: Sequence[Kernel], places: Ints) -> Ints:
    """(len(places), degree): coordinates modulo p of the entry at each place."""
    p, d = kernels[0].p, field.degree
    values = np.zeros((len(places), d), np.int64)
    for j, k in enumerate(kernels):
        values[np.searchsorted(places, k.rows * k.width + k.cols), j] = k.values
    if d == 1:
        return values
    roots = field.roots(p)
    vandermonde = flint.nmod_mat(d, d, [pow(r, i, p) for r in roots for i in range(d)], p)
    back = vandermonde.inv()
    out = np.zeros_like(values)
    for i in range(d):
        for j in range(d):
            out[:, i] = (out[:, i] + values[:, j] * int(back[i, j])) % p
    return out


def _remainder(residues: Sequence[int], primes: Sequence[int]) -> int:
    """Chinese remainders, incrementally."""
    x, modulus = residues[0], primes[0]
    for r, p in zip(residues[1:], primes[1:], strict=True):
        x += modulus * ((r - x) * pow(modulus, -1, p) % p)
        modulus *= p
    return x


def _rational(x: int, modulus: int) -> tuple[int, int] | None:
    """The fraction n/d = x modulo ``modulus`` with |n|, d <= sqrt(modulus / 2), if there is one."""
    bound = isqrt(modulus // 2)
    r0, r1, s0, s1 = modulus, x % modulus, 0, 1
    while r1 > bound:
        q = r0 // r1
        r0, r1, s0, s1 = r1, r0 - q * r1, s1, s0 - q * s1
    if abs(s1) > bound or s1 == 0:
        return None
    return (r1, s1) if s1 > 0 else (-r1, -s1)
