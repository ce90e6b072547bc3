"""Finite groups: all elements, as permutations of the orbit of the basis vectors.

A matrix group is finite exactly when the orbit of a basis is finite, and it acts faithfully there. So every question about
elements becomes one about permutations, and nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from repcore.errors import GroupTooLargeError, IncompatibleError
from repcore.exact.field import QQ
from repcore.exact.matrix import Matrix, from_coo, identity
from repcore.groups.group import Group
from repcore.groups.keys import Keys
from repcore.groups.orbit import Points, orbit_of_basis

__all__ = ["LIMIT", "Elements", "elements", "lexicographic", "order"]

Ints = npt.NDArray[np.int64]

# Above this many elements a list of them stops being a sensible thing to hold.
LIMIT = 200_000


@dataclass(frozen=True, eq=False)
class Elements:
    """All elements of a finite group.

    Attributes:
        points: the orbit of the basis vectors, as the columns of an exact matrix (n, m), in a canonical order.
        images: (order, m); row e is element e as a permutation of the points. Rows are in lexicographic order, so that
            the identity is row 0 and the numbering does not depend on the generators.
        words: for each element the generators, left to right, whose product it is.
    """

    group: Group
    points: Matrix
    images: Ints
    parents: Ints
    letters: Ints
    _orbit: Points

    @property
    def order(self) -> int:
        """The number of elements."""
        return len(self.images)

    def word(self, e: int) -> tuple[int, ...]:
        """Numbers of the discrete generators whose product, left to right, is element ``e``."""
        out: list[int] = []
        while e:
            out.append(int(self.letters[e]))
            e = int(self.parents[e])
        return tuple(out)

    def find(self, g: Matrix) -> int | None:
        """The number of the element with matrix ``g`` in the defining representation; None if it is not in the group."""
        moved = self._orbit.find(g @ self.points)
        if any(m is None for m in moved):
            return None
        return self.find_permutation(np.array(moved, np.int64))

    def find_permutation(self, images: Ints) -> int | None:
        """The number of the element that permutes the points like ``images``."""
        row = np.asarray(images, np.int64)
        e = int(self._keys.find(row[None, self.base])[0])
        return e if e >= 0 and np.array_equal(self.images[e], row) else None

    def matrix(self, e: int) -> Matrix:
        """Element ``e`` in the defining representation: its columns are the images of the basis vectors."""
        n, at = self.group.dim, np.arange(self.group.dim)
        chosen = from_coo((self.points.shape[1], n), QQ, self.images[e, self.frame], at, np.ones((n, 1), np.int64), 1)
        return (self.points @ chosen).reduced()

    # -- products of many elements at once ---------------------------------------------------------------------------

    @cached_property
    def frame(self) -> Ints:
        """Which points the basis vectors are, (n,)."""
        return _frame(self.group, self._orbit)

    @cached_property
    def base(self) -> Ints:
        """A few points whose images tell the elements apart, so that products need the images of these alone."""
        kept: list[int] = []
        label, count = np.zeros(self.order, np.int64), 1
        for point in self.frame.tolist():
            if count == self.order:
                break
            _, finer = np.unique(label * self.images.shape[1] + self.images[:, point], return_inverse=True)
            if (found := int(finer.max()) + 1) > count:
                kept.append(point)
                label, count = finer.reshape(-1).astype(np.int64), found
        return np.array(kept, np.int64)

    @cached_property
    def _keys(self) -> Keys:
        return Keys(self.images[:, self.base], self.images.shape[1])

    @cached_property
    def generators(self) -> tuple[int, ...]:
        """The numbers of the discrete generators of the group, in their order."""
        moves = (np.asarray(move)[self.base] for move in self._orbit.moves)
        return tuple(int(self._keys.find(move[None])[0]) for move in moves)

    @cached_property
    def inverses(self) -> Ints:
        """The number of the inverse of each element, (order,)."""
        back = [np.argmax(self.images == point, axis=1) for point in self.base.tolist()]
        return self._keys.find(np.stack(back, axis=1) if back else np.zeros((self.order, 0), np.int64))

    def products(self, a: Ints, b: Ints) -> Ints:
        """The numbers of the elements a[i] b[i], for two arrays of numbers that broadcast to one shape.

        Cost: for each product as many look-ups as ``base`` has points, and one binary search.
        """
        a, b = np.broadcast_arrays(np.asarray(a, np.int64), np.asarray(b, np.int64))
        inner = self.images[:, self.base][b.ravel()]
        return self._keys.find(self.images[a.ravel()[:, None], inner]).reshape(a.shape)

    def right(self, g: int) -> Ints:
        """The numbers of x g for all elements x, (order,)."""
        return self._keys.find(self.images[:, self.images[g, self.base]])

    def left(self, g: int) -> Ints:
        """The numbers of g x for all elements x, (order,)."""
        return self._keys.find(self.images[g][self.images[:, self.base]])

    def generated(self, generators: Ints) -> Ints:
        """The numbers of the elements of the subgroup that some elements generate, ascending."""
        member = np.zeros(self.order, bool)
        member[0] = True
        front = np.zeros(1, np.int64)
        steps = np.unique(np.asarray(generators, np.int64))
        while len(front) and len(steps):
            reached = np.concatenate([self.products(front, g) for g in steps])
            front = np.unique(reached[~member[reached]])
            member[front] = True
        return np.flatnonzero(member)


@lru_cache(maxsize=64)
def elements(group: Group, limit: int = LIMIT) -> Elements:
    """List a finite group; cost: order x (generators + points).

    Raises:
        GroupTooLargeError: the group has a Lie part, or more than ``limit`` elements (or infinitely many).

    >>> from repcore import dihedral
    >>> elements(dihedral(4)).order
    8
    """
    # A basis vector has at most as many images as the group has elements.
    orbit = orbit_of_basis(group, limit * group.dim)
    moves = np.array(orbit.moves, np.int64).reshape(len(orbit.moves), orbit.matrix.shape[1])
    # The basis vectors span, so their images tell elements apart.
    images, parents, letters = _listed(group, moves, _frame(group, orbit), limit)
    ranks = lexicographic(images)
    back = np.empty(len(ranks), np.int64)
    back[ranks] = np.arange(len(ranks))
    return Elements(group, orbit.matrix, images[ranks], back[parents][ranks], letters[ranks], orbit)


def _listed(group: Group, moves: Ints, base: Ints, limit: int) -> tuple[Ints, Ints, Ints]:
    """Breadth first, a level at a time: images, the parent of each element, and the letter that led to it."""
    m = moves.shape[1]
    radix = _radix(m, len(base))
    found = [np.arange(m, dtype=np.int64)[None]]
    parents, letters = [np.zeros(1, np.int64)], [np.full(1, -1, np.int64)]
    known: set[int | bytes] = set(_names(found[0][:, base], radix))
    count = 1
    front, start = found[0], 0
    while len(front) and len(moves):
        # Candidates in the order in which a queue would meet them: by parent, then by generator.
        short = moves[:, front[:, base]].transpose(1, 0, 2).reshape(-1, len(base))
        fresh: list[int] = []
        for i, name in enumerate(_names(short, radix)):
            if name not in known:
                known.add(name)
                fresh.append(i)
        count += len(fresh)
        if count > limit:
            raise GroupTooLargeError(
                f"group: {group} has more than {limit} elements; use constructions that need its generators only"
            )
        parent, letter = np.divmod(np.array(fresh, np.int64), len(moves))
        new = moves[letter[:, None], front[parent]]
        found.append(new)
        parents.append(parent + start)
        letters.append(letter)
        start += len(front)
        front = new
    return np.concatenate(found), np.concatenate(parents), np.concatenate(letters)


def _radix(m: int, length: int) -> Ints | None:
    """The weights that make one integer of ``length`` digits below m; None where it would not fit in 63 bits."""
    return np.array([m**i for i in range(length)], np.int64) if m**length < 2**63 else None


def _names(rows: Ints, radix: Ints | None) -> list[int] | list[bytes]:
    """A hashable name of each row, different for different rows."""
    return [row.tobytes() for row in rows] if radix is None else (rows @ radix).tolist()


def lexicographic(images: Ints) -> Ints:
    """The order of the rows; as many columns are compared as it takes to tell them apart."""
    width, whole = min(8, images.shape[1]), images.shape[1]
    while True:
        part = images[:, :width]
        ranks = np.lexsort(part.T[::-1])
        ordered = part[ranks]
        if width == whole or bool(np.all(np.any(ordered[1:] != ordered[:-1], axis=1))):
            return ranks
        width = min(2 * width, whole)


def _frame(group: Group, orbit: Points) -> Ints:
    if group.is_permutation:
        return np.arange(group.dim, dtype=np.int64)
    return np.array(orbit.find(identity(group.dim)), np.int64)


def order(group: Group) -> int:
    """The number of elements of a finite group; permutation groups of any size by Schreier-Sims (SymPy).

    >>> from repcore import symmetric
    >>> order(symmetric(20))
    2432902008176640000

    Raises:
        GroupTooLargeError: the group is infinite, or its basis vectors have too many images.
    """
    if not isinstance(group, Group):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"group: expected a group, got {type(group).__name__}; write order(G), or order(V.group)")
    moves = orbit_of_basis(group, LIMIT).moves
    from sympy.combinatorics import Permutation, PermutationGroup

    if not moves:
        return 1
    return int(PermutationGroup([Permutation(m.tolist()) for m in moves]).order())
