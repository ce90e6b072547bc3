"""Harmonic polynomials as a representation: dimensions, Laplace's equation, equivariance."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
import sympy

import repcore as rc
from repcore.exact.matrix import Matrix
from repcore.reps.harmonic_powers import harmonic_power
from repcore.reps.powers import index_tuples
from repcore.reps.scales import scale_squares


def polynomials(h: Matrix, n: int, degree: int) -> tuple[list[sympy.Symbol], list[sympy.Expr]]:
    q = list(sympy.symbols(f"q:{n}"))
    monomials = [sympy.prod([q[i] for i in t]) for t in index_tuples(n, degree, signed=False).tolist()]
    return q, [sum(sympy.Rational(str(c)) * m for c, m in zip(row, monomials, strict=True)) for row in h.tolist()]


def dimension(n: int, d: int) -> int:
    return comb(n + d - 1, d) - (comb(n + d - 3, d - 2) if d >= 2 else 0)


@pytest.mark.parametrize(("n", "degree"), [(2, 1), (2, 2), (2, 5), (3, 1), (3, 2), (3, 4), (4, 3)])
def test_harmonic_and_complete(n: int, degree: int) -> None:
    found = harmonic_power(rc.SO(n).rep, degree)
    assert found is not None
    H, h = found
    assert H.dim == h.shape[0] == dimension(n, degree)
    q, shown = polynomials(h, n, degree)
    assert all(sympy.expand(sum(sympy.diff(p, x, 2) for x in q)) == 0 for p in shown)
    assert sympy.Matrix([[sympy.Rational(str(c)) for c in row] for row in h.tolist()]).rank() == H.dim


@pytest.mark.parametrize("group", [rc.O(2), rc.cyclic(8), rc.O(3), rc.icosahedral()], ids=str)
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_vector_of_polynomials_is_equivariant(group: rc.Group, degree: int) -> None:
    """h(g q) = H(g) h(q) for discrete generators, and its derivative for Lie ones, as polynomials."""
    found = harmonic_power(group.rep, degree)
    assert found is not None
    H, h = found
    q, shown = polynomials(h, group.dim, degree)
    for i, g in enumerate(group.generators):
        image = g.to_sympy() * sympy.Matrix(q)
        if i < len(group.discrete):
            moved = [p.subs(dict(zip(q, image, strict=True)), simultaneous=True) for p in shown]
        else:
            moved = [sum(sympy.diff(p, x) * y for x, y in zip(q, image, strict=True)) for p in shown]
        expected = H.matrix(i).to_sympy() * sympy.Matrix(shown)
        assert all(sympy.simplify(sympy.expand(a - b)) == 0 for a, b in zip(moved, expected, strict=True))


def test_degree_zero_and_the_line() -> None:
    zero = harmonic_power(rc.SO(3).rep, 0)
    assert zero is not None
    assert zero[0] == rc.trivial(rc.SO(3))
    assert zero[1].tolist() == [[1]]
    line = rc.O(1).rep
    assert harmonic_power(line, 2) is None
    one = harmonic_power(line, 1)
    assert one is not None
    assert one[0].matrix(0) == line.matrix(0)


def test_coordinates_that_are_not_orthonormal() -> None:
    """On a labelled irrep the invariant norm is that of its scales, sum of s_i^2 q_i^2."""
    V = rc.irrep(rc.SO(3), "2")
    squares = scale_squares(V)
    assert squares is not None
    found = harmonic_power(V, 2)
    assert found is not None
    q, shown = polynomials(found[1], 5, 2)
    for p in shown:
        laplacian = sum(sympy.diff(p, x, 2) / sympy.Rational(str(Fraction(s))) for x, s in zip(q, squares, strict=True))
        assert sympy.expand(laplacian) == 0
    # 2 (x) 2 is symmetric in 0, 2 and 4; the norm takes the 0 out.
    assert rc.solve(rc.trivial(rc.SO(3)) >> found[0]).dim == 0
    assert rc.solve(V >> found[0]).dim == 1


def test_the_plane_gives_powers_of_z() -> None:
    for degree in (1, 2, 3, 4):
        found = harmonic_power(rc.SO(2).rep, degree)
        assert found is not None
        q = np.array([0.5, -1.25])
        monomials = np.prod(q[index_tuples(2, degree, signed=False)], axis=1)
        z = complex(*q) ** degree
        bound = degree * np.finfo(float).eps * np.abs(found[1].to_numpy()) @ np.abs(monomials)
        assert np.all(np.abs(found[1].to_numpy() @ monomials - [z.real, z.imag / degree]) <= 4 * bound)
