"""`SoftnessCurve`: what a model gains and loses from strict to free, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import Any

from repcore.errors import IncompatibleError

__all__ = ["SoftnessCurve", "SoftnessPoint", "softness_curve"]


@dataclass(frozen=True)
class SoftnessPoint:
    """What was measured at one softness, over all runs there: means, and the standard deviations of the runs.

    Attributes:
        softness: 0 strict, 1 free.
        error: the equivariance error.
        accuracy: whatever is to be high, in the unit it was given in; None if none was given.
        bound: a bound on the error; None if none was given.
        runs: how many.
        error_spread, accuracy_spread: standard deviations; 0 for one run.
    """

    softness: float
    error: float
    accuracy: float | None
    bound: float | None
    runs: int
    error_spread: float
    accuracy_spread: float


@dataclass(frozen=True)
class SoftnessCurve:
    """Error and accuracy over softness; made by :func:`softness_curve`. Print it, or ``plot()`` it.

    Attributes:
        points: by softness, ascending.
        title: what it is of.
    """

    points: tuple[SoftnessPoint, ...]
    title: str = ""

    @property
    def best(self) -> SoftnessPoint:
        """The point of the highest mean accuracy; of several, or without accuracies, the one with the lowest error."""
        return max(self.points, key=lambda p: (-inf if p.accuracy is None else p.accuracy, -p.error))

    def plot(self, ax: Any = None) -> Any:
        """:func:`repcore.plot` of it."""
        from repcore.plot import plot

        return plot(self, ax)

    def __str__(self) -> str:
        bounded = any(p.bound is not None for p in self.points)
        graded = any(p.accuracy is not None for p in self.points)
        rows = [("softness", "runs", "error", *(("accuracy",) if graded else ()), *(("bound",) if bounded else ()))]
        for p in self.points:
            spread = f" +- {p.accuracy_spread:.2g}" if p.runs > 1 else ""
            bound = ("" if p.bound is None else f"{p.bound:.2e}",) if bounded else ()
            accuracy = ("" if p.accuracy is None else f"{p.accuracy:.4g}{spread}",) if graded else ()
            rows.append((f"{p.softness:g}", str(p.runs), f"{p.error:.2e}", *accuracy, *bound))
        widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
        lines = ["  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*([self.title] if self.title else []), *lines])

    __repr__ = __str__


def softness_curve(runs: Iterable[tuple[float | None, ...]], *, title: str = "") -> SoftnessCurve:
    """The curve of runs at several softnesses, several runs at each if you like.

    Args:
        runs: (softness, error, accuracy), or (softness, error, accuracy, bound), for each run; an accuracy may be None.
        title: what it is of.

    Raises:
        IncompatibleError: no run, a run of another length, a softness outside [0, 1], or a number that is not finite.

    >>> print(softness_curve([(0, 0, 80), (0.5, 0.1, 91), (0.5, 0.1, 93), (1, 0.4, 90)], title="digits"))
    digits
    softness  runs  error     accuracy
    0         1     0.00e+00  80
    0.5       2     1.00e-01  92 +- 1.4
    1         1     4.00e-01  90
    """
    found: dict[float, list[tuple[float, float, float | None, float | None]]] = {}
    for run in runs:
        at, error, accuracy, bound = (*run, *(None,) * (4 - len(run))) if len(run) in (3, 4) else (None,) * 4
        finite = all(v is None or isfinite(v) for v in run)
        if at is None or error is None or not finite or not 0 <= at <= 1:
            raise IncompatibleError(
                f"runs: {run!r} is no run; give (softness, error, accuracy), or a bound as well, with a softness from 0 to 1"
            )
        found.setdefault(float(at), []).append((at, error, accuracy, bound))
    if not found:
        raise IncompatibleError("runs: there are none")
    points: list[SoftnessPoint] = []
    for softness, all_runs in sorted(found.items()):
        bounds = [run[3] for run in all_runs if run[3] is not None]
        grades = [run[2] for run in all_runs if run[2] is not None]
        error, e = _mean([run[1] for run in all_runs])
        accuracy, a = _mean(grades) if grades else (None, 0.0)
        points.append(SoftnessPoint(softness, error, accuracy, max(bounds, default=None), len(all_runs), e, a))
    return SoftnessCurve(tuple(points), title)


def _mean(values: list[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)) if len(values) > 1 else 0.0
