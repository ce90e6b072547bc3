"""The constants of a plan: literals of a compiled function, or its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import repcore as rc

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import repcore_jax as rcj  # noqa: E402

S = rc.SO(3).rep
FACTOR = rc.plan(2 * S**3 >> 2 * S**3, structure="factor")
SCHUR = rc.plan(2 * rc.regular(rc.symmetric(4)) >> rc.regular(rc.symmetric(4)), structure="schur")
ORBIT = rc.plan(4 * (rc.dihedral(6).rep + rc.regular(rc.dihedral(6))) >> rc.regular(rc.dihedral(6)))
PLANS = {"factor": FACTOR, "schur": SCHUR, "orbit": ORBIT}
EPS = float(np.finfo(np.float32).eps)


def weight(plan: Any, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(plan.shape).astype(dtype)


def text_of(run: Callable[..., Any], *arguments: Any) -> str:
    return jax.jit(run).lower(*arguments).as_text()


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_arguments_give_what_literals_give(plan: Any) -> None:
    plain, W = rcj.projector(plan), weight(plan)
    given = plain.on_device()
    # Sums of at most as many products as a pair of copies has entries, in any order; an orthogonal projection does not grow.
    allowed = 4 * max(block.rows.shape[1] * block.cols.shape[1] for block in plan.blocks) * EPS * np.linalg.norm(W)
    theta = jax.jit(plain.coefficients)(W)
    assert np.linalg.norm(jax.jit(lambda p, W: p(W))(given, W) - jax.jit(plain)(W)) <= allowed
    assert np.linalg.norm(jax.jit(lambda p, W: p.coefficients(W))(given, W) - theta) <= allowed
    assert np.linalg.norm(jax.jit(lambda p, t: p.expand(t))(given, theta) - jax.jit(plain.expand)(theta)) <= allowed


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_no_large_literal_is_left(plan: Any) -> None:
    plain, W = rcj.projector(plan), weight(plan)
    given = plain.on_device()
    size = sum(leaf.nbytes for leaf in jax.tree_util.tree_leaves(given))

    def gradient(project: Any, W: Any) -> Any:
        return jax.grad(lambda W: rcj.penalty(W, project, "fro2", equivariant=0.5))(W)

    for run in (lambda p, W: p(W), gradient):
        assert 'dense<"0x' not in text_of(run, given, W)
        literals = text_of(lambda W, run=run: run(plain, W), W)
        assert 'dense<"0x' in literals
        # Two hexadecimal digits a byte; each constant stands there once (one of equal entries as one number).
        assert len(literals) <= 2 * size + 50_000
        assert plan is ORBIT or len(literals) >= 2 * size


def test_it_is_a_pytree_of_its_constants() -> None:
    plain = rcj.projector(FACTOR)
    given = plain.on_device()
    leaves, tree = jax.tree_util.tree_flatten(given)
    assert jax.tree_util.tree_leaves(plain) == []
    assert {leaf.dtype.name for leaf in leaves} <= {"float32", "int32"}
    assert sum(leaf.size for leaf in leaves) >= FACTOR.blocks[0].structure.q.size
    back = jax.tree_util.tree_unflatten(tree, leaves)
    assert (back, hash(back)) == (given, hash(plain))
    assert given == plain
    assert tree == jax.tree_util.tree_structure(rcj.projector(FACTOR).on_device())
    assert jax.tree_util.tree_structure(jax.tree_util.tree_map(lambda x: x, plain)) == jax.tree_util.tree_structure(plain)
    moved = jax.device_put(given, jax.devices()[0])
    assert np.array_equal(moved(weight(FACTOR)), plain(weight(FACTOR)))
    again = given.on_device()
    assert all(np.array_equal(a, b) for a, b in zip(leaves, jax.tree_util.tree_leaves(again), strict=True))


def test_one_trace_serves_all_constants_of_one_plan() -> None:
    traces, W = [], weight(ORBIT)

    @jax.jit
    def run(project: Any, W: Any) -> Any:
        traces.append(1)
        return project(W)

    run(rcj.projector(ORBIT).on_device(), W)
    run(rcj.projector(ORBIT).on_device(), W)
    assert len(traces) == 1


def test_a_projector_with_constants_goes_wherever_a_space_goes() -> None:
    plain, W = rcj.projector(SCHUR), weight(SCHUR)

    @jax.jit
    def step(project: Any, W: Any) -> Any:
        tx = optax.chain(optax.sgd(1.0), rcj.keep_equivariant({"w": project}))
        updates, _ = tx.update({"w": W}, tx.init({"w": W}), {"w": W})
        return {
            "update": updates["w"],
            "fro": rcj.penalty(W, project, "fro", relative=True),
            "spectral": jax.grad(lambda W: rcj.penalty(W, project, "spectral"))(W),
            "hessian": jax.jvp(jax.grad(lambda W: rcj.penalty(W, project, "fro2")), (W,), (W,))[1],
            "stack": jax.vmap(project)(jnp.stack([W, 2 * W])),
        }

    given, wanted = step(plain.on_device(), W), step(plain, W)
    for name, value in wanted.items():
        # The compiler may join literals with what surrounds them: the same sums of at most 24 * 48 products, in another order.
        assert np.linalg.norm(given[name] - value) <= 4 * 24 * 48 * EPS * np.linalg.norm(W), name


def test_constants_are_at_least_as_precise_as_the_weight() -> None:
    plain = rcj.projector(FACTOR)
    with jax.enable_x64(True):
        W = weight(FACTOR, np.float64)
        with pytest.raises(rc.IncompatibleError, match=r"constants are float32.*on_device\('float64'\)"):
            plain.on_device(np.float32)(W)
        wide = plain.on_device()  # the default float
        assert np.array_equal(wide(W), plain(W))
        assert wide(W.astype(np.float32)).dtype == np.float32
    assert np.array_equal(plain.on_device(jnp.bfloat16)(weight(FACTOR)), plain(weight(FACTOR)))


def test_blocks_that_are_no_grid_are_refused() -> None:
    plan = rc.plan(2 * rc.dihedral(4).rep >> 2 * rc.dihedral(4).rep)
    block = plan.blocks[0]
    half = type(block)(block.rows[:1], block.cols, block.order[:1], block.structure)
    odd = rc.Plan(plan.shape, plan.dim, (block, half), plan.digest + "x", plan.is_complex)
    with pytest.raises(rc.IncompatibleError, match="no grid"):
        rcj.projector(odd)(np.ones(plan.shape, np.float32))
