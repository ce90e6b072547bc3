"""FieldLayer: what modules have in common that act on each copy of a summand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.digest import Digested
from repcore_torch.features import Features

__all__ = ["FieldLayer"]


class FieldLayer(Digested):
    """The fields of X, where their features are, and the digest of X in the ``state_dict``; abstract.

    Attributes:
        axis: the axis of x that holds the features.
    """

    _like: Tensor

    def __init__(
        self, X: Any, axis: int, *, orthogonal: bool = True, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self._features = Features(X, type(self).__name__, orthogonal)
        if not isinstance(axis, int) or isinstance(axis, bool):
            raise IncompatibleError(f"axis is {axis!r}; give the number of the axis of x that holds the features")
        self.axis = axis
        # What the dtype and the device are where nothing is learned; it moves with the module.
        self.register_buffer("_like", torch.empty(0, device=device, dtype=dtype), persistent=False)
        self._features.prepare(self._like.dtype, self._like.device)

    @property
    def domain(self) -> rc.Rep:
        """The representation of the input."""
        return self._features.rep

    @property
    def codomain(self) -> rc.Rep:
        """The representation of the output."""
        return self._features.rep

    @property
    def digest(self) -> str:
        """The name of X, which the ``state_dict`` holds."""
        return self._features.rep.digest

    def extra_repr(self) -> str:
        """What ``repr`` shows: the representation, the number of copies and of invariants, the axis."""
        name, features = str(self._features.rep), self._features
        shown = name if len(name) <= 60 else f"dimension {features.dim}"
        return f"{shown}, copies={features.copies}, invariants={features.invariants}, axis={self.axis}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self._features.prepare(self._like.dtype, self._like.device)
        return self
