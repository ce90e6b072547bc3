"""`Tangent`: how fast a given map leaves itself, in the directions of the Lie algebra and under each discrete generator."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.reps.tree import trivial
from repcore.soft.algebra import Algebra, images, make_algebra

__all__ = ["Tangent", "span_of", "tangent"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tangent:
    """The size of the constraint on one map M.

    Attributes:
        lie: the largest ||A_Y M - M A_X||_F over A of norm 1 in the span of the Lie generators.
        discrete: the largest ||rho_Y(s) M - M rho_X(s)||_F over the discrete generators s.
    """

    lie: float
    discrete: float


def span_of(space: Hom | FunctionMaps) -> Algebra:
    """An orthonormal basis of the span of the Lie generators, |A|^2 = tr(A^H A) / 2 in the defining representation."""
    first = len(space.group.discrete)
    return make_algebra([m.toarray() for m in images(space.group.rep)[first:]], close=False)


def tangent(space: Hom | FunctionMaps, m: Array) -> Tangent:
    """The size of the constraint on M, exactly: over the unit sphere the largest eigenvalue of the Gram matrix of its parts.

    Cost: two products of M with a sparse matrix for each generator.
    """
    first = len(space.group.discrete)
    right = _right_of(space, m) if isinstance(space, FunctionMaps) else [(x.T @ m.T).T for x in images(space.domain)]
    moved = [y @ m - r for y, r in zip(images(space.codomain), right, strict=True)]
    discrete = max((float(np.linalg.norm(d)) for d in moved[:first]), default=0.0)
    algebra = span_of(space)
    if not len(algebra.mix):
        return Tangent(0.0, discrete)
    chosen = np.stack([moved[first + j].ravel() for j, _ in algebra.words])
    parts = algebra.mix @ chosen
    gram = np.real(parts @ parts.conj().T)
    return Tangent(sqrt(max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)), discrete)


def _right_of(maps: FunctionMaps, m: Array) -> list[Array]:
    """M rho_X(s) and M A_X for the generators, where X are images: functions, and a remainder on which only the values move."""
    f, first = maps.functions, len(maps.group.discrete)
    tokens, tiles = m[:, : f.tokens], m[:, f.tokens :].reshape(len(m), f.values.dim, f.cells)
    seen = tiles @ f.samples
    rest = tiles - seen @ f.analysis
    out: list[Array] = []
    for i, (v, a) in enumerate(zip(images(f.values), images(trivial(maps.group) * f.scalars), strict=True)):
        moved, on_values = (seen @ a.toarray()) @ f.analysis, v.toarray()
        if i < first:
            still, tile = tokens, np.einsum("yvc,vw->ywc", moved + rest, on_values)
        else:  # the derivative of a product
            still, tile = 0 * tokens, np.einsum("yvc,vw->ywc", tiles, on_values) + moved
        out.append(np.concatenate([still, tile.reshape(len(m), -1)], axis=1))
    return out
