"""Invariant tensors of the classical groups: Catalan, Motzkin and Riordan numbers, Brauer's diagrams, standard tableaux."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import comb, factorial, prod
from typing import Any

import pytest

import repcore as rc

CATALAN = [1, 1, 2, 5, 14, 42, 132, 429]  # OEIS A000108
MOTZKIN = [1, 1, 2, 4, 9, 21, 51, 127, 323]  # OEIS A001006
RIORDAN = [1, 0, 1, 1, 3, 6, 15, 36, 91]  # OEIS A005043


def fixed(rep: Any) -> int:
    basis = rc.invariants(rep, store=None)
    assert basis.certificate.status == "proved"
    return basis.dim


def shapes(n: int, most: int | None = None) -> Iterator[tuple[int, ...]]:
    if n == 0:
        yield ()
    for first in range(min(n, n if most is None else most), 0, -1):
        for rest in shapes(n - first, first):
            yield (first, *rest)


def transpose(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sum(part > i for part in shape) for i in range(shape[0] if shape else 0))


def hooks(shape: tuple[int, ...]) -> list[int]:
    other = transpose(shape)
    return [shape[i] - j + other[j] - i - 1 for i in range(len(shape)) for j in range(shape[i])]


def tableaux(shape: tuple[int, ...]) -> int:
    """Standard tableaux, by the hook formula."""
    return factorial(sum(shape)) // prod(hooks(shape))


def schur_dimension(shape: tuple[int, ...], n: int) -> int:
    """Semistandard tableaux with entries up to n: the hook content formula."""
    contents = prod(n + j - i for i in range(len(shape)) for j in range(shape[i]))
    return contents // prod(hooks(shape))


# -- SU(2), SL(2) and SO(3) --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [rc.SU(2), rc.SL(2)], ids=str)
def test_paths_with_weighted_level_steps(group: Any) -> None:
    """(c + V)^k has sum_j C(k, 2j) c^(k - 2j) Cat_j invariants: Motzkin's numbers for c = 1, Touchard's Cat_(k+1) for c = 2."""
    V, one = group.rep, rc.trivial(group)
    assert [fixed((one + V) ** k) for k in range(7)] == MOTZKIN[:7]
    assert [fixed((2 * one + V) ** k) for k in range(6)] == CATALAN[1:7]
    assert [fixed((3 * one + V) ** k) for k in range(5)] == [1, 3, 10, 36, 137]  # OEIS A002212, shifted


def test_motzkin_riordan_and_catalan_numbers_of_the_rotations() -> None:
    V, one = rc.SO(3).rep, rc.trivial(rc.SO(3))
    assert [fixed(V**k) for k in range(8)] == RIORDAN[:8]
    # M_k = R_k + R_(k+1); and 1 + V is the square of the spin representation.
    assert [fixed(V**k * (one + V)) for k in range(7)] == MOTZKIN[:7]
    assert [fixed((one + V) ** k) for k in range(6)] == CATALAN[:6]
    assert [r + s for r, s in pairwise(RIORDAN)] == MOTZKIN[:8]


@pytest.mark.parametrize("k", range(7))
def test_ballot_numbers_and_the_riordan_triangle(k: int) -> None:
    """How often spin j stands in the k-th tensor power of spin 1/2, and degree l in that of the vectors."""
    spin, vector = rc.SU(2), rc.SO(3)
    for twice in range(k + 2):
        wanted = 0 if (k - twice) % 2 or twice > k else comb(k, (k - twice) // 2) * (twice + 1) * 2 // (k + twice + 2)
        label = str(twice // 2) if twice % 2 == 0 else f"{twice}/2"
        assert rc.solve(spin.rep**k >> rc.irrep(spin, label), store=None).dim == wanted
    row = Counter({0: 1})
    for _ in range(k):
        after: Counter[int] = Counter()
        for degree, times in row.items():
            for there in range(abs(degree - 1), degree + 2):
                after[there] += times
        row = after
    assert row[0] == RIORDAN[k]
    for degree in range(k + 2):
        if 3**k * (2 * degree + 1) <= 4000:
            assert rc.solve(vector.rep**k >> rc.irrep(vector, str(degree)), store=None).dim == row[degree]


@pytest.mark.parametrize(("p", "q"), [(p, q) for p in range(6) for q in range(p + 1) if p + q <= 6])
def test_plane_rotations_with_scalars(p: int, q: int) -> None:
    """(1 + V)^k under SO(2): central trinomial coefficients, OEIS A002426; under O(2) the mean with the trace of a reflection."""
    k = p + q
    trinomial = [1, 1, 3, 7, 19, 51, 141][k]
    assert trinomial == sum(comb(k, 2 * j) * comb(2 * j, j) for j in range(k // 2 + 1))
    for group, wanted in ((rc.SO(2), trinomial), (rc.O(2), (trinomial + 1) // 2)):
        X = rc.trivial(group) + group.rep
        assert rc.solve(X**p >> X**q, store=None).dim == wanted


# -- O(n), SO(n), Sp(2n): tableaux with even rows, or even columns ----------------------------------------------------------

SMALL = [(n, k) for n in range(1, 7) for k in range(9) if n**k <= 5000]


@pytest.mark.parametrize(("n", "k"), SMALL)
def test_orthogonal_groups_count_tableaux_with_even_rows(n: int, k: int) -> None:
    """Invariants of V^k under O(n): shapes with at most n rows, all even: (k - 1)!! for k <= 2 n (Brauer). SO(n): all rows of
    one parity."""
    even = sum(tableaux(s) for s in shapes(k) if len(s) <= n and all(x % 2 == 0 for x in s))
    odd = sum(tableaux(s) for s in shapes(k) if len(s) == n and all(x % 2 == 1 for x in s))
    if k <= 2 * n:
        assert even == (prod(range(k - 1, 0, -2)) if k % 2 == 0 else 0)
    assert fixed(rc.O(n).rep ** k) == even
    if n > 1:
        assert fixed(rc.SO(n).rep ** k) == even + odd


@pytest.mark.parametrize(("n", "k"), [(n, k) for n, k in SMALL if n % 2 == 0])
def test_symplectic_groups_count_tableaux_with_even_columns(n: int, k: int) -> None:
    wanted = sum(tableaux(s) for s in shapes(k) if len(s) <= n and all(x % 2 == 0 for x in transpose(s)))
    if k <= n + 2:
        assert wanted == (prod(range(k - 1, 0, -2)) if k % 2 == 0 else 0) - int(k == n + 2)
    assert fixed(rc.Sp(n).rep ** k) == wanted


@pytest.mark.parametrize(("n", "k"), [(n, k) for n in range(1, 5) for k in range(5) if n ** (2 * k) <= 5000])
def test_general_linear_groups_count_pairs_of_tableaux(n: int, k: int) -> None:
    """End(V^k): sum of f_lambda^2 over the shapes with at most n rows, k! for k <= n (Schur and Weyl); and walled diagrams."""
    wanted = sum(tableaux(s) ** 2 for s in shapes(k) if len(s) <= n)
    if k <= n:
        assert wanted == factorial(k)
    for group in (rc.GL(n), rc.U(n)):
        V = group.rep
        assert rc.solve(V**k >> V**k, store=None).dim == wanted
        assert fixed(V**k * V.dual**k) == wanted
        if k > 1:
            assert rc.solve(V ** (k - 1) * V.dual >> V ** (k - 1) * V.dual, store=None).dim == wanted
        if k:
            assert fixed(V**k * V.dual ** (k - 1)) == 0


@pytest.mark.parametrize(
    ("n", "p", "q"), [(n, p, q) for n in (2, 3, 4) for p in range(6) for q in range(p) if n ** (p + q) <= 5000]
)
def test_special_linear_groups_add_columns(n: int, p: int, q: int) -> None:
    """Hom(V^p, V^q) under SL(n), p = q + c n: pairs of tableaux of shapes that differ by c columns of length n."""
    c, rest = divmod(p - q, n)
    wanted = 0
    if rest == 0:
        padded = [tuple(x + c for x in (*s, *[0] * (n - len(s)))) for s in shapes(q) if len(s) <= n]
        wanted = sum(tableaux(tuple(x for x in s if x)) * tableaux(tuple(x - c for x in s if x > c)) for s in padded)
    assert rc.solve(rc.SL(n).rep ** p >> rc.SL(n).rep ** q, store=None).dim == wanted
    assert rc.solve(rc.SU(n).rep ** p >> rc.SU(n).rep ** q, store=None).dim == wanted


# -- the first fundamental theorems: invariants of several vectors -----------------------------------------------------------


@pytest.mark.parametrize(("n", "m", "k"), [(2, 2, 2), (2, 3, 1), (3, 2, 2), (3, 3, 1), (3, 2, 3), (2, 2, 3), (4, 2, 2)])
def test_invariants_of_m_vectors_are_polynomials_in_scalar_products(n: int, m: int, k: int) -> None:
    """m <= n vectors: the m (m + 1)/2 scalar products are free; m vectors of a symplectic space: m (m - 1)/2 products."""
    V = rc.O(n).rep
    products = m * (m + 1) // 2
    assert fixed((m * V).sym(2 * k)) == comb(products + k - 1, k)
    assert fixed((m * V).sym(2 * k - 1)) == 0
    if n % 2 == 0:
        forms = m * (m - 1) // 2
        assert fixed((m * rc.Sp(n).rep).sym(2 * k)) == comb(forms + k - 1, k)


def test_the_gram_determinant_is_the_first_relation() -> None:
    """n + 1 vectors of R^n: one relation among scalar products, of degree n + 1 in them. Under SO(n) determinants as well."""
    assert fixed((2 * rc.O(1).rep).sym(4)) == comb(4, 2) - 1
    assert fixed((3 * rc.O(2).rep).sym(4)) == comb(7, 2)
    assert fixed((3 * rc.O(2).rep).sym(6)) == comb(8, 3) - 1
    assert fixed((3 * rc.SO(2).rep).sym(2)) == 6 + 3
    assert fixed((3 * rc.SO(3).rep).sym(3)) == 1


@pytest.mark.parametrize(
    ("n", "m", "k"), [(2, 2, 3), (2, 3, 2), (2, 4, 1), (2, 4, 2), (2, 4, 3), (2, 5, 2), (3, 3, 2), (3, 4, 1), (3, 5, 1)]
)
def test_plucker_coordinates_of_grassmannians(n: int, m: int, k: int) -> None:
    """m vectors under SL(n): the coordinate ring of the Grassmannian, in degree k n of dimension S_(k^n)(R^m)."""
    wanted = schur_dimension((k,) * n, m)
    if (n, m) == (2, 4):
        assert wanted == [6, 20, 50][k - 1]  # one Pluecker relation, of degree 2
    assert fixed((m * rc.SL(n).rep).sym(k * n)) == wanted
    assert fixed((m * rc.SL(n).rep).sym(k * n - 1)) == 0


@pytest.mark.parametrize(
    ("n", "p", "q", "k"), [(2, 1, 1, 2), (2, 2, 1, 2), (2, 2, 2, 1), (2, 2, 2, 2), (3, 2, 2, 2), (1, 2, 2, 2)]
)
def test_vectors_and_covectors(n: int, p: int, q: int, k: int) -> None:
    """Pairings of p vectors with q covectors: a p x q matrix, free for min(p, q) <= n; matrices of rank 1 for n = 1."""
    V = rc.GL(n).rep
    wanted = comb(p * q + k - 1, k) if min(p, q) <= n else comb(p + k - 1, k) * comb(q + k - 1, k)
    assert fixed((p * V + q * V.dual).sym(2 * k)) == wanted


@pytest.mark.parametrize(("n", "top"), [(2, 6), (3, 4)])
def test_matrices_under_conjugation_and_congruence(n: int, top: int) -> None:
    """Coefficients of the characteristic polynomial: of degrees 1, ..., n. One determinant for forms under SL(n)."""

    def parts(k: int) -> int:
        return sum(all(x <= n for x in s) for s in shapes(k))

    A, S = rc.GL(n).rep * rc.GL(n).rep.dual, rc.O(n).rep.sym(2)
    for k in range(top + 1):
        assert fixed(A.sym(k)) == parts(k)
        assert fixed(S.sym(k)) == parts(k)
        assert fixed(rc.SL(n).rep.sym(2).sym(k)) == int(k % n == 0)
    # Skew matrices under O(n): even traces only; under SL(4) the Pfaffian.
    assert [fixed(rc.O(4).rep.alt(2).sym(k)) for k in range(5)] == [1, 0, 1, 0, 2]
    assert [fixed(rc.SO(4).rep.alt(2).sym(k)) for k in range(5)] == [1, 0, 2, 0, 3]
    assert [fixed(rc.SL(4).rep.alt(2).sym(k)) for k in range(5)] == [1, 0, 1, 0, 1]


def test_two_matrices_under_conjugation() -> None:
    """tr A, tr B, tr A^2, tr AB, tr B^2 are free generators for 2 x 2 matrices (Sylvester): 1/((1-t)^2 (1-t^2)^3)."""
    A = rc.GL(2).rep * rc.GL(2).rep.dual
    assert [fixed((2 * A).sym(k)) for k in range(6)] == [1, 2, 6, 10, 20, 30]


def test_cayley_hyperdeterminant() -> None:
    """2 x 2 x 2 arrays under SL(2)^3 have one basic invariant, of degree 4; 2 x 2 matrices the determinant."""
    cube = rc.SL(2) @ rc.SL(2) @ rc.SL(2)
    a, b, c = (rc.lift(rc.SL(2).rep, cube, factor=i) for i in range(3))
    assert [fixed((a * b * c).sym(k)) for k in range(5)] == [1, 0, 0, 0, 1]
    square = rc.SL(2) @ rc.SL(2)
    a, b = (rc.lift(rc.SL(2).rep, square, factor=i) for i in range(2))
    assert [fixed((a * b).sym(k)) for k in range(5)] == [1, 0, 1, 0, 1]
    assert [fixed((2 * (a * b)).sym(k)) for k in range(5)] == [1, 0, 3, 0, 6]
