"""The feature fields of a representation as NumPy constants, and the verbs by which layers act on each copy of a summand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.projector import working_dtype

__all__ = ["Features", "FieldTable", "along", "features_of", "times", "working"]


@dataclass(frozen=True, eq=False)
class FieldTable:
    """One field where its copies lie side by side: ``copies`` copies of ``dim`` features.

    ``basis`` (dim, t) spans the invariant vectors of a copy, with entries of mean square 1, so that for a transitive permutation
    representation it is the vector of ones. ``copy`` and ``invariant`` count the copies and invariants before this field.
    ``orbits`` are the components of each orbit, where the group permutes them, as arrays (number, size) of orbits of equal size,
    and ``places`` sorts them by number.
    """

    copies: int
    dim: int
    basis: np.ndarray
    copy: int
    invariant: int
    is_permutation: bool
    is_trivial: bool
    orbits: tuple[np.ndarray, ...]
    places: np.ndarray

    @property
    def invariants(self) -> int:
        """The number t of invariants of a copy."""
        return self.basis.shape[1]


@dataclass(frozen=True, eq=False)
class Features:
    """The fields of a representation with their constants; equal and hashed by the representation.

    Attributes:
        rep: X.
        who: the function that asks, for messages.
        fields: one table for each field of ``rc.fields(X)``.
        copies: the number of copies of all fields.
        invariants: the number of invariants of all copies.
        order: (dim X,) sorts the features field by field; None where they are sorted.
        owner: (dim X,) the copy that a feature belongs to.
        mean: (dim X,) the direction u of the mean; zero where there is none.
    """

    rep: Any
    who: str
    fields: tuple[FieldTable, ...]
    copies: int
    invariants: int
    order: np.ndarray | None
    owner: np.ndarray
    mean: np.ndarray

    def axis(self, x: Array, axis: int) -> int:
        """The axis of the features, counted from the front; raises IncompatibleError unless x has dim X of them there."""
        if not -x.ndim <= axis < x.ndim or x.shape[axis] != self.rep.dim:
            raise IncompatibleError(f"x has shape {x.shape}; {self.who} needs {self.rep.dim} features along axis {axis}")
        return axis % x.ndim

    def split(self, x: Array, axis: int) -> list[Array]:
        """x with (copies, dim) in place of its features, for each field."""
        if self.order is not None:
            x = jnp.take(x, self.order, axis, mode="clip")
        ends = np.cumsum([field.copies * field.dim for field in self.fields])[:-1].tolist()
        parts = jnp.split(x, ends, axis) if self.fields else []
        return [
            p.reshape(*p.shape[:axis], field.copies, field.dim, *p.shape[axis + 1 :])
            for p, field in zip(parts, self.fields, strict=True)
        ]

    def join(self, parts: Sequence[Array], axis: int, like: Array) -> Array:
        """The inverse of :meth:`split`."""
        if not parts:
            return like
        flat = [p.reshape(*p.shape[:axis], p.shape[axis] * p.shape[axis + 1], *p.shape[axis + 2 :]) for p in parts]
        y = flat[0] if len(flat) == 1 else jnp.concatenate(flat, axis)
        return y if self.order is None else jnp.take(y, np.argsort(self.order).astype(np.int32), axis, mode="clip")

    def shift(self, bias: Array) -> Array:
        """The invariant vector (dim X,) with given coordinates (invariants,)."""
        parts = []
        for field in self.fields:
            own = bias[field.invariant : field.invariant + field.copies * field.invariants]
            parts.append(times(own.reshape(field.copies, field.invariants), field.basis.T, 1))
        return self.join(parts, 0, bias)

    def checked(self, params: dict[str, Array], sizes: dict[str, int]) -> dict[str, Array]:
        """The parameters of given sizes; raises IncompatibleError where they are others."""
        found = {name: jnp.shape(value) for name, value in params.items()}
        wanted = {name: (size,) for name, size in sizes.items()}
        if found != wanted:
            raise IncompatibleError(f"params has shapes {found}; {self.who} needs {wanted}, see init")
        return {name: jnp.asarray(value) for name, value in params.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Features) and self.rep == other.rep

    def __hash__(self) -> int:
        return hash(self.rep)


def features_of(rep: Any, who: str, axis: object, *, orthogonal: bool = True) -> Features:
    """The fields of a representation, which must be real and, unless said otherwise, orthogonal."""
    if not isinstance(rep, rc.Rep):
        raise IncompatibleError(f"X: expected a representation, got {type(rep).__name__}; write {who}(X)")
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise IncompatibleError(f"axis is {axis!r}; give the number of the axis of x that holds the features")
    found = rc.fields(rep)
    owner, mean = np.zeros(rep.dim, np.int32), np.zeros(rep.dim)
    tables: list[FieldTable] = []
    copy = invariant = 0
    for field in found:
        if not field.is_real:
            raise IncompatibleError(f"X: {field.rep} is complex, and {who} acts on real features; give X.realify()")
        if orthogonal and not field.is_orthogonal:
            raise IncompatibleError(
                f"X: {field.rep} is not orthogonal, so that {who}, which measures lengths, does not commute with it; "
                "rc.orthogonalised(X) has the coordinates in which it would"
            )
        owner[field.positions] = copy + np.arange(field.copies)[:, None]
        mean[field.positions] = field.mean
        one_orbit = field.is_permutation and field.invariants.shape[1] == 1
        basis = np.ones((field.dim, 1)) if one_orbit else field.invariants * field.dim**0.5
        kinds = (field.is_permutation, field.is_trivial, *_orbits(field.orbits))
        tables.append(FieldTable(field.copies, field.dim, basis, copy, invariant, *kinds))
        copy, invariant = copy + field.copies, invariant + field.copies * basis.shape[1]
    order = np.concatenate([np.arange(0), *(field.positions.ravel() for field in found)])
    is_sorted = bool(np.array_equal(order, np.arange(rep.dim)))
    return Features(rep, who, tuple(tables), copy, invariant, None if is_sorted else order.astype(np.int32), owner, mean)


def working(x: Array, who: str) -> jnp.dtype:
    """The dtype that statistics are taken in, at least float32; raises IncompatibleError for integers and complex numbers."""
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise IncompatibleError(f"x has dtype {x.dtype}; {who} acts on real features, (Re, Im) stacked as X.realify() has them")
    return working_dtype(x.dtype, False)


def along(vector: Array | np.ndarray, axis: int, ndim: int) -> Array:
    """A vector along one of ``ndim`` axes; a matrix along that one and the next."""
    return jnp.asarray(vector).reshape(*vector.shape, *(1,) * (ndim - axis - vector.ndim))


def times(x: Array, matrix: np.ndarray, axis: int) -> Array:
    """The product of the vectors along an axis of x with a matrix (d, t)."""
    product = jnp.tensordot(x, matrix.astype(x.dtype), (axis, 0), precision=jax.lax.Precision.HIGHEST)
    return jnp.moveaxis(product, -1, axis)


def _orbits(orbits: np.ndarray | None) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    if orbits is None:
        return (), np.arange(0, dtype=np.int32)
    sizes = np.bincount(orbits)
    by_size = np.argsort(sizes, kind="stable")
    members = np.lexsort((orbits, sizes[orbits]))
    kinds, counts = np.unique(sizes, return_counts=True)
    parts = np.split(members, np.cumsum(kinds * counts)[:-1])
    shaped = tuple(part.reshape(count, size).astype(np.int32) for part, count, size in zip(parts, counts, kinds, strict=True))
    return shaped, np.argsort(by_size).astype(np.int32)
