"""The floating-point side of an exact space of maps Hom(V, W), in orthonormal coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from repcore.decompose.frame import Frame
from repcore.decompose.residue import UNIT, norm
from repcore.exact.field import QQ
from repcore.exact.matrix import Matrix

__all__ = ["Element", "Span", "make_span"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# Above this share of entries a linear system is solved densely.
_DENSE = 0.02


@dataclass(frozen=True, eq=False)
class Element:
    """An exact element of the space as a float array (m, n), and a bound on the Frobenius norm of the rounding in it."""

    array: Array
    rounding: float


@dataclass(frozen=True, eq=False)
class Span:
    """Hom(V, W) as sparse floats: element ``rows[e]`` has the value ``values[e]`` at the flat place ``places[e]``.

    Any float coefficients stand for an exact element of the space, which :meth:`combine` then rounds.

    Attributes:
        shape: (dim W, dim V).
        count: the exact dimension.
        domain: the frame of V.
        codomain: the frame of W.
    """

    shape: tuple[int, int]
    count: int
    rows: Ints
    places: Ints
    values: Array
    domain: Frame
    codomain: Frame

    @cached_property
    def lengths(self) -> npt.NDArray[np.float64]:
        """The Frobenius norms of the elements, before the change of coordinates."""
        return np.sqrt(np.bincount(self.rows, np.abs(self.values) ** 2, self.count))

    @cached_property
    def _deepest(self) -> int:
        """The largest number of elements that meet in one place."""
        return int(np.bincount(self.places, minlength=1).max())

    @cached_property
    def _is_integral(self) -> bool:
        """Whether the values are integers so small that sums of 26-bit multiples of them are exact."""
        whole = not np.iscomplexobj(self.values) and bool(np.all(self.values == np.round(self.values)))
        return whole and float(np.abs(self.values).max(initial=0.0)) * self._deepest < 2**24

    @cached_property
    def _is_constant(self) -> bool:
        """Whether a combination is one coefficient at each place, so that nothing is rounded."""
        straight = self.domain.is_orthogonal and self.codomain.is_orthogonal and bool(np.all(self.domain.scale == 1))
        return straight and bool(np.all(self.codomain.scale == 1)) and self._deepest == 1 and bool(np.all(self.values == 1))

    def combine(self, coefficients: Array) -> Element:
        """sum_i c_i M_i, in the orthonormal coordinates of both sides."""
        m, n = self.shape
        flat, rounding = self._combined(coefficients)
        if self._is_constant:
            return Element(flat.reshape(m, n), 0.0)
        out = flat.reshape(m, n)
        to, back = self.codomain.to, self.domain.back
        if self.codomain.is_diagonal and self.domain.is_diagonal:
            factors = np.abs(to)[:, None] * np.abs(back)[None, :]
            out = out * to[:, None] * back[None, :]
            return Element(out, norm((rounding.reshape(m, n) + 8 * UNIT * np.abs(flat.reshape(m, n))) * factors))
        left = np.diag(to) if self.codomain.is_diagonal else to
        right = np.diag(back) if self.domain.is_diagonal else back
        magnitude = np.abs(left) @ (np.abs(flat) + rounding / UNIT / (m + n + 16)).reshape(m, n) @ np.abs(right)
        out = left @ out @ right
        return Element(out, 2 * (m + n + 16) * UNIT * norm(magnitude) + self.domain.slip * norm(out))

    def _combined(self, coefficients: Array) -> tuple[Array, Array]:
        """The flat sums, and a bound on the rounding in each."""
        size = self.shape[0] * self.shape[1]
        if not self._is_integral:
            weighted = coefficients[self.rows] * self.values
            magnitude = np.bincount(self.places, np.abs(weighted), size)
            return _sums(self.places, weighted, size), (self._deepest + 4) * UNIT * magnitude
        # Leading halves of 26 bits times small integers add up without rounding; the rest is small.
        largest = float(max(np.abs(np.real(coefficients)).max(initial=0.0), np.abs(np.imag(coefficients)).max(initial=0.0)))
        step = float(np.exp2(np.frexp(largest)[1] - 26.0))
        high = np.round(coefficients / step) * step
        low = (coefficients - high)[self.rows] * self.values
        flat = _sums(self.places, high[self.rows] * self.values, size)
        tails = (self._deepest + 2) * UNIT * np.bincount(self.places, np.abs(low), size)
        flat = flat + _sums(self.places, low, size)
        return flat, tails + 1.5 * UNIT * np.abs(flat)

    def pair(self, target: Array) -> Array:
        """tr(M_i T) for every element and an array T: W -> V in the orthonormal coordinates."""
        left, right = self.domain.back, self.codomain.to
        moved = left[:, None] * target if self.domain.is_diagonal else left @ target
        moved = moved * right[None, :] if self.codomain.is_diagonal else moved @ right
        flat = np.ascontiguousarray(moved.T).ravel()
        weighted = self.values * flat[self.places]
        return _sums(self.rows, weighted, self.count)

    def project(self, dual: Span, target: Array) -> Array:
        """The coefficients of the Haar mean of an array T: V -> W; ``dual`` is Hom(W, V).

        The mean X satisfies tr(N_j X) = tr(N_j T) for every N_j in Hom(W, V), which determines it.
        """
        return self._solve(dual, dual.pair(target))

    def _solve(self, dual: Span, right: Array) -> Array:
        if not self.count:
            return right
        return (self._own_solver if dual is self else self._solver(dual))(right)

    @cached_property
    def _own_solver(self) -> Callable[[Array], Array]:
        return self._solver(self)

    def _solver(self, dual: Span) -> Callable[[Array], Array]:
        system = self._pairing(dual)
        if system.nnz <= _DENSE * self.count**2 or self.count > 5000:
            from scipy.sparse.linalg import splu

            factored = cast(Any, splu(system.tocsc()))

            def solve(right: Array) -> Array:
                return np.asarray(factored.solve(np.ascontiguousarray(right, system.dtype)))

        else:
            from scipy.linalg import lu_factor, lu_solve

            pair = cast(Any, lu_factor(system.toarray()))

            def solve(right: Array) -> Array:
                return np.asarray(cast(Any, lu_solve)(pair, right))

        def solve_parts(right: Array) -> Array:
            # A real system with a complex right-hand side is two real ones.
            if np.iscomplexobj(right) and system.dtype.kind == "f":
                return solve(np.real(right)) + 1j * solve(np.imag(right))
            return solve(right)

        return solve_parts

    def _pairing(self, dual: Span) -> Any:
        """The sparse matrix tr(N_j M_i) of shape (count, count)."""
        from scipy.sparse import csr_array

        m, n = self.shape
        y, x = np.divmod(dual.places, m)
        ours = csr_array((self.values, (self.rows, self.places)), shape=(self.count, m * n))
        theirs = csr_array((dual.values, (dual.rows, x * n + y)), shape=(dual.count, m * n))
        return theirs @ ours.T


def make_span(basis: Matrix, domain: Frame, codomain: Frame) -> Span:
    """The float form of the exact echelon rows (k, dim W * dim V) of Hom(V, W), times their common denominator."""
    shape = (len(codomain.scale), len(domain.scale))
    if basis.field == QQ and basis.nums.dtype != object and int(np.abs(basis.nums).max(initial=0)) < 2**53:
        values = basis.nums[:, 0].astype(np.float64)
    else:
        values = basis.values()
    return Span(shape, basis.shape[0], basis.rows, basis.cols, values, domain, codomain)


def _sums(keys: Ints, values: Array, size: int) -> Array:
    if np.iscomplexobj(values):
        return np.bincount(keys, np.real(values), size) + 1j * np.bincount(keys, np.imag(values), size)
    return np.bincount(keys, values, size)
