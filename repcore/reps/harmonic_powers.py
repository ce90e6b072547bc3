"""Harmonic polynomials of any number of variables in a rational basis, and how a group of rotations acts on them.

A homogeneous polynomial h of degree d with Laplacian 0 is determined by the part of it that has the last variable t to the power
0 or 1, and any such part belongs to one (Cauchy and Kovalevskaya: the equation gives the second derivative by t). So there is one
harmonic polynomial for each monomial b = x^a t^e with e = 0 or 1,

    h_b = sum_k  e! / (2k + e)!  t^(2k + e) (-L)^k x^a,        L = sum of g_t / g_i  (d/dx_i)^2 over the other variables,

where the invariant norm is sum of g_i q_i^2, with g_i = 1 in orthonormal coordinates. The vector h(q) of all of them is
equivariant, h(g q) = H(g) h(q). It spans what is left of Sym^d when the multiples of |q|^2 are taken out; for the plane those are
the real and imaginary parts of (x + i y)^d, in space the solid harmonics of degree d.

Source: S. Axler, P. Bourdon and W. Ramey, Harmonic Function Theory (2001), ch. 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import factorial, lcm, prod

import numpy as np

from repcore.exact.field import QQ
from repcore.exact.matrix import Matrix, from_coo, identity
from repcore.reps.custom import Custom
from repcore.reps.powers import index_tuples, power_derivative, power_image
from repcore.reps.scales import scale_squares
from repcore.reps.tree import Rep, trivial

__all__ = ["harmonic_power"]

Exponents = tuple[int, ...]


def harmonic_power(rep: Rep, degree: int) -> tuple[Rep, Matrix] | None:
    """The harmonic polynomials of a degree on an orthogonal representation: how the group acts, and what they are.

    Args:
        rep: a representation that is orthogonal in the coordinates of ``EquivariantBasis.to_numpy``; not checked.
        degree: d >= 0.

    Returns:
        H with h(g q) = H(g) h(q), and the coefficients of h, shape (dim H, number of monomials), monomials in the order of
        ``index_tuples(n, d)``; q in the coordinates of the exact matrices. None where no polynomial is harmonic: one variable
        and d >= 2.

    >>> from repcore import SO
    >>> H, h = harmonic_power(SO(2).rep, 3)            # x^3 - 3 x y^2, and x^2 y - y^3 / 3
    >>> [[str(c) for c in row] for row in h.tolist()]
    [['1', '0', '-3', '0'], ['0', '1', '0', '-1/3']]
    >>> H.matrix(0).tolist()
    [[0, -9], [1, 0]]
    """
    if degree == 0:
        return trivial(rep.group), identity(1)
    n = rep.dim
    tuples = index_tuples(n, degree, signed=False)
    monomials = [_exponents(t, n) for t in tuples.tolist()]
    place = {m: i for i, m in enumerate(monomials)}
    first = [m for m in monomials if m[-1] < 2]
    if not first:
        return None
    squares = scale_squares(rep)
    weights = [Fraction(1)] * n if squares is None else [Fraction(s) for s in squares.tolist()]
    # The vector q^d in Sym^d has the coordinates d!/a! q^a.
    counts = [factorial(degree) // prod(map(factorial, m)) for m in monomials]
    found = [{place[m]: c for m, c in _harmonic(b, weights).items()} for b in first]
    h = _matrix((len(first), len(monomials)), found)
    down = _matrix(h.shape, [{i: c / counts[i] for i, c in row.items()} for row in found])
    up = _matrix((len(first), len(monomials)), [{place[b]: Fraction(counts[place[b]])} for b in first]).T
    images = rep.matrices
    many = len(rep.group.discrete)
    discrete = [down @ (power_image(g, degree, signed=False) @ up) for g in images[:many]]
    lie = [down @ (power_derivative(a, degree, signed=False) @ up) for a in images[many:]]
    if not images:
        return len(first) * trivial(rep.group), h
    return Custom(rep.group, discrete, lie, f"H{degree}({rep})"), h


def _exponents(indices: Sequence[int], n: int) -> Exponents:
    found = Counter(indices)
    return tuple(found[i] for i in range(n))


def _harmonic(start: Exponents, weights: Sequence[Fraction]) -> dict[Exponents, Fraction]:
    """h_b as a polynomial: coefficients by exponents."""
    e = start[-1]
    part = {start[:-1]: Fraction(1)}
    out: dict[Exponents, Fraction] = {}
    power = e
    while part:
        for m, c in part.items():
            out[(*m, power)] = c * Fraction(factorial(e), factorial(power))
        after: dict[Exponents, Fraction] = {}
        for m, c in part.items():
            for i, p in enumerate(m):
                if p > 1:
                    lower = (*m[:i], p - 2, *m[i + 1 :])
                    after[lower] = after.get(lower, Fraction(0)) - c * p * (p - 1) * weights[-1] / weights[i]
        part, power = after, power + 2
    return out


def _matrix(shape: tuple[int, int], rows: Sequence[dict[int, Fraction]]) -> Matrix:
    den = lcm(*(c.denominator for row in rows for c in row.values()))
    entries = [(i, j, int(c * den)) for i, row in enumerate(rows) for j, c in row.items()]
    i, j, nums = zip(*entries, strict=True)
    return from_coo(shape, QQ, i, j, np.array(nums, object).reshape(-1, 1), den)
