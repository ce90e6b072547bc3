"""`Segments`: tensors that lie end to end, in rows of one length, with one number for each of several owners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

__all__ = ["Segments"]

# Lengths of rows: the longest that makes all of it at most an eighth longer, else the shortest.
_WIDTHS = (4096, 2048, 1024, 512, 256, 128, 64, 32)


class Segments:
    """A matrix of rows, in which the tensors of each owner follow each other and begin a row; the rest, and the end, is zero.

    An operation on it is one on all tensors, and a number for each owner is a number for each row: a small one costs what calling
    an operation costs, whatever the number of tensors.

    Args:
        shapes: of the tensors of each owner.
        owners: where numbers belong to entries and not to the owners of tensors: the number that each entry of the tensors takes,
            from 0 on, and how many there are.
        dtype, device: of the matrix.
    """

    def __init__(
        self,
        shapes: Sequence[Sequence[tuple[int, ...]]],
        dtype: torch.dtype,
        device: torch.device,
        owners: tuple[Tensor, int] | None = None,
    ) -> None:
        lengths = [sum(map(_size, each)) for each in shapes]
        # One entry at the end is always zero.
        lengths[-1] += 1
        fitting = [width for width in _WIDTHS if 8 * sum(_up(n, width) for n in lengths) <= 9 * sum(lengths)]
        self.width = fitting[0] if fitting else _WIDTHS[-1]
        if len(lengths) == 1:
            self.width = lengths[0]
        self.rows = sum(_up(n, self.width) for n in lengths) // self.width
        zero = torch.zeros(1, dtype=dtype, device=device)
        # What lies in the matrix, the tensors in between as shapes without memory, and where in that list and matrix they are.
        self._like: list[Tensor] = []
        self._at: list[int] = []
        self.starts: list[int] = []
        end = 0
        for each, n in zip(shapes, lengths, strict=True):
            stop = end + _up(n, self.width)
            for shape in each:
                self._at.append(len(self._like))
                self.starts.append(end)
                self._like.append(zero.expand(shape))
                end += _size(shape)
            if stop > end:
                self._like.append(torch.zeros(stop - end, dtype=dtype, device=device))
            end = stop
        of_row = [i for i, n in enumerate(lengths) for _ in range(_up(n, self.width) // self.width)]
        self.count, self._by_row = len(lengths), owners is None
        self._owner = torch.tensor(of_row, device=device)
        if owners is not None:
            which, self.count = owners
            self._owner = torch.zeros(self.rows * self.width, dtype=torch.int64, device=device)
            places = torch.cat(
                [torch.arange(s, s + _size(self._like[i].shape)) for s, i in zip(self.starts, self._at, strict=True)]
            )
            self._owner[places.to(device)] = which.to(device)
        self._is_own = self._by_row and of_row == list(range(len(lengths)))

    @property
    def size(self) -> int:
        """The number of entries of the matrix."""
        return self.rows * self.width

    def joined(self, tensors: Sequence[Tensor]) -> Tensor:
        """The matrix (rows, width) of tensors."""
        held = self._like.copy()
        for i, tensor in zip(self._at, tensors, strict=True):
            held[i] = tensor
        return _flatten_dense_tensors(held).view(self.rows, self.width)

    def cut(self, matrix: Tensor) -> list[Tensor]:
        """The tensors in their shapes; views of the matrix."""
        found: Any = _unflatten_dense_tensors(matrix.view(-1), self._like)
        return [found[i] for i in self._at]

    def sums(self, matrix: Tensor) -> Tensor:
        """The sum of the entries of each owner, (count,)."""
        found = matrix.sum(1) if self._by_row else matrix.view(-1)
        return found if self._is_own else found.new_zeros(self.count).index_add_(0, self._owner, found)

    def spread(self, numbers: Tensor) -> Tensor:
        """The number of each row, (rows, 1), or of each entry, (rows, width)."""
        found = numbers if self._is_own else numbers.index_select(0, self._owner)
        return found.view(self.rows, -1)


def _size(shape: tuple[int, ...]) -> int:
    out = 1
    for n in shape:
        out *= n
    return out


def _up(n: int, width: int) -> int:
    return -(-n // width) * width
