"""Dimensions that can be looked up: Bell, Catalan, Riordan, invariants of Hilbert, constants of crystals."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import comb, factorial, perm
from typing import Any

import pytest

import repcore as rc

Space = Callable[[], Any]


@cache
def stirling(m: int, k: int) -> int:
    """Partitions of m things into k blocks."""
    if m == k:
        return 1
    return 0 if k == 0 or k > m else k * stirling(m - 1, k) + stirling(m - 1, k - 1)


BELL = [1, 1, 2, 5, 15, 52, 203, 877, 4140]
CATALAN = [1, 1, 2, 5, 14, 42, 132]
RIORDAN = [1, 0, 1, 1, 3, 6, 15, 36, 91, 232, 603]
CENTRAL = [comb(2 * k, k) for k in range(6)]


def odd_factorial(m: int) -> int:
    """Pairings of m things."""
    return 0 if m % 2 else factorial(m) // (2 ** (m // 2) * factorial(m // 2))


def tensors(group: Any, p: int, q: int) -> Any:
    return group.rep**p >> group.rep**q


def case(name: str, space: Space, dim: int, *marks: Any) -> Any:
    return pytest.param(space, dim, id=name, marks=marks)


def check(space: Space | rc.Hom, dim: int) -> None:
    space = space if isinstance(space, rc.Hom) else space()
    basis = rc.solve(space, store=None)
    assert basis.dim == dim
    assert basis.certificate.status == "proved"
    assert len(basis) == dim
    assert basis.shape == space.shape


# ---------------------------------------------------------------------------------------------------- permutation groups


def orders(top: int) -> list[tuple[int, int]]:
    """(p, q) with p >= q and p + q <= top."""
    return [(p, q) for p in range(top + 1) for q in range(p + 1) if p + q <= top]


@pytest.mark.parametrize("n", range(1, 9))
def test_symmetric_groups_count_set_partitions(n: int) -> None:
    for p, q in orders(6 if n <= 4 else 4):
        m = p + q
        wanted = sum(stirling(m, k) for k in range(min(n, m) + 1))
        if n >= m:
            assert wanted == BELL[m]
        check(tensors(rc.symmetric(n), p, q), wanted)
        if p > q:
            check(tensors(rc.symmetric(n), q, p), wanted)


def test_bell_numbers_of_order_eight() -> None:
    check(tensors(rc.symmetric(4), 4, 4), sum(stirling(8, k) for k in range(5)))


@pytest.mark.parametrize("n", range(2, 7))
def test_alternating_groups_split_the_tuples_without_repetition(n: int) -> None:
    # A_n is (n-2)-transitive; on tuples of n-1 or n distinct points it has two orbits.
    for p, q in orders(4):
        wanted = sum(stirling(p + q, k) * (1 if k <= n - 2 else 2) for k in range(min(n, p + q) + 1))
        check(tensors(rc.alternating(n), p, q), wanted)


@pytest.mark.parametrize("n", range(1, 6))
def test_hyperoctahedral_groups_count_partitions_into_even_blocks(n: int) -> None:
    even = [1, 0, 1, 0, 4, 0, 31]  # OEIS A005046, with zeros between
    for p, q in orders(6 if n <= 3 else 4):
        m = p + q
        if n >= m // 2:
            check(tensors(rc.hyperoctahedral(n), p, q), even[m])


@pytest.mark.parametrize("n", range(1, 13))
def test_rotations_and_reflections_of_polygons(n: int) -> None:
    """V splits over C into two characters +1 and -1 of Z_n: count the sign patterns whose sum is 0 modulo n."""
    for p, q in orders(4):
        m = p + q
        rotations = sum(comb(m, k) for k in range(m + 1) if (2 * k - m) % n == 0)
        check(tensors(rc.cyclic(n), p, q), rotations)
        # A reflection has trace 0 on V: half of the mean over the rotations, and all of it on the trivial representation.
        reflections = 1 if m == 0 else 0
        # n = 1 and 2 are no exception: diag(1, -1) is among the reflections of trace 0.
        check(tensors(rc.dihedral(n), p, q), (rotations + reflections) // 2)


# --------------------------------------------------------------------------------------------- classical groups, V^p -> V^q


@pytest.mark.parametrize(("p", "q"), orders(8))
def test_so3_riordan_numbers(p: int, q: int) -> None:
    check(tensors(rc.SO(3), p, q), RIORDAN[p + q])
    check(tensors(rc.SO(3), q, p), RIORDAN[p + q])
    check(tensors(rc.O(3), p, q), RIORDAN[p + q] if (p + q) % 2 == 0 else 0)


@pytest.mark.parametrize(("p", "q"), orders(8))
def test_so2_central_binomials(p: int, q: int) -> None:
    m = p + q
    wanted = comb(m, m // 2) if m % 2 == 0 else 0
    check(tensors(rc.SO(2), p, q), wanted)
    check(tensors(rc.O(2), p, q), wanted // 2 if m else 1)


@pytest.mark.parametrize(("p", "q"), orders(8))
def test_su2_catalan_numbers(p: int, q: int) -> None:
    wanted = CATALAN[(p + q) // 2] if (p + q) % 2 == 0 else 0
    for group in (rc.SU(2), rc.SL(2), rc.Sp(2)):
        check(tensors(group, p, q), wanted)


CLASSICAL = [
    # Reflections remove the maps that need the volume form.
    case("so(4) 2,2", lambda: tensors(rc.SO(4), 2, 2), 4),
    case("o(4) 2,2", lambda: tensors(rc.O(4), 2, 2), 3),
    case("so(4) 3,3: Catalan squared", lambda: tensors(rc.SO(4), 3, 3), 25),
    case("o(4) 3,3", lambda: tensors(rc.O(4), 3, 3), 15),
    case("so(4) 4,0", lambda: tensors(rc.SO(4), 4, 0), 4),
    case("so(4) 3,2", lambda: tensors(rc.SO(4), 3, 2), 0),
    *(case(f"o({n}) {k},{k}", lambda n=n, k=k: tensors(rc.O(n), k, k), odd_factorial(2 * k)) for n in (3, 4, 5) for k in (1, 2)),
    *(case(f"so({n}) {n},0: the volume form", lambda n=n: tensors(rc.SO(n), n, 0), odd_factorial(n) + 1) for n in (2, 3, 4, 5)),
    *(case(f"o({n}) {n},0: without it", lambda n=n: tensors(rc.O(n), n, 0), odd_factorial(n)) for n in (2, 3, 4, 5)),
    case("so(5) 3,3", lambda: tensors(rc.SO(5), 3, 3), 15),
    case("so(6) 2,2", lambda: tensors(rc.SO(6), 2, 2), 3),
    case("o(1) 2,2", lambda: tensors(rc.O(1), 2, 2), 1),
    case("o(1) 2,1", lambda: tensors(rc.O(1), 2, 1), 0),
    # U(n): permutations without a decreasing subsequence longer than n.
    *(case(f"u(1) {k},{k}", lambda k=k: tensors(rc.U(1), k, k), 1) for k in range(4)),
    *(case(f"u(2) {k},{k}", lambda k=k: tensors(rc.U(2), k, k), CATALAN[k]) for k in range(5)),
    *(case(f"u(3) {k},{k}", lambda k=k: tensors(rc.U(3), k, k), [1, 1, 2, 6][k]) for k in range(4)),
    case("u(3) 4,4", lambda: tensors(rc.U(3), 4, 4), 23),
    case("u(2) 2,1", lambda: tensors(rc.U(2), 2, 1), 0),
    case("u(2) mixed", lambda: (lambda v: v * v.dual >> v * v.dual)(rc.U(2).rep), 2),
    case("u(2) conj is dual", lambda: rc.U(2).rep.conj >> rc.U(2).rep.dual, 1),
    case("u(2) conj is not V", lambda: rc.U(2).rep.conj >> rc.U(2).rep, 0),
    case("su(2) conj is V", lambda: rc.SU(2).rep.conj >> rc.SU(2).rep, 1),
    case("u(2) realified", lambda: rc.U(2).rep.realify() >> rc.U(2).rep.realify(), 2),
    case("su(2) realified: quaternions", lambda: rc.SU(2).rep.realify() >> rc.SU(2).rep.realify(), 4),
    # SU(3): p = q modulo 3.
    *(case(f"su(3) {k},{k}", lambda k=k: tensors(rc.SU(3), k, k), [1, 1, 2, 6][k]) for k in range(4)),
    case("su(3) 2,1", lambda: tensors(rc.SU(3), 2, 1), 0),
    case("su(3) 3,0: the determinant", lambda: tensors(rc.SU(3), 3, 0), 1),
    case("su(3) 2,V*: the cross product", lambda: rc.SU(3).rep ** 2 >> rc.SU(3).rep.dual, 1),
    case("su(3) 4,1", lambda: tensors(rc.SU(3), 4, 1), 3),
    case("su(3) 6,0", lambda: tensors(rc.SU(3), 6, 0), 5),
    case("su(3) 5,2", lambda: tensors(rc.SU(3), 5, 2), 11),
    case("su(3) adjoint square: d and f", lambda: (lambda a: a * a >> a)(adjoint_su3()), 2),
    case("su(3) adjoint square to itself", lambda: (lambda a: a * a >> a * a)(adjoint_su3()), 8),
    # Sp(2n): pairings, all of them for order at most 2 n.
    *(case(f"sp(4) {k},{k}", lambda k=k: tensors(rc.Sp(4), k, k), [1, 1, 3, 14][k]) for k in range(4)),
    case("sp(6) 2,2", lambda: tensors(rc.Sp(6), 2, 2), 3),
    case("sp(6) 3,3", lambda: tensors(rc.Sp(6), 3, 3), 15),
    case("sp(4) 3,2", lambda: tensors(rc.Sp(4), 3, 2), 0),
    case("sp(4) alt 2: the form", lambda: rc.trivial(rc.Sp(4)) >> rc.Sp(4).rep.alt(2), 1),
    case("sp(4) sym 2: no metric", lambda: rc.trivial(rc.Sp(4)) >> rc.Sp(4).rep.sym(2), 0),
    # Lorentz: the same complexified algebra as so(4); reflections as in o(4).
    *(case(f"so(1,3) {k},{k}", lambda k=k: tensors(rc.lorentz(), k, k), [1, 1, 4, 25][k]) for k in range(4)),
    *(case(f"o(1,3) {k},{k}", lambda k=k: tensors(rc.lorentz(full=True), k, k), [1, 1, 3, 15][k]) for k in range(4)),
    case("so(1,3) alt 2: complex structure", lambda: rc.lorentz().rep.alt(2) >> rc.lorentz().rep.alt(2), 2),
    case("o(1,3) alt 2", lambda: rc.lorentz(full=True).rep.alt(2) >> rc.lorentz(full=True).rep.alt(2), 1),
    case("so(1,3) dual", lambda: rc.lorentz().rep >> rc.lorentz().rep.dual, 1),
    # GL(n) tells V from its dual.
    *(case(f"gl(2) {k},{k}", lambda k=k: tensors(rc.GL(2), k, k), CATALAN[k]) for k in range(4)),
    case("gl(3) 3,3", lambda: tensors(rc.GL(3), 3, 3), 6),
    case("gl(3) dual", lambda: rc.GL(3).rep >> rc.GL(3).rep.dual, 0),
    case("gl(3) trace", lambda: rc.GL(3).rep * rc.GL(3).rep.dual >> rc.trivial(rc.GL(3)), 1),
    case("gl(3) mixed", lambda: (lambda v: v * v.dual >> v * v.dual)(rc.GL(3).rep), 2),
    case("gl(3) top form", lambda: rc.GL(3).rep.alt(3) >> rc.trivial(rc.GL(3)), 0),
    case("sl(3) top form", lambda: rc.SL(3).rep.alt(3) >> rc.trivial(rc.SL(3)), 1),
    case("sl(3) 3,0", lambda: tensors(rc.SL(3), 3, 0), 1),
]


def adjoint_su3() -> Any:
    """The adjoint representation of su(3) inside V (x) V*, as structure constants in the declared basis."""
    lie = rc.SU(3).lie
    from repcore.groups.span import coordinates_in_span

    def ad(a: Any) -> list[list[Any]]:
        columns = [coordinates_in_span(a @ b - b @ a, lie) for b in lie]
        assert all(c is not None for c in columns)
        return [[(c or ())[i] for c in columns] for i in range(len(lie))]

    return rc.Rep(rc.SU(3), lie=[ad(a) for a in lie], name="8")


@pytest.mark.parametrize(("space", "dim"), CLASSICAL)
def test_classical_groups(space: Space, dim: int) -> None:
    check(space, dim)


# ---------------------------------------------------------------------------------------------- symmetric powers, binary forms


@pytest.mark.parametrize(("a", "b"), [(a, b) for a in range(4) for b in range(a + 1)])
def test_clebsch_gordan(a: int, b: int) -> None:
    V = rc.SL(2).rep
    for c in range(a + b + 2):
        wanted = int(abs(a - b) <= c <= a + b and (a + b + c) % 2 == 0)
        check(V.sym(a) * V.sym(b) >> V.sym(c), wanted)


def gaussian(n: int, d: int) -> list[int]:
    """The coefficients of the Gaussian binomial [n + d choose d]: partitions into at most d parts, each at most n."""
    ways = {(0, 0): 1}
    for part in range(1, n + 1):
        fresh = dict(ways)
        for (size, parts), w in ways.items():
            for k in range(1, d - parts + 1):
                at = (size + k * part, parts + k)
                fresh[at] = fresh.get(at, 0) + w
        ways = fresh
    out = [0] * (n * d + 1)
    for (size, _), w in ways.items():
        out[size] += w
    return out


@pytest.mark.parametrize(
    ("n", "d", "invariants"),
    # The discriminants of quadratic (degree 2) and cubic (degree 4), i and j of the quartic (degrees 2 and 3).
    [(2, 2, 1), (3, 4, 1), (4, 2, 1), (4, 3, 1), (1, 2, 0), (3, 2, 0), (3, 3, 0), (2, 3, 0), (2, 4, 1), (5, 2, 0)],
)
def test_invariants_of_binary_forms(n: int, d: int, invariants: int) -> None:
    weights = gaussian(n, d)
    half = n * d // 2
    cayley_sylvester = weights[half] - weights[half - 1] if n * d % 2 == 0 else 0
    assert cayley_sylvester == invariants
    check(rc.trivial(rc.SL(2)) >> rc.SL(2).rep.sym(n).sym(d), invariants)


@pytest.mark.parametrize(("n", "k"), [(3, 2), (3, 3), (4, 2), (2, 4)])
def test_harmonic_decomposition_of_polynomials(n: int, k: int) -> None:
    """Sym^k = H_k + H_(k-2) + ...: so many endomorphisms, and one invariant in even degree."""
    V = rc.O(n).rep
    check(V.sym(k) >> V.sym(k), k // 2 + 1)
    check(rc.trivial(rc.O(n)) >> V.sym(k), int(k % 2 == 0))
    check(V.sym(k) >> V.sym(k - 1), 0)
    check(V.sym(k) >> V.sym(k - 2), (k - 2) // 2 + 1)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_exterior_powers_are_hodge_dual(n: int) -> None:
    V = rc.SO(n).rep
    W = rc.O(n).rep
    for k in range(n + 1):
        wanted = 2 if 2 * k == n else 1
        check(V.alt(k) >> V.alt(n - k), wanted)
        check(W.alt(k) >> W.alt(n - k), int(2 * k == n))
        check(W.alt(k) >> W.alt(k), 1)


# ------------------------------------------------------------------------------------------------- groups that are not compact


@pytest.mark.parametrize(("p", "q"), [(p, q) for p in range(5) for q in range(5) if p + q <= 6 and q <= 3])
def test_affine_maps_choose_and_forget(p: int, q: int) -> None:
    """A map V^p -> V^q keeps q of the p points in some order and evaluates the last coordinate of the others."""
    check(tensors(rc.affine(2), p, q), perm(p, q))


def test_hom_is_not_symmetric_without_an_invariant_form() -> None:
    check(tensors(rc.affine(2), 4, 2), 12)
    check(tensors(rc.affine(2), 2, 4), 0)


@pytest.mark.parametrize(("p", "q"), orders(6))
def test_translations_of_the_line_count_jordan_blocks(p: int, q: int) -> None:
    """V is one Jordan block of size 2; V^p is as under SL(2), and Hom of blocks of sizes a and b has dimension min(a, b)."""

    def blocks(m: int) -> dict[int, int]:
        ways = {k: comb(m, k) - (comb(m, k - 1) if k else 0) for k in range(m // 2 + 1)}
        return {m - 2 * k + 1: w for k, w in ways.items() if w}

    wanted = sum(w * v * min(a, b) for a, w in blocks(p).items() for b, v in blocks(q).items())
    check(tensors(rc.translations(1), p, q), wanted)
    check(tensors(rc.translations(1), q, p), wanted)
    check(rc.translations(1).rep ** p >> rc.translations(1).rep.dual ** q, wanted)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_scalings_match_degrees(n: int) -> None:
    for p, q in ((0, 0), (1, 1), (2, 2), (2, 1), (1, 2), (0, 1)):
        check(tensors(rc.scaling(n), p, q), n ** (p + q) if p == q else 0)
    V = rc.scaling(n).rep
    check(V * V.dual >> rc.trivial(rc.scaling(n)), n * n)
    check(V >> V.dual, 0)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_points_under_isometries(n: int) -> None:
    """SE(n) and E(n) on (x, 1): V has the invariant functional `last coordinate`, its dual the invariant vector."""
    for group in (rc.SE(n), rc.E(n), rc.affine(n), rc.translations(n)):
        V, one = group.rep, rc.trivial(group)
        check(V >> one, 1)
        check(one >> V.dual, 1)
    # A constant vector (v, 0) is fixed by every translation.
    check(rc.trivial(rc.translations(n)) >> rc.translations(n).rep, n)
    for group in (rc.E(n), rc.affine(n)):
        check(rc.trivial(group) >> group.rep, 0)
        check(group.rep >> group.rep, 1)


# ------------------------------------------------------------------------------------------------------------- tensors p, q


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "count"),
    [
        (rc.SO(2), lambda m: CENTRAL[m // 2] if m % 2 == 0 else 0),
        (rc.SO(3), lambda m: RIORDAN[m]),
        (rc.SU(2), lambda m: CATALAN[m // 2] if m % 2 == 0 else 0),
        (rc.symmetric(3), lambda m: sum(stirling(m, k) for k in range(4))),
        (rc.cyclic(5), lambda m: sum(comb(m, k) for k in range(m + 1) if (2 * k - m) % 5 == 0)),
    ],
    ids=["SO(2)", "SO(3)", "SU(2)", "S3", "C5"],
)
@pytest.mark.parametrize(("p", "q"), [(p, q) for p in range(10) for q in range(10) if 9 <= p + q <= 10 and abs(p - q) <= 2])
def test_order_nine_and_ten(group: Any, count: Callable[[int], int], p: int, q: int) -> None:
    check(tensors(group, p, q), count(p + q))
