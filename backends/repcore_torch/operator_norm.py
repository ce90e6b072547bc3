"""Bounds on the operator norms of layers of torch, as maps of whole fields; no data, and nothing sampled but what is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, pi, prod, sqrt

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["kernel_norm", "matrix_norm", "padding_norm"]

# Frequencies for each degree of the symbol along an axis: the norm at them is below the true one by 1 / cos(pi / 16) at most.
_FINE, _COARSE = 16, 8
# Products that the symbol may cost, some seconds on one core; beyond that the other two bounds are all there is.
_PRODUCTS = 1e9


def matrix_norm(W: Tensor) -> float:
    """The largest singular value of (..., m, n), of the worst of several; rounded up by the error of the decomposition."""
    if not W.numel():
        return 0.0
    slack = 1 + 8 * max(W.shape[-2:]) * torch.finfo(W.dtype).eps
    return float(torch.linalg.matrix_norm(W, 2).max()) * slack


def kernel_norm(K: Tensor, stride: Sequence[int], dilation: Sequence[int]) -> tuple[float, str]:
    """A bound on ||x -> y||_2, y(p) = sum_q K(q) x(s p + d q), over fields x on all of Z^D; and how it was found.

    On a finite image with zeros around it the convolution is a part of this operator, so that its norm is no larger. A stride s
    is first written as a convolution of stride 1 of the s^D sublattices of x, side by side as channels; the dilation then only
    splits the lattice into parts that do not meet. The least of three bounds is taken:

    ===========  =======================================================================================================
    Young        sum_q ||K(q)||
    window       ||(K(q))_q|| sqrt(cells of the kernel): of the map of one window, in as many of which each cell lies
    Fourier      max_w ||sum_q K(q) e^(i w q)|| over N frequencies an axis, divided by prod cos(pi m / N)
    ===========  =======================================================================================================

    The third is the norm itself but for the last factor, which makes it a bound: u^H K(w) v is a trigonometric polynomial of
    degree m = ceil((k - 1) / 2) along an axis, and between N > 2 m equidistant points such a one grows by at most
    1 / cos(pi m / N) (Ehlich and Zeller 1964). Here N = 16 m: 1.02 an axis. It is left out where its decompositions would take
    long.

    Args:
        K: (groups, out, in, ``*sizes``) in double precision.
        stride: for each axis.
        dilation: likewise.
    """
    directions = K.ndim - 3
    if not K.numel() or not bool(K.any()):
        return 0.0, "zero"
    K = _one_step(K, stride, dilation)
    sizes = K.shape[3:]
    if prod(sizes) == 1:
        return matrix_norm(K.flatten(2)), "exact"
    taps = K.flatten(3).permute(3, 0, 1, 2)
    single = torch.stack([torch.linalg.matrix_norm(tap, 2) for tap in taps])  # (cells, groups)
    slack = 1 + 8 * max(K.shape[1], K.shape[2]) * torch.finfo(K.dtype).eps
    found = [
        (float(single.sum(0).max()) * slack, "Young"),
        (matrix_norm(K.flatten(2)) * sqrt(prod(sizes)), "window"),
    ]
    degrees = [ceil((k - 1) / 2) for k in sizes]
    for per_degree in (_FINE, _COARSE):
        counts = [max(per_degree * m, 1) for m in degrees]
        if prod(counts) / 2 * K.shape[0] * K.shape[1] * K.shape[2] * min(K.shape[1:3]) <= _PRODUCTS:
            grown = prod(cos(pi * m / n) for m, n in zip(degrees, counts, strict=True))
            found.append((_symbol(K, counts, directions) * slack / grown, "Fourier"))
            break
    return min(found)


def padding_norm(mode: str, shape: Sequence[int], padding: Sequence[int]) -> float:
    """The norm of padding by what the image holds: the root of how often it repeats a cell at most.

    Args:
        mode: ``"reflect"``, ``"replicate"`` or ``"circular"``.
        shape: of the image.
        padding: at both ends of each axis.
    """
    most = 1
    for n, p in zip(shape, padding, strict=True):
        cells = pad(torch.arange(n, dtype=torch.float64)[None, None], (p, p), mode=mode)
        most *= int(torch.bincount(cells.long().flatten(), minlength=n).max())
    return sqrt(most)


def _one_step(K: Tensor, stride: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """The kernel of stride 1 on the sublattices of x, (groups, out, in * prod(stride), *sizes)."""
    for axis, (s, d) in enumerate(zip(stride, dilation, strict=True), 3):
        if s == 1:
            continue
        k = K.shape[axis]
        size = ceil((d * (k - 1) + 1) / s) * s
        wide = K.new_zeros((*K.shape[:axis], size, *K.shape[axis + 1 :]))
        wide.index_copy_(axis, torch.arange(k, device=K.device) * d, K)
        K = wide.unflatten(axis, (size // s, s)).movedim(axis + 1, 3).flatten(2, 3)
    return K


def _symbol(K: Tensor, counts: Sequence[int], directions: int) -> float:
    axes = tuple(range(3, 3 + directions))
    transform = torch.fft.fftn if K.is_complex() else torch.fft.rfftn  # of a real kernel, opposite frequencies are conjugate
    symbol = transform(K, s=tuple(counts), dim=axes).flatten(3).permute(3, 0, 1, 2)
    most = 0.0
    for part in symbol.split(max(1, int(2**22 // max(symbol[0].numel(), 1)))):
        gram = part @ part.mH if part.shape[-2] <= part.shape[-1] else part.mH @ part
        most = max(most, float(torch.linalg.eigvalsh(gram).max().clamp_min(0)))
    return sqrt(most)
