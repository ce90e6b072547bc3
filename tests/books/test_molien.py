"""Molien series as printed: the 32 crystallographic point groups, reflection groups, invariants of codes."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd, lcm, prod
from typing import Any

import pytest

import repcore as rc

TERMS = 64


def series(degrees: list[int], secondary: list[int], terms: int = TERMS) -> list[int]:
    """sum t^s / prod (1 - t^d) over the degrees d of primary and s of secondary invariants, expanded."""
    out = [secondary.count(k) for k in range(terms)]
    for d in degrees:
        for k in range(d, terms):
            out[k] += out[k - d]
    return out


def check(group: Any, order: int, degrees: list[int], secondary: list[int]) -> None:
    """The series; and what follows from it at t = 1: the order of the group, and how many reflections it has."""
    assert rc.order(group) == order
    assert prod(degrees) == order * len(secondary)
    assert list(rc.molien(group.rep, TERMS)) == series(degrees, secondary)
    chi = rc.character(group.rep)
    n = group.dim
    mirrors = sum(int(size) for j, size in enumerate(chi.classes.sizes) if chi.spectrum(j)[0] == n - 1)
    assert mirrors * len(secondary) == len(secondary) * sum(d - 1 for d in degrees) - 2 * sum(secondary)


# -- the crystal classes --------------------------------------------------------------------------------------------------

C2, C2X, MZ, MX = (
    [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    [[1, 0, 0], [0, 1, 0], [0, 0, -1]],
    [[-1, 0, 0], [0, 1, 0], [0, 0, 1]],
)
INV, C4, S4 = [[-1, 0, 0], [0, -1, 0], [0, 0, -1]], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], [[0, -1, 0], [1, 0, 0], [0, 0, -1]]
# About the axis of order three in orthonormal coordinates, so that the entries need sqrt(3).
H = "sqrt(3)/2"
C3 = [["-1/2", "-" + H, 0], [H, "-1/2", 0], [0, 0, 1]]
C6 = [["1/2", "-" + H, 0], [H, "1/2", 0], [0, 0, 1]]
DIAGONAL, QUARTER, S4X = (
    [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    [[-1, 0, 0], [0, 0, -1], [0, 1, 0]],
)

# Hermann-Mauguin and Schoenflies symbols, generators, order, degrees of primary and of secondary invariants.
CRYSTALS: list[tuple[str, str, list[Any], int, list[int], list[int]]] = [
    ("1", "C1", [], 1, [1, 1, 1], [0]),
    ("-1", "Ci", [INV], 2, [2, 2, 2], [0, 2, 2, 2]),
    ("2", "C2", [C2], 2, [1, 2, 2], [0, 2]),
    ("m", "Cs", [MZ], 2, [1, 1, 2], [0]),
    ("2/m", "C2h", [C2, INV], 4, [2, 2, 2], [0, 2]),
    ("222", "D2", [C2, C2X], 4, [2, 2, 2], [0, 3]),
    ("mm2", "C2v", [C2, MX], 4, [1, 2, 2], [0]),
    ("mmm", "D2h", [C2, C2X, INV], 8, [2, 2, 2], [0]),
    ("4", "C4", [C4], 4, [1, 2, 4], [0, 4]),
    ("-4", "S4", [S4], 4, [2, 2, 4], [0, 3, 3, 4]),
    ("4/m", "C4h", [C4, INV], 8, [2, 2, 4], [0, 4]),
    ("422", "D4", [C4, C2X], 8, [2, 2, 4], [0, 5]),
    ("4mm", "C4v", [C4, MX], 8, [1, 2, 4], [0]),
    ("-42m", "D2d", [S4, C2X], 8, [2, 2, 4], [0, 3]),
    ("4/mmm", "D4h", [C4, C2X, INV], 16, [2, 2, 4], [0]),
    ("3", "C3", [C3], 3, [1, 2, 3], [0, 3]),
    ("-3", "S6", [C3, INV], 6, [2, 2, 6], [0, 4, 4, 6]),
    ("32", "D3", [C3, C2X], 6, [2, 2, 3], [0, 4]),
    ("3m", "C3v", [C3, MX], 6, [1, 2, 3], [0]),
    ("-3m", "D3d", [C3, C2X, INV], 12, [2, 2, 6], [0, 4]),
    ("6", "C6", [C6], 6, [1, 2, 6], [0, 6]),
    ("-6", "C3h", [C3, MZ], 6, [2, 2, 3], [0, 3]),
    ("6/m", "C6h", [C6, INV], 12, [2, 2, 6], [0, 6]),
    ("622", "D6", [C6, C2X], 12, [2, 2, 6], [0, 7]),
    ("6mm", "C6v", [C6, MX], 12, [1, 2, 6], [0]),
    ("-6m2", "D3h", [C3, MZ, C2X], 12, [2, 2, 3], [0]),
    ("6/mmm", "D6h", [C6, C2X, INV], 24, [2, 2, 6], [0]),
    ("23", "T", [C2, DIAGONAL], 12, [2, 3, 4], [0, 6]),
    ("m-3", "Th", [C2, DIAGONAL, INV], 24, [2, 4, 6], [0, 6]),
    ("432", "O", [QUARTER, DIAGONAL], 24, [2, 4, 6], [0, 9]),
    ("-43m", "Td", [S4X, DIAGONAL], 24, [2, 3, 4], [0]),
    ("m-3m", "Oh", [QUARTER, DIAGONAL, INV], 48, [2, 4, 6], [0]),
]


@pytest.mark.parametrize(("gens", "order", "degrees", "secondary"), [c[2:] for c in CRYSTALS], ids=[c[0] for c in CRYSTALS])
def test_crystal_classes(gens: list[Any], order: int, degrees: list[int], secondary: list[int]) -> None:
    check(rc.Group(gens, dim=3), order, degrees, secondary)


@pytest.mark.parametrize(("gens", "order", "degrees", "secondary"), [c[2:] for c in CRYSTALS], ids=[c[0] for c in CRYSTALS])
def test_the_solver_finds_the_invariant_polynomials(
    gens: list[Any], order: int, degrees: list[int], secondary: list[int]
) -> None:
    V = rc.Group(gens, dim=3).rep
    assert [rc.invariants(V.sym(k), store=None).dim for k in range(8)] == series(degrees, secondary, 8)


@pytest.mark.parametrize("n", [5, 7, 8, 9, 10, 12])
def test_polygons_prisms_and_antiprisms(n: int) -> None:
    """Axial groups that no crystal has."""
    check(rc.dihedral(n), 2 * n, [2, n], [0])
    check(rc.cyclic(n), n, [2, n], [0, n])
    c, s = f"cos(2*pi/{n})", f"sin(2*pi/{n})"
    turn = [[c, f"-{s}", 0], [s, c, 0], [0, 0, 1]]
    check(rc.Group([turn, C2X]), 2 * n, [2, 2, n], [0, n + 1])
    check(rc.Group([turn, C2X, MZ]), 4 * n, [2, 2, n], [0])
    check(rc.Group([turn, MX]), 2 * n, [1, 2, n], [0])
    half = [[f"cos(pi/{n})", f"-sin(pi/{n})", 0], [f"sin(pi/{n})", f"cos(pi/{n})", 0], [0, 0, -1]]
    check(rc.Group([half, C2X]), 4 * n, [2, 2, 2 * n], [0, n + 1])


def test_platonic_solids() -> None:
    check(rc.tetrahedral(), 12, [2, 3, 4], [0, 6])
    check(rc.tetrahedral(full=True), 24, [2, 3, 4], [0])
    check(rc.octahedral(), 24, [2, 4, 6], [0, 9])
    check(rc.octahedral(full=True), 48, [2, 4, 6], [0])
    check(rc.icosahedral(), 60, [2, 6, 10], [0, 15])
    check(rc.icosahedral(full=True), 120, [2, 6, 10], [0])


# -- reflection groups ----------------------------------------------------------------------------------------------------

GOLDEN = "(1 + sqrt(5))/2"


def coxeter(rank: int, bonds: dict[tuple[int, int], str], *, even: bool = False) -> Any:
    """s_i(a_j) = a_j + c a_i in simple roots, c = 2 cos(pi/m) for a bond with mark m; ``even`` keeps the rotations s_0 s_i."""
    gens: list[Any] = []
    for i in range(rank):
        rows: list[list[Any]] = [[int(a == b) for b in range(rank)] for a in range(rank)]
        for j in range(rank):
            rows[i][j] = -1 if i == j else bonds.get((i, j), bonds.get((j, i), 0))
        gens.append(rc.matrix(rows))
    return rc.Group([gens[0] @ g for g in gens[1:]] if even else gens)


def line(*marks: Any) -> dict[tuple[int, int], Any]:
    return {(i, i + 1): m for i, m in enumerate(marks)}


def fork(n: int) -> dict[tuple[int, int], Any]:
    """D_n: a line with two ends."""
    return {(i, i + 1): 1 for i in range(n - 2)} | {(n - 3, n - 1): 1}


E6 = {(0, 1): 1, (1, 2): 1, (2, 3): 1, (3, 4): 1, (2, 5): 1}

WEYL: list[tuple[str, int, dict[tuple[int, int], Any], list[int]]] = [
    *((f"A{n}", n, line(*[1] * (n - 1)), list(range(2, n + 2))) for n in (1, 2, 3, 4, 5)),
    *((f"B{n}", n, line("sqrt(2)", *[1] * (n - 2)), list(range(2, 2 * n + 1, 2))) for n in (2, 3, 4)),
    *((f"D{n}", n, fork(n), [*range(2, 2 * n - 1, 2), n]) for n in (4, 5)),
    ("F4", 4, line(1, "sqrt(2)", 1), [2, 6, 8, 12]),
    ("G2", 2, line("sqrt(3)"), [2, 6]),
    ("H2", 2, line(GOLDEN), [2, 5]),
    ("H3", 3, line(GOLDEN, 1), [2, 6, 10]),
]
LARGE: list[tuple[str, int, dict[tuple[int, int], Any], list[int]]] = [
    ("H4", 4, line(GOLDEN, 1, 1), [2, 12, 20, 30]),
    ("E6", 6, E6, [2, 5, 6, 8, 9, 12]),
    ("A6", 6, line(*[1] * 5), [2, 3, 4, 5, 6, 7]),
    ("B5", 5, line("sqrt(2)", 1, 1, 1), [2, 4, 6, 8, 10]),
    ("D6", 6, fork(6), [2, 4, 6, 8, 10, 6]),
]


@pytest.mark.parametrize(
    ("rank", "bonds", "degrees"),
    [*(pytest.param(*c[1:], id=c[0]) for c in WEYL), *(pytest.param(*c[1:], id=c[0], marks=pytest.mark.slow) for c in LARGE)],
)
def test_coxeter_groups_have_free_invariants(rank: int, bonds: dict[tuple[int, int], Any], degrees: list[int]) -> None:
    """Chevalley: free invariants; the rotations have one more, the product of the linear forms of all mirrors."""
    check(coxeter(rank, bonds), prod(degrees), degrees, [0])
    if rank > 1:
        mirrors = sum(d - 1 for d in degrees)
        check(coxeter(rank, bonds, even=True), prod(degrees) // 2, degrees, [0, mirrors])


@pytest.mark.parametrize(
    ("m", "p", "n"),
    [(3, 1, 2), (3, 3, 3), (4, 2, 2), (4, 4, 3), (6, 2, 2), (6, 3, 2), (6, 6, 3), (5, 5, 2), (4, 1, 3), (2, 2, 4), (3, 3, 4)],
)
def test_imprimitive_reflection_groups(m: int, p: int, n: int) -> None:
    """G(m, p, n): degrees m, 2 m, ..., (n - 1) m, n m / p."""
    swaps = [[[int(j == {i: i + 1, i + 1: i}.get(r, r)) for j in range(n)] for r in range(n)] for i in range(n - 1)]
    root = f"zeta({m})"
    twist: list[list[Any]] = [[int(i == j) for j in range(n)] for i in range(n)]
    turn: list[list[Any]] = [[int(i == j) for j in range(n)] for i in range(n)]
    twist[0][0], twist[1][1], turn[0][0] = root, f"{root}**{m - 1}", f"{root}**{p}"
    degrees = [m * k for k in range(1, n)] + [n * m // p]
    check(rc.Group([*swaps, twist, turn]), prod(degrees), degrees, [0])


def burau(strands: int, root: str) -> Any:
    """The braid group at a root of unity q: each generator is a reflection of that order, s_i(e_i) = q e_i, s_i(e_(i+1)) =
    e_(i+1) + e_i, s_i(e_(i-1)) = e_(i-1) - q e_i. Coxeter: finite exactly for 1/strands + 1/order > 1/2."""
    n, q = strands - 1, rc.number(root)
    gens: list[Any] = []
    for i in range(n):
        rows: list[list[Any]] = [[int(a == b) for b in range(n)] for a in range(n)]
        rows[i][i] = q
        if i + 1 < n:
            rows[i][i + 1] = 1
        if i:
            rows[i][i - 1] = -q
        gens.append(rc.matrix(rows))
    return rc.Group(gens)


@pytest.mark.parametrize(
    ("strands", "root", "degrees"),
    [
        pytest.param(3, "zeta(3)", [4, 6], id="G4"),
        pytest.param(3, "I", [8, 12], id="G8"),
        pytest.param(3, "zeta(5)", [20, 30], id="G16"),
        pytest.param(4, "zeta(3)", [6, 9, 12], id="G25, the Hessian group"),
        pytest.param(5, "-1", [2, 3, 4, 5], id="S5"),
        pytest.param(5, "zeta(3)", [12, 18, 24, 30], id="G32", marks=pytest.mark.slow),
    ],
)
def test_coxeters_quotients_of_braid_groups(strands: int, root: str, degrees: list[int]) -> None:
    check(burau(strands, root), prod(degrees), degrees, [0])


# Two reflections of orders p and q with a braid relation of length m, the complex polygons p[m]q of Shephard and Todd.
POLYGONS: list[tuple[str, int, int, int, list[int]]] = [
    ("G4", 3, 3, 3, [4, 6]),
    ("G5", 3, 4, 3, [6, 12]),
    ("G6", 3, 6, 2, [4, 12]),
    ("G8", 4, 3, 4, [8, 12]),
    ("G9", 4, 6, 2, [8, 24]),
    ("G10", 4, 4, 3, [12, 24]),
    ("G14", 3, 8, 2, [6, 24]),
    ("G16", 5, 3, 5, [20, 30]),
    ("G17", 5, 6, 2, [20, 60]),
    ("G18", 5, 4, 3, [30, 60]),
    ("G20", 3, 5, 3, [12, 30]),
    ("G21", 3, 10, 2, [12, 60]),
]


@pytest.mark.parametrize(("p", "m", "q", "degrees"), [c[1:] for c in POLYGONS], ids=[c[0] for c in POLYGONS])
def test_shephard_groups_of_rank_two(p: int, m: int, q: int, degrees: list[int]) -> None:
    """r = [[a, x], [0, 1]], s = [[1, 0], [1, b]]: the product has eigenvalues -exp(pi i (1/p + 1/q)) exp(+-2 pi i/m)."""
    a, b = f"zeta({p})", f"zeta({q})"
    x = rc.number(f"-zeta({2 * p})*zeta({2 * q})*2*cos(2*pi/{m}) - {a} - {b}")
    r, s = rc.matrix([[a, x], [0, 1]]), rc.matrix([[1, 0], [1, b]])
    left, right = r, s
    for i in range(1, m):
        left, right = left @ (s if i % 2 else r), right @ (r if i % 2 else s)
    assert left == right
    check(rc.Group([r, s]), prod(degrees), degrees, [0])
    # The centre of an irreducible reflection group is cyclic of the order of the greatest common divisor of the degrees.
    assert int((rc.character_table(rc.Group([r, s])).classes.sizes == 1).sum()) == gcd(*degrees)


# -- finite subgroups of SL(3), codes ------------------------------------------------------------------------------------


def test_klein_quartic() -> None:
    """PSL(2, 7) by Klein's matrices of determinant one: degrees 4, 6, 14 and 21. With -1 it is the reflection group G24."""
    a, b, c = "(zeta(7)**4 - zeta(7)**3)", "(zeta(7)**2 - zeta(7)**5)", "(zeta(7) - zeta(7)**6)"
    seventh = [["zeta(7)**4", 0, 0], [0, "zeta(7)**2", 0], [0, 0, "zeta(7)"]]
    swap = [[f"I/sqrt(7)*{x}" for x in row] for row in ([c, b, a], [b, a, c], [a, c, b])]
    gens: list[Any] = [seventh, DIAGONAL, swap]
    check(rc.Group(gens), 168, [4, 6, 14], [0, 21])
    check(rc.Group([*gens, INV]), 336, [4, 6, 14], [0])
    # The quartic itself: x^3 y + y^3 z + z^3 x has three terms.
    quartic = rc.invariants(rc.Group(gens).rep.dual.sym(4), store=None)
    assert quartic.dim == 1
    assert len({x for (x,) in quartic[0].tolist() if x != 0}) == 1
    assert sum(x != 0 for (x,) in quartic[0].tolist()) == 3


@pytest.mark.parametrize("n", [3, 4, 5, 7])
def test_diagonal_groups(n: int) -> None:
    """The monomials fixed by C_n acting by diag(z, z^a, z^b): counted one by one."""
    for a in range(n):
        for b in range(a, n):
            V = rc.Group([[[f"zeta({n})", 0, 0], [0, f"zeta({n})**{a}", 0], [0, 0, f"zeta({n})**{b}"]]]).rep
            wanted = [
                sum((k - i - j + a * i + b * j) % n == 0 for i in range(k + 1) for j in range(k - i + 1)) for k in range(12)
            ]
            assert list(rc.molien(V, 12)) == wanted


CODES: list[tuple[str, Callable[[], Any], int, list[int], list[int]]] = [
    # Weight enumerators of self-dual codes (Gleason; MacWilliams and Sloane, chapter 19).
    (
        "doubly even binary",
        lambda: [[["sqrt(2)/2", "sqrt(2)/2"], ["sqrt(2)/2", "-sqrt(2)/2"]], [[1, 0], [0, "I"]]],
        192,
        [8, 24],
        [0],
    ),
    ("binary", lambda: [[["sqrt(2)/2", "sqrt(2)/2"], ["sqrt(2)/2", "-sqrt(2)/2"]], [[1, 0], [0, -1]]], 16, [2, 8], [0]),
    (
        "ternary",
        lambda: [[["sqrt(3)/3", "2*sqrt(3)/3"], ["sqrt(3)/3", "-sqrt(3)/3"]], [[1, 0], [0, "zeta(3)"]]],
        48,
        [4, 12],
        [0],
    ),
    ("quaternary", lambda: [[["1/2", "3/2"], ["1/2", "-1/2"]], [[1, 0], [0, -1]]], 12, [2, 6], [0]),
    ("formally self-dual", lambda: [[["sqrt(2)/2", "sqrt(2)/2"], ["sqrt(2)/2", "-sqrt(2)/2"]]], 2, [1, 2], [0]),
]


@pytest.mark.parametrize(("make", "order", "degrees", "secondary"), [c[1:] for c in CODES], ids=[c[0] for c in CODES])
def test_weight_enumerators_of_self_dual_codes(
    make: Callable[[], Any], order: int, degrees: list[int], secondary: list[int]
) -> None:
    check(rc.Group(make()), order, degrees, secondary)


def test_hamming_and_golay_codes_are_invariants() -> None:
    """Coefficients of x^(n - i) y^i: the words of weight i of the extended codes. The basis is in echelon form, so that its first
    member is the enumerator of a code without words of the weight where the second begins."""

    def enumerators(k: int, n: int, step: int) -> list[list[int]]:
        basis = rc.invariants(rc.Group(CODES[k][1]()).rep.dual.sym(n), store=None)
        columns = [[x for (x,) in m.tolist()] for m in basis]
        assert all(x == 0 for c in columns for i, x in enumerate(c) if i % step)
        return [c[::step] for c in columns]

    assert enumerators(0, 8, 4) == [[1, 14, 1]]
    assert enumerators(0, 24, 4) == [[1, 0, 759, 2576, 759, 0, 1], [0, 1, -4, 6, -4, 1, 0]]
    assert enumerators(2, 4, 3) == [[1, 8]]
    assert enumerators(2, 12, 3) == [[1, 0, 264, 440, 24], [0, 1, -3, 3, -1]]
    # The hexacode over the field of four elements.
    assert enumerators(3, 6, 2) == [[1, 0, 45, 18], [0, 1, -2, 1]]


def test_cyclic_orders() -> None:
    """The series of a direct product is a Hadamard product over bidegrees; of a sum of lines, partitions into orders."""
    for m, n in [(2, 3), (4, 6), (5, 5)]:
        V = rc.Group([[[f"zeta({m})", 0], [0, 1]], [[1, 0], [0, f"zeta({n})"]]]).rep
        assert list(rc.molien(V, 40)) == series([m, n], [0], 40)
        W = rc.Group([[[f"zeta({m})", 0], [0, f"zeta({n})"]]]).rep
        assert rc.order(W.group) == lcm(m, n)
        wanted = [
            sum((i * (lcm(m, n) // m) + (k - i) * (lcm(m, n) // n)) % lcm(m, n) == 0 for i in range(k + 1)) for k in range(40)
        ]
        assert list(rc.molien(W, 40)) == wanted
