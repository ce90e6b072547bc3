"""Matrix norms as pairs of a value and a subgradient in closed form, zero where the norm is zero.

Every norm N here is homogeneous, so with a subgradient G at M, N(M) = Re <G, M> and dN = Re <G, dM>: no derivative of a singular
value decomposition is taken, which would not exist where singular values are equal.

========== ======================================================= ==========================================================
norm       N(M)                                                    G
========== ======================================================= ==========================================================
spectral   the largest singular value                              u v^H
nuclear    the sum of the singular values                          U V^H over the singular values that are not zero
(p, q)     (sum_j (sum_i |M_ij|^p)^(q/p))^(1/q), p within columns  sign(M_ij) (|M_ij| / c_j)^(p-1) (c_j / N)^(q-1)
inf        max |M_ij|, which is (inf, inf)                         sign(M_ij) / number of largest entries, at these
========== ======================================================= ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from repcore import IncompatibleError

__all__ = ["Pair", "dual_of", "entrywise", "norm_of_ones", "nuclear", "spectral", "square", "with_gradient"]

Pair = tuple[Tensor, Tensor]


def dual_of(norm: Any) -> Callable[[Tensor], Pair]:
    """The function M (..., dim Y, dim X) -> (N(M), G) of a norm that is neither fro nor fro2.

    Raises:
        IncompatibleError: an unknown norm.
    """
    match norm:
        case "spectral":
            return spectral
        case "nuclear":
            return nuclear
        case "inf":
            return lambda M: entrywise(M, inf, inf)
        case (int() | float() as p, int() | float() as q) if p >= 1 and q >= 1 and not (isnan(p) or isnan(q)):
            return lambda M: entrywise(M, float(p), float(q))
        case _:
            raise IncompatibleError(
                f"norm is {norm!r}; choose one of 'fro', 'fro2', 'spectral', 'nuclear', 'inf', or a pair (p, q) of numbers >= 1"
            )


def spectral(M: Tensor) -> Pair:
    """The largest singular value and u v^H, from a singular value decomposition."""
    u, s, vh = torch.linalg.svd(M, full_matrices=False)
    first = s[..., 0] if s.shape[-1] else s.sum(-1)
    G = u[..., :, :1] * vh[..., :1, :] if s.shape[-1] else torch.zeros_like(M)
    return first, torch.where((first > 0)[..., None, None], G, 0)


def nuclear(M: Tensor) -> Pair:
    """The sum of the singular values and U V^H over those that are above rounding, max(dim) eps times the largest."""
    u, s, vh = torch.linalg.svd(M, full_matrices=False)
    if not s.shape[-1]:
        return s.sum(-1), torch.zeros_like(M)
    live = s > max(M.shape[-2:]) * torch.finfo(s.dtype).eps * s[..., :1]
    return s.sum(-1), (u * live[..., None, :]) @ vh


def entrywise(M: Tensor, p: float, q: float) -> Pair:
    """The (p, q) norm, p within columns and q over them, and its subgradient."""
    size = M.abs()
    columns, inner = _norm_and_ratio(size, p, -2)
    outer, rest = _norm_and_ratio(columns, q, -1)
    return outer, torch.where(size > 0, M / torch.where(size > 0, size, 1), 0) * inner * rest[..., None, :]


def _norm_and_ratio(a: Tensor, p: float, dim: int) -> Pair:
    """The norm n = (sum a^p)^(1/p) of a >= 0 along a dim, and its derivative (a / n)^(p - 1).

    Entries are divided by the largest one first, so that no power over- or underflows.
    """
    top = a.amax(dim, keepdim=True) if a.shape[dim] else a.sum(dim, keepdim=True)
    live = top > 0
    scaled = a / torch.where(live, top, 1)
    if p == inf:
        ties = (a == top) & live
        ratio, n = ties / ties.sum(dim, keepdim=True).clamp(min=1), top
    else:
        total = (scaled**p).sum(dim, keepdim=True)
        root = torch.where(live, total, 1) ** (1 / p)
        ratio, n = torch.where(live, (scaled / root) ** (p - 1), 0), torch.where(live, top * root, 0)
    return n.squeeze(dim), ratio


def norm_of_ones(norm: Any, shape: tuple[int, int]) -> float:
    """The norm of the matrix of ones, by which ``reduction="mean"`` divides; for fro2 its square, the number of entries."""
    rows, cols = shape
    match norm:
        case "fro2":
            return max(rows * cols, 1)
        case "inf":
            return 1.0
        case (p, q):
            return max(rows, 1) ** (1 / p) * max(cols, 1) ** (1 / q)
        case _:
            return max(rows * cols, 1) ** 0.5


def square(W: Tensor) -> Tensor:
    """||W||_F^2 of each matrix, (..., dim Y, dim X) -> (...)."""
    flat = W.flatten(-2)
    if flat.ndim == 1:
        # One product of vectors: no array of squares in fresh memory.
        return torch.vdot(flat, flat).real if W.is_complex() else torch.dot(flat, flat)
    return torch.linalg.vecdot(flat, flat).real if W.is_complex() else (flat * flat).sum(-1)


def with_gradient(M: Tensor, pair: Pair) -> Tensor:
    """The value of a pair as a function of M with the subgradient G; once differentiable, in reverse mode."""
    value, G = pair
    if torch.compiler.is_compiling():
        # The compiler differentiates the product; the value is the same by homogeneity.
        return (G.conj() * M).real.sum((-2, -1))
    return _WithGradient.apply(M, value, G)


class _WithGradient(Function):
    """f(M) = value with df = Re <G, dM>. The second derivative of a norm is not G's, which is held fixed: it raises."""

    @staticmethod
    def forward(M: Tensor, value: Tensor, G: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        M, _, G = inputs
        ctx.save_for_backward(M, G)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        M, G = ctx.saved_tensors
        if torch.is_grad_enabled():
            G = _Once.apply(G, M)
        return grad[..., None, None] * G, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Tensor) -> tuple[Tensor, int]:
        return _WithGradient.apply(*_batched(info, in_dims, arguments)), 0


class _Once(Function):
    """G as it is; a derivative of it would be a second derivative of the norm, and is refused."""

    @staticmethod
    def forward(G: Tensor, M: Tensor) -> Tensor:
        return G.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        raise IncompatibleError("norm: this norm is differentiable once; for second derivatives take 'fro' or 'fro2'")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Tensor) -> tuple[Tensor, int]:
        return _Once.apply(*_batched(info, in_dims, arguments)), 0


def _batched(info: Any, in_dims: tuple[Any, ...], arguments: tuple[Tensor, ...]) -> list[Tensor]:
    size = info.batch_size
    pairs = zip(arguments, in_dims, strict=True)
    return [x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0) for x, dim in pairs]
