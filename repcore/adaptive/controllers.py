"""Controllers: how gamma, the weight of what is not equivariant, moves in training. Frozen settings; pure updates of any arrays.

J is the loss, g = dJ/dgamma, lambda a multiplier, u a slack, e_p and e_d the step sizes of gamma and lambda.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from repcore.adaptive.stepper import Stepper, soft_threshold
from repcore.errors import IncompatibleError

__all__ = ["AugmentedLagrangian", "Controller", "Equality", "Fixed", "Inequality", "Proximal", "Resilient", "Schedule"]

State = dict[str, Any]

_ORDERS = ("alternating", "simultaneous")
_WAIT = 20


def _waited(move: Any) -> Any:
    """The schedule of the default: nothing before the move number 20; traced in JAX."""
    return move >= _WAIT


class Controller(ABC):
    """What decides about gamma; abstract. All methods are pure, and act on each gamma by itself.

    ``xp`` is the module of the arrays: numpy, torch or jax.numpy. A state is a flat dictionary of arrays in the shape of gamma.
    """

    @abstractmethod
    def init(self, gamma: Any) -> State:
        """The state before the first step."""

    @abstractmethod
    def update(self, gamma: Any, gradient: Any, state: State, step: Any, xp: Any) -> tuple[Any, State]:
        """The next gamma and the next state; ``step`` counts the updates, from 0."""

    def residuals(self, gamma: Any, gradient: Any, state: State, xp: Any) -> State:
        """How far the conditions of Karush, Kuhn and Tucker are from being met, each zero at a solution.

        ``stationary``: the distance from -g to the multiplier's force; ``feasible``: by how much the constraint is violated;
        ``complementary``: abs(lambda (abs(gamma) - u)), the multiplier times the constraint's slackness. Controllers without
        a constraint have none.
        """
        return {}


@dataclass(frozen=True)
class Fixed(Controller):
    """gamma stays as it is: at 0 the strict model, otherwise a homotopy at a fixed point."""

    def init(self, gamma: Any) -> State:
        """No state."""
        return {}

    def update(self, gamma: Any, gradient: Any, state: State, step: Any, xp: Any) -> tuple[Any, State]:
        """gamma as it is."""
        return gamma, state


@dataclass(frozen=True)
class Schedule(Controller):
    """gamma = value(step), the same for all layers; a function such as ``rct.Ramp`` or a schedule of optax.

    >>> import numpy as np
    >>> Schedule(lambda step: 1 / (1 + step)).update(np.ones(2), None, {}, 3, np)[0].tolist()
    [0.25, 0.25]
    """

    value: Callable[[Any], Any]

    def init(self, gamma: Any) -> State:
        """No state."""
        return {}

    def update(self, gamma: Any, gradient: Any, state: State, step: Any, xp: Any) -> tuple[Any, State]:
        """The value of the schedule."""
        return 0 * gamma + self.value(step), state


@dataclass(frozen=True)
class Equality(Controller):
    """gamma = 0 as a constraint, by ascent of its multiplier: Algorithm 1 of Manolache, Chamon and Niepert (2025).

        gamma -= e_p (g + lambda);    lambda += e_d gamma

    ``order="simultaneous"``, as published, takes the old gamma in the second. On a quadratic of curvature a, with sgd, this
    converges only if a > e_d: below, gamma oscillates with a growing amplitude whatever the data are. ``"alternating"`` takes the
    new gamma, and converges for every a > 0 if e_p (2 a + e_d) < 4.
    """

    primal: Stepper = field(default_factory=Stepper)
    dual: Stepper = field(default_factory=lambda: Stepper(0.01))
    order: str = "alternating"

    def __post_init__(self) -> None:
        _check_order(self.order)

    @classmethod
    def paper(cls, primal: float, dual: float) -> Equality:
        """Algorithm 1 as published, with its two rates."""
        return cls(Stepper(primal), Stepper(dual), "simultaneous")

    def init(self, gamma: Any) -> State:
        """lambda = 0."""
        return {"multiplier": 0 * gamma, **self.primal.init(gamma, "primal"), **self.dual.init(gamma, "dual")}

    def update(self, gamma: Any, gradient: Any, state: State, step: Any, xp: Any) -> tuple[Any, State]:
        """A step of gamma, and one of lambda."""
        force = state["multiplier"]
        primal, size, direction = self.primal.step(state, gradient + force, step, xp, "primal")
        new = gamma - size * direction
        return new, {**primal, **_equality_ascent(self.dual, force, new if self.order == _ORDERS[0] else gamma, state, step, xp)}

    def residuals(self, gamma: Any, gradient: Any, state: State, xp: Any) -> State:
        """``abs(g + lambda)`` and ``abs(gamma)``."""
        return {"stationary": abs(gradient + state["multiplier"]), "feasible": abs(gamma)}


@dataclass(frozen=True)
class AugmentedLagrangian(Controller):
    """gamma = 0 with a quadratic term beside the multiplier, which makes the curvature a + c (Hestenes; Powell, 1969).

        gamma = (gamma - e_p (g + lambda)) / (1 + e_p c);    lambda += e_d gamma,  e_d = c unless ``dual`` says otherwise

    The quadratic term is taken implicitly, so that any c is stable.
    """

    c: float = 1.0
    primal: Stepper = field(default_factory=Stepper)
    dual: Stepper | None = None

    def __post_init__(self) -> None:
        _check_positive("c", self.c)

    def init(self, gamma: Any) -> State:
        """lambda = 0."""
        return {"multiplier": 0 * gamma, **self.primal.init(gamma, "primal"), **self._dual.init(gamma, "dual")}

    def update(self, gamma: Any, gradient: Any, state: State, step: Any, xp: Any) -> tuple[Any, State]:
        """A step of gamma, and one of lambda."""
        force = state["multiplier"]
        primal, size, direction = self.primal.step(state, gradient + force, step, xp, "primal")
        new = (gamma - size * direction) / (1 + size * self.c)
        return new, {**primal, **_equality_ascent(self._dual, force, new, state, step, xp)}

    def residuals(self, gamma: Any, gradient: Any, state: State, xp: Any) -> State:
        """``abs(g + lambda + c gamma)`` and ``abs(gamma)``."""
        return {"stationary": abs(gradient + state["multiplier"] + self.c * gamma), "feasible": abs(gamma)}

    @property
    def _dual(self) -> Stepper:
        return Stepper(self.c) if self.dual is None else self.dual


@dataclass(frozen=True)
class Inequality(Controller):
    """abs(gamma) <= eps, by a multiplier lambda >= 0.

        gamma = S(gamma - e_p g, e_p lambda);    lambda = max(0, lambda + e_d (abs(gamma) - eps))

    with the soft threshold S, so that gamma can be exactly 0.
    """

    eps: float = 0.01
    primal: Stepper = field(default_factory=Stepper)
    dual: Stepper = field(default_factory=lambda: Stepper(0.1))

    def __post_init__(self) -> None:
        _check_positive("eps", self.eps, zero=True)

    def init(self, gamma: Any) -> State:
        """lambda = 0."""
        return {"multiplier": 0 * gamma, **self.primal.init(gamma, "primal"), **self.dual.init(gamma, "dual")}

    def update(self, gamma: Any, gradient: Any, state: State, step: Any, xp: Any) -> tuple[Any, State]:
        """A step of gamma, and one of lambda."""
        primal, size, direction = self.primal.step(state, gradient, step, xp, "primal")
        new = soft_threshold(gamma - size * direction, size * state["multiplier"], xp)
        return new, {**primal, **_ascent(self.dual, state["multiplier"], abs(new) - self.eps, state, step, xp)}

    def residuals(self, gamma: Any, gradient: Any, state: State, xp: Any) -> State:
        """Of abs(gamma) <= eps."""
        return _conditions(gamma, gradient, state["multiplier"], self.eps, xp)


@dataclass(frozen=True)
class Resilient(Controller):
    """abs(gamma) <= u at the price (rho / 2) u^2 + mu u: the constraint gives way where the data ask for it. The default.

        gamma = S(gamma - e_p g, e_p lambda);    u = max(0, lambda - mu) / rho;    lambda = max(0, lambda + e_d (abs(gamma) - u))

    What it solves is min J + (rho / 2) gamma^2 + mu abs(gamma), a ridge with a dead zone; gamma = 0 exactly where abs(g) <= mu.
    The multiplier begins at mu. For mu = 0 it is the constraint of Manolache, Chamon and Niepert (2025), which is a ridge.

    Args:
        rho: the price of slack, positive; lambda is stable for sgd if e_d < 2 rho.
        mu: the dead zone, in units of dJ/dgamma: symmetry is given up where the loss falls by more than mu for a unit of gamma.
        primal, dual: how gamma and lambda step.
        slack: ``"closed"``, as above; or ``"descent"``: u -= e_p (rho u + mu - lambda).
        proximal: the soft threshold; else gamma -= e_p (g + lambda sign(gamma)), which jumps about zero.
        order: ``"alternating"``: lambda sees the new gamma and u; ``"simultaneous"``: the old ones.
    """

    rho: float = 1.0
    mu: float = 0.0
    primal: Stepper = field(default_factory=Stepper)
    dual: Stepper = field(default_factory=Stepper)
    slack: str = "closed"
    proximal: bool = True
    order: str = "alternating"

    def __post_init__(self) -> None:
        _check_positive("rho", self.rho)
        _check_positive("mu", self.mu, zero=True)
        _check_order(self.order)
        if self.slack not in ("closed", "descent"):
            raise IncompatibleError(f"slack is {self.slack!r}; choose 'closed' or 'descent'")

    @classmethod
    def default(cls) -> Resilient:
        """What ACE takes where nothing is said, for losses of about 1 at the start: rho = mu = 0.1, 20 moves of wait.

        gamma stays where it is for the first moves, because where it is 0 the rest of the weight gets no gradient: the rest has
        to learn before it is judged. Chosen by the validation error and by gamma of three seeds of ``examples/rotations``.
        """
        return cls(0.1, 0.1, Stepper(0.1, clip=0.3, schedule=_waited), Stepper(0.1))

    @classmethod
    def paper(cls, rho: float, primal: float, dual: float) -> Resilient:
        """Algorithm 2 as published: gamma -= e_p (g + lambda sign gamma), u -= e_p (rho u - lambda), then lambda."""
        return cls(rho, 0.0, Stepper(primal), Stepper(dual), "descent", False, "simultaneous")

    def init(self, gamma: Any) -> State:
        """lambda = mu, u = 0."""
        start = {"multiplier": 0 * gamma + self.mu, "slack": 0 * gamma}
        return {**start, **self.primal.init(gamma, "primal"), **self.dual.init(gamma, "dual")}

    def update(self, gamma: Any, gradient: Any, state: State, step: Any, xp: Any) -> tuple[Any, State]:
        """A step of gamma, of u, and of lambda."""
        force, old = state["multiplier"], state["slack"]
        if self.proximal:
            primal, size, direction = self.primal.step(state, gradient, step, xp, "primal")
            new = soft_threshold(gamma - size * direction, size * force, xp)
        else:
            primal, size, direction = self.primal.step(state, gradient + force * xp.sign(gamma), step, xp, "primal")
            new = gamma - size * direction
        slack = _positive(force - self.mu) / self.rho
        if self.slack == "descent":
            rate = self.primal.rate if self.primal.schedule is None else self.primal.rate * self.primal.schedule(step)
            slack = _positive(old - rate * (self.rho * old + self.mu - force))
        seen = abs(new) - slack if self.order == _ORDERS[0] else abs(gamma) - old
        return new, {**primal, "slack": slack, **_ascent(self.dual, force, seen, state, step, xp)}

    def residuals(self, gamma: Any, gradient: Any, state: State, xp: Any) -> State:
        """Of abs(gamma) <= u; and ``slack``: ``abs(rho u - max(0, lambda - mu))``."""
        found = _conditions(gamma, gradient, state["multiplier"], state["slack"], xp)
        return {**found, "slack": abs(self.rho * state["slack"] - _positive(state["multiplier"] - self.mu))}


@dataclass(frozen=True)
class Proximal(Controller):
    """min J + weight abs(gamma) by proximal steps: gamma = S(gamma - e_p g, e_p weight), 0 where abs(g) <= weight.

    Args:
        weight: a number, or a function of the step.
        primal: how gamma steps.

    >>> import numpy as np
    >>> gamma, _ = Proximal(1.0, Stepper(0.5)).update(np.array([0.4, 2.0]), np.zeros(2), {}, 0, np)
    >>> gamma.tolist()
    [0.0, 1.5]
    """

    weight: float | Callable[[Any], Any] = 0.1
    primal: Stepper = field(default_factory=Stepper)

    def __post_init__(self) -> None:
        if not callable(self.weight):
            _check_positive("weight", self.weight, zero=True)

    def init(self, gamma: Any) -> State:
        """The state of the stepper."""
        return self.primal.init(gamma, "primal")

    def update(self, gamma: Any, gradient: Any, state: State, step: Any, xp: Any) -> tuple[Any, State]:
        """A proximal step."""
        primal, size, direction = self.primal.step(state, gradient, step, xp, "primal")
        weight = self.weight(step) if callable(self.weight) else self.weight
        return soft_threshold(gamma - size * direction, size * weight, xp), primal


def _ascent(dual: Stepper, force: Any, violation: Any, state: Mapping[str, Any], step: Any, xp: Any) -> State:
    kept, size, direction = dual.step(state, violation, step, xp, "dual")
    return {"multiplier": _positive(force + size * direction), **kept}


def _equality_ascent(dual: Stepper, force: Any, violation: Any, state: Mapping[str, Any], step: Any, xp: Any) -> State:
    kept, size, direction = dual.step(state, violation, step, xp, "dual")
    return {"multiplier": force + size * direction, **kept}


def _conditions(gamma: Any, gradient: Any, force: Any, most: Any, xp: Any) -> State:
    """At gamma = 0 the force may be anything within [-lambda, lambda]."""
    stationary = xp.where(gamma == 0, _positive(abs(gradient) - force), abs(gradient + force * xp.sign(gamma)))
    return {"stationary": stationary, "feasible": _positive(abs(gamma) - most), "complementary": abs(force * (abs(gamma) - most))}


def _positive(x: Any) -> Any:
    # max(0, x) of arrays of any framework, exactly: x + x and its half do not round.
    return (x + abs(x)) / 2


def _check_order(order: str) -> None:
    if order not in _ORDERS:
        raise IncompatibleError(f"order is {order!r}; choose one of {', '.join(map(repr, _ORDERS))}")


def _check_positive(name: str, value: float, zero: bool = False) -> None:
    if isinstance(value, bool) or not (value >= 0 if zero else value > 0) or not value < float("inf"):
        raise IncompatibleError(f"{name} is {value!r}; give a {'number >= 0' if zero else 'positive number'}")
