"""Finite groups: all elements, as permutations of the orbit of the basis vectors.

A matrix group is finite exactly when the orbit of a basis is finite, and it acts faithfully there. So every question about
elements becomes one about permutations, and nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from repcore.errors import GroupTooLargeError
from repcore.exact.matrix import Matrix
from repcore.groups.group import Group
from repcore.groups.orbit import Points, orbit_of_basis

__all__ = ["Elements", "elements", "order"]

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
    _index: dict[bytes, int]
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
        return self._index.get(np.array(moved, np.int64).tobytes())

    def find_permutation(self, images: Ints) -> int | None:
        """The number of the element that permutes the points like ``images``."""
        return self._index.get(np.ascontiguousarray(images, np.int64).tobytes())


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
    m, moves = orbit.matrix.shape[1], orbit.moves
    start = np.arange(m, dtype=np.int64)
    index: dict[bytes, int] = {start.tobytes(): 0}
    found, parents, letters = [start], [0], [-1]
    head = 0
    while head < len(found):
        for s, move in enumerate(moves):
            new = move[found[head]]
            key = new.tobytes()
            if key not in index:
                if len(found) >= limit:
                    raise GroupTooLargeError(
                        f"group: {group} has more than {limit} elements; use constructions that need its generators only"
                    )
                index[key] = len(found)
                found.append(new)
                parents.append(head)
                letters.append(s)
        head += 1
    images = np.array(found)
    ranks = np.lexsort(images.T[::-1])
    back = np.empty(len(ranks), np.int64)
    back[ranks] = np.arange(len(ranks))
    images = images[ranks]
    table = {row.tobytes(): e for e, row in enumerate(images)}
    return Elements(group, orbit.matrix, images, back[np.array(parents)][ranks], np.array(letters)[ranks], table, orbit)


def order(group: Group) -> int:
    """The number of elements of a finite group; permutation groups of any size by Schreier-Sims (SymPy).

    >>> from repcore import symmetric
    >>> order(symmetric(20))
    2432902008176640000
    """
    moves = orbit_of_basis(group, LIMIT).moves
    from sympy.combinatorics import Permutation, PermutationGroup

    if not moves:
        return 1
    return int(PermutationGroup([Permutation(m.tolist()) for m in moves]).order())
