"""The mean of g s g^-1 over a group, for a discrete generator s: on an irreducible representation it is tr(s) / d.

For a finite group whose elements are listed it is the class sum. For others (O(n), large permutation groups) it is the projection
onto the matrices that commute with the generators, by conjugate gradients; that it commutes is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import GroupTooLargeError, SolveError
from repcore.groups.classes import classes
from repcore.groups.group import Group
from repcore.soft.algebra import EPS

__all__ = ["Conjugates", "Discrete", "commuting_mean", "discrete_of"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# Each round of conjugate gradients takes away what rounding left of the one before; steps of a round.
_ROUNDS, _STEPS = 4, 2000


@dataclass(frozen=True, eq=False)
class Conjugates:
    """A conjugacy class of a finite group as a tree.

    Element 0 is the generator, and element k is g x g^-1 with g = generator ``by[k]`` and x = element ``of[k]``, of[k] < k.
    """

    generator: int
    of: Ints
    by: Ints

    def act(self, generators: Sequence[Array]) -> Array:
        """All elements of the class in a unitary representation, (size, d, d)."""
        out = np.empty((len(self.of), *generators[0].shape), np.result_type(*generators))
        out[0] = generators[self.generator]
        for k in range(1, len(self.of)):
            g = generators[int(self.by[k])]
            out[k] = g @ out[self.of[k]] @ g.conj().T
        return out


@dataclass(frozen=True, eq=False)
class Discrete:
    """The discrete generators, one of each conjugacy class (a class and that of the inverses are one).

    Attributes:
        numbers: which generators.
        classes: their classes, where the group is listed; None otherwise.
        exponent: of a finite group.
        longest: letters that suffice for every element of a finite group.
    """

    numbers: tuple[int, ...]
    classes: tuple[Conjugates, ...] | None
    exponent: int | None = None
    longest: int | None = None

    @property
    def farthest(self) -> float:
        """sup ||rho(g) - 1||_2 over unitary representations: eigenvalues are roots of unity, never -1 for an odd exponent."""
        odd = self.exponent is not None and self.exponent % 2 == 1
        return 2 * cos(pi / (2 * self.exponent)) if odd and self.exponent else 2.0


def discrete_of(group: Group) -> Discrete:
    """The discrete generators of a group that are not the identity, one of each conjugacy class."""
    distinct: dict[str, int] = {}
    for i, g in enumerate(group.discrete):
        if not g.is_identity:
            distinct.setdefault(g.digest, i)
    numbers = tuple(distinct.values())
    if not numbers or any(not a.is_zero for a in group.lie):
        return Discrete(numbers, None)
    try:
        found = classes(group)
    except GroupTooLargeError:
        return Discrete(numbers, None)
    table = found.table
    chosen: dict[int, int] = {}
    for i in numbers:
        c = int(found.of[table.generators[i]])
        chosen.setdefault(min(c, int(found.inverse[c])), i)
    depth = np.zeros(table.order, np.int64)
    # A parent is one letter shorter; levels are settled from the identity outwards.
    known = np.zeros(table.order, bool)
    known[0] = True
    while not known.all():
        fresh = ~known & known[table.parents]
        depth[fresh] = depth[table.parents[fresh]] + 1
        known |= fresh
    moves = [table.right(g)[table.left(int(table.inverses[g]))] for g in table.generators]
    trees = tuple(_tree(i, table.generators[i], moves, table.inverses, table.generators) for i in chosen.values())
    return Discrete(tuple(chosen.values()), trees, found.exponent, int(depth.max(initial=0)))


def _tree(number: int, start: int, moves: list[Ints], inverses: Ints, generators: Sequence[int]) -> Conjugates:
    """Breadth first through the class of an element; ``moves[i]`` takes x to g^-1 x g, so its inverse takes x to g x g^-1."""
    forward: list[Ints] = []
    for move in moves:
        back = np.empty_like(move)
        back[move] = np.arange(len(move))
        forward.append(back)
    seen = {start: 0}
    order, of, by = [start], [0], [-1]
    for x in order:
        for i, move in enumerate(forward):
            y = int(move[x])
            if y not in seen:
                seen[y] = len(order)
                order.append(y)
                of.append(seen[x])
                by.append(i)
    return Conjugates(number, np.array(of, np.int64), np.array(by, np.int64))


def commuting_mean(t: Array, generators: Sequence[Array], lie: Sequence[Array]) -> Array:
    """The mean of g T g^-1 over the group for Hermitian T, in a unitary representation given by its generators.

    It is the orthogonal projection of T onto the matrices that commute with the group, the null space of the positive operator

        Psi T = sum_a [A_a, [T, A_a]] + sum_s (2 T - s T s^-1 - s^-1 T s),

    and what it takes away solves Psi X = Psi T: by conjugate gradients, which need as many steps as Psi has eigenvalues on T.

    Raises:
        SolveError: what is left does not commute with the generators to rounding.
    """
    limit = 64 * EPS * len(t) ** 1.5 * max(float(np.linalg.norm(t)), 1.0)

    def psi(x: Array) -> Array:
        out = np.zeros_like(t)
        for a in lie:
            c = x @ a - a @ x
            out += a @ c - c @ a
        for g in generators:
            out += 2 * x - g @ x @ g.conj().T - g.conj().T @ x @ g
        return out

    for _ in range(_ROUNDS):
        if _apart(t, generators, lie) <= limit / 8:
            break
        t = t - _solved(psi, psi(t))
        t = (t + t.conj().T) / 2
    if _apart(t, generators, lie) > limit:
        raise SolveError(
            "space: the mean of a discrete generator over its conjugates does not commute with the group to rounding; the "
            "generators are too close to the identity or to each other, choose others"
        )
    return t


def _solved(psi: Callable[[Array], Array], right: Array) -> Array:
    """X with psi X = right, for a right side in the range of a positive operator: conjugate gradients from zero."""
    x, r = np.zeros_like(right), right
    p, size = r, float(np.vdot(r, r).real)
    # Below this the residual is rounding, of which a part lies outside of the range.
    least = (16 * EPS * len(right)) ** 2 * size
    for _ in range(_STEPS):
        if size <= least:
            break
        q = psi(p)
        step = size / float(np.vdot(p, q).real)
        x, r = x + step * p, r - step * q
        size, before = float(np.vdot(r, r).real), size
        p = r + (size / before) * p
    return x


def _apart(t: Array, generators: Sequence[Array], lie: Sequence[Array]) -> float:
    found = [float(np.linalg.norm(g @ t - t @ g)) for g in generators]
    found += [float(np.linalg.norm(a @ t - t @ a)) / max(float(np.linalg.norm(a, 2)), 1.0) for a in lie]
    return max(found, default=0.0)
