"""`Lot`: the penalised weights of one dtype on one device, measured together: values, and gradients in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

from repcore_torch import maps
from repcore_torch.norms import norm_of_ones
from repcore_torch.projector import Projector
from repcore_torch.residuals import is_small, pool_of

__all__ = ["Lot", "Measured", "Stack", "iterate", "lengths", "mix_", "stacks", "start"]

# Operations on lists of tensors, which torch names with an underscore.
_LISTS: Any = torch


class Measured:
    """R = W - P W of every weight of a lot, and W where it is wanted; small weights are pieces of ``flat``."""

    def __init__(self, lot: Lot, flat: Tensor, wide: list[Tensor], before: list[Tensor]) -> None:
        self.lot, self.flat, self.wide, self.before = lot, flat, wide, before

    @cached_property
    def pieces(self) -> list[Tensor]:
        """The R of single maps as vectors, in the order of the maps of the lot."""
        return self.lot.cut(self.flat, self.wide)

    def inside(self) -> list[Tensor]:
        """P W of single maps, where W was kept."""
        return list(_LISTS._foreach_sub(self.before, self.pieces))


class Lot:
    """Weights whose maps are measured together.

    Args:
        numbers: of the sites.
        views: how each weight is read as maps.
        projectors: of the sites.
        dtype: that the arithmetic runs in.
        device: where.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        views: Sequence[Any],
        projectors: Sequence[Projector],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        counts = [_count(view) for view in views]
        small = [is_small(p.tables, n) for p, n in zip(projectors, counts, strict=True)]
        order = sorted(range(len(numbers)), key=lambda i: not small[i])
        self.numbers = [numbers[i] for i in order]
        self.views = [views[i] for i in order]
        self.projectors = [projectors[i] for i in order]
        self.counts = [counts[i] for i in order]
        self.small = sum(small)
        self.dtype, self.device = dtype, device
        self.tables = [p.tables.on(dtype, device) for p in self.projectors[self.small :]]
        near = list(zip(self.projectors, self.counts, strict=True))[: self.small]
        self.pool = pool_of([(p.tables, n) for p, n in near], dtype, device)
        # The maps in the flat vector, and its last entry, which is 0.
        self.sizes = [p.shape[0] * p.shape[1] for p, n in near for _ in range(n)] + [1]
        self.shapes = [p.shape for p, n in zip(self.projectors, self.counts, strict=True) for _ in range(n)]
        # The site of each map, by its place in the lot.
        self.owner = [i for i, n in enumerate(self.counts) for _ in range(n)]
        self.all_plain = all(view.is_plain for view in self.views[: self.small])
        self.zero = torch.zeros(1, dtype=dtype, device=device)
        self.one = torch.ones((), dtype=dtype.to_real(), device=device)
        # The shapes in which the flat vector is cut up; no memory.
        shapes = [
            view.shape if self.all_plain else (*view.batch, *p.shape) for view, (p, _) in zip(self.views, near, strict=False)
        ]
        self.like = [self.zero.expand(shape) for shape in [*shapes, (1,)]]
        self._scale_of: Tensor | None = None

    def measure(self, tensors: Sequence[Tensor], keep: bool = False) -> Measured:
        """R of each weight; ``keep`` the weights as well. No gradient flows."""
        near = tensors[: self.small]
        if not self.all_plain:
            near = [view.read(t) for view, t in zip(self.views, near, strict=False)]
        # One call for what would be one reshape a weight.
        flat = _flatten_dense_tensors([*near, self.zero])
        if flat.dtype != self.dtype:
            flat = flat.to(self.dtype)
        far = [self._maps(i, tensors[i]) for i in range(self.small, len(tensors))]
        before = self.cut(flat.clone(), far) if keep else []
        wide = [W - maps.project(W, table) for W, table in zip(far, self.tables, strict=True)]
        return Measured(self, self.pool.subtract(flat), wide, before)

    def cut(self, flat: Tensor, wide: Sequence[Tensor]) -> list[Tensor]:
        """Single maps as vectors."""
        return [*flat.split(self.sizes)[:-1], *(m for W in wide for m in W.reshape(-1, W.shape[-2] * W.shape[-1]).unbind(0))]

    def complement(self, flat: Tensor, wide: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """(I - P) of other matrices in the same places; changes ``flat``."""
        return self.pool.subtract(flat), [G - maps.project(G, table) for G, table in zip(wide, self.tables, strict=True)]

    def written(self, flat: Tensor, wide: Sequence[Tensor], dtypes: Sequence[torch.dtype]) -> list[Tensor]:
        """What stands in the places of the weights, in their shapes and these dtypes."""
        if any(dtype != self.dtype for dtype in dtypes) and len(set(dtypes)) == 1:
            flat = flat.to(dtypes[0])
        out = list(_unflatten_dense_tensors(flat, self.like)[:-1])
        if not self.all_plain:
            out = [view.write(piece) for piece, view in zip(out, self.views, strict=False)]
        out += [view.write(W) for view, W in zip(self.views[self.small :], wide, strict=True)]
        return [t if t.dtype == dtype else t.to(dtype) for t, dtype in zip(out, dtypes, strict=True)]

    def scaled(self, flat: Tensor, wide: Sequence[Tensor], numbers: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Each map times its number; () for all alike."""
        if not numbers.ndim:
            return flat * numbers, [W * numbers for W in wide]
        if self._scale_of is None:
            sizes = torch.tensor(self.sizes, device=self.device)
            owner = torch.arange(len(self.sizes), device=self.device)
            # The last entry is 0, whatever it is multiplied by.
            self._scale_of = owner.clamp(max=max(len(self.sizes) - 2, 0)).repeat_interleave(sizes, output_size=sum(self.sizes))
        first, out = len(self.sizes) - 1, []
        for W in wide:
            out.append(W * numbers[first : first + len(W), None, None])
            first += len(W)
        return flat * numbers.index_select(0, self._scale_of), out

    def ones(self, norm: Any) -> list[float]:
        """The norm of the matrix of ones in the shape of each map."""
        return [norm_of_ones(norm, shape) for shape in self.shapes]

    def _maps(self, i: int, tensor: Tensor) -> Tensor:
        shape = (self.counts[i], *self.projectors[i].shape)
        return self.views[i].read(tensor).reshape(shape).to(self.dtype)


class Stack:
    """Small maps of a lot as one stack of matrices, padded with zeros to a common size, with a vector for each.

    Args:
        lot: the lot.
        chosen: numbers of maps.
    """

    def __init__(self, lot: Lot, chosen: Sequence[int]) -> None:
        self.chosen = list(chosen)
        starts = [0]
        for size in lot.sizes[:-1]:
            starts.append(starts[-1] + size)
        end, device = starts[-1], lot.device
        rows, cols = (max(lot.shapes[k][axis] for k in chosen) for axis in (0, 1))
        self.place = torch.full((len(self.chosen), rows, cols), end, dtype=torch.int64, device=device)
        for j, k in enumerate(self.chosen):
            n, m = lot.shapes[k]
            self.place[j, :n, :m] = starts[k] + torch.arange(n * m, device=device).view(n, m)
        self.flat_place = self.place.view(-1)
        self.index = torch.tensor(self.chosen, device=device)
        self.widths = [lot.shapes[k][1] for k in self.chosen]

    def read(self, flat: Tensor) -> Tensor:
        """(maps, rows, cols)."""
        return flat.index_select(0, self.flat_place).view(self.place.shape)

    def add(self, flat: Tensor, stack: Tensor) -> None:
        """Put a stack, whose padding is zero, into its places."""
        flat.index_copy_(0, self.flat_place, stack.reshape(-1))


def stacks(lot: Lot, chosen: Sequence[int]) -> list[Stack]:
    """Maps in stacks of which at least about a quarter is no padding."""
    rest = sorted(chosen, key=lambda k: -lot.shapes[k][0] * lot.shapes[k][1])
    out: list[list[int]] = []
    for k in rest:
        n, m = lot.shapes[k]
        for group in out:
            rows = max(n, *(lot.shapes[j][0] for j in group))
            cols = max(m, *(lot.shapes[j][1] for j in group))
            held = n * m + sum(lot.shapes[j][0] * lot.shapes[j][1] for j in group)
            if rows * cols * (len(group) + 1) <= 2 * held + 4096:
                group.append(k)
                break
        else:
            out.append([k])
    return [Stack(lot, sorted(group)) for group in out]


def lengths(pieces: Sequence[Tensor]) -> Tensor:
    """The norm of each vector, (maps,)."""
    return torch.stack(_LISTS._foreach_norm(pieces))


def mix_(pieces: list[Tensor], alpha: Tensor, others: list[Tensor], beta: Tensor) -> None:
    """p -> alpha p + beta o for each vector, in place; overwrites the others."""
    _LISTS._foreach_mul_(pieces, list(alpha.unbind()))
    _LISTS._foreach_mul_(others, list(beta.unbind()))
    _LISTS._foreach_add_(pieces, others)


def iterate(M: Tensor, v: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Power iteration on a stack from v (maps, cols, 1): the value t (maps,), u, and the next v; see :class:`SpectralState`."""
    adjoint = M.mH
    for _ in range(steps - 1):
        v = _unit(adjoint @ (M @ v), v)[1]
    u = _unit(M @ v, None)[1]
    t, new = _unit(adjoint @ u, v)
    return t[:, 0, 0], u, new


def start(M: Tensor) -> Tensor:
    """Fixed unit vectors in general position, (maps, cols, 1)."""
    n = M.shape[-1]
    v = (torch.arange(1, n + 1, dtype=torch.float64, device=M.device) * 0.6180339887498949).frac() - 0.4142135623730951
    return (v / v.norm()).to(M.dtype).expand(M.shape[0], n).unsqueeze(-1)


def _unit(x: Tensor, other: Tensor | None) -> tuple[Tensor, Tensor]:
    """The length of each column and the column of length 1; for the zero column zero, or the other one."""
    size = torch.linalg.vector_norm(x, dim=-2, keepdim=True)
    tiny = torch.finfo(size.dtype).tiny
    unit = x / size.clamp(min=tiny)
    return size, unit if other is None else torch.where(size > 0, unit, other)


def _count(view: Any) -> int:
    out = 1
    for n in view.batch:
        out *= n
    return out
