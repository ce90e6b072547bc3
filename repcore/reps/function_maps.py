"""Linear maps from images to a representation, as maps of the coefficients of functions and what no function sees."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.groups.group import Group
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep

if TYPE_CHECKING:
    from repcore.reps.functions import FunctionSpace

__all__ = ["FunctionMaps"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class FunctionMaps:
    """Maps from images to Y, arrays of shape (dim Y, components x cells); made as ``functions >> Y``. Tokens come before cells.

    With S = ``functions.samples`` and S^+ = ``functions.analysis`` every such array is

        W = M S^+ + R,        M = W S,        R S = 0,

    M a map of :attr:`coefficients`, and R the remainder. W is *strict* if M is equivariant and R = 0. Of a convolution it is the
    weight (out, in, rows, columns) as ``weight.reshape(out, -1)``; of a table of vectors, a row for each cell, such as
    a position embedding, the transpose.

    Attributes:
        functions: the functions.
        codomain: Y.
    """

    functions: FunctionSpace
    codomain: Rep

    @property
    def coefficients(self) -> Hom:
        """The maps M from coefficients to Y, an exact space: what ``rc.solve`` and ``rc.decompose`` take."""
        return Hom(self.functions.rep, self.codomain)

    @property
    def features(self) -> Hom:
        """The space from the values at one cell to Y."""
        return Hom(self.functions.values, self.codomain)

    @property
    def group(self) -> Group:
        """The group."""
        return self.coefficients.group

    @property
    def shape(self) -> tuple[int, int]:
        """``(dim Y, components x cells)``, with tokens ``(dim Y, tokens + cells)``."""
        return (self.codomain.dim, self.functions.size)

    def split(self, weights: npt.ArrayLike) -> tuple[Array, Array]:
        """M (..., dim Y, components x functions) and R (..., dim Y, components x cells) of W.

        Raises:
            IncompatibleError: the last two axes have another shape.
        """
        w = self._checked(weights, self.shape, "weights")
        tokens = w[..., : self.functions.tokens]
        coefficients = self._tiles(w) @ self.functions.samples
        seen = self._flat(coefficients @ self.functions.analysis)
        return np.concatenate([tokens, self._flat(coefficients)], -1), w - np.concatenate([tokens, seen], -1)

    def join(self, coefficients: npt.ArrayLike, remainder: npt.ArrayLike | None = None) -> Array:
        """W of M (..., dim Y, components x functions), and of R; the reverse of :meth:`split`.

        Raises:
            IncompatibleError: shapes that do not fit.
        """
        m = self._checked(coefficients, self.coefficients.shape, "coefficients")
        w = np.concatenate([m[..., : self.functions.tokens], self._flat(self._tiles(m) @ self.functions.analysis)], -1)
        return w if remainder is None else w + self._checked(remainder, self.shape, "remainder")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the functions and Y."""
        content = ("repcore-function-maps-1", self.functions.digest, self.codomain.digest)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FunctionMaps):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return f"{self.functions} >> {self.codomain}"

    def __repr__(self) -> str:
        return f"{self.functions!r}.maps({self.codomain!r})"

    def _tiles(self, w: Array) -> Array:
        cells = w[..., self.functions.tokens :]
        return cells.reshape(*cells.shape[:-1], self.functions.values.dim, -1)

    def _flat(self, w: Array) -> Array:
        return w.reshape(*w.shape[:-2], -1)

    def _checked(self, value: npt.ArrayLike, shape: tuple[int, int], name: str) -> Array:
        array = np.asarray(value)
        if array.shape[-2:] != shape:
            raise IncompatibleError(f"{name}: expected an array of shape (..., {shape[0]}, {shape[1]}), got {array.shape}")
        return array
