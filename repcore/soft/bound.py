"""`SoftBound`: how far a map can be from equivariant, for every element of the group or of a stated part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, expm1, inf, sqrt

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.soft.growth import Growth
from repcore.soft.tangent import Tangent

__all__ = ["SoftBound", "make_bound"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SoftBound:
    """A bound on ||rho_Y(g) M - M rho_X(g)||_F, M = F W the filtered map; ``float(bound)`` is :attr:`value`.

    Attributes:
        value: what no element exceeds, up to the rounding of float64.
        mean: sqrt(2) ||M - P M||_F, exactly the root mean square over the group; None where the group is not compact, and
            for maps from images with a remainder.
        distance: ||M - P M||_F, P the projector onto the equivariant maps.
        norm: ||M||_F.
        elements: for which elements it holds.
        levels: c_l^2 ||P_l M||_F^2 for each level, where the group acts by isometries; their sum is value^2, or more where the
            constraint on M itself gives less; () for other groups.
    """

    value: float
    mean: float | None
    distance: float
    norm: float
    elements: str
    levels: tuple[float, ...] = ()

    @property
    def relative(self) -> float:
        """value / ||M||_F; 0 for M = 0."""
        return self.value / self.norm if self.norm else 0.0

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        mean = "" if self.mean is None else f"; root mean square {self.mean:.4g}"
        return f"at most {self.value:.4g} of {self.norm:.4g} for {self.elements}{mean}"


def make_bound(
    energies: Floats, growth: Growth, tangent: Callable[[], Tangent], reach: float | None, word: int | None
) -> SoftBound:
    """The bound for a map with the energies ||P_l M||_F^2.

    Args:
        energies: (levels,).
        growth: what is known of the action.
        tangent: computes the constraint on the map, where it is needed.
        reach: see :meth:`Soft.bound`.
        word: likewise.

    Raises:
        IncompatibleError: the group is not compact and no range is stated; a range that is none.
    """
    _check_range(growth, reach, word)
    norm, distance = sqrt(float(energies.sum())), sqrt(float(energies[1:].sum()))
    mean = sqrt(2) * distance if growth.is_orthogonal else None
    if reach is None and word is None:
        if not growth.is_orthogonal:
            raise IncompatibleError(
                "reach: X or Y is not orthogonal (unitary) in these coordinates, and for every g there is no bound; state a "
                "range, such as bound(W, reach=1.0) for g = exp(A) with |A| <= 1, or word=1 for single discrete generators"
            )
        parts = growth.chords(None, 0) ** 2 * energies
        return SoftBound(sqrt(float(parts.sum())), mean, distance, norm, "every g", tuple(parts.tolist()))
    ball, letters = 0.0 if reach is None else float(reach), word or 0
    where = _where(growth, ball, letters)
    if not growth.is_orthogonal:
        return SoftBound(_telescoped(growth, ball, letters, tangent(), distance), mean, distance, norm, where)
    parts = growth.chords(ball, letters) ** 2 * energies
    speed = tangent()
    value = min(sqrt(float(parts.sum())), ball * speed.lie + letters * speed.discrete)
    return SoftBound(value, mean, distance, norm, where, tuple(parts.tolist()))


def _check_range(growth: Growth, reach: float | None, word: int | None) -> None:
    if reach is not None and not growth.has_lie:
        raise IncompatibleError("reach: the group has no Lie generator that is not zero, so that exp(A) is 1; state word=")
    if word is not None and not growth.has_discrete:
        raise IncompatibleError("word: the group has no discrete generator but the identity; state reach=")
    if reach is not None and not 0 <= reach < inf:
        raise IncompatibleError(f"reach: expected a finite number >= 0, got {reach!r}")
    if word is not None and (isinstance(word, bool) or not isinstance(word, int) or word < 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"word: expected a number of letters >= 0, got {word!r}")


def _telescoped(growth: Growth, ball: float, letters: int, speed: Tangent, distance: float) -> float:
    """The bound for any representation, and never more than the growth allows for M - P M.

    Letter by letter D(g h) = rho_Y(g) D(h) + D(g) rho_X(h), D(s^-1) = - rho_Y(s)^-1 D(s) rho_X(s)^-1, and for exp(A)

        D(exp A) = integral over s in [0, 1] of exp(s A_Y) (A_Y M - M A_X) exp((1 - s) A_X).
    """
    (on_y, on_x), (by_y, by_x) = growth.rates, growth.factors
    a, b = ball * on_y, ball * on_x
    smooth = ball * speed.lie * exp(b) * (expm1(a - b) / (a - b) if a != b else 1.0)
    letter = speed.discrete * by_y * by_x
    words = sum(by_y**i * by_x ** (letters - 1 - i) for i in range(letters)) * letter
    return min(words * exp(b) + by_y**letters * smooth, (by_y**letters * exp(a) + by_x**letters * exp(b)) * distance)


def _where(growth: Growth, ball: float, letters: int) -> str:
    smooth = f"exp(A), |A| <= {ball:g}" if growth.has_lie else ""
    finite = f"s_1 ... s_k, k <= {letters} discrete generators or inverses" if letters else ""
    return "g = " + (f"{finite} times {smooth}" if smooth and finite else smooth or finite or "1")
