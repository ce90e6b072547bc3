"""`SoftBound`: how far a map can be from equivariant, for every element of the group or of a stated part of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, sqrt

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.soft.growth import Growth

__all__ = ["SoftBound", "make_bound"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SoftBound:
    """A bound on ||rho_Y(g) M - M rho_X(g)||_F, M = F W the filtered map; ``float(bound)`` is :attr:`value`.

    Attributes:
        value: what no element exceeds, up to the rounding of float64.
        mean: sqrt(2) ||M - P M||_F, exactly the root mean square over the group; None where the group is not compact.
        distance: ||M - P M||_F, P the projector onto the equivariant maps.
        norm: ||M||_F.
        elements: for which elements it holds.
        levels: the share of each level in value^2 for a group that acts by isometries; () otherwise.
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


def make_bound(energies: Floats, values: Floats, growth: Growth, reach: float | None, word: int | None) -> SoftBound:
    """The bound for a map with the energies ||P_l M||_F^2.

    Raises:
        IncompatibleError: the group is not compact and no range is stated; a range that is none.
    """
    if reach is not None and not growth.has_lie:
        raise IncompatibleError("reach: the group has no Lie generator that is not zero, so that exp(A) is 1; state word=")
    if word is not None and not growth.has_discrete:
        raise IncompatibleError("word: the group has no discrete generator but the identity; state reach=")
    if reach is not None and not reach >= 0:
        raise IncompatibleError(f"reach: expected a number >= 0, got {reach!r}")
    if word is not None and (isinstance(word, bool) or not isinstance(word, int) or word < 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"word: expected a number of letters >= 0, got {word!r}")
    norm, distance = sqrt(float(energies.sum())), sqrt(float(energies[1:].sum()))
    everything = reach is None and word is None
    letters = 0 if word is None else word
    ball = 0.0 if reach is None else float(reach)
    if growth.is_orthogonal and (growth.invariant or everything):
        mean = sqrt(2) * distance
        chords = (
            growth.chords(None if everything else ball, letters)
            if growth.invariant
            else np.r_[0.0, np.full(len(values) - 1, 2.0)]
        )
        parts = chords**2 * energies
        where = "every g" if everything else _where(growth, ball, letters)
        return SoftBound(sqrt(float(parts.sum())), mean, distance, norm, where, tuple(parts.tolist()))
    if everything:
        raise IncompatibleError(
            "reach: the group is not compact on X and Y, and no number bounds the defect for every g; state a range, such as "
            "bound(W, reach=1.0) for g = exp(A) with |A| <= 1, or word=1 for single discrete generators"
        )
    dirichlet = sqrt(float((values**2 * energies).sum()))
    value = _telescoped(growth, ball, letters, dirichlet, distance)
    return SoftBound(value, sqrt(2) * distance if growth.is_orthogonal else None, distance, norm, _where(growth, ball, letters))


def _telescoped(growth: Growth, ball: float, letters: int, dirichlet: float, distance: float) -> float:
    """The bound for any representation, from ||L M||_F = ``dirichlet``, and never more than the growth allows for M - P M.

    Letter by letter D(g h) = rho_Y(g) D(h) + D(g) rho_X(h), and for exp(A)

        D(exp A) = integral over s in [0, 1] of exp(s A_Y) (A_Y M - M A_X) exp((1 - s) A_X).
    """
    (on_y, on_x), (by_y, by_x) = growth.rates, growth.factors
    a, b = ball * on_y, ball * on_x
    mean_growth = exp(b) * (expm1(a - b) / (a - b) if a != b else 1.0)
    smooth = ball * dirichlet * mean_growth
    words = sum(by_y**i * by_x ** (letters - 1 - i) for i in range(letters)) * dirichlet
    telescoped = words * exp(b) + by_y**letters * smooth
    return min(telescoped, (by_y**letters * exp(a) + by_x**letters * exp(b)) * distance)


def _where(growth: Growth, ball: float, letters: int) -> str:
    smooth = f"exp(A), |A| <= {ball:g}" if growth.has_lie else ""
    finite = f"s_1 ... s_k, k <= {letters} discrete generators or inverses" if letters else ""
    return "g = " + (f"{finite} times {smooth}" if smooth and finite else smooth or finite or "1")
