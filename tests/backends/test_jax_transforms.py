"""The transformations of JAX on every pure function: batches, remat, scan, donation, abstract evaluation, export."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import repcore as rc

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402
from jax import export  # noqa: E402

import repcore_jax as rcj  # noqa: E402

D4 = rc.dihedral(4)
R, V = rc.regular(D4), D4.rep
SPACE = 2 * R + V >> R + V
PROJECT = rcj.projector(SPACE)
EPS = float(np.finfo(np.float32).eps)
ALLOWED = 4 * PROJECT.shape[0] * PROJECT.shape[1] * EPS


@pytest.fixture
def W() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, *PROJECT.shape)).astype(np.float32)


def loss(W: Any) -> Any:
    return (rcj.penalty(W, PROJECT, "fro2") + jnp.sin(PROJECT(W)).sum((-2, -1))).sum()


def test_a_stack_of_layers_mapped_is_a_batch(W: np.ndarray) -> None:
    for run in (PROJECT, PROJECT.coefficients, lambda W: rcj.penalty(W, PROJECT), jax.grad(loss)):
        single = jax.jit(run)
        mapped, batch = jax.jit(jax.vmap(run))(W), jnp.stack([single(one) for one in W])
        assert np.linalg.norm(mapped - batch) <= ALLOWED * max(1, np.linalg.norm(W), np.linalg.norm(batch))
    theta = np.random.default_rng(1).standard_normal((3, PROJECT.dim)).astype(np.float32)
    expand = jax.jit(PROJECT.expand)
    assert np.linalg.norm(jax.jit(jax.vmap(PROJECT.expand))(theta) - expand(theta)) <= ALLOWED * np.linalg.norm(theta)


def test_remat_does_not_change_the_gradient(W: np.ndarray) -> None:
    plain, saved = jax.jit(jax.grad(loss))(W), jax.jit(jax.grad(jax.checkpoint(loss)))(W)
    assert np.linalg.norm(plain - saved) <= ALLOWED * np.linalg.norm(W)
    assert "remat" in str(jax.make_jaxpr(jax.grad(jax.checkpoint(loss)))(W))


def test_forward_and_reverse_mode_agree(W: np.ndarray) -> None:
    forward, reverse = jax.jit(jax.jacfwd(loss))(W[0]), jax.jit(jax.jacrev(loss))(W[0])
    assert np.linalg.norm(forward - reverse) <= ALLOWED * (1 + np.linalg.norm(W))
    dot = (PROJECT(W[0]) * W[1]).sum() - (W[0] * PROJECT(W[1])).sum()
    assert abs(float(dot)) <= ALLOWED * np.linalg.norm(W[0]) * np.linalg.norm(W[1])  # P is its own adjoint


def test_steps_in_a_scan_are_the_steps_of_a_loop(W: np.ndarray) -> None:
    tx = optax.chain(optax.adam(0.1), rcj.keep_equivariant({"w": PROJECT}))

    def step(carry: Any, _: Any) -> Any:
        params, state = carry
        value, grads = jax.value_and_grad(lambda p: loss(p["w"]))(params)
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    params = {"w": jax.jit(PROJECT)(W)}
    start = (params, tx.init(params))
    (scanned, _), values = jax.jit(lambda start: jax.lax.scan(step, start, None, length=4))(start)
    looped = start
    for _ in range(4):
        looped, _ = jax.jit(step)(looped, None)
    assert values.shape == (4,)
    # Adam divides by the root of its second moment: four steps of length 0.1 an entry, each from gradients equal to rounding.
    assert np.linalg.norm(scanned["w"] - looped[0]["w"]) <= 4 * ALLOWED * np.linalg.norm(W)
    assert np.linalg.norm(PROJECT(scanned["w"]) - scanned["w"]) <= ALLOWED * np.linalg.norm(scanned["w"])


def test_a_donated_weight_is_used_up(W: np.ndarray) -> None:
    wanted = PROJECT(W)
    given = jnp.array(W)
    result = jax.jit(PROJECT, donate_argnums=0)(given)
    assert given.is_deleted()
    assert np.linalg.norm(result - wanted) <= ALLOWED * np.linalg.norm(W)


def test_shapes_without_arrays() -> None:
    layer = rcj.linear(2 * R, R + V)
    params = jax.eval_shape(layer.init, jax.random.key(0))
    y = jax.eval_shape(layer.apply, params, jax.ShapeDtypeStruct((5, 16), jnp.float32))
    assert y.shape == (5, 10)
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree_util.tree_leaves(params))
    real = layer.init(jax.random.key(0))
    assert [leaf.shape for leaf in jax.tree_util.tree_leaves(params)] == [leaf.shape for leaf in jax.tree_util.tree_leaves(real)]
    W = jax.eval_shape(lambda key: rcj.init(key, SPACE), jax.random.key(0))
    assert W.shape == PROJECT.shape
    assert jax.eval_shape(PROJECT.coefficients, W).shape == (PROJECT.dim,)
    tx = optax.chain(optax.adam(1e-3), rcj.keep_equivariant({"w": SPACE}))
    state = jax.eval_shape(tx.init, {"w": W})
    assert state[0][0].mu["w"].shape == PROJECT.shape


def forward(W: Any, x: Any) -> Any:
    return jnp.tanh(x @ PROJECT(W).T)


def inputs(rows: int, width: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, width)).astype(np.float32)


def test_an_exported_forward_gives_the_same(W: np.ndarray) -> None:
    x = inputs(7, PROJECT.shape[1])
    assert np.array_equal(export.export(jax.jit(forward))(W[0], x).call(W[0], x), jax.jit(forward)(W[0], x))


def test_a_layer_exports_with_any_batch() -> None:
    layer = rcj.linear(2 * R, R + V)
    params = layer.init(jax.random.key(0))
    (size,) = export.symbolic_shape("b")
    shapes = jax.tree_util.tree_map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), params)
    exported = export.export(jax.jit(layer.apply))(shapes, jax.ShapeDtypeStruct((size, 16), jnp.float32))
    for rows in (1, 6):
        x = inputs(rows, 16)
        wanted = jax.jit(layer.apply)(params, x)
        assert np.linalg.norm(exported.call(params, x) - wanted) <= 3 * 16 * EPS * (
            np.linalg.norm(x) * 4 + np.linalg.norm(wanted)
        )


def test_an_export_survives_its_bytes(W: np.ndarray) -> None:
    pytest.importorskip("flatbuffers")
    x = inputs(7, PROJECT.shape[1])
    blob = export.export(jax.jit(forward))(W[0], x).serialize()
    assert np.array_equal(export.deserialize(blob).call(W[0], x), jax.jit(forward)(W[0], x))
