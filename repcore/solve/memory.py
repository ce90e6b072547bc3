"""What the steps of a solve need, in bytes, before they allocate: the numbers that ``memory_limit`` is compared with.

Each function counts the arrays that its step holds at its worst moment, and was fitted to peaks of resident memory measured in
fresh processes: SO(3), SO(4), the Lorentz group, S_n, reflection groups, Rubik's cube, cyclic and icosahedral groups over
number fields, by orbits, nullspace and spin. The largest estimate of a solve lay between 1 and 3 times its measured peak
wherever that was above 16 MiB; ``tests/solve/test_memory.py`` repeats some of the measurements. Not counted are
libraries that are imported on first use (some 50 MB once), the images of the generators while they are built, and the bases of
blocks that were solved before, see ``basis.compute``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from repcore.exact.matrix import Matrix
from repcore.solve.orbits import Orbits

__all__ = [
    "CHECKED",
    "answer_bytes",
    "check_bytes",
    "constraint_bytes",
    "elimination_bytes",
    "map_bytes",
    "orbit_bytes",
    "order_bytes",
    "spin_bytes",
]

Ints = npt.NDArray[np.int64]

# Multiplications that the exact check does at a time.
CHECKED = 2**19


def orbit_bytes(unknowns: int, live: int, m: int = 1) -> int:
    """Orbits of ``live`` of all unknowns under weights of order m, and the basis that they are where nothing else is left."""
    return 32 * unknowns + live * (72 if m == 1 else 80 + 92 * m)


def constraint_bytes(shape: tuple[int, int], found: Orbits, images: Sequence[tuple[Matrix, Matrix]]) -> int:
    """The sparse constraints of so many generators, and their presolve; unknowns that vanish are left out of them."""
    alive = found.of.reshape(shape) >= 0
    in_row, in_col = alive.sum(axis=1), alive.sum(axis=0)
    entries = sum(int(in_row[on_w.cols].sum() + in_col[on_v.rows].sum()) for on_w, on_v in images)
    return 48 * alive.size + 160 * entries


def elimination_bytes(unknowns: int, entries: int, shapes: Iterable[tuple[int, int]]) -> int:
    """Dense elimination of a sparse system, block by block, given their (rows, columns); their answers are kept.

    A block is an int64 array, a list of Python integers, and two matrices of FLINT's. The answer has at most w^2/4 entries
    for w columns.
    """
    listed = list(shapes)
    dense = max((60 * h * w for h, w in listed), default=0)
    return 16 * unknowns + 80 * entries + dense + sum(18 * w * w for _, w in listed)


def spin_bytes(m: int, n: int, generators: int, q: int) -> int:
    """Spinning with q unknown coordinates: dense images, their exact forms in FLINT, and the images of n basis vectors."""
    return (m * m + n * n) * (8 * generators + 96) + 24 * q * m * n


def map_bytes(dim: int, m: int, n: int) -> int:
    """A dense basis modulo a prime, what its echelon form is made of, and the list of its entries."""
    return 64 * dim * m * n


def answer_bytes(found: Orbits, cols: Ints, degree: int, primes: int) -> int:
    """Lifting the kernels modulo so many primes under ``degree`` embeddings to exact numbers, and spreading them over the orbits.

    ``cols`` are the orbits that the entries of one kernel belong to.
    """
    live = found.of[found.of >= 0]
    entries = int(np.bincount(live, minlength=found.count)[cols].sum())
    on_orbits = len(cols) * (24 * degree * primes + 80 * degree + 60)
    return 40 * len(found.of) + on_orbits + entries * (60 + 24 * degree)


def order_bytes(count: int) -> int:
    """The canonical order of so many elements, over all copies: their pivots, twice, a permutation, its inverse, and a sort."""
    return 48 * count


def check_bytes(nnz: int, m: int, n: int, images: int, products: int = 0) -> int:
    """The exact check of a basis with ``nnz`` entries against a pair of images with so many.

    Densely with m x m and n x n arrays, or sparsely with that many products at a time and m = n = 0.
    """
    return 64 * nnz + 8 * (m * m + n * n) + 40 * m * n + 40 * images + 120 * products
