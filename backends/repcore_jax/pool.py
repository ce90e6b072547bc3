"""invariant_pool: features that the group does not change, from any features, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.features import Features, FieldTable, features_of, times, working
from repcore_jax.nonlinear import length

__all__ = ["InvariantPool", "invariant_pool"]

How = Literal["mean", "max", "norm"]


@jax.tree_util.register_static
@dataclass(frozen=True)
class InvariantPool:
    """X -> k * one; made by :func:`invariant_pool`. Immutable; a pytree without leaves.

    Attributes:
        features: the fields of X.
        how: the kind of pooling.
        axis: the axis of the features.
    """

    features: Features
    how: How
    axis: int

    @property
    def domain(self) -> rc.Rep:
        """X."""
        return self.features.rep

    @property
    def codomain(self) -> rc.Rep:
        """k * one."""
        counts = [f.invariants if self._by_orbits(f) else min(f.invariants + 1, f.dim) for f in self.features.fields]
        size = sum(field.copies * count for field, count in zip(self.features.fields, counts, strict=True))
        return size * rc.trivial(self.features.rep.group)

    def init(self, key: Array | None = None, dtype: Any = None) -> dict[str, Array]:
        """There are no parameters."""
        return {}

    def apply(self, params: dict[str, Array], x: ArrayLike) -> Array:
        """The invariant features (..., k) of x (..., dim X)."""
        x, features = jnp.asarray(x), self.features
        axis, work = features.axis(x, self.axis), working(x, features.who)
        features.checked(params, {})
        parts: list[Array] = []
        for part, field in zip(features.split(x.astype(work), axis), features.fields, strict=True):
            if field.is_trivial:
                found = part
            elif self._by_orbits(field):
                found = _over_orbits(part, axis + 1, field, self.how)
            else:
                found = _measured(part, axis + 1, field)
            # Not -1, which an x of no places leaves open.
            size = found.shape[axis] * found.shape[axis + 1]
            parts.append(found.reshape(*found.shape[:axis], size, *found.shape[axis + 2 :]))
        return (jnp.concatenate(parts, axis) if parts else x).astype(x.dtype)

    def __call__(self, x: ArrayLike) -> Array:
        """``apply({}, x)``."""
        return self.apply({}, x)

    def __repr__(self) -> str:
        return f"<invariant_pool {self.features.rep} -> {self.codomain}, how={self.how!r}, axis={self.axis}>"

    def _by_orbits(self, field: FieldTable) -> bool:
        return self.how != "norm" and field.is_permutation


def invariant_pool(X: Any, how: How = "mean", *, axis: int = -1) -> InvariantPool:
    """X -> k * one as a pure function: what of each copy the group leaves as it is.

    Of copies whose components the group permutes the mean or maximum over each orbit, of others the coordinates Q^T x of the
    invariant part and the length of the rest; with ``"norm"`` these for all copies. See ``repcore_torch.InvariantPool``. There
    are no parameters: ``invariant_pool(X)(x)`` is ``invariant_pool(X).apply({}, x)``.

    Args:
        X: an orthogonal, real representation.
        how: ``"mean"``, ``"max"`` or ``"norm"``.
        axis: the axis of the features.

    Raises:
        IncompatibleError: X is not orthogonal or not real, an unknown ``how``; in a call, an x of another size.

    >>> import numpy as np, repcore as rc
    >>> D4 = rc.dihedral(4)
    >>> pool = invariant_pool(2 * rc.regular(D4) + D4.rep, "max")
    >>> str(pool.codomain), pool(np.array([*range(16), 3.0, 4.0], np.float32)).tolist()
    ('3*1', [7.0, 15.0, 5.0])
    """
    if how not in ("mean", "max", "norm"):
        raise IncompatibleError(f"how is {how!r}; choose one of 'mean', 'max', 'norm'")
    return InvariantPool(features_of(X, "invariant_pool", axis), how, axis)


def _over_orbits(x: Array, axis: int, field: FieldTable, how: How) -> Array:
    """The mean or maximum over each orbit of the components along an axis, which then counts the orbits."""
    reduce = jnp.max if how == "max" else jnp.mean
    if field.invariants == 1:
        return reduce(x, axis, keepdims=True)
    # Orbits of one size at a time: a place that counts twice would have twice the gradient.
    parts = [reduce(jnp.take(x, orbits, axis, mode="clip"), axis + 1) for orbits in field.orbits]
    return jnp.take(jnp.concatenate(parts, axis), field.places, axis, mode="clip")


def _measured(x: Array, axis: int, field: FieldTable) -> Array:
    """The coordinates of the invariant part along an axis, and the length of the rest."""
    if not field.invariants:
        return length(x, axis)[0]
    # The basis has columns of mean square 1, so sqrt(d) Q.
    coordinates = times(x, field.basis, axis) / field.dim**0.5
    if field.invariants == field.dim:
        return coordinates
    rest = x - times(coordinates, field.basis.T, axis) / field.dim**0.5
    return jnp.concatenate([coordinates, length(rest, axis, x)[0]], axis)
