"""Rubik's cube: 48 facelets, six quarter turns, 43,252,003,274,489,856,000 positions."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import repcore as rc

Vector = tuple[int, int, int]


def facelets() -> list[tuple[Vector, Vector]]:
    """(cubie, outward normal) for every sticker that is not a centre; coordinates -1, 0, 1."""
    out: list[tuple[Vector, Vector]] = []
    for cubie in product((-1, 0, 1), repeat=3):
        if sum(map(abs, cubie)) < 2:
            continue
        for axis in range(3):
            if cubie[axis]:
                normal = [0, 0, 0]
                normal[axis] = cubie[axis]
                out.append((cubie, (normal[0], normal[1], normal[2])))
    return out


def quarter_turn(v: Vector, axis: int) -> Vector:
    """A positive quarter turn about a coordinate axis."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out = list(v)
    out[a], out[b] = -v[b], v[a]
    return (out[0], out[1], out[2])


def moves() -> list[str]:
    """The six face turns as cycles of sticker numbers."""
    stickers = facelets()
    place = {s: i for i, s in enumerate(stickers)}
    out: list[str] = []
    for axis, side in product(range(3), (-1, 1)):
        images = [place[quarter_turn(c, axis), quarter_turn(n, axis)] if c[axis] == side else place[c, n] for c, n in stickers]
        text, seen = "", set[int]()
        for start in range(len(images)):
            cycle, x = [], start
            while x not in seen:
                seen.add(x)
                cycle.append(x)
                x = images[x]
            text += f"({' '.join(map(str, cycle))})" if len(cycle) > 1 else ""
        out.append(text)
    return out


@pytest.fixture(scope="module")
def cube() -> Any:
    return rc.PermutationGroup(moves(), name="cube", degree=48)


def test_each_move_is_five_four_cycles() -> None:
    assert len(facelets()) == 48
    assert all(m.count("(") == 5 and m.count(" ") == 15 for m in moves())


def test_order(cube: Any) -> None:
    assert rc.order(cube) == 43_252_003_274_489_856_000


def test_maps_between_stickers(cube: Any) -> None:
    """Corner stickers: equal, next, previous on the same corner, elsewhere. Edges: equal, flipped, elsewhere. And across."""
    V = cube.rep
    assert rc.solve(rc.trivial(cube) >> V, store=None).dim == 2
    basis = rc.solve(V >> V, store=None)
    assert basis.dim == 4 + 3 + 2
    assert sorted(int(b.nnz) for b in basis) == sorted([24, 24, 24, 24 * 21, 24, 24, 24 * 22, 24 * 24, 24 * 24])
    assert np.array_equal(basis.to_numpy().sum(axis=0), np.ones((48, 48)))
    assert rc.verify(basis)


def test_order_three(cube: Any) -> None:
    V = cube.rep
    basis = rc.solve(V * V >> V, store=None)
    # Orbits of triples, counted by hand from the wreath product of corners and edges: see `triples`.
    assert basis.dim == triples(3)
    assert rc.verify(basis)


def test_order_four(cube: Any) -> None:
    V = cube.rep
    basis = rc.solve(V * V >> V * V, store=None)
    assert basis.certificate.status == "proved"
    assert basis.dim == triples(4) == 350


def triples(m: int) -> int:
    """Orbits of m-tuples of stickers.

    With few cubies involved the group acts on them like the full wreath products of S_8 with Z_3 and of S_12 with Z_2:
    parity and total twist are made up for by cubies that are not named. So choose which places of the tuple are corners,
    partition them into cubies, and in each cubie place the stickers relative to the first one.
    """
    from functools import cache
    from math import comb

    @cache
    def one_kind(k: int, twists: int) -> int:
        # Block of the first place has 1 + j members, the j others with any of the relative twists.
        if k == 0:
            return 1
        return sum(comb(k - 1, j) * twists**j * one_kind(k - 1 - j, twists) for j in range(k))

    return sum(comb(m, k) * one_kind(k, 3) * one_kind(m - k, 2) for k in range(m + 1))
