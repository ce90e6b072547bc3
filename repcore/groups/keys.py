"""Finding rows of integers in a table, many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["Keys"]

Ints = npt.NDArray[np.int64]

# A table of this many places answers without a search.
_DIRECT = 1 << 21


@dataclass(frozen=True, eq=False)
class Keys:
    """The rows of ``rows`` (count, length), all different, with entries below ``bound``, by their content.

    A row becomes one word: the number whose digits it holds where that fits in 63 bits, otherwise a linear combination modulo
    2^64 that is checked to tell the rows apart. What is found is compared in full, so an answer is never a guess.
    """

    rows: Ints
    bound: int

    @cached_property
    def _weights(self) -> npt.NDArray[np.uint64]:
        length = self.rows.shape[1]
        if self.bound**length < 2**63:
            return np.array([self.bound**i for i in range(length)], np.uint64)
        for seed in range(100):
            weights = np.random.default_rng(seed).integers(0, 2**64, length, np.uint64)
            if len(np.unique(self.rows.astype(np.uint64) @ weights)) == len(self.rows):
                return weights
        raise ValueError("rows: two of them are equal")

    @cached_property
    def _table(self) -> tuple[Ints, npt.NDArray[np.uint64], Ints]:
        """Direct places (or none), the words in order, and whose they are."""
        words = self.rows.astype(np.uint64) @ self._weights
        if self.bound ** self.rows.shape[1] <= _DIRECT:
            direct = np.full(self.bound ** self.rows.shape[1], -1, np.int64)
            direct[words.astype(np.int64)] = np.arange(len(words))
            return direct, words[:0], direct[:0]
        ranks = np.argsort(words)
        return ranks[:0], words[ranks], ranks.astype(np.int64)

    def find(self, rows: Ints) -> Ints:
        """The number of each given row, -1 for one that is not in the table; entries lie in [0, bound)."""
        words = rows.astype(np.uint64) @ self._weights
        direct, known, ranks = self._table
        if len(direct):
            return direct[words.astype(np.int64)]
        at = ranks[np.minimum(np.searchsorted(known, words), len(known) - 1)]
        return np.where(np.all(self.rows[at] == rows, axis=1), at, -1)
