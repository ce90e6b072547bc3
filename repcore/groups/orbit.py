"""The orbit of the basis vectors under a matrix group: found modulo a prime, then proved exactly.

A walk modulo p finds candidates for the points and says how each generator permutes them. The exact points follow along the same
walk, and one exact product for each generator confirms the permutation. So nothing rests on the prime.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from repcore.errors import GroupTooLargeError, NumberError
from repcore.exact.coefficients import narrowed
from repcore.exact.field import QQ, Field, compositum
from repcore.exact.matrix import Matrix, from_coo, identity
from repcore.exact.residues import dense_residues
from repcore.groups.group import Group

__all__ = ["Points", "check_finite", "orbit_of_basis"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Points:
    """The orbit of the basis vectors in a canonical order, and how the generators move it.

    Attributes:
        matrix: the points as columns, (n, count).
        moves: for each discrete generator the permutation of the points.
        place: the number of a point, by the bytes of its scaled coordinates.
        scale: a common denominator of all points.
    """

    matrix: Matrix
    moves: tuple[Ints, ...]
    place: dict[bytes, int]
    scale: int

    def find(self, columns: Matrix) -> list[int | None]:
        """The number of each column of a matrix; None for a column that is no point."""
        try:
            rows = _rows(columns.reduced().over(self.matrix.field), self.scale)
        except NumberError:
            return [None] * columns.shape[1]
        return [None if row is None else self.place.get(_key(row)) for row in rows]


def orbit_of_basis(group: Group, limit: int) -> Points:
    """The orbit; cost: points x generators products of a matrix with a vector modulo a prime.

    Raises:
        GroupTooLargeError: more than ``limit`` points, or a reason why the group is infinite.
    """
    check_finite(group)
    if group.is_permutation:
        # The points are the basis vectors themselves, in their own order.
        return _points(identity(group.dim), [g.T.cols for g in group.discrete], ordered=False)
    field = compositum(*(g.field for g in group.discrete)) if group.discrete else QQ
    for p in field.primes(below=2**31):
        if any(g.den % p == 0 for g in group.discrete):
            continue
        parents, letters, moves = _walk(group, field, p, limit)
        candidate = _exact(group, field, parents, letters)
        if all(g @ candidate == _permuted(candidate, move) for g, move in zip(group.discrete, moves, strict=True)):
            return _points(candidate, moves, ordered=True)
    raise GroupTooLargeError(f"group: no finite orbit of the basis vectors under {group} could be confirmed")


def check_finite(group: Group) -> None:
    """Refuse at once what is infinite for a cheap reason: a Lie generator, or a short word of infinite order.

    An element of finite order N of GL(n, K) has eigenvalues of orders k with phi(k) <= n [K : Q], so N divides the least
    common multiple L of those k; g^L != 1 modulo a prime proves that g has infinite order.
    """
    if any(not a.is_zero for a in group.lie):
        raise GroupTooLargeError(f"group: {group} has a Lie generator, so it is infinite; a finite group is needed here")
    if group.is_permutation or not group.discrete:
        return
    field = compositum(*{g.field for g in group.discrete})
    n, bound = group.dim, group.dim * field.degree
    # phi(k) >= sqrt(k / 2).
    exponent = lcm(*(k for k in range(1, 2 * bound * bound + 1) if int(flint.fmpz(k).euler_phi()) <= bound))
    p = next(q for q in field.primes() if all(g.den % q for g in group.discrete))
    root = field.roots(p)[0]
    images = [flint.nmod_mat(n, n, dense_residues(g.over(field), p, root).ravel().tolist(), p) for g in group.discrete]
    words = images + [a * b for a in images for b in images] + [a * b * c for a in images for b in images for c in images]
    one = flint.nmod_mat(n, n, np.eye(n, dtype=np.int64).ravel().tolist(), p)
    for word in words[:500]:
        if _power_mod(word, exponent, one) != one:
            raise GroupTooLargeError(
                f"group: {group} is infinite (a product of at most three generators has infinite order); "
                "a finite group is needed here"
            )


def _walk(group: Group, field: Field, p: int, limit: int) -> tuple[list[int], list[int], list[Ints]]:
    """Breadth first: point -> the point and the generator it came from, and the moves, all modulo p."""
    root = field.roots(p)[0]
    images = [dense_residues(g.over(field), p, root).astype(object) for g in group.discrete]
    small = group.dim * p * p < 2**63
    images = [g.astype(np.int64) if small else g for g in images]
    points: list[Array] = list(np.eye(group.dim, dtype=np.int64))
    seen = {v.tobytes(): i for i, v in enumerate(points)}
    parents, letters = [-1] * group.dim, [-1] * group.dim
    targets: list[list[int]] = [[] for _ in images]
    head = 0
    while head < len(points):
        for s, g in enumerate(images):
            w = (g @ points[head] % p).astype(np.int64)
            key = w.tobytes()
            if key not in seen:
                if len(points) >= limit:
                    raise GroupTooLargeError(
                        f"group: the orbits of the basis vectors under {group} hold more than {limit} vectors, so it is "
                        "infinite or too large to list"
                    )
                seen[key] = len(points)
                points.append(w)
                parents.append(head)
                letters.append(s)
            targets[s].append(seen[key])
        head += 1
    return parents, letters, [np.array(t, np.int64) for t in targets]


def _exact(group: Group, field: Field, parents: list[int], letters: list[int]) -> Matrix:
    """The points of a walk as exact columns, one level of the walk after another."""
    up, by = np.array(parents), np.array(letters)
    level, first = identity(group.dim).over(field), 0
    levels = [level]
    while (start := first + level.shape[1]) < len(up):
        # Points are numbered breadth first, so those whose parents are in the last level are a stretch.
        numbers = np.arange(start, int(np.searchsorted(up, start)))
        parts: list[Matrix] = []
        order: list[int] = []
        for s, g in enumerate(group.discrete):
            mine = numbers[by[numbers] == s]
            parts.append(g.over(field) @ _taken(level, up[mine] - first))
            order += mine.tolist()
        level, first = _taken(_beside(parts), np.argsort(np.array(order), kind="stable")), start
        levels.append(level)
    return _beside(levels)


def _points(matrix: Matrix, moves: list[Ints], *, ordered: bool) -> Points:
    scale = matrix.den
    rows = [row for row in _rows(matrix, scale) if row is not None]
    if ordered:
        texts: list[list[int]] = [row.tolist() for row in rows]
        ranks = np.array(sorted(range(len(rows)), key=texts.__getitem__), np.int64)
        back = np.empty(len(ranks), np.int64)
        back[ranks] = np.arange(len(ranks))
        matrix, moves = _taken(matrix, ranks), [back[m[ranks]] for m in moves]
        order: list[int] = ranks.tolist()
        rows = [rows[i] for i in order]
    return Points(matrix, tuple(moves), {_key(row): i for i, row in enumerate(rows)}, scale)


def _rows(m: Matrix, scale: int) -> list[Array | None]:
    """Each column as one array of integers, the coordinates times ``scale``; None where that is not integral."""
    d = m.field.degree
    dense = np.zeros((m.shape[1], m.shape[0], d), object)
    if m.nnz:
        dense[m.cols, m.rows] = m.nums.astype(object) * scale
    flat = dense.reshape(m.shape[1], -1)
    whole = np.all(flat % m.den == 0, axis=1)
    return [narrowed(row // m.den) if ok else None for row, ok in zip(flat, whole, strict=True)]


def _key(row: Array) -> bytes:
    return row.tobytes() if row.dtype != object else repr(row.tolist()).encode()


def _taken(m: Matrix, columns: Ints) -> Matrix:
    """Some columns of a matrix, in the given order."""
    order = np.argsort(m.cols, kind="stable")
    start = np.searchsorted(m.cols[order], np.arange(m.shape[1] + 1))
    count = (start[1:] - start[:-1])[columns]
    onto = np.repeat(np.arange(len(columns)), count)
    entries = order[np.arange(len(onto)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start[columns], count)]
    return from_coo((m.shape[0], len(columns)), m.field, m.rows[entries], onto, m.nums[entries], m.den)


def _permuted(m: Matrix, move: Ints) -> Matrix:
    """The matrix whose column i is column move[i]."""
    return _taken(m, move)


def _beside(parts: list[Matrix]) -> Matrix:
    """Matrices over one field, side by side."""
    den = lcm(*(m.den for m in parts))
    lefts = np.cumsum([0, *(m.shape[1] for m in parts)])
    rows = np.concatenate([m.rows for m in parts])
    cols = np.concatenate([m.cols + left for m, left in zip(parts, lefts, strict=False)])
    nums = np.concatenate([narrowed(m.nums.astype(object) * (den // m.den)) for m in parts])
    return from_coo((parts[0].shape[0], int(lefts[-1])), parts[0].field, rows, cols, nums, den)


def _power_mod(m: Any, k: int, one: Any) -> Any:
    out = one
    while k:
        out = out * m if k & 1 else out
        m, k = m * m, k >> 1
    return out
