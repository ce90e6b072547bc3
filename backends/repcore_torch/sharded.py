"""Weights that are sharded over devices (DTensor): maps on the local shard, without communication where copies stay whole.

A weight n*Y <- m*X is n x m tiles, and a projection acts within each tile. So a rank that holds whole copies of rows and columns
projects its shard with the plan of those copies, and no rank needs to hear of another. The rule, for each dim of the mesh:

=======================  ======================  ===============================================================
placement of W           project(W)              why
=======================  ======================  ===============================================================
Replicate                Replicate, local        every rank does the same
Partial (sum, avg)       Partial, local          the map is linear
Shard(batch dim)         Shard, local            maps of a batch do not meet
Shard(rows or columns)   Shard, local            where every shard, on every rank, consists of whole copies
the same, copies cut     Shard, all-gather       gathered, projected whole, and cut again
=======================  ======================  ===============================================================

``coefficients`` of whole copies are local too: each rank has those of its own tiles, and the result is Partial; ``expand``
gathers a theta that is sharded along its last dim. Whether copies stay whole is decided from sizes alone, alike on all ranks.
Gradients take the placements of the argument, Replicate for Partial. What a rank derives from a plan is kept with its table:
before ``torch.compile(fullgraph=True)`` call once without.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from repcore_torch.tables import Table, cut, is_cut_between_copies

__all__ = ["gathered", "is_sharded", "placed_as", "run"]

Range = tuple[int, int]


def is_sharded(x: Any) -> bool:
    """Whether x is a DTensor. Imports nothing: without ``torch.distributed.tensor`` there is none."""
    if type(x) is Tensor or type(x) is nn.Parameter:
        return False
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(x, module.DTensor)


def run(x: Any, table: Table, linear: Callable[[Tensor, Table], Tensor], *, takes_weight: bool, gives_weight: bool) -> Any:
    """A map of :mod:`repcore_torch.maps` on a DTensor.

    Args:
        x: W (..., dim Y, dim X) or theta (..., dim), on any mesh.
        table: the table of the whole weight.
        linear: the map, on plain tensors.
        takes_weight: whether x is a weight.
        gives_weight: whether the result is.
    """
    from torch.distributed.tensor import DTensor, Partial, Replicate, Shard

    mesh, given = x.device_mesh, tuple(x.placements)
    axes = (x.ndim - 2, x.ndim - 1) if takes_weight else (x.ndim - 1,)
    placements: list[Any] = list(given)
    ranges: list[Range] = [(0, x.shape[axis]) for axis in axes]
    for i, placement in enumerate(given):
        if isinstance(placement, Partial):
            placements[i] = placement if placement.reduce_op in ("sum", "avg") else Replicate()
        elif not isinstance(placement, Replicate):
            axis = placement.dim % x.ndim
            if axis not in axes:
                continue
            here = axes.index(axis)
            alone = sum(getattr(other, "dim", None) is not None and other.dim % x.ndim == axis for other in given) == 1
            bounds = _bounds(x.shape[axis], mesh.size(i))
            if takes_weight and alone and type(placement) is Shard and _whole_copies(table, here, bounds):
                rank = mesh.get_local_rank(i)
                ranges[here] = bounds[rank], bounds[rank + 1]
            else:
                placements[i] = Replicate()
    local = x.redistribute(placements=placements).to_local()
    if takes_weight:
        part, where = _part(table, ranges[0], ranges[1])
        y = linear(local, part)
        if not gives_weight and part is not table:
            y = y.new_zeros((*y.shape[:-1], table.dim)).index_copy(-1, where, y)
    else:
        y = linear(local, table)
    tail = table.shape if gives_weight else (table.dim,)
    shape = torch.Size((*x.shape[: axes[0]], *tail))
    if not gives_weight:
        placements = [Partial() if getattr(p, "dim", -1) >= axes[0] else p for p in placements]
    result = DTensor.from_local(y, mesh, placements, run_check=False, shape=shape, stride=_strides(shape))
    if takes_weight and gives_weight:
        wanted = [r if isinstance(g, Partial) else g for g, r in zip(given, placements, strict=True)]
        return result.redistribute(placements=wanted)
    return result


def gathered(x: Tensor) -> Tensor:
    """A DTensor as one that is whole on every rank; a plain tensor is what it is. Differentiable."""
    if not is_sharded(x):
        return x
    from torch.distributed.tensor import Replicate

    y: Any = x
    return y.redistribute(placements=[Replicate()] * y.device_mesh.ndim)


def placed_as(x: Any, placements: tuple[Any, ...]) -> Any:
    """A gradient of something with these placements: alike, Replicate where that is Partial."""
    from torch.distributed.tensor import Partial, Replicate

    return x.redistribute(placements=[Replicate() if isinstance(p, Partial) else p for p in placements])


def _part(table: Table, rows: Range, cols: Range) -> tuple[Table, Any]:
    """The table of the copies within these rows and columns, and where their coefficients stand; kept for each table."""
    if (rows, cols) == ((0, table.shape[0]), (0, table.shape[1])):
        return table, None
    kept = table.cuts
    if (rows, cols) not in kept:
        kept[rows, cols] = cut(table, rows, cols)
    return kept[rows, cols]


def _whole_copies(table: Table, axis: int, bounds: tuple[int, ...]) -> bool:
    kept = table.cuts
    if (axis, bounds) not in kept:
        kept[axis, bounds] = is_cut_between_copies(table, axis, bounds)
    return kept[axis, bounds]


def _bounds(size: int, ranks: int) -> tuple[int, ...]:
    """Where the shards of an axis begin, and the end: as ``torch.chunk`` cuts, with empty shards at the end."""
    step = -(-size // ranks)
    return tuple(min(k * step, size) for k in range(ranks + 1))


def _strides(shape: torch.Size) -> tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))
