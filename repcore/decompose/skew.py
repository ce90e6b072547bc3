"""Coordinates for a completely reducible representation without a known invariant form: a group that is not compact, skewed.

Every completely reducible representation has coordinates in which its commutant A = sum of M_m(D) is closed under transposing:
bases of irreducible subspaces, equal for equivalent ones, and orthonormal for an inner product in which the imaginary units of D
are orthogonal. They are found in floating point by splitting along eigenvalues of random elements of A; nothing rests on
them, because what is found in these coordinates is proved afterwards like everything else (``split``).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.decompose.draws import draw
from repcore.decompose.frame import Frame
from repcore.decompose.residue import UNIT, norm
from repcore.decompose.span import make_span
from repcore.exact.matrix import Matrix
from repcore.reps.scales import scales
from repcore.reps.tree import Rep

__all__ = ["skew_frame"]

Array = npt.NDArray[Any]

# Elements tried before a subspace is taken for irreducible: one of M_2(R) has complex eigenvalues with probability 0.3.
_TRIES = 16
# Eigenvalues nearer than this, relative to the largest, are taken for equal.
_SAME = 2.0**-20


def skew_frame(rep: Rep, basis: Matrix, *, is_complex: bool) -> Frame:
    """The frame of irreducible subspaces of a completely reducible representation, given its exact commutant (c, n * n)."""
    n = rep.dim
    scale = scales(rep)
    plain = Frame(scale, 1 / scale, scale, False, True, True, 0.0, 2 * UNIT, 1.0, 1.0)
    span = make_span(basis, plain, plain)
    elements = [span.combine(draw(span.count, f"skew-{i}", is_complex=is_complex) / span.lengths).array for i in range(_TRIES)]
    start = np.eye(n, dtype=np.complex128 if is_complex else np.float64)
    spaces = _pieces(start, elements)
    whole = np.concatenate(spaces, axis=1)
    back = np.concatenate(_aligned(spaces, np.linalg.inv(whole), elements), axis=1)
    to = np.linalg.inv(back)
    slip = norm(back @ to - np.eye(n)) + (n + 2) * UNIT * norm(back) * norm(to)
    growth = float(np.linalg.norm(back, 2)) * (1 + 2.0**-20)
    stretch = float(np.linalg.norm(to, 2)) * growth * (1 + 2.0**-20)
    return Frame(to * scale[None, :], back / scale[:, None], scale, False, False, False, 0.0, slip, growth, stretch)


def _pieces(space: Array, elements: list[Array]) -> list[Array]:
    """An invariant subspace (n, k), orthonormal columns, as a direct sum of invariant subspaces that split no further."""
    for c in elements:
        # The subspace is invariant under C only if it is a sum of eigenspaces, so C is compressed along the rest first.
        inner = np.linalg.lstsq(space, c @ space, rcond=None)[0]
        values = np.linalg.eigvals(inner)
        groups = _groups(values, real=not np.iscomplexobj(space))
        if len(groups) > 1:
            parts = [space @ _eigenspace(inner, value, size) for value, size in groups]
            return [piece for part in parts for piece in _pieces(np.linalg.qr(part)[0], _compressed(elements, parts, part))]
    return [space]


def _compressed(elements: list[Array], parts: list[Array], part: Array) -> list[Array]:
    """The elements between the projectors onto one part along the others: they keep it, and are again in the commutant."""
    whole = np.concatenate(parts, axis=1)
    at = next(i for i, p in enumerate(parts) if p is part)
    start = sum(p.shape[1] for p in parts[:at])
    dual = np.linalg.pinv(whole)[start : start + part.shape[1]]
    projector = part @ dual
    return [projector @ c @ projector for c in elements]


def _groups(values: Array, *, real: bool) -> list[tuple[complex, int]]:
    """Equal eigenvalues, or pairs of conjugate ones over the real numbers, as (value, dimension of the space)."""
    limit = _SAME * float(np.abs(values).max(initial=0.0))
    left = list(np.where(np.imag(values) < 0, np.conj(values), values) if real else values)
    out: list[tuple[complex, int]] = []
    while left:
        near = [v for v in left if abs(v - left[0]) <= limit]
        left = [v for v in left if abs(v - left[0]) > limit]
        out.append((complex(np.mean(near)), len(near)))
    return out


def _eigenspace(c: Array, value: complex, size: int) -> Array:
    """An orthonormal basis of the kernel of C - value, over the real numbers of (C - value)(C - conj(value))."""
    one = np.eye(len(c))
    if np.iscomplexobj(c):
        shifted = c - value * one
    elif abs(value.imag) <= _SAME * abs(value):
        shifted = c - value.real * one
    else:
        shifted = c @ c - 2 * value.real * c + abs(value) ** 2 * one
    return np.linalg.svd(shifted)[2][-size:].conj().T


def _aligned(spaces: list[Array], back: Array, elements: list[Array]) -> list[Array]:
    """Bases in which equivalent subspaces have equal matrices and the units of the endomorphism algebra are orthogonal."""
    starts = np.cumsum([0, *(s.shape[1] for s in spaces)])
    duals = [back[a:b] for a, b in pairwise(starts.tolist())]
    out: list[Array | None] = [None] * len(spaces)
    for i, head in enumerate(spaces):
        if out[i] is not None:
            continue
        straight = head @ _evened([duals[i] @ (c @ head) for c in elements])
        out[i] = straight
        for j in range(i + 1, len(spaces)):
            maps = [duals[j] @ (c @ straight) for c in elements] if spaces[j].shape[1] == head.shape[1] else []
            best = max(maps, key=lambda t: float(np.linalg.norm(t)), default=None)
            limit = _SAME * max(float(np.linalg.norm(c)) for c in elements)
            if out[j] is None and best is not None and float(np.linalg.norm(best)) > limit:
                out[j] = spaces[j] @ (best * (np.sqrt(len(best)) / np.linalg.norm(best)))
    return [b for b in out if b is not None]


def _evened(units: list[Array]) -> Array:
    """A change of basis after which the units of a division algebra, given by random elements of it, are orthogonal.

    The traceless part of an element of C or H squares to a negative number: scaled, it is a unit J, and the mean of J^T J over
    the units is an inner product that they keep.
    """
    d = len(units[0])
    if np.iscomplexobj(units[0]):
        return np.eye(d)
    odd: list[Array] = []
    for a in units:
        j = a - np.trace(a) / d * np.eye(d)
        for k in odd:
            # What anticommutes with the units before.
            j = (j + k @ j @ k) / 2
        square = -float(np.trace(j @ j)) / d
        if square > _SAME * float(np.linalg.norm(a)) ** 2 / d and len(odd) < 2:
            odd.append(j / np.sqrt(square))
    form = np.eye(d)
    for j in odd:
        form = form + j.T @ form @ j
    return np.linalg.inv(np.linalg.cholesky(form).T)
