"""The laws of a plan, over every backend, case and precision.

Notation of the bounds: b is the relative error of one verb (see ``rounding`` in conftest), norms are Frobenius norms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import repcore as rc

norm = np.linalg.norm
Draw = Callable[..., np.ndarray]


def project_is_the_sum_over_the_basis(backend: Any, case: Any, draw: Draw, b: float) -> None:
    W = draw(*case.plan.shape)
    exact = np.einsum("ayx,a->yx", case.basis, np.einsum("ayx,yx->a", case.basis.conj(), W))
    assert norm(backend.project(case.plan, W) - exact) <= 2 * b * norm(W)  # both sides are computed


def coefficients_are_products_with_the_basis(backend: Any, case: Any, draw: Draw, b: float) -> None:
    W = draw(*case.plan.shape)
    exact = np.einsum("ayx,yx->a", case.basis.conj(), W)
    assert norm(backend.coefficients(case.plan, W) - exact) <= 2 * b * norm(W)


def expand_is_the_combination_of_the_basis(backend: Any, case: Any, draw: Draw, b: float) -> None:
    theta = draw(case.plan.dim)
    exact = np.einsum("ayx,a->yx", case.basis, theta)
    assert norm(backend.expand(case.plan, theta) - exact) <= 2 * b * norm(theta)


def project_is_idempotent(backend: Any, case: Any, draw: Draw, b: float) -> None:
    W = draw(*case.plan.shape)
    once = backend.project(case.plan, W)
    # once = P W + e, twice = P once + f: twice - once = f - (I - P) e, and ||once|| <= (1 + b) ||W||.
    assert norm(backend.project(case.plan, once) - once) <= 2 * b * (1 + b) * norm(W)


def project_is_self_adjoint(backend: Any, case: Any, draw: Draw, b: float) -> None:
    W, M = draw(*case.plan.shape), draw(*case.plan.shape)
    left = np.vdot(M.astype(complex), backend.project(case.plan, W).astype(complex))
    right = np.vdot(backend.project(case.plan, M).astype(complex), W.astype(complex))
    assert abs(left - right) <= 2 * b * norm(W) * norm(M)


def the_range_is_the_span_of_the_basis(backend: Any, case: Any, draw: Draw, b: float) -> None:
    # P fixes each element, all in one batch, and its trace is dim: no other direction is in the range.
    dim, shape = case.plan.dim, case.plan.shape
    elements = case.basis.astype(case.dtype)
    assert norm(backend.project(case.plan, elements) - elements) <= 2 * b * norm(elements)
    units = np.eye(shape[0] * shape[1], dtype=elements.dtype).reshape(-1, *shape)
    trace = np.trace(backend.project(case.plan, units).reshape(len(units), -1))
    assert abs(trace - dim) <= 2 * b * len(units)


def the_rest_has_no_coefficients(backend: Any, case: Any, draw: Draw, b: float) -> None:
    W = draw(*case.plan.shape)
    rest = W - backend.project(case.plan, W)
    assert norm(backend.coefficients(case.plan, rest)) <= 3 * b * (1 + b) * norm(W)


def coefficients_undo_expand(backend: Any, case: Any, draw: Draw, b: float) -> None:
    theta = draw(case.plan.dim)
    back = backend.coefficients(case.plan, backend.expand(case.plan, theta))
    assert norm(back - theta) <= 2 * b * (1 + b) * norm(theta)


def expand_of_coefficients_is_project(backend: Any, case: Any, draw: Draw, b: float) -> None:
    W = draw(*case.plan.shape)
    both = backend.expand(case.plan, backend.coefficients(case.plan, W))
    assert norm(both - backend.project(case.plan, W)) <= 2 * b * (1 + b) * norm(W)


def leading_axes_are_a_batch(backend: Any, case: Any, draw: Draw, b: float) -> None:
    W = draw(3, 2, *case.plan.shape)
    for verb in (backend.project, backend.coefficients):
        stack = verb(case.plan, W)
        for i in np.ndindex(3, 2):
            assert norm(stack[i] - verb(case.plan, W[i])) <= 2 * b * norm(W[i])
    theta = draw(3, 2, case.plan.dim)
    stack = backend.expand(case.plan, theta)
    for i in np.ndindex(3, 2):
        assert norm(stack[i] - backend.expand(case.plan, theta[i])) <= 2 * b * norm(theta[i])


def an_empty_batch_stays_empty(backend: Any, case: Any, draw: Draw, b: float) -> None:
    assert backend.project(case.plan, draw(0, *case.plan.shape)).shape == (0, *case.plan.shape)
    assert backend.coefficients(case.plan, draw(0, *case.plan.shape)).shape == (0, case.plan.dim)
    assert backend.expand(case.plan, draw(0, case.plan.dim)).shape == (0, *case.plan.shape)


def apply_is_the_product_with_the_weight(backend: Any, case: Any, draw: Draw, b: float) -> None:
    theta, x = draw(case.plan.dim), draw(5, case.plan.shape[1])
    exact = np.einsum("ayx,a,nx->ny", case.basis, theta, x)
    # The weight is off by b ||theta||; each entry of W x is a sum of dim X rounded products.
    eps = float(np.finfo(x.dtype).eps)
    allowed = (2 * b + 4 * (case.plan.shape[1] + 2) * eps) * norm(theta) * norm(x)
    assert norm(backend.apply(case.plan, theta, x) - exact) <= allowed


def the_dtype_is_kept(backend: Any, case: Any, draw: Draw, b: float) -> None:
    W, theta = draw(*case.plan.shape), draw(case.plan.dim)
    assert backend.project(case.plan, W).dtype == W.dtype
    assert backend.coefficients(case.plan, W).dtype == W.dtype
    assert backend.expand(case.plan, theta).dtype == W.dtype


def another_shape_is_refused(backend: Any, case: Any, draw: Draw, b: float) -> None:
    rows, cols = case.plan.shape
    with pytest.raises(rc.IncompatibleError, match=rf"{rows}, {cols + 1}\).*{rows}, {cols}"):
        backend.project(case.plan, draw(rows, cols + 1))
    with pytest.raises(rc.IncompatibleError, match=r"weight|W"):
        backend.coefficients(case.plan, draw(rows + 1, cols))
    with pytest.raises(rc.IncompatibleError, match="theta"):
        backend.expand(case.plan, draw(case.plan.dim + 1))


LAWS = [
    project_is_the_sum_over_the_basis,
    coefficients_are_products_with_the_basis,
    expand_is_the_combination_of_the_basis,
    project_is_idempotent,
    project_is_self_adjoint,
    the_range_is_the_span_of_the_basis,
    the_rest_has_no_coefficients,
    coefficients_undo_expand,
    expand_of_coefficients_is_project,
    leading_axes_are_a_batch,
    an_empty_batch_stays_empty,
    apply_is_the_product_with_the_weight,
    the_dtype_is_kept,
    another_shape_is_refused,
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Callable[..., None], backend: Any, case: Any, draw: Draw, b: float) -> None:
    law(backend, case, draw, b)


# ------------------------------------------------------------------------------ the laws can be broken


class Wrong:
    """The NumPy executor with one mistake, or with none."""

    def __init__(self, mistake: str) -> None:
        self.mistake = mistake

    def coefficients(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray:
        theta = plan.coefficients(W.swapaxes(-1, -2).reshape(W.shape) if self.mistake == "transposed" else W)
        if self.mistake == "conjugated":
            return plan.coefficients(W.conj()).conj()
        return theta[..., ::-1] if self.mistake == "reordered" else theta

    def expand(self, plan: rc.Plan, theta: np.ndarray) -> np.ndarray:
        W = plan.expand(theta)
        if self.mistake == "leaking":
            W[..., 0, :] = W[..., -1, :]
        return W * np.float32(1 + 1e-3) if self.mistake == "not normalised" else W

    def project(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray:
        if self.mistake == "flattened batch" and W.ndim > 2:
            return np.broadcast_to(plan.project(W.reshape(-1, *plan.shape)[:1]), W.shape)
        return self.expand(plan, self.coefficients(plan, W))

    def apply(self, plan: rc.Plan, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.einsum("...yx,...x->...y", self.expand(plan, theta), x)


MISTAKES = ["transposed", "conjugated", "reordered", "leaking", "not normalised", "flattened batch", "none"]


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("case", [("several blocks, complex", "float64")], indirect=True, ids=", ".join)
def test_a_planted_mistake_breaks_a_law_and_no_mistake_breaks_none(mistake: str, case: Any, draw: Draw, b: float) -> None:
    broken = []
    for law in LAWS:
        try:
            law(Wrong(mistake), case, draw, b)
        except AssertionError:
            broken.append(law.__name__)
    assert bool(broken) == (mistake != "none"), broken
