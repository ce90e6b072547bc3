"""Finite groups: all elements, as permutations of the orbit of the basis vectors.

A matrix group is finite exactly when the orbit of a basis is finite, and it acts faithfully there. So every question about
elements becomes one about permutations, and nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import lcm
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from repcore.errors import GroupTooLargeError
from repcore.exact.cyclotomic import units
from repcore.exact.field import QQ, compositum
from repcore.exact.matrix import Matrix, block_diag, from_coo, identity, kron
from repcore.groups.group import Group

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
    _place: dict[bytes, int]

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
        moved = [self._place.get(k) for k in _column_keys(g @ self.points)]
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
    _check_finite(group)
    # A basis vector has at most as many images as the group has elements.
    points, place, moves = _orbit(group, limit * group.dim)
    m = points.shape[1]
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
    return Elements(group, points, images, back[np.array(parents)][ranks], np.array(letters)[ranks], table, place)


def order(group: Group) -> int:
    """The number of elements of a finite group; permutation groups of any size by Schreier-Sims (SymPy).

    >>> from repcore import symmetric
    >>> order(symmetric(20))
    2432902008176640000
    """
    _check_finite(group)
    _, _, moves = _orbit(group, LIMIT)
    from sympy.combinatorics import Permutation, PermutationGroup

    if not moves:
        return 1
    return int(PermutationGroup([Permutation(m.tolist()) for m in moves]).order())


def _check_finite(group: Group) -> None:
    """Refuse at once what is infinite for a cheap reason: a Lie generator, or a short word of infinite order.

    An element of finite order N of GL(n, K) has eigenvalues of orders k with phi(k) <= n [K : Q], so N divides the least
    common multiple L of those k; g^L != 1 modulo a prime proves that g has infinite order.
    """
    if any(not a.is_zero for a in group.lie):
        raise GroupTooLargeError(f"group: {group} has a Lie generator, so it is infinite; a finite group is needed here")
    if group.is_permutation:
        return
    field = compositum(*{g.field for g in group.discrete}) if group.discrete else QQ
    bound = group.dim * field.degree
    # phi(k) >= sqrt(k / 2).
    exponent = lcm(*(k for k in range(1, 2 * bound * bound + 1) if len(units(k)) <= bound))
    p = next(q for q in field.primes() if all(g.den % q for g in group.discrete))
    root = field.roots(p)[0]
    images = [flint.nmod_mat(group.dim, group.dim, _dense_mod(g.over(field), p, root), p) for g in group.discrete]
    words = images + [a * b for a in images for b in images] + [a * b * c for a in images for b in images for c in images]
    one = flint.nmod_mat(group.dim, group.dim, [int(i == j) for i in range(group.dim) for j in range(group.dim)], p)
    for word in words[:500]:
        if _power_mod(word, exponent, one) != one:
            raise GroupTooLargeError(
                f"group: {group} is infinite (a product of at most three generators has infinite order); "
                "a finite group is needed here"
            )


def _dense_mod(g: Matrix, p: int, root: int) -> list[int]:
    dense = np.zeros(g.shape, np.int64)
    dense[g.rows, g.cols] = g.residues(p, root)
    flat: list[int] = dense.ravel().tolist()
    return flat


def _power_mod(m: Any, k: int, one: Any) -> Any:
    out = one
    while k:
        out = out * m if k & 1 else out
        m, k = m * m, k >> 1
    return out


def _orbit(group: Group, limit: int) -> tuple[Matrix, dict[bytes, int], list[Ints]]:
    """The orbit of the basis vectors, the place of each point, and each generator as a permutation of it."""
    n = group.dim
    start = identity(n)
    if group.is_permutation:
        # The points are the basis vectors themselves, in their own order.
        place = {k: i for i, k in enumerate(_column_keys(start))}
        return start, place, [g.T.cols.astype(np.int64) for g in group.discrete]
    seen: dict[bytes, Matrix] = {}
    frontier = _columns(start)
    for v in frontier:
        seen[_key(v)] = v
    while frontier:
        fresh: list[Matrix] = []
        for g in group.discrete:
            for v in frontier:
                w = g @ v
                key = _key(w)
                if key not in seen:
                    seen[key] = w
                    fresh.append(w)
            if len(seen) > limit:
                raise GroupTooLargeError(
                    f"group: the orbits of the basis vectors under {group} hold more than {limit} vectors, so it is infinite or "
                    "too large to list"
                )
        frontier = fresh
    ordered = sorted(seen.items(), key=lambda item: _sort_key(item[1]))
    place = {key: i for i, (key, _) in enumerate(ordered)}
    moves = [np.array([place[_key(g @ v)] for _, v in ordered], np.int64) for g in group.discrete]
    return _stack([v for _, v in ordered]), place, moves


def _columns(m: Matrix) -> list[Matrix]:
    t = m.T
    cut = np.searchsorted(t.rows, np.arange(m.shape[1] + 1))
    zero = np.zeros(m.nnz, np.int64)
    return [from_coo((m.shape[0], 1), m.field, t.cols[a:b], zero[: b - a], t.nums[a:b], m.den) for a, b in pairwise(cut)]


def _column_keys(m: Matrix) -> list[bytes]:
    """One key a column."""
    return [_key(v) for v in _columns(m)]


def _key(v: Matrix) -> bytes:
    """Equal exactly for equal columns, whichever field they are written in."""
    v = v.reduced()
    return repr((v.field.conductor, v.field.fixed, v.rows.tolist(), v.nums.tolist(), v.den)).encode()


def _sort_key(v: Matrix) -> Any:
    """A canonical order of exact vectors: by support and entries as text; any fixed order will do."""
    return [(r, str(x)) for r, _, x in v.entries()]


def _stack(columns: list[Matrix]) -> Matrix:
    field = compositum(*{c.field for c in columns})
    n, m = columns[0].shape[0], len(columns)
    wide = block_diag([c.over(field) for c in columns])
    # block_diag is (n m, m); adding the m row blocks up gives the n x m matrix of the columns.
    ones = from_coo((1, m), identity(1).field, np.zeros(m, np.int64), np.arange(m), np.ones((m, 1), np.int64), 1)
    return kron(ones, identity(n)) @ wide
