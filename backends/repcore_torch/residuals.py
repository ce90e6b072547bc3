"""`Pool`: what is not equivariant in many small weights, at the price of a handful of operations for all of them.

A small weight costs what calling an operation costs. So the weights are laid end to end in one vector w, and (I - P) w is
computed there: P couples entries only within one pair of copies, and of these only the entries of one orbit or one block, so that
it is a direct sum of small projectors q q^H. Equal ones, wherever they occur, are one gather, one product and one scatter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import repcore as rc
from repcore_torch.tables import Tables

__all__ = ["Pool", "is_small", "pool_of"]

# Entries of one map up to which it is pooled: calls of operations are no longer what counts above. The indices of a pool take up
# to twice the memory of float32 weights.
_MOST = 2**16
# Multiplications an entry that a pooled projection may take; an orbit takes two.
_WORK = 64


@dataclass(frozen=True, eq=False)
class _Group:
    """Equal projectors on rows x (count, s): ``matrix`` is I - P (s, s), or q (s, r) with P = q q^H where it is ``low``."""

    index: Tensor
    size: int
    matrix: Tensor
    low: bool


@dataclass(frozen=True, eq=False)
class Pool:
    """(I - P) on maps that lie end to end, one dtype and device.

    ``free`` are the entries that any equivariant map may have as it likes: there the residual is zero. Entries in no group and
    not among ``free`` are zero in every equivariant map: there the residual is the weight.
    """

    free: Tensor | None
    groups: tuple[_Group, ...]

    def subtract(self, flat: Tensor) -> Tensor:
        """w -> w - P w, in place; (N,). Not under autocast, which would round."""
        for group in self.groups:
            x = flat.index_select(0, group.index).view(-1, group.size)
            y = x - (x @ group.matrix) @ group.matrix.mH if group.low else x @ group.matrix
            flat.index_copy_(0, group.index, y.view(-1))
        return flat if self.free is None else flat.masked_fill_(self.free, 0)


def is_small(tables: Tables, count: int) -> bool:
    """Whether ``count`` maps of a plan are better pooled than projected by themselves."""
    plan = tables.plan
    if plan.shape[0] * plan.shape[1] > _MOST or count * plan.shape[0] * plan.shape[1] > 4 * _MOST:
        return False
    return all(isinstance(b.structure, rc.Orbit) or min(_size(b), 2 * b.structure.dim) <= _WORK for b in plan.blocks)


def pool_of(parts: list[tuple[Tables, int]], dtype: torch.dtype, device: torch.device) -> Pool:
    """The pool of ``count`` maps of each plan, in this order."""
    free: list[np.ndarray] = []
    found: dict[tuple[int, bytes], tuple[np.ndarray, list[np.ndarray]]] = {}
    start = 0
    for tables, count in parts:
        rows, cols = tables.plan.shape
        places = start + rows * cols * np.arange(count)
        for entries, q in _projectors(tables):
            where = (places[:, None, None] + entries).reshape(-1, entries.shape[-1])
            if q.shape[0] == q.shape[1]:
                free.append(where.ravel())
            else:
                found.setdefault((len(q), q.tobytes()), (q, []))[1].append(where)
        start += rows * cols * count
    groups = []
    for q, indices in found.values():
        index = torch.from_numpy(np.concatenate(indices).ravel()).to(device)
        low = len(q) > max(2 * q.shape[1], 8)
        # Entries are rows x here, so that P x is (x conj(q)) q^T.
        matrix = torch.from_numpy(q.conj() if low else np.eye(len(q)) - q.conj() @ q.T).to(device, dtype)
        groups.append(_Group(index, len(q), matrix, low))
    # A mask, which is several times faster than indices. The lot has one more entry, which is 0 and of no map.
    mask = np.zeros(start + 1, bool)
    if free:
        mask[np.concatenate(free)] = True
    return Pool(torch.from_numpy(mask).to(device) if free else None, tuple(groups))


def _projectors(tables: Tables) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The projector of a map as a direct sum: entries (count, s) that have one q (s, r), orthonormal columns."""
    width = tables.plan.shape[1]
    for block in tables.plan.blocks:
        s = block.structure
        if not s.dim:
            continue
        # (pairs of copies, entries of a pair)
        entries = (block.rows[:, None, :, None] * width + block.cols[None, :, None, :]).reshape(-1, _size(block))
        if not isinstance(s, rc.Orbit):
            yield entries, s.q if isinstance(s, rc.Factor) else _columns(s, block)
            continue
        order = np.argsort(s.ids, kind="stable")
        order = order[s.ids[order] >= 0]
        members = np.split(order, np.flatnonzero(np.diff(s.ids[order])) + 1)
        alike: dict[bytes, list[np.ndarray]] = {}
        for m in members:
            alike.setdefault(s.values[m].tobytes(), []).append(m)
        for equal in alike.values():
            yield entries[:, np.stack(equal)].reshape(-1, len(equal[0])), s.values[equal[0]][:, None]


def _columns(structure: Any, block: Any) -> np.ndarray:
    """The orthonormal basis of a Schur block, (entries, k)."""
    columns = []
    start = 0
    for (m_y, _, d, _), t in zip(structure.parts, structure.turned, strict=True):
        u = structure.rows[:, start : start + m_y * d].reshape(-1, m_y, d)
        columns.append(np.einsum("yap,spx->yxas", u, t).reshape(_size(block), -1))
        start += m_y * d
    return np.concatenate(columns, 1)


def _size(block: Any) -> int:
    return block.rows.shape[1] * block.cols.shape[1]
