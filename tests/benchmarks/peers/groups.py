"""Finite groups of the benchmark that have no name in repcore, each written down from its definition."""

from __future__ import annotations

from itertools import product
from typing import Any

import repcore as rc

GOLDEN = "(1 + sqrt(5))/2"

CARTAN: dict[str, list[list[Any]]] = {
    "A4": [[2, -1, 0, 0], [-1, 2, -1, 0], [0, -1, 2, -1], [0, 0, -1, 2]],
    "F4": [[2, -1, 0, 0], [-1, 2, -2, 0], [0, -1, 2, -1], [0, 0, -1, 2]],
    "H4": [[2, f"-{GOLDEN}", 0, 0], [f"-{GOLDEN}", 2, -1, 0], [0, -1, 2, -1], [0, 0, -1, 2]],
    "E6": [
        [2, 0, -1, 0, 0, 0],
        [0, 2, 0, -1, 0, 0],
        [-1, 0, 2, -1, 0, 0],
        [0, -1, -1, 2, -1, 0],
        [0, 0, 0, -1, 2, -1],
        [0, 0, 0, 0, -1, 2],
    ],
}


def coxeter(name: str) -> rc.Group:
    """The reflection group of a Cartan matrix A on simple roots: s_i(a_j) = a_j - A_ij a_i. Dense, not orthogonal."""
    cartan = CARTAN[name]
    n = len(cartan)
    reflections: list[list[list[Any]]] = []
    for i, row in enumerate(cartan):
        table: list[list[Any]] = [[int(a == b) for b in range(n)] for a in range(n)]
        # s_i - 1 has the one row -A_i.
        table[i] = [f"-({x})" if j != i else -1 for j, x in enumerate(row)]
        reflections.append(table)
    return rc.Group(reflections, name=f"W({name})")


def rubik() -> rc.Group:
    """Rubik's cube on its 48 movable facelets: six quarter turns of space, each applied to the facelets of one layer.

    A facelet is (position of its cubie in {-1, 0, 1}^3, outward normal); the normal agrees with the position where it points.
    """
    facelets: list[tuple[tuple[int, int, int], tuple[int, int, int]]] = []
    for x, y, z in product((-1, 0, 1), repeat=3):
        where = (x, y, z)
        if sum(map(abs, where)) < 2:
            continue  # the middle and the six centres do not move
        for axis in range(3):
            if where[axis]:
                normal = [0, 0, 0]
                normal[axis] = where[axis]
                facelets.append((where, (normal[0], normal[1], normal[2])))
    number = {facelet: i for i, facelet in enumerate(facelets)}

    def turned(v: tuple[int, int, int], axis: int) -> tuple[int, int, int]:
        b, c = (axis + 1) % 3, (axis + 2) % 3
        out = list(v)
        out[b], out[c] = -v[c], v[b]
        return out[0], out[1], out[2]

    moves: list[list[int]] = []
    for axis, side in product(range(3), (-1, 1)):
        moves.append(
            [
                number[turned(where, axis), turned(normal, axis)] if where[axis] == side else i
                for i, (where, normal) in enumerate(facelets)
            ]
        )
    return rc.PermutationGroup(moves, "Rubik")


def klein() -> rc.Group:
    """PSL(2, 7), order 168, by Klein's 3 x 3 matrices over Q(zeta_7)."""

    def difference(a: int, b: int) -> str:
        # sqrt(-7) = 1 + 2 (zeta + zeta^2 + zeta^4)
        return f"(zeta(7)**{a} - zeta(7)**{b})*(1 + 2*(zeta(7) + zeta(7)**2 + zeta(7)**4))/7"

    a, b, c = difference(2, 5), difference(1, 6), difference(4, 3)
    diagonal = [["zeta(7)", 0, 0], [0, "zeta(7)**2", 0], [0, 0, "zeta(7)**4"]]
    return rc.Group([diagonal, [[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[a, b, c], [b, c, a], [c, a, b]]], name="PSL(2,7)")


def clifford() -> rc.Group:
    """The Clifford group of one qubit with its phases, order 192: the Hadamard and the phase gate over Q(zeta_8)."""
    return rc.Group([[["sqrt(2)/2", "sqrt(2)/2"], ["sqrt(2)/2", "-sqrt(2)/2"]], [[1, 0], [0, "I"]]], name="Clifford")


def shifts(n: int) -> rc.Group:
    """Z_n, permuting n points cyclically."""
    return rc.PermutationGroup([[*range(1, n), 0]], f"Z{n}")
