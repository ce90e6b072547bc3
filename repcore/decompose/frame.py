"""Orthonormal coordinates: from an invariant Hermitian form to floating point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.decompose.residue import UNIT, norm
from repcore.errors import RepresentationError
from repcore.exact.matrix import Matrix
from repcore.reps.scales import scale_squares, scales
from repcore.reps.tree import Rep

__all__ = ["Frame", "make_frame"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates x' = L x in which an invariant form G = L^H L is the standard one.

    Attributes:
        to: L as a float array, (n,) where it is diagonal and (n, n) otherwise; x are the coordinates of the exact matrices.
        back: its inverse, of the same kind.
        scale: (n,) the S of ``repcore.reps.scales``: S x are the coordinates of ``EquivariantBasis.to_numpy``, and of U.
        is_compact: the images keep the form; otherwise the set of images is closed under the adjoint of the form.
        is_exact: L is rounded from an exact form. Otherwise (``skew``) L is what the floats say, and the commutant is closed
            under the adjoint up to rounding only.
        is_orthogonal: the form is the standard one in the coordinates S x, so that U is orthogonal (unitary).
        defect: a bound on the spectral norm of L^-H G L^-1 - 1, for the exact G and the stored L.
        slip: a bound on |back @ to - 1|_2, which rounding leaves.
        growth: |S L^-1|_2, rounded up.
        stretch: |S L^-1|_2 |L S^-1|_2, the condition number of the change to orthonormal coordinates, rounded up.
    """

    to: Array
    back: Array
    scale: npt.NDArray[np.float64]
    is_compact: bool
    is_exact: bool
    is_orthogonal: bool
    defect: float
    slip: float
    growth: float
    stretch: float

    @property
    def is_diagonal(self) -> bool:
        """Whether L is a diagonal matrix."""
        return self.to.ndim == 1

    def columns(self, vectors: Array) -> Array:
        """S L^-1 B: columns B in the orthonormal coordinates, as columns in the coordinates S x."""
        if self.is_orthogonal:
            return vectors
        moved = self.back[:, None] * vectors if self.is_diagonal else self.back @ vectors
        return self.scale[:, None] * moved

    def dual_columns(self, vectors: Array) -> Array:
        """S^-1 L^H B, the columns D with D^H (S L^-1 B) = B^H B."""
        if self.is_orthogonal:
            return vectors
        moved = self.to.conj()[:, None] * vectors if self.is_diagonal else self.to.conj().T @ vectors
        return moved / self.scale[:, None]


def make_frame(rep: Rep, gram: Matrix, *, is_compact: bool) -> Frame:
    """The frame of an invariant positive definite form given by its exact Gram matrix.

    Raises:
        RepresentationError: the form is so ill-conditioned that its Cholesky factor in float64 proves nothing.
    """
    scale = scales(rep)
    if bool(np.all(gram.rows == gram.cols)):
        root = np.sqrt(np.abs(gram.values()).astype(np.float64))
        squares = scale_squares(rep)
        standard = gram.is_identity if squares is None else _is_diagonal_of(gram, squares.tolist())
        if standard:
            return Frame(root, 1 / root, scale, is_compact, True, True, 0.0, 2 * UNIT, 1.0, 1.0)
        growth = float((scale / root).max())
        return Frame(root, 1 / root, scale, is_compact, True, False, 8 * UNIT, 2 * UNIT, growth, _ratio(root / scale))
    n = gram.shape[0]
    dense = gram.to_numpy()
    # Scaling by powers of two rounds nothing, and takes the harmless part out of the condition number.
    powers = np.exp2(-np.round(np.log2(np.sqrt(np.abs(np.diagonal(dense))))))
    balanced = dense * powers[:, None] * powers[None, :]
    values = np.linalg.eigvalsh(balanced)
    rounding = 4 * n * UNIT * norm(balanced)
    if values[0] <= 2 * rounding:
        raise RepresentationError(
            f"rep: the invariant inner product of {rep} has condition number {_ratio(np.abs(values)):.1e} or more, past what "
            "float64 can prove; choose a basis nearer to an orthonormal one"
        )
    upper = np.linalg.cholesky(balanced).conj().T
    back = np.linalg.inv(upper)
    check = back.conj().T @ balanced @ back - np.eye(n)
    size = norm(back)
    defect = norm(check) + (2 * n + 8) * UNIT * size * size * norm(balanced)
    to, back = upper / powers[None, :], powers[:, None] * back
    slip = norm(back @ to - np.eye(n)) + (n + 2) * UNIT * norm(back) * norm(to)
    inner = to / scale[None, :]
    # Norms in float64 are good to far more digits than the last factor allows for.
    growth = float(np.linalg.norm(scale[:, None] * back, 2)) * (1 + 2.0**-20)
    stretch = float(np.linalg.norm(inner, 2)) * growth * (1 + 2.0**-20)
    return Frame(to, back, scale, is_compact, True, False, defect, slip, growth, stretch)


def _is_diagonal_of(gram: Matrix, squares: list[Any]) -> bool:
    return gram.nnz == len(squares) and all(v == squares[i] for i, _, v in gram.entries())


def _ratio(values: npt.NDArray[np.float64]) -> float:
    return float(values.max() / values.min())
