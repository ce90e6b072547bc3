"""The three linear maps of a plan: coefficients, expand, project.

With Q the orthonormal basis of the space (columns vec(B_a)), coefficients(W) = Q^H vec(W), expand(theta) = Q theta and
project = Q Q^H. Every map takes leading batch dims, and its argument in the working dtype.
Cost: O(size of W) for orbit blocks, O(size of W * k) for factor blocks, O(size of W * (dY + dX)) for Schur blocks, with k, dY
and dX of one pair of copies.

An axis of copies is never indexed, only reshaped and carried along: a weight that is sharded by copies of X, of Y or of both is
projected without communication.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from repcore_jax.tables import BlockTable, Table

__all__ = ["coefficients", "expand", "project"]


def coefficients(W: Array, table: Table) -> Array:
    """theta = Q^H vec(W): (..., dim Y, dim X) -> (..., dim)."""
    axis, batch = table.theta, W.shape[:-2]
    parts = [_analyse(tiles, block) for tiles, block in zip(_read(W, table), table.blocks, strict=True)]
    inner = [part.reshape(*batch, axis.copies, prod(part.shape[-3:]) // axis.copies) for part in parts]
    theta = jnp.concatenate(inner, -1) if inner else jnp.zeros((*batch, axis.copies, 0), W.dtype)
    return _take(theta, axis.inverse, -1).reshape(*batch, axis.copies * axis.period)


def expand(theta: Array, table: Table) -> Array:
    """W = sum_a theta_a B_a: (..., dim) -> (..., dim Y, dim X)."""
    axis, batch = table.theta, theta.shape[:-1]
    theta = _take(theta.reshape(*batch, axis.copies, axis.period), axis.order, -1)
    parts, start = [], 0
    for block in table.blocks:
        n, _, m, _ = block.sizes
        stop = start + n * m * block.dim // axis.copies
        parts.append(_synthesise(theta[..., start:stop].reshape(*batch, n, m, block.dim), block))
        start = stop
    return _write(parts, table, batch, theta.dtype)


def project(W: Array, table: Table) -> Array:
    """P W = expand(coefficients(W)), the orthogonal projection: (..., dim Y, dim X) -> the same shape."""
    parts = [_synthesise(_analyse(tiles, block), block) for tiles, block in zip(_read(W, table), table.blocks, strict=True)]
    return _write(parts, table, W.shape[:-2], W.dtype)


def _read(W: Array, table: Table) -> list[Array]:
    """The entries of each block: (..., dim Y, dim X) -> (..., n, dY, m, dX)."""
    batch, rows, cols = W.shape[:-2], table.rows, table.cols
    W = W.reshape(*batch, rows.copies, rows.period, cols.copies, cols.period)
    W = _take(_take(W, rows.order, -3), cols.order, -1)
    return [W[..., slice(*block.rows), :, slice(*block.cols)].reshape(*batch, *block.sizes) for block in table.blocks]


def _write(parts: list[Array], table: Table, batch: tuple[int, ...], dtype: jnp.dtype) -> Array:
    """The weight (*batch, dim Y, dim X) from the entries of its blocks; elsewhere it is 0."""
    rows, cols = table.rows, table.cols
    lines: dict[tuple[int, int], dict[tuple[int, int], Array]] = {}
    for part, block in zip(parts, table.blocks, strict=True):
        (top, bottom), (left, right) = block.rows, block.cols
        tile = part.reshape(*batch, rows.copies, bottom - top, cols.copies, right - left)
        lines.setdefault(block.rows, {})[block.cols] = tile

    def zeros(height: int, width: int) -> Array:
        return jnp.zeros((*batch, rows.copies, height, cols.copies, width), dtype)

    bands = {
        (top, bottom): _joined(line, cols.period, -1, lambda width, height=bottom - top: zeros(height, width))
        for (top, bottom), line in lines.items()
    }
    W = _joined(bands, rows.period, -3, lambda height: zeros(height, cols.period))
    return _take(_take(W, cols.inverse, -1), rows.inverse, -3).reshape(*batch, *table.shape)


def _joined(pieces: dict[tuple[int, int], Array], size: int, axis: int, zeros: Callable[[int], Array]) -> Array:
    """Pieces (start, stop) side by side along an axis of a size, with zeros between them."""
    found, at = [], 0
    for (start, stop), piece in sorted(pieces.items(), key=lambda pair: pair[0]):
        found += [piece] if start == at else [zeros(start - at), piece]
        at = stop
    if at < size or not found:
        found.append(zeros(size - at))
    return found[0] if len(found) == 1 else jnp.concatenate(found, axis)


def _analyse(tiles: Array, block: BlockTable) -> Array:
    """Q^H on pairs of copies, (..., n, dY, m, dX) -> (..., n, m, k)."""
    if block.left:
        return _schur_analyse(tiles, block)
    n, rows, m, cols = block.sizes
    entries = tiles.swapaxes(-3, -2).reshape(*tiles.shape[:-4], n, m, rows * cols)
    values = _cast(block.values, entries.dtype).conj()
    if block.ids is None:
        return _einsum("...n,nk->...k", entries, values)
    terms = jnp.moveaxis(entries * values, -1, 0)
    sums = jax.ops.segment_sum(terms, block.ids, block.dim, mode="promise_in_bounds")
    return jnp.moveaxis(sums, 0, -1)


def _synthesise(c: Array, block: BlockTable) -> Array:
    """Q on pairs of copies, (..., n, m, k) -> (..., n, dY, m, dX)."""
    if block.left:
        return _schur_synthesise(c, block)
    _, rows, _, cols = block.sizes
    values = _cast(block.values, c.dtype)
    # Not values.T, which would be a second constant.
    entries = _einsum("...k,nk->...n", c, values) if block.ids is None else _take(c, block.ids, -1) * values
    return entries.reshape(*c.shape[:-1], rows, cols).swapaxes(-3, -2)


def _schur_analyse(tiles: Array, block: BlockTable) -> Array:
    n, _, m, _ = block.sizes
    batch, parts = tiles.shape[:-4], []
    for u, t in zip(block.left, block.right, strict=True):
        turned = _einsum("yap,...nymx->...nampx", _cast(u, tiles.dtype).conj(), tiles)
        found = _einsum("...nampx,bpx->...nmab", turned, _cast(t, tiles.dtype).conj())
        parts.append(found.reshape(*batch, n, m, u.shape[1] * len(t)))
    return jnp.concatenate(parts, -1)


def _schur_synthesise(c: Array, block: BlockTable) -> Array:
    n, rows, m, cols = block.sizes
    batch = c.shape[:-3]
    total, at = jnp.zeros((*batch, n, rows, m, cols), c.dtype), 0
    for u, t in zip(block.left, block.right, strict=True):
        copies = u.shape[1]
        part = c[..., at : at + copies * len(t)].reshape(*batch, n, m, copies, len(t))
        turned = _einsum("...nmab,bpx->...nampx", part, _cast(t, c.dtype))
        total += _einsum("yap,...nampx->...nymx", _cast(u, c.dtype), turned)
        at += copies * len(t)
    return total


def _take(array: Array, index: Any, axis: int) -> Array:
    """The entries at an index along an axis, counted from the end; all of them where the index is None."""
    if index is None:
        return array
    return array.at[..., index, *[slice(None)] * (-1 - axis)].get(mode="promise_in_bounds")


def _einsum(formula: str, a: Any, b: Any) -> Array:
    # The default precision of an accelerator is below that of the dtype.
    return jnp.einsum(formula, a, b, precision=jax.lax.Precision.HIGHEST)


def _cast(constant: Any, dtype: jnp.dtype) -> Any:
    # NumPy copies even where nothing changes, and each copy would be a constant of its own.
    return constant if constant.dtype == dtype else constant.astype(dtype)
