"""`SpectralPlan`: the levels of a space of maps as frozen arrays; a filter is one gain for each level. NumPy reference executor.

All maps X -> Y, equivariant or not, are a direct sum of levels E_0 + E_1 + ..., orthogonal to each other in the Frobenius
product, E_0 the equivariant ones. With P_l the orthogonal projectors a filter is

    F M = sum_l gain_l P_l M,

and costs a change of basis for each summand of X and Y, and one small one for each pair of irreducible parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.soft.growth import Growth

__all__ = ["Cells", "SpectralBlock", "SpectralPlan"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

# Part of the digest: the meaning of a level number (which operator, which normalisation, order by value).
FORMAT = "repcore-spectral-1"


@dataclass(frozen=True, eq=False)
class Cells:
    """Equal cells of the transformed map t, row-major (dim W, dim V), which a further change of basis splits into levels.

    With x = t.reshape(-1)[at], shape (cells, m, n), the coefficients are x @ q, those of level l are where ``ids == l``, and the
    way back is (coefficients * gain[ids]) @ q^H.

    Attributes:
        at: (cells, m, n) places in t; no place twice.
        q: (cells, n, n) unitary, or (1, n, n) for all cells.
        ids: (cells, n) the level of each column of q.
    """

    at: Ints
    q: Array
    ids: Ints


@dataclass(frozen=True, eq=False)
class SpectralBlock:
    """One pair of distinct summands, n copies of W (rows) by m of V (cols), with t = left^H w right for each pair of copies.

    Attributes:
        rows: (n, dim W) positions in Y.
        cols: (m, dim V) positions in X.
        left: (dim W, dim W) unitary, or None for the identity.
        right: (dim V, dim V) unitary, or None for the identity.
        ids: (dim W, dim V) the level of each entry of t; -1 for an entry in one of the cells.
        cells: what is not settled entry by entry.
    """

    rows: Ints
    cols: Ints
    left: Array | None
    right: Array | None
    ids: Ints
    cells: tuple[Cells, ...]


@dataclass(frozen=True, eq=False)
class SpectralPlan:
    """The levels of all maps X -> Y, by how far they are from equivariant; compared and hashed by its digest.

    All verbs take leading batch axes and keep the dtype of their argument (at least float32; complex where the plan is).

    Attributes:
        shape: (dim Y, dim X).
        values: (levels,) the singular values of the constraint, ascending; ``values[0]`` is 0 and level 0 are the equivariant
            maps, also where there are none.
        errors: (levels,) bounds on the rounding errors of the values.
        multiplicities: (levels,) the dimension of each level; their sum is dim Y dim X.
        blocks: one for each pair of distinct summands.
        construction: ``"isotypic"``, ``"generator"`` or ``"stacked"``, see :func:`repcore.soften`.
        growth: what bounds on the defect are made of.
        digest: SHA-256 of the space, the construction and the multiplicities.
        is_complex: whether the scalars are complex.
    """

    shape: tuple[int, int]
    values: Floats
    errors: Floats
    multiplicities: Ints
    blocks: tuple[SpectralBlock, ...]
    construction: str
    growth: Growth
    space_digest: str
    is_complex: bool

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the space, the construction and the multiplicities of the levels."""
        content = (FORMAT, self.space_digest, self.construction, self.multiplicities.tolist())
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SpectralPlan):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def size(self) -> int:
        """dim Y dim X, the number of all singular values."""
        return self.shape[0] * self.shape[1]

    @property
    def strict(self) -> int:
        """The dimension of the equivariant maps."""
        return int(self.multiplicities[0])

    @cached_property
    def shares(self) -> Floats:
        """(levels,) the softness when all levels up to this one are kept, as a part of the complement of the equivariant maps.

        0 for level 0, and 1 for the last one; 1 throughout where every map is equivariant.
        """
        rest = self.size - self.strict
        kept = np.cumsum(self.multiplicities) - self.strict
        return kept / rest if rest else np.ones(len(self))

    def project(self, weight: npt.ArrayLike, gains: npt.ArrayLike) -> Array:
        """sum_l gain_l P_l W: (..., dim Y, dim X) -> (..., dim Y, dim X). With all gains 1 it is W, bit by bit.

        Args:
            weight: W.
            gains: (levels,).

        Raises:
            IncompatibleError: a weight of another shape, or not one gain for each level.
        """
        w = self._checked(weight)
        g = np.asarray(gains)
        if g.shape != self.values.shape:
            raise IncompatibleError(
                f"gains: have shape {g.shape}, expected one for each of {len(self)} levels, {self.values.shape}"
            )
        kind = self._dtype(w)
        if bool(np.all(g == 1)):
            return w.astype(kind)
        g = g.astype(np.result_type(kind, g.dtype) if g.dtype.kind == "c" else kind)
        out = np.zeros(w.shape, np.result_type(kind, g.dtype))
        for b in self.blocks:
            t = _turned(b, _tiles(b, w, kind))
            done = np.where(b.ids.ravel() >= 0, g[b.ids.ravel()], 0) * t
            for c in b.cells:
                q = c.q.astype(kind)
                done[..., c.at] = ((t[..., c.at] @ q) * g[c.ids][:, None, :]) @ q.conj().swapaxes(-1, -2)
            out[..., b.rows[:, :, None, None], b.cols[None, None, :, :]] = _back(b, done)
        return out

    def energies(self, weight: npt.ArrayLike) -> Floats:
        """||P_l W||_F^2 for each level: (..., dim Y, dim X) -> (..., levels); computed in float64, their sum is ||W||_F^2."""
        w = self._checked(weight)
        kind = np.result_type(self._dtype(w), np.float64)
        out = np.zeros((*w.shape[:-2], len(self)))
        for b in self.blocks:
            t = _turned(b, _tiles(b, w, kind))
            squares = (np.abs(t) ** 2).sum((-3, -2))
            live = b.ids.ravel() >= 0
            _add(out, squares[..., live], b.ids.ravel()[live])
            for c in b.cells:
                squares = (np.abs(t[..., c.at] @ c.q.astype(kind)) ** 2).sum((-5, -4, -2))
                ids = np.broadcast_to(c.ids, squares.shape[-2:])
                _add(out, squares.reshape(*squares.shape[:-2], ids.size), ids.ravel())
        return out

    def components(self, weight: npt.ArrayLike) -> Array:
        """P_l W for each level, (levels, ..., dim Y, dim X); as many filters as there are levels."""
        return np.stack([self.project(weight, row) for row in np.eye(len(self))])

    def level_of(self, cutoff: float) -> int:
        """The last level whose value does not exceed a threshold, up to the rounding of the values; level 0 for 0."""
        return int(np.flatnonzero(self.values - self.errors <= cutoff).max(initial=0))

    def level_at(self, keep: float) -> int:
        """The last level up to which at most a given share of the complement is kept; whole levels, see :attr:`shares`."""
        return int(np.flatnonzero(self.shares <= keep).max(initial=0))

    def _checked(self, weight: npt.ArrayLike) -> Array:
        w = np.asarray(weight)
        if w.shape[-2:] != self.shape:
            raise IncompatibleError(
                f"weight: has shape {w.shape}, expected {('...', *self.shape)} for maps of shape (dim Y, dim X) = {self.shape}"
            )
        return w

    def _dtype(self, array: Array) -> np.dtype[Any]:
        wanted = np.result_type(array.dtype, np.float32)
        return np.result_type(wanted, np.complex64) if self.is_complex else wanted


def _tiles(b: SpectralBlock, w: Array, kind: np.dtype[Any]) -> Array:
    """The pairs of copies, (..., n, m, dim W, dim V)."""
    return w[..., b.rows[:, None, :, None], b.cols[None, :, None, :]].astype(kind)


def _turned(b: SpectralBlock, tiles: Array) -> Array:
    """left^H w right as (..., n, m, dim W * dim V)."""
    t = tiles
    if b.right is not None:
        t = _times(t, b.right.astype(t.dtype))
    if b.left is not None:
        t = _times(t.swapaxes(-1, -2), b.left.conj().astype(t.dtype)).swapaxes(-1, -2)
    return t.reshape(*t.shape[:-2], b.ids.size)


def _back(b: SpectralBlock, done: Array) -> Array:
    """left t right^H, with the axes (..., n, dim W, m, dim V) of the weight."""
    t = done.reshape(*done.shape[:-1], *b.ids.shape)
    if b.right is not None:
        t = _times(t, b.right.conj().T.astype(t.dtype))
    if b.left is not None:
        t = _times(t.swapaxes(-1, -2), b.left.T.astype(t.dtype)).swapaxes(-1, -2)
    return t.swapaxes(-3, -2)


def _times(t: Array, matrix: Array) -> Array:
    """t @ matrix as one product of matrices, whatever the leading axes."""
    return (t.reshape(-1, t.shape[-1]) @ matrix).reshape(t.shape) if t.size else t


def _add(out: Floats, squares: Array, ids: Ints) -> None:
    """Add the last axis of squares to the levels ``ids`` of out."""
    order = np.argsort(ids, kind="stable")
    found, starts = np.unique(ids[order], return_index=True)
    if len(found):
        out[..., found] += np.add.reduceat(squares[..., order], starts, axis=-1)


def frozen_all(arrays: Sequence[Array]) -> None:
    """Make arrays read-only."""
    for a in arrays:
        a.flags.writeable = False
