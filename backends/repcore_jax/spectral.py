"""SpectralState: singular vectors that go from step to step, so that the spectral norm costs two products a step."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from repcore import IncompatibleError
from repcore_jax.norms import Pair, square

__all__ = ["SpectralState", "first_vectors", "iterate"]


class SpectralState(NamedTuple):
    """The largest singular value of a weight that changes slowly, by power iteration from the vector of the last step; a pytree.

    One step with the unit vector v of a matrix M is

        s u = M v,    t v' = M^H u        (u, v' of length 1),        t = Re <u v'^H, M>,

    and t <= ||M||_2 is the value, u v'^H the subgradient, v' what the next state holds. Made by
    :func:`repcore_jax.spectral_state`; ``penalty(W, space, "spectral", state=state)`` returns the value and the next state.

    With b = ||M^H u - s v|| and c^2 = ||M||_F^2 - t^2,

        some singular value of M lies within ``error`` = t - s + b / sqrt(2) of the value,
        ||M||_2 <= ``upper``,    upper^2 = (||M||_F^2 + sqrt(||M||_F^4 - 4 s^2 c^2)) / 2.

    The first is a Hermitian residual bound (Parlett, The Symmetric Eigenvalue Problem, 4.5) and small after a few steps; that the
    singular value is the largest is certain only as far as ``upper`` says, which is sharp where one singular value dominates.

    Attributes:
        vectors: (parts, ..., dim X), one for each matrix that is measured: W - P W and, as asked for, P W, and W.
        value, error, upper: (parts, ...), of the last step.
    """

    vectors: Array
    value: Array
    error: Array
    upper: Array


def first_vectors(M: Array) -> SpectralState:
    """A state before its first step, with fixed unit vectors in general position: the same in each run."""
    n = M.shape[-1]
    real = jnp.finfo(M.dtype).dtype
    # Fractional parts of k times the golden ratio: equidistributed, and off every pattern of few values.
    v = (jnp.arange(1, n + 1, dtype=real) * 0.6180339887498949) % 1 - 0.4142135623730951
    vectors = jnp.broadcast_to((v / jnp.sqrt((v * v).sum())).astype(M.dtype), (*M.shape[:-2], n))
    nothing = jnp.zeros(M.shape[:-2], real)
    return SpectralState(vectors, nothing, nothing, nothing)


def iterate(state: SpectralState, M: Array, steps: int) -> tuple[Pair, SpectralState]:
    """``steps`` steps on each matrix (parts, ..., dim Y, dim X): values and subgradients, and the next state.

    Raises:
        IncompatibleError: a state of other shapes.
    """
    shape = (*M.shape[:-2], M.shape[-1])
    if state.vectors.shape != shape:
        raise IncompatibleError(
            f"state: holds vectors of shape {state.vectors.shape}, this call needs {shape}; make it by spectral_state with "
            "the same space, relative and equivariant"
        )
    adjoint = M.conj().swapaxes(-2, -1)
    v = state.vectors.astype(M.dtype)[..., None]

    def step(_: Any, v: Array) -> Array:
        t, new = _unit(_times(adjoint, _times(M, v)))
        return jnp.where(t > 0, new, v)

    v = jax.lax.fori_loop(0, steps - 1, step, v) if steps > 1 else v
    s, u = _unit(_times(M, v))
    w = _times(adjoint, u)
    t, new = _unit(w)
    residual = _unit(w - s * v)[0][..., 0, 0]
    kept = jnp.where(t > 0, new, v)[..., 0]
    s, t, size = s[..., 0, 0], t[..., 0, 0], square(M)
    rest = jnp.maximum(size - t * t, 0)
    upper = jnp.sqrt((size + jnp.sqrt(jnp.maximum(size * size - 4 * s * s * rest, 0))) / 2)
    G = u * new.conj().swapaxes(-2, -1)
    return (t, G), SpectralState(kept, t, t - s + residual / 2**0.5, upper)


def _times(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _unit(x: Array) -> Pair:
    """The length of each column and the column of length 1; 0 for the zero column."""
    size = jnp.sqrt((x.conj() * x).real.sum(-2, keepdims=True))
    return size, jnp.where(size > 0, x / jnp.where(size > 0, size, 1), 0)
