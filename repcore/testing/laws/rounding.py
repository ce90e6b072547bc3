"""How far floating point may be from the exact answer: bounds that are derived, in units of the dtype's rounding."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore import IncompatibleError, Plan

__all__ = ["norm", "of_a_verb", "unit"]


def unit(dtype: npt.DTypeLike) -> float:
    """u with |fl(x op y) - (x op y)| <= u |x op y|: half the distance from 1 to the next number; 0 for integers.

    Raises:
        IncompatibleError: a dtype without a known precision.

    >>> unit("float32") == 2.0**-24, unit("complex128") == 2.0**-53
    (True, True)
    """
    wanted: np.dtype[Any] = np.dtype(dtype)
    if wanted.kind in "iub":
        return 0.0
    if wanted.kind in "fc":
        return float(np.finfo(wanted.name).eps) / 2
    if wanted.name == "bfloat16":  # of ml_dtypes, which NumPy does not describe: eight significant bits
        return 2.0**-8
    raise IncompatibleError(f"dtype: the precision of {wanted} is not known; use a float or complex dtype")


def of_a_verb(plan: Plan, dtype: npt.DTypeLike) -> float:
    """b with ||computed - exact||_F <= b ||argument||_F, for ``coefficients``, ``expand`` and ``project`` of a plan.

    Let N = dim Y dim X and k the number of maps. A coefficient <B_a, W>, and an entry of sum_a theta_a B_a, is reached by sums
    of at most N + k products of constants that were rounded once, in whatever order or factorisation: relative to the sum of the
    moduli it is off by gamma(N + k + 4), gamma(m) = m u / (1 - m u), times 4 for complex numbers. The moduli of k orthonormal
    elements have the norm sqrt(k). The constants are orthonormalised in float64 by Householder reflections, off by
    sqrt(k) gamma(4 N k) (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 19.3); both halves of a
    projection have both errors.
    """
    size, k = plan.shape[0] * plan.shape[1], plan.dim
    executed = _gamma(size + k + 4, unit(dtype)) * (4 if plan.is_complex else 1)
    constants = _gamma(4 * size * max(k, 1), unit(np.float64)) * (4 if plan.is_complex else 1)
    return sqrt(k) * 2 * (executed + constants)


def norm(x: npt.NDArray[Any]) -> float:
    """The Frobenius norm, in double precision."""
    wide = np.asarray(x).astype(np.complex128 if np.iscomplexobj(x) else np.float64)
    return float(np.linalg.norm(wide))


def _gamma(operations: int, u: float) -> float:
    if operations * u >= 0.5:
        raise IncompatibleError(
            f"dtype: {operations} operations with unit roundoff {u:.1e} have no digit left; use a longer dtype"
        )
    return operations * u / (1 - operations * u)
