"""The levels of any generators, from the singular value decomposition of the stacked constraint itself; small spaces only.

For generators that are not normal the singular values of M -> A M - M B do not factor: they are not |mu_i - lambda_j|, and the
singular vectors are no products. (A = [[0, 1], [0, 0]] has the eigenvalue 0 alone, and A M - M A the singular values 0, 1 and
sqrt 2.) So for groups that are not compact, and for representations that are not orthogonal, the constraint of each pair of distinct
summands is decomposed as it stands; copies stay factored.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import MemoryLimitError, SolveError
from repcore.reps.atoms import atoms
from repcore.reps.hom import Hom
from repcore.soft.algebra import EPS, images, make_algebra
from repcore.soft.assemble import Raw, assemble
from repcore.soft.growth import Growth
from repcore.soft.spectral import Cells, SpectralBlock, SpectralPlan

__all__ = ["LIMIT", "acting", "growth_of", "make_stacked"]

Array = npt.NDArray[Any]

# The largest number of maps between two distinct summands that is decomposed: 2,000 take about half a minute and 0.3 GB.
LIMIT = 2000


def acting(space: Hom) -> tuple[list[Array], list[Array]]:
    """How to act: for Y and X, summand by summand, (generators, d, d), with an orthonormal basis of the span of the Lie generators first.

    Returns:
        One list for Y and one for X, each with an array for every distinct summand; the Lie part has ``_rank(space)`` entries.
    """
    first = len(space.group.discrete)
    algebra = _span(space)
    moving = [i for i, g in enumerate(space.group.discrete) if not g.is_identity]
    out: list[list[Array]] = []
    for rep in (space.codomain, space.domain):
        side: list[Array] = []
        for a in atoms(rep):
            dense = [m.toarray() for m in images(a.rep)]
            lie = algebra.act(dense[first:]) if len(algebra.mix) else np.zeros((0, a.rep.dim, a.rep.dim))
            side.append(np.stack([*lie, *(dense[i] for i in moving)]) if len(lie) + len(moving) else lie)
        out.append(side)
    return out[0], out[1]


def _span(space: Hom) -> Any:
    first = len(space.group.discrete)
    return make_algebra([m.toarray() for m in images(space.group.rep)[first:]], close=False)


def growth_of(space: Hom, *, is_orthogonal: bool, invariant: bool) -> Growth:
    """What bounds on the defect need, without the arrays.

    The logarithmic norm of A is the largest eigenvalue of its Hermitian part S, and |exp(A)|_2 <= exp of it (Dahlquist 1958). For
    a unit vector t that of sum_a t_a A_a is at most sqrt(|sum_a S_a^2|_2), since (x^H S x)^2 <= x^H S^2 x.
    """
    ys, xs = acting(space)
    rank = len(_span(space).mix)
    rates, factors = (
        [max((f(a) for a in side), default=low) for side in (ys, xs)] for f, low in ((_rate(rank), 0.0), (_factor(rank), 1.0))
    )
    if is_orthogonal:
        rates, factors = [0.0, 0.0], [1.0, 1.0]
    none = np.zeros(0)
    moving = any(not g.is_identity for g in space.group.discrete)
    return Growth(
        is_orthogonal, invariant, rank > 0, moving, none, none, rates=(rates[0], rates[1]), factors=(factors[0], factors[1])
    )


def _rate(rank: int) -> Any:
    def rate(a: Array) -> float:
        s = (a[:rank] + a[:rank].conj().swapaxes(1, 2)) / 2
        return sqrt(float(np.linalg.norm(np.einsum("aij,ajk->ik", s, s), 2))) if rank else 0.0

    return rate


def _factor(rank: int) -> Any:
    def factor(a: Array) -> float:
        return max(
            [
                1.0,
                *(float(np.linalg.norm(g, 2)) for g in a[rank:]),
                *(float(np.linalg.norm(np.linalg.inv(g), 2)) for g in a[rank:]),
            ]
        )

    return factor


def make_stacked(space: Hom, growth: Growth, dim: int) -> SpectralPlan:
    """The plan from the singular values of the stacked constraint of each pair of distinct summands.

    Args:
        space: ``X >> Y``.
        growth: see there; its arrays are filled in.
        dim: the exact dimension of the equivariant maps, against which the zero level is checked.

    Raises:
        MemoryLimitError: a pair of summands with more than ``LIMIT`` maps between them.
        SolveError: another number of singular values vanishes in float64.

    Cost: for a pair of dimensions n and m O(generators (n m)^3).
    """
    ys, xs = acting(space)
    rank = len(_span(space).mix)
    raw, blocks = Raw(), []
    for y, on_y in zip(atoms(space.codomain), ys, strict=True):
        for x, on_x in zip(atoms(space.domain), xs, strict=True):
            n, m = y.rep.dim, x.rep.dim
            if n * m > LIMIT:
                raise MemoryLimitError(
                    f"space: there are {n * m} maps {x.rep} >> {y.rep}, and generators that are not normal need a singular value "
                    f"decomposition of that size; at most {LIMIT}. Split the representations into summands, or use a group with "
                    "one normal generator or a compact one, which need none"
                )
            values, q, lie, error = _decomposed(on_y, on_x, rank)
            ids = np.empty(n * m, np.int64)
            parts = np.split(np.arange(n * m), 1 + np.flatnonzero(np.diff(values) > 2 * error))
            for part in parts:
                value = float(values[part].mean())
                if values[part[0]] <= error:
                    ids[part] = raw.add(0.0, 0.0, 0.0, 0.0)
                else:
                    ids[part] = raw.add(value, error, float(lie[part].max()), min(value, 2.0))
            cells = Cells(np.arange(n * m).reshape(1, 1, -1), q[None], ids[None])
            blocks.append(SpectralBlock(y.positions, x.positions, None, None, np.full((n, m), -1, np.int64), (cells,)))
    is_complex = any(np.iscomplexobj(a) for a in (*ys, *xs))
    plan = assemble(space, raw, blocks, "stacked", growth, is_complex=is_complex)
    if plan.strict != dim:
        raise SolveError(
            f"space: {space} has {dim} equivariant maps, and {plan.strict} vanishing singular values in float64; the "
            "representations are too ill-conditioned"
        )
    return plan


def _decomposed(on_y: Array, on_x: Array, rank: int) -> tuple[Array, Array, Array, float]:
    """Ascending singular values, right singular vectors v as columns, ||L_lie v||^2, and a bound on the rounding of the values."""
    n, m = on_y.shape[-1], on_x.shape[-1]
    stack = [np.kron(a, np.eye(m)) - np.kron(np.eye(n), b.T) for a, b in zip(on_y, on_x, strict=True)]
    if not stack:
        return np.zeros(n * m), np.eye(n * m), np.zeros(n * m), 0.0
    whole = np.concatenate(stack)
    # The triangular factor has the same singular values and right vectors.
    _, s, vh = np.linalg.svd(np.linalg.qr(whole, mode="r"))
    q = vh.conj().T[:, ::-1]
    lie = sum((np.linalg.norm(a @ q, axis=0) ** 2 for a in stack[:rank]), np.zeros(n * m))
    return s[::-1], np.ascontiguousarray(q), np.asarray(lie), 64 * EPS * n * m * float(s[0])
