"""Plans: a basis as frozen arrays that any backend executes, and the NumPy reference executor.

A plan is a list of blocks, one for each pair of distinct summands, multiplicities factored out. Theta, the coefficient vector,
refers to the orthonormal form of the basis in canonical order: theta[i] belongs to ``basis.to_numpy(orthonormal=True)[i]``.
Weights and inputs are in the coordinates of that array: labelled irreps (``rc.irrep``) in their orthonormal convention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.basis import BasisBlock, EquivariantBasis, orthonormal_columns
from repcore.errors import IncompatibleError

__all__ = ["Block", "Factor", "Orbit", "Plan", "make_plan"]

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
class Block:
    """One pair of distinct summands: n copies of W (rows) by m copies of V (cols).

    Attributes:
        rows: (n, dim W) positions in Y.
        cols: (m, dim V) positions in X.
        order: (n, m, k) place in theta of each coefficient.
        structure: the maps V -> W on one pair of copies, entries row-major over (dim W, dim V).
    """

    rows: Ints
    cols: Ints
    order: Ints
    structure: Orbit | Factor


@dataclass(frozen=True, eq=False)
class Plan:
    """How to project onto and parametrise Hom(X, Y); compared and hashed by the digest of the basis.

    All verbs take leading batch axes and keep the dtype of their argument (at least float32; complex where the plan is).

    >>> import numpy as np, repcore as rc
    >>> plan = rc.plan(rc.cyclic(4).rep >> rc.cyclic(4).rep)
    >>> plan.project(np.array([[1.0, 2.0], [3.0, 5.0]]))
    array([[ 3. , -0.5],
           [ 0.5,  3. ]])
    """

    shape: tuple[int, int]
    dim: int
    blocks: tuple[Block, ...]
    digest: str
    is_complex: bool

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plan):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def coefficients(self, weight: npt.ArrayLike) -> Array:
        """theta_i = <B_i, W>, the Frobenius products with the orthonormal basis: (..., dim Y, dim X) -> (..., dim)."""
        w = self._checked(weight, self.shape, "weight")
        out = np.zeros((*w.shape[:-2], self.dim), self._dtype(w))
        for b in self.blocks:
            part = w[..., b.rows[:, None, :, None], b.cols[None, :, None, :]]
            flat = part.reshape(*part.shape[:-2], part.shape[-2] * part.shape[-1])
            s = b.structure
            if isinstance(s, Factor):
                found = flat @ s.q.conj().astype(out.dtype)
            else:
                found = _segment_sums(flat * s.values.conj().astype(out.dtype), s.ids, s.dim)
            out[..., b.order] = found
        return out

    def expand(self, theta: npt.ArrayLike) -> Array:
        """W = sum_i theta_i B_i: (..., dim) -> (..., dim Y, dim X)."""
        t = self._checked(theta, (self.dim,), "theta")
        out = np.zeros((*t.shape[:-1], *self.shape), self._dtype(t))
        for b in self.blocks:
            c = t[..., b.order]
            s = b.structure
            if isinstance(s, Factor):
                flat = c @ s.q.T.astype(out.dtype)
            else:
                flat = np.where(s.ids >= 0, c[..., s.ids] * s.values.astype(out.dtype), 0)
            sizes = (b.rows.shape[1], b.cols.shape[1])
            out[..., b.rows[:, None, :, None], b.cols[None, :, None, :]] = flat.reshape(*flat.shape[:-1], *sizes)
        return out

    def project(self, weight: npt.ArrayLike) -> Array:
        """P W, the point of Hom(X, Y) that is nearest to W in the Frobenius norm."""
        return self.expand(self.coefficients(weight))

    def apply(self, theta: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """y = (sum_i theta_i B_i) x for x of shape (..., dim X)."""
        x = self._checked(x, self.shape[1:], "x")
        return np.einsum("...yx,...x->...y", self.expand(theta), x)

    def _checked(self, value: npt.ArrayLike, tail: tuple[int, ...], name: str) -> Array:
        array = np.asarray(value)
        if array.shape[-len(tail) :] != tail:
            raise IncompatibleError(
                f"{name}: has shape {array.shape}, expected {('...', *tail)} for maps of shape (dim Y, dim X) = {self.shape}"
            )
        return array

    def _dtype(self, array: Array) -> np.dtype[Any]:
        wanted = np.result_type(array.dtype, np.float32)
        return np.result_type(wanted, np.complex64) if self.is_complex else wanted


def make_plan(basis: EquivariantBasis) -> Plan:
    """The plan of a basis: ``orbit`` blocks where the supports of the elements are disjoint, ``factor`` blocks elsewhere."""
    blocks = tuple(Block(b.rows, b.cols, b.order, _structure(b, basis.scaling_of(b))) for b in basis.blocks)
    return Plan(basis.shape, basis.dim, blocks, basis.digest, not basis.field.is_real)


def _structure(b: BasisBlock, scaling: Array | None) -> Orbit | Factor:
    k, size = b.basis.shape
    if len(np.unique(b.basis.cols)) < b.basis.nnz:
        return Factor(_frozen(orthonormal_columns(b.basis, scaling)))
    ids = np.full(size, -1, np.int64)
    ids[b.basis.cols] = b.basis.rows
    entries = b.basis.values() if scaling is None else b.basis.values() * scaling[b.basis.cols]
    norms = np.sqrt(np.bincount(b.basis.rows, np.abs(entries) ** 2, k))
    values = np.zeros(size, entries.dtype)
    values[b.basis.cols] = entries / norms[b.basis.rows]
    return Orbit(_frozen(ids), _frozen(values), k)


def _segment_sums(flat: Array, ids: Ints, k: int) -> Array:
    """Sum the last axis by segment; entries with id -1 are left out."""
    live = ids >= 0
    order = np.argsort(ids[live], kind="stable")
    starts = np.searchsorted(ids[live][order], np.arange(k))
    if not k:
        return np.zeros((*flat.shape[:-1], 0), flat.dtype)
    return np.add.reduceat(flat[..., live][..., order], starts, axis=-1)


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
