"""`kernels`: convolution weights as equivariant maps between fields; the maps behind them are solved through the cache."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any, cast

import numpy as np

from repcore.defect import is_orthogonal
from repcore.errors import DeclarationError, IncompatibleError, RepresentationError
from repcore.plan import Plan
from repcore.plan.kernels import Ring, make_kernel_plan
from repcore.reps.cells import box_of, is_axis_permutation, spatial_of
from repcore.reps.hom import Hom
from repcore.reps.permutation import grid
from repcore.reps.tree import Rep
from repcore.store.cached import plan, solve

__all__ = ["kernels"]


def kernels(
    space: Hom,
    size: int | Sequence[int],
    *,
    spatial: Rep | None = None,
    degree: int | Sequence[int] | None = None,
    rings: Sequence[float] | None = None,
) -> Plan:
    """The plan of the weights of equivariant convolutions between a field of type X and one of type Y.

    A field of type X has a vector x(p) of X at each place p, and g moves it to rho_X(g) x(g^-1 p). The convolution
    y(p) = sum_q K(q) x(p + q), as ``torch.nn.Conv2d`` and ``jax.lax.conv`` compute it, commutes with that for every g exactly if

        K(g q) rho_X(g) = rho_Y(g) K(q)        for all places q of the kernel and all g.

    The plan has shape (dim Y, dim X * number of cells): a weight of torch, (out, in, rows, columns), seen as
    ``weight.reshape(out, -1)``; copies come before components, components before cells. Axes and coordinates are those of
    :func:`grid`: x along columns, y up, z along the depth.

    *Exact*, where every generator sends cells to cells (quarter turns, reflections in axes and diagonals, the symmetries of the
    cube) and no Lie generator moves space: the plan is ``rc.plan(X * rc.grid(G, size, spatial=spatial) >> Y)``, and nothing
    is sampled. ``degree`` and ``rings`` are left out for it; giving one of them asks for sampled kernels here as well.

    *Sampled*, for all other groups (SO(2), C_8, O(3), scalings, GL(2), ...): with an exact basis of equivariant maps L,

        K(q) x = sum over rings j and degrees d of  w_j(r) L_jd(x (x) P_d(q)),        r the length of q,

    evaluated at the centres of the cells, in cells as units. Where ``spatial`` is orthogonal, P_d are the harmonic polynomials of
    degree d, and the windows w_j(r) = (1 - r^2 / R^2) exp(-(r - r_j)^2 / (2 s^2)), with s = 0.6 times the least distance between
    two rings (0.6 for a single one). Cells from R on, half of the smallest size, are zero. Where it is not orthogonal, no norm is
    invariant: there are no windows, and P_d are all polynomials of degree d.

    Such a K satisfies the equation for all of G as a function of the place, and its samples satisfy it for those g that send
    cells to cells (quarter turns, for SO(2)). For other g the convolution commutes up to the error of a sum over cells in place
    of an integral, which falls as kernel and image are sampled more finely. Measured for SO(2) and 5 x 5 cells, as the root mean
    square over kernels, angles and random waves of some 0.5 radian a cell, relative to the output: 0.01 from scalars to scalars,
    0.04 from scalars to vectors, 0.06 from vectors to vectors, 0.2 from scalars to frequency 2; the same kernels and images on
    10 x 10 cells 0.002, 0.007, 0.01, 0.04. High frequencies in few cells are the worst; ``degree`` leaves them out.

    Args:
        space: ``X >> Y``.
        size: cells in every direction, or the sizes in array order.
        spatial: how G moves space, a real representation with one coordinate for each direction. By default ``G.rep``.
            Translations are not part of G; the convolution brings them.
        degree: the highest degree. In a ring of radius r it is floor(2 r) by default, well below the pi r that its cells resolve
            at most, and an integer lowers that; a sequence gives it ring by ring. Without rings: by default the smallest size
            less one, up to which polynomials on the cells are independent.
        rings: the radii r_j, in cells. By default half of the smallest size less one, and inward from there in steps of one; the
            innermost comes first.

    Returns:
        A :class:`Plan` in canonical coordinates with an orthonormal basis. Sampled: its ``approximate`` says so; factor
        blocks only; sampled kernels that depend on others of lower degree, or of rings before, are left out; and the digest is
        made of those of the space and of ``spatial``, the size, the rings, the degrees and the version of this construction.

    Raises:
        DeclarationError: a size, degree or ring that is out of range.
        IncompatibleError: ``space`` is no space; ``rings`` where ``spatial`` is not orthogonal.
        RepresentationError: ``spatial`` belongs to another group, or is complex; or its signed permutations do not keep a box
            with unequal sizes.

    Cost: one exact solve for each pair of distinct summands and each degree, cached; then N r^2 operations for a pair with
    N = dim W * dim V * cells entries and r kernels.

    Sources: T. Cohen, M. Geiger and M. Weiler, A general theory of equivariant CNNs on homogeneous spaces (2019), for the
    equation; M. Weiler and G. Cesa, General E(2)-equivariant steerable CNNs (2019), for sampled circular harmonics in Gaussian
    rings, cut off by radius; M. Weiler et al., 3D steerable CNNs (2018).

    >>> import repcore as rc
    >>> one, V = rc.trivial(rc.dihedral(4)), rc.dihedral(4).rep
    >>> rc.kernels(8 * one >> 16 * V, 3).shape           # exact
    (32, 72)
    >>> one = rc.trivial(rc.SO(2))
    >>> plan = rc.kernels(one >> one, 5)                 # isotropic: one for each of the three rings
    >>> plan.dim, plan.shape
    (3, (1, 25))
    """
    if not isinstance(space, Hom):
        raise IncompatibleError(f"space: expected a space X >> Y, got {type(space).__name__}; write kernels(X >> Y, size)")
    rho = spatial_of(space.group, spatial)
    sizes = box_of(size, rho.dim, "size")
    if any(not m.field.is_real for m in rho.matrices):
        raise RepresentationError(f"spatial: {rho} is complex, and space is real; give a real representation of {space.group}")
    count = len(space.group.discrete)
    moves_cells = all(map(is_axis_permutation, rho.matrices[:count])) and all(a.is_zero for a in rho.matrices[count:])
    if moves_cells and degree is None and rings is None:
        return plan(space.domain * grid(space.group, sizes, spatial=rho) >> space.codomain)
    return make_kernel_plan(space, rho, sizes, _rings(rho, sizes, degree, rings), solve)


def _rings(rho: Rep, sizes: tuple[int, ...], degree: int | Sequence[int] | None, rings: Sequence[float] | None) -> list[Ring]:
    """The windows and degrees, checked, with what is left out filled in."""
    if not is_orthogonal(rho):
        if rings is not None:
            raise IncompatibleError(
                f"rings: {rho} does not keep lengths, so that it moves a ring to other radii; leave rings out, or declare the "
                "spatial representation in orthonormal coordinates"
            )
        return [Ring(None, min(sizes) - 1 if degree is None else _degree(degree))]
    outer = (min(sizes) - 1) / 2
    radii = [outer - j for j in range(floor(outer), -1, -1)] if rings is None else _radii(rings, min(sizes) / 2)
    if isinstance(degree, list | tuple):
        degrees = [_degree(d) for d in cast(Sequence[object], degree)]
        if len(degrees) != len(radii):
            raise DeclarationError(
                f"degree: {len(degrees)} degrees for {len(radii)} rings {radii}; give one for each, or an integer"
            )
        return [Ring(r, d) for r, d in zip(radii, degrees, strict=True)]
    highest = None if degree is None else _degree(degree)
    return [Ring(r, floor(2 * r) if highest is None else min(highest, floor(2 * r))) for r in radii]


def _degree(value: object) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or int(cast(int, value)) < 0:
        raise DeclarationError(f"degree: expected an integer >= 0, got {value!r}")
    return int(cast(int, value))


def _radii(given: object, largest: float) -> list[float]:
    values = list(cast(Sequence[Any], given)) if isinstance(given, list | tuple) else []
    if not values or not all(_is_radius(r, largest) for r in values):
        raise DeclarationError(f"rings: expected a list of radii from 0 to {largest}, half of the smallest size; got {given!r}")
    return [float(r) for r in values]


def _is_radius(r: Any, largest: float) -> bool:
    return isinstance(r, int | float | np.number) and not isinstance(r, bool) and 0 <= float(cast(float, r)) <= largest
