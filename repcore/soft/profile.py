"""Profiles: the gain of a level as a function of the level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, isnan

from repcore.errors import IncompatibleError

__all__ = ["Cutoff", "Heat", "Level", "Profile", "Tikhonov"]


@dataclass(frozen=True)
class Level:
    """The maps X -> Y at one distance from equivariance: an eigenspace of Delta = L^H L, L the constraint of the generators.

    Attributes:
        value: the singular value b = sqrt(lambda) of L; 0 for the equivariant maps.
        multiplicity: its dimension.
        error: a bound on the rounding error of the value.
        gain: what a filter multiplies it by.
    """

    value: float
    multiplicity: int
    error: float = 0.0
    gain: float = 1.0

    @property
    def eigenvalue(self) -> float:
        """lambda = value^2, the eigenvalue of Delta."""
        return self.value**2


Profile = Callable[[Level], float]


@dataclass(frozen=True)
class Cutoff:
    """The hard filter: gain 1 where the singular value is at most b, 0 above. b = 0 is the projector onto the equivariant maps.

    >>> Cutoff(1.0)(Level(0.5, 3)), Cutoff(1.0)(Level(1.5, 3))
    (1.0, 0.0)
    """

    b: float

    def __post_init__(self) -> None:
        if isnan(self.b) or self.b < 0:
            raise IncompatibleError(f"cutoff: expected a number >= 0, got {self.b!r}; 0 keeps the equivariant maps alone")

    def __call__(self, level: Level) -> float:
        """The gain of a level."""
        return 1.0 if level.value - level.error <= self.b else 0.0


@dataclass(frozen=True)
class Heat:
    """exp(-t lambda): the heat flow for a time t towards the equivariant maps; t = 0 changes nothing.

    >>> Heat(0.5)(Level(2.0, 1)) == 2.718281828459045 ** -2
    True
    """

    t: float

    def __post_init__(self) -> None:
        _check_positive("t", self.t)

    def __call__(self, level: Level) -> float:
        """The gain of a level."""
        return exp(-self.t * level.eigenvalue) if level.value else 1.0


@dataclass(frozen=True)
class Tikhonov:
    """1 / (1 + lambda / tau): what minimises ||F M - M||^2 + ||L F M||^2 / tau; tau = 0 is the projector, by continuity.

    >>> Tikhonov(4.0)(Level(2.0, 1))
    0.5
    """

    tau: float

    def __post_init__(self) -> None:
        _check_positive("tau", self.tau)

    def __call__(self, level: Level) -> float:
        """The gain of a level."""
        if not level.value:
            return 1.0
        return 1 / (1 + level.eigenvalue / self.tau) if self.tau else 0.0


def _check_positive(name: str, value: float) -> None:
    if isnan(value) or value < 0:
        raise IncompatibleError(f"{name}: expected a number >= 0, got {value!r}")
