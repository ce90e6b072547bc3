"""`History`: what gamma and its controller did in training, as plain numbers; and its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from repcore.errors import IncompatibleError

__all__ = ["History", "Moment"]


@dataclass(frozen=True)
class Moment:
    """One step of training.

    Attributes:
        step: the number of steps so far.
        gamma: by layer, the largest absolute value where a layer has several.
        multiplier, slack: lambda and u, likewise; empty for controllers without.
        defect: by layer, the exact mean over the group, sqrt(E_g ||rho_Y(g) W - W rho_X(g)||_F^2) = sqrt(2) ||W - P W||_F.
        relative: by layer, ||W - P W|| / ||P W||.
        residuals: of the conditions of Karush, Kuhn and Tucker: name -> the largest of all layers.
        dropping, equivariance: the bounds of :func:`repcore.branch_bounds`, where they were computed.
    """

    step: int
    gamma: dict[str, float]
    multiplier: dict[str, float]
    slack: dict[str, float]
    defect: dict[str, float]
    relative: dict[str, float]
    residuals: dict[str, float] = field(default_factory=dict[str, float])
    dropping: float | None = None
    equivariance: float | None = None


class History:
    """The moments of a training, in order; a sequence. ``print`` shows the last one as a table."""

    def __init__(self, moments: Sequence[Moment] = ()) -> None:
        self._moments = list(moments)

    def append(self, moment: Moment) -> None:
        """Add the next moment."""
        self._moments.append(moment)

    def __iter__(self) -> Iterator[Moment]:
        return iter(self._moments)

    def __len__(self) -> int:
        return len(self._moments)

    def __getitem__(self, index: int) -> Moment:
        return self._moments[index]

    def state(self) -> list[dict[str, Any]]:
        """Plain values, for a ``state_dict`` or JSON."""
        return [asdict(moment) for moment in self._moments]

    @classmethod
    def of_state(cls, state: Any) -> History:
        """The inverse of :meth:`state`.

        Raises:
            IncompatibleError: it is no such state.
        """
        try:
            moments: list[Any] = [dict(moment) for moment in state]
            return cls([Moment(**moment) for moment in moments])
        except (TypeError, ValueError) as error:
            raise IncompatibleError(f"state: holds no history of ACE: {error}") from error

    def plot(self, axes: Any = None) -> Any:
        """:func:`repcore.plot` of it."""
        from repcore.plot import plot

        return plot(self, axes)

    def __str__(self) -> str:
        if not self._moments:
            return "no step yet"
        last = self._moments[-1]
        width = max(5, *map(len, last.gamma))
        head = f"{'layer':{width}}  {'gamma':>9}  {'multiplier':>10}  {'slack':>9}  {'mean defect':>11}  {'relative':>9}"
        rows = [f"step {last.step}", head]
        for name, gamma in last.gamma.items():
            numbers = [f"{gamma:9.2e}"] + [
                f"{values[name]:{size}.2e}" if name in values else f"{'':{size}}"
                for values, size in ((last.multiplier, 10), (last.slack, 9), (last.defect, 11), (last.relative, 9))
            ]
            rows.append("  ".join([f"{name:{width}}", *numbers]).rstrip())
        if last.dropping is not None and last.equivariance is not None:
            rows.append(f"bounds: dropping the branch {last.dropping:.2g}, equivariance {last.equivariance:.2g}, for |x| = 1")
        return "\n".join(rows)

    def __repr__(self) -> str:
        return f"<History of {len(self._moments)} moments>"
