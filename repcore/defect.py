"""`Defect`: how far a linear map is from equivariant, over the whole group: exact mean, and bounds on the worst case."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.decompose.decomposition import Component, Decomposition, Irrep
from repcore.decompose.form import adjoint
from repcore.errors import IncompatibleError
from repcore.exact.field import QQ
from repcore.exact.matrix import Matrix, from_coo, identity, inverse
from repcore.reps.atoms import atoms
from repcore.reps.scales import scale_squares
from repcore.reps.tree import Rep

__all__ = ["Bracket", "Defect", "Energy", "as_map", "energies", "is_orthogonal", "measure"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Bracket:
    """An interval that contains a number: lower <= number <= upper, up to the rounding of float64."""

    lower: float
    upper: float

    def __contains__(self, value: float) -> bool:
        return self.lower <= value <= self.upper

    def __truediv__(self, scale: float) -> Bracket:
        return Bracket(_share(self.lower, scale), _share(self.upper, scale))

    def __str__(self) -> str:
        return f"{self.lower:.4g} ... {self.upper:.4g}"


@dataclass(frozen=True)
class Energy:
    """What a map has between two isotypic components: the squared Frobenius norm of the block W_ij = U_i^H W U_j.

    Attributes:
        row: the irrep of Y.
        col: the irrep of X; equal irreps are the same object.
        total: ||W_ij||_F^2; the totals of all pairs add up to ||W||_F^2.
        complement: ||W_ij - (P W)_ij||_F^2, all of the total where the irreps differ; adds up to ||W - P W||_F^2.
    """

    row: Irrep
    col: Irrep
    total: float
    complement: float


@dataclass(frozen=True)
class Defect:
    """How far a linear map W: X -> Y is from equivariant, measured over all of a compact group; made by :func:`repcore.defect`.

    With D(g) = rho_Y(g) W - W rho_X(g), P the projector onto the equivariant maps, R = W - P W, and orthogonal (unitary) X and Y:

        E_g ||D(g)||_F^2 = 2 ||R||_F^2,        sqrt(2) ||R||_F <= sup_g ||D(g)||_F <= 2 ||R||_F,
        max(||R||_2, sqrt(2 / r) ||R||_F) <= sup_g ||D(g)||_2 <= 2 min(||R||_2, ||W||_2),    r = min(dim Y, dim X).

    For P W commutes, so that D(g) = rho_Y(g) R - R rho_X(g); its square is ||rho_Y R||^2 + ||R rho_X||^2 minus twice a product
    whose mean is <P R, R> = 0. The worst case is at least the root mean square; and E_g rho_Y(g)^-1 D(g) = R, so that
    ||R|| <= sup_g ||D(g)|| in every unitarily invariant norm. Last, ||D||_F^2 <= r ||D||_2^2.

    Attributes:
        shape: (dim Y, dim X).
        norm: ||W||_F.
        equivariant: ||P W||_F.
        distance: ||W - P W||_F, the distance to the nearest equivariant map.
        spectral: ||W - P W||_2, its largest singular value.
        norm_spectral: ||W||_2.
        worst: bounds on sup_g ||D(g)||_F.
        worst_spectral: bounds on sup_g ||D(g)||_2.
        inner_product: ``"standard"``; or ``"invariant"``: X or Y is not orthogonal, and all norms are those of the coordinates
            ``rc.orthogonalised`` on both sides, W' = L_Y W L_X^-1.
        components: the energy between each pair of isotypic components, if it was asked for.
    """

    shape: tuple[int, int]
    norm: float
    equivariant: float
    distance: float
    spectral: float
    norm_spectral: float
    worst: Bracket
    worst_spectral: Bracket
    inner_product: str = "standard"
    components: tuple[Energy, ...] = ()

    @property
    def mean(self) -> float:
        """sqrt(E_g ||D(g)||_F^2) = sqrt(2) ||W - P W||_F, the root mean square over the whole group."""
        return sqrt(2) * self.distance

    @property
    def relative(self) -> float:
        """||W - P W||_F / ||W||_F, between 0 and 1; 0 for W = 0."""
        return _share(self.distance, self.norm)

    @property
    def relative_mean(self) -> float:
        """mean / ||W||_F, between 0 and sqrt(2); 0 for W = 0."""
        return _share(self.mean, self.norm)

    @property
    def relative_worst(self) -> Bracket:
        """worst / ||W||_F; 0 for W = 0."""
        return self.worst / self.norm

    @property
    def relative_worst_spectral(self) -> Bracket:
        """worst_spectral / ||W||_2; 0 for W = 0."""
        return self.worst_spectral / self.norm_spectral

    def __str__(self) -> str:
        lines = [
            f"||W - PW|| / ||W||     {self.relative:.4g}   ({self.distance:.4g} of {self.norm:.4g}, {self.inner_product} norms)",
            f"root mean square       {self.mean:.4g}   (over the whole group, Frobenius norm)",
            f"worst case, Frobenius  {self.worst}",
            f"worst case, spectral   {self.worst_spectral}",
        ]
        shown = [e for e in self.components if e.total]
        lines += [f"{e.row!r} <- {e.col!r}: {e.complement:.4g} of {e.total:.4g}" for e in shown]
        return "\n".join(lines)


def as_map(weight: npt.ArrayLike, shape: tuple[int, int]) -> Array:
    """The weight as a float64 or complex128 array (dim Y, dim X); a vector (dim Y,) becomes a column where dim X is 1.

    Raises:
        IncompatibleError: another shape, no numbers, or numbers that are not finite.
    """
    w = np.asarray(weight)
    if shape[1] == 1 and w.shape == shape[:1]:
        w = w[:, None]
    if w.shape != shape:
        raise IncompatibleError(f"W: has shape {w.shape}, expected (dim Y, dim X) = {shape}; measure one map at a time")
    if w.dtype.kind not in "fciub":
        raise IncompatibleError(f"W: has dtype {w.dtype}; give an array of numbers")
    w = w.astype(np.result_type(w.dtype, np.float64), copy=False)
    if not np.isfinite(w).all():
        raise IncompatibleError("W: has entries that are not finite, so that its norms mean nothing")
    return w


def measure(w: Array, projected: Array, inner_product: str = "standard", components: tuple[Energy, ...] = ()) -> Defect:
    """The defect of a map from the map and its projection, in coordinates in which the group acts orthogonally."""
    r = w - projected
    distance, norm = float(np.linalg.norm(r)), float(np.linalg.norm(w))
    largest, norm_2 = _largest(r), _largest(w)
    rank = max(min(w.shape), 1)
    lower = max(largest, sqrt(2 / rank) * distance)
    return Defect(
        shape=(w.shape[0], w.shape[1]),
        norm=norm,
        equivariant=float(np.linalg.norm(projected)),
        distance=distance,
        spectral=largest,
        norm_spectral=norm_2,
        worst=Bracket(sqrt(2) * distance, 2 * distance),
        worst_spectral=Bracket(lower, max(lower, 2 * min(largest, norm_2))),
        inner_product=inner_product,
        components=components,
    )


def is_orthogonal(rep: Rep) -> bool:
    """Whether every group element acts as an orthogonal (unitary) matrix, decided exactly on the generators.

    The coordinates are those of ``EquivariantBasis.to_numpy``: labelled irreps count as orthonormal.
    """
    return all(_is_orthogonal(a.rep) for a in atoms(rep))


def _is_orthogonal(rep: Rep) -> bool:
    squares = scale_squares(rep)
    gram = identity(rep.dim) if squares is None else _diagonal(squares.tolist())
    back = gram if gram.is_identity else inverse(gram)
    count = len(rep.group.discrete)
    images = rep.matrices
    return all((adjoint(a, gram, back) @ a).is_identity for a in images[:count]) and all(
        (adjoint(a, gram, back) + a).is_zero for a in images[count:]
    )


def energies(w: Array, of_x: Decomposition, of_y: Decomposition) -> tuple[Energy, ...]:
    """The energy of an orthogonal representation's map between each pair of components, by Schur's lemma.

    Between copies a and b of one irrep of dimension d the equivariant part is the projection onto the endomorphisms E_s, which
    are orthogonal to each other with ||E_s||_F^2 = d: sum_s <E_s, W_ab> E_s / d.
    """
    out: list[Energy] = []
    for col in of_x:
        right = _times(w, col)
        for row in of_y:
            block = _times(right.conj().T, row).conj().T
            total = float(np.vdot(block, block).real)
            out.append(Energy(row.irrep, col.irrep, total, _complement(block, row, col) if row.irrep is col.irrep else total))
    return tuple(out)


def _complement(block: Array, row: Component, col: Component) -> float:
    d, basis = row.irrep.dim, row.irrep.endomorphisms
    tiles = block.reshape(row.multiplicity, d, col.multiplicity, d)
    c: Array = np.einsum("spq,apbq->abs", basis.conj(), tiles) / d
    rest: Array = tiles - np.einsum("abs,spq->apbq", c, basis)
    return float(np.vdot(rest, rest).real)


def _times(w: Array, component: Component) -> Array:
    """W U for the orthonormal columns U of a component, dense or sparse."""
    turned: Any = component.basis.T @ w.T
    return np.asarray(turned.T)


def _largest(w: Array) -> float:
    return float(np.linalg.norm(w, 2)) if w.size else 0.0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _diagonal(values: list[Fraction]) -> Matrix:
    n = len(values)
    den = lcm(*(v.denominator for v in values))
    nums = np.array([[v.numerator * (den // v.denominator)] for v in values], object).reshape(n, 1)
    return from_coo((n, n), QQ, np.arange(n), np.arange(n), nums, den)
