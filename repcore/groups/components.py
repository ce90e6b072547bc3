"""Connected components of a graph given by its edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["by_least", "components"]

Ints = npt.NDArray[np.int64]

# Below this many nodes a few passes in NumPy cost less than importing csgraph (0.1 s) does.
_SMALL = 20_000


def components(n: int, a: Ints, b: Ints) -> Ints:
    """For each of n nodes the number of its component, numbered from 0 in no particular order; edges join a[e] and b[e]."""
    if n > _SMALL:
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        graph = csr_array((np.ones(len(a), np.int8), (a.astype(np.int32), b.astype(np.int32))), shape=(n, n))
        return connected_components(graph, directed=False)[1].astype(np.int64)
    label = np.arange(n)
    while True:
        # Hook the larger label of each edge to the smaller one, then let every node point at its root.
        left, right = label[a], label[b]
        low, high = np.minimum(left, right), np.maximum(left, right)
        if np.array_equal(low, high):
            return np.unique(label, return_inverse=True)[1]
        np.minimum.at(label, high, low)
        while not np.array_equal(label[label], label):
            label = label[label]


def by_least(label: Ints) -> tuple[Ints, Ints]:
    """The least member of each class of equal labels, ascending, and for each place the number of its class in that order."""
    _, first, of = np.unique(label, return_index=True, return_inverse=True)
    return np.sort(first).astype(np.int64), np.argsort(np.argsort(first))[of.reshape(-1)]
