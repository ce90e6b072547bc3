"""Reduction ``integrate``: exact group elements from Lie generators.

For A with A^3 = -A (a rotation generator) exp(t A) = 1 + sin(t) A + (1 - cos t) A^2, which at t = pi/2 is the exact matrix
1 + A + A^2. It lies in the group, so a map that commutes with A commutes with it; in a standard basis it is a signed
permutation and feeds ``orbits``.
"""

from __future__ import annotations

import numpy as np

from repcore.exact.matrix import Matrix, from_coo, identity, inverse
from repcore.reps.cosets import Quotient
from repcore.reps.custom import Custom
from repcore.reps.tree import Rep

__all__ = ["conjugacy_representatives", "is_functorial", "quarter_turn"]


def quarter_turn(a: Matrix) -> Matrix | None:
    """exp(pi/2 A) = 1 + A + A^2 if A^3 = -A and the result is monomial, else None."""
    square = a @ a
    if a.is_zero or square @ a != -a:
        return None
    turn = identity(a.shape[0]) + a + square
    return turn if turn.is_monomial else None


def is_functorial(rep: Rep) -> bool:
    """Whether the expression is built from the defining representation alone, so that any element of the group acts."""
    if isinstance(rep, Custom | Quotient):
        return False
    inner = [getattr(rep, "rep", None), *getattr(rep, "factors", ()), *(v for _, v in getattr(rep, "terms", ()))]
    return all(is_functorial(v) for v in inner if isinstance(v, Rep))


def conjugacy_representatives(lie: tuple[Matrix, ...], elements: list[Matrix]) -> list[int]:
    """Lie generators, one from each class under B = +-g A g^-1 with monomial g in the group.

    A map that commutes with every g and with A commutes with g A g^-1, so one generator of a class is enough.
    """
    index: dict[Matrix, int] = {}
    for i, a in reversed(list(enumerate(lie))):
        index[a] = i
        index[-a] = i
    pairs = [(g, inverse(g)) for g in elements]
    left = set(range(len(lie)))
    chosen: list[int] = []
    for i, a in enumerate(lie):
        if i not in left:
            continue
        chosen.append(i)
        left.discard(i)
        reached = [a]
        while reached and left:
            b = reached.pop()
            for g, back in pairs:
                j = index.get(_conjugate(g, b, back))
                if j in left:
                    left.discard(j)
                    reached.append(lie[j])
        # Equal or opposite generators share one entry of the index.
        left -= {j for j in left if index[lie[j]] not in left}
    return chosen


def _conjugate(g: Matrix, a: Matrix, back: Matrix) -> Matrix:
    """g a g^-1; a relabelling where g is a signed permutation."""
    if not (g.is_integral and g.is_monomial and bool(np.all(np.abs(g.nums[:, 0]) == 1))):
        return g @ a @ back
    columns = g.T
    sign = columns.nums[:, 0]
    nums = a.nums * (sign[a.rows] * sign[a.cols])[:, None]
    return from_coo(a.shape, a.field, columns.cols[a.rows], columns.cols[a.cols], nums, a.den)
