"""The three linear maps of a plan: coefficients, expand, project.

With Q the orthonormal basis of the space (columns vec(B_a)), coefficients(W) = Q^H vec(W), expand(theta) = Q theta and
project = Q Q^H. Every map takes leading batch dims, and its argument in the working dtype.
Cost: O(size of W) for orbit blocks, O(size of W * k) for factor blocks, O(size of W * (dY + dX)) for Schur blocks, with k, dY
and dX of one pair of copies.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from repcore_jax.tables import BlockTable, Table

__all__ = ["coefficients", "expand", "project"]


def coefficients(W: Array, table: Table) -> Array:
    """theta = Q^H vec(W): (..., dim Y, dim X) -> (..., dim)."""
    batch = W.shape[:-2]
    parts = [_analyse(_read(W, block), block).reshape(*batch, block.count) for block in table.blocks]
    theta = jnp.concatenate(parts, -1) if parts else jnp.zeros((*batch, 0), W.dtype)
    return theta if table.inverse is None else _take(theta, table.inverse)


def expand(theta: Array, table: Table) -> Array:
    """W = sum_a theta_a B_a: (..., dim) -> (..., dim Y, dim X)."""
    batch = theta.shape[:-1]
    if table.order is not None:
        theta = _take(theta, table.order)
    parts, start = [], 0
    for block in table.blocks:
        n, _, m, _ = block.sizes
        c = theta[..., start : start + block.count].reshape(*batch, n, m, block.dim)
        parts.append(_synthesise(c, block))
        start += block.count
    return _assemble(parts, table, batch, theta.dtype)


def project(W: Array, table: Table) -> Array:
    """P W = expand(coefficients(W)), the orthogonal projection: (..., dim Y, dim X) -> the same shape."""
    parts = [_synthesise(_analyse(_read(W, block), block), block) for block in table.blocks]
    return _assemble(parts, table, W.shape[:-2], W.dtype)


def _read(W: Array, block: BlockTable) -> Array:
    """The entries of a block, (..., dim Y, dim X) -> (..., n, dY, m, dX)."""
    n, rows, m, cols = block.sizes
    batch = W.shape[:-2]
    W = W.at[_where(block)].get(mode="promise_in_bounds")
    return W.reshape(*batch, n, rows, m, cols)


def _analyse(tiles: Array, block: BlockTable) -> Array:
    """Q^H on pairs of copies, (..., n, dY, m, dX) -> (..., n, m, k)."""
    if block.schur is not None:
        return _schur_analyse(tiles, block)
    n, rows, m, cols = block.sizes
    entries = tiles.swapaxes(-3, -2).reshape(*tiles.shape[:-4], n, m, rows * cols)
    values = block.values.conj().astype(entries.dtype)
    if block.ids is None:
        return _matmul(entries, values)
    terms = jnp.moveaxis(entries * values, -1, 0)
    sums = jax.ops.segment_sum(terms, block.ids, block.dim, mode="promise_in_bounds")
    return jnp.moveaxis(sums, 0, -1)


def _synthesise(c: Array, block: BlockTable) -> Array:
    """Q on pairs of copies, (..., n, m, k) -> (..., n, dY, m, dX)."""
    if block.schur is not None:
        return _schur_synthesise(c, block)
    _, rows, _, cols = block.sizes
    values = block.values.astype(c.dtype)
    entries = _matmul(c, values.T) if block.ids is None else _take(c, block.ids) * values
    return entries.reshape(*c.shape[:-1], rows, cols).swapaxes(-3, -2)


def _schur_analyse(tiles: Array, block: BlockTable) -> Array:
    n, _, m, _ = block.sizes
    batch, dtype = tiles.shape[:-4], tiles.dtype
    parts, start = [], 0
    for copies, d, t in block.schur or ():
        u = block.values[:, start : start + copies * d].reshape(-1, copies, d)
        turned = _einsum("yap,...nymx->...nampx", u.conj().astype(dtype), tiles)
        found = _einsum("...nampx,bpx->...nmab", turned, t.conj().astype(dtype))
        parts.append(found.reshape(*batch, n, m, copies * len(t)))
        start += copies * d
    return jnp.concatenate(parts, -1)


def _schur_synthesise(c: Array, block: BlockTable) -> Array:
    n, rows, m, cols = block.sizes
    batch, dtype = c.shape[:-3], c.dtype
    total, start, at = jnp.zeros((*batch, n, rows, m, cols), dtype), 0, 0
    for copies, d, t in block.schur or ():
        u = block.values[:, start : start + copies * d].reshape(-1, copies, d)
        part = c[..., at : at + copies * len(t)].reshape(*batch, n, m, copies, len(t))
        turned = _einsum("...nmab,bpx->...nampx", part, t.astype(dtype))
        total += _einsum("yap,...nampx->...nymx", u.astype(dtype), turned)
        start, at = start + copies * d, at + copies * len(t)
    return total


def _assemble(parts: list[Array], table: Table, batch: tuple[int, ...], dtype: jnp.dtype) -> Array:
    """The weight (*batch, dim Y, dim X) from the tiles (*batch, n, dY, m, dX) of its blocks; elsewhere it is 0."""
    arrays = []
    for part, block in zip(parts, table.blocks, strict=True):
        n, rows, m, cols = block.sizes
        arrays.append(part.reshape(*batch, n * rows, m * cols))
    if table.whole:
        return arrays[0]
    W = jnp.zeros((*batch, *table.shape), dtype)
    for array, block in zip(arrays, table.blocks, strict=True):
        W = W.at[_where(block)].set(array, unique_indices=True, mode="promise_in_bounds")
    return W


def _where(block: BlockTable) -> tuple[Any, ...]:
    """The index of a block in (..., dim Y, dim X)."""
    rows, cols = block.rows, block.cols
    return ..., rows if isinstance(rows, slice) or isinstance(cols, slice) else rows[:, None], cols


def _take(array: Array, index: np.ndarray) -> Array:
    return array.at[..., index].get(mode="promise_in_bounds")


def _matmul(a: Array, b: np.ndarray) -> Array:
    # The default precision of an accelerator is below that of the dtype.
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _einsum(formula: str, a: Array | np.ndarray, b: Array | np.ndarray) -> Array:
    return jnp.einsum(formula, a, b, precision=jax.lax.Precision.HIGHEST)
