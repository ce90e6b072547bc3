"""Controllers of the branch as arithmetic: what they converge to, and when, against formulas that are derived by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import repcore as rc

EPS = float(np.finfo(float).eps)


def descended(
    controller: rc.Controller, slope: float, curvature: float, steps: int = 4000, start: float = 0.3
) -> tuple[Any, Any]:
    """gamma and the state after steps on J = slope gamma + curvature gamma^2 / 2."""
    gamma = np.array([start])
    state = controller.init(gamma)
    for step in range(steps):
        gamma, state = controller.update(gamma, slope + curvature * gamma, state, step, np)
    return gamma, state


def iteration(controller: rc.Controller, curvature: float) -> np.ndarray:
    """The matrix of one step of (gamma, lambda) on J = curvature gamma^2 / 2, where the step is linear."""
    columns = []
    for gamma, force in ((1.0, 0.0), (0.0, 1.0)):
        state = controller.init(np.array([gamma])) | {"multiplier": np.array([force])}
        new, after = controller.update(np.array([gamma]), curvature * np.array([gamma]), state, 0, np)
        columns.append([new[0], after["multiplier"][0]])
    return np.array(columns).T


@pytest.mark.parametrize("dual", [0.05, 0.4, 0.9])
def test_algorithm_1_is_stable_only_where_the_curvature_exceeds_the_dual_rate(dual: float) -> None:
    # The determinant is 1 - e_p (a - e_d): above 1, and the pair of complex eigenvalues outside the unit circle, where a < e_d.
    for curvature in (0.02, 0.2, 0.7, 2.0):
        radius = abs(np.linalg.eigvals(iteration(rc.Equality.paper(0.1, dual), curvature))).max()
        assert (radius < 1) == (curvature > dual), (curvature, radius)


@pytest.mark.parametrize("dual", [0.05, 0.4, 0.9])
def test_the_alternating_update_is_stable_for_every_curvature(dual: float) -> None:
    for curvature in (0.02, 0.2, 0.7, 2.0):
        controller = rc.Equality(rc.Stepper(0.1), rc.Stepper(dual))
        assert abs(np.linalg.eigvals(iteration(controller, curvature))).max() < 1
        gamma, state = descended(controller, -1.0, curvature, 20000)
        # The constraint holds, and the multiplier is the force that it takes. The slowest mode shrinks by more than 1e-4 a step.
        assert abs(gamma[0]) < 1e-8
        assert abs(state["multiplier"][0] - 1.0) < 1e-8


def test_the_published_trajectory_of_algorithm_1() -> None:
    # Exactly, in rational numbers: gamma -= e_p (g + lambda); lambda += e_d gamma, with the old gamma.
    primal, dual = Fraction(1, 4), Fraction(1, 8)
    gamma, force = Fraction(1, 2), Fraction(0)
    array = np.array([0.5])
    controller = rc.Equality.paper(0.25, 0.125)
    state = controller.init(array)
    for step in range(8):
        gamma, force = gamma - primal * (gamma / 2 + force), force + dual * gamma
        array, state = controller.update(array, array / 2, state, step, np)
        assert (array[0], state["multiplier"][0]) == (float(gamma), float(force))


@pytest.mark.parametrize("rho", [0.5, 2.0])
@pytest.mark.parametrize("slope", [-1.0, 0.7])
def test_the_resilient_constraint_is_a_ridge(rho: float, slope: float) -> None:
    curvature = 1.5
    ridge = -slope / (curvature + rho)
    for controller in (rc.Resilient.paper(rho, 0.05, 0.05), rc.Resilient(rho, 0.0, rc.Stepper(0.05), rc.Stepper(0.05))):
        gamma, state = descended(controller, slope, curvature, 8000)
        assert abs(gamma[0] - ridge) < 1e-8
        # lambda = rho u and u = |gamma|.
        assert abs(state["slack"][0] - abs(ridge)) < 1e-8
        assert abs(state["multiplier"][0] - rho * abs(ridge)) < 1e-8


@pytest.mark.parametrize(("slope", "expected"), [(-1.0, 0.9 / 2.5), (0.6, -0.5 / 2.5), (0.09, 0.0), (-0.1, 0.0)])
def test_the_dead_zone_is_a_threshold_on_the_slope(slope: float, expected: float) -> None:
    # min J + rho gamma^2 / 2 + mu |gamma|, with mu = 0.1, rho = 1 and curvature 1.5.
    gamma, _ = descended(rc.Resilient(1.0, 0.1, rc.Stepper(0.05), rc.Stepper(0.2)), slope, 1.5, 8000)
    if expected == 0:
        assert gamma[0] == 0
    else:
        assert abs(gamma[0] - expected) < 1e-8


def test_the_proximal_step_reaches_zero_and_stays() -> None:
    controller = rc.Proximal(0.5, rc.Stepper(0.1))
    assert descended(controller, 0.3, 1.0, 200)[0][0] == 0
    assert abs(descended(controller, -0.8, 1.0)[0][0] - 0.3) < 1e-12
    growing = rc.Proximal(lambda step: 0.0 if step < 100 else 10.0, rc.Stepper(0.05))
    assert descended(growing, -0.8, 1.0, 100)[0][0] > 0.7
    assert descended(growing, -0.8, 1.0, 200)[0][0] == 0


def test_the_augmented_lagrangian_is_stable_for_any_c() -> None:
    for c in (0.1, 10.0, 1000.0):
        gamma, state = descended(rc.AugmentedLagrangian(c, rc.Stepper(0.5)), -1.0, 0.5, 4000)
        assert abs(gamma[0]) < 1e-9
        assert abs(state["multiplier"][0] - 1.0) < 1e-6


def test_the_inequality_binds_only_where_it_must() -> None:
    controller = rc.Inequality(0.2, rc.Stepper(0.05), rc.Stepper(0.2))
    gamma, state = descended(controller, -1.0, 1.0, 8000)
    assert abs(gamma[0] - 0.2) < 1e-8
    assert abs(state["multiplier"][0] - 0.8) < 1e-8
    gamma, state = descended(controller, -0.1, 1.0, 8000)
    assert abs(gamma[0] - 0.1) < 1e-12
    assert state["multiplier"][0] == 0


@pytest.mark.parametrize(
    "controller",
    [
        rc.Equality(rc.Stepper(0.05), rc.Stepper(0.1)),
        rc.AugmentedLagrangian(2.0),
        rc.Inequality(0.1, rc.Stepper(0.05)),
        rc.Resilient(1.0, 0.1, rc.Stepper(0.05), rc.Stepper(0.2)),
    ],
    ids=lambda c: type(c).__name__,
)
def test_residuals_vanish_at_the_solution_and_not_before(controller: rc.Controller) -> None:
    gamma, state = descended(controller, -1.0, 1.5, 20000)
    at_end = controller.residuals(gamma, -1.0 + 1.5 * gamma, state, np)
    start = np.array([0.5])
    before = controller.residuals(start, -1.0 + 1.5 * start, controller.init(start), np)
    assert max(value.max() for value in at_end.values()) < 1e-7
    assert max(value.max() for value in before.values()) > 0.1


def test_fixed_and_scheduled() -> None:
    gamma = np.array([0.2, 0.4])
    assert rc.Fixed().update(gamma, None, {}, 3, np)[0] is gamma
    assert rc.Schedule(lambda step: 0.5**step).update(gamma, None, {}, 2, np)[0].tolist() == [0.25, 0.25]


def test_adam_takes_a_first_step_of_its_rate() -> None:
    stepper = rc.Stepper(0.01, "adam", eps=0.0)
    _, size, direction = stepper.step(stepper.init(np.zeros(2), "p"), np.array([5.0, -0.1]), 0, np, "p")
    # Bias correction makes the first mean and root mean square the gradient itself, to some roundings.
    assert abs(size * direction - [0.01, -0.01]).max() < 16 * EPS


def test_a_schedule_multiplies_the_rate() -> None:
    assert rc.Stepper(0.5, schedule=lambda step: 1 / (1 + step)).step({}, np.ones(1), 4, np)[1] == 0.1


def test_gradients_are_clipped_and_what_is_not_finite_does_not_count() -> None:
    _, _, direction = rc.Stepper(0.5, clip=0.2).step({}, np.array([0.1, -3.0, np.nan, np.inf]), 0, np)
    assert direction.tolist() == [0.1, -0.2, 0.0, 0.0]


def test_settings_are_values() -> None:
    made = rc.Resilient(2.0, 0.5)
    assert made == rc.Resilient(2.0, 0.5, rc.Stepper(), rc.Stepper())
    assert repr(made).startswith("Resilient(rho=2.0, mu=0.5, primal=Stepper(rate=0.1")
    assert hash(rc.Equality()) == hash(rc.Equality())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: rc.Resilient(0.0),
        lambda: rc.Resilient(mu=-1.0),
        lambda: rc.Resilient(slack="open"),
        lambda: rc.Resilient(order="both"),
        lambda: rc.Equality(order=""),
        lambda: rc.AugmentedLagrangian(-1.0),
        lambda: rc.Inequality(float("nan")),
        lambda: rc.Proximal(-0.1),
        lambda: rc.Stepper(0.0),
        lambda: rc.Stepper(0.1, clip=-1.0),
        lambda: rc.Stepper(0.1, "rmsprop"),
        lambda: rc.Stepper(0.1, betas=(0.9, 1.0)),
        lambda: rc.branch_bounds([1.0], [1.0, 2.0], [0.1]),
        lambda: rc.branch_bounds([], [], []),
        lambda: rc.plot(rc.History()),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(rc.IncompatibleError):
        wrong()


def test_bounds_hold_on_permutation_equivariant_networks() -> None:
    # ReLU is 1-Lipschitz, and commutes with permutations, which act orthogonally.
    rng = np.random.default_rng(0)
    G = rc.symmetric(4)
    plan = rc.plan(2 * G.rep >> 2 * G.rep)
    moves = rc.sample(G, 20, seed=0)
    for _ in range(20):
        layers, gammas = 3, rng.uniform(-0.5, 0.5, 3)
        eq = [plan.project(rng.standard_normal(plan.shape)) for _ in range(layers)]
        raw = [rng.standard_normal(plan.shape) for _ in range(layers)]
        neq = [W - plan.project(W) for W in raw]

        def run(x: np.ndarray, gamma: np.ndarray, eq: Any = eq, neq: Any = neq, last: int = layers - 1) -> np.ndarray:
            for k, (E, N, g) in enumerate(zip(eq, neq, gamma, strict=True)):
                x = x @ (E + g * N).T
                x = np.maximum(x, 0) if k < last else x
            return x

        norms = [[np.linalg.norm(W, 2) for W in each] for each in (eq, neq)]
        found = rc.branch_bounds(*norms, gammas.tolist())
        x = rng.standard_normal((50, 8))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        dropped = np.linalg.norm(run(x, gammas) - run(x, 0 * gammas), axis=1).max()
        X = 2 * G.rep
        moved = max(np.linalg.norm(run(g.act(X, x), gammas) - g.act(X, run(x, gammas)), axis=1).max() for g in moves)
        assert 0 < dropped <= found.dropping
        assert 0 < moved <= found.by_layer <= found.equivariance * (1 + 8 * EPS)


def test_a_history_is_plain_data(tmp_path: Any) -> None:
    moment = rc.Moment(5, {"a": 0.5}, {"a": 0.1}, {}, {"a": 1.0}, {"a": 0.2}, {}, 0.3, 0.4)
    history = rc.History([moment])
    assert list(rc.History.of_state(history.state())) == [moment]
    assert "0.00e+00" not in str(history)
    assert "5.00e-01" in str(history)
    with pytest.raises(rc.IncompatibleError):
        rc.History.of_state([{"step": 3}])
    pytest.importorskip("matplotlib").use("Agg")
    axes = history.plot()
    assert [ax.get_ylabel() for ax in axes] == ["|gamma|", "multiplier", "mean defect", "bound, |x| = 1"]
    assert list(axes[0].lines[0].get_ydata()) == [0.5]
    axes[0].figure.savefig(tmp_path / "history.png")
