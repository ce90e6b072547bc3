"""Oracles for the solver: the definition solved densely, and counting by characters. None of it uses the solver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import repcore as rc

Row = dict[int, Any]


def echelon(rows: Iterable[Row]) -> list[Row]:
    """The reduced row echelon form by schoolbook elimination on exact numbers, zero rows left out."""
    done: dict[int, Row] = {}
    for row in rows:
        row = {j: x for j, x in row.items() if x != 0}
        for pivot, other in done.items():
            if pivot in row:
                row = _minus(row, other, row[pivot])
        if not row:
            continue
        pivot = min(row)
        scale = 1 / row[pivot]
        row = {j: x * scale for j, x in row.items()}
        for p, other in done.items():
            if pivot in other:
                done[p] = _minus(other, row, other[pivot])
        done[pivot] = row
    return [done[p] for p in sorted(done)]


def _minus(row: Row, other: Row, factor: Any) -> Row:
    out = dict(row)
    for j, x in other.items():
        value = out.get(j, 0) - factor * x
        if value == 0:
            out.pop(j, None)
        else:
            out[j] = value
    return out


def nullspace(rows: Iterable[Row], width: int) -> list[Row]:
    """The reduced row echelon form of {x : rows x = 0}."""
    reduced = {min(r): r for r in echelon(rows)}
    vectors = []
    for free in range(width):
        if free in reduced:
            continue
        vector: Row = {free: Fraction(1)}
        for pivot, row in reduced.items():
            if free in row:
                vector[pivot] = -row[free]
        vectors.append(vector)
    return echelon(vectors)


def constraints(space: Any) -> list[Row]:
    """(rho_Y M - M rho_X)[y, x] = 0, one row for each generator, y and x; unknown M[y, x] at y * dim X + x."""
    m, n = space.shape
    rows: list[Row] = []
    for on_y, on_x in zip(space.codomain.matrices, space.domain.matrices, strict=True):
        left, right = _fractions(on_y.tolist()), _fractions(on_x.tolist())
        for y in range(m):
            for x in range(n):
                row: Row = {}
                for z in range(m):
                    if left[y][z] != 0:
                        row[z * n + x] = row.get(z * n + x, 0) + left[y][z]
                for z in range(n):
                    if right[z][x] != 0:
                        row[y * n + z] = row.get(y * n + z, 0) - right[z][x]
                rows.append(row)
    return rows


def _fractions(table: list[list[Any]]) -> list[list[Any]]:
    return [[Fraction(x) if isinstance(x, int) else x for x in row] for row in table]


def definition(space: Any) -> list[list[list[Any]]]:
    """The canonical basis of a small space from its definition, as nested lists (dim, dim Y, dim X)."""
    m, n = space.shape
    return [[[row.get(y * n + x, 0) for x in range(n)] for y in range(m)] for row in nullspace(constraints(space), m * n)]


def assert_is_the_definition(space: Any) -> Any:
    """Solve, and compare element by element with the definition; returns the basis."""
    basis = rc.solve(space, store=None)
    expected = definition(space)
    assert basis.certificate.status == "proved"
    assert basis.shape == space.shape
    assert basis.dim == len(expected)
    assert [b.tolist() for b in basis] == expected
    return basis


def closure(generators: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """All elements of a finite group of integer matrices."""
    gens = [np.array(g, np.int64) for g in generators]
    found = {np.eye(len(gens[0]), dtype=np.int64).tobytes(): np.eye(len(gens[0]), dtype=np.int64)}
    frontier = list(found.values())
    while frontier:
        fresh = []
        for a in frontier:
            for g in gens:
                b = g @ a
                if b.tobytes() not in found:
                    found[b.tobytes()] = b
                    fresh.append(b)
        frontier = fresh
    return list(found.values())


def mean(values: Iterable[Any], order: int) -> int:
    """The average of a class function over a group, which must be an integer."""
    total = Fraction(sum(values), order)
    assert total.denominator == 1
    return int(total)


class Oracles:
    """What the tests of the solver share."""

    definition = staticmethod(definition)
    check: Callable[[Any], Any] = staticmethod(assert_is_the_definition)
    closure = staticmethod(closure)
    mean = staticmethod(mean)
    echelon = staticmethod(echelon)
    nullspace = staticmethod(nullspace)
    constraints = staticmethod(constraints)


@pytest.fixture(scope="session")
def oracles() -> type[Oracles]:
    return Oracles
