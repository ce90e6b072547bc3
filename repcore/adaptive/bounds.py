"""What the branch can do to the output of a network, at most: two published bounds, and the same layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from repcore.errors import IncompatibleError

__all__ = ["BranchBounds", "branch_bounds"]


@dataclass(frozen=True)
class BranchBounds:
    """Bounds for an input of length 1, of a chain of layers with 1-Lipschitz equivariant functions between them.

    Attributes:
        dropping: [sum_{k<L} (1 + g)^k] g B M^(L-1): how far the output can move when the branch is dropped.
        equivariance: 2 g (M + C g)^(L-1) L B^2: how far f(h x) and h f(x) can lie apart.
        by_layer: a sharper bound on the latter, sum_l (prod_{j>l} w_j) 2 abs(gamma_l) n_l (prod_{j<l} w_j), w = e + abs(gamma) n.
    """

    dropping: float
    equivariance: float
    by_layer: float


def branch_bounds(equivariant: Sequence[float], branch: Sequence[float], gamma: Sequence[float]) -> BranchBounds:
    """The bounds of Manolache, Chamon and Niepert (2025) for layers f_eq + gamma f_neq.

    Args:
        equivariant: e_l, the spectral norm of f_eq of each layer, in the order of the network.
        branch: n_l, that of f_neq.
        gamma: of each layer; the largest absolute value of a layer that has several.

    g is the largest abs(gamma), M the largest of all e and n, C the largest n, and B the largest of C and 1: orthogonal
    representations have norm 1. The first is for networks without biases in f_eq, or is a bound on what differs.

    Raises:
        IncompatibleError: sequences of different lengths, or empty ones.

    >>> found = branch_bounds([1.0, 1.0], [1.0, 1.0], [0.1, 0.0])
    >>> round(found.dropping, 3), round(found.equivariance, 3), round(found.by_layer, 3)
    (0.21, 0.44, 0.2)
    """
    if not len(equivariant) == len(branch) == len(gamma) or not gamma:
        raise IncompatibleError("equivariant, branch and gamma: give one number for each layer, and at least one layer")
    sizes = [abs(x) for x in gamma]
    g, C = max(sizes), max(branch)
    M, B, L = max(C, *equivariant), max(C, 1.0), len(sizes)
    whole = [e + s * n for e, n, s in zip(equivariant, branch, sizes, strict=True)]
    parts = [2 * s * n * prod(whole[:k]) * prod(whole[k + 1 :]) for k, (n, s) in enumerate(zip(branch, sizes, strict=True))]
    dropping = sum((1 + g) ** k for k in range(L)) * g * C * M ** (L - 1)
    return BranchBounds(dropping, 2 * g * (M + C * g) ** (L - 1) * L * B**2, sum(parts))
