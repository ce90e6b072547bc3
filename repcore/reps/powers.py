"""Symmetric and exterior powers: their bases of sorted index tuples, and how a matrix acts on them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, combinations, combinations_with_replacement
from math import comb

import numpy as np
import numpy.typing as npt

from repcore.exact.field import QQ
from repcore.exact.matrix import Matrix, from_coo, identity, kron

__all__ = ["index_tuples", "places", "power_derivative", "power_image"]

Ints = npt.NDArray[np.int64]


def power_image(g: Matrix, k: int, *, signed: bool) -> Matrix:
    """Sym^k g, or Alt^k g where ``signed``: e_i1 ... e_ik goes to (g e_i1) ... (g e_ik).

    Factor by factor, so that nothing of the size of the tensor power is formed. Cost, with N_k the dimension of the power: for
    each step the entries of g times those of the power before it.
    """
    out = g
    for j in range(2, k + 1):
        into, onto = _step(g.shape[0], j, signed)
        out = onto @ (kron(g, out) @ into)
    return out


def power_derivative(a: Matrix, k: int, *, signed: bool) -> Matrix:
    """The derivation e_i1 ... e_ik -> sum_j e_i1 ... (a e_ij) ... e_ik on the symmetric or exterior power."""
    out = a
    for j in range(2, k + 1):
        into, onto = _step(a.shape[0], j, signed)
        out = onto @ ((kron(a, identity(out.shape[0])) + kron(identity(a.shape[0]), out)) @ into)
    return out


def index_tuples(n: int, k: int, *, signed: bool) -> Ints:
    """The basis: index tuples i1 <= ... <= ik below n (strictly increasing where ``signed``), in lexicographic order, (N, k)."""
    choose = combinations if signed else combinations_with_replacement
    flat: Iterator[int] = chain.from_iterable(choose(range(n), k))
    return np.fromiter(flat, np.int64).reshape(-1, k)


def places(tuples: Ints, n: int, *, signed: bool) -> Ints:
    """Where sorted tuples stand in the basis: the combinatorial number system, without a table of all tuples.

    >>> places(index_tuples(4, 3, signed=False), 4, signed=False).tolist() == list(range(20))
    True
    """
    k = tuples.shape[1]
    # With i_j + j in place of i_j a weakly increasing tuple below n is a strictly increasing one below n + k - 1.
    shift = np.zeros(k, np.int64) if signed else np.arange(k, dtype=np.int64)
    m = n if signed else n + k - 1
    after = np.array([[comb(m - 1 - u, k - j) for u in range(m)] for j in range(k)], np.int64).reshape(k, m)
    return comb(m, k) - 1 - after[np.arange(k), tuples + shift].sum(axis=1)


@lru_cache(maxsize=64)
def _step(n: int, k: int, signed: bool) -> tuple[Matrix, Matrix]:
    """Between V (x) power k - 1 and power k: ``into`` splits the first index off a sorted tuple, ``onto`` sorts it in.

    Sorting brings the sign of the permutation for exterior powers, and zero where an index repeats.
    """
    rest = index_tuples(n, k - 1, signed=signed)
    whole = index_tuples(n, k, signed=signed)
    size = n * len(rest)
    at = whole[:, 0] * len(rest) + places(whole[:, 1:], n, signed=signed)
    into = from_coo((size, len(whole)), QQ, at, np.arange(len(whole)), np.ones((len(whole), 1), np.int64), 1)
    first, others = np.repeat(np.arange(n), len(rest)), np.tile(rest, (n, 1))
    cols = np.arange(size)
    signs = np.ones(size, np.int64)
    if signed:
        keep = np.all(others != first[:, None], axis=1)
        signs = 1 - 2 * (np.sum(others < first[:, None], axis=1) % 2)
        first, others, cols, signs = first[keep], others[keep], cols[keep], signs[keep]
    rows = places(np.sort(np.concatenate([first[:, None], others], axis=1), axis=1), n, signed=signed)
    onto = from_coo((len(whole), size), QQ, rows, cols, signs.reshape(-1, 1), 1)
    return into, onto
