"""The mean of g s g^-1 over a group, for a discrete generator s: on an irreducible representation it is tr(s) / d.

For a finite group it is the class sum, element by element. For others (O(n), and discrete groups that are not listed) it is the
limit of T -> (T + g T g^-1) / 2 over random g, which halves the square of the distance to the mean at every step (Dixon,
Mathematics of Computation 24, 1970); that the limit commutes with the generators is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import GroupTooLargeError, SolveError
from repcore.groups.classes import classes
from repcore.groups.group import Group
from repcore.soft.algebra import EPS

__all__ = ["Conjugates", "Discrete", "discrete_of", "draws", "random_elements", "random_mean"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# Steps of the random mean, letters of an element, and the largest power of a letter.
_STEPS, _LETTERS, _POWER = 256, 24, 12


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


def random_elements(lie: Array, discrete: Sequence[Array], letters: Array, coefficients: Array) -> Array:
    """Elements of the group in a representation, for draws that do not depend on it: (count, d, d).

    Args:
        lie: (rank, d, d) an orthonormal basis of the Lie algebra.
        discrete: the images of discrete generators.
        letters: (count, letters, 2) a generator and its power.
        coefficients: (count, rank).
    """
    from scipy import linalg

    expm: Any = linalg.expm
    d = lie.shape[1] if len(lie) else discrete[0].shape[0]
    out: list[Array] = []
    for word, c in zip(letters, coefficients, strict=True):
        g: Array = expm(np.tensordot(c, lie, 1)) if len(lie) else np.eye(d)
        if discrete:
            for i, k in word.tolist():
                g = g @ np.linalg.matrix_power(discrete[int(i)], int(k))
        out.append(g)
    return np.stack(out)


def draws(rank: int, count: int, spread: float) -> tuple[Array, Array]:
    """Fixed random letters and coefficients for :func:`random_elements`."""
    rng = np.random.default_rng(20260)
    letters = np.stack(
        [rng.integers(max(count, 1), size=(_STEPS, _LETTERS)), rng.integers(1, _POWER, size=(_STEPS, _LETTERS))], -1
    )
    if rank:
        letters = letters[:, :4]
    return letters, rng.standard_normal((_STEPS, rank)) * spread


def random_mean(t: Array, elements: Iterable[Array], generators: Sequence[Array], lie: Sequence[Array]) -> Array:
    """The mean of g T g^-1 over the group, for Hermitian T; ``elements`` are random ones, in the same unitary representation.

    Raises:
        SolveError: it does not commute with the generators to rounding.
    """
    limit = 64 * EPS * len(t) ** 1.5 * max(float(np.linalg.norm(t)), 1.0)
    for k, g in enumerate(elements):
        t = (t + g @ t @ g.conj().T) / 2
        if k % 16 == 15 and _apart(t, generators, lie) <= limit / 4:
            break
    if _apart(t, generators, lie) > limit:
        raise SolveError(
            "space: the mean of a discrete generator over its conjugates did not converge; declare a finite group, or generators "
            "whose products come near to every element sooner"
        )
    return (t + t.conj().T) / 2


def _apart(t: Array, generators: Sequence[Array], lie: Sequence[Array]) -> float:
    found = [float(np.linalg.norm(g @ t - t @ g)) for g in generators]
    found += [float(np.linalg.norm(a @ t - t @ a)) / max(float(np.linalg.norm(a, 2)), 1.0) for a in lie]
    return max(found, default=0.0)
