"""Equivariant affine maps: linear part and bias together, as one space of linear maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep, trivial

__all__ = ["AffineMaps", "affine_maps"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, repr=False)
class AffineMaps:
    """Maps f(x) = W x + b with f(g x) = g f(x), as arrays [W | b] of shape (dim Y, dim X + 1).

    Attributes:
        linear: ``X >> Y``, where W lies; the bias b is an invariant vector of Y.
    """

    linear: Hom

    @property
    def space(self) -> Hom:
        """The same maps as ``X + 1 >> Y``: the last coordinate of the domain is the constant 1, the last column the bias."""
        return Hom(self.linear.domain + trivial(self.linear.group), self.linear.codomain)

    @property
    def shape(self) -> tuple[int, int]:
        """``(dim Y, dim X + 1)``."""
        return self.space.shape

    def split(self, weights: npt.ArrayLike) -> tuple[Array, Array]:
        """The linear part (..., dim Y, dim X) and the bias (..., dim Y) of weights (..., dim Y, dim X + 1).

        Raises:
            IncompatibleError: the last two axes have another shape.
        """
        array = np.asarray(weights)
        if array.shape[-2:] != self.shape:
            raise IncompatibleError(
                f"weights: expected an array of shape (..., {self.shape[0]}, {self.shape[1]}), got {array.shape}"
            )
        return array[..., :-1], array[..., -1]

    def join(self, linear: npt.ArrayLike, bias: npt.ArrayLike) -> Array:
        """The weights [W | b] of a linear part (..., dim Y, dim X) and a bias (..., dim Y); the reverse of :meth:`split`.

        Raises:
            IncompatibleError: shapes that do not fit.
        """
        w, b = np.asarray(linear), np.asarray(bias)
        if w.shape[-2:] != self.linear.shape or b.shape != w.shape[:-1]:
            m, n = self.linear.shape
            raise IncompatibleError(
                f"linear, bias: expected arrays of shapes (..., {m}, {n}) and (..., {m}), got {w.shape} and {b.shape}"
            )
        return np.concatenate([w, b[..., None]], axis=-1)

    def extend(self, x: npt.ArrayLike) -> Array:
        """Inputs (..., dim X) with the constant 1 appended, so that ``W x + b`` is ``weight @ extend(x)``.

        Raises:
            IncompatibleError: the last axis has another length.
        """
        array = np.asarray(x)
        if array.shape[-1:] != (self.linear.shape[1],):
            raise IncompatibleError(f"x: expected an array of shape (..., {self.linear.shape[1]}), got {array.shape}")
        return np.concatenate([array, np.ones((*array.shape[:-1], 1), array.dtype)], axis=-1)

    def __str__(self) -> str:
        return f"{self.linear.domain} -> {self.linear.codomain}, affine"

    def __repr__(self) -> str:
        return f"affine_maps({self.linear.domain!r}, {self.linear.codomain!r})"


def affine_maps(domain: Rep, codomain: Rep) -> AffineMaps:
    """The equivariant affine maps X -> Y, x -> W x + b: linear part and bias in one space.

    f(g x) = g f(x) for all x says that W is equivariant and b invariant, so they are the linear maps from X + 1 with the
    trivial representation last, and the dimensions add: dim Hom(X, Y) + dim Hom(1, Y).

    Args:
        domain: X.
        codomain: Y.

    Raises:
        IncompatibleError: X and Y are representations of different groups.

    >>> import repcore as rc
    >>> V = rc.symmetric(4).rep
    >>> maps = affine_maps(V, V)
    >>> basis = rc.solve(maps.space, store=None)
    >>> basis.dim, maps.shape                          # a 1 + b J, and a constant vector
    (3, (4, 5))
    >>> W, b = maps.split(basis.to_numpy()[1])
    >>> W.tolist()[0], b.tolist()
    ([0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0])
    """
    for where, v in (("domain", domain), ("codomain", codomain)):
        if not isinstance(v, Rep):  # pyright: ignore[reportUnnecessaryIsInstance]  # users pass what they have
            raise IncompatibleError(f"{where}: expected a representation, got {type(v).__name__}")
    return AffineMaps(Hom(domain, codomain))
