"""`Plan`: a list of blocks, one for each pair of distinct summands, multiplicities factored out; what NumPy executes.

Theta, the coefficient vector, has one of two meanings, which ``Plan.coordinates`` names and the digest tells apart:

- ``"canonical"`` (orbit and factor blocks): theta[i] belongs to ``basis.to_numpy(orthonormal=True)[i]``;
- ``"irrep"`` (Schur blocks): irrep by irrep, over (channel of Y, endomorphism, channel of X), see :class:`IrrepGroup`.

Both bases are orthonormal in the Frobenius product, so that projections agree to rounding. Weights and inputs are in the
coordinates of ``basis.to_numpy``: labelled irreps (``rc.irrep``) in their orthonormal convention.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.basis import BasisBlock, EquivariantBasis, orthonormal_columns
from repcore.errors import IncompatibleError, RepresentationError
from repcore.plan.layer import Layer
from repcore.plan.structures import Factor, Orbit, Schur, analyse, frozen, synthesise

__all__ = ["Block", "Plan", "make_plan"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


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
    structure: Orbit | Factor | Schur


@dataclass(frozen=True, eq=False)
class Plan:
    """How to project onto and parametrise Hom(X, Y); compared and hashed by its digest.

    The digest is that of the basis, for coefficients in canonical coordinates; for coefficients in irrep coordinates it is made
    of the digest of the space. All verbs take leading batch axes and keep the dtype of their argument (at least float32; complex
    where the plan is).

    Attributes:
        layer: how to apply coefficients without forming the weight; None where coefficients are canonical.
        approximate: in which sense the maps are equivariant only approximately, in words; empty where they are exactly so.

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
    layer: Layer | None = None
    is_orthonormal: bool = True
    approximate: str = ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plan):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def coordinates(self) -> str:
        """What theta means: ``"canonical"`` or ``"irrep"``."""
        return "canonical" if self.layer is None else "irrep"

    @cached_property
    def bias(self) -> Plan | None:
        """How the bias of the layer is expanded, as maps (dim Y, 1): b = sum_j bias_j I_j; None without a layer or invariants."""
        layer = self.layer
        if layer is None or not layer.bias:
            return None
        g = next(i for i, group in enumerate(layer.groups) if group.biased)
        blocks: list[Block] = []
        start = 0
        for panel in layer.outputs:
            m, a = len(panel.positions), panel.multiplicities[g]
            if a:
                # Channels are ordered by copy of the irrep in the summand, then by copy of the summand.
                order = start + np.arange(a) * m + np.arange(m)[:, None, None]
                blocks.append(Block(panel.positions, np.zeros((1, 1), np.int64), frozen(order), Factor(panel.changes[g].T)))
                start += a * m
        digest = hashlib.sha256(repr(("bias", self.digest)).encode()).hexdigest()
        shape = (self.shape[0], 1)
        return Plan(shape, layer.bias, tuple(blocks), digest, self.is_complex, None, self.is_orthonormal)

    def coefficients(self, weight: npt.ArrayLike) -> Array:
        """theta_i = <B_i, W>, the Frobenius products with the orthonormal basis: (..., dim Y, dim X) -> (..., dim).

        Raises:
            RepresentationError: the basis is not orthonormal, see :meth:`check_orthonormal`.
        """
        self.check_orthonormal()
        w = self._checked(weight, self.shape, "weight")
        out = np.zeros((*w.shape[:-2], self.dim), self._dtype(w))
        for b in self.blocks:
            tiles = w[..., b.rows[:, :, None, None], b.cols[None, None, :, :]].astype(out.dtype)
            out[..., b.order] = analyse(b.structure, tiles)
        return out

    def expand(self, theta: npt.ArrayLike) -> Array:
        """W = sum_i theta_i B_i: (..., dim) -> (..., dim Y, dim X)."""
        t = self._checked(theta, (self.dim,), "theta")
        out = np.zeros((*t.shape[:-1], *self.shape), self._dtype(t))
        for b in self.blocks:
            tiles = synthesise(b.structure, t[..., b.order].astype(out.dtype), b.rows.shape[1], b.cols.shape[1])
            out[..., b.rows[:, :, None, None], b.cols[None, None, :, :]] = tiles
        return out

    def project(self, weight: npt.ArrayLike) -> Array:
        """P W, the point of Hom(X, Y) that is nearest to W in the Frobenius norm."""
        return self.expand(self.coefficients(weight))

    def apply(self, theta: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """y = (sum_i theta_i B_i) x for x of shape (..., dim X).

        In irrep coordinates the weight is never formed: see :class:`Layer`.
        """
        x = self._checked(x, self.shape[1:], "x")
        if self.layer is None:
            return np.einsum("...yx,...x->...y", self.expand(theta), x)
        t = self._checked(theta, (self.dim,), "theta")
        return self.layer.apply(t.astype(self._dtype(t)), x)

    def check_orthonormal(self) -> None:
        """Refuse to project where the basis behind theta is not orthonormal.

        Raises:
            RepresentationError: a plan in irrep coordinates of representations that are not orthogonal (unitary).
        """
        if not self.is_orthonormal:
            raise RepresentationError(
                "plan: X or Y is not orthogonal (unitary) in this basis, so that irrep coordinates of a dense weight are no "
                "Frobenius products; this plan expands and applies only. Project with rc.plan(space) or rc.haar_projector(space)"
            )

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


def make_plan(basis: EquivariantBasis, *, dense: bool = False) -> Plan:
    """The plan of a basis: ``orbit`` blocks where the supports of the elements are disjoint, ``factor`` blocks elsewhere.

    With ``dense`` all blocks are ``factor`` blocks. Theta and the digest are the same.
    """
    blocks = tuple(Block(b.rows, b.cols, b.order, _structure(b, basis.scaling_of(b), dense)) for b in basis.blocks)
    return Plan(basis.shape, basis.dim, blocks, basis.digest, not basis.field.is_real)


def _structure(b: BasisBlock, scaling: Array | None, dense: bool) -> Orbit | Factor:
    k, size = b.basis.shape
    if dense or len(np.unique(b.basis.cols)) < b.basis.nnz:
        return Factor(frozen(orthonormal_columns(b.basis, scaling)))
    ids = np.full(size, -1, np.int64)
    ids[b.basis.cols] = b.basis.rows
    entries = b.basis.values() if scaling is None else b.basis.values() * scaling[b.basis.cols]
    norms = np.sqrt(np.bincount(b.basis.rows, np.abs(entries) ** 2, k))
    values = np.zeros(size, entries.dtype)
    values[b.basis.cols] = entries / norms[b.basis.rows]
    return Orbit(frozen(ids), frozen(values), k)
