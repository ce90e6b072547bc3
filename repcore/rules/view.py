"""`View`: how a weight tensor of some layer is read as a map (..., dim Y, dim X), and written back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

__all__ = ["View", "view_of"]


@dataclass(frozen=True)
class View:
    """A reshape, a permutation of axes and a reshape: tensor of one shape <-> map (..., dim Y, dim X).

        read(t) = t.reshape(split).permute(order).reshape(batch + (rows, cols)),        write is its inverse.

    Entries only move, so that both are isometries of the Frobenius norm: projecting the map projects the tensor. Both take
    arrays of NumPy, JAX and PyTorch.

    Attributes:
        shape: of the tensor.
        split: the shape with axes of several parts split.
        order: the permutation of the axes of ``split``.
        batch: leading axes of the map, each entry of which is a map of its own.
        rows: dim Y.
        cols: dim X.

    >>> import numpy as np
    >>> kernel = np.arange(12).reshape(2, 3, 2)        # a convolution: cells, inputs, outputs
    >>> view = view_of(kernel.shape, ("s", "i", "o"), rows="o", cols="is")
    >>> view.read(kernel).shape, bool((view.write(view.read(kernel)) == kernel).all())
    ((2, 6), True)
    """

    shape: tuple[int, ...]
    split: tuple[int, ...]
    order: tuple[int, ...]
    batch: tuple[int, ...]
    rows: int
    cols: int

    @property
    def is_plain(self) -> bool:
        """Whether reading moves nothing: a reshape is all."""
        return self.order == tuple(range(len(self.order)))

    def read(self, tensor: Any) -> Any:
        """The tensor as a map, of ``shape`` -> (..., rows, cols)."""
        return _permuted(tensor.reshape(self.split), self.order).reshape((*self.batch, self.rows, self.cols))

    def write(self, matrix: Any) -> Any:
        """The tensor of a map, (..., rows, cols) -> of ``shape``."""
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return _permuted(matrix.reshape([self.split[k] for k in self.order]), tuple(back)).reshape(self.shape)


def view_of(shape: Iterable[int], axes: Iterable[str], *, rows: str, cols: str, parts: int = 1, split: str = "o") -> View:
    """The view of a tensor whose axes have these names.

    Args:
        shape: of the tensor.
        axes: a name for each axis: ``o`` features that come out, ``i`` features that go in, ``s`` cells of a kernel; any other:
            a batch of maps. Axes of one name are read in the order in which they stand.
        rows: the names that make dim Y, in order, such as ``"o"``.
        cols: likewise for dim X, such as ``"is"``.
        parts: maps that lie one behind the other along the first axis named ``split``; they become a batch.
        split: see ``parts``.
    """
    shape, axes = tuple(shape), list(axes)
    sizes: list[int] = []
    names: list[str] = []
    at = axes.index(split) if parts > 1 else -1
    for k, (size, name) in enumerate(zip(shape, axes, strict=True)):
        if k == at:
            sizes.append(parts)
            names.append("parts")
            size //= parts
        sizes.append(size)
        names.append(name)
    inner = [[k for k, name in enumerate(names) if name == wanted] for wanted in (*rows, *cols)]
    down = [k for axis in inner[: len(rows)] for k in axis]
    across = [k for axis in inner[len(rows) :] for k in axis]
    batch = [k for k in range(len(names)) if k not in down and k not in across]
    return View(
        shape,
        tuple(sizes),
        (*batch, *down, *across),
        tuple(sizes[k] for k in batch),
        prod(sizes[k] for k in down),
        prod(sizes[k] for k in across),
    )


def _permuted(tensor: Any, order: tuple[int, ...]) -> Any:
    if order == tuple(range(len(order))):
        return tensor
    return tensor.permute(order) if hasattr(tensor, "permute") else tensor.transpose(order)
