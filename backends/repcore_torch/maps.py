"""The three linear maps of a plan with their adjoints: coefficients, expand, project.

With Q the orthonormal basis of the space (columns vec(B_a)), coefficients(W) = Q^H vec(W), expand(theta) = Q theta and
project = Q Q^H. So expand and coefficients are each other's adjoint and project is its own: a backward pass is one call
of the adjoint, whatever the number of blocks, and a double backward is the map itself again.

Every map takes leading batch dims, and its argument in the dtype and on the device of the table.
Cost: O(size of W) for orbit blocks, O(size of W * k) for factor blocks, O(size of W * (dY + dX)) for Schur blocks, with k, dY
and dX of one pair of copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from repcore_torch import sharded
from repcore_torch.tables import BlockTable, SchurTable, Table

__all__ = ["coefficients", "expand", "project"]

_Map = Callable[[Tensor, Table], Tensor]

# Entries of a weight that are projected at a time, where it is large. Measured: for orbits 2**15 to 2**18 are alike, Schur blocks
# are fastest from 2**18 on, and the whole of 2**20 takes up to three times as long in fresh memory.
_PIECE = 2**18


def coefficients(W: Tensor, table: Table) -> Tensor:
    """theta = Q^H vec(W): (..., dim Y, dim X) -> (..., dim)."""
    return _apply(W, table, _coefficients, _expand)


def expand(theta: Tensor, table: Table) -> Tensor:
    """W = sum_a theta_a B_a: (..., dim) -> (..., dim Y, dim X)."""
    return _apply(theta, table, _expand, _coefficients)


def project(W: Tensor, table: Table) -> Tensor:
    """P W = expand(coefficients(W)), the orthogonal projection: (..., dim Y, dim X) -> the same shape."""
    return _apply(W, table, _project, _project)


def _apply(x: Tensor, table: Table, forward: _Map, adjoint: _Map) -> Tensor:
    if torch.compiler.is_compiling():
        # The compiler differentiates the plain operations itself, and takes no autograd function that has a jvp.
        return _run(x, table, forward)
    return _Linear.apply(x, table, forward, adjoint)


def _run(x: Tensor, table: Table, linear: _Map) -> Tensor:
    if not sharded.is_sharded(x):
        return linear(x, table)
    return sharded.run(x, table, linear, takes_weight=linear is not _expand, gives_weight=linear is not _coefficients)


class _Linear(Function):
    """A linear map and its adjoint: the map is its own derivative, and under vmap it takes one more leading dim."""

    @staticmethod
    def forward(x: Tensor, table: Table, forward: _Map, adjoint: _Map) -> Tensor:
        return _run(x, table, forward)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Table, _Map, _Map], output: Tensor) -> None:
        x, ctx.table, ctx.map, ctx.adjoint = inputs
        ctx.placements = getattr(x, "placements", None) if sharded.is_sharded(x) else None

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        found = _Linear.apply(grad, ctx.table, ctx.adjoint, ctx.map)
        return found if ctx.placements is None else sharded.placed_as(found, ctx.placements), None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return _Linear.apply(tangent, ctx.table, ctx.map, ctx.adjoint)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, table: Table, *maps: _Map) -> tuple[Tensor, int]:
        return _Linear.apply(x.movedim(in_dims[0], 0), table, *maps), 0


def _coefficients(W: Tensor, table: Table) -> Tensor:
    batch = W.shape[:-2]
    if _is_one_orbit_block(W, 2, table):
        theta = _gather_adjoint(W, table.blocks[0])
        return theta if table.inverse is None else theta.index_select(-1, table.inverse)
    parts = [_analyse(_read(W, block), block).reshape(*batch, block.count) for block in table.blocks]
    theta = torch.cat(parts, -1) if parts else W.new_zeros((*batch, 0))
    return theta if table.inverse is None else theta.index_select(-1, table.inverse)


def _expand(theta: Tensor, table: Table) -> Tensor:
    if table.order is not None:
        theta = theta.index_select(-1, table.order)
    if _is_one_orbit_block(theta, 1, table):
        return _gather(theta, table.blocks[0])
    batch, parts, start = theta.shape[:-1], [], 0
    for block in table.blocks:
        n, _, m, _ = block.sizes
        parts.append(_synthesise(theta.narrow(-1, start, block.count).reshape(*batch, n, m, block.dim), block))
        start += block.count
    return _assemble(parts, table, theta, batch)


def _project(W: Tensor, table: Table) -> Tensor:
    if W.ndim == 2 and W.numel() > 2 * _PIECE and W.device.type == "cpu" and type(W) is Tensor:
        return _project_in_pieces(W, table)
    parts = [_synthesise(_analyse(_read(W, block), block), block) for block in table.blocks]
    return _assemble(parts, table, W, W.shape[:-2])


def _project_in_pieces(W: Tensor, table: Table) -> Tensor:
    """The same, some copies at a time: what is computed on the way stays in the cache, and only the result is fresh memory."""
    result = torch.empty_like(W, memory_format=torch.contiguous_format) if table.whole else torch.zeros_like(W)
    for block in table.blocks:
        n, rows, m, cols = block.sizes
        step = max(1, _PIECE // (rows * m * cols))
        start = block.rows.start if isinstance(block.rows, slice) else 0
        for first in range(0, n, step):
            copies = min(step, n - first)
            if isinstance(block.rows, slice):
                where = slice(start + first * rows, start + (first + copies) * rows)
            else:
                where = block.rows[first * rows : (first + copies) * rows]
            piece = replace(block, rows=where, sizes=(copies, rows, m, cols))
            tiles = _synthesise(_analyse(_read(W, piece), piece), piece)
            if table.whole:
                result[where].view(copies, rows, m, cols).copy_(tiles)
            else:
                _put(result, piece, tiles.reshape(copies * rows, m * cols))
    return result


def _is_one_orbit_block(x: Tensor, ndim: int, table: Table) -> bool:
    """Whether the whole weight is one orbit block of several copies, x one such weight, and pieces of it pay."""
    if not table.whole or x.ndim != ndim or x.device.type != "cpu" or type(x) not in (Tensor, nn.Parameter):
        return False
    if torch.compiler.is_compiling():
        return False
    return table.blocks[0].ids is not None and table.blocks[0].sizes[0] > 1


def _gather(c: Tensor, block: BlockTable) -> Tensor:
    """What ``_synthesise`` does, in the final layout at once: (n * m * k,) -> (n * dY, m * dX), some copies at a time."""
    n, rows, m, cols = block.sizes
    W, c, values = c.new_empty((n, rows * m * cols)), c.reshape(n, m * block.dim), block.values.view(rows, 1, cols)
    for where in _pieces(block):
        piece = W[where]
        torch.index_select(c[where], 1, block.places, out=piece)
        piece.view(-1, rows, m, cols).mul_(values)
    return W.view(n * rows, m * cols)


def _gather_adjoint(W: Tensor, block: BlockTable) -> Tensor:
    """Its adjoint: (n * dY, m * dX) -> (n * m * k,)."""
    n, rows, m, cols = block.sizes
    c, W, values = W.new_zeros((n, m * block.dim)), W.reshape(n, rows, m, cols), block.values.conj().view(rows, 1, cols)
    for where in _pieces(block):
        c[where].index_add_(1, block.places, (W[where] * values).reshape(-1, rows * m * cols))
    return c.view(-1)


def _pieces(block: BlockTable) -> Iterator[slice]:
    n, rows, m, cols = block.sizes
    step = max(1, _PIECE // (rows * m * cols))
    return (slice(first, first + step) for first in range(0, n, step))


def _read(W: Tensor, block: BlockTable) -> Tensor:
    """The entries of a block, (..., dim Y, dim X) -> (..., n, dY, m, dX)."""
    n, rows, m, cols = block.sizes
    for dim, where in ((-2, block.rows), (-1, block.cols)):
        if isinstance(where, slice):
            W = W.narrow(dim, where.start, where.stop - where.start)
        else:
            W = W.index_select(dim, where)
    return W.reshape(*W.shape[:-2], n, rows, m, cols)


def _analyse(tiles: Tensor, block: BlockTable) -> Tensor:
    """Q^H on pairs of copies, (..., n, dY, m, dX) -> (..., n, m, k)."""
    if block.schur is not None:
        return _schur_analyse(tiles, block, block.schur)
    n, rows, m, cols = block.sizes
    entries = tiles.transpose(-3, -2).reshape(*tiles.shape[:-4], n, m, rows * cols)
    if block.ids is None:
        return _matmul(entries, block.values.conj())
    terms = (entries * block.values.conj()).reshape(-1, len(block.values))
    return terms.new_zeros(len(terms), block.dim).index_add_(1, block.ids, terms).reshape(*entries.shape[:-1], block.dim)


def _synthesise(c: Tensor, block: BlockTable) -> Tensor:
    """Q on pairs of copies, (..., n, m, k) -> (..., n, dY, m, dX)."""
    if block.schur is not None:
        return _schur_synthesise(c, block, block.schur)
    _, rows, _, cols = block.sizes
    if block.ids is None:
        entries = _matmul(c, block.values.mT)
    else:
        # As a matrix: index_select is up to 20 times slower on a stack of matrices (torch 2.13, CPU).
        entries = c.reshape(-1, block.dim).index_select(1, block.ids).mul_(block.values)
    return entries.reshape(*c.shape[:-1], rows, cols).transpose(-3, -2)


def _schur_analyse(tiles: Tensor, block: BlockTable, schur: SchurTable) -> Tensor:
    n, rows, m, cols = block.sizes
    batch = tiles.shape[:-4]
    turned = _matmul(block.values.mH, tiles.reshape(*batch, n, rows, m * cols))
    parts, start = [], 0
    for copies, d, t in schur.parts:
        left = turned.narrow(-2, start, copies * d).reshape(*batch, n, copies, d, m, cols).transpose(-3, -2)
        found = _matmul(left.reshape(*batch, n * copies * m, d * cols), t.flatten(1).mH)
        parts.append(found.reshape(*batch, n, copies, m, len(t)).transpose(-3, -2).reshape(*batch, n, m, copies * len(t)))
        start += copies * d
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def _schur_synthesise(c: Tensor, block: BlockTable, schur: SchurTable) -> Tensor:
    n, rows, m, cols = block.sizes
    batch = c.shape[:-3]
    parts, start = [], 0
    for copies, d, t in schur.parts:
        left = c.narrow(-1, start, copies * len(t)).reshape(*batch, n, m, copies, len(t)).transpose(-3, -2)
        tile = _matmul(left.reshape(*batch, n * copies * m, len(t)), t.flatten(1)).reshape(*batch, n, copies, m, d, cols)
        parts.append(tile.transpose(-3, -2).reshape(*batch, n, copies * d, m * cols))
        start += copies * len(t)
    turned = parts[0] if len(parts) == 1 else torch.cat(parts, -2)
    return _matmul(block.values, turned).reshape(*batch, n, rows, m, cols)


def _assemble(parts: list[Tensor], table: Table, like: Tensor, batch: torch.Size) -> Tensor:
    """The weight (*batch, dim Y, dim X) from the tiles (*batch, n, dY, m, dX) of its blocks; elsewhere it is 0."""
    arrays = []
    for part, block in zip(parts, table.blocks, strict=True):
        n, rows, m, cols = block.sizes
        arrays.append(part.reshape(*batch, n * rows, m * cols))
    if table.whole:
        return arrays[0]
    W = like.new_zeros((*batch, *table.shape))
    for array, block in zip(arrays, table.blocks, strict=True):
        _put(W, block, array)
    return W


def _put(W: Tensor, block: BlockTable, array: Tensor) -> None:
    rows, cols = block.rows, block.cols
    W[..., rows if isinstance(rows, slice) or isinstance(cols, slice) else rows[:, None], cols] = array


def _matmul(a: Tensor, b: Tensor) -> Tensor:
    if a.device.type == "meta":
        # There is no autocast for it.
        return a @ b
    # Autocast would round both sides to half precision: a projector must not depend on where it is called.
    with torch.autocast(a.device.type, enabled=False):
        return a @ b
