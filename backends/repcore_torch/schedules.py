"""`Ramp`: a weight that grows or falls over the steps of a training."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, isfinite, pi
from typing import Literal

from repcore import IncompatibleError

__all__ = ["Ramp"]


@dataclass(frozen=True)
class Ramp:
    """From ``start`` to ``end`` within ``steps`` steps, after ``delay`` steps at the start, and at the end from then on.

    With t the share of the steps that is over, 0 to 1:

        linear:  start + (end - start) t,        cosine:  start + (end - start) (1 - cos(pi t)) / 2.

    Wherever a weight of a :class:`Penalty` is asked for, any function of the number of the step does as well.

    Raises:
        IncompatibleError: a number of steps below 1, a negative delay or weight, an unknown shape.

    >>> ramp = Ramp(0.0, 1.0, 100, delay=50)
    >>> [ramp(step) for step in (0, 50, 100, 150, 1000)]
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """

    start: float
    end: float
    steps: int
    shape: Literal["linear", "cosine"] = "linear"
    delay: int = 0

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            if not (value >= 0 and isfinite(value)):
                raise IncompatibleError(f"{name}: is {value}; give a weight >= 0")
        if self.steps < 1:
            raise IncompatibleError(f"steps: is {self.steps}; give a number of steps, at least 1")
        if self.delay < 0:
            raise IncompatibleError(f"delay: is {self.delay}; give a number of steps, at least 0")
        if self.shape not in ("linear", "cosine"):
            raise IncompatibleError(f"shape: is {self.shape!r}; choose 'linear' or 'cosine'")

    def __call__(self, step: int) -> float:
        """The weight at a step, counted from 0."""
        t = min(max((step - self.delay) / self.steps, 0.0), 1.0)
        if t in (0.0, 1.0):
            return self.end if t else self.start
        return self.start + (self.end - self.start) * (t if self.shape == "linear" else (1 - cos(pi * t)) / 2)
