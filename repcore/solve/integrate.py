"""Reduction ``integrate``: exact group elements from Lie generators.

For A with A^3 = -A (a rotation generator) exp(t A) = 1 + sin(t) A + (1 - cos t) A^2, which at t = pi/2 is the exact matrix
1 + A + A^2. It lies in the group, so a map that commutes with A commutes with it; in a standard basis it is a signed
permutation and feeds ``orbits``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import lcm

import numpy as np
import numpy.typing as npt

from repcore.exact.field import QQ, compositum
from repcore.exact.matrix import Matrix, identity
from repcore.reps.cosets import Quotient
from repcore.reps.custom import Custom
from repcore.reps.tree import Rep
from repcore.solve.components import components

__all__ = ["is_functorial", "quarter_turn", "quarter_turns"]

Ints = npt.NDArray[np.int64]


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


def quarter_turns(
    lie: tuple[Matrix, ...], given: list[Matrix], usable: Callable[[Matrix], bool]
) -> tuple[list[Matrix], list[int]]:
    """Enough quarter turns to generate all of them together with ``given``, and one Lie generator from each class.

    A class holds the generators that are conjugate, B = +-g A g^-1, by signed permutations g among ``given`` and the turns. A map
    that commutes with every g and with A commutes with B, so one generator of a class is enough; and exp(pi/2 B) is then a
    product of known elements, so one turn of a class is enough. ``usable`` says whether a turn is wanted.

    A class is found by fingerprints of the generators. A collision could only drop a generator that is needed, which the exact
    check of the solution finds out.
    """
    count = len(lie)
    prints = _Fingerprints(lie)
    sources: list[Ints] = []
    targets: list[Ints] = []
    label = np.arange(count)

    def join(g: Matrix) -> Ints:
        to = prints.conjugated(g)
        known = np.flatnonzero(to >= 0)
        sources.append(known)
        targets.append(to[known])
        return components(count, np.concatenate(sources), np.concatenate(targets))

    for g in given:
        label = join(g)
    turned: list[int] = []
    turns: list[Matrix] = []
    for i, a in enumerate(lie):
        if any(label[i] == label[j] for j in turned):
            continue
        g = quarter_turn(a)
        if g is not None and usable(g):
            turned.append(i)
            turns.append(g)
            label = join(g)
    first: dict[int, int] = {}
    for i, k in enumerate(label.tolist()):
        first.setdefault(k, i)
    return turns, sorted(first.values())


class _Fingerprints:
    """One 64-bit number for each generator, sum h[row, col] * coefficient, quick to follow through a relabelling of the basis."""

    def __init__(self, lie: tuple[Matrix, ...]) -> None:
        n = lie[0].shape[0] if lie else 0
        field = compositum(*{a.field for a in lie}) if lie else QQ
        lie = tuple(a.over(field) for a in lie)
        rng = np.random.default_rng(n)
        self._h = rng.integers(1, 2**62, (n, n, field.degree))
        self._rows = np.concatenate([a.rows for a in lie]) if lie else np.zeros(0, np.int64)
        self._cols = np.concatenate([a.cols for a in lie]) if lie else np.zeros(0, np.int64)
        # Everything is modulo 2**64, where negation is still negation.
        den = lcm(*(a.den for a in lie))
        parts = [((a.nums.astype(object) * (den // a.den) + 2**63) % 2**64 - 2**63).astype(np.int64) for a in lie]
        self._nums = np.concatenate(parts) if lie else np.zeros((0, field.degree), np.int64)
        self._of = np.repeat(np.arange(len(lie)), [a.nnz for a in lie])
        self._count = len(lie)
        ones = np.ones(n, np.int64)
        self._index: dict[int, int] = {}
        # Own fingerprints last, earliest generator last: they win over those of opposites and of repetitions.
        for factor in (-1, 1):
            values: list[int] = self._sums(np.arange(n), ones, factor).tolist()
            for i in reversed(range(self._count)):
                self._index[values[i]] = i

    def _sums(self, images: Ints, signs: Ints, factor: int = 1) -> Ints:
        # Multiplication wraps around modulo 2**64, on both sides alike.
        weight = self._h[images[self._rows], images[self._cols]]
        sign = factor * signs[self._rows] * signs[self._cols]
        out = np.zeros(self._count, np.int64)
        np.add.at(out, self._of, (weight * self._nums * sign[:, None]).sum(axis=1))
        return out

    def conjugated(self, g: Matrix) -> Ints:
        """For each generator A the number of +-g A g^-1, -1 where that is no generator or g is no signed permutation."""
        if not (g.is_integral and g.is_monomial and bool(np.all(np.abs(g.nums[:, 0]) == 1))):
            return np.full(self._count, -1, np.int64)
        columns = g.T
        return np.array([self._index.get(v, -1) for v in self._sums(columns.cols, columns.nums[:, 0]).tolist()], np.int64)
