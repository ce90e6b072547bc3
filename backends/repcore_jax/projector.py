"""projector: the orthogonal projection onto the equivariant maps, as a pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

import repcore as rc
from repcore import IncompatibleError
from repcore_jax import maps
from repcore_jax.meshes import on_mesh, spec_of
from repcore_jax.tables import Table, cast, on_device, table_of

__all__ = ["Projector", "as_matrix", "projector", "working_dtype"]


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Projector:
    """P, the Frobenius-orthogonal projector onto the equivariant maps X -> Y, with its two halves; all pure functions.

    With B_1, ..., B_dim the orthonormal basis of the plan, for canonical plans that of ``basis.to_numpy(orthonormal=True)``,

        coefficients(W)_a = <B_a, W>,    expand(theta) = sum_a theta_a B_a,    P W = expand(coefficients(W)).

    Made by :func:`projector`. Immutable; equal and hashed by the digest of the plan; a pytree without leaves. So it can
    be closed over, passed to ``jax.jit`` as it is or as a static argument, and stored in a state. Its constants then are
    literals of the compiled function; :meth:`on_device` gives the same projector as a pytree of arrays, to be an argument.

    A weight that is sharded by copies of X, of Y or of both is projected without communication, and its sharding is kept.
    Coefficients are one vector, in which the copies of Y alone can be apart, and these only in canonical coordinates; other
    shardings of the weight are gathered there.

    Attributes:
        source: what it was made of: a space, a basis or a plan.
        plan: the plan that is executed.
        table: None, or the constants as arrays, see :meth:`on_device`.
    """

    source: Any
    plan: Any
    table: Any = None

    def __call__(self, W: ArrayLike) -> Array:
        """P W, (..., dim Y, dim X) -> the same shape."""
        self.plan.check_orthonormal()
        W = jnp.asarray(W)
        matrix = as_matrix(W, self.shape, "W")
        return self._run(maps.project, matrix, matrix.shape, spec_of(matrix)).reshape(W.shape)

    def coefficients(self, W: ArrayLike) -> Array:
        """<B_a, W> for each a, (..., dim Y, dim X) -> (..., dim): the coefficients of P W."""
        self.plan.check_orthonormal()
        matrix = as_matrix(jnp.asarray(W), self.shape, "W")
        return self._run(maps.coefficients, matrix, (*matrix.shape[:-2], self.dim), spec_of(matrix)[:-1])

    def expand(self, theta: ArrayLike) -> Array:
        """sum_a theta_a B_a, (..., dim) -> (..., dim Y, dim X): the equivariant map with these coefficients."""
        theta = jnp.asarray(theta)
        if theta.ndim < 1 or theta.shape[-1] != self.dim:
            raise IncompatibleError(f"theta has shape {theta.shape}; the space needs (..., {self.dim})")
        return self._run(maps.expand, theta, (*theta.shape[:-1], *self.shape), (*spec_of(theta), None))

    def matvec(self, theta: ArrayLike, x: ArrayLike) -> Array:
        """expand(theta) x, (..., dim) and (..., dim X) -> (..., dim Y). Forms the weight."""
        x = jnp.asarray(x)
        if x.ndim < 1 or x.shape[-1] != self.shape[1]:
            raise IncompatibleError(f"x has shape {x.shape}; the space needs (..., {self.shape[1]})")
        return jnp.einsum("...yx,...x->...y", self.expand(theta), x, precision=jax.lax.Precision.HIGHEST)

    def on_device(self, dtype: Any = None) -> Projector:
        """The same projector as a pytree whose leaves are its constants, on the default device.

        As an argument of a compiled function its constants are arguments too. Those of a plain projector are literals: a plan
        of 32 MB makes the program 64 MB of text and the executable 64 MB, once for each compiled function, and compiling six
        times as slow. Below 1 MB that does not matter. Closed over, this projector is a literal again. Give it as ``space`` to
        whatever takes one. ``jax.device_put`` moves it, for instance to each device of a mesh; it is no parameter, so keep it
        out of what an optimiser updates.

        Args:
            dtype: the dtype of the weights, by default JAX's default float; a weight that needs a more precise one is refused.

        >>> import jax, numpy as np, repcore as rc
        >>> V = rc.dihedral(4).rep
        >>> project = projector(V >> V).on_device()
        >>> jax.jit(lambda project, W: project(W))(project, np.array([[1.0, 2.0], [3.0, 5.0]], np.float32)).round(5).tolist()
        [[3.0, 0.0], [0.0, 3.0]]
        """
        dtype = jnp.dtype(dtype) if dtype is not None else jnp.zeros(0).dtype
        plain = self if self.table is None else replace(self, table=None)
        return replace(self, table=on_device(plain._constants(working_dtype(dtype, self.plan.is_complex))))

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

    def tree_flatten(self) -> tuple[tuple[Any], Any]:
        """The constants, if they are arrays of a device, and the projector without them."""
        return (self.table,), replace(self, table=None) if self.table is not None else self

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Any) -> Any:
        """The inverse of :meth:`tree_flatten`."""
        return aux if children[0] is None else replace(aux, table=children[0])

    @cached_property
    def _tables(self) -> dict[jnp.dtype, Table]:
        """The constants by dtype: cast once, so that the halves of a projection share them."""
        return {}

    def _constants(self, work: jnp.dtype) -> Table:
        if self.table is None:
            if work not in self._tables:
                self._tables[work] = cast(table_of(self.plan), work)
            return self._tables[work]
        for leaf in jax.tree_util.tree_leaves(self.table):
            if jnp.issubdtype(leaf.dtype, jnp.inexact) and jnp.finfo(leaf.dtype).eps > jnp.finfo(work).eps:
                raise IncompatibleError(
                    f"the constants are {leaf.dtype} and the array needs {work.name}: call on_device({work.name!r})"
                )
        return self.table

    def _run(self, run: Callable[[Array, Table], Array], array: Array, shape: tuple[int, ...], spec: tuple[Any, ...]) -> Array:
        dtype = array.dtype
        work = working_dtype(dtype, self.plan.is_complex)
        result = on_mesh(run, (array.astype(work), self._constants(work)), shape, spec)
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
