"""No verb gives NaN at zero: neither its value nor its gradient, nor, with debug_nans, anything on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import repcore as rc

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import repcore_jax as rcj  # noqa: E402

D4 = rc.dihedral(4)
R, one, S = rc.regular(D4), rc.trivial(D4), rc.SO(3).rep
SPACES = {
    "orbit": 2 * R >> R,
    "schur": rc.plan(2 * R >> R, structure="schur"),
    "bias": one >> R,
    "none": S >> rc.trivial(rc.SO(3)),
}
NORMS: list[Any] = ["fro", "fro2", "spectral", "nuclear", "inf", (1, 1), (2, 1), (1, 2), (2, 2), (float("inf"), 1)]


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    with jax.debug_nans(True):
        yield


@pytest.mark.parametrize(("name", "norm"), [*(("orbit", norm) for norm in NORMS), *((name, "fro") for name in SPACES)])
def test_the_penalty_of_zero_is_zero_and_flat(name: str, norm: Any) -> None:
    project = rcj.projector(SPACES[name])
    W = jnp.zeros((2, *project.shape))

    def total(W: Any, relative: bool) -> Any:
        return rcj.penalty(W, project, norm, relative=relative, equivariant=0.5).sum()

    run = jax.jit(lambda W: [jax.value_and_grad(total)(W, relative) for relative in (False, True)])
    for value, gradient in run(W):
        assert value == 0
        assert np.array_equal(gradient, np.zeros(W.shape))


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_an_equivariant_weight_beside_a_zero_one(norm: Any) -> None:
    # An orbit of four has the value 1/2, so that the identity has no rest at all, exactly: the norm is at its kink.
    R = rc.regular(rc.cyclic(4))
    W = jnp.stack([jnp.eye(4), jnp.zeros((4, 4))])
    value, gradient = jax.jit(jax.value_and_grad(lambda W: rcj.penalty(W, R >> R, norm).sum()))(W)
    assert value == 0
    assert np.array_equal(gradient, np.zeros(W.shape))


@pytest.mark.parametrize("norm", ["fro", "fro2"])
def test_second_derivatives_at_zero(norm: str) -> None:
    V = D4.rep
    hessian = jax.jit(jax.hessian(lambda W: rcj.penalty(W, V >> V, norm)))(jnp.zeros((2, 2)))
    # fro has a kink at zero, where all derivatives are taken to be zero; fro2 is a quadratic form.
    assert np.linalg.matrix_rank(np.asarray(hessian).reshape(4, 4)) == (0 if norm == "fro" else 3)


def test_the_spectral_state_of_zero() -> None:
    @jax.jit
    def run(W: Any) -> Any:
        return rcj.penalty(W, R >> 2 * R, "spectral", state=rcj.spectral_state(W, R >> 2 * R, steps=2))

    value, state = run(jnp.zeros((16, 8)))
    assert value == 0
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree_util.tree_leaves(state))


@pytest.mark.parametrize("name", SPACES)
def test_the_projector_of_zero(name: str) -> None:
    project = rcj.projector(SPACES[name])
    tx = optax.chain(optax.adam(1e-3), rcj.keep_equivariant({"w": project}))

    @jax.jit
    def verbs(W: Any, theta: Any) -> Any:
        updates, _ = tx.update({"w": W}, tx.init({"w": W}), {"w": W})
        return project(W), project.coefficients(W), project.expand(theta), updates["w"]

    for result in verbs(jnp.zeros(project.shape), jnp.zeros(project.dim)):
        assert not result.any()


def test_a_layer_at_zero() -> None:
    layer = rcj.linear(2 * R, R)
    params = jax.tree_util.tree_map(jnp.zeros_like, layer.init(jax.random.key(0)))
    loss = jax.jit(jax.value_and_grad(lambda params, x: (layer.apply(params, x) ** 2).sum(), argnums=(0, 1)))
    value, gradients = loss(params, jnp.zeros((3, 16)))
    assert value == 0
    assert all(not leaf.any() for leaf in jax.tree_util.tree_leaves(gradients))
    empty = jax.jit(layer.apply)(params, jnp.zeros((0, 16)))
    assert empty.shape == (0, 8)
