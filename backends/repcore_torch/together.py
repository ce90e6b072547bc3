"""`Together`: the weights of many small layers, E + gamma s N / ||N||, at the price of a few dozen operations for all of them.

All weights lie in one matrix, see :class:`Segments`. An equivariant map of a monomial space, or of one with one map a block, has
one coefficient an entry: B theta is one gather, and B^T W a gather and a product for each kind of orbit, so that with
phi = B^T M the rest is N = M - B phi. The gradient is written down:

    d/dgamma = <N, G> s / ||N||,    d/dM = c ((G - B B^T G) - <N, G> / ||N||^2 N),
    d/dtheta = B^T G + (gamma <N, G> / ||N||) ds/dtheta

for G = dJ/dW and c = gamma s / ||N||, with one gamma a layer or for rows that an equivariant map scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

import repcore as rc
from repcore_torch import sharded
from repcore_torch.branch import Branch, Layer
from repcore_torch.residuals import is_small
from repcore_torch.segments import Segments

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
        total: the number of all gammas.
    """

    def __init__(self, layers: Sequence[Layer], starts: Sequence[int], total: int) -> None:
        self.layers = list(layers)
        self.branches = [branch for layer in layers for branch in layer.branches]
        first = self.branches[0].free
        self.dtype, self.device = dtype, device = torch.promote_types(first.dtype, torch.float32), first.device
        self.is_plain = all(layer.count == 1 for layer in layers)
        self.thetas = Segments([[(*b.view.batch, b.projector.dim) for b in x.branches] for x in layers], dtype, device)
        count = sum(layer.count for layer in layers)
        owners = None if self.is_plain else (_gamma_of(layers), count)
        self.entries = Segments([[b.view.shape for b in layer.branches] for layer in layers], dtype, device, owners)
        self._place(*_tables(self.branches, self.thetas, self.entries))
        places = [start + k for layer, start in zip(layers, starts, strict=True) for k in range(layer.count)]
        self.places = None if places == list(range(total)) else torch.tensor(places, device=device)
        self.of_gamma = torch.tensor([i for i, layer in enumerate(layers) for _ in range(layer.count)], device=device)
        self.per_root = torch.tensor([layer.count**-0.5 for layer in layers], dtype=dtype, device=device)[self.of_gamma]
        # Squares of norms up to which there is nothing: 0, or any where what is left of an equivariant weight is rounding.
        live = torch.cat([layer.live for layer in layers]).to(device)
        self.floor = torch.where(live, 0.0, torch.inf).to(dtype)
        # The scale of each layer, where it is a number; elsewhere its norm counts.
        scales = [layer.scale for layer in layers]
        self.fixed = torch.tensor([0.0 if s is None else s for s in scales], dtype=dtype, device=device)
        self.is_fixed = torch.tensor([s is not None for s in scales], device=device)
        self.all_fixed, self.any_fixed = (f(s is not None for s in scales) for f in (all, any))
        self.zero = torch.zeros(1, dtype=dtype, device=device)
        self.tiny = torch.finfo(dtype).tiny
        # Whether a backward pass is for gamma alone.
        self.only_gamma = False

    def _place(self, index: np.ndarray, values: np.ndarray) -> None:
        """The tables of B, from the coefficient of each entry and its factor."""
        device = self.device
        self.index = torch.from_numpy(index).to(device)
        self.values = torch.from_numpy(values).to(device, self.dtype).view(self.entries.rows, -1)
        held = np.flatnonzero(values)
        held = held[np.argsort(index[held], kind="stable")]
        orbits = np.split(held, np.flatnonzero(np.diff(index[held])) + 1) if len(held) else []
        kinds: dict[int, list[np.ndarray]] = {}
        for orbit in orbits:
            kinds.setdefault(len(orbit), []).append(orbit)
        self.kinds: list[tuple[Tensor, int, Tensor | None]] = []
        order, start = np.full(self.thetas.size, len(orbits)), 0
        for size, alike in kinds.items():
            members = np.stack(alike)
            q = values[members]
            # Mostly one vector for all, and often ones for entries that are free.
            q = q[0] if (q == q[0]).all() else q
            factors = None if size == 1 and (q == 1).all() else torch.from_numpy(q).to(device, self.dtype)
            self.kinds.append((torch.from_numpy(members.ravel()).to(device), size, factors))
            order[index[members[:, 0]]] = start + np.arange(len(alike))
            start += len(alike)
        self.order = torch.from_numpy(order).to(device)

    def weights(self, gamma: Tensor) -> Sequence[Tensor]:
        """The weights of all branches for all gammas of the family."""
        thetas = [theta for layer in self.layers for theta in layer.thetas()]
        return _Weights.apply(self, gamma, *thetas, *(b._parameters["free"] for b in self.branches))

    def expand(self, theta: Tensor) -> Tensor:
        """B theta."""
        return theta.view(-1).index_select(0, self.index).view(self.values.shape).mul_(self.values)

    def coefficients(self, W: Tensor) -> Tensor:
        """B^T W."""
        flat, parts = W.view(-1), []
        for index, size, factors in self.kinds:
            x = flat.index_select(0, index)
            if factors is not None:
                x = x.view(-1, size)
                x = torch.mv(x, factors) if factors.ndim == 1 else (x * factors).sum(1)
            parts.append(x)
        return torch.cat([*parts, self.zero]).index_select(0, self.order).view(self.thetas.rows, -1)

    def rest(self, W: Tensor, theta: Tensor) -> Tensor:
        """W - B theta."""
        return torch.addcmul(W, theta.view(-1).index_select(0, self.index).view(W.shape), self.values, value=-1)

    def mine(self, gamma: Tensor) -> Tensor:
        """The gammas of these layers, of all."""
        gamma = gamma.to(self.device, self.dtype)
        return gamma if self.places is None else gamma.index_select(0, self.places)

    def sizes(self, squares: Tensor) -> Tensor:
        """s of each layer, from the squares of the norms of its coefficients."""
        return squares.sqrt() if not self.any_fixed else torch.where(self.is_fixed, self.fixed, squares.sqrt())


class _Weights(Function):
    """E + gamma s N / ||N|| for all branches of a :class:`Together`."""

    @staticmethod
    def forward(ctx: Any, lot: Together, gamma: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(lot.device.type, enabled=False):
            count = len(lot.branches)
            theta, M = lot.thetas.joined(tensors[:count]), lot.entries.joined(tensors[count:])
            N = lot.rest(M, lot.coefficients(M))
            squares, lengths = lot.entries.sums(N * N), lot.thetas.sums(theta * theta)
            inverse = squares.rsqrt().masked_fill_(squares <= lot.floor, 0)
            size = lot.sizes(lengths)
            unit = inverse * size if lot.is_plain else inverse * size.index_select(0, lot.of_gamma) * lot.per_root
            share = lot.mine(gamma) * unit
            rows, flat = lot.entries.spread(share), lot.expand(theta)
            # Where gamma is 0 the weight is E, bit by bit: adding 0 would turn -0 into 0.
            held = "some" if lot.device.type != "cpu" else _how_many(share)
            if held != "none":
                E, flat = flat, torch.addcmul(flat, rows, N)
                flat = torch.where(rows == 0, E, flat) if held == "some" else flat
            ctx.lot, ctx.dtype, ctx.gamma_like = lot, tensors[count].dtype, gamma
            ctx.saved = (theta, N, inverse, lengths, unit, share, rows if held != "none" else None)
            ctx.save_for_backward(gamma, *tensors)
            return tuple(lot.entries.cut(flat if flat.dtype == ctx.dtype else flat.to(ctx.dtype)))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        lot: Together = ctx.lot
        if torch.is_grad_enabled():
            return None, *_again(ctx, grads)
        with torch.autocast(lot.device.type, enabled=False):
            theta, N, inverse, lengths, unit, share, rows = ctx.saved
            G = lot.entries.joined(grads)
            along = lot.entries.sums(N * G)
            needed, found = ctx.needs_input_grad, [None] * (2 * len(lot.branches))
            if any(needed[2:]) and not lot.only_gamma:
                found = _pulled(lot, G, theta, N, along, inverse, lengths, share, rows)
                if ctx.dtype != lot.dtype:
                    found = [f.to(ctx.dtype) for f in found]
                found = [f if n else None for f, n in zip(found, needed[2:], strict=True)]
            like, whole = ctx.gamma_like, None
            if needed[1]:
                whole = (along * unit).to(like)
                if lot.places is not None:
                    whole = like.new_zeros(like.shape).index_add_(0, lot.places.to(like.device), whole)
            return None, whole, *found


def _pulled(
    lot: Together,
    G: Tensor,
    theta: Tensor,
    N: Tensor,
    along: Tensor,
    inverse: Tensor,
    lengths: Tensor,
    share: Tensor,
    rows: Tensor | None,
) -> list[Any]:
    """The gradients of all coefficients and of all free tensors; ``rows`` is None where every gamma is 0."""
    inside = lot.coefficients(G)
    if rows is None:
        return lot.thetas.cut(inside) + lot.entries.cut(torch.zeros_like(G))
    of_free = lot.rest(G, inside)
    of_free.addcmul_(lot.entries.spread(along * inverse * inverse), N, value=-1).mul_(rows)
    if not lot.all_fixed:
        # gamma <N, G> / ||N|| ds/dtheta = c <N, G> theta / s^2. Where s is 0, so is c.
        of_size = share * along
        if not lot.is_plain:
            of_size = of_size.new_zeros(lengths.shape).index_add_(0, lot.of_gamma, of_size)
        of_size /= lengths.clamp(min=lot.tiny)
        if lot.any_fixed:
            of_size.masked_fill_(lot.is_fixed, 0)
        inside = inside.addcmul_(lot.thetas.spread(of_size), theta)
    return lot.thetas.cut(inside) + lot.entries.cut(of_free)


def _how_many(numbers: Tensor) -> str:
    found = numbers.tolist()
    return "all" if all(found) else "some" if any(found) else "none"


def _again(ctx: Any, grads: Sequence[Tensor]) -> list[Any]:
    """Gradients that can be differentiated: the same weights by differentiable operations."""
    lot: Together = ctx.lot
    gamma, *tensors = ctx.saved_tensors
    thetas, free = tensors[: len(lot.branches)], tensors[len(lot.branches) :]
    every = gamma if lot.places is None else gamma.index_select(0, lot.places.to(gamma.device))
    outputs, at, start = [], 0, 0
    for layer in lot.layers:
        count = len(layer.branches)
        with _replaced(layer, thetas[at : at + count], free[at : at + count]):
            outputs += layer.weights(every[start : start + layer.count])
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


def _tables(branches: Sequence[Branch], thetas: Segments, entries: Segments) -> tuple[np.ndarray, np.ndarray]:
    """The coefficient of each entry by its place, and its factor; where there is none, the last place and 0."""
    index, values = np.full(entries.size, thetas.size - 1), np.zeros(entries.size)
    for branch, first, begin in zip(branches, thetas.starts, entries.starts, strict=True):
        plan, count = branch.projector.plan, _maps(branch)
        places, factors = np.full(plan.shape, -1), np.zeros(plan.shape)
        for block in plan.blocks:
            found = _gather(block.structure)
            if not block.structure.dim or found is None:
                continue
            ids, factor = found
            where = np.broadcast_arrays(block.rows[:, None, :, None], block.cols[None, :, None, :])
            shape = (len(block.rows), len(block.cols), *where[0].shape[2:])
            places[where] = block.order[:, :, ids].reshape(shape)
            factors[where] = np.broadcast_to(factor, (*shape[:2], len(factor))).reshape(shape)
        # In the order of the entries of the tensor, which are those of `count` maps.
        maps = np.arange(count).reshape(*branch.view.batch, 1, 1)
        of_map = np.where(factors == 0, thetas.size - 1, first + maps * plan.dim + places)
        here = slice(begin, begin + of_map.size)
        index[here] = branch.view.write(of_map).ravel()
        values[here] = branch.view.write(np.broadcast_to(factors, of_map.shape)).ravel()
    return index, values


def _gamma_of(layers: Sequence[Layer]) -> Tensor:
    """The number of the gamma of each entry of the tensors, end to end."""
    out, first = [], 0
    for layer in layers:
        for branch in layer.branches:
            view = branch.view
            shape = (*view.batch, view.rows, view.cols)
            which = np.broadcast_to(first + branch.rows.index.numpy()[:, None], shape)
            out.append(view.write(which).ravel())
        first += layer.count
    return torch.from_numpy(np.concatenate(out))
