"""`gains_at`: one number from 0, strict, to 1, free, as a gain for each level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError

__all__ = ["Shape", "gains_at"]

Floats = npt.NDArray[np.float64]

Shape = Literal["cutoff", "heat", "tikhonov", "blend"]

# exp(-t) and 1 / (1 + 1/t) are bisected on the logarithm of t between these; both ends give gains of 0 or 1 to the last digit.
_ENDS = (-690.0, 690.0)


def gains_at(
    values: npt.ArrayLike, multiplicities: Sequence[int] | npt.NDArray[np.int64], softness: float, shape: str = "heat"
) -> Floats:
    """Gains (levels,) of a filter with a given softness, the mean gain over all maps that are not equivariant.

        cutoff     1 up to a level, 0 above: whole levels, rounded down
        heat       exp(-t lambda), with the t that has this softness
        tikhonov   1 / (1 + lambda / tau), with the tau that has this softness
        blend      the softness itself, for every level: F W = P W + softness (W - P W)

    lambda is the square of a value. No gain falls as the softness grows, the equivariant maps have gain 1, and the ends are
    exact: all others 0 at softness 0, all 1 at softness 1.

    Args:
        values: (levels,) singular values of the constraint, ascending, the first 0: ``soft.plan.values``.
        multiplicities: (levels,) the dimensions: ``soft.plan.multiplicities``.
        softness: between 0 and 1.
        shape: see above.

    Raises:
        IncompatibleError: a softness outside [0, 1]; an unknown shape.

    >>> gains_at([0, 1, 2], [1, 3, 4], 0.5, "cutoff").tolist()
    [1.0, 1.0, 0.0]
    >>> gains = gains_at([0, 1, 2], [1, 3, 4], 0.5, "heat")
    >>> round(float(gains[1:] @ [3, 4]) / 7, 12)
    0.5
    """
    if shape not in get_args(Shape):
        raise IncompatibleError(f"profile is {shape!r}; choose one of {', '.join(map(repr, get_args(Shape)))}")
    if not 0 <= softness <= 1:
        raise IncompatibleError(f"softness: expected a number between 0 (strict) and 1 (free), got {softness!r}")
    b, m = np.asarray(values, np.float64), np.asarray(multiplicities, np.float64)
    out = np.full(len(b), float(softness))
    out[:1] = 1.0
    rest = m[1:].sum()
    if softness in (0, 1) or shape == "blend" or not rest:
        return out
    if shape == "cutoff":
        kept = np.cumsum(m[1:]) <= softness * rest
        return np.r_[1.0, kept.astype(np.float64)]
    eigenvalues = b[1:] ** 2 / np.min(b[1:], where=b[1:] > 0, initial=np.inf) ** 2
    profile: Callable[[float], Floats] = (
        (lambda u: np.exp(-eigenvalues * np.exp(-u))) if shape == "heat" else (lambda u: 1 / (1 + eigenvalues * np.exp(-u)))
    )
    low, high = _ENDS
    with np.errstate(over="ignore", under="ignore"):
        while (middle := (low + high) / 2) not in (low, high):
            if profile(middle) @ m[1:] < softness * rest:
                low = middle
            else:
                high = middle
        return np.r_[1.0, profile(high)]
