"""The penalty ||W - P W|| and its gradient in closed form, over the backends that differentiate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import repcore as rc

Draw = Callable[..., np.ndarray]

# One for each structure, the ends (nothing, everything) and both precisions: a gradient is a compilation in JAX.
SELECTED = pytest.mark.parametrize(
    "case",
    [
        ("several blocks, scattered", "float64"),
        ("several blocks, complex", "float32"),
        ("SO(3), tensors", "float64"),
        ("D4, bias", "float32"),
        ("no block", "float64"),
        ("one entry", "float64"),
    ],
    indirect=True,
    ids=", ".join,
)


def size(W: np.ndarray) -> np.ndarray:
    """The norm of each matrix of a stack, shaped to divide the stack."""
    return np.linalg.norm(W, axis=(-2, -1), keepdims=True)


def residual(case: Any, W: np.ndarray) -> np.ndarray:
    """W - P W, by the basis, in double precision."""
    wide = W.astype(np.result_type(W, np.float64))
    return wide - np.einsum("ayx,na->nyx", case.basis, np.einsum("ayx,nyx->na", case.basis.conj(), wide))


def slack(case: Any, W: np.ndarray, b: float) -> float:
    """The absolute error of R = W - P W, plus that of a sum of squares over its entries and a square root."""
    entries = case.plan.shape[0] * case.plan.shape[1]
    return (2 * b + 2 * (entries + 8) * float(np.finfo(W.dtype).eps)) * float(size(W).max())


@SELECTED
def test_fro2_is_half_the_square_and_its_gradient_is_the_residual(differentiable: Any, case: Any, draw: Draw, b: float) -> None:
    W = draw(3, *case.plan.shape)
    values, grad = differentiable.penalty(case.plan, W, "fro2", False)
    R = residual(case, W)
    allowed = slack(case, W, b)
    assert values.shape == (3,)
    assert np.abs(values - (size(R) ** 2 / 2).ravel()).max() <= allowed * size(W).max()
    assert size(grad - R).max() <= allowed


@SELECTED
def test_fro_is_the_norm_and_its_gradient_has_length_one(differentiable: Any, case: Any, draw: Draw, b: float) -> None:
    W = draw(3, *case.plan.shape)
    values, grad = differentiable.penalty(case.plan, W, "fro", False)
    R = residual(case, W)
    allowed = slack(case, W, b)
    assert np.abs(values - size(R).ravel()).max() <= allowed
    if size(R).min() > allowed:
        assert size(grad - R / size(R)).max() <= 2 * allowed / size(R).min()
    else:  # the space is everything: what is left is rounding, and its direction means nothing
        assert size(grad).max() <= 1 + allowed


@SELECTED
@pytest.mark.parametrize("name", ["fro", "fro2"])
def test_relative_does_not_change_with_scale(differentiable: Any, case: Any, draw: Draw, b: float, name: str) -> None:
    W = draw(3, *case.plan.shape)
    values, grad = differentiable.penalty(case.plan, W, name, True)
    share = size(residual(case, W)) / size(W)
    allowed = 4 * slack(case, W, b) / size(W).min()
    assert np.abs(values - (share if name == "fro" else share**2 / 2).ravel()).max() <= allowed
    # Euler: a function that does not change with scale has a gradient orthogonal to W.
    assert np.abs(np.sum((grad.conj() * W).real, axis=(-2, -1))).max() <= 4 * allowed
    scaled, _ = differentiable.penalty(case.plan, 1024 * W, name, True)
    assert np.abs(scaled - values).max() <= allowed


@SELECTED
@pytest.mark.parametrize("name", ["fro", "fro2"])
@pytest.mark.parametrize("relative", [False, True])
def test_at_zero_the_value_and_the_gradient_are_zero(
    differentiable: Any, case: Any, draw: Draw, name: str, relative: bool
) -> None:
    values, grad = differentiable.penalty(case.plan, 0 * draw(1, *case.plan.shape), name, relative)
    assert np.array_equal(values, np.zeros(1))
    assert np.array_equal(grad, np.zeros_like(grad))


def test_an_unknown_norm_is_refused_with_the_list(differentiable: Any) -> None:
    with pytest.raises(rc.IncompatibleError, match=r"'schatten'.*'fro', 'fro2', 'spectral'"):
        differentiable.penalty(rc.plan(rc.cyclic(4).rep >> rc.cyclic(4).rep), np.ones((1, 2, 2)), "schatten", False)


def test_the_exact_mean_defect_is_twice_the_square(differentiable: Any) -> None:
    # E_g ||rho_Y(g) W - W rho_X(g)||^2 = 2 ||W - P W||^2 for orthogonal representations: summed over all of D4.
    r, s = np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, -1.0]])
    elements = [np.linalg.matrix_power(r, i) @ np.linalg.matrix_power(s, j) for i in range(4) for j in range(2)]
    V = rc.Group(discrete=[r.astype(int).tolist(), s.astype(int).tolist()]).rep
    W = np.random.default_rng(0).standard_normal((1, 4, 2))
    mean = np.mean([np.linalg.norm(np.kron(g, g) @ W[0] - W[0] @ g) ** 2 for g in elements])
    values, _ = differentiable.penalty(rc.plan(V >> V * V), W, "fro2", False)
    assert abs(4 * values[0] - mean) <= 64 * np.finfo(float).eps * np.linalg.norm(W) ** 2  # 8 entries, 8 elements
