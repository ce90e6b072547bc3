"""Both precisions of JAX, and every dtype of a weight."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import repcore as rc

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

import repcore_jax as rcj  # noqa: E402

D4 = rc.dihedral(4)
R, S = rc.regular(D4), rc.SO(3).rep
C3 = rc.cyclic(3)
PLANS = {
    "orbit": rc.plan(4 * R >> 2 * R + D4.rep),
    "factor": rc.plan(2 * S**2 >> S**2, structure="factor"),
    "schur": rc.plan(4 * R >> 2 * R, structure="schur"),
    "complex": rc.plan(rc.irreps(C3)[1] + rc.regular(C3) >> rc.regular(C3)),
}


def weight(shape: tuple[int, ...], dtype: str) -> Any:
    rng = np.random.default_rng(0)
    W = rng.standard_normal(shape)
    return jnp.asarray(W + 1j * rng.standard_normal(shape) if "complex" in dtype else W, dtype)


CASES = [
    *((False, dtype) for dtype in ("bfloat16", "float16", "float32", "complex64")),
    *((True, dtype) for dtype in ("bfloat16", "float32", "float64", "complex128")),
]


@pytest.mark.parametrize(("x64", "dtype"), CASES)
@pytest.mark.parametrize("name", PLANS)
def test_every_verb_in_every_dtype(name: str, x64: bool, dtype: str) -> None:
    plan = PLANS[name]
    project = rcj.projector(plan)
    with jax.enable_x64(x64):
        W = weight(plan.shape, dtype)
        result, theta, back, value, gradient = jax.jit(partial(verbs, project))(W)
    wide = np.asarray(W).astype(np.complex128 if plan.is_complex or "complex" in dtype else np.float64)
    exact = plan.project(wide)
    wider = "complex128" if dtype == "float64" else "complex64"
    expected = jnp.dtype(wider if needs_complex(plan, dtype) else dtype)
    assert (result.dtype, theta.dtype, back.dtype) == (expected, expected, expected)
    # Two sums of at most as many products as a pair of copies has entries, and one rounding to the dtype of the result.
    terms = max(block.rows.shape[1] * block.cols.shape[1] for block in plan.blocks)
    eps = float(jnp.finfo(expected).eps)
    work = max(float(jnp.finfo(jnp.promote_types(expected, jnp.float32)).eps), float(np.finfo(np.float64).eps))
    allowed = (4 * terms * work + eps) * np.linalg.norm(wide)
    assert np.linalg.norm(np.asarray(result).astype(wide.dtype) - exact) <= allowed
    assert np.linalg.norm(np.asarray(theta).astype(wide.dtype) - plan.coefficients(wide)) <= allowed
    assert np.linalg.norm(np.asarray(back).astype(wide.dtype) - exact) <= 2 * allowed
    if value is not None:
        assert value.dtype == (np.float64 if dtype in ("float64", "complex128") else np.float32)
        rest = wide - exact
        assert abs(float(value) - np.linalg.norm(rest) ** 2 / 2) <= 2 * rest.size * work * np.linalg.norm(wide) ** 2
        # JAX gives the conjugate of the gradient for complex weights.
        assert np.linalg.norm(np.asarray(gradient).astype(wide.dtype).conj() - rest) <= allowed + eps * np.linalg.norm(rest)


def verbs(project: Any, W: Any) -> tuple[Any, ...]:
    theta = project.coefficients(W)
    if needs_complex(project.plan, W.dtype.name):
        return project(W), theta, project.expand(theta), None, None
    return project(W), theta, project.expand(theta), *jax.value_and_grad(rcj.penalty)(W, project, "fro2")


def needs_complex(plan: Any, dtype: str) -> bool:
    return plan.is_complex and "complex" not in dtype


def test_a_trace_in_one_precision_does_not_spoil_the_other() -> None:
    plan = PLANS["factor"]
    project, W = rcj.projector(plan), np.random.default_rng(0).standard_normal(plan.shape)
    eps = {np.dtype(np.float32): np.finfo(np.float32).eps, np.dtype(np.float64): np.finfo(np.float64).eps}
    for x64 in (False, True, False, True):
        with jax.enable_x64(x64):
            result = jax.jit(project)(W)
        assert result.dtype == (np.float64 if x64 else np.float32)
        error = np.linalg.norm(np.asarray(result, np.float64) - plan.project(W))
        assert error <= 4 * 81 * eps[result.dtype] * np.linalg.norm(W)
