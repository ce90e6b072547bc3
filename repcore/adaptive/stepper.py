"""`Stepper`: SGD or Adam for a handful of numbers, with a rate and a schedule of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from repcore.errors import IncompatibleError

__all__ = ["Stepper", "soft_threshold"]

_KINDS = ("sgd", "adam")


@dataclass(frozen=True)
class Stepper:
    """A step along a direction m with a step size e > 0, for each number x by itself: x - e m.

    ``"sgd"`` takes e = rate and m = the gradient. ``"adam"`` (Kingma and Ba, 2015) takes the bias-corrected mean for m and
    e = rate / (sqrt of the mean square + eps). Step size and direction are kept apart, so that a proximal step has its
    threshold in the same metric: x -> prox_{e h}(x - e m).

    Args:
        rate: the learning rate, positive.
        kind: ``"sgd"`` or ``"adam"``.
        schedule: a function of the step that the rate is multiplied by; in JAX the step is traced.
        betas, eps: of Adam.
        clip: the most that the gradient counts, either way; a number that is not finite counts as 0.

    Raises:
        IncompatibleError: an unknown kind, a rate that is not positive, betas outside of [0, 1).

    >>> import numpy as np
    >>> stepper = Stepper(0.5)
    >>> _, size, direction = stepper.step({}, np.array([2.0]), 0, np)
    >>> float((1.0 - size * direction)[0])
    0.0
    """

    rate: float = 0.1
    kind: str = "sgd"
    schedule: Callable[[Any], Any] | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise IncompatibleError(f"kind is {self.kind!r}; choose one of {', '.join(map(repr, _KINDS))}")
        if isinstance(self.rate, bool) or not 0 < self.rate < float("inf"):
            raise IncompatibleError(f"rate is {self.rate!r}; give a positive number")
        if self.clip is not None and not 0 < self.clip < float("inf"):
            raise IncompatibleError(f"clip is {self.clip!r}; give a positive number")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise IncompatibleError(f"betas is {self.betas!r}; give two numbers in [0, 1)")

    def init(self, like: Any, prefix: str) -> dict[str, Any]:
        """The state before the first step, for numbers in the shape of ``like``."""
        return {f"{prefix}.mean": 0 * like, f"{prefix}.square": 0 * like} if self.kind == "adam" else {}

    def step(
        self, state: Mapping[str, Any], gradient: Any, step: Any, xp: Any, prefix: str = ""
    ) -> tuple[dict[str, Any], Any, Any]:
        """The next state, the step size and the direction; ``xp`` is the module of the arrays: numpy, torch or jax.numpy."""
        gradient = xp.where(xp.isfinite(gradient), gradient, xp.zeros_like(gradient))
        if self.clip is not None:
            gradient = xp.clip(gradient, -self.clip, self.clip)
        rate = self.rate * self.schedule(step) if self.schedule is not None else self.rate
        if self.kind == "sgd":
            return {}, rate, gradient
        first, second = self.betas
        mean = first * state[f"{prefix}.mean"] + (1 - first) * gradient
        square = second * state[f"{prefix}.square"] + (1 - second) * gradient * gradient
        direction = mean / (1 - first ** (step + 1))
        size = rate / (xp.sqrt(square / (1 - second ** (step + 1))) + self.eps)
        return {f"{prefix}.mean": mean, f"{prefix}.square": square}, size, direction


def soft_threshold(x: Any, threshold: Any, xp: Any) -> Any:
    """argmin_z |z - x|^2 / 2 + threshold |z|: zero within the threshold, nearer to zero by it outside.

    >>> import numpy as np
    >>> soft_threshold(np.array([-3.0, 0.5, 2.0]), 1.0, np).tolist()
    [-2.0, 0.0, 1.0]
    """
    rest = abs(x) - threshold
    return xp.where(rest > 0, xp.sign(x) * rest, 0 * x)
