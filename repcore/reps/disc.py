"""Harmonics times Bessel functions on a disc or a ball: the functions on which rotations about its middle act exactly.

The eigenfunctions of the Laplacian on the ball of radius R that vanish on its boundary are

    f_jdi(q) = radial_jd(|q|) Y_di(q / |q|),        radial_jd(r) = r^(1 - n/2) J_(d + n/2 - 1)(k_jd r),

with the k_jd R the zeros of the Bessel function and Y_di the harmonics of degree d: cos(d phi) and sin(d phi) in the plane,
spherical harmonics in space. k is a wave number: a band limit on it leaves out what cells cannot tell apart, and treats all
directions alike. These functions vary as slowly as their number allows, so that sums over cells are close to integrals.

Sources: Z. Zhao and A. Singer, Fourier-Bessel rotational invariant eigenimages (2013), for the band limit; N. Marshall, O.
Mickelin and A. Singer, Fast expansion into harmonics on the disk (2023).
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["angular", "radial", "wave_numbers"]

Floats = npt.NDArray[np.float64]

# Neighbouring zeros of one Bessel function are further apart than 3, and the first lies above 2: no step skips one.
_STEP = 0.5


@lru_cache(maxsize=64)
def wave_numbers(directions: int, highest: float) -> tuple[tuple[float, ...], ...]:
    """For each degree d the zeros up to ``highest`` of the radial function of degree d, as long as there are any.

    >>> [[round(k, 4) for k in row] for row in wave_numbers(2, 5.6)]
    [[2.4048, 5.5201], [3.8317], [5.1356]]
    """
    from scipy.optimize import brentq

    out: list[tuple[float, ...]] = []
    # The first zero of degree d lies above d.
    grid = np.arange(1.0, highest + _STEP, _STEP)
    for degree in range(int(highest) + 1):
        values = _bessel(directions, degree, grid)
        at = np.flatnonzero(np.sign(values[1:]) * np.sign(values[:-1]) <= 0)

        def f(x: float, degree: int = degree) -> float:
            return float(_bessel(directions, degree, np.array([x]))[0])

        found: list[Any] = [brentq(f, grid[i], grid[i + 1], xtol=1e-14, rtol=4 * np.finfo(np.float64).eps) for i in at]
        zeros = sorted({float(z) for z in found if z <= highest and _is_clear(degree, z)})
        if not zeros:
            break
        out.append(tuple(zeros))
    return tuple(out)


def radial(directions: int, degree: int, waves: tuple[float, ...], radii: Floats) -> Floats:
    """The radial functions of a degree at radii in units of R, (points, number); 0 from R on."""
    inside = (radii < 1)[:, None]
    return np.where(inside, _bessel(directions, degree, np.multiply.outer(np.minimum(radii, 1), np.array(waves))), 0.0)


def angular(degree: int, points: Floats) -> Floats:
    """The harmonics of a degree in the directions of points (n, points), as (points, number); their squares sum to their number.

    In the plane (cos d phi, sin d phi), in space the real spherical harmonics in the order and with the signs of
    ``rc.irrep(rc.SO(3), d)``. At the origin, which has no direction, 0 for d > 0.
    """
    n, many = points.shape
    if degree == 0:
        return np.ones((many, 1))
    length = np.sqrt(np.sum(points**2, axis=0))
    at_origin = length == 0
    unit = points / np.where(at_origin, 1.0, length)
    if n == 2:
        power = (unit[0] + 1j * unit[1]) ** degree
        out = np.sqrt(2) * np.stack([power.real, power.imag], axis=1)
    else:
        out = _spherical(degree, unit)
    out[at_origin] = 0
    return out


def _spherical(degree: int, unit: Floats) -> Floats:
    """sqrt(2l + 1) times the harmonics Y_m, m = -l .. l, that are orthonormal in the sense of sum_m Y_m^2 = 1; polar axis y."""
    from scipy import special

    associated: Any = special.lpmv
    x, y, z = unit
    turn = np.hypot(x, z)
    around = np.where(turn > 0, (z + 1j * x) / np.where(turn > 0, turn, 1.0), 1.0)
    out = np.empty((unit.shape[1], 2 * degree + 1))
    for m in range(degree + 1):
        # Without the sign (-1)^m of Condon and Shortley, which lpmv has.
        factor = exp((lgamma(degree - m + 1) - lgamma(degree + m + 1)) / 2) * (-1) ** m * (sqrt(2) if m else 1.0)
        legendre: Floats = associated(m, degree, y)
        part = factor * legendre * around**m
        out[:, degree + m] = part.real
        if m:
            out[:, degree - m] = part.imag
    return np.sqrt(2 * degree + 1) * out


def _bessel(directions: int, degree: int, x: Floats) -> Floats:
    from scipy import special

    found: Any = special.jv(degree, x) if directions == 2 else special.spherical_jn(degree, x)
    return np.asarray(found, np.float64)


def _is_clear(degree: int, zero: float) -> bool:
    # At the origin functions of a high degree are 0 in float64, and no zero.
    return zero > max(degree, 1)
