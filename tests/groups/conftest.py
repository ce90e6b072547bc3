"""Finite groups whose character degrees and indicators stand in books, with those numbers.

A case is a name, a function that makes the group, and the sorted list of (degree, Frobenius-Schur indicator). The numbers come
from closed formulas (hook lengths, Clifford theory, the generic table of SL(2, q)) or are copied from the ATLAS and from tables
of point groups and Weyl groups; none is computed by repcore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import factorial, prod
from typing import Any

import pytest

import repcore as rc
from repcore.exact.matrix import kron

Pairs = list[tuple[int, int]]


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], Any]
    pairs: tuple[tuple[int, int], ...]
    slow: bool = False

    @property
    def order(self) -> int:
        return sum(d * d for d, _ in self.pairs)


def case(name: str, make: Callable[[], Any], pairs: Pairs, *, slow: bool = False) -> Case:
    return Case(name, make, tuple(sorted(pairs)), slow)


def real(*degrees: int) -> Pairs:
    return [(d, 1) for d in degrees]


def partitions(n: int, most: int | None = None) -> Iterator[tuple[int, ...]]:
    if n == 0:
        yield ()
    for first in range(min(n, n if most is None else most), 0, -1):
        for rest in partitions(n - first, first):
            yield (first, *rest)


def transpose(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sum(part > i for part in shape) for i in range(shape[0] if shape else 0))


def hook_degree(shape: tuple[int, ...]) -> int:
    other = transpose(shape)
    hooks = [shape[i] - j + other[j] - i - 1 for i in range(len(shape)) for j in range(shape[i])]
    return factorial(sum(shape)) // prod(hooks)


def alternating_pairs(n: int) -> Pairs:
    out: Pairs = []
    for shape in partitions(n):
        other = transpose(shape)
        if shape > other:
            out.append((hook_degree(shape), 1))
        elif shape == other:
            diagonal = sum(part > i for i, part in enumerate(shape))
            out += [(hook_degree(shape) // 2, 1 if (n - diagonal) // 2 % 2 == 0 else 0)] * 2
    return out


def wreath_pairs(m: int, n: int) -> Pairs:
    """C_m wr S_n: m partitions of n in all; conjugation exchanges part i and part -i."""
    out: Pairs = []
    for sizes in product(range(n + 1), repeat=m):
        if sum(sizes) != n:
            continue
        for shapes in product(*(list(partitions(k)) for k in sizes)):
            degree = factorial(n) // prod(factorial(k) for k in sizes) * prod(hook_degree(s) for s in shapes)
            out.append((degree, int(all(shapes[i] == shapes[-i % m] for i in range(m)))))
    return out


def wreath(m: int, n: int) -> Any:
    turn = [*((i + 1) % m for i in range(m)), *range(m, m * n)]
    moves = [turn]
    for i in range(n - 1):
        swap = list(range(m * n))
        for a in range(m):
            swap[m * i + a], swap[m * i + m + a] = m * i + m + a, m * i + a
        moves.append(swap)
    return rc.PermutationGroup(moves)


def cyclic_pairs(n: int) -> Pairs:
    return [(1, int(2 * k % n == 0)) for k in range(n)]


def cyclic(n: int) -> Any:
    return rc.PermutationGroup([[(i + 1) % n for i in range(n)]])


def twisted(n: int, k: int) -> Any:
    """<r, s> on Z/n: r is i -> i + 1, s is i -> k i."""
    return rc.PermutationGroup([[(i + 1) % n for i in range(n)], [k * i % n for i in range(n)]])


def dihedral_pairs(n: int) -> Pairs:
    return real(*([1] * 4 + [2] * (n // 2 - 1) if n % 2 == 0 else [1, 1] + [2] * (n // 2)))


def dicyclic_pairs(m: int) -> Pairs:
    linear = real(1, 1, 1, 1) if m % 2 == 0 else [(1, 1), (1, 1), (1, 0), (1, 0)]
    return linear + [(2, -1 if k % 2 else 1) for k in range(1, m)]


def frobenius_pairs(p: int, q: int) -> Pairs:
    return cyclic_pairs(q) + [(q, 1 - q % 2)] * ((p - 1) // q)


def frobenius(p: int, q: int) -> Any:
    k = next(g for g in range(2, p) if all(pow(g, (p - 1) // r, p) != 1 for r in range(2, p) if (p - 1) % r == 0))
    return twisted(p, pow(k, (p - 1) // q, p))


def heisenberg(p: int) -> Any:
    shift = [[int(i == (j + 1) % p) for j in range(p)] for i in range(p)]
    clock = [[f"zeta({p})**{i}" if i == j else 0 for j in range(p)] for i in range(p)]
    return rc.Group([shift, clock])


def extraspecial(n: int, sign: int) -> Any:
    """2^(1+2n): central products of n dihedral groups of order 8, the last one Q8 for the minus type."""
    one, x, z = rc.matrix([[1, 0], [0, 1]]), rc.matrix([[0, 1], [1, 0]]), rc.matrix([[1, 0], [0, -1]])
    last = [rc.matrix([["I", 0], [0, "-I"]]), rc.matrix([[0, 1], [-1, 0]])]
    gens: list[Any] = []
    for i in range(n):
        for g in last if sign < 0 and i == n - 1 else [x, z]:
            gens.append(_tensor([g if k == i else one for k in range(n)]))
    return rc.Group(gens)


def _tensor(factors: list[Any]) -> Any:
    out = factors[0]
    for f in factors[1:]:
        out = kron(out, f)
    return out


def _line(p: int, a: int, b: int, c: int, d: int) -> list[int]:
    """(a x + b) / (c x + d) on the projective line, infinity last."""
    out: list[int] = []
    for x in range(p + 1):
        top, bottom = (a, c) if x == p else (a * x + b, c * x + d)
        out.append(p if bottom % p == 0 else top * pow(bottom, -1, p) % p)
    return out


def psl(p: int) -> Any:
    return rc.PermutationGroup([_line(p, 1, 1, 0, 1), _line(p, 0, -1, 1, 0)])


def pgl(p: int) -> Any:
    g = next(g for g in range(2, p) if all(pow(g, k, p) != 1 for k in range(1, p - 1))) if p > 3 else 2
    return rc.PermutationGroup([_line(p, 1, 1, 0, 1), _line(p, 0, -1, 1, 0), _line(p, g, 0, 0, 1)])


def sl(p: int) -> Any:
    points = [v for v in product(range(p), repeat=2) if any(v)]
    place = {v: i for i, v in enumerate(points)}
    return rc.PermutationGroup(
        [[place[(a * x + b * y) % p, (c * x + d * y) % p] for x, y in points] for a, b, c, d in [(1, 1, 0, 1), (0, -1, 1, 0)]]
    )


def psl_pairs(p: int) -> Pairs:
    half = [((p + 1) // 2, 1)] * 2 if p % 4 == 1 else [((p - 1) // 2, 0)] * 2
    principal = (p - 5) // 4 if p % 4 == 1 else (p - 3) // 4
    discrete = (p - 1) // 4 if p % 4 == 1 else (p - 3) // 4
    return real(1, p, *[p + 1] * principal, *[p - 1] * discrete) + half


def sl_pairs(p: int) -> Pairs:
    principal = [(p + 1, (-1) ** i) for i in range(1, (p - 1) // 2)]
    discrete = [(p - 1, (-1) ** j) for j in range(1, (p + 1) // 2)]
    halves = [((p + 1) // 2, 1)] * 2 + [((p - 1) // 2, -1)] * 2
    if p % 4 == 3:
        halves = [(d, 0) for d, _ in halves]
    return real(1, p) + principal + discrete + halves


def pgl_pairs(p: int) -> Pairs:
    return real(1, 1, p, p, *[p + 1] * ((p - 3) // 2), *[p - 1] * ((p - 1) // 2))


def weyl(rank: int, bonds: dict[tuple[int, int], tuple[Any, Any]]) -> Any:
    """Reflections s_i(a_j) = a_j - c_ij a_i in simple roots; ``bonds`` gives c_ij and c_ji."""
    cartan: list[list[Any]] = [[2 if i == j else 0 for j in range(rank)] for i in range(rank)]
    for (i, j), (a, b) in bonds.items():
        cartan[i][j], cartan[j][i] = a, b
    gens: list[Any] = []
    for i in range(rank):
        rows: list[list[Any]] = [[int(a == b) for b in range(rank)] for a in range(rank)]
        rows[i] = [rc.number(int(i == j)) - rc.number(cartan[i][j]) for j in range(rank)]
        gens.append(rows)
    return rc.Group(gens)


def chain(*pairs: tuple[int, int]) -> dict[tuple[int, int], tuple[Any, Any]]:
    return dict.fromkeys(pairs, (-1, -1))


_GOLDEN = ("-(1 + sqrt(5))/2", "-(1 + sqrt(5))/2")
_F4 = [1] * 4 + [2] * 4 + [4] * 5 + [6, 6] + [8] * 4 + [9] * 4 + [12, 16]
_H4 = [*[1] * 2, *[4] * 4, 6, 6, 8, 8, *[9] * 4, 10, *[16] * 6, 18, *[24] * 4, 25, 25, 30, 30, 36, 36, 40, 48]
_E6 = [1, 1, 6, 6, 10, 15, 15, 15, 15, 20, 20, 20, 24, 24, 30, 30, 60, 60, 60, 64, 64, 80, 81, 81, 90]

COXETER = [
    case("W(G2)", lambda: weyl(2, {(0, 1): (-1, -3)}), dihedral_pairs(6)),
    case("W(A4)", lambda: weyl(4, chain((0, 1), (1, 2), (2, 3))), real(*(hook_degree(s) for s in partitions(5)))),
    case("W(A5)", lambda: weyl(5, chain((0, 1), (1, 2), (2, 3), (3, 4))), real(*(hook_degree(s) for s in partitions(6)))),
    case("W(B3)", lambda: weyl(3, chain((0, 1)) | {(1, 2): (-2, -1)}), wreath_pairs(2, 3)),
    case("W(D4)", lambda: weyl(4, chain((0, 1), (1, 2), (1, 3))), real(1, 1, 2, *[3] * 6, 4, 4, 6, 8)),
    case("W(F4)", lambda: weyl(4, chain((0, 1), (2, 3)) | {(1, 2): (-2, -1)}), real(*_F4)),
    case("H3", lambda: weyl(3, {(0, 1): _GOLDEN} | chain((1, 2))), real(1, 1, 3, 3, 3, 3, 4, 4, 5, 5)),
    case("H4", lambda: weyl(4, {(0, 1): _GOLDEN} | chain((1, 2), (2, 3))), real(*_H4), slow=True),
    case("W(E6)", lambda: weyl(6, chain((0, 2), (2, 3), (3, 4), (4, 5), (1, 3))), real(*_E6), slow=True),
]

# Axis matrices; three- and sixfold axes in the hexagonal basis, so that all entries are integers.
_C2Z, _C2X, _MZ = [[-1, 0, 0], [0, -1, 0], [0, 0, 1]], [[1, 0, 0], [0, -1, 0], [0, 0, -1]], [[1, 0, 0], [0, 1, 0], [0, 0, -1]]
_MX, _INV = [[-1, 0, 0], [0, 1, 0], [0, 0, 1]], [[-1, 0, 0], [0, -1, 0], [0, 0, -1]]
_C4, _S4 = [[0, -1, 0], [1, 0, 0], [0, 0, 1]], [[0, 1, 0], [-1, 0, 0], [0, 0, -1]]
_C3, _C6 = [[0, -1, 0], [1, -1, 0], [0, 0, 1]], [[1, -1, 0], [1, 0, 0], [0, 0, 1]]
_S3 = [[0, -1, 0], [1, -1, 0], [0, 0, -1]]
_C2H, _MH = [[0, 1, 0], [1, 0, 0], [0, 0, -1]], [[0, -1, 0], [-1, 0, 0], [0, 0, 1]]
_C3D, _C4X = [[0, 0, 1], [1, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
_S4X = [[-1, 0, 0], [0, 0, 1], [0, -1, 0]]

# Hermann-Mauguin symbol: generators, irreps A and B, complex E of degree one (in pairs), E of degree two, T.
POINT_GROUPS: dict[str, tuple[list[Any], int, int, int, int]] = {
    "1": ([], 1, 0, 0, 0), "-1": ([_INV], 2, 0, 0, 0), "2": ([_C2Z], 2, 0, 0, 0), "m": ([_MZ], 2, 0, 0, 0),
    "2/m": ([_C2Z, _INV], 4, 0, 0, 0), "222": ([_C2Z, _C2X], 4, 0, 0, 0), "mm2": ([_C2Z, _MX], 4, 0, 0, 0),
    "mmm": ([_C2Z, _C2X, _INV], 8, 0, 0, 0), "4": ([_C4], 2, 1, 0, 0), "-4": ([_S4], 2, 1, 0, 0),
    "4/m": ([_C4, _INV], 4, 2, 0, 0), "422": ([_C4, _C2X], 4, 0, 1, 0), "4mm": ([_C4, _MX], 4, 0, 1, 0),
    "-42m": ([_S4, _C2X], 4, 0, 1, 0), "4/mmm": ([_C4, _C2X, _INV], 8, 0, 2, 0), "3": ([_C3], 1, 1, 0, 0),
    "-3": ([_C3, _INV], 2, 2, 0, 0), "32": ([_C3, _C2H], 2, 0, 1, 0), "3m": ([_C3, _MH], 2, 0, 1, 0),
    "-3m": ([_C3, _C2H, _INV], 4, 0, 2, 0), "6": ([_C6], 2, 2, 0, 0), "-6": ([_S3], 2, 2, 0, 0),
    "6/m": ([_C6, _INV], 4, 4, 0, 0), "622": ([_C6, _C2H], 4, 0, 2, 0), "6mm": ([_C6, _MH], 4, 0, 2, 0),
    "-6m2": ([_S3, _MH], 4, 0, 2, 0), "6/mmm": ([_C6, _C2H, _INV], 8, 0, 4, 0), "23": ([_C2Z, _C3D], 1, 1, 0, 1),
    "m-3": ([_C2Z, _C3D, _INV], 2, 2, 0, 2), "432": ([_C4X, _C3D], 2, 0, 1, 2), "-43m": ([_S4X, _C3D], 2, 0, 1, 2),
    "m-3m": ([_C4X, _C3D, _INV], 4, 0, 2, 4),
}  # fmt: skip


def _point_case(symbol: str) -> Case:
    gens, a, e, e2, t = POINT_GROUPS[symbol]
    pairs = real(*[1] * a, *[2] * e2, *[3] * t) + [(1, 0)] * (2 * e)
    return case(f"point group {symbol}", lambda: rc.Group(gens, dim=3), pairs)


def binary_octahedral() -> Any:
    return rc.Group([[["zeta(8)", 0], [0, "zeta(8)**7"]], [["(1+I)/2", "(1+I)/2"], ["(-1+I)/2", "(1-I)/2"]]])


def gl23() -> Any:
    points = [v for v in product(range(3), repeat=2) if any(v)]
    place = {v: i for i, v in enumerate(points)}
    moves = [(1, 1, 0, 1), (0, -1, 1, 0), (-1, 0, 0, 1)]
    return rc.PermutationGroup([[place[(a * x + b * y) % 3, (c * x + d * y) % 3] for x, y in points] for a, b, c, d in moves])


_M11 = ["(0 1 2 3 4 5 6 7 8 9 10)", "(2 6 10 7)(3 9 4 5)"]
_M12 = [*_M11, "(0 11)(1 10)(2 5)(3 7)(4 8)(6 9)"]

SPORADIC = [
    case("M11", lambda: rc.PermutationGroup(_M11), real(1, 10, 11, 44, 45, 55) + [(10, 0)] * 2 + [(16, 0)] * 2),
    case(
        "M12",
        lambda: rc.PermutationGroup(_M12),
        real(1, 11, 11, 45, 54, 55, 55, 55, 66, 99, 120, 144, 176) + [(16, 0)] * 2,
        slow=True,
    ),
    case("PSL(2,7) on 7 points", lambda: rc.PermutationGroup(["(0 1 2 3 4 5 6)", "(1 2)(3 6)"]), psl_pairs(7)),
    case("GL(2,3)", gl23, real(1, 1, 2, 3, 3, 4) + [(2, 0)] * 2),
    case("2O", binary_octahedral, [*real(1, 1, 2, 3, 3), (2, -1), (2, -1), (4, -1)]),
    case("SD16", lambda: twisted(8, 3), real(1, 1, 1, 1, 2) + [(2, 0)] * 2),
    case("M16", lambda: twisted(8, 5), real(1, 1, 1, 1) + [(1, 0)] * 4 + [(2, 0)] * 2),
    case("SD32", lambda: twisted(16, 7), real(1, 1, 1, 1, 2, 2, 2) + [(2, 0)] * 4),
    case("I", rc.icosahedral, real(1, 3, 3, 4, 5)),
    case("Ih", lambda: rc.icosahedral(full=True), real(1, 1, 3, 3, 3, 3, 4, 4, 5, 5)),
    case("trivial", lambda: rc.Group(dim=2), real(1)),
]


def times(*pairs: Pairs) -> Pairs:
    """The pairs of a direct product."""
    out: Pairs = [(1, 1)]
    for p in pairs:
        out = [(a * b, s * t) for a, s in out for b, t in p]
    return out


def power_of_two(k: int) -> Any:
    return rc.PermutationGroup([f"({2 * i} {2 * i + 1})" for i in range(k)])


Q8, S3, S4 = dicyclic_pairs(2), real(1, 1, 2), real(1, 1, 2, 3, 3)

PRODUCTS = [
    case("Q8 x Q8", lambda: rc.quaternion() @ rc.quaternion(), times(Q8, Q8)),
    case("Q8 x D4", lambda: rc.quaternion() @ rc.dihedral(4), times(Q8, dihedral_pairs(4))),
    case("Q8 x C7", lambda: rc.quaternion() @ cyclic(7), times(Q8, cyclic_pairs(7))),
    case("S3 x S3", lambda: rc.symmetric(3) @ rc.symmetric(3), times(S3, S3)),
    case("S4 x C3", lambda: rc.symmetric(4) @ cyclic(3), times(S4, cyclic_pairs(3))),
    case("S4 x S4", lambda: rc.symmetric(4) @ rc.symmetric(4), times(S4, S4)),
    case("A5 x A5", lambda: rc.alternating(5) @ rc.alternating(5), times(alternating_pairs(5), alternating_pairs(5))),
    case("C6 x C10 x C15", lambda: cyclic(6) @ cyclic(10) @ cyclic(15), times(*(cyclic_pairs(n) for n in (6, 10, 15)))),
    case("C4 x C4", lambda: cyclic(4) @ cyclic(4), times(cyclic_pairs(4), cyclic_pairs(4))),
    case("C9 x C3", lambda: cyclic(9) @ cyclic(3), times(cyclic_pairs(9), cyclic_pairs(3))),
    *(case(f"C2^{k}", lambda k=k: power_of_two(k), real(*[1] * 2**k)) for k in (2, 3, 5, 8)),
]

FROBENIUS = [(5, 2), (5, 4), (7, 3), (7, 6), (11, 5), (11, 10), (13, 3), (13, 4), (13, 6), (13, 12), (17, 8), (17, 16), (19, 9)]
FROBENIUS += [(19, 18), (23, 11), (29, 7), (29, 28), (31, 15), (37, 9), (41, 5), (43, 7), (61, 5), (101, 25)]

WREATH = [(3, 2), (3, 3), (4, 2), (5, 2), (4, 3)]

BOOKS: list[Case] = [
    *(case(f"S{n}", lambda n=n: rc.symmetric(n), real(*(hook_degree(s) for s in partitions(n)))) for n in range(1, 9)),
    *(case(f"A{n}", lambda n=n: rc.alternating(n), alternating_pairs(n)) for n in range(3, 9)),
    *(case(f"C{n}", lambda n=n: cyclic(n), cyclic_pairs(n)) for n in (*range(1, 33), 60, 97, 128, 360)),
    *(case(f"C{n} in the plane", lambda n=n: rc.cyclic(n), cyclic_pairs(n)) for n in (1, 2, 3, 5, 8, 12)),
    *(case(f"D{n}", lambda n=n: twisted(n, n - 1), dihedral_pairs(n)) for n in (*range(3, 31), 100)),
    *(case(f"D{n} in the plane", lambda n=n: rc.dihedral(n), dihedral_pairs(n)) for n in range(2, 9)),
    *(case(f"Q{4 * m}", lambda m=m: rc.quaternion(4 * m), dicyclic_pairs(m)) for m in range(2, 13)),
    *(
        case(f"2^(1+{2 * n}){s}", lambda n=n, s=s: extraspecial(n, int(s + "1")), [*real(*[1] * 4**n), (2**n, int(s + "1"))])
        for n in (1, 2, 3)
        for s in "+-"
    ),
    *(
        case(f"{p}^(1+2)", lambda p=p: heisenberg(p), [(1, int(i == 0)) for i in range(p * p)] + [(p, 0)] * (p - 1))
        for p in (3, 5, 7)
    ),
    *(_point_case(symbol) for symbol in POINT_GROUPS),
    *(case(f"B{n}", lambda n=n: rc.hyperoctahedral(n), wreath_pairs(2, n)) for n in range(1, 6)),
    *(case(f"C{m} wr S{n}", lambda m=m, n=n: wreath(m, n), wreath_pairs(m, n)) for m, n in WREATH),
    *(case(f"F({p},{q})", lambda p=p, q=q: frobenius(p, q), frobenius_pairs(p, q)) for p, q in FROBENIUS),
    *(case(f"PSL(2,{p})", lambda p=p: psl(p), psl_pairs(p)) for p in (5, 7, 11, 13, 17)),
    *(case(f"SL(2,{p})", lambda p=p: sl(p), sl_pairs(p)) for p in (3, 5, 7, 11)),
    *(case(f"PGL(2,{p})", lambda p=p: pgl(p), pgl_pairs(p)) for p in (3, 5, 7, 11)),
    *COXETER,
    *SPORADIC,
    *PRODUCTS,
]


SMALL = [c for c in BOOKS if len(c.pairs) <= 12 and c.order <= 200]
# Real irreps of all of these are made and checked as matrices.
MEDIUM = [c for c in BOOKS if c.order <= 2000 and len(c.pairs) <= 60 and not c.slow]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with an argument ``book``, ``small_book`` or ``medium_book`` runs once for each group."""
    for name, cases in (("book", BOOKS), ("small_book", SMALL), ("medium_book", MEDIUM)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, cases, ids=[c.name for c in cases])


@pytest.fixture
def books() -> list[Case]:
    return BOOKS
