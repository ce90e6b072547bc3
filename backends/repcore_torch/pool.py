"""InvariantPool: features that the group does not change, from any features."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.features import FieldTable, times, working
from repcore_torch.field_layer import FieldLayer
from repcore_torch.nonlinear import length

__all__ = ["InvariantPool"]

How = Literal["mean", "max", "norm"]


class InvariantPool(FieldLayer):
    """X -> k * one: what of each copy the group leaves as it is.

    ==========  ==================================================  =====================================================
    how         copies whose components the group permutes          other copies
    ==========  ==================================================  =====================================================
    "mean"      the mean over each orbit of components              Q^T x, and the length of x - Q Q^T x if t < d
    "max"       the maximum over each orbit of components           the same
    "norm"      as other copies                                     the same
    ==========  ==================================================  =====================================================

    Q (d, t) is an orthonormal basis of the invariant vectors of the summand, that of ``rc.fields(X)``. A scalar gives itself, a
    transitive permutation representation one number, an irrep its length. The features are in the order of the fields, of their
    copies, and within a copy in the order above.

    The gradient of the length is 0 at 0, and that of the maximum is shared among equal components, so that both commute with X.

    Args:
        X: an orthogonal, real representation.
        how: see above.
        axis: the axis of the features; 1 for images.

    Shapes: (..., dim X) -> (..., k), k = ``codomain.dim``. Computed in float32 at least; the result has the dtype of x.

    Raises:
        IncompatibleError: X is not orthogonal or not real, an unknown ``how``; an x of another size; a ``state_dict`` of
            another representation.

    >>> import repcore as rc, torch
    >>> D4 = rc.dihedral(4)
    >>> pool = InvariantPool(2 * rc.regular(D4) + D4.rep, "max")
    >>> str(pool.codomain), pool(torch.tensor([*range(16), 3.0, 4.0])).tolist()
    ('3*1', [7.0, 15.0, 5.0])
    """

    def __init__(self, X: Any, how: How = "mean", *, axis: int = -1) -> None:
        if how not in ("mean", "max", "norm"):
            raise IncompatibleError(f"how is {how!r}; choose one of 'mean', 'max', 'norm'")
        super().__init__(X, axis)
        self.how: How = how
        counts = [f.invariants if self._by_orbits(f) else min(f.invariants + 1, f.dim) for f in self._features.fields]
        size = sum(field.copies * count for field, count in zip(self._features.fields, counts, strict=True))
        self._codomain = size * rc.trivial(X.group)

    @property
    def codomain(self) -> rc.Rep:
        """k * one."""
        return self._codomain

    def forward(self, x: Tensor) -> Tensor:
        """The invariant features (..., k) of x (..., dim X)."""
        features = self._features
        axis, work = features.axis(x, self.axis), working(x, "InvariantPool")
        constants = features.on(work, x.device)
        split = features.split(x.to(work), axis, constants)
        parts: list[Tensor] = []
        for part, field, basis, order in zip(split, features.fields, constants.bases, constants.orbits, strict=True):
            if field.is_trivial:
                found = part
            elif self._by_orbits(field):
                found = _over_orbits(part, axis + 1, field, order, self.how)
            else:
                found = _measured(part, axis + 1, field, basis)
            parts.append(found.flatten(axis, axis + 1))
        y = torch.cat(parts, axis) if parts else x
        return y.to(x.dtype)

    def extra_repr(self) -> str:
        """What ``repr`` shows: the representation, the kind of pooling, the sizes."""
        return f"{super().extra_repr()}, how={self.how!r}, {self._features.dim} -> {self._codomain.dim}"

    def _by_orbits(self, field: FieldTable) -> bool:
        return self.how != "norm" and field.is_permutation


def _over_orbits(x: Tensor, axis: int, field: FieldTable, order: tuple[Tensor, Tensor] | None, how: How) -> Tensor:
    """The mean or maximum over each orbit of the components along an axis, which then counts the orbits."""
    if order is None:
        return x.amax(axis, keepdim=True) if how == "max" else x.mean(axis, keepdim=True)
    parts = x.index_select(axis, order[0]).split([number * size for number, size in field.orbits], axis)
    shaped = [part.unflatten(axis, orbits) for part, orbits in zip(parts, field.orbits, strict=True)]
    found = [part.amax(axis + 1) if how == "max" else part.mean(axis + 1) for part in shaped]
    return torch.cat(found, axis).index_select(axis, order[1])


def _measured(x: Tensor, axis: int, field: FieldTable, basis: Tensor) -> Tensor:
    """The coordinates of the invariant part along an axis, and the length of the rest."""
    if not field.invariants:
        return length(x, axis)[0]
    # The basis has columns of mean square 1, so sqrt(d) Q.
    coordinates = times(x, basis, axis) / field.dim**0.5
    if field.invariants == field.dim:
        return coordinates
    rest = x - times(coordinates, basis.mT, axis) / field.dim**0.5
    return torch.cat([coordinates, length(rest, axis, x)[0]], axis)
