"""The penalty on what is not equivariant in a weight."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from repcore import IncompatibleError
from repcore_jax.projector import Projector, as_matrix, projector, working_dtype

__all__ = ["penalty"]

_NORMS = ("fro", "fro2")


def penalty(W: ArrayLike, space: Any, norm: str = "fro", *, relative: bool = False) -> Array:
    """The norm of R = W - P W, how far a weight is from the equivariant maps.

        "fro"    ||R||_F, a group lasso: its gradient R / ||R||_F keeps its length, so that R can reach zero;
        "fro2"   ||R||_F^2 / 2 (half the square), a ridge: its gradient is R.

    The mean defect over a compact group G is E_g ||rho_Y(g) W - W rho_X(g)||_F^2 = 2 ||R||_F^2 for orthogonal
    representations. ``relative=True`` divides by ||W||_F ("fro") or ||W||_F^2 ("fro2"): the penalty then does not change
    when W is scaled, and training cannot lower it by shrinking one layer and growing the next. Gradients are zero where
    the norm is zero (R = 0; W = 0), never NaN. For complex W, ``jax.grad`` gives the conjugate, as for every function.

    Args:
        W: (..., dim Y, dim X), or (dim Y,) where dim X is 1.
        space: a space, a basis, a plan or a projector.
        norm: ``"fro"`` or ``"fro2"``.
        relative: divide by the norm of W.

    Returns:
        (...): one value a matrix, a scalar for one matrix. Real, at least float32.

    Raises:
        IncompatibleError: a shape that is not the plan's, or an unknown norm.

    Cost: one projection forward; backward one pass over W, the closed form instead of the adjoint of a projection.

    >>> import jax, numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> W = np.array([[1.0, 2.0], [2.0, 1.0]], np.float32)
    >>> value, grad = jax.value_and_grad(penalty)(W, V >> V, "fro2")
    >>> round(float(value), 5), grad.round(5).tolist()
    (4.0, [[0.0, 2.0], [2.0, 0.0]])
    """
    if norm not in _NORMS:
        raise IncompatibleError(f"norm is {norm!r}; choose one of {', '.join(map(repr, _NORMS))}")
    project = projector(space)
    W = as_matrix(jnp.asarray(W), project.shape, "W")
    W = W.astype(working_dtype(W.dtype, project.plan.is_complex))
    half = _half_square(W, project)
    if norm == "fro2":
        return _quotient(half, _square(W)) if relative else half
    value = _root(2 * half)
    return _quotient(value, _root(_square(W))) if relative else value


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _half_square(W: Array, project: Projector) -> Array:
    """h(W) = ||R||^2 / 2, R = (I - P) W. dh = Re <R, dW>: since (I - P) R = R, no adjoint has to be applied."""
    return _square(W - project(W)) / 2


@_half_square.defjvp
def _half_square_jvp(project: Projector, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (W,), (dW,) = primals, tangents
    R = W - project(W)
    return _square(R) / 2, (R.conj() * dW).real.sum((-2, -1))


def _square(W: Array) -> Array:
    return (W.conj() * W).real.sum((-2, -1))


def _root(square: Array) -> Array:
    # The square root of a replaced 1 has a finite derivative, which the outer where multiplies by 0.
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)


def _quotient(value: Array, scale: Array) -> Array:
    positive = scale > 0
    return jnp.where(positive, value / jnp.where(positive, scale, 1), 0)
