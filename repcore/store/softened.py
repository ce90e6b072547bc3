"""`soften`: a filter between equivariant and free; it solves and decomposes on the way, through the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.basis import EquivariantBasis
from repcore.decompose.pieces import pieces
from repcore.defect import is_orthogonal
from repcore.errors import IncompatibleError
from repcore.reps.atoms import atoms
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.soft import Level, Soft, SpectralPlan, make_isotypic, make_soft
from repcore.soft.generator import exact_dimension, make_generator, one_normal_generator
from repcore.soft.sampled import on_cells, pieces_on, reduced
from repcore.soft.stacked import Piece, growth_of, make_stacked
from repcore.store.cached import solve
from repcore.store.decomposed import decompose_together
from repcore.store.memo import Memo

__all__ = ["soften"]

CONSTRUCTIONS = ("auto", "isotypic", "generator", "stacked")

# From this dimension on one generator is diagonalised as it stands, where the exact decomposition would take seconds.
_LARGE = 32

_PLANS: Memo[SpectralPlan] = Memo(256 * 2**20)


def soften(
    space: Hom | FunctionMaps | EquivariantBasis | Soft,
    *,
    cutoff: float | None = None,
    keep: float | None = None,
    gain: Callable[[Level], float] | Sequence[float] | npt.NDArray[Any] | None = None,
    construction: str = "auto",
) -> Soft:
    """A filter on the maps X -> Y between strict (equivariant maps alone) and free (all maps).

    All maps are a direct sum of levels, by the singular values b of the constraint L that equivariant maps satisfy: L M is made
    of rho_Y(A) M - M rho_X(A) for an orthonormal basis of the Lie algebra, and of rho_Y(s) M - M rho_X(s) for discrete generators
    s, averaged over their conjugates. The filter multiplies each level by a gain.

    ================  ==========================================================================================
    construction      for
    ================  ==========================================================================================
    ``"isotypic"``    X and Y orthogonal (unitary): the invariant Laplacian L^H L, which is a number on each irreducible
                      part of Hom(X, Y). Levels do not depend on the basis of the Lie algebra, nor on which element
                      of a class is the generator, and the group keeps them: the filter is equivariant itself.
    ``"generator"``   one generator that is normal on X and Y: b is the modulus of mu_i - lambda_j, from two eigenbases.
    ``"stacked"``     anything, up to 2,000 maps between two distinct summands: a singular value decomposition. The
                      levels depend on the inner product of the coordinates, and the group need not keep them.
    ================  ==========================================================================================

    ``"auto"`` takes the first that applies, and the second for one generator of a compact group on large summands.

    Args:
        space: ``X >> Y``, its basis, or a filter on it, whose levels are used again; or maps from images, ``rc.functions(...) >>
            Y``, whose levels are those of maps of coefficients and, as the last one, what no function sees.
        cutoff: b >= 0; gain 1 for singular values up to b, 0 above. 0 is ``rc.plan(space).project``.
        keep: a share in [0, 1] of the complement of the equivariant maps; rounded down to whole levels, since a part of a level
            would depend on an arbitrary basis and break the symmetry of the filter. ``Soft.softness`` is what it became.
        gain: a function of a :class:`Level`, called once for each; or one number for each level. :class:`Heat`,
            :class:`Tikhonov` and :class:`Cutoff` are such functions.
        construction: see above.

    Returns:
        A frozen :class:`Soft`.

    Raises:
        IncompatibleError: not exactly one of ``cutoff``, ``keep``, ``gain``, or a value out of range; an unknown construction, or
            one that does not apply.
        MemoryLimitError: the space is too large for the only construction that applies.
        SolveError: float64 cannot tell a level from the equivariant maps.

    Cost: isotypic: the decomposition of each distinct summand, and (d_i d_j)^3 for each pair of irreducibles; then a filter takes
    the changes of basis. Multiplicities stay factored. Levels are kept in the process.

    Source: Rahman et al., Tunable soft equivariance (CVPR 2026), for the hard filter; the invariant Laplacian is the Casimir
    operator, see Goodman and Wallach, Symmetry, Representations, and Invariants, section 3.3.

    >>> import numpy as np, repcore as rc
    >>> V = rc.SO(3).rep
    >>> soft = rc.soften(V >> V, cutoff=1.5)
    >>> [(round(x.eigenvalue, 9), x.multiplicity, x.gain) for x in soft.levels]     # l(l + 1) for l = 0, 1, 2
    [(0.0, 1, 1.0), (2.0, 3, 1.0), (6.0, 5, 0.0)]
    >>> (soft.project(np.diag([1.0, 2.0, 3.0])).round(12) + 0.0).tolist()
    [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]]
    >>> rc.soften(V >> V, keep=0.5).softness            # 3 of 8: half would cut through a level
    0.375
    """
    if construction not in CONSTRUCTIONS:
        raise IncompatibleError(f"construction is {construction!r}; choose one of {', '.join(map(repr, CONSTRUCTIONS))}")
    if isinstance(space, Soft):
        if construction not in ("auto", space.plan.construction):
            raise IncompatibleError(f"construction: this filter has the levels of {space.plan.construction!r}; give the space")
        return make_soft(space.space, space.plan, cutoff, keep, gain)
    if isinstance(space, EquivariantBasis):
        space = space.space
    if not isinstance(space, Hom | FunctionMaps):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"space: expected a space of equivariant maps X >> Y, got {type(space).__name__}")
    key = (space.digest, construction)
    plan = _PLANS.get(key)
    if plan is None:
        plan = _levels(space, construction) if isinstance(space, Hom) else _levels_on_cells(space, construction)
        _PLANS.put(key, plan, _bytes(plan))
    return make_soft(space, plan, cutoff, keep, gain)


def _levels(space: Hom, construction: str) -> SpectralPlan:
    orthogonal = is_orthogonal(space.domain) and is_orthogonal(space.codomain)
    single = one_normal_generator(space) if construction in ("auto", "generator") else None
    if construction == "auto":
        if orthogonal:
            construction = "generator" if single is not None and _is_large(space) else "isotypic"
        else:
            construction = "stacked" if single is None else "generator"
    if construction == "isotypic":
        if not orthogonal:
            raise IncompatibleError(
                "construction: X or Y is not orthogonal (unitary) in this basis, so that there is no invariant Laplacian; use "
                '"stacked", or orthonormal coordinates, see rc.orthogonalised'
            )
        return make_isotypic(space, decompose_together)
    if construction == "generator" and single is None:
        raise IncompatibleError(f'construction: {space.group} has no single generator that is normal on X and Y; use "auto"')
    growth = growth_of(space, is_orthogonal=orthogonal, invariant=construction == "generator" and orthogonal)
    dim = None if single is None else exact_dimension(space, single)
    dim = solve(space).dim if dim is None else dim
    if single is None or construction == "stacked":
        return make_stacked(space, growth, dim)
    g = space.group.generators[single].to_numpy()
    is_lie = single >= len(space.group.discrete)
    return make_generator(space, single, growth, float(np.linalg.norm(g)) / np.sqrt(2) if is_lie else 1.0, dim)


def _levels_on_cells(maps: FunctionMaps, construction: str) -> SpectralPlan:
    """The levels of maps of coefficients, in coordinates that are orthonormal on the cells, and the remainder."""
    space, f = reduced(maps), maps.functions
    if f.degree is None:
        return on_cells(maps, _levels(space, construction))
    if construction not in ("auto", "stacked"):
        raise IncompatibleError(
            f'construction: polynomials are not orthogonal, so that only "stacked" applies, not {construction!r}'
        )
    pieces = pieces_on(maps)
    # Of the remainder only the values move.
    values = [Piece(a.rep, a.positions) for a in atoms(f.values)]
    growth = growth_of(space, is_orthogonal=False, invariant=False, domain=[*pieces, *values])
    return on_cells(maps, make_stacked(space, growth, solve(space).dim, pieces))


def _is_large(space: Hom) -> bool:
    distinct, _ = pieces([a.rep for x in (space.codomain, space.domain) for a in atoms(x)])
    return max((v.dim for v in distinct), default=0) > _LARGE


def _bytes(plan: SpectralPlan) -> int:
    total = 0
    for b in plan.blocks:
        total += b.ids.nbytes + sum(c.at.nbytes + c.q.nbytes + c.ids.nbytes for c in b.cells)
        total += sum(x.nbytes for x in (b.left, b.right) if x is not None)
    return total
