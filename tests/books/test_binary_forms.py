"""Invariants and covariants of binary forms under SL(2), and of ternary ones under SL(3)."""

from __future__ import annotations

from functools import cache
from math import comb
from typing import Any

import pytest

import repcore as rc


def fixed(rep: Any) -> int:
    basis = rc.invariants(rep, store=None)
    assert basis.certificate.status == "proved"
    return basis.dim


@cache
def boxed(n: int, k: int, parts: int) -> int:
    """Partitions of n into at most ``parts`` parts, each at most k."""
    if n == 0:
        return 1
    if n < 0 or k == 0 or parts == 0:
        return 0
    return boxed(n, k - 1, parts) + boxed(n - k, k, parts - 1)


def covariants(d: int, k: int, order: int) -> int:
    """Cayley and Sylvester: covariants of degree k and of that order of a binary form of degree d."""
    twice = d * k - order
    return 0 if twice % 2 or twice < 0 else boxed(twice // 2, d, k) - boxed(twice // 2 - 1, d, k)


def series(numerator: dict[int, int], denominator: list[int], terms: int) -> list[int]:
    """sum c_i t^i / prod (1 - t^d), expanded."""
    out = [numerator.get(k, 0) for k in range(terms)]
    for d in denominator:
        for k in range(d, terms):
            out[k] += out[k - d]
    return out


# Degree of the form: numerator and denominator of the Hilbert series of its ring of invariants (Sylvester and Franklin, Shioda).
RINGS = {
    1: ({0: 1}, []),
    2: ({0: 1}, [2]),
    3: ({0: 1}, [4]),
    4: ({0: 1}, [2, 3]),
    5: ({0: 1, 18: 1}, [4, 8, 12]),
    6: ({0: 1, 15: 1}, [2, 4, 6, 10]),
    8: ({0: 1, 8: 1, 9: 1, 10: 1, 18: 1}, [2, 3, 4, 5, 6, 7]),
}

FORMS = [(d, k) for d in range(1, 13) for k in range(13) if comb(d + k, k) <= 1300]
LARGE = [(5, 12), (5, 18), (6, 8), (6, 10), (6, 15), (7, 8), (8, 6), (8, 7), (8, 8)]


@pytest.mark.parametrize("d", RINGS)
def test_the_formula_agrees_with_the_printed_rings(d: int) -> None:
    assert [covariants(d, k, 0) for k in range(40)] == series(*RINGS[d], 40)


@pytest.mark.parametrize(("d", "k"), FORMS)
def test_invariants_of_binary_forms(d: int, k: int) -> None:
    assert fixed(rc.SL(2).rep.sym(d).sym(k)) == covariants(d, k, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "k"), LARGE)
def test_invariants_of_high_degree(d: int, k: int) -> None:
    """Hermite's invariant of degree 18 of the quintic and Clebsch's of degree 15 of the sextic among them."""
    wanted = covariants(d, k, 0)
    if (d, k) in ((5, 18), (6, 15)):
        assert wanted == 1
    assert fixed(rc.SL(2).rep.sym(d).sym(k)) == wanted


@pytest.mark.parametrize(("d", "k"), [(2, 3), (2, 5), (3, 4), (3, 5), (2, 8), pytest.param(4, 5, marks=pytest.mark.slow)])
def test_hermite_reciprocity(d: int, k: int) -> None:
    """Sym^k Sym^d and Sym^d Sym^k are isomorphic: as many maps between them as endomorphisms of each."""
    V = rc.SL(2).rep
    X, Y = V.sym(d).sym(k), V.sym(k).sym(d)
    wanted = sum(covariants(d, k, order) ** 2 for order in range(d * k + 1))
    for space in (X >> Y, Y >> X, X >> X):
        assert rc.solve(space, store=None).dim == wanted
    # Exterior powers: Alt^k Sym^(d + k - 1) is Sym^k Sym^d.
    assert rc.solve(X >> V.sym(d + k - 1).alt(k), store=None).dim == wanted


def bigraded(numerator: list[tuple[int, int]], generators: list[tuple[int, int]], k: int, order: int) -> int:
    """How many monomials of degree k and that order there are in free generators, times a term of the numerator."""
    out = 0
    for top in numerator:
        ways = {top: 1}
        for a, b in generators:
            for i in range(a, k + 1):
                for j in range(b, order + 1):
                    if (i - a, j - b) in ways:
                        ways[i, j] = ways.get((i, j), 0) + ways[i - a, j - b]
        out += ways.get((k, order), 0)
    return out


# Degree and order of the free generators, and of what is added: the Jacobian T of the form and its Hessian.
CUBIC = ([(0, 0), (3, 3)], [(1, 3), (2, 2), (4, 0)])
QUARTIC = ([(0, 0), (3, 6)], [(1, 4), (2, 4), (2, 0), (3, 0)])
QUADRATIC = ([(0, 0)], [(1, 2), (2, 0)])


@pytest.mark.parametrize(("d", "book", "top"), [(2, QUADRATIC, 7), (3, CUBIC, 7), (4, QUARTIC, 6)])
def test_covariants_of_quadratics_cubics_and_quartics(d: int, book: Any, top: int) -> None:
    V = rc.SL(2).rep
    for k in range(top):
        for order in range(d * k + 2):
            wanted = bigraded(*book, k, order)
            assert wanted == covariants(d, k, order)
            assert rc.solve(V.sym(order) >> V.sym(d).sym(k), store=None).dim == wanted


def test_several_forms() -> None:
    V = rc.SL(2).rep
    # Linear forms: determinants; quadratics: vectors of space, with scalar products and triple products.
    assert [fixed((3 * V).sym(k)) for k in range(7)] == series({0: 1}, [2, 2, 2], 7)
    assert [fixed((2 * V.sym(2)).sym(k)) for k in range(7)] == series({0: 1}, [2, 2, 2], 7)
    assert [fixed((3 * V.sym(2)).sym(k)) for k in range(5)] == series({0: 1, 3: 1}, [2] * 6, 5)
    # With a linear form: the covariants of the other at its root; degree plus order are 2, 3 and 4, 4, 4, 6.
    assert [fixed((V + V.sym(2)).sym(k)) for k in range(9)] == series({0: 1}, [2, 3], 9)
    assert [fixed((V + V.sym(3)).sym(k)) for k in range(7)] == series({0: 1, 6: 1}, [4, 4, 4], 7)


def test_ternary_forms() -> None:
    """The cubic: Aronhold's S of degree 4 and T of degree 6. Conics: the discriminant, also of pencils (1/(1 - t^3)^4)."""
    V = rc.SL(3).rep
    assert [fixed(V.sym(3).sym(k)) for k in range(6)] == series({0: 1}, [4, 6], 6)
    assert [fixed(V.sym(2).sym(k)) for k in range(7)] == series({0: 1}, [3], 7)
    assert [fixed((2 * V.sym(2)).sym(k)) for k in range(5)] == series({0: 1}, [3, 3, 3, 3], 5)
    # Quadrics in space: the determinant. Plane quartics start with one invariant of degree 3.
    assert [fixed(rc.SL(4).rep.sym(2).sym(k)) for k in range(5)] == series({0: 1}, [4], 5)
    assert [fixed(V.sym(4).sym(k)) for k in range(4)] == [1, 0, 0, 1]


@pytest.mark.slow
def test_the_second_invariant_of_the_ternary_cubic() -> None:
    assert fixed(rc.SL(3).rep.sym(3).sym(6)) == 1
