"""Laws of a projector: P is the orthogonal projector onto the equivariant maps, and its two halves are Q^T and Q."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from repcore import Hom, Plan, plan, solve
from repcore.testing.laws.registry import Laws, broken
from repcore.testing.laws.rounding import norm, of_a_verb

__all__ = ["check_projector", "for_projector"]

for_projector = Laws("projector")

Array = npt.NDArray[Any]


def check_projector(made: Plan | Hom, space: Hom | None = None, *, dtype: npt.DTypeLike = np.float64) -> tuple[str, ...]:
    """Check every law of :data:`for_projector` on a plan of a space, or on the plan that a space gets; returns their names.

    Args:
        made: the plan; or the space, which is then planned here.
        space: the space ``X >> Y`` of a given plan.
        dtype: of the weights.

    Raises:
        AssertionError: a law does not hold; with its name, the defect and the bound.

    >>> import repcore as rc
    >>> from repcore.testing import laws
    >>> V = rc.dihedral(4).rep
    >>> "project_is_idempotent" in laws.check_projector(V >> V * V * V)
    True
    """
    if isinstance(made, Hom):
        return for_projector.check(plan(made), made, dtype=dtype)
    if space is None:
        raise TypeError("space: a plan does not know its space; call check_projector(plan, X >> Y)")
    return for_projector.check(made, space, dtype=dtype)


@for_projector.register
def project_is_idempotent(made: Plan, space: Hom, *, dtype: npt.DTypeLike = np.float64) -> None:
    """P P W = P W."""
    w = _weights(made, dtype)
    once = made.project(w)
    b = of_a_verb(made, dtype)
    # once = P W + e and twice = P once + f give twice - once = f - (1 - P) e.
    _small("project_is_idempotent", "P P W = P W", space, made.project(once) - once, 2 * b * (1 + b) * norm(w))


@for_projector.register
def project_is_self_adjoint(made: Plan, space: Hom, *, dtype: npt.DTypeLike = np.float64) -> None:
    """<M, P W> = <P M, W>, in the Frobenius product."""
    m, w = _weights(made, dtype, 1)[0], _weights(made, dtype, 2)[0]
    left, right = np.sum(m.conj() * made.project(w)), np.sum(made.project(m).conj() * w)
    allowed = 4 * of_a_verb(made, dtype) * norm(m) * norm(w)  # the sums over all entries round as much again
    _small("project_is_self_adjoint", "<M, P W> = <P M, W>", space, np.asarray(left - right), allowed)


@for_projector.register
def project_fixes_the_space(made: Plan, space: Hom, *, dtype: npt.DTypeLike = np.float64) -> None:
    """P B = B for every equivariant map B, taken from the exact basis and not from the plan."""
    basis = _basis(made, space).astype(_dtype(made, dtype))
    _small("project_fixes_the_space", "P B = B", space, made.project(basis) - basis, 2 * of_a_verb(made, dtype) * norm(basis))


@for_projector.register
def project_kills_the_complement(made: Plan, space: Hom, *, dtype: npt.DTypeLike = np.float64) -> None:
    """<B, W - P W> = 0 for every equivariant map B, and P (W - P W) = 0."""
    w = _weights(made, dtype)
    rest = w - made.project(w)
    b = of_a_verb(made, dtype)
    products = np.einsum("ayx,nyx->na", _basis(made, space).conj(), rest)
    allowed = 3 * b * (1 + b) * norm(w)
    _small("project_kills_the_complement", "<B, W - P W> = 0", space, products, allowed)
    _small("project_kills_the_complement", "P (W - P W) = 0", space, made.project(rest), allowed)


@for_projector.register
def project_is_q_times_q_transposed(made: Plan, space: Hom, *, dtype: npt.DTypeLike = np.float64) -> None:
    """P W = Q Q^H W with orthonormal columns Q of the exact basis; P W = expand(coefficients(W))."""
    w, q = _weights(made, dtype), _basis(made, space)
    exact = np.einsum("ayx,na->nyx", q, np.einsum("ayx,nyx->na", q.conj(), w))
    b = of_a_verb(made, dtype)
    _small("project_is_q_times_q_transposed", "P W = Q Q^H W", space, made.project(w) - exact, 2 * b * norm(w))
    both = made.expand(made.coefficients(w))
    allowed = 2 * b * (1 + b) * norm(w)
    _small("project_is_q_times_q_transposed", "P W = expand(coefficients(W))", space, both - made.project(w), allowed)


@for_projector.register
def coefficients_undo_expand(made: Plan, space: Hom, *, dtype: npt.DTypeLike = np.float64) -> None:
    """coefficients(expand(theta)) = theta, and ||expand(theta)|| = ||theta||."""
    theta = _normal((3, made.dim), _dtype(made, dtype), 3)
    b = of_a_verb(made, dtype)
    weight = made.expand(theta)
    allowed = 2 * b * (1 + b) * norm(theta)
    _small("coefficients_undo_expand", "coefficients(expand(theta)) = theta", space, made.coefficients(weight) - theta, allowed)
    lengths = np.asarray(norm(weight) - norm(theta))
    _small("coefficients_undo_expand", "||expand(theta)|| = ||theta||", space, lengths, allowed)


@for_projector.register
def leading_axes_are_a_batch(made: Plan, space: Hom, *, dtype: npt.DTypeLike = np.float64) -> None:
    """project(W)[n] = project(W[n]), and the same for coefficients and expand."""
    w = _weights(made, dtype)
    theta = made.coefficients(w)
    for verb, stack in ((made.project, w), (made.coefficients, w), (made.expand, theta)):
        difference = verb(stack) - np.stack([verb(x) for x in stack])
        _small("leading_axes_are_a_batch", "verb(W)[n] = verb(W[n])", space, difference, 2 * of_a_verb(made, dtype) * norm(stack))


def _small(law: str, equation: str, space: Hom, difference: Array, allowed: float) -> None:
    defect = norm(difference)
    if not defect <= allowed:
        raise broken(law, equation, space=space, defect=defect, bound=allowed)


def _basis(made: Plan, space: Hom) -> Array:
    """The orthonormal basis (dim, dim Y, dim X) by the exact solver, without a plan."""
    dtype = np.complex128 if made.is_complex else np.float64
    return solve(space, store=None).to_numpy(dtype, orthonormal=True)


def _weights(made: Plan, dtype: npt.DTypeLike, seed: int = 0) -> Array:
    return _normal((2, *made.shape), _dtype(made, dtype), seed)


def _dtype(made: Plan, dtype: npt.DTypeLike) -> np.dtype[Any]:
    return np.result_type(dtype, np.complex64) if made.is_complex else np.dtype(dtype)


def _normal(shape: tuple[int, ...], dtype: np.dtype[Any], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    real = rng.standard_normal(shape)
    return (real + 1j * rng.standard_normal(shape) if dtype.kind == "c" else real).astype(dtype)
