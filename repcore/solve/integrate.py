"""Reduction ``integrate``: exact group elements from Lie generators.

For A with A^3 = -A (a rotation generator) exp(t A) = 1 + sin(t) A + (1 - cos t) A^2, which at t = pi/2 is the exact matrix
1 + A + A^2. It lies in the group, so a map that commutes with A commutes with it; in a standard basis it is a signed
permutation and feeds ``orbits``.
"""

from __future__ import annotations

from repcore.exact.matrix import Matrix, identity, inverse
from repcore.reps.custom import Custom
from repcore.reps.tree import Quotient, Rep

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
    """Lie generators, one from each class under B = +-g A g^-1 with monomial g.

    A map that commutes with every g and with A commutes with g A g^-1, so one generator of a class is enough.
    """
    parent = list(range(len(lie)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    index: dict[Matrix, int] = {}
    for i, a in enumerate(lie):
        index[a] = i
        index[-a] = i
    for g in elements:
        if len({root(i) for i in range(len(lie))}) == 1:
            break
        back = inverse(g)
        for i, a in enumerate(lie):
            j = index.get(g @ a @ back)
            if j is not None:
                x, y = sorted((root(i), root(j)))
                parent[y] = x
    return [i for i in range(len(lie)) if root(i) == i]
