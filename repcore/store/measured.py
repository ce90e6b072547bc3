"""`defect`: how far a map is from equivariant; it solves and decomposes on the way, through the cache."""

from __future__ import annotations

import numpy.typing as npt

from repcore.basis import EquivariantBasis
from repcore.defect import Defect, as_map, energies, is_orthogonal, measure
from repcore.errors import IncompatibleError, RepresentationError
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.store.cached import plan
from repcore.store.decomposed import decompose_together, haar_projector, orthogonalised

__all__ = ["defect"]


def defect(
    W: npt.ArrayLike, space: Hom | EquivariantBasis | Rep, codomain: Rep | None = None, *, components: bool = False
) -> Defect:
    """How far a linear map is from equivariant: the exact mean over the whole group, and bounds on the worst case; not sampled.

    With D(g) = rho_Y(g) W - W rho_X(g), and P the projector onto the equivariant maps,

        E_g ||D(g)||_F^2 = 2 ||W - P W||_F^2        and        ||W - P W|| <= sup_g ||D(g)|| <= 2 ||W - P W||

    for orthogonal (unitary) representations of a compact group, the mean being over its Haar measure; for a group of orthogonal
    matrices that is not closed, over its closure. Whether the images are orthogonal is decided exactly, on the generators. Where
    they are not, but have an invariant inner product, the map is measured in coordinates in which they are, those of
    ``rc.orthogonalised``; ``Defect.inner_product`` is then ``"invariant"``.

    Call it as ``rc.defect(W, X, Y)`` or ``rc.defect(W, X >> Y)``.

    Args:
        W: (dim Y, dim X), or (dim Y,) where dim X is 1, in the coordinates of ``EquivariantBasis.to_numpy``; computed in float64.
        space: ``X >> Y`` or its solved basis, or X.
        codomain: Y, where ``space`` is X.
        components: tell for each pair of isotypic components of Y and X how much of W is in it; decomposes X and Y.

    Returns:
        A frozen :class:`Defect`.

    Raises:
        IncompatibleError: W does not fit; or the group is not compact on X or Y: there is then no mean over it, and no bound for
            all g. What holds in that case: ||W - P W|| is zero exactly for the equivariant W, with ``rc.plan(space).project``; or
            ``components`` for representations that are not orthogonal.

    Cost: one projection, and two singular value decompositions of W for the spectral norms.

    >>> import numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> found = defect(np.array([[1.0, 2.0], [2.0, 1.0]]), V, V)
    >>> round(found.mean, 6), round(found.relative, 6), str(found.worst)
    (4.0, 0.894427, '4 ... 5.657')
    """
    asked = _space(space, codomain)
    w = as_map(W, asked.shape)
    if is_orthogonal(asked.domain) and is_orthogonal(asked.codomain):
        pairs = energies(w, *decompose_together((asked.domain, asked.codomain))) if components else ()
        return measure(w, plan(asked).project(w), components=pairs)
    if components:
        raise IncompatibleError(
            "components: X or Y is not orthogonal, so that its components are not orthogonal to each other and energies do not "
            "add up; declare the representations in orthonormal coordinates, or leave components out"
        )
    try:
        to_x, to_y = orthogonalised(asked.domain), orthogonalised(asked.codomain)
        mean = haar_projector(asked)(w)
    except RepresentationError as error:
        raise IncompatibleError(
            f"space: the mean and the worst case over the group need an invariant inner product on both sides ({error}). What "
            "holds for any group: W - PW, with P = rc.plan(space).project, is zero exactly where W is equivariant"
        ) from error
    return measure(to_y.change @ w @ to_x.back, to_y.change @ mean @ to_x.back, "invariant")


def _space(space: Hom | EquivariantBasis | Rep, codomain: Rep | None) -> Hom:
    if isinstance(space, Rep) and isinstance(codomain, Rep):
        return space >> codomain
    if isinstance(space, EquivariantBasis):
        space = space.space
    if isinstance(space, Hom) and codomain is None:
        return space
    given = ", ".join(type(x).__name__ for x in (space, codomain) if x is not None)
    raise IncompatibleError(
        f"space: expected a space of equivariant maps, got {given}; write defect(W, X >> Y) or defect(W, X, Y)"
    )
