"""What JAX asks of an adapter beyond the laws: transformations, static arguments, optax, both precisions."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import repcore_jax as rcj  # noqa: E402

D4 = rc.dihedral(4)
V, one = D4.rep, rc.trivial(D4)
X, Y = 4 * one + 2 * V, V * V + 3 * one
EPS = float(np.finfo(np.float32).eps)
# Products with at most dim Y * dim X constants each, in any order: see `rounding` in tests/conformance.
ALLOWED = 4 * Y.dim * X.dim * EPS


@pytest.fixture
def space() -> rc.Hom:
    return X >> Y


@pytest.fixture
def W() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((Y.dim, X.dim)).astype(np.float32)


def close(left: Any, right: Any, size: Any) -> bool:
    return bool(np.linalg.norm(np.asarray(left) - np.asarray(right)) <= ALLOWED * np.linalg.norm(np.asarray(size)))


# ------------------------------------------------------------------------------------------ transformations


def test_jit_vmap_grad(space: rc.Hom, W: np.ndarray) -> None:
    project = rcj.projector(space)
    assert close(jax.jit(project)(W), project(W), W)
    stack = np.stack([W, 2 * W, W[::-1]])
    assert close(jax.vmap(project)(stack), project(stack), stack)
    gradient = jax.jit(jax.grad(lambda W: rcj.penalty(W, space, "fro2")))(W)
    assert close(gradient, W - project(W), W)
    pulled = jax.vjp(project, jnp.asarray(W))[1](jnp.asarray(W))[0]
    assert close(pulled, project(W), W)


def test_the_hessian_of_fro2_is_the_complement_of_the_projector_in_every_mode(space: rc.Hom, W: np.ndarray) -> None:
    project = rcj.projector(space)
    units = np.eye(W.size, dtype=W.dtype).reshape(-1, *W.shape)
    complement = (units - project(units)).reshape(*W.shape, *W.shape)
    for outer in (jax.jacfwd, jax.jacrev):
        for inner in (jax.jacfwd, jax.jacrev):
            assert close(jax.jit(outer(inner(lambda W: rcj.penalty(W, space, "fro2"))))(W), complement, units)


def test_a_projector_is_a_static_value(space: rc.Hom, W: np.ndarray) -> None:
    project = rcj.projector(space)
    assert jax.tree_util.tree_leaves({"p": project}) == []
    assert close(jax.jit(lambda p, W: p(W))(project, W), project(W), W)
    traces = []

    @partial(jax.jit, static_argnums=0)
    def run(p: Any, W: Any) -> Any:
        traces.append(1)
        return p(W)

    twin = rcj.Projector(rc.solve(space), rc.plan(space))
    assert twin is not project
    assert (twin, hash(twin)) == (project, hash(project))
    run(project, W)
    run(twin, W)  # the same digest: no second trace
    assert len(traces) == 1
    assert project != rcj.projector(Y >> X)
    assert repr(project).startswith(f"<Projector dim={project.dim}, shape=({Y.dim}, {X.dim}), digest=")


def test_precision_follows_the_argument(space: rc.Hom, W: np.ndarray) -> None:
    project = rcj.projector(space)
    exact = rc.plan(space).project(W.astype(np.float64))
    with jax.enable_x64(False):
        assert project(W.astype(np.float64)).dtype == np.float32
    with jax.enable_x64(True):
        assert project(W).dtype == np.float32
        double = project(W.astype(np.float64))
        assert double.dtype == np.float64
        # The constants come from float64, not through float32, whatever was traced before.
        assert np.linalg.norm(double - exact) <= ALLOWED / EPS * np.finfo(np.float64).eps * np.linalg.norm(W)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_rounds_once_at_the_end(space: rc.Hom, W: np.ndarray, dtype: str) -> None:
    half = jnp.asarray(W, dtype)
    exact = rc.plan(space).project(np.asarray(half, np.float64))
    result = rcj.projector(space)(half)
    assert result.dtype == dtype
    assert np.abs(np.asarray(result, np.float64) - exact).max() <= float(jnp.finfo(dtype).eps) * np.abs(exact).max()
    assert rcj.penalty(half, space).dtype == np.float32


def test_an_integer_weight_is_refused(space: rc.Hom) -> None:
    with pytest.raises(rc.IncompatibleError, match="int32"):
        rcj.projector(space)(jnp.ones((Y.dim, X.dim), int))


def test_a_vector_is_a_column(W: np.ndarray) -> None:
    project = rcj.projector(one >> Y)
    assert project(W[:, 0]).shape == (Y.dim,)
    assert project.coefficients(W[:, 0]).shape == (4,)
    assert close(project(W[:, 0]), project(W[:, :1])[:, 0], W)


# ---------------------------------------------------------------------------------------------------- optax


def run_training(tx: Any, params: Any, loss: Any, steps: int = 3) -> tuple[Any, list[float]]:
    state, losses = tx.init(params), []

    @jax.jit
    def step(params: Any, state: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value

    for _ in range(steps):
        params, state, value = step(params, state)
        losses.append(float(value))
    return params, losses


@pytest.mark.parametrize("layout", ["out_in", "in_out"])
def test_keep_equivariant_holds_the_weights_in_the_space(space: rc.Hom, W: np.ndarray, layout: str) -> None:
    kernel = jnp.asarray(W if layout == "out_in" else W.T)
    params = {"params": {"dense": {"kernel": kernel, "bias": jnp.ones(Y.dim), "free": jnp.ones((2, 2))}}}
    spaces = {"params/dense/kernel": space, "params/dense/bias": rcj.projector(one >> Y)}
    tx = optax.chain(optax.adam(0.1), rcj.keep_equivariant(spaces, layout=layout))
    free = optax.adam(0.1)

    def loss(params: Any) -> Any:
        return sum(((leaf - jnp.arange(leaf.shape[-1])) ** 2).sum() for leaf in jax.tree_util.tree_leaves(params))

    trained, losses = run_training(tx, params, loss)
    plain, _ = run_training(free, params, loss)
    assert losses[-1] < losses[0]
    dense = trained["params"]["dense"]
    weight = dense["kernel"] if layout == "out_in" else dense["kernel"].T
    assert close(weight, rcj.projector(space)(weight), weight)
    assert close(dense["bias"], rcj.projector(one >> Y)(dense["bias"]), dense["bias"])
    assert np.array_equal(dense["free"], plain["params"]["dense"]["free"])
    assert not close(plain["params"]["dense"]["bias"], rcj.projector(one >> Y)(plain["params"]["dense"]["bias"]), W)


def test_keep_equivariant_takes_the_nearest_point_to_the_step(space: rc.Hom, W: np.ndarray) -> None:
    tx = rcj.keep_equivariant({"0": space})
    step = np.ones_like(W)
    updates, _ = tx.update([jnp.asarray(step)], tx.init([jnp.asarray(W)]), [jnp.asarray(W)])
    assert close(W + updates[0], rcj.projector(space)(W + step), np.abs(W) + step)


def test_keep_equivariant_refuses(space: rc.Hom, W: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"dense": {"kernel": jnp.asarray(W)}}
    tx = rcj.keep_equivariant({"dense/kernel": space})
    with pytest.raises(ValueError, match="params"):
        tx.update(params, tx.init(params))
    with pytest.raises(rc.IncompatibleError, match=r"'dense/kernl'.*dense/kernel"):
        rcj.keep_equivariant({"dense/kernl": space}).init(params)
    with pytest.raises(rc.IncompatibleError, match=r"'dense/kernel', transposed.*\(8, 7\).*\(7, 8\)"):
        rcj.keep_equivariant({"dense/kernel": space}, layout="in_out").init(params)
    with pytest.raises(rc.IncompatibleError, match=r"'dense/kernel'.*the transpose of a map.*say layout='in_out'"):
        tx.init({"dense": {"kernel": jnp.asarray(W.T)}})
    with pytest.raises(rc.IncompatibleError, match="'out_in', 'in_out'"):
        rcj.keep_equivariant({}, layout="flax")
    monkeypatch.setitem(sys.modules, "optax", None)
    with pytest.raises(ImportError, match="pip install optax"):
        rcj.keep_equivariant({"dense/kernel": space})


# ---------------------------------------------------------------------------------------------------- files


def test_save_and_load(space: rc.Hom, W: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "basis.safetensors"
    rcj.save(rcj.projector(space), path)
    back = rcj.load(path)
    assert back == rcj.projector(space)
    assert np.array_equal(back(W), rcj.projector(space)(W))
    with pytest.raises(rc.IncompatibleError, match="made of a plan"):
        rcj.save(rcj.projector(rc.Plan((1, 1), 0, (), "00", False)), path)
    with pytest.raises(rc.IncompatibleError, match=r"\.safetensors"):
        rcj.load(tmp_path / "basis.json")
