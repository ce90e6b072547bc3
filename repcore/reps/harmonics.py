"""Harmonic polynomials of three variables in a rational basis, and how rotations act on them.

A homogeneous harmonic polynomial of degree l is determined by its values on the complex null cone x^2 + y^2 + z^2 = 0, and
every polynomial of degree l on the cone comes from one. With w = z + i x (so that w w* = -y^2 there) the basis is

    c_m = Re(w^m) y^(l-m),    c_-m = Im(w^m) y^(l-m),    m = 0 .. l,    in the order m = -l .. l.

Products, and so the action of any matrix of O(3), are read off in this ring with rational numbers only. Off the cone c_m is
(l-m)! Re(w^m) (d/dy)^m P_l(y, r), a multiple of e3nn's real spherical harmonic: the polar axis is y, the order for l = 1 is
(x, y, z), and for the harmonics Y_m of e3nn, which are orthonormal up to one factor for each l,

    Y_m = s_m c_m,    s_m^2 = binomial(2l, l + m),  half of it for m = 0.

Both follow from the raising operator c_m -> (l - m) c_(m+1). Sources: E. T. Whittaker and G. N. Watson, A Course of Modern
Analysis, ch. 18 (harmonics from the null cone); M. Geiger and T. Smidt, e3nn: Euclidean neural networks (2022), for its
convention.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import comb

import numpy as np

from repcore.exact.field import QQ
from repcore.exact.matrix import Matrix, from_coo, identity, zeros

__all__ = ["harmonic_derivative", "harmonic_image", "harmonic_squares"]


def harmonic_squares(degree: int) -> tuple[Fraction, ...]:
    """s_m^2 for m = -l .. l, with Y_m = s_m c_m.

    >>> [int(s) for s in harmonic_squares(2)]
    [1, 4, 3, 4, 1]
    """
    if degree == 0:
        return (Fraction(1),)
    return tuple(Fraction(comb(2 * degree, degree + m), 1 if m else 2) for m in range(-degree, degree + 1))


@lru_cache(maxsize=512)
def harmonic_image(degree: int, g: Matrix) -> Matrix:
    """D with c(g x) = D c(x), for an orthogonal 3 x 3 matrix g over any field; shape (2l + 1, 2l + 1).

    By recursion: c of degree l is y, z or x times c of degree l - 1, so D_l = sum_i B_i D_(l-1) T(row i of g), where T(v)
    multiplies by the linear form v. Cost: l products of a (2l + 1) x (2l + 1) matrix with a sparse one.

    >>> from repcore.exact.matrix import matrix
    >>> quarter = matrix([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])     # about y
    >>> harmonic_image(1, quarter) == quarter
    True
    >>> harmonic_image(2, quarter).tolist()
    [[-1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, -1, 0, 0, 0], [0, 0, 0, 0, -1]]
    """
    if degree == 0:
        return identity(1)
    smaller = harmonic_image(degree - 1, g)
    out = zeros((2 * degree + 1, 2 * degree + 1))
    for i, rows in enumerate(_from_smaller(degree)):
        form = zeros((2 * degree - 1, 2 * degree + 1))
        for j, times in enumerate(_times(degree)):
            if g[i, j]:
                form = form + times * g[i, j]
        out = out + rows @ (smaller @ form)
    return out.reduced()


def harmonic_derivative(degree: int, a: Matrix) -> Matrix:
    """The derivative of :func:`harmonic_image` at the identity along an antisymmetric 3 x 3 matrix.

    With L_x, L_y, L_z the infinitesimal rotations, and c_m, m > 0, meaning Re and Im together (f_m = c_m + i c_-m):
    L_y f_m = i m f_m, (L_x + i L_z) f_m = (l + m) f_(m-1), (L_x - i L_z) f_m = -(l - m) f_(m+1).
    """
    out = zeros((2 * degree + 1, 2 * degree + 1))
    for weight, generator in zip((a[2, 1], a[0, 2], a[1, 0]), _rotations(degree), strict=True):
        if weight:
            out = out + generator * weight
    return out.reduced()


@lru_cache(maxsize=64)
def _rotations(degree: int) -> tuple[Matrix, Matrix, Matrix]:
    """The images of the infinitesimal rotations about x, y and z."""
    about_x: dict[tuple[int, int], int] = {}
    about_y: dict[tuple[int, int], int] = {}
    about_z: dict[tuple[int, int], int] = {}
    for m in range(1, degree + 1):
        down, up = degree + m, degree - m
        about_y[m, -m], about_y[-m, m] = -2 * m, 2 * m
        for s in (1, -1):
            # c_m -> (down c_(m-1) - up c_(m+1)) / 2, the same for real and imaginary parts; the imaginary part of f_0 is 0.
            if m > 1 or s > 0:
                about_x[s * m, s * (m - 1)] = down
                about_z[-s * m, s * (m - 1)] = -s * down
            if m < degree:
                about_x[s * m, s * (m + 1)] = -up
                about_z[s * m, -s * (m + 1)] = s * up
    if degree:
        about_x[0, 1], about_z[0, -1] = -2 * degree, 2 * degree
    x, y, z = (_halves(entries, degree, degree) for entries in (about_x, about_y, about_z))
    return x, y, z


@lru_cache(maxsize=64)
def _times(degree: int) -> tuple[Matrix, Matrix, Matrix]:
    """Multiplication by x, y and z, from degree l - 1 (rows) to l (columns), on the null cone."""
    by_x: dict[tuple[int, int], int] = {(0, -1): 2}
    by_y: dict[tuple[int, int], int] = {(m, m): 2 for m in range(1 - degree, degree)}
    by_z: dict[tuple[int, int], int] = {(0, 1): 2}
    for m in range(1, degree):
        for s in (1, -1):
            by_z[s * m, s * (m + 1)] = 1
            by_x[s * m, -s * (m + 1)] = s
            if m > 1 or s > 0:
                by_z[s * m, s * (m - 1)] = -1
            if m > 1 or s < 0:
                by_x[s * m, -s * (m - 1)] = s
    x, y, z = (_halves(entries, degree - 1, degree) for entries in (by_x, by_y, by_z))
    return x, y, z


@lru_cache(maxsize=64)
def _from_smaller(degree: int) -> tuple[Matrix, Matrix, Matrix]:
    """B_x, B_y, B_z: c of degree l as x B_x c + y B_y c + z B_z c with c of degree l - 1."""
    last = degree - 1
    by_x = {(-degree, last): 2}
    by_z = {(degree, last): 2}
    if last:
        # w^l = (z + i x) w^(l-1): the real part has -x Im w^(l-1), the imaginary part z Im w^(l-1).
        by_x[degree, -last] = -2
        by_z[-degree, -last] = 2
    by_y = {(m, m): 2 for m in range(-last, last + 1)}
    x, y, z = (_halves(entries, degree, last) for entries in (by_x, by_y, by_z))
    return x, y, z


def _halves(entries: dict[tuple[int, int], int], row_degree: int, col_degree: int) -> Matrix:
    """The matrix of half these entries, indexed by m."""
    rows, cols = (np.array([at[k] for at in entries], np.int64) for k in (0, 1))
    nums = np.array(list(entries.values()), np.int64).reshape(-1, 1)
    shape = (2 * row_degree + 1, 2 * col_degree + 1)
    return from_coo(shape, QQ, rows + row_degree, cols + col_degree, nums, 2)
