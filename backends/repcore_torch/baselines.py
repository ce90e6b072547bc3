"""What the exact penalty is compared with: penalties that are sampled over the group, augmentation, residual pathways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.norms import square
from repcore_torch.projector import Projector, as_matrix, projector_of, tensor_of
from repcore_torch.tables import working_dtype

__all__ = ["Moves", "Residual", "augment", "operator_penalty", "residual", "sampled_penalty"]


class Moves:
    """Elements of a group as they act on X and on Y, drawn once and kept: a bank, from which each step takes some.

    Elements are those of ``repcore.sample``. A finite group of at most ``count`` elements is there as a whole; of all others the
    bank is a sample, whose mean is off by its own standard error however long one trains. Matrices are kept for each summand of X
    and Y, not for its copies, so that drawing costs nothing in a step.

    Args:
        rep_in: X.
        rep_out: Y, of the same group.
        count: elements in the bank.
        seed: of the elements, and of what is taken in each step.

    Attributes:
        is_exhaustive: whether the bank is the group.

    Raises:
        IncompatibleError: representations of different groups; as ``repcore.sample``.

    >>> import repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> moves = Moves(V, V)
    >>> len(moves), moves.is_exhaustive
    (8, True)
    """

    def __init__(self, rep_in: rc.Rep, rep_out: rc.Rep, *, count: int = 64, seed: int = 0) -> None:
        for name, rep in (("rep_in", rep_in), ("rep_out", rep_out)):
            if not isinstance(rep, rc.Rep):
                raise IncompatibleError(f"{name}: expected a representation, got {type(rep).__name__}")
        if rep_in.group != rep_out.group:
            raise IncompatibleError(f"rep_out: is one of {rep_out.group}, and rep_in one of {rep_in.group}")
        self.rep_in, self.rep_out = rep_in, rep_out
        self.elements = rc.sample(rep_in.group, count, seed=seed)
        self.is_exhaustive = self.elements.is_exhaustive
        self._generator = torch.Generator().manual_seed(seed)
        self._images: dict[Any, list[tuple[int, Tensor | None]]] = {}

    def __len__(self) -> int:
        return len(self.elements)

    def take(self, count: int) -> list[int]:
        """Numbers of ``count`` elements: different ones, or all, where there are so many; else with repetition."""
        if count < 1:
            raise IncompatibleError(f"samples: is {count}; at least one element is needed")
        if count <= len(self):
            return torch.randperm(len(self), generator=self._generator)[:count].tolist()
        return torch.randint(len(self), (count,), generator=self._generator).tolist()

    def act(self, side: str, elements: Any, x: Tensor) -> Tensor:
        """rho(g) x along the last axis, (..., dim); one g for all, or one for each row of (N, dim).

        Args:
            side: ``"in"`` for X, ``"out"`` for Y.
            elements: a number, or numbers (N,).
            x: the vectors.
        """
        rep = self.rep_in if side == "in" else self.rep_out
        if not x.ndim or x.shape[-1] != rep.dim:
            raise IncompatibleError(f"x has shape {tuple(x.shape)}; vectors of {rep} are (..., {rep.dim})")
        return self._apply(side, x, lambda images: images[elements].mT)

    def act_right(self, g: int, W: Tensor) -> Tensor:
        """W rho_X(g), (..., dim X) -> the same shape."""
        return self._apply("in", W, lambda images: images[g])

    def _apply(self, side: str, x: Tensor, matrix: Callable[[Tensor], Tensor]) -> Tensor:
        """Rows times the matrix of each summand."""
        parts: list[Tensor] = []
        start = 0
        for copies, images in self._parts(side, x.dtype, x.device):
            d = 1 if images is None else images.shape[-1]
            piece = x.narrow(-1, start, copies * d)
            start += copies * d
            if images is not None:
                piece = (piece.reshape(*x.shape[:-1], copies, d) @ matrix(images)).reshape(piece.shape)
            parts.append(piece)
        return torch.cat(parts, -1) if len(parts) != 1 else parts[0]

    def _parts(self, side: str, dtype: torch.dtype, device: torch.device) -> list[tuple[int, Tensor | None]]:
        """Copies and images (elements, d, d) of each summand; None for numbers that no element moves."""
        rep = self.rep_in if side == "in" else self.rep_out
        key = (side, dtype, device)
        if key not in self._images:
            terms = getattr(rep, "terms", None) or ((1, rep),)
            found: list[tuple[int, Tensor | None]] = []
            for copies, v in terms:
                if isinstance(v, type(rc.trivial(v.group))):
                    found.append((copies * v.dim, None))
                    continue
                images = np.stack([g.act(v, np.eye(v.dim)).T for g in self.elements])
                if np.iscomplexobj(images) and not dtype.is_complex:
                    raise IncompatibleError(f"x is real ({dtype}) and {v} is complex; give complex vectors, or V.realify()")
                found.append((copies, torch.from_numpy(np.ascontiguousarray(images)).to(device, dtype)))
            self._images[key] = found
        return self._images[key]


def sampled_penalty(f: Callable[[Tensor], Tensor], x: Tensor, moves: Moves, samples: int = 4) -> Tensor:
    """The mean over K elements g and the rows x of ||f(rho_X(g) x) - rho_Y(g) f(x)||^2: data-level, sampled.

    Args:
        f: the model, (N, dim X) -> (N, dim Y).
        x: (N, dim X).
        moves: the elements; of a group that is there as a whole, and with as many samples, the mean over the group is exact.
        samples: K.

    Returns:
        A scalar.

    Cost: K + 1 forward passes, all of which are differentiated.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> sampled_penalty(lambda x: 2 * x, torch.ones(3, 2), Moves(V, V)).item()
    0.0
    """
    y = f(x)
    total = None
    taken = moves.take(samples)
    for g in taken:
        gap = f(moves.act("in", g, x)) - moves.act("out", g, y)
        value = square(gap[None])[0] if gap.ndim == 1 else square(gap)
        total = value if total is None else total + value
    rows = max(x[..., 0].numel(), 1)
    return total / (len(taken) * rows)  # pyright: ignore[reportOptionalOperand]


def operator_penalty(W: Tensor, moves: Moves, samples: int = 4) -> Tensor:
    """The mean over K elements g of ||rho_Y(g) W - W rho_X(g)||_F^2: operator-level, sampled.

    For orthogonal representations of a compact group its mean over the group is 2 ||W - P W||_F^2, four times ``penalty(W, X >>
    Y, "fro2")``, which costs one projection.

    Args:
        W: (dim Y, dim X), or a batch (..., dim Y, dim X) of which the sum is taken.
        moves: the elements.
        samples: K.

    Returns:
        A scalar.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> W = torch.tensor([[1.0, 2.0], [2.0, 1.0]])
    >>> round(operator_penalty(W, Moves(V, V), 8).item(), 4), round(2 * 8.0, 4)  # ||W - P W||^2 is 8
    (16.0, 16.0)
    """
    W = as_matrix(W, (moves.rep_out.dim, moves.rep_in.dim), "W")
    W = W.to(working_dtype(W.dtype, False))
    total = None
    taken = moves.take(samples)
    for g in taken:
        value = square(moves.act("out", g, W.mT).mT - moves.act_right(g, W)).sum()
        total = value if total is None else total + value
    return total / len(taken)  # pyright: ignore[reportOptionalOperand]


def augment(x: Tensor, y: Tensor, moves: Moves) -> tuple[Tensor, Tensor]:
    """(rho_X(g) x, rho_Y(g) y) with a random g for each row: augmentation of a batch and its targets.

    Args:
        x: (N, dim X).
        y: (N, dim Y).
        moves: the elements.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> x, y = augment(torch.eye(2), torch.eye(2), Moves(V, V))
    >>> torch.equal(x, y), x.norm(dim=-1).tolist()
    (True, [1.0, 1.0])
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise IncompatibleError(f"x and y have shapes {tuple(x.shape)} and {tuple(y.shape)}; give (N, dim X) and (N, dim Y)")
    numbers = torch.randint(len(moves), (len(x),), generator=moves._generator).to(x.device)
    return moves.act("in", numbers, x), moves.act("out", numbers, y)


class Residual(nn.Module):
    """The parametrisation (theta, W_0) -> sum_a theta_a B_a + W_0 of a residual pathway prior.

    For ``torch.nn.utils.parametrize``. (Finzi, Benton, Wilson: Residual Pathway Priors for Soft Equivariance Constraints, 2021.)
    """

    def __init__(self, space: Any) -> None:
        super().__init__()
        self.projector = Projector(space)

    def forward(self, theta: Tensor, free: Tensor) -> Tensor:
        """theta (..., dim) and W_0 -> the weight, of the shape of W_0."""
        return self.projector.expand(theta).reshape(free.shape) + free

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        """The weight -> the coefficients of P W, and W - P W."""
        return self.projector.coefficients(W), W - self.projector(W)


@dataclass(frozen=True)
class _Prior:
    module: nn.Module
    name: str

    def __call__(self, a: float, b: float) -> Tensor:
        chains: Any = self.module.parametrizations
        chain = chains[self.name]
        theta, free = chain.original0, chain.original1
        return (a * theta.abs().square().sum() + b * free.abs().square().sum()) / 2


def residual(module: nn.Module, name: str, space: Any) -> Callable[[float, float], Tensor]:
    """Give ``module.name`` an equivariant pathway and a free one beside it, W = A + B; returns the prior of the two.

    The prior is (a ||A||_F^2 + b ||B||_F^2) / 2, with A = sum_a theta_a B_a equivariant and B free. At the best split of a given
    W it is

        (b ||W - P W||_F^2 + ab / (a + b) ||P W||_F^2) / 2,

    which is :class:`Penalty` with ``norm="fro2"``, ``weight=b`` and ``equivariant=a * b / (a + b)``, without a second weight.

    Args:
        module: the module that owns the parameter.
        name: its attribute name.
        space: a space, a basis, a plan or a :class:`Projector`.

    Returns:
        A function (a, b) -> scalar, a term of the loss. Make the optimiser after the call.

    Raises:
        IncompatibleError: as :func:`constrain`. The module is then as it was.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> layer = torch.nn.Linear(2, 2, bias=False)
    >>> prior = residual(layer, "weight", V >> V)
    >>> [tuple(p.shape) for p in layer.parameters()], prior(1.0, 100.0).requires_grad
    ([(1,), (2, 2)], True)
    """
    projector = projector_of(space)
    tensor_of(module, name, projector.plan)
    parametrize.register_parametrization(module, name, Residual(projector))
    return _Prior(module, name)
