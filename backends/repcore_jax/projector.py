"""projector: the orthogonal projection onto the equivariant maps, as a pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

import repcore as rc
from repcore import IncompatibleError
from repcore_jax import maps
from repcore_jax.tables import Table, table_of

__all__ = ["Projector", "as_matrix", "projector", "working_dtype"]


@jax.tree_util.register_static
@dataclass(frozen=True, eq=False)
class Projector:
    """P, the Frobenius-orthogonal projector onto the equivariant maps X -> Y, with its two halves; all pure functions.

    With B_1, ..., B_dim the orthonormal basis of the plan, for canonical plans that of ``basis.to_numpy(orthonormal=True)``,

        coefficients(W)_a = <B_a, W>,    expand(theta) = sum_a theta_a B_a,    P W = expand(coefficients(W)).

    Made by :func:`projector`. Immutable; equal and hashed by the digest of the plan; a pytree without leaves. So it can
    be closed over, passed to ``jax.jit`` as it is or as a static argument, and stored in a state.

    Attributes:
        source: what it was made of: a space, a basis or a plan.
        plan: the plan that is executed.
    """

    source: Any
    plan: Any

    def __call__(self, W: ArrayLike) -> Array:
        """P W, (..., dim Y, dim X) -> the same shape."""
        self.plan.check_orthonormal()
        W = jnp.asarray(W)
        return self._run(maps.project, as_matrix(W, self.shape, "W"), W.dtype).reshape(W.shape)

    def coefficients(self, W: ArrayLike) -> Array:
        """<B_a, W> for each a, (..., dim Y, dim X) -> (..., dim): the coefficients of P W."""
        self.plan.check_orthonormal()
        W = jnp.asarray(W)
        return self._run(maps.coefficients, as_matrix(W, self.shape, "W"), W.dtype)

    def expand(self, theta: ArrayLike) -> Array:
        """sum_a theta_a B_a, (..., dim) -> (..., dim Y, dim X): the equivariant map with these coefficients."""
        theta = jnp.asarray(theta)
        if theta.ndim < 1 or theta.shape[-1] != self.dim:
            raise IncompatibleError(f"theta has shape {theta.shape}; the space needs (..., {self.dim})")
        return self._run(maps.expand, theta, theta.dtype)

    def matvec(self, theta: ArrayLike, x: ArrayLike) -> Array:
        """expand(theta) x, (..., dim) and (..., dim X) -> (..., dim Y). Forms the weight."""
        x = jnp.asarray(x)
        if x.ndim < 1 or x.shape[-1] != self.shape[1]:
            raise IncompatibleError(f"x has shape {x.shape}; the space needs (..., {self.shape[1]})")
        return jnp.einsum("...yx,...x->...y", self.expand(theta), x, precision=jax.lax.Precision.HIGHEST)

    @property
    def dim(self) -> int:
        """The number of coefficients."""
        return self.plan.dim

    @property
    def shape(self) -> tuple[int, int]:
        """(dim Y, dim X)."""
        return self.plan.shape

    @property
    def digest(self) -> str:
        """The name of the plan: equal for equal spaces, whoever solved them."""
        return self.plan.digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Projector) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<Projector dim={self.dim}, shape={self.shape}, digest={self.digest[:12]}>"

    @cached_property
    def _table(self) -> Table:
        return table_of(self.plan)

    def _run(self, run: Callable[[Array, Table], Array], array: Array, dtype: jnp.dtype) -> Array:
        work = working_dtype(dtype, self.plan.is_complex)
        result = run(array.astype(work), self._table)
        keep = self.plan.is_complex and not jnp.issubdtype(dtype, jnp.complexfloating)
        return result if keep else result.astype(dtype)


def projector(space: Any) -> Projector:
    """The projector onto the equivariant maps of a space, as a pure function of W.

    Works under ``jit``, ``grad``, ``vmap`` and forward mode, on NumPy and JAX arrays. W is (..., dim Y, dim X); a matrix of
    one column may be given as a vector (dim Y,). The result has the dtype of the argument, complex where the space is; the
    arithmetic is at least float32. Constants are the float64 ones of the plan, cast where a function is traced: float64
    needs ``jax_enable_x64``, as everywhere in JAX.

    Args:
        space: a space ``X >> Y``, its solved basis, its plan, or a :class:`Projector` (returned as it is). The projectors
            of the last 64 are kept.

    Returns:
        A callable W -> P W with the methods ``coefficients`` and ``expand``; see :class:`Projector`.

    Raises:
        IncompatibleError: in a call: a shape that is not the plan's, or an integer dtype.

    Theta is in the coordinates of the plan, canonical or irrep (``plan.coordinates``); the projection does not depend on them.

    Cost of a call: O(size of W) for orbit blocks, O(size of W * k) for factor blocks of k maps, O(size of W * (dY + dX)) for
    Schur blocks of dY x dX entries.

    >>> import jax, numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> project = projector(V >> V)
    >>> project(np.array([[1.0, 2.0], [3.0, 5.0]], np.float32)).round(5).tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    """
    return space if isinstance(space, Projector) else _projector(space)


@lru_cache(maxsize=64)
def _projector(space: Any) -> Projector:
    return Projector(space, rc.plan(space))


def working_dtype(dtype: jnp.dtype, is_complex: bool) -> jnp.dtype:
    """The dtype that the arithmetic runs in: at least float32, and complex where the plan is.

    Raises :class:`repcore.IncompatibleError` for an integer or boolean dtype.

    >>> str(working_dtype(jnp.dtype("bfloat16"), False)), str(working_dtype(jnp.dtype("float32"), True))
    ('float32', 'complex64')
    """
    if not jnp.issubdtype(dtype, jnp.inexact):
        raise IncompatibleError(f"the array has dtype {dtype}; give a floating point or complex one")
    wide = jnp.promote_types(dtype, jnp.float32)
    return jnp.promote_types(wide, jnp.complex64) if is_complex else wide


def as_matrix(W: Array, shape: tuple[int, int], name: str) -> Array:
    """W as (..., dim Y, dim X); a vector (dim Y,) becomes a column where dim X is 1.

    Raises IncompatibleError with the name, the shape and the expected shape if it is neither.
    """
    if W.ndim >= 2 and W.shape[-2:] == shape:
        return W
    if shape[1] == 1 and W.shape == shape[:1]:
        return W[:, None]
    rule = f"(..., {shape[0]}, {shape[1]})" + (f" or ({shape[0]},)" if shape[1] == 1 else "")
    raise IncompatibleError(f"{name} has shape {W.shape}; a map of this space has shape (dim Y, dim X) = {shape}, so give {rule}")
