"""Plans of sampled convolution kernels: smooth equivariant functions of the place, evaluated at the centres of cells.

A kernel is a function K of the place q whose values are maps X -> Y. With P(q) a vector of polynomials that is equivariant,
P(g q) = rho_P(g) P(q), and L an equivariant map X (x) P -> Y, the function

    K(q) x = w(|q|) L(x (x) P(q))        has        K(g q) rho_X(g) = rho_Y(g) K(q)

for any window w, the norm being invariant; and these are all, up to the choice of windows and degrees. L is exact. What is
approximate is only that K is then known at the cells alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import factorial, prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.basis import EquivariantBasis
from repcore.plan.plan import Block, Plan
from repcore.plan.structures import Factor, frozen
from repcore.reps.atoms import Atom, atoms
from repcore.reps.cells import twice_centres
from repcore.reps.harmonic_powers import harmonic_power
from repcore.reps.hom import Hom
from repcore.reps.powers import index_tuples
from repcore.reps.scales import scales
from repcore.reps.tree import Rep, trivial

__all__ = ["Ring", "make_kernel_plan", "sampled_on"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

# Part of the digest: the polynomials, the windows, the mask and the order of theta.
FORMAT = "repcore-kernels-1"

_WIDTH = 0.6  # of the windows, in distances between rings: neighbours overlap, so that no cell is left between them


@dataclass(frozen=True)
class Ring:
    """A window around a radius, in cells, and the highest degree of the polynomials in it; no window for None."""

    radius: float | None
    degree: int


@dataclass(frozen=True)
class _Polynomials:
    """P of one degree: how the group acts, values at the cells (dim P, cells), and the sums of the moduli of their terms."""

    rep: Rep
    values: Floats
    moduli: Floats


def make_kernel_plan(
    space: Hom, spatial: Rep, sizes: tuple[int, ...], rings: Sequence[Ring], solve: Callable[[Hom], EquivariantBasis]
) -> Plan:
    """The plan of kernels X -> Y on a box of cells, a factor block for each pair of distinct summands.

    Theta runs over the pairs, summands of Y first, then over copies in Y, copies in X, and an orthonormal basis for one pair of
    copies: the sampled kernels by degree, then ring, then element of the canonical basis of maps, made orthonormal in this order
    by Gram and Schmidt, positive on the diagonal. A kernel that depends on those before it is left out.

    Args:
        space: ``X >> Y``.
        spatial: how the group moves space, one coordinate for each direction; orthogonal where rings have windows.
        sizes: of the box, in array order.
        rings: windows and degrees.
        solve: gives the basis of a space.
    """
    windowed = any(ring.radius is not None for ring in rings)
    centres = twice_centres(sizes) / 2
    windows = _windows(centres, sizes, rings)
    degrees = range(max(ring.degree for ring in rings) + 1)
    polynomials = [_polynomials(spatial, d, centres, windowed) for d in degrees]
    blocks: list[Block] = []
    start = 0
    cells = prod(sizes)
    for w in atoms(space.codomain):
        for v in atoms(space.domain):
            columns, bounds = _sampled(v, w, polynomials, windows, rings, solve)
            q = _independent(columns, bounds)
            if not q.shape[1]:
                continue
            n, m, k = len(w.positions), len(v.positions), q.shape[1]
            order = np.arange(start, start + n * m * k, dtype=np.int64).reshape(n, m, k)
            start += n * m * k
            cols = (v.positions[:, :, None] * cells + np.arange(cells)).reshape(m, -1)
            blocks.append(Block(w.positions, frozen(cols), frozen(order), Factor(frozen(q))))
    is_complex = any(not m.field.is_real for x in (space.domain, space.codomain) for a in atoms(x) for m in a.rep.matrices)
    shown = [(ring.radius, ring.degree) for ring in rings]
    digest = hashlib.sha256(repr((FORMAT, space.digest, spatial.digest, sizes, shown)).encode()).hexdigest()
    shape = (space.shape[0], space.shape[1] * cells)
    return Plan(shape, start, tuple(blocks), digest, is_complex, approximate=sampled_on(sizes))


def sampled_on(sizes: tuple[int, ...]) -> str:
    """What :attr:`Plan.approximate` says of kernels that are samples of functions."""
    return (
        f"sampled on {' x '.join(map(str, sizes))} cells: convolutions commute with elements that send cells to cells, and with "
        "others up to the error of a sum over cells in place of an integral"
    )


def _windows(centres: Floats, sizes: tuple[int, ...], rings: Sequence[Ring]) -> list[Floats]:
    """w_j(r) = (1 - r^2 / R^2) exp(-(r - r_j)^2 / (2 s^2)) at the cells, zero from R on, half of the smallest size.

    So the kernel is continuous, and lives in the ball that fits into the box, where no direction is preferred. s is 0.6 times the
    least distance between two rings, so that rings at n times the radii in n times the cells are the same function.
    """
    radii = sorted({ring.radius for ring in rings if ring.radius is not None})
    width = _WIDTH * min((b - a for a, b in pairwise(radii)), default=1.0)
    square = np.sum(centres**2, axis=0)
    radius = np.sqrt(square)
    taper = np.maximum(1 - 4 * square / min(sizes) ** 2, 0)
    return [
        np.ones(len(radius)) if ring.radius is None else taper * np.exp(-((radius - ring.radius) ** 2) / (2 * width**2))
        for ring in rings
    ]


def _polynomials(spatial: Rep, degree: int, centres: Floats, harmonic: bool) -> _Polynomials | None:
    """The harmonic polynomials of a degree at the cells, or all of them; None where there are none."""
    if degree == 0:
        ones = np.ones((1, centres.shape[1]))
        return _Polynomials(trivial(spatial.group), ones, ones)
    tuples = index_tuples(spatial.dim, degree, signed=False)
    if harmonic:
        found = harmonic_power(spatial, degree)
        if found is None:
            return None
        rep, h = found
        # Its coordinates are those of the exact matrices.
        powers = np.prod((centres / scales(spatial)[:, None])[tuples], axis=1)
        coefficients = h.to_numpy(np.float64)
        return _Polynomials(rep, coefficients @ powers, np.abs(coefficients) @ np.abs(powers))
    # The vector q^d in Sym^d has the coordinates d!/a! q^a.
    counts = np.array([factorial(degree) / prod(map(factorial, _repeats(t))) for t in tuples.tolist()])
    values = counts[:, None] * np.prod(centres[tuples], axis=1)
    return _Polynomials(spatial.sym(degree), values, np.abs(values))


def _repeats(indices: Sequence[int]) -> Sequence[int]:
    return list(Counter(indices).values())


def _sampled(
    v: Atom,
    w: Atom,
    polynomials: Sequence[_Polynomials | None],
    windows: Sequence[Floats],
    rings: Sequence[Ring],
    solve: Callable[[Hom], EquivariantBasis],
) -> tuple[Array, Floats]:
    """The kernels between one copy of v and one of w as rows (number, dim w * dim v * cells), and the sums of moduli likewise."""
    cells = len(windows[0])
    found: list[Array] = []
    moduli: list[Floats] = []
    for d, p in enumerate(polynomials):
        if p is None:
            continue
        basis = solve(v.rep * p.rep >> w.rep)
        if not basis.dim:
            continue
        maps = basis.to_numpy().reshape(basis.dim, w.rep.dim * v.rep.dim, p.rep.dim)
        for window, ring in zip(windows, rings, strict=True):
            if d <= ring.degree:
                found.append((maps @ (p.values * window)).reshape(basis.dim, -1))
                moduli.append((np.abs(maps) @ (p.moduli * window)).reshape(basis.dim, -1))
    none = np.zeros((0, w.rep.dim * v.rep.dim * cells))
    return np.concatenate([none, *found]), np.concatenate([none, *moduli])


def _independent(rows: Array, moduli: Floats) -> Array:
    """An orthonormal basis of the span of rows (k, N), as columns (N, r): Gram and Schmidt in their order, each row twice.

    The second pass makes it orthogonal to rounding (Giraud, Langou, Rozloznik, van den Eshof 2005: twice is enough). A row is
    left out when what the rows before it leave of it is below sqrt(eps) times the sum of the moduli of its terms: half of the
    digits of what is left would be rounding.
    """
    least = sqrt(np.finfo(np.float64).eps)
    out = np.zeros((rows.shape[1], rows.shape[0]), rows.dtype, order="F")
    rank = 0
    for row, bound in zip(rows, np.linalg.norm(moduli, axis=1), strict=True):
        known = out[:, :rank]
        rest = row
        for _ in range(2):
            rest = rest - known @ (known.conj().T @ rest)
        size = np.linalg.norm(rest)
        if size > least * bound:
            out[:, rank] = rest / size
            rank += 1
    return np.ascontiguousarray(out[:, :rank])
