"""Filters of JAX: pure functions of weights and gains, alone and for a whole model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import repcore as rc

jax = pytest.importorskip("jax")
rcj = pytest.importorskip("repcore_jax")

import jax.numpy as jnp  # noqa: E402

D4, C4 = rc.dihedral(4), rc.cyclic(4)
SPACE = rc.SO(3).rep ** 2 + 2 * rc.trivial(rc.SO(3)) >> 2 * rc.SO(3).rep + rc.trivial(rc.SO(3))
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def bound(space: rc.Hom, W: np.ndarray) -> float:
    return 16 * sum(space.shape) * float(np.finfo(np.float64).eps) * float(np.linalg.norm(W))


def test_the_ends_of_the_dial() -> None:
    W = RNG.standard_normal(SPACE.shape)
    soft = rcj.soft_projector(SPACE, softness=0.5)
    assert np.array_equal(soft.at(1.0)(W), W)
    assert np.linalg.norm(soft.at(0.0)(W) - rcj.projector(SPACE)(W)) <= bound(SPACE, W)


def test_jit_vmap_and_gradients_in_weights_and_gains() -> None:
    W = RNG.standard_normal((3, *SPACE.shape))
    soft = rcj.soft_projector(SPACE, gain=rc.Heat(0.4))
    expected = rc.soften(SPACE, gain=rc.Heat(0.4)).project(W)
    for found in (soft(W), jax.jit(soft)(W), jax.vmap(soft)(jnp.asarray(W))):
        assert np.linalg.norm(found - expected) <= bound(SPACE, W)
    gains = jnp.asarray(soft.gains)

    def energy(g: Any) -> Any:
        return (soft(W[0], g) ** 2).sum()

    # d/dg_l of sum_l g_l^2 ||P_l W||^2.
    energies = soft.plan.energies(W[0])
    assert np.allclose(jax.grad(energy)(gains), 2 * soft.gains * energies, rtol=1e-12, atol=1e-12)
    assert np.allclose(jax.grad(lambda w: (soft(w) * W[1]).sum())(W[0]), soft(W[1]), rtol=1e-12, atol=1e-12)


def test_gains_are_learned_with_the_weights() -> None:
    V = rc.SO(3).rep
    soft = rcj.soft_projector(V >> V, softness=0.5)
    target = 2.0 * np.eye(3)
    params = {"W": jnp.asarray(RNG.standard_normal((3, 3))), "raw": jnp.zeros(2)}

    def loss(p: Any) -> Any:
        gains = jnp.concatenate([jnp.ones(1), jax.nn.sigmoid(p["raw"])])
        return ((soft(p["W"], gains) - target) ** 2).sum()

    step = jax.jit(jax.grad(loss))
    first = float(loss(params))
    for _ in range(100):
        params = jax.tree.map(lambda p, g: p - 0.1 * g, params, step(params))
    assert float(loss(params)) < 1e-3 * first
    assert (np.asarray(params["raw"]) < 0).all()  # what is not equivariant was of no use


def test_a_whole_model_and_its_gains_as_a_pytree() -> None:
    params = {"Conv_0": {"kernel": RNG.standard_normal((3, 3, 1, 8)), "bias": RNG.standard_normal(8)}, "other": np.ones(2)}
    symmetry = rcj.symmetry_of(params, {"Conv_0": "1 >> 2*regular"}, symmetry=C4)
    soft = rcj.soften(symmetry, softness=0.3)
    filtered = jax.jit(lambda soft, p: soft(p))(soft, params)
    assert np.array_equal(filtered["other"], params["other"])
    assert jax.tree.structure(filtered) == jax.tree.structure(params)
    space = rc.grid(C4, 3) >> 2 * rc.regular(C4)
    gains = rc.soften(space, gain=rc.gains_at(*_levels(space), 0.3)).gains
    expected = rc.soften(space, gain=gains).project(params["Conv_0"]["kernel"].reshape(9, 8).T)
    assert np.allclose(filtered["Conv_0"]["kernel"].reshape(9, 8).T, expected, rtol=0, atol=1e-12)
    strict = symmetry.project(params)
    for a, b in zip(jax.tree.leaves(soft.at(0.0)(params)), jax.tree.leaves(strict), strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-12)
    free = soft(params, {path: jnp.ones_like(g) for path, g in soft.gains.items()})
    for a, b in zip(jax.tree.leaves(free), jax.tree.leaves(params), strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-12)
    assert soft == rcj.soften(symmetry, softness=0.3)
    assert soft.digests != soft.at(0.4).digests
    with pytest.raises(rc.IncompatibleError, match="no softened weight"):
        soft(params, {"elsewhere": jnp.ones(2)})
    with pytest.raises(rc.IncompatibleError, match="exactly one"):
        rcj.soften(symmetry)


def _levels(space: rc.Hom) -> tuple[np.ndarray, np.ndarray]:
    plan = rc.soften(space, keep=1).plan
    return plan.values, plan.multiplicities


def test_of_a_plan_two_levels_are_known() -> None:
    G = rc.SO(2)
    plan = rc.kernels(rc.trivial(G) >> rc.irrep(G, "1"), 5)
    W = RNG.standard_normal(plan.shape)
    soft = rcj.soft_projector(plan, softness=0.25)
    assert np.allclose(soft(W), plan.project(W) + 0.25 * (W - plan.project(W)), rtol=0, atol=1e-13)
    assert np.allclose(rcj.soft_projector(plan, keep=0.9)(W), plan.project(W), rtol=0, atol=1e-13)
    with pytest.raises(rc.IncompatibleError, match="give softness="):
        rcj.soft_projector(plan, cutoff=1.0)


@pytest.mark.parametrize(
    "options", [{}, {"softness": 0.5, "keep": 0.5}, {"softness": 2.0}, {"keep": 0.5, "construction": "best"}]
)
def test_what_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(rc.IncompatibleError):
        rcj.soft_projector(SPACE, **options)


def test_weights_and_gains_of_other_shapes_are_refused() -> None:
    soft = rcj.soft_projector(SPACE, softness=0.5)
    with pytest.raises(rc.IncompatibleError, match="W has shape"):
        soft(np.ones((2, 2)))
    with pytest.raises(rc.IncompatibleError, match="gains: have shape"):
        soft(np.ones(SPACE.shape), np.ones(1))
