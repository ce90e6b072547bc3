"""The levels of a space of maps as torch tensors, one table per (dtype, device), and the filter that multiplies each by a gain.

A filter with real gains is its own adjoint: a backward pass is the filter once more, and keeps nothing of the forward pass.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.projector import Projector, projector_of

__all__ = ["Levels", "levels_of"]


@dataclass(frozen=True, eq=False)
class _Cells:
    """Entries of t that a change of basis q splits into levels, see :class:`repcore.Cells`; ``sizes``: (cells, m, n)."""

    sizes: tuple[int, int, int]
    q: Tensor
    ids: Tensor

    def filtered(self, t: Tensor, gains: Tensor) -> Tensor:
        """(..., cells * m * n) -> the same."""
        x = t.reshape(*t.shape[:-1], *self.sizes) @ self.q
        return ((x * gains[self.ids][:, None, :]) @ self.q.mH).reshape(t.shape)


@dataclass(frozen=True, eq=False)
class _Block:
    """One pair of distinct summands, see :class:`repcore.SpectralBlock`.

    ``order`` brings the entries that have a level of their own to the front, then those of each of ``cells``, and ``inverse``
    brings them back; both None where there are no cells.
    """

    sizes: tuple[int, int, int, int]
    rows: Tensor | None
    cols: Tensor | None
    left: Tensor | None
    right: Tensor | None
    ids: Tensor
    cells: tuple[_Cells, ...]
    order: Tensor | None
    inverse: Tensor | None

    def filtered(self, w: Tensor, gains: Tensor) -> Tensor:
        """The block of (..., dim Y, dim X), filtered, (..., n * dim W, m * dim V)."""
        n, down, m, across = self.sizes
        batch = w.shape[:-2]
        tile = w if self.rows is None else w[..., self.rows[:, None], self.cols]
        t = tile.reshape(*batch, n, down, m, across)
        if self.right is not None:
            t = t @ self.right
        if self.left is not None:
            t = (self.left.mH @ t.reshape(*batch, n, down, m * across)).reshape(t.shape)
        if self.order is None or self.inverse is None:
            t = t * gains[self.ids].reshape(down, 1, across)
        else:
            flat = t.transpose(-3, -2).reshape(*batch, n, m, down * across).index_select(-1, self.order)
            start = self.ids.numel()
            parts = [flat[..., :start] * gains[self.ids]]
            for cell in self.cells:
                stop = start + cell.sizes[0] * cell.sizes[1] * cell.sizes[2]
                parts.append(cell.filtered(flat[..., start:stop], gains))
                start = stop
            flat = torch.cat(parts, -1).index_select(-1, self.inverse)
            t = flat.reshape(*batch, n, m, down, across).transpose(-3, -2)
        if self.left is not None:
            t = (self.left @ t.reshape(*batch, n, down, m * across)).reshape(t.shape)
        if self.right is not None:
            t = t @ self.right.mH
        return t.reshape(*batch, n * down, m * across)


@dataclass(frozen=True, eq=False)
class _Table:
    """All blocks in one dtype on one device. ``inverse`` puts their entries in place; None for one whole block."""

    blocks: tuple[_Block, ...]
    inverse: Tensor | None

    def filtered(self, w: Tensor, gains: Tensor) -> Tensor:
        """sum_l gain_l P_l W."""
        done = [block.filtered(w, gains) for block in self.blocks]
        if self.inverse is None:
            return done[0]
        flat = torch.cat([x.reshape(*x.shape[:-2], -1) for x in done], -1)
        return flat.index_select(-1, self.inverse).reshape(w.shape)


class Levels:
    """A filter's levels, ready to run; the same object for equal levels. Made by :func:`levels_of`.

    Attributes:
        plan: the ``repcore.SpectralPlan``; None where only a plan of the equivariant maps is known, which makes two levels: these
            maps, and all that is orthogonal to them.
        source: the space, or that plan.
        shape: (dim Y, dim X).
        values: (levels,) singular values of the constraint; [0, 1] where there are only two levels without a measure.
        multiplicities: (levels,) dimensions.
        is_complex: whether the scalars are complex.
        digest: names the levels.
    """

    def __init__(self, source: Any, plan: Any = None) -> None:
        self.source, self.plan = source, plan
        self._tables: dict[tuple[torch.dtype, torch.device], _Table] = {}
        if plan is not None:
            self.shape, self.is_complex, self.digest = plan.shape, plan.is_complex, plan.digest
            self.values, self.multiplicities = plan.values, plan.multiplicities
        else:
            size = source.shape[0] * source.shape[1]
            self.shape, self.is_complex = source.shape, source.is_complex
            self.values, self.multiplicities = np.array([0.0, 1.0]), np.array([source.dim, size - source.dim])
            self.digest = hashlib.sha256(f"two levels, {source.digest}".encode()).hexdigest()

    @property
    def projector(self) -> Projector:
        """The projector onto the equivariant maps."""
        return projector_of(self.source)

    def filtered(self, w: Tensor, gains: Tensor) -> Tensor:
        """sum_l gain_l P_l W on (..., dim Y, dim X), in its dtype; differentiable in both."""
        if self.plan is None:
            gains = gains.to(w.dtype)
            return gains[1] * w + (gains[0] - gains[1]) * self.projector(w)
        wide = torch.promote_types(w.dtype, torch.float32)
        wide = torch.promote_types(wide, torch.complex64) if self.is_complex else wide
        table = self.on(wide, w.device)
        x, gains = w.to(wide), gains.to(device=w.device, dtype=wide.to_real())
        if gains.requires_grad or torch.compiler.is_compiling():
            out = _run(x, gains, table)
        else:
            out = _Filter.apply(x, gains, table)
        return out if self.is_complex and not w.is_complex() else out.to(w.dtype)

    def on(self, dtype: torch.dtype, device: torch.device) -> _Table:
        """The table for a working dtype and a device, cast once from float64."""
        found = self._tables.get((dtype, device))
        if found is None:
            with torch.inference_mode(False):
                found = _table(self.plan, dtype, device)
            if not torch.compiler.is_compiling():
                self._tables[dtype, device] = found
        return found

    def __copy__(self) -> Levels:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Levels:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _shared, (self.source, self.plan)


def levels_of(space: Any, construction: str = "auto") -> Levels:
    """The levels of a space, a basis or a filter; of a plan the two that it knows of.

    Raises:
        IncompatibleError: none of these, or no levels can be made: see ``repcore.soften``.
    """
    if isinstance(space, Levels):
        return space
    if isinstance(space, Projector):
        space = space.source
    if isinstance(space, rc.Plan):
        return _shared(space, None)
    soft = space if isinstance(space, rc.Soft) else rc.soften(space, keep=1, construction=construction)
    return _shared(soft.space, soft.plan)


def _shared(source: Any, plan: Any) -> Levels:
    key = (source.digest, None if plan is None else plan.digest)
    found = _SHARED.get(key)
    if found is None:
        found = _SHARED[key] = Levels(source, plan)
    return found


_SHARED: WeakValueDictionary[tuple[Any, ...], Levels] = WeakValueDictionary()


def _run(w: Tensor, gains: Tensor, table: _Table) -> Tensor:
    if w.device.type == "meta":  # there is no autocast for it
        return table.filtered(w, gains)
    with torch.autocast(w.device.type, enabled=False):
        return table.filtered(w, gains)


class _Filter(Function):
    """A filter with fixed gains: its own adjoint and its own derivative, and under vmap it takes one more leading dim."""

    @staticmethod
    def forward(w: Tensor, gains: Tensor, table: _Table) -> Tensor:
        return _run(w, gains, table)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, _Table], output: Tensor) -> None:
        _, ctx.gains, ctx.table = inputs
        if ctx.gains._version:
            # A schedule changes the gains in place, perhaps before the backward pass.
            ctx.gains = ctx.gains.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Filter.apply(grad, ctx.gains, ctx.table), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return _Filter.apply(tangent, ctx.gains, ctx.table)

    @staticmethod
    def vmap(info: Any, dims: tuple[int | None, ...], w: Tensor, gains: Tensor, table: _Table) -> tuple[Tensor, int]:
        if dims[1] is not None:
            raise IncompatibleError("gains: vmap over gains needs gains that require a gradient; map over the weights")
        return _Filter.apply(w.movedim(dims[0] or 0, 0), gains, table), 0


def _table(plan: Any, dtype: torch.dtype, device: torch.device) -> _Table:
    blocks = tuple(_block(b, plan.shape, dtype, device) for b in plan.blocks)
    if len(blocks) == 1 and blocks[0].rows is None:
        return _Table(blocks, None)
    places = [(b.rows.ravel()[:, None] * plan.shape[1] + b.cols.ravel()).ravel() for b in plan.blocks]
    flat = np.concatenate([np.zeros(0, np.int64), *places])
    return _Table(blocks, _index(np.argsort(flat), device))


def _block(b: Any, shape: tuple[int, int], dtype: torch.dtype, device: torch.device) -> _Block:
    def real(array: Any) -> Tensor | None:
        return None if array is None else torch.tensor(np.ascontiguousarray(array), device=device).to(dtype)

    ids = b.ids.ravel()
    live = np.flatnonzero(ids >= 0)
    cells, order, inverse = (), None, None
    if b.cells:
        cells = tuple(_Cells(c.at.shape, torch.tensor(c.q, device=device).to(dtype), _index(c.ids, device)) for c in b.cells)
        places = np.concatenate([live, *(c.at.ravel() for c in b.cells)])
        order, inverse = _index(places, device), _index(np.argsort(places), device)
    whole = all(np.array_equal(at.ravel(), np.arange(size)) for at, size in zip((b.rows, b.cols), shape, strict=True))
    rows, cols = (None, None) if whole else (_index(b.rows.ravel(), device), _index(b.cols.ravel(), device))
    sizes = (*b.rows.shape, *b.cols.shape)
    return _Block(sizes, rows, cols, real(b.left), real(b.right), _index(ids[live], device), cells, order, inverse)


def _index(array: Any, device: torch.device) -> Tensor:
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.int64, device=device)
