"""`Branch`: the parametrisation W = E + gamma s N / ||N|| of one weight; `Layer`: the weights that share gammas and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
from repcore_torch.constraint import Constraint
from repcore_torch.homotopy import added, blended

__all__ = ["Branch", "Layer", "Rows", "rows_of"]

_REAL = {torch.complex64: torch.float32, torch.complex128: torch.float64}


class Branch(Constraint):
    """theta -> E + gamma s N / ||N||, with E = sum_a theta_a B_a and N = (I - P) M for a free tensor M; see :class:`ACE`.

    ``original`` is theta and ``free`` is M, both parameters; ``gamma`` (k,) is a buffer. Norms and gammas are those of the layer,
    so the weights of a layer are formed together: once a forward pass of the model, or at each look at one of them outside.
    """

    gamma: Tensor
    # Whether it is a map of features, and not added to them.
    is_map = True

    def __init__(self, space: Any, view: Any, label: str, maps: Any, rows: Rows, tensor: Tensor) -> None:
        super().__init__(space, view, label, maps)
        self.rows = rows
        self.free = nn.Parameter(tensor.detach().clone(), requires_grad=tensor.requires_grad)
        self.register_buffer("gamma", torch.zeros(rows.count, dtype=_real(tensor), device=tensor.device))
        # Not modules, so that nothing within is found twice: the weights of all layers, and the one of a pass that is under way.
        self.family: Any = None
        self.ready: Tensor | None = None

    def forward(self, theta: Tensor) -> Tensor:
        """theta (*batch, dim) -> the weight."""
        if self.ready is not None:
            return self.ready
        if self.family is None or not self.family.on:
            return super().forward(theta)
        return self.family.weight_of(self)

    def index(self, device: torch.device) -> Tensor:
        """The gamma of each row."""
        return self.rows.index.to(device)


class Rows:
    """Which gamma each row of a map takes: those of ``basis^T W`` for a basis, of W without.

    Attributes:
        index: (dim Y,) from 0 to count - 1.
        count: the number k of gammas.
        basis: (dim Y, dim Y) orthogonal, or None where the rows themselves are meant.
    """

    def __init__(self, index: np.ndarray, count: int, basis: np.ndarray | None = None) -> None:
        self._arrays = index, count, basis
        self.index = torch.from_numpy(np.ascontiguousarray(index, dtype=np.int64))
        self.count = count
        self.basis = None if basis is None else torch.from_numpy(np.ascontiguousarray(basis))

    def live(self, plan: Any) -> np.ndarray:
        """Which gammas have anything that is not equivariant, (count,)."""
        return rc.live_rows(plan, *self._arrays)

    def turn(self, W: Tensor, back: bool = False) -> Tensor:
        """basis^T W, or basis W."""
        if self.basis is None:
            return W
        basis = self.basis.to(W)
        return (basis if back else basis.mH) @ W


class Layer:
    """Weights with one norm and k gammas.

    Args:
        name: of the layer.
        branches: its weights.
        places: the module and the name of each.
        scale: s, a number, or None for the norm of the equivariant part.
    """

    def __init__(
        self, name: str, branches: Sequence[Branch], places: Sequence[tuple[nn.Module, str]], scale: float | None
    ) -> None:
        self.name, self.branches, self.places = name, list(branches), list(places)
        # Where torch keeps them, for its own ways to them take microseconds each.
        self._held: list[Any] = [_chains(module)[name]._parameters for module, name in places]
        self.count = branches[0].rows.count
        # Where every equivariant weight is 0, its norm says nothing.
        self.scale = 1.0 if scale is None and all(b.projector.dim == 0 for b in branches) else scale
        self.live = torch.from_numpy(np.logical_or.reduce([b.rows.live(b.projector.plan) for b in branches]))

    def thetas(self) -> list[Tensor]:
        """The coefficients, as they are now."""
        return [held["original"] for held in self._held]

    def parts(self) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
        """E and turned N of each weight as maps; ||N||^2 of each gamma, where there is any; and s / sqrt(k)."""
        inside, outside = [], []
        for branch, theta in zip(self.branches, self.thetas(), strict=True):
            M = branch.view.read(branch.free)
            inside.append(branch.projector.expand(theta))
            outside.append(branch.rows.turn(M - branch.projector(M)))
        squares = torch.zeros(self.count, dtype=_real(inside[0]), device=inside[0].device)
        for branch, N in zip(self.branches, outside, strict=True):
            rows = (N.conj() * N).real.sum(-1).reshape(-1, N.shape[-2]).sum(0)
            squares = squares + torch.zeros_like(squares).index_add(0, branch.index(rows.device), rows.to(squares.dtype))
        live = self.live.to(squares.device) & (squares > 0)
        return inside, outside, torch.where(live, squares, torch.inf), self.size() / self.count**0.5

    def size(self) -> Tensor:
        """s: the scale, by default ||E||; the basis is orthonormal, so that this is ||theta||."""
        thetas = self.thetas()
        like = torch.zeros((), dtype=_real(thetas[0]), device=thetas[0].device)
        if self.scale is not None:
            return like + self.scale
        total = torch.stack([(t.conj() * t).real.sum() for t in thetas]).sum()
        # The derivative of a root at 0 is infinite.
        return torch.where(total > 0, torch.where(total > 0, total, 1).sqrt(), 0)

    def weights(self, gamma: Tensor) -> list[Tensor]:
        """The weights for gammas (k,), by differentiable operations."""
        inside, outside, squares, size = self.parts()
        share = gamma.to(size.dtype) * size / squares.sqrt()
        out = []
        for branch, E, N in zip(self.branches, inside, outside, strict=True):
            rows = share.index_select(0, branch.index(share.device)).unsqueeze(-1)
            out.append(branch.view.write(_added(branch, E, rows, N)))
        return out

    def strict(self) -> list[Tensor]:
        """E of each weight."""
        return [Constraint.forward(branch, theta) for branch, theta in zip(self.branches, self.thetas(), strict=True)]

    @torch.no_grad()
    def defect(self) -> tuple[Tensor, Tensor]:
        """||W - P W||_F = s sqrt(mean of gamma^2 where N lives), and ||P W||_F."""
        _, _, squares, size = self.parts()
        gamma = torch.where(squares.isinf(), 0, self.branches[0].gamma.to(size.dtype))
        theta = torch.stack([(t.conj() * t).real.sum() for t in self.thetas()]).sum().sqrt()
        return (gamma.square().sum().sqrt() * size), theta


def rows_of(site: rc.Site, per: str) -> Rows:
    """Which rows of a weight share a gamma, see :func:`repcore.gamma_rows`."""
    return Rows(*rc.gamma_rows(site, per))


def _added(branch: Branch, E: Tensor, rows: Tensor, N: Tensor) -> Tensor:
    if branch.rows.basis is None:
        return blended(E, rows, N)
    return added(E, branch.rows.turn(rows * N, back=True), (rows == 0).all())


def _chains(module: nn.Module) -> Any:
    return module.parametrizations


def _real(tensor: Tensor) -> torch.dtype:
    dtype = torch.promote_types(tensor.dtype, torch.float32)
    # A table, for torch.compile takes no `to_real`.
    return _REAL.get(dtype, dtype)
