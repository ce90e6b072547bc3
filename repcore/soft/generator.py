"""The levels of one normal generator: two decompositions of matrices, and nothing of the size of the space of maps.

With A_Y = U diag(mu) U^H and A_X = V diag(lambda) V^H normal, M -> A_Y M - M A_X is normal in the Frobenius product, with the
eigenvectors u_i v_j^H and the eigenvalues mu_i - lambda_j. Its singular values are their moduli. Real matrices stay real: a
real Schur form has blocks [[a, -w], [w, a]], and the maps between two of them are spanned by 1 and J, which commute with J and
have the value |mu - lambda|, and by two reflections, which anticommute with it and have the value |mu - conj lambda|.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm, sqrt
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from repcore.decompose.form import adjoint, diagonal
from repcore.errors import SolveError
from repcore.exact.field import QQ
from repcore.exact.matrix import Matrix, identity, inverse
from repcore.reps.atoms import atoms
from repcore.reps.hom import Hom
from repcore.reps.scales import scale_squares
from repcore.reps.tree import Rep
from repcore.soft.algebra import EPS, images
from repcore.soft.assemble import Raw, assemble
from repcore.soft.growth import Growth
from repcore.soft.spectral import Cells, SpectralBlock, SpectralPlan

__all__ = ["exact_dimension", "make_generator", "one_normal_generator"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# The maps between two blocks [[a, -w], [w, a]], row-major: 1 and J, which turn alike, and the two reflections.
_TURNS = np.array([[1, 0, 1, 0], [0, -1, 0, 1], [0, 1, 0, 1], [1, 0, -1, 0]]) / sqrt(2)


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """A normal matrix as U T U^H: ``values`` (n,) the eigenvalues; ``pairs`` where a block of two rows begins, real only."""

    change: Array
    values: Array
    pairs: Ints
    error: float


def one_normal_generator(space: Hom) -> int | None:
    """The number of the only generator that does anything, if there is one and it is normal on X and Y, exactly; else None."""
    group = space.group
    moving = [i for i, g in enumerate(group.discrete) if not g.is_identity]
    moving += [len(group.discrete) + k for k, a in enumerate(group.lie) if not a.is_zero]
    if len(moving) != 1:
        return None
    return moving[0] if all(_is_normal(a.rep, moving[0]) for x in (space.domain, space.codomain) for a in atoms(x)) else None


def exact_dimension(space: Hom, generator: int) -> int | None:
    """The dimension of Hom(X, Y) where one generator does everything and is normal, by characteristic polynomials over Q.

    A normal matrix is diagonalisable, so that A_Y M = M A_X has the sum of m_Y(z) m_X(z) over all eigenvalues z for a dimension,
    m the multiplicities. With p = product of p_i^i and q = product of q_j^j, the p_i and q_j without multiple roots, that is the
    sum of i j deg gcd(p_i, q_j): greatest common divisors over Q, so that no eigenvalue is computed, and the answer is proved.

    Returns:
        The dimension; None where the entries are not rational.

    Cost: a characteristic polynomial of each distinct summand, 0.15 s for a stencil of 196 cells and 0.8 s for 256.
    """
    ys, xs = atoms(space.codomain), atoms(space.domain)
    images_of = {a.rep: a.rep.matrices[generator] for a in (*ys, *xs)}
    if any(m.field != QQ for m in images_of.values()):
        return None
    den = lcm(*(m.den for m in images_of.values()))
    parts = {rep: _by_multiplicity(m, den) for rep, m in images_of.items()}
    total = 0
    for y in ys:
        for x in xs:
            common = sum(i * j * p.gcd(q).degree() for p, i in parts[y.rep] for q, j in parts[x.rep])
            total += len(y.positions) * len(x.positions) * common
    return total


def make_generator(space: Hom, generator: int, growth: Growth, length: float, dim: int) -> SpectralPlan:
    """The plan for one normal generator.

    Args:
        space: ``X >> Y``.
        generator: its number.
        growth: see there; its arrays are filled in.
        length: its norm, by which it is divided.
        dim: the exact dimension of the equivariant maps, against which the zero level is checked.

    Raises:
        SolveError: another number of singular values vanishes in float64.

    Cost: O(n^3) for each distinct summand of X and Y.
    """
    found: dict[Rep, _Spectrum] = {}
    for a in (*atoms(space.codomain), *atoms(space.domain)):
        if a.rep not in found:
            found[a.rep] = _spectrum(images(a.rep)[generator].toarray() / length)
    is_complex = any(np.iscomplexobj(s.change) for s in found.values())
    raw = Raw()
    blocks: list[SpectralBlock] = []
    is_lie = generator >= len(space.group.discrete)
    for y in atoms(space.codomain):
        for x in atoms(space.domain):
            blocks.append(_block(y.positions, x.positions, found[y.rep], found[x.rep], raw, is_lie=is_lie))
    plan = assemble(space, raw, blocks, "generator", growth, is_complex=is_complex)
    if plan.strict != dim:
        raise SolveError(
            f"space: {space} has {dim} equivariant maps, and {plan.strict} vanishing singular values in float64; the generator "
            "has eigenvalues that are too close"
        )
    return plan


def _by_multiplicity(m: Matrix, den: int) -> list[tuple[Any, int]]:
    """The characteristic polynomial of den * m, an integral matrix, as powers of polynomials without multiple roots."""
    entries = flint.fmpz_mat(*m.shape)
    for i, j, num in zip(m.rows.tolist(), m.cols.tolist(), m.nums[:, 0].tolist(), strict=True):
        entries[i, j] = int(num) * (den // m.den)
    p: Any = entries.charpoly()
    # Yun's way: what p and its derivative share has each root once less.
    rest = p.gcd(p.derivative())
    w = p // rest
    out: list[tuple[Any, int]] = []
    while w.degree() > 0:
        common = w.gcd(rest)
        out.append((w // common, len(out) + 1))
        w, rest = common, rest // common
    return out


def _is_normal(rep: Rep, generator: int) -> bool:
    squares = scale_squares(rep)
    gram = identity(rep.dim) if squares is None else diagonal(squares.tolist())
    m = rep.matrices[generator]
    h = adjoint(m, gram, gram if gram.is_identity else inverse(gram))
    return (m @ h - h @ m).is_zero


def _spectrum(a: Array) -> _Spectrum:
    from scipy import linalg

    n = len(a)
    scale = float(np.linalg.norm(a, 2)) if n else 0.0
    error = 64 * EPS * n * max(scale, EPS)
    if np.array_equal(a, a.conj().T):
        values, u = np.linalg.eigh(a)
        return _Spectrum(u, values, np.zeros(0, np.int64), error)
    schur: Any = linalg.schur
    t, u = schur(a, output="complex" if np.iscomplexobj(a) else "real")
    values = np.diag(t).astype(np.complex128)
    if np.iscomplexobj(a):
        return _Spectrum(u, values, np.zeros(0, np.int64), error)
    begin = np.flatnonzero(np.abs(np.diag(t, -1)) > error)
    for i in begin.tolist():
        w = sqrt(abs(t[i, i + 1] * t[i + 1, i]))
        if t[i + 1, i] < 0:
            u[:, i + 1] *= -1
        middle = (t[i, i] + t[i + 1, i + 1]) / 2
        values[i], values[i + 1] = middle + 1j * w, middle - 1j * w
    return _Spectrum(u, values, begin, error)


def _block(rows: Ints, cols: Ints, left: _Spectrum, right: _Spectrum, raw: Raw, *, is_lie: bool) -> SpectralBlock:
    error = left.error + right.error
    apart = np.abs(left.values[:, None] - right.values[None, :])
    shape = apart.shape
    # Values that are equal to rounding, counted once.
    order = np.argsort(apart, axis=None, kind="stable")
    flat = apart.ravel()[order]
    first = np.concatenate([[True], np.diff(flat) > 2 * error])
    groups = np.cumsum(first) - 1
    means = np.bincount(groups, flat) / np.bincount(groups)
    number = np.array([_add(raw, value, error, is_lie=is_lie) for value in means.tolist()], np.int64)
    ids = np.empty(shape, np.int64)
    ids.ravel()[order] = number[groups]
    cells: tuple[Cells, ...] = ()
    if len(left.pairs) and len(right.pairs):
        i, j = (p.ravel() for p in np.meshgrid(left.pairs, right.pairs, indexing="ij"))
        corner = i * shape[1] + j
        at = np.stack([corner, corner + 1, corner + shape[1], corner + shape[1] + 1], -1)[:, None, :]
        alike, opposite = ids[i, j], ids[i, j + 1]
        q = _TURNS[None]
        found = np.stack([alike, alike, opposite, opposite], -1)
        ids.ravel()[at] = -1
        cells = (Cells(at, q, found),)
    return SpectralBlock(rows, cols, left.change, right.change, ids, cells)


def _add(raw: Raw, value: float, error: float, *, is_lie: bool) -> int:
    if value <= error:
        return raw.add(0.0, 0.0, 0.0, 0.0)
    return raw.add(value, error, value**2 if is_lie else 0.0, 0.0 if is_lie else value)
