"""`decompose`, `gram`, `orthogonalised`, `haar_projector`: verbs that solve spaces on the way, through the cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from repcore.decompose.decomposition import Decomposition
from repcore.decompose.gram import Orthonormal, haar_gram, make_orthonormal
from repcore.decompose.haar import HaarProjector, make_haar_projector
from repcore.decompose.together import decompose_reps
from repcore.errors import IncompatibleError
from repcore.exact.matrix import Matrix
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.store.cached import solve

__all__ = ["decompose", "decompose_together", "gram", "haar_projector", "orthogonalised"]


def decompose(rep: Rep) -> Decomposition:
    """A representation as a direct sum of irreducible ones, exactly counted and numerically proved.

    For every completely reducible representation of any declared group: multiplicities, dimensions and endomorphism types
    are integers that are proved from the exact dimension of the commutant End(V); the change of basis U is orthogonal
    (unitary) in float64, with a proven bound on its residual. Equal irreducibles act by identical matrices, so that every
    equivariant map is block scalar: U_W^-1 M U_V is a sum over common irreducibles of (m_W x m_V) (x) endomorphisms.

    U does not depend on the order of the generators, on a seed or, up to rounding, on the machine: the bases within copies follow
    a documented pivot rule, and random-looking coefficients are fixed.

    Args:
        rep: the representation. Sums are decomposed summand by summand, permutation modules orbit by orbit; U is then sparse.

    Raises:
        NotCompletelyReducibleError: there is an invariant subspace without invariant complement; the message names one.
        RepresentationError: an invariant inner product that is too ill-conditioned for float64.
        SolveError: the exact counts could not be proved in float64.

    Cost: the exact solution of ``V >> V`` for each distinct summand V, and about forty products of n x n arrays.

    >>> import repcore as rc
    >>> V = rc.SO(3).rep
    >>> print(rc.decompose(V * V))
    V**2 = 1 x 1 real + 1 x 3 real + 1 x 5 real
    """
    return _decomposed(_checked(rep, "decompose"))


def decompose_together(reps: Sequence[Rep]) -> tuple[Decomposition, ...]:
    """Decompositions in one frame of reference: equal irreducibles are the same :class:`Irrep` object, with the same matrices.

    Raises:
        IncompatibleError: representations of different groups, or something that is no list of representations.
        NotCompletelyReducibleError: as for :func:`decompose`.

    >>> import repcore as rc
    >>> V = rc.dihedral(3).rep
    >>> one, two = rc.decompose_together((V, V * V))
    >>> [c.irrep is one[0].irrep for c in two]
    [False, False, True]
    """
    if isinstance(reps, Rep) or not isinstance(reps, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"reps: expected a list of representations, got {type(reps).__name__}; write [V, W]")
    return decompose_reps(tuple(reps), solve)


def gram(rep: Rep) -> Matrix:
    """The invariant Gram matrix G of a representation of a compact group, exactly: the mean of rho(g)^H rho(g).

    It is the identity where V is orthogonal (unitary), and satisfies rho(g)^H G rho(g) = G. Coordinates are those of the exact
    matrices ``V.matrix(i)``.

    Raises:
        RepresentationError: there is no invariant inner product.

    >>> import repcore as rc
    >>> hexagon = rc.Group(discrete=[[[1, -1], [1, 0]]])       # a turn by 60 degrees, in a basis of the lattice
    >>> rc.gram(hexagon.rep)
    matrix([['4/3', '-2/3'], ['-2/3', '4/3']])
    """
    return _gram(_checked(rep, "gram"))


def orthogonalised(rep: Rep) -> Orthonormal:
    """A representation of a compact group in orthonormal coordinates, as float arrays; the Gram matrix stays exact.

    Raises:
        RepresentationError: there is no invariant inner product, or one that is too ill-conditioned for float64.

    >>> import repcore as rc
    >>> turned = rc.orthogonalised(rc.Group(discrete=[[[1, -1], [1, 0]]]).rep)
    >>> q = turned.matrix(0)
    >>> bool(abs(q.T @ q - [[1, 0], [0, 1]]).max() < 1e-15)
    True
    """
    return make_orthonormal(_checked(rep, "orthogonalised"), _gram(rep))


def haar_projector(space: Hom) -> HaarProjector:
    """The projector onto Hom(X, Y) that is the Haar mean W -> mean of rho_Y(g) W rho_X(g)^-1, for compact groups.

    ``rc.plan(space).project`` is the other projector, onto the nearest map in the Frobenius norm. Where both representations are
    orthogonal (unitary) they are the same.

    Raises:
        RepresentationError: the group has no such mean on this space.

    >>> import numpy as np, repcore as rc
    >>> V = rc.Group(discrete=[[[1, -1], [1, 0]]]).rep
    >>> w = np.array([[1.0, 0.0], [0.0, 0.0]])
    >>> mean, nearest = rc.haar_projector(V >> V)(w), rc.plan(V >> V).project(w)
    >>> mean.round(6).tolist(), nearest.round(6).tolist()
    ([[0.333333, 0.333333], [-0.333333, 0.666667]], [[0.6, -0.2], [0.2, 0.4]])
    """
    if not isinstance(space, Hom):
        raise IncompatibleError(f"space: expected a space of equivariant maps, got {type(space).__name__}; write X >> Y")
    return _haar_projector(space)


# A decomposition holds arrays of the size of the representation, so only the latest are kept.


@lru_cache(maxsize=16)
def _decomposed(rep: Rep) -> Decomposition:
    return decompose_reps((rep,), solve)[0]


@lru_cache(maxsize=16)
def _gram(rep: Rep) -> Matrix:
    return haar_gram(rep, solve)


@lru_cache(maxsize=16)
def _haar_projector(space: Hom) -> HaarProjector:
    return make_haar_projector(space, solve)


def _checked(rep: object, verb: str) -> Rep:
    if not isinstance(rep, Rep):
        raise IncompatibleError(f"rep: expected a representation, got {type(rep).__name__}; write {verb}(V)")
    return rep
