"""Feature fields: a representation as copies of summands, and which functions of one component commute with it.

What layers need that act copy by copy (normalisation, nonlinearities, pooling): where a copy lies, whether the group permutes its
components, and its invariant vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.exact.matrix import Matrix
from repcore.exact.number import number
from repcore.groups.components import by_least, components
from repcore.reps.atoms import atoms
from repcore.reps.scales import scale_squares
from repcore.reps.tree import Rep

__all__ = ["FeatureField", "Pointwise", "is_real", "orbits_of", "pointwise", "pointwise_of"]

Ints = npt.NDArray[np.int64]
Pointwise = Literal["any", "odd", "none"]


@dataclass(frozen=True, eq=False)
class FeatureField:
    """All copies of one summand of a representation; made by :func:`repcore.fields`.

    In steerable networks a representation X = n_1 A_1 + n_2 A_2 + ... is the type of a stack of feature fields, n_1 of type A_1
    and so on (Weiler and Cesa, General E(2)-equivariant steerable CNNs, 2019). A function that acts on each copy of A_f
    by itself, and in the same way, commutes with X if it commutes with A_f.

    Attributes:
        rep: A, the summand.
        positions: (copies, dim), component i of copy c is feature ``positions[c, i]`` of X.
        pointwise: which functions of one component commute with A, see :func:`repcore.pointwise`: ``"any"`` where the generators
            permute the components, ``"odd"`` where they permute them up to signs, ``"none"``.
        is_orthogonal: whether every group element acts as an orthogonal (unitary) matrix, decided exactly.
        is_real: whether the images of the generators are real, decided exactly.
        invariants: (dim, t) float64, orthonormal columns that span the invariant vectors of A. Where the generators permute
            the components, column j is constant on orbit j and zero elsewhere.
        orbits: (dim,) the orbit of each component, numbered by their least members, where the generators permute the components;
            None elsewhere.
    """

    rep: Rep
    positions: Ints
    pointwise: Pointwise
    is_orthogonal: bool
    is_real: bool
    invariants: npt.NDArray[np.floating | np.complexfloating]
    orbits: Ints | None

    @property
    def copies(self) -> int:
        """The number of copies."""
        return self.positions.shape[0]

    @property
    def dim(self) -> int:
        """The dimension of one copy."""
        return self.positions.shape[1]

    @property
    def is_permutation(self) -> bool:
        """Whether the generators permute the components of a copy."""
        return self.pointwise == "any"

    @property
    def is_trivial(self) -> bool:
        """Whether a copy is one invariant number, a scalar."""
        return self.dim == 1 and self.is_permutation

    @cached_property
    def mean(self) -> npt.NDArray[np.float64]:
        """The invariant vector u of A that is nearest to the vector of ones, u = Q Q^T (1, ..., 1), shape (dim,).

        Along it an equivariant layer may take a mean, <u, x> / <u, u>: where the generators permute the components u is the
        vector of ones, and this is the mean of all components. Zero where every invariant vector has components that sum to
        zero; none of them then tells a mean.
        """
        if self.is_permutation:
            return np.ones(self.dim)
        q = self.invariants.real.astype(np.float64)
        sums = q.sum(axis=0)
        # Columns of a Householder QR in float64 are off by 4 d t eps in norm at most, and their sums by sqrt(d) times as much.
        eps = float(np.finfo(np.float64).eps)
        allowed = 4 * q.size * eps * self.dim**0.5
        return q @ np.where(np.abs(sums) <= allowed, 0, sums)

    def __repr__(self) -> str:
        return (
            f"<FeatureField {self.copies} x {self.rep}, dim={self.dim}, pointwise={self.pointwise!r}, "
            f"invariants={self.invariants.shape[1]}>"
        )


def pointwise(rep: Rep) -> Pointwise:
    """Which functions of one component, x -> (f(x_1), ..., f(x_n)), commute with a representation.

    ========  =====================================  ==============================================
    answer    every group element acts by            commutes for
    ========  =====================================  ==============================================
    "any"     a permutation matrix                   every f: ReLU, sigmoid, a power, ...
    "odd"     a signed permutation matrix            every f with f(-x) = -f(x): tanh, x^3, ...
    "none"    some other matrix                      in general none but the linear f(x) = a x
    ========  =====================================  ==============================================

    Decided exactly on the generators; a Lie generator must act as zero. Other monomial matrices commute with some functions (a
    positive scaling with ReLU) and count as "none". Labelled irreps (:func:`repcore.irrep`) are in their orthonormal convention,
    as in ``EquivariantBasis.to_numpy``. For the summands one by one see :func:`repcore.fields`.

    Raises:
        IncompatibleError: ``rep`` is no representation.

    >>> import repcore as rc
    >>> D4 = rc.dihedral(4)
    >>> pointwise(2 * rc.regular(D4) + rc.trivial(D4)), pointwise(D4.rep + rc.trivial(D4)), pointwise(rc.SO(3).rep)
    ('any', 'odd', 'none')
    """
    if not isinstance(rep, Rep):
        raise IncompatibleError(f"rep: expected a representation, got {type(rep).__name__}; write pointwise(X)")
    answers = {pointwise_of(a.rep) for a in atoms(rep)}
    return "none" if "none" in answers else "odd" if "odd" in answers else "any"


def pointwise_of(rep: Rep) -> Pointwise:
    """The answer of :func:`pointwise` for one summand."""
    count = len(rep.group.discrete)
    images = rep.matrices
    if any(not a.is_zero for a in images[count:]) or not all(a.is_monomial for a in images[:count]):
        return "none"
    squares = scale_squares(rep)
    kinds = {_signs(a, squares) for a in images[:count]}
    return "none" if "none" in kinds else "odd" if "odd" in kinds else "any"


def _signs(a: Matrix, squares: npt.NDArray[np.object_] | None) -> Pointwise:
    """For a monomial matrix: whether its entries are 1, or signs, once they are in the orthonormal convention."""
    if squares is None:
        if a.is_permutation:
            return "any"
        return "odd" if a.is_integral and bool(np.all(np.abs(a.nums[:, 0]) == 1)) else "none"
    one = number(1)
    for r, c, value in a.entries():
        if not value.is_real or value * value * number(squares[r] / squares[c]) != one:
            return "none"
    return "any" if bool(np.all(a.values() > 0)) else "odd"


def is_real(rep: Rep) -> bool:
    """Whether the images of all generators are real."""
    return all(a.field.is_real or a == a.conjugate() for a in rep.matrices)


def orbits_of(rep: Rep) -> Ints:
    """The orbit of each component of a representation by permutation matrices, (dim,), numbered by their least members."""
    edges = [a for a in rep.matrices if not a.is_zero]
    rows, cols = (np.concatenate([np.arange(0), *(getattr(a, name) for a in edges)]) for name in ("rows", "cols"))
    return by_least(components(rep.dim, rows, cols))[1]
