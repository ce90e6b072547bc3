"""The levels of any generators, from the singular value decomposition of the stacked constraint itself; small spaces only.

For generators that are not normal the singular values of M -> A M - M B do not factor: they are not |mu_i - lambda_j|, and the
singular vectors are no products. (A = [[0, 1], [0, 0]] has the eigenvalue 0 alone, and M -> A M - M A the singular values 0 and
sqrt 2, twice each.) So for groups that are not compact, and for representations that are not orthogonal, the constraint of each
pair of distinct summands is decomposed as it stands; copies stay factored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import MemoryLimitError, SolveError
from repcore.reps.atoms import atoms
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.soft.algebra import EPS, images, spanned
from repcore.soft.assemble import Raw, assemble
from repcore.soft.average import discrete_of
from repcore.soft.growth import Growth
from repcore.soft.spectral import Cells, SpectralBlock, SpectralPlan
from repcore.soft.tangent import span_of

__all__ = ["LIMIT", "Piece", "growth_of", "make_stacked"]

Array = npt.NDArray[Any]

# The largest number of maps between two distinct summands that is decomposed: 2,000 take about half a minute and 0.3 GB.
LIMIT = 2000

# Up to this dimension the sharper of two bounds on the logarithmic norm is computed: an eigenvalue of a matrix of its square.
_SMALL = 24


@dataclass(frozen=True, eq=False)
class Piece:
    """A summand with the positions (copies, dim) of its copies, in the coordinates ``change @ x``; None for x as it is."""

    rep: Rep
    positions: npt.NDArray[np.int64]
    change: Array | None = None


@dataclass(frozen=True, eq=False)
class _Action:
    """How a group acts on a distinct summand.

    Attributes:
        piece: the summand.
        lie: (rank, d, d) an orthonormal basis of the span of the Lie generators.
        discrete: the discrete generators but the identity.
        condition: how much a change of coordinates may have enlarged rounding.
    """

    piece: Piece
    lie: Array
    discrete: list[Array]
    condition: float = 1.0


def growth_of(space: Hom, *, is_orthogonal: bool, invariant: bool, domain: Sequence[Piece] | None = None) -> Growth:
    """What bounds on the defect need, without the arrays.

    Args:
        space: ``X >> Y``.
        is_orthogonal: whether X and Y are.
        invariant: whether the group keeps levels.
        domain: X in other coordinates; by default the distinct summands of X.

    The logarithmic norm of A is the largest eigenvalue of its Hermitian part, and |exp(A)|_2 <= exp of it (Dahlquist 1958).
    """
    ys, xs = _acting(space, domain)
    rates, factors = (0.0, 0.0), (1.0, 1.0)
    if not is_orthogonal:
        rates = (max(map(_rate, ys), default=0.0), max(map(_rate, xs), default=0.0))
        factors = (max(map(_factor, ys), default=1.0), max(map(_factor, xs), default=1.0))
    moving = any(not g.is_identity for g in space.group.discrete)
    has_lie = any(not a.is_zero for a in space.group.lie)
    none = np.zeros(0)
    farthest = discrete_of(space.group).farthest if is_orthogonal and not has_lie else 2.0
    return Growth(is_orthogonal, invariant, has_lie, moving, none, none, farthest, rates=rates, factors=factors)


def _acting(space: Hom, domain: Sequence[Piece] | None) -> tuple[list[_Action], list[_Action]]:
    """The action on the distinct summands of Y, in the order of ``atoms``, and on the pieces of X, by default such summands."""
    first = len(space.group.discrete)
    algebra = span_of(space)
    moving = [i for i, g in enumerate(space.group.discrete) if not g.is_identity]

    def action(piece: Piece) -> _Action:
        rep = piece.rep
        dense: list[Array] = [m.toarray() for m in images(rep)]
        condition = 1.0
        if piece.change is not None:
            # Columns of length 1 first: scales change nothing to the last digits, and would make the condition look bad.
            length = np.linalg.norm(piece.change, axis=0)
            change = piece.change / length
            condition = float(np.linalg.cond(change))
            dense = [np.linalg.solve(change.T, (change @ (m * np.divide.outer(length, length))).T).T for m in dense]
        lie = algebra.act(dense[first:]) if len(algebra.mix) else np.zeros((0, rep.dim, rep.dim))
        return _Action(piece, lie, [dense[i] for i in moving], condition)

    xs = [Piece(a.rep, a.positions) for a in atoms(space.domain)] if domain is None else domain
    return [action(Piece(a.rep, a.positions)) for a in atoms(space.codomain)], [action(x) for x in xs]


def _rate(action: _Action) -> float:
    """A bound on the logarithmic norm of sum_a t_a A_a over all unit vectors t.

    With S_a the Hermitian parts it is at most the root of the largest value of sum_a (x^H S_a x)^2 over unit vectors x. That is
    x (x) x against sum_a S_a (x) S_a, and each term is at most x^H S_a^2 x.
    """
    if not len(action.lie):
        return 0.0
    s = (action.lie + action.lie.conj().swapaxes(1, 2)) / 2
    d = s.shape[1]
    found = spanned(np.einsum("aij,ajk->ik", s, s))
    if len(s) > 1 and d <= _SMALL:
        pairs = np.einsum("aij,akl->ikjl", s, s).reshape(d * d, d * d)
        # x (x) x is symmetric, so that the antisymmetric part plays no role.
        swap: npt.NDArray[np.int64] = np.arange(d * d, dtype=np.int64).reshape(d, d).T.ravel()
        pairs = (pairs + pairs[swap]) / 2
        found = min(found, max(float(np.linalg.eigvalsh((pairs + pairs.conj().T) / 2)[-1]), 0.0))
    return sqrt(found) * (1 + 64 * EPS * d)


def _factor(action: _Action) -> float:
    """The largest spectral norm of a discrete generator or its inverse, at least 1."""
    return max([1.0, *(spanned(x) for g in action.discrete for x in (g, np.linalg.inv(g)))])


def make_stacked(space: Hom, growth: Growth, dim: int, domain: Sequence[Piece] | None = None) -> SpectralPlan:
    """The plan from the singular values of the stacked constraint of each pair of distinct summands.

    Args:
        space: ``X >> Y``.
        growth: see there; its arrays are filled in.
        dim: the exact dimension of the equivariant maps, against which the zero level is checked.
        domain: X in other coordinates, in pieces that cover it; by default the distinct summands of X.

    Raises:
        MemoryLimitError: a pair of summands with more than ``LIMIT`` maps between them.
        SolveError: another number of singular values vanishes in float64.

    Cost: for a pair of dimensions n and m O(generators (n m)^3).
    """
    ys, xs = _acting(space, domain)
    raw = Raw()
    blocks: list[SpectralBlock] = []
    for on_y in ys:
        for on_x in xs:
            y, x = on_y.piece, on_x.piece
            n, m = y.rep.dim, x.rep.dim
            if n * m > LIMIT:
                raise MemoryLimitError(
                    f"space: there are {n * m} maps {x.rep} >> {y.rep}, and generators that are not normal need a singular value "
                    f"decomposition of that size; at most {LIMIT}. Split the representations into summands, or use a group with "
                    "one normal generator or a compact one, which need none"
                )
            values, q, lie, error = _decomposed(on_y, on_x)
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
    is_complex = any(np.iscomplexobj(m) for a in (*ys, *xs) for m in (a.lie, *a.discrete))
    plan = assemble(space, raw, blocks, "stacked", growth, is_complex=is_complex)
    if plan.strict != dim:
        raise SolveError(
            f"space: {space} has {dim} equivariant maps, and {plan.strict} vanishing singular values in float64; the "
            "representations are too ill-conditioned"
        )
    return plan


def _decomposed(on_y: _Action, on_x: _Action) -> tuple[Array, Array, Array, float]:
    """Ascending singular values, right singular vectors v as columns, ||L_lie v||^2, and a bound on the rounding of values."""
    n, m = on_y.piece.rep.dim, on_x.piece.rep.dim
    smooth = [_constraint(a, b) for a, b in zip(on_y.lie, on_x.lie, strict=True)]
    stack = [*smooth, *(_constraint(a, b) for a, b in zip(on_y.discrete, on_x.discrete, strict=True))]
    if not stack:
        return np.zeros(n * m), np.eye(n * m), np.zeros(n * m), 0.0
    # The triangular factor has the same singular values and right vectors.
    _, s, vh = np.linalg.svd(np.linalg.qr(np.concatenate(stack), mode="r"))
    q: Array = np.ascontiguousarray(vh.conj().T[:, ::-1])
    lie = np.zeros(n * m)
    for x in smooth:
        lie += np.linalg.norm(x @ q, axis=0) ** 2
    return s[::-1], q, lie, 64 * EPS * n * m * float(s[0]) * on_x.condition


def _constraint(a: Array, b: Array) -> Array:
    """M -> a M - M b on row-major vectors."""
    return np.kron(a, np.eye(len(b))) - np.kron(np.eye(len(a)), b.T)
