"""Matrix norms as pairs of a value and a subgradient in closed form, zero where the norm is zero.

Every norm N here is homogeneous, so with a subgradient G at M, N(M) = Re <G, M> and dN = Re <G, dM>: no derivative of a singular
value decomposition is taken, which would not exist where singular values are equal.

========== ======================================================= ==========================================================
norm       N(M)                                                    G
========== ======================================================= ==========================================================
spectral   the largest singular value                              u v^H
nuclear    the sum of the singular values                          U V^H over the singular values that are not zero
(p, q)     (sum_j (sum_i |M_ij|^p)^(q/p))^(1/q), p within columns  sign(M_ij) (|M_ij| / c_j)^(p-1) (c_j / N)^(q-1)
inf        max |M_ij|, which is (inf, inf)                         sign(M_ij) / number of largest entries, at these
========== ======================================================= ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from repcore import IncompatibleError

__all__ = ["Pair", "dual_of", "entrywise", "norm_of_ones", "nuclear", "spectral", "square", "with_gradient"]

Pair = tuple[Array, Array]


def dual_of(norm: Any) -> Callable[[Array], Pair]:
    """The function M (..., dim Y, dim X) -> (N(M), G) of a norm that is neither fro nor fro2.

    Raises:
        IncompatibleError: an unknown norm.
    """
    match norm:
        case "spectral":
            return spectral
        case "nuclear":
            return nuclear
        case "inf":
            return lambda M: entrywise(M, inf, inf)
        case (int() | float() as p, int() | float() as q) if p >= 1 and q >= 1 and not (isnan(p) or isnan(q)):
            return lambda M: entrywise(M, float(p), float(q))
        case _:
            raise IncompatibleError(
                f"norm is {norm!r}; choose one of 'fro', 'fro2', 'spectral', 'nuclear', 'inf', or a pair (p, q) of numbers >= 1"
            )


def spectral(M: Array) -> Pair:
    """The largest singular value and u v^H, from a singular value decomposition."""
    if not min(M.shape[-2:]):
        return jnp.abs(M).sum((-2, -1)), jnp.zeros_like(M)
    u, s, vh = jnp.linalg.svd(M, full_matrices=False)
    first = s[..., 0]
    return first, jnp.where((first > 0)[..., None, None], u[..., :, :1] * vh[..., :1, :], 0)


def nuclear(M: Array) -> Pair:
    """The sum of the singular values and U V^H over those that are above rounding, max(dim) eps times the largest."""
    if not min(M.shape[-2:]):
        return jnp.abs(M).sum((-2, -1)), jnp.zeros_like(M)
    u, s, vh = jnp.linalg.svd(M, full_matrices=False)
    live = s > max(M.shape[-2:]) * jnp.finfo(s.dtype).eps * s[..., :1]
    return s.sum(-1), jnp.matmul(u * live[..., None, :], vh, precision=jax.lax.Precision.HIGHEST)


def entrywise(M: Array, p: float, q: float) -> Pair:
    """The (p, q) norm, p within columns and q over them, and its subgradient."""
    size = jnp.abs(M)
    columns, inner = _norm_and_ratio(size, p, -2)
    outer, rest = _norm_and_ratio(columns, q, -1)
    return outer, jnp.where(size > 0, M / jnp.where(size > 0, size, 1), 0) * inner * rest[..., None, :]


def _norm_and_ratio(a: Array, p: float, axis: int) -> Pair:
    """The norm n = (sum a^p)^(1/p) of a >= 0 along an axis, and its derivative (a / n)^(p - 1).

    Entries are divided by the largest one first, so that no power over- or underflows.
    """
    top = a.max(axis, keepdims=True, initial=0)
    live = top > 0
    scaled = a / jnp.where(live, top, 1)
    if p == inf:
        ties = (a == top) & live
        ratio, n = ties / jnp.maximum(ties.sum(axis, keepdims=True), 1).astype(a.dtype), top
    else:
        total = (scaled**p).sum(axis, keepdims=True)
        root = jnp.where(live, total, 1) ** (1 / p)
        ratio, n = jnp.where(live, (scaled / root) ** (p - 1), 0), jnp.where(live, top * root, 0)
    return n.squeeze(axis), ratio


def norm_of_ones(norm: Any, shape: tuple[int, int]) -> float:
    """The norm of the matrix of ones, by which ``reduction="mean"`` divides; for fro2 its square, the number of entries."""
    rows, cols = shape
    match norm:
        case "fro2":
            return max(rows * cols, 1)
        case "inf":
            return 1.0
        case (p, q):
            return max(rows, 1) ** (1 / p) * max(cols, 1) ** (1 / q)
        case _:
            return max(rows * cols, 1) ** 0.5


def square(W: Array) -> Array:
    """||W||_F^2 of each matrix, (..., dim Y, dim X) -> (...)."""
    return (W.conj() * W).real.sum((-2, -1))


@jax.custom_jvp
def with_gradient(M: Array, value: Array, G: Array) -> Array:
    """The value as a function of M with the subgradient G; once differentiable."""
    return value


@with_gradient.defjvp
def _with_gradient_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    M, value, G = primals
    return with_gradient(M, value, G), (_once(G, M).conj() * tangents[0]).real.sum((-2, -1))


@jax.custom_jvp
def _once(G: Array, M: Array) -> Array:
    """G as it is; a derivative of it would be a second derivative of the norm, and is refused."""
    return G


@_once.defjvp
def _once_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    raise IncompatibleError("norm: this norm is differentiable once; for second derivatives take 'fro' or 'fro2'")
