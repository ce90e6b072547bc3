"""`SoftnessSchedule`: softness over the steps of a training; on a plan, on a plateau, or by the defect that is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, log
from typing import Any

import torch
from torch import nn

from repcore import IncompatibleError
from repcore_torch.softened import set_softness, softenings

__all__ = ["Adaptive", "Plateau", "SoftnessSchedule", "weight_defect"]


@dataclass(frozen=True)
class Plateau:
    """From ``start`` to ``end`` by ``step`` each time the validation loss has not improved for ``patience`` measurements.

    An improvement is a loss below the best one by more than the part ``least`` of it. After a move the count and the best loss
    begin anew: what is reached at one softness says nothing of another.

    Raises:
        IncompatibleError: a softness outside [0, 1], a step that is not positive, a patience below 1, a negative ``least``.

    >>> plateau = Plateau(0.0, 1.0, step=0.5, patience=2)
    >>> state, trace = plateau.begin(), []
    >>> for loss in (3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0):
    ...     state = plateau.move(state, loss)
    ...     trace.append(state["softness"])
    >>> trace
    [0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0]
    """

    start: float
    end: float
    step: float = 0.1
    patience: int = 5
    least: float = 1e-4

    def __post_init__(self) -> None:
        _check_softness(start=self.start, end=self.end)
        if not 0 < self.step <= 1 or self.patience < 1 or not self.least >= 0:
            raise IncompatibleError(
                f"step, patience, least: are {self.step}, {self.patience}, {self.least}; give 0 < step <= 1, patience >= 1 "
                "and least >= 0"
            )

    def begin(self) -> dict[str, float]:
        """The state before the first measurement."""
        return {"softness": float(self.start), "best": float("inf"), "bad": 0}

    def move(self, state: dict[str, float], loss: float) -> dict[str, float]:
        """The state after a measurement."""
        if loss < state["best"] - self.least * abs(state["best"]) or state["best"] == float("inf"):
            return {**state, "best": float(loss), "bad": 0}
        if state["bad"] + 1 < self.patience:
            return {**state, "bad": state["bad"] + 1}
        gap = self.end - state["softness"]
        moved = self.end if abs(gap) <= self.step else state["softness"] + (self.step if gap > 0 else -self.step)
        return {"softness": round(moved, 12), "best": float("inf"), "bad": 0}


@dataclass(frozen=True)
class Adaptive:
    """As soft as a measured defect allows: softness + rate * clip(log(target / defect), -1, 1), kept within [lowest, highest].

    At its fixed point the defect is ``target``; or the softness is at a bound, because even the softest filter keeps the defect
    below it, or the hardest one does not. The defect is whatever is measured: the equivariance error of the model, by
    :func:`measure`, or that of its weights, by :func:`weight_defect`, which is taken where no other is given.

    Raises:
        IncompatibleError: a target or a rate that is not positive, bounds that are not 0 <= lowest <= start <= highest <= 1.

    >>> adaptive = Adaptive(0.5, target=0.1, rate=0.2)
    >>> adaptive.move(adaptive.begin(), 100.0)["softness"], adaptive.move(adaptive.begin(), 0.1)["softness"]
    (0.3, 0.5)
    """

    start: float
    target: float
    rate: float = 0.05
    lowest: float = 0.0
    highest: float = 1.0

    def __post_init__(self) -> None:
        _check_softness(start=self.start, lowest=self.lowest, highest=self.highest)
        if not (self.target > 0 and self.rate > 0 and self.lowest <= self.start <= self.highest):
            raise IncompatibleError(
                f"target, rate, start: are {self.target}, {self.rate}, {self.start}; give a target and a rate > 0, and a start "
                f"between lowest = {self.lowest} and highest = {self.highest}"
            )

    def begin(self) -> dict[str, float]:
        """The state before the first measurement."""
        return {"softness": float(self.start)}

    def move(self, state: dict[str, float], defect: float) -> dict[str, float]:
        """The state after a measurement."""
        turn = 1.0 if defect <= 0 else min(max(log(self.target / defect), -1.0), 1.0)
        return {"softness": min(max(state["softness"] + self.rate * turn, self.lowest), self.highest)}


class SoftnessSchedule:
    """Turns the dial of a softened model, step by step, in place; see :func:`set_softness`.

    Args:
        model: with softened weights. Those with learned gains are left alone.
        policy: a function of the number of the step, such as :class:`Ramp`, linear or cosine; a :class:`Plateau`, whose steps
            take a validation loss; or an :class:`Adaptive`, whose steps take a defect, by default :func:`weight_defect`.

    ``state_dict`` and ``load_state_dict`` go with those of the optimiser. Load the schedule before the model: it sets the
    softness that the weights were saved at, and a model refuses weights of another one.

    Attributes:
        softness: what it is now.

    Raises:
        IncompatibleError: a model that is not softened; a softness outside [0, 1].

    >>> import repcore as rc, torch
    >>> from repcore_torch import Ramp, soften
    >>> V = rc.dihedral(4).rep
    >>> layer = soften(torch.nn.Linear(2, 2), "weight", V >> V, softness=1.0)
    >>> schedule = SoftnessSchedule(layer, Ramp(1.0, 0.0, 4))
    >>> [schedule.step() for _ in range(5)]
    [0.75, 0.5, 0.25, 0.0, 0.0]
    """

    def __init__(self, model: nn.Module, policy: Callable[[int], float] | Plateau | Adaptive) -> None:
        self.model, self.policy = model, policy
        self._step = 0
        self._state = policy.begin() if isinstance(policy, Plateau | Adaptive) else {"softness": float(policy(0))}
        set_softness(model, self.softness)

    @property
    def softness(self) -> float:
        """What it is now."""
        return self._state["softness"]

    def step(self, measured: float | None = None) -> float:
        """One step on; returns the softness from now on.

        Args:
            measured: the validation loss for a :class:`Plateau`, the defect for an :class:`Adaptive`; nothing else takes one.

        Raises:
            IncompatibleError: a measurement is missing, not a number, or of no use. The softness is then as it was.
        """
        if isinstance(self.policy, Plateau | Adaptive):
            if measured is None and isinstance(self.policy, Adaptive):
                measured = weight_defect(self.model)
            if measured is None:
                raise IncompatibleError("measured: a Plateau needs the validation loss, step(loss)")
            if not isfinite(measured := float(measured)):
                raise IncompatibleError(f"measured: is {measured}; a schedule needs a finite number")
            state = self.policy.move(self._state, measured)
        else:
            if measured is not None:
                raise IncompatibleError("measured: a function of the step takes no measurement; use Plateau or Adaptive")
            state = {"softness": float(self.policy(self._step + 1))}
        set_softness(self.model, state["softness"])
        self._state, self._step = state, self._step + 1
        return self.softness

    def state_dict(self) -> dict[str, float]:
        """What a resumed run needs."""
        return {"step": self._step, **self._state}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from a saved state; sets the softness of the model.

        Raises:
            IncompatibleError: a state of another policy.
        """
        rest = {key: value for key, value in state.items() if key != "step"}
        if "step" not in state or set(rest) != set(self._state):
            raise IncompatibleError(f"state: holds {sorted(state)}, this policy needs {sorted({'step', *self._state})}")
        set_softness(self.model, rest["softness"])
        self._step, self._state = int(state["step"]), rest


@torch.no_grad()
def weight_defect(model: nn.Module) -> float:
    """The largest ||M - P M||_F / ||M||_F over the softened weights M of a model, as they are used; 0 where M = 0.

    Raises:
        IncompatibleError: no weight is softened.
    """
    found = [0.0]
    names = 0
    for path, softening in softenings(model):
        names += 1
        owner, _, name = path.rpartition(".")
        weight: Any = getattr(model.get_submodule(owner), name)
        maps = softening.view.read(weight)
        norm = float(maps.norm())
        found.append(float((maps - softening.projector(maps)).norm()) / norm if norm else 0.0)
    if not names:
        raise IncompatibleError("model: has no softened weight; call soften(model, ...) first")
    return max(found)


def _check_softness(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise IncompatibleError(f"{name}: is {value}; a softness lies between 0 (strict) and 1 (free)")
