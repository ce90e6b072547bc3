"""`Together`: the weights of many small layers, E + gamma s N / ||N||, at the price of a few dozen operations for all of them.

All maps lie end to end in one vector, as in :mod:`repcore_torch.residuals`. An equivariant map of a monomial space, or of one
with one map a block, has one coefficient an entry, so that all of them are one gather. The gradient is written down:

    d/dgamma = <N, G> s / ||N||,    d/dM = (I - P)(c G) - c <N, G> / ||N||^2 N,    d/dtheta = B^T G + (gamma <N, G> / ||N||)
    ds/dtheta

for G = dJ/dW and c = gamma s / ||N||, with one gamma a layer or for rows that an equivariant map scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._utils import _flatten_dense_tensors
from torch.autograd import Function

import repcore as rc
from repcore_torch import sharded
from repcore_torch.branch import Branch, Layer
from repcore_torch.lots import Lot
from repcore_torch.residuals import is_small

__all__ = ["Together", "fits"]


def fits(layer: Layer) -> bool:
    """Whether the weights of a layer can be formed with others."""
    first = layer.branches[0].free
    for branch in layer.branches:
        tensor = branch.free
        if (tensor.dtype, tensor.device) != (first.dtype, first.device) or tensor.is_complex() or sharded.is_sharded(tensor):
            return False
        if (
            branch.rows.basis is not None
            or branch.projector.plan.is_complex
            or not is_small(branch.projector.tables, _maps(branch))
        ):
            return False
        if any(_gather(block.structure) is None for block in branch.projector.plan.blocks if block.structure.dim):
            return False
    return True


class Together:
    """Layers whose weights are formed together.

    Args:
        layers: that :func:`fits` says yes to, of one dtype on one device.
        starts: where the gammas of each begin in the vector of all gammas.
    """

    def __init__(self, layers: Sequence[Layer], starts: Sequence[int]) -> None:
        self.layers = list(layers)
        self.branches = [branch for layer in layers for branch in layer.branches]
        first = self.branches[0].free
        self.dtype, self.device = torch.promote_types(first.dtype, torch.float32), first.device
        projectors = [branch.projector for branch in self.branches]
        views = [branch.view for branch in self.branches]
        lot = Lot(range(len(self.branches)), views, projectors, self.dtype, self.device)
        self.lot, self.pool = lot, lot.pool
        # Every weight is small, so that the lot keeps the order.
        index, values, which, owner = _tables(self.layers, self.branches)
        self.index, self.values, self.which, self.owner = (
            t.to(self.device) for t in (index, values.to(self.dtype), which, owner)
        )
        self.count = sum(layer.count for layer in layers)
        places = [start + k for layer, start in zip(layers, starts, strict=True) for k in range(layer.count)]
        self.places = torch.tensor(places, device=self.device)
        of_gamma = [i for i, layer in enumerate(layers) for _ in range(layer.count)]
        self.of_gamma = torch.tensor(of_gamma, device=self.device)
        self.per_root = torch.tensor([layer.count**-0.5 for layer in layers], dtype=self.dtype, device=self.device)[self.of_gamma]
        self.dead = ~torch.cat([layer.live for layer in layers]).to(self.device)
        # The scale of each layer, where it is a number; elsewhere its norm counts.
        fixed = [layer.scale for layer in layers]
        self.fixed = torch.tensor([0.0 if s is None else s for s in fixed], dtype=self.dtype, device=self.device)
        self.is_fixed = torch.tensor([s is not None for s in fixed], device=self.device)
        self.all_fixed = all(s is not None for s in fixed)
        # With one gamma a layer its entries, and its coefficients, are a segment of all of them.
        self.is_plain = all(layer.count == 1 for layer in layers)
        entries, coefficients = self.which.bincount(minlength=self.count).tolist(), self.owner.bincount(minlength=len(layers))
        # The last entry, which is 0, is counted with the first layer.
        self.entries = [entries[0] - 1, *entries[1:]]
        self.coefficients = [coefficients[0].item() - 1, *coefficients[1:].tolist()]
        self.theta_sizes = [branch.projector.dim * _maps(branch) for branch in self.branches]

    def weights(self, gamma: Tensor) -> Sequence[Tensor]:
        """The weights of all branches for all gammas of the family."""
        thetas = [theta for layer in self.layers for theta in layer.thetas()]
        return _Weights.apply(self, gamma, *thetas, *(branch.free for branch in self.branches))

    def flat_theta(self, thetas: Sequence[Tensor]) -> Tensor:
        """All coefficients, and 0."""
        return self._flat(thetas)

    def flat_maps(self, tensors: Sequence[Tensor]) -> Tensor:
        """All maps end to end, and 0."""
        if not self.lot.all_plain:
            tensors = [view.read(t) for view, t in zip(self.lot.views, tensors, strict=True)]
        return self._flat(tensors)

    def written(self, flat: Tensor, dtype: torch.dtype) -> list[Tensor]:
        """The weights in their shapes."""
        return self.lot.written(flat, [], [dtype] * len(self.branches))

    def sizes(self, theta: Tensor) -> Tensor:
        """s of each layer."""
        if self.all_fixed:
            return self.fixed
        squares = torch.stack([torch.dot(t, t) for t in theta[:-1].split(self.coefficients)])
        return torch.where(self.is_fixed, self.fixed, squares.sqrt_())

    def products(self, a: Tensor, b: Tensor) -> Tensor:
        """<a, b> within each gamma."""
        if self.is_plain:
            pairs = zip(a[:-1].split(self.entries), b[:-1].split(self.entries), strict=True)
            return torch.stack([torch.dot(x, y) for x, y in pairs])
        return a.new_zeros(self.count).index_add_(0, self.which, a * b)

    def added(self, flat: Tensor, numbers: Tensor, others: Tensor) -> Tensor:
        """flat + numbers * others, with the number of each gamma."""
        if not self.is_plain:
            return torch.addcmul(flat, numbers.index_select(0, self.which), others)
        out = torch.empty_like(flat)
        out[-1:] = 0
        each = zip(*(t[:-1].split(self.entries) for t in (out, flat, others)), numbers.unbind(), strict=True)
        for mine, x, y, number in each:
            torch.addcmul(x, y, number, out=mine)
        return out

    def times(self, flat: Tensor, numbers: Tensor) -> Tensor:
        """numbers * flat, in place."""
        if not self.is_plain:
            return flat.mul_(numbers.index_select(0, self.which))
        for mine, number in zip(flat[:-1].split(self.entries), numbers.unbind(), strict=True):
            mine.mul_(number)
        return flat

    def pulled(self, flat: Tensor, numbers: Tensor, theta: Tensor) -> Tensor:
        """flat + numbers * theta, with the number of each layer, in place."""
        for mine, x, number in zip(
            flat[:-1].split(self.coefficients), theta[:-1].split(self.coefficients), numbers.unbind(), strict=True
        ):
            mine.addcmul_(x, number)
        return flat

    def _flat(self, tensors: Sequence[Tensor]) -> Tensor:
        flat = _flatten_dense_tensors([*tensors, self.lot.zero.to(tensors[0].dtype)])
        return flat if flat.dtype == self.dtype else flat.to(self.dtype)


class _Weights(Function):
    """E + gamma s N / ||N|| for all branches of a :class:`Together`."""

    @staticmethod
    def forward(ctx: Any, lot: Together, gamma: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(lot.device.type, enabled=False):
            count = len(lot.branches)
            theta = lot.flat_theta(tensors[:count])
            N = lot.pool.subtract(lot.flat_maps(tensors[count:]))
            squares = lot.products(N, N)
            inverse = squares.rsqrt().masked_fill_(lot.dead | (squares == 0), 0)
            mine = gamma.to(lot.device, lot.dtype).index_select(0, lot.places)
            size = lot.sizes(theta)
            unit = inverse * size.index_select(0, lot.of_gamma) * lot.per_root
            share = mine * unit
            E = theta.index_select(0, lot.index).mul_(lot.values)
            flat = lot.added(E, share, N)
            if lot.device.type != "cpu" or not share.all():
                # Where gamma is 0 the weight is E, bit by bit: adding 0 would turn -0 into 0.
                flat = torch.where(share.index_select(0, lot.which) == 0, E, flat)
            ctx.lot, ctx.dtype, ctx.gamma_like = lot, tensors[count].dtype, gamma
            ctx.saved = (theta, N, inverse, mine, size, unit, share)
            ctx.save_for_backward(gamma, *tensors)
            return tuple(lot.written(flat, ctx.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        lot: Together = ctx.lot
        if torch.is_grad_enabled():
            return None, *_again(ctx, grads)
        with torch.autocast(lot.device.type, enabled=False):
            theta, N, inverse, mine, size, unit, share = ctx.saved
            G = lot.flat_maps(grads)
            along = lot.products(N, G)
            of_gamma = along * unit
            needed = ctx.needs_input_grad
            found: list[Any] = [None] * (2 * len(lot.branches))
            if any(needed[2:]):
                of_theta = theta.new_zeros(theta.shape).index_add_(0, lot.index, G * lot.values)
                if not lot.all_fixed:
                    of_size = size.new_zeros(size.shape).index_add_(0, lot.of_gamma, mine * along * inverse * lot.per_root)
                    pull = torch.where(lot.is_fixed | (size == 0), 0, of_size / size)
                    of_theta = lot.pulled(of_theta, pull, theta)
                of_free = lot.added(lot.pool.subtract(lot.times(G, share)), -(share * along * inverse * inverse), N)
                pieces = of_theta.split([*lot.theta_sizes, 1])[:-1]
                shaped = [p.view((*b.view.batch, b.projector.dim)) for p, b in zip(pieces, lot.branches, strict=True)]
                found = [p.to(ctx.dtype) for p in shaped] + lot.written(of_free, ctx.dtype)
                found = [f if n else None for f, n in zip(found, needed[2:], strict=True)]
            like = ctx.gamma_like
            whole = like.new_zeros(like.shape).index_add_(0, lot.places.to(like.device), of_gamma.to(like)) if needed[1] else None
            return None, whole, *found


def _again(ctx: Any, grads: Sequence[Tensor]) -> list[Any]:
    """Gradients that can be differentiated: the same weights by differentiable operations."""
    lot: Together = ctx.lot
    gamma, *tensors = ctx.saved_tensors
    thetas, free = tensors[: len(lot.branches)], tensors[len(lot.branches) :]
    places, outputs, at = lot.places.to(gamma.device), [], 0
    start = 0
    for layer in lot.layers:
        count = len(layer.branches)
        mine = gamma.index_select(0, places[start : start + layer.count])
        with _replaced(layer, thetas[at : at + count], free[at : at + count]):
            outputs += layer.weights(mine)
        at, start = at + count, start + layer.count
    inputs = [t for t, n in zip((gamma, *tensors), ctx.needs_input_grad[1:], strict=True) if n]
    pairs = [(w, g) for w, g in zip(outputs, grads, strict=True)]
    found = iter(
        torch.autograd.grad(
            [w for w, _ in pairs], inputs, [g.to(w.dtype) for w, g in pairs], create_graph=True, allow_unused=True
        )
    )
    return [next(found) if n else None for n in ctx.needs_input_grad[1:]]


def _replaced(layer: Layer, thetas: Sequence[Tensor], free: Sequence[Tensor]) -> Any:
    """Evaluate a layer with other tensors."""
    from contextlib import ExitStack

    stack = ExitStack()
    for (module, name), branch, theta, M in zip(layer.places, layer.branches, thetas, free, strict=True):
        chain: Any = module.parametrizations
        stack.enter_context(_Swapped(chain[name], "original", theta))
        stack.enter_context(_Swapped(branch, "free", M))
    return stack


class _Swapped:
    def __init__(self, module: Any, name: str, tensor: Tensor) -> None:
        self.module, self.name, self.tensor = module, name, tensor

    def __enter__(self) -> None:
        self.before = self.module._parameters[self.name]
        self.module._parameters[self.name] = self.tensor

    def __exit__(self, *_: Any) -> None:
        self.module._parameters[self.name] = self.before


def _maps(branch: Branch) -> int:
    return int(np.prod(branch.view.batch, dtype=int))


def _gather(structure: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """The coefficient of each entry of a block and its factor, if there is at most one."""
    if isinstance(structure, rc.Orbit):
        return np.maximum(structure.ids, 0), np.where(structure.ids < 0, 0, structure.values)
    if isinstance(structure, rc.Factor) and ((structure.q != 0).sum(1) <= 1).all():
        ids = abs(structure.q).argmax(1)
        return ids, structure.q[np.arange(len(ids)), ids]
    return None


def _tables(layers: Sequence[Layer], branches: Sequence[Branch]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each entry its coefficient, factor and gamma, and of each coefficient its layer; all with one more that is 0."""
    index, values, which, owner = [], [], [], []
    first, start = 0, 0
    total = sum(branch.projector.dim * _maps(branch) for branch in branches)
    for number, layer in enumerate(layers):
        for branch in layer.branches:
            plan, count = branch.projector.plan, _maps(branch)
            rows, cols = plan.shape
            places, factors = np.full((rows, cols), -1), np.zeros((rows, cols))
            for block in plan.blocks:
                found = _gather(block.structure)
                if not block.structure.dim or found is None:
                    continue
                ids, factor = found
                where = np.broadcast_arrays(block.rows[:, None, :, None], block.cols[None, :, None, :])
                shape = (len(block.rows), len(block.cols), *where[0].shape[2:])
                places[where] = block.order[:, :, ids].reshape(shape)
                factors[where] = np.broadcast_to(factor, (*shape[:2], len(factor))).reshape(shape)
            for k in range(count):
                index.append(np.where(places.ravel() < 0, total, start + k * plan.dim + places.ravel()))
                values.append(factors.ravel())
                which.append(first + np.repeat(branch.rows.index.numpy(), cols))
            owner.append(np.full(plan.dim * count, number))
            start += plan.dim * count
        first += layer.count
    return (
        torch.from_numpy(np.concatenate([*index, [total]]).astype(np.int64)),
        torch.from_numpy(np.concatenate([*values, [0.0]])),
        torch.from_numpy(np.concatenate([*which, [0]]).astype(np.int64)),
        torch.from_numpy(np.concatenate([*owner, [0]]).astype(np.int64)),
    )
