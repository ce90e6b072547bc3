"""`Tangent`: how fast a given map leaves itself, in the directions of the Lie algebra and under each discrete generator."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.reps.hom import Hom
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


def span_of(space: Hom) -> Algebra:
    """An orthonormal basis of the span of the Lie generators, |A|^2 = tr(A^H A) / 2 in the defining representation."""
    first = len(space.group.discrete)
    return make_algebra([m.toarray() for m in images(space.group.rep)[first:]], close=False)


def tangent(space: Hom, m: Array) -> Tangent:
    """The size of the constraint on M, exactly: over the unit sphere the largest eigenvalue of the Gram matrix of its parts.

    Cost: two products of M with a sparse matrix for each generator.
    """
    first = len(space.group.discrete)
    moved = [y @ m - (x.T @ m.T).T for y, x in zip(images(space.codomain), images(space.domain), strict=True)]
    discrete = max((float(np.linalg.norm(d)) for d in moved[:first]), default=0.0)
    algebra = span_of(space)
    if not len(algebra.mix):
        return Tangent(0.0, discrete)
    chosen = np.stack([moved[first + j].ravel() for j, _ in algebra.words])
    parts = algebra.mix @ chosen
    gram = np.real(parts @ parts.conj().T)
    return Tangent(sqrt(max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)), discrete)
