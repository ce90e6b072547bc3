"""`Orbit`, `Factor`, `Schur`: what the maps between one pair of distinct summands look like, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Factor", "Orbit", "Schur", "analyse", "frozen", "synthesise"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Orbit:
    """Basis elements of disjoint support: entry u belongs to element ids[u] (-1: to none) with value values[u].

    Projecting is a mean over segments, O(N).
    """

    ids: Ints
    values: Array
    dim: int


@dataclass(frozen=True, eq=False)
class Factor:
    """Any orthonormal basis, as the columns of a dense (N, k) array; projecting is Q (Q^H w), O(N k)."""

    q: Array

    @property
    def dim(self) -> int:
        """k, the number of basis elements."""
        return self.q.shape[1]


@dataclass(frozen=True, eq=False)
class Schur:
    """Maps V -> W in the irrep basis, by Schur's lemma: nothing between different irreps, endomorphisms within one.

    The columns of U_W and U_V are orthonormal and split V and W into the irreps that they share; the group acts by the same
    matrices on each copy of an irrep. With E_s the endomorphisms of an irrep of dimension d, orthogonal matrices that are
    orthogonal to each other, the element (a, b, s) of the orthonormal basis takes copy b in V to copy a in W by E_s / sqrt(d):

        c[a, b, s] = <E_s, (U_W^H w U_V)[a, :, b, :]> / sqrt(d).

    Projecting is two changes of basis, O(dim W dim V (dim W + dim V)), never larger than the summands squared.

    Attributes:
        rows: U_W (dim W, r), columns irrep by irrep in the order of ``parts``, column a * d + p inside an irrep.
        cols: U_V (dim V, r'), likewise.
        parts: for each irrep: its multiplicity in W and in V, its dimension d, its endomorphisms (t, d, d).
    """

    rows: Array
    cols: Array
    parts: tuple[tuple[int, int, int, Array], ...]

    @property
    def dim(self) -> int:
        """The number of basis elements, the sum of multiplicity * multiplicity * t."""
        return sum(m_w * m_v * len(e) for m_w, m_v, _, e in self.parts)

    @cached_property
    def turned(self) -> tuple[Array, ...]:
        """For each part T (m_V * t, d, dim V): T[(b, s), p] = sum_q E_s[p, q] conj(U_V[:, b, q]) / sqrt(d).

        The element (a, b, s) is sum_p U_W[:, a, p] T[(b, s), p], so that neither coefficients nor maps need U_V^H w U_W whole.
        """
        out: list[Array] = []
        start = 0
        for _, m, d, endomorphisms in self.parts:
            u = self.cols[:, start : start + m * d].conj().T.reshape(m, d, -1)
            out.append(frozen(np.einsum("spq,bqx->bspx", endomorphisms, u).reshape(m * len(endomorphisms), d, -1) / np.sqrt(d)))
            start += m * d
        return tuple(out)


def analyse(structure: Orbit | Factor | Schur, tiles: Array) -> Array:
    """Q^H on pairs of copies: tiles (..., n, dim W, m, dim V) -> coefficients (..., n, m, k), in the dtype of the tiles."""
    if isinstance(structure, Schur):
        return _schur_coefficients(structure, tiles)
    *batch, n, rows, m, cols = tiles.shape
    flat = tiles.swapaxes(-3, -2).reshape(*batch, n, m, rows * cols)
    if isinstance(structure, Factor):
        return flat @ structure.q.conj().astype(tiles.dtype)
    return _segment_sums(flat * structure.values.conj().astype(tiles.dtype), structure.ids, structure.dim)


def synthesise(structure: Orbit | Factor | Schur, c: Array, rows: int, cols: int) -> Array:
    """Q on pairs of copies: coefficients (..., n, m, k) -> tiles (..., n, dim W, m, dim V), in the dtype of the coefficients."""
    if isinstance(structure, Schur):
        return _schur_tiles(structure, c)
    if isinstance(structure, Factor):
        flat = c @ structure.q.T.astype(c.dtype)
    else:
        flat = np.where(structure.ids >= 0, c[..., structure.ids] * structure.values.astype(c.dtype), 0)
    return flat.reshape(*c.shape[:-1], rows, cols).swapaxes(-3, -2)


def _schur_coefficients(s: Schur, tiles: Array) -> Array:
    *batch, n, rows, m, cols = tiles.shape
    turned = s.rows.conj().T.astype(tiles.dtype) @ tiles.reshape(*batch, n, rows, m * cols)
    parts: list[Array] = []
    start = 0
    for (m_w, m_v, d, e), t in zip(s.parts, s.turned, strict=True):
        left = turned[..., start : start + m_w * d, :].reshape(*batch, n, m_w, d, m, cols).swapaxes(-3, -2)
        right = t.conj().astype(tiles.dtype).reshape(m_v * len(e), d * cols).T
        found = left.reshape(*batch, n, m_w, m, d * cols) @ right
        parts.append(found.swapaxes(-3, -2).reshape(*batch, n, m, m_w * m_v * len(e)))
        start += m_w * d
    return np.concatenate(parts, -1) if parts else np.zeros((*batch, n, m, 0), tiles.dtype)


def _schur_tiles(s: Schur, c: Array) -> Array:
    *batch, n, m, _ = c.shape
    cols = s.cols.shape[0]
    parts: list[Array] = []
    start = 0
    for (m_w, m_v, d, e), t in zip(s.parts, s.turned, strict=True):
        size = m_w * m_v * len(e)
        left = c[..., start : start + size].reshape(*batch, n, m, m_w, m_v * len(e)).swapaxes(-3, -2)
        tile = (left @ t.astype(c.dtype).reshape(m_v * len(e), d * cols)).reshape(*batch, n, m_w, m, d, cols)
        parts.append(tile.swapaxes(-3, -2).reshape(*batch, n, m_w * d, m * cols))
        start += size
    turned = np.concatenate(parts, -2) if parts else np.zeros((*batch, n, 0, m * cols), c.dtype)
    return (s.rows.astype(c.dtype) @ turned).reshape(*batch, n, s.rows.shape[0], m, cols)


def _segment_sums(flat: Array, ids: Ints, k: int) -> Array:
    """Sum the last axis by segment; entries with id -1 are left out."""
    live = ids >= 0
    order = np.argsort(ids[live], kind="stable")
    starts = np.searchsorted(ids[live][order], np.arange(k))
    if not k:
        return np.zeros((*flat.shape[:-1], 0), flat.dtype)
    return np.add.reduceat(flat[..., live][..., order], starts, axis=-1)


def frozen(array: Array) -> Array:
    """The array, read-only from now on."""
    array.flags.writeable = False
    return array
