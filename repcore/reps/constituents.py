"""Cutting an irreducible representation out of the tensor product of two others, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, combinations_with_replacement

import numpy as np
import numpy.typing as npt

from repcore.exact.field import compositum
from repcore.exact.matrix import Matrix, from_coo, identity, inverse, kron, zeros
from repcore.exact.number import Number, number
from repcore.groups.characters import CharacterTable

__all__ = ["in_product"]

Ints = npt.NDArray[np.int64]

# Larger tensor products, and longer class sums, take too long exactly.
_SIZE = 400
_TERMS = 2_000


def in_product(table: CharacterTable, row: int, made: Mapping[int, tuple[Matrix, ...]]) -> tuple[Matrix, ...] | None:
    """The images of the generators in irreducible representation ``row``, from those of others; None where that does not help.

    Looks for two known irreps whose product contains chi once; for chi of real type both are of real type, so that the matrices
    are real. A class sum C acts on each constituent psi by the number |C| psi(g) / psi(1). Where these numbers tell chi from the
    other constituents, the product of (C - w) over the others is, up to a factor, the projector on chi; its image is spanned by
    some of its columns.
    """
    real = table.indicators[row] == 1
    usable = [i for i in made if not real or table.indicators[i] == 1]
    d = table.degrees
    pairs = sorted(combinations_with_replacement(usable, 2), key=lambda ij: (d[ij[0]] * d[ij[1]], ij))
    for i, j in pairs:
        if not d[row] <= d[i] * d[j] <= _SIZE:
            continue
        found = table.inner_products(table.residues[i] * table.residues[j] % table.modulus.prime)
        if found[row] != 1:
            continue
        others = [k for k in np.flatnonzero(found).tolist() if k != row]
        if (chosen := _separating(table, row, others)) is not None:
            return _cut(table, row, others, chosen, made[i], made[j])
    return None


def _separating(table: CharacterTable, row: int, others: list[int]) -> tuple[int, ...] | None:
    """The smallest class, or pair of classes, whose sum has another eigenvalue on ``row`` than on the others."""
    p, sizes = table.modulus.prime, table.classes.sizes
    scale = [pow(d, -1, p) for d in table.degrees]
    weights = table.residues * sizes % p * np.array(scale, np.int64)[:, None] % p
    single = [(j,) for j in range(1, len(table))]
    for part in sorted([*single, *combinations(range(1, len(table)), 2)], key=lambda js: (int(sizes[list(js)].sum()), js)):
        if sizes[list(part)].sum() > _TERMS:
            return None
        values = weights[:, list(part)].sum(axis=1) % p
        if all(values[k] != values[row] for k in others):
            return part
    return None


def _cut(
    table: CharacterTable,
    row: int,
    others: list[int],
    chosen: tuple[int, ...],
    left: tuple[Matrix, ...],
    right: tuple[Matrix, ...],
) -> tuple[Matrix, ...]:
    elements, n = table.classes.table, left[0].shape[0] * right[0].shape[0]
    known: dict[int, tuple[Matrix, Matrix]] = {0: (identity(left[0].shape[0]), identity(right[0].shape[0]))}
    total = zeros((n, n))
    for e in np.flatnonzero(np.isin(table.classes.of, chosen)).tolist():
        path: list[int] = []
        while e not in known:
            path.append(e)
            e = int(elements.parents[e])
        for x in reversed(path):
            (a, b), letter = known[int(elements.parents[x])], int(elements.letters[x])
            known[x] = (left[letter] @ a, right[letter] @ b)
            e = x
        total = total + kron(*known[e])
    projector = identity(n)
    for w in dict.fromkeys(_eigenvalue(table, k, chosen) for k in others):
        projector = (projector @ (total - identity(n) * w)).reduced()
    d = table.degrees[row]
    columns = _independent(projector, d)
    rows = _independent(_select(projector, columns).T, d)
    span = _select(projector, columns)
    frame = span @ inverse(_select(span.T, rows).T)
    back = _select(identity(n), rows).T
    return tuple((back @ kron(a, b) @ frame).reduced() for a, b in zip(left, right, strict=True))


def _eigenvalue(table: CharacterTable, row: int, chosen: tuple[int, ...]) -> Number:
    """sum_j |C_j| chi(g_j) / chi(1)."""
    total = number(0)
    for j in chosen:
        total = total + table.value(row, j) * int(table.classes.sizes[j])
    return total / table.degrees[row]


def _select(a: Matrix, columns: Ints) -> Matrix:
    n, at = len(columns), np.arange(len(columns))
    return a @ from_coo((a.shape[1], n), compositum(), columns, at, np.ones((n, 1), np.int64), 1)


def _independent(a: Matrix, rank: int) -> Ints:
    """The first columns that span the column space, found modulo a prime."""
    import flint

    p = next(q for q in a.field.primes() if a.den % q)
    dense = np.zeros(a.shape, np.int64)
    dense[a.rows, a.cols] = a.residues(p, a.field.roots(p)[0])
    echelon, found = flint.nmod_mat(*a.shape, dense.ravel().tolist(), p).rref()
    pivots = [next(c for c in range(a.shape[1]) if int(echelon[r, c])) for r in range(found)]
    return np.array(pivots[:rank], np.int64)
