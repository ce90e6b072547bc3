"""The penalty on what is not equivariant in a weight."""

from __future__ import annotations

from math import isfinite
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from repcore import IncompatibleError
from repcore_jax.norms import Pair, dual_of, norm_of_ones, square, with_gradient
from repcore_jax.projector import Projector, as_matrix, projector, working_dtype
from repcore_jax.spectral import SpectralState, first_vectors, iterate

__all__ = ["combined", "measured", "penalty", "spectral_state"]

_REDUCTIONS = ("none", "mean")

Terms = list[tuple[Projector, Any]]


def penalty(
    W: ArrayLike,
    space: Any,
    norm: str | tuple[float, float] = "fro",
    *,
    relative: bool = False,
    equivariant: float | Array = 0.0,
    reduction: str = "none",
    state: SpectralState | None = None,
    steps: int = 1,
) -> Any:
    """N(W - P W) + equivariant * N(P W), for a norm N: how far a weight is from the equivariant maps, and how large it is there.

    With R = W - P W, and likewise for P W:

    ==============  ==================================  ===================================================================
    norm            N(R)                                what it does
    ==============  ==================================  ===================================================================
    ``"fro"``       ||R||_F                             a group lasso: the gradient R / ||R||_F keeps its length, and R
                                                        reaches zero as a whole
    ``"fro2"``      ||R||_F^2 / 2 (half the square)     a ridge: the gradient is R, a spring that never quite gets there
    ``"spectral"``  the largest singular value of R     gradient (1 - P) u v^H; bounds the worst case over inputs
    ``"nuclear"``   the sum of the singular values      gradient (1 - P) U V^H; makes R of low rank, then zero
    ``(p, q)``      (sum_j (sum_i abs(R_ij)^p)^(q/p))   p within columns, q over them; (2, 1) makes columns zero,
                    ^(1/q), p, q >= 1 or inf            (1, 1) entries
    ``"inf"``       max abs(R_ij)                       levels the largest entries; converges slowly
    ==============  ==================================  ===================================================================

    The mean defect over a compact group G is E_g ||rho_Y(g) W - W rho_X(g)||_F^2 = 2 ||R||_F^2 for orthogonal representations;
    see ``rc.defect``. (Berndt and Stuehmer, arXiv 2601.05028.)

    Args:
        W: (..., dim Y, dim X), or (dim Y,) where dim X is 1: a bias, with the space ``one >> Y``.
        space: a space, a basis, a plan or a projector. Or a sequence of pairs (space, weight), for several groups that act on the
            same layer: the penalty is the weighted sum.
        norm: see the table.
        relative: divide by N(W). The penalty then does not change when W is scaled, and training cannot lower it by shrinking
            one layer and growing the next.
        equivariant: the weight of the part in the space, against that of the rest; 0 leaves it out.
        reduction: ``"mean"`` divides by N of the matrix of ones (fro2: by the number of entries), so that a weight whose entries
            have a certain size is penalised alike at any shape; ``"none"`` does not.
        state: for ``"spectral"``: a :class:`SpectralState` of the last step, made by :func:`spectral_state`; the result is then a
            pair of the penalty and the next state. Without it an exact singular value decomposition is taken at each call,
            O(n^3), which suits small matrices.
        steps: steps of power iteration with a state; one is enough where the weight moves little between calls.

    Returns:
        (...): one value a matrix, a scalar for one matrix. Real, at least float32. With a state, (value, next state).

    Raises:
        IncompatibleError: a shape that is not the plan's, an unknown norm or reduction, a negative weight, ``relative`` together
            with ``reduction="mean"``, a state where the norm is not spectral.

    Gradients are subgradients of the least length, zero where the norm is zero (R = 0; W = 0), never NaN; fro and fro2 can be
    differentiated to any order, the others once. For complex W, ``jax.grad`` gives the conjugate, as for every function.

    Cost: one projection forward. Backward fro and fro2 take one pass over W, the closed form instead of the adjoint of a
    projection; the others one projection. spectral and nuclear add the singular value decomposition, with a state two products
    of a matrix and a vector.

    >>> import jax, numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> W = np.array([[1.0, 2.0], [2.0, 1.0]], np.float32)
    >>> value, grad = jax.value_and_grad(penalty)(W, V >> V, "fro2")
    >>> round(float(value), 5), grad.round(5).tolist()
    (4.0, [[0.0, 2.0], [2.0, 0.0]])
    >>> [round(float(penalty(W, V >> V, norm)), 4) for norm in ("fro", "spectral", "nuclear", (1, 1), "inf")]
    [2.8284, 2.0, 4.0, 4.0, 2.0]
    """
    _check(norm, relative, equivariant, reduction, state, steps)
    terms = _terms(space)
    matrix = _matrix(W, terms)
    both = not (_is_number(equivariant) and equivariant == 0)
    values, scale, following = _measured(matrix, terms, norm, both, relative, state, steps)
    weights = [weight for _, weight in terms]
    weights = weights + [equivariant * weight for weight in weights] if both else weights
    total = combined(weights, values, scale, norm, reduction, terms[0][0].shape)
    return total if following is None else (total, following)


def measured(
    W: ArrayLike, P: Projector, norm: Any, both: bool, relative: bool, state: SpectralState | None, steps: int
) -> tuple[list[Array], Array | None, SpectralState | None]:
    """N(W - P W) and, if both are wanted, N(P W); N(W), where relative, or its square; and the next state."""
    return _measured(_matrix(W, [(P, 1)]), [(P, 1)], norm, both, relative, state, steps)


def combined(weights: list[Any], values: list[Array], scale: Array | None, norm: Any, reduction: str, shape: Any) -> Any:
    """The weighted sum, over the norm of the weight or of ones."""
    total: Any = sum(weight * value for weight, value in zip(weights, values, strict=True))
    if scale is not None:
        return _quotient(total, scale)
    return total / norm_of_ones(norm, shape) if reduction == "mean" else total


def _measured(
    matrix: Array, terms: Terms, norm: Any, both: bool, relative: bool, state: SpectralState | None, steps: int
) -> tuple[list[Array], Array | None, SpectralState | None]:
    if norm in ("fro", "fro2"):
        return *_smooth(matrix, terms, norm, both, relative), None
    M = _stack(matrix, terms, both, relative)
    fixed = jax.lax.stop_gradient(M)
    following = None
    if state is None:
        pair: Pair = dual_of(norm)(fixed)
    else:
        pair, following = iterate(jax.lax.stop_gradient(state), fixed, steps)
    values = list(with_gradient(M, *pair))
    return (values[:-1], values[-1], following) if relative else (values, None, following)


def spectral_state(
    W: ArrayLike, space: Any, *, relative: bool = False, equivariant: float | Array = 0.0, steps: int = 32
) -> SpectralState:
    """The state of ``penalty(W, space, "spectral", state=...)`` for a weight: ``steps`` steps from a fixed vector.

    Args:
        W: the weight at the start, (..., dim Y, dim X) or (dim Y,).
        space: as it will be given to :func:`penalty`.
        relative: likewise.
        equivariant: likewise; an array counts as not 0.
        steps: steps of power iteration.

    Raises:
        IncompatibleError: as :func:`penalty`.

    >>> import jax, numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> W = np.array([[1.0, 2.0], [2.0, 1.0]], np.float32)
    >>> state = spectral_state(W, V >> V)
    >>> value, state = jax.jit(lambda W, state: penalty(W, V >> V, "spectral", state=state))(W, state)
    >>> round(float(value), 4), bool(state.error[0] < 1e-5)
    (2.0, True)
    """
    _check("spectral", relative, equivariant, "none", None, steps)
    terms = _terms(space)
    M = jax.lax.stop_gradient(_stack(_matrix(W, terms), terms, not (_is_number(equivariant) and equivariant == 0), relative))
    return iterate(first_vectors(M), M, steps)[1]


def _check(norm: Any, relative: bool, equivariant: Any, reduction: str, state: Any, steps: int) -> None:
    if norm not in ("fro", "fro2"):
        dual_of(norm)
    if _is_number(equivariant) and not 0 <= equivariant < float("inf"):
        raise IncompatibleError(f"equivariant is {equivariant}; give a weight >= 0")
    if reduction not in _REDUCTIONS:
        raise IncompatibleError(f"reduction is {reduction!r}; choose one of {', '.join(map(repr, _REDUCTIONS))}")
    if relative and reduction == "mean":
        raise IncompatibleError("relative=True and reduction='mean' both divide by the size of the weight; choose one")
    if state is not None and norm != "spectral":
        raise IncompatibleError(f"state: keeps singular vectors for norm='spectral'; norm is {norm!r}")
    if steps < 1:
        raise IncompatibleError(f"steps: is {steps}; at least one step is needed")


def _terms(space: Any) -> Terms:
    if not isinstance(space, list | tuple):
        return [(projector(space), 1)]
    pairs = [pair for pair in space if isinstance(pair, tuple) and len(pair) == 2]
    if not pairs or len(pairs) < len(space):
        raise IncompatibleError("space: a sequence must hold pairs (space, weight), one for each group, and at least one")
    for _, weight in pairs:
        if _is_number(weight) and not (weight >= 0 and isfinite(weight)):
            raise IncompatibleError(f"space: a pair has the weight {weight}; give a weight >= 0")
    return [(projector(one), weight) for one, weight in pairs]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _matrix(W: ArrayLike, terms: Terms) -> Array:
    array = jnp.asarray(W)
    for project, _ in terms:
        as_matrix(array, project.shape, "W")
    dtype = working_dtype(array.dtype, any(project.plan.is_complex for project, _ in terms))
    return as_matrix(array, terms[0][0].shape, "W").astype(dtype)


def _smooth(W: Array, terms: Terms, norm: Any, both: bool, relative: bool) -> tuple[list[Array], Array | None]:
    """fro and fro2 of each W - P W, then of each P W; and of W where it is relative (fro2: the square)."""
    if both:
        pairs = [_half_squares(W, project) for project, _ in terms]
        values = [pair[i] for i in range(2) for pair in pairs]
    else:
        values = [_half_square(W, project) for project, _ in terms]
    if norm == "fro2":
        return values, square(W) if relative else None
    return [_root(2 * value) for value in values], _root(square(W)) if relative else None


def _stack(W: Array, terms: Terms, both: bool, relative: bool) -> Array:
    """What is measured: each W - P W, then each P W if both are wanted, and W where it is relative."""
    inside = [project(W) for project, _ in terms]
    return jnp.stack([W - PW for PW in inside] + (inside if both else []) + ([W] if relative else []))


@jax.custom_jvp
def _half_square(W: Array, project: Projector) -> Array:
    """h(W) = ||R||^2 / 2, R = (I - P) W. dh = Re <R, dW>: since (I - P) R = R, no adjoint has to be applied."""
    return square(W - project(W)) / 2


@_half_square.defjvp
def _half_square_jvp(primals: tuple[Array, Projector], tangents: tuple[Array, Any]) -> tuple[Array, Array]:
    # The constants of a projector are no variables: their tangents are left out.
    (W, project), (dW, _) = primals, tangents
    R = W - project(W)
    return square(R) / 2, (R.conj() * dW).real.sum((-2, -1))


@jax.custom_jvp
def _half_squares(W: Array, project: Projector) -> tuple[Array, Array]:
    """||W - P W||^2 / 2 and ||P W||^2 / 2, likewise."""
    PW = project(W)
    return square(W - PW) / 2, square(PW) / 2


@_half_squares.defjvp
def _half_squares_jvp(primals: tuple[Array, Projector], tangents: tuple[Array, Any]) -> tuple[Any, Any]:
    (W, project), (dW, _) = primals, tangents
    PW = project(W)
    parts = [W - PW, PW]
    return tuple(square(R) / 2 for R in parts), tuple((R.conj() * dW).real.sum((-2, -1)) for R in parts)


def _root(square: Array) -> Array:
    # The square root of a replaced 1 has a finite derivative, which the outer where multiplies by 0.
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)


def _quotient(value: Array, scale: Array) -> Array:
    positive = scale > 0
    return jnp.where(positive, value / jnp.where(positive, scale, 1), 0)
