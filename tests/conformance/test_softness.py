"""One body of checks over the executors of a filter: NumPy, torch, JAX; dense singular vectors of the constraint as the judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import repcore as rc

EPS = float(np.finfo(np.float64).eps)
D4 = rc.dihedral(4)
SO3 = rc.SO(3)

SPACES: dict[str, Callable[[], rc.Hom | rc.FunctionMaps]] = {
    "D4, copies and two summands": lambda: 2 * D4.rep + 3 * rc.trivial(D4) >> D4.rep * D4.rep + 2 * D4.rep,
    "D4, kernel": lambda: rc.regular(D4) * rc.grid(D4, 3) >> rc.regular(D4),
    "SO(3), tensors": lambda: SO3.rep**2 >> 2 * SO3.rep + rc.trivial(SO3),
    "O(5), zero": lambda: 2 * rc.O(5).rep >> 2 * rc.trivial(rc.O(5)),
    "SU(2), complex": lambda: rc.SU(2).rep ** 2 >> rc.SU(2).rep ** 2,
    "Lorentz, not orthogonal": lambda: 2 * rc.lorentz().rep >> rc.lorentz().rep,
    "SO(2), functions on cells": lambda: 2 * rc.functions(rc.SO(2), 5) >> rc.trivial(rc.SO(2)) + rc.SO(2).rep,
    "GL(2), polynomials on cells": lambda: rc.functions(rc.GL(2), 5, degree=2) >> 3 * rc.trivial(rc.GL(2)) + rc.GL(2).rep,
    "SO(2), finite differences": lambda: rc.grid(rc.SO(2), 3, approximate=True) >> 2 * rc.trivial(rc.SO(2)),
}


def numpy_filter(space: rc.Hom | rc.FunctionMaps, W: np.ndarray, gains: np.ndarray) -> np.ndarray:
    return rc.soften(space, gain=gains).project(W)


def torch_filter(space: rc.Hom | rc.FunctionMaps, W: np.ndarray, gains: np.ndarray) -> np.ndarray:
    torch = pytest.importorskip("torch")
    rct = pytest.importorskip("repcore_torch")
    layer = torch.nn.Linear(space.shape[1], space.shape[0], bias=False)
    layer.weight = torch.nn.Parameter(torch.tensor(W))
    return rct.soften(layer, "weight", space, gain=gains).weight.detach().numpy()


def jax_filter(space: rc.Hom | rc.FunctionMaps, W: np.ndarray, gains: np.ndarray) -> np.ndarray:
    jax = pytest.importorskip("jax")
    rcj = pytest.importorskip("repcore_jax")
    with jax.enable_x64(True):
        return np.asarray(rcj.soft_projector(space, gain=gains)(W))


BACKENDS: dict[str, Callable[[rc.Hom | rc.FunctionMaps, np.ndarray, np.ndarray], np.ndarray]] = {
    "numpy": numpy_filter,
    "torch": torch_filter,
    "jax": jax_filter,
}


def weights(space: rc.Hom | rc.FunctionMaps) -> tuple[np.ndarray, Any]:
    plan, rng = rc.soften(space, keep=1).plan, np.random.default_rng(3)
    W = rng.standard_normal(space.shape)
    return (W + 1j * rng.standard_normal(space.shape) if plan.is_complex else W), plan


def slack(space: rc.Hom | rc.FunctionMaps, W: np.ndarray) -> float:
    """Changes of basis there and back, in either order of summation."""
    return 16 * sum(space.shape) * EPS * float(np.linalg.norm(W))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SPACES)
def test_a_filter_is_the_sum_of_its_levels(name: str, backend: str) -> None:
    space = SPACES[name]()
    W, plan = weights(space)
    gains = np.linspace(1, 0, len(plan)) ** 2
    found = BACKENDS[backend](space, W, gains)
    expected = np.tensordot(gains, plan.components(W), 1)
    assert np.linalg.norm(found - expected) <= len(plan) * slack(space, W)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SPACES)
def test_strict_is_the_projector_and_free_changes_no_bit(name: str, backend: str) -> None:
    space = SPACES[name]()
    W, plan = weights(space)
    found = BACKENDS[backend](space, W, np.eye(len(plan))[0])
    assert np.linalg.norm(found - rc.plan(space).project(W)) <= slack(space, W)
    assert np.array_equal(BACKENDS[backend](space, W, np.ones(len(plan))), W)


@pytest.mark.parametrize("shape", ["cutoff", "heat", "tikhonov", "blend"])
@pytest.mark.parametrize("name", ["D4, kernel", "SO(3), tensors", "O(5), zero", "Lorentz, not orthogonal"])
def test_gains_do_not_fall_as_the_dial_opens(name: str, shape: Any) -> None:
    plan = rc.soften(SPACES[name](), keep=1).plan
    rows = [rc.gains_at(plan.values, plan.multiplicities, s, shape) for s in np.linspace(0, 1, 41)]
    m = plan.multiplicities[1:]
    for softness, before, after in zip(np.linspace(0, 1, 41)[1:], rows, rows[1:], strict=False):
        assert (after >= before).all()
        assert after[0] == 1
        share = after[1:] @ m / m.sum()
        assert share <= softness + 4 * EPS if shape == "cutoff" else share == pytest.approx(softness, abs=1e-12)
    assert rows[0].tolist() == [1.0, *[0.0] * (len(plan) - 1)]
    assert rows[-1].tolist() == [1.0] * len(plan)


def test_gains_that_make_no_sense_are_refused() -> None:
    with pytest.raises(rc.IncompatibleError, match="softness"):
        rc.gains_at([0, 1], [1, 1], 1.1)
    with pytest.raises(rc.IncompatibleError, match="profile"):
        rc.gains_at([0, 1], [1, 1], 0.5, "cubic")
