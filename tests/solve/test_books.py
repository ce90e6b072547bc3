"""Dimensions that can be looked up: Bell, Catalan, Riordan, invariants of Hilbert, constants of crystals."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import comb, factorial, perm
from typing import Any

import pytest

import repcore as rc

Space = Callable[[], Any]
slow = pytest.mark.slow


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


def table(rows: list[tuple[str, Space, int]]) -> Any:
    return pytest.mark.parametrize(("space", "dim"), [r[1:] for r in rows], ids=[r[0] for r in rows])


def check(space: Space, dim: int) -> None:
    basis = rc.solve(space(), store=None)
    assert basis.dim == dim
    assert basis.certificate.status == "proved"
    assert len(basis) == dim
    assert basis.shape == space().shape


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
        check(lambda p=p, q=q: tensors(rc.symmetric(n), p, q), wanted)
        if p > q:
            check(lambda p=p, q=q: tensors(rc.symmetric(n), q, p), wanted)


def test_bell_numbers_of_order_eight() -> None:
    check(lambda: tensors(rc.symmetric(4), 4, 4), sum(stirling(8, k) for k in range(5)))


@pytest.mark.parametrize("n", range(2, 7))
def test_alternating_groups_split_the_tuples_without_repetition(n: int) -> None:
    # A_n is (n-2)-transitive; on tuples of n-1 or n distinct points it has two orbits.
    for p, q in orders(4):
        wanted = sum(stirling(p + q, k) * (1 if k <= n - 2 else 2) for k in range(min(n, p + q) + 1))
        check(lambda p=p, q=q: tensors(rc.alternating(n), p, q), wanted)


@pytest.mark.parametrize("n", range(1, 6))
def test_hyperoctahedral_groups_count_partitions_into_even_blocks(n: int) -> None:
    even = [1, 0, 1, 0, 4, 0, 31]  # OEIS A005046, with zeros between
    for p, q in orders(6 if n <= 3 else 4):
        m = p + q
        if n >= m // 2:
            check(lambda p=p, q=q: tensors(rc.hyperoctahedral(n), p, q), even[m])


@pytest.mark.parametrize("n", range(1, 13))
def test_rotations_and_reflections_of_polygons(n: int) -> None:
    """V splits over C into two characters +1 and -1 of Z_n: count the sign patterns whose sum is 0 modulo n."""
    for p, q in orders(4):
        m = p + q
        rotations = sum(comb(m, k) for k in range(m + 1) if (2 * k - m) % n == 0)
        check(lambda p=p, q=q: tensors(rc.cyclic(n), p, q), rotations)
        # A reflection has trace 0 on V: half of the mean over the rotations, and all of it on the trivial representation.
        reflections = 1 if m == 0 else 0
        # n = 1 and 2 are no exception: diag(1, -1) is among the reflections of trace 0.
        check(lambda p=p, q=q: tensors(rc.dihedral(n), p, q), (rotations + reflections) // 2)


# --------------------------------------------------------------------------------------------- classical groups, V^p -> V^q


@pytest.mark.parametrize(("p", "q"), orders(8))
def test_so3_riordan_numbers(p: int, q: int) -> None:
    check(lambda: tensors(rc.SO(3), p, q), RIORDAN[p + q])
    check(lambda: tensors(rc.SO(3), q, p), RIORDAN[p + q])
    check(lambda: tensors(rc.O(3), p, q), RIORDAN[p + q] if (p + q) % 2 == 0 else 0)


@pytest.mark.parametrize(("p", "q"), orders(8))
def test_so2_central_binomials(p: int, q: int) -> None:
    m = p + q
    wanted = comb(m, m // 2) if m % 2 == 0 else 0
    check(lambda: tensors(rc.SO(2), p, q), wanted)
    check(lambda: tensors(rc.O(2), p, q), wanted // 2 if m else 1)


@pytest.mark.parametrize(("p", "q"), orders(8))
def test_su2_catalan_numbers(p: int, q: int) -> None:
    wanted = CATALAN[(p + q) // 2] if (p + q) % 2 == 0 else 0
    for group in (rc.SU(2), rc.SL(2), rc.Sp(2)):
        check(lambda group=group: tensors(group, p, q), wanted)


CLASSICAL: list[tuple[str, Space, int]] = [
    # Reflections remove the maps that need the volume form.
    ("so(4) 2,2", lambda: tensors(rc.SO(4), 2, 2), 4),
    ("o(4) 2,2", lambda: tensors(rc.O(4), 2, 2), 3),
    ("so(4) 3,3: Catalan squared", lambda: tensors(rc.SO(4), 3, 3), 25),
    ("o(4) 3,3", lambda: tensors(rc.O(4), 3, 3), 15),
    ("so(4) 4,0", lambda: tensors(rc.SO(4), 4, 0), 4),
    ("so(4) 3,2", lambda: tensors(rc.SO(4), 3, 2), 0),
    *((f"o({n}) {k},{k}", lambda n=n, k=k: tensors(rc.O(n), k, k), odd_factorial(2 * k)) for n in (3, 4, 5) for k in (1, 2)),
    *((f"so({n}) {n},0: the volume form", lambda n=n: tensors(rc.SO(n), n, 0), odd_factorial(n) + 1) for n in (2, 3, 4, 5)),
    *((f"o({n}) {n},0: without it", lambda n=n: tensors(rc.O(n), n, 0), odd_factorial(n)) for n in (2, 3, 4, 5)),
    ("so(5) 3,3", lambda: tensors(rc.SO(5), 3, 3), 15),
    ("so(6) 2,2", lambda: tensors(rc.SO(6), 2, 2), 3),
    ("o(1) 2,2", lambda: tensors(rc.O(1), 2, 2), 1),
    ("o(1) 2,1", lambda: tensors(rc.O(1), 2, 1), 0),
    # U(n): permutations without a decreasing subsequence longer than n.
    *((f"u(1) {k},{k}", lambda k=k: tensors(rc.U(1), k, k), 1) for k in range(4)),
    *((f"u(2) {k},{k}", lambda k=k: tensors(rc.U(2), k, k), CATALAN[k]) for k in range(5)),
    *((f"u(3) {k},{k}", lambda k=k: tensors(rc.U(3), k, k), [1, 1, 2, 6][k]) for k in range(4)),
    pytest.param("u(3) 4,4", lambda: tensors(rc.U(3), 4, 4), 23, marks=slow, id="u(3) 4,4"),  # type: ignore[list-item]
    ("u(2) 2,1", lambda: tensors(rc.U(2), 2, 1), 0),
    ("u(2) mixed", lambda: (lambda v: v * v.dual >> v * v.dual)(rc.U(2).rep), 2),
    ("u(2) conj is dual", lambda: rc.U(2).rep.conj >> rc.U(2).rep.dual, 1),
    ("u(2) conj is not V", lambda: rc.U(2).rep.conj >> rc.U(2).rep, 0),
    ("su(2) conj is V", lambda: rc.SU(2).rep.conj >> rc.SU(2).rep, 1),
    ("u(2) realified", lambda: rc.U(2).rep.realify() >> rc.U(2).rep.realify(), 2),
    ("su(2) realified: quaternions", lambda: rc.SU(2).rep.realify() >> rc.SU(2).rep.realify(), 4),
    # SU(3): p = q modulo 3.
    *((f"su(3) {k},{k}", lambda k=k: tensors(rc.SU(3), k, k), [1, 1, 2, 6][k]) for k in range(4)),
    ("su(3) 2,1", lambda: tensors(rc.SU(3), 2, 1), 0),
    ("su(3) 3,0: the determinant", lambda: tensors(rc.SU(3), 3, 0), 1),
    ("su(3) 2,V*: the cross product", lambda: rc.SU(3).rep ** 2 >> rc.SU(3).rep.dual, 1),
    ("su(3) 4,1", lambda: tensors(rc.SU(3), 4, 1), 3),
    ("su(3) 6,0", lambda: tensors(rc.SU(3), 6, 0), 5),
    ("su(3) 5,2", lambda: tensors(rc.SU(3), 5, 2), 11),
    ("su(3) adjoint square: d and f", lambda: (lambda a: a * a >> a)(adjoint_su3()), 2),
    ("su(3) adjoint square to itself", lambda: (lambda a: a * a >> a * a)(adjoint_su3()), 8),
    # Sp(2n): pairings, all of them for order at most 2 n.
    *((f"sp(4) {k},{k}", lambda k=k: tensors(rc.Sp(4), k, k), [1, 1, 3, 14][k]) for k in range(4)),
    ("sp(6) 2,2", lambda: tensors(rc.Sp(6), 2, 2), 3),
    ("sp(6) 3,3", lambda: tensors(rc.Sp(6), 3, 3), 15),
    ("sp(4) 3,2", lambda: tensors(rc.Sp(4), 3, 2), 0),
    ("sp(4) alt 2: the form", lambda: rc.trivial(rc.Sp(4)) >> rc.Sp(4).rep.alt(2), 1),
    ("sp(4) sym 2: no metric", lambda: rc.trivial(rc.Sp(4)) >> rc.Sp(4).rep.sym(2), 0),
    # Lorentz: the same complexified algebra as so(4); reflections as in o(4).
    *((f"so(1,3) {k},{k}", lambda k=k: tensors(rc.lorentz(), k, k), [1, 1, 4, 25][k]) for k in range(4)),
    *((f"o(1,3) {k},{k}", lambda k=k: tensors(rc.lorentz(full=True), k, k), [1, 1, 3, 15][k]) for k in range(4)),
    ("so(1,3) alt 2: complex structure", lambda: rc.lorentz().rep.alt(2) >> rc.lorentz().rep.alt(2), 2),
    ("o(1,3) alt 2", lambda: rc.lorentz(full=True).rep.alt(2) >> rc.lorentz(full=True).rep.alt(2), 1),
    ("so(1,3) dual", lambda: rc.lorentz().rep >> rc.lorentz().rep.dual, 1),
    # GL(n) tells V from its dual.
    *((f"gl(2) {k},{k}", lambda k=k: tensors(rc.GL(2), k, k), CATALAN[k]) for k in range(4)),
    ("gl(3) 3,3", lambda: tensors(rc.GL(3), 3, 3), 6),
    ("gl(3) dual", lambda: rc.GL(3).rep >> rc.GL(3).rep.dual, 0),
    ("gl(3) trace", lambda: rc.GL(3).rep * rc.GL(3).rep.dual >> rc.trivial(rc.GL(3)), 1),
    ("gl(3) mixed", lambda: (lambda v: v * v.dual >> v * v.dual)(rc.GL(3).rep), 2),
    ("gl(3) top form", lambda: rc.GL(3).rep.alt(3) >> rc.trivial(rc.GL(3)), 0),
    ("sl(3) top form", lambda: rc.SL(3).rep.alt(3) >> rc.trivial(rc.SL(3)), 1),
    ("sl(3) 3,0", lambda: tensors(rc.SL(3), 3, 0), 1),
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


@pytest.mark.parametrize(
    ("space", "dim"),
    [pytest.param(*r[1:], id=r[0]) if isinstance(r, tuple) and not hasattr(r, "marks") else pytest.param(*r.values[1:], id=r.id, marks=r.marks) for r in CLASSICAL],
)
def test_classical_groups(space: Space, dim: int) -> None:
    check(space, dim)
