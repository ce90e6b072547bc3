"""Dense linear algebra modulo a prime in float64 arrays of integers, exact because every sum stays below 2**53."""

from __future__ import annotations

from math import isqrt

import flint
import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "echelon", "from_flint", "inverse_mod", "prime_bound", "times_mod", "to_flint"]

# Residues 0 .. p - 1 held as float64, so that products run in BLAS.
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def prime_bound(length: int) -> int:
    """Primes below this keep inner products of ``length`` residues below 2**53."""
    return min(2**26, isqrt(2**53 // max(length, 1)))


def times_mod(a: Floats, b: Floats, p: int) -> Floats:
    """The product a b modulo p; p must be below ``prime_bound`` of the inner dimension."""
    out = a @ b
    return np.subtract(out, np.floor(out / p) * p, out=out)


def to_flint(a: Floats, p: int) -> flint.nmod_mat:
    """The same matrix in FLINT."""
    entries: list[int] = a.astype(np.int64).ravel().tolist()
    return flint.nmod_mat(a.shape[0], a.shape[1], entries, p)


def from_flint(a: flint.nmod_mat) -> Floats:
    """The same matrix as an array."""
    return np.array([int(x) for x in a.entries()], np.float64).reshape(a.nrows(), a.ncols())


def inverse_mod(a: Floats, p: int) -> Floats:
    """The inverse modulo p; ZeroDivisionError if there is none."""
    return from_flint(to_flint(a, p).inv())


def echelon(a: Floats, p: int, chunk: int = 64) -> tuple[Floats, Ints]:
    """The reduced row echelon form of a matrix of full row rank with few rows and many columns, and its pivots.

    Columns are looked at in chunks: a chunk is brought up to date by one product with the transformation found so far, and
    eliminated in place. Cost: two products of (r, r) and (r, N).
    """
    r, width = a.shape
    transform = np.eye(r)
    pivots: list[int] = []
    for left in range(0, width, chunk):
        rank = len(pivots)
        if rank == r:
            break
        block = times_mod(transform, a[:, left : left + chunk], p)
        for j in range(block.shape[1]):
            below = np.flatnonzero(block[rank:, j])
            if not len(below):
                continue
            i = rank + int(below[0])
            both = (block, transform)
            for m in both:
                m[[rank, i]] = m[[i, rank]]
            scale = pow(int(block[rank, j]), -1, p)
            for m in both:
                m[rank] = m[rank] * scale % p
            factor = block[:, j].copy()
            factor[rank] = 0
            rows = np.flatnonzero(factor)
            for m in both:
                m[rows] = (m[rows] - factor[rows, None] * m[rank]) % p
            pivots.append(left + j)
            rank += 1
            if rank == r:
                break
    if len(pivots) < r:
        raise ValueError("the rows are linearly dependent")
    return times_mod(transform, a, p), np.array(pivots, np.int64)
